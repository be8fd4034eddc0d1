//! Calls under several filters, made by a child of a child that handles SIGSYS.
//!
//! As in a [`batch`](super::batch), the filters live in a process that shares all its memory with the child and stops it
//! for as long as it runs. When a call kills it, another one goes on behind that call.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::gate::{Abi, Gates};
use super::short_life::{ShortLife, Stack, died_of_filter, live};
use crate::sys::{Plain, Serve, install, sock_filter};

/// Most filters of a chain.
pub(super) const FILTERS: usize = 64;
/// Most calls at a time.
pub(super) const CALLS: usize = 1024;
/// Most instructions of all filters together.
pub(super) const INSNS: usize = 1 << 15;

/// No SIGSYS came.
pub(super) const UNTRAPPED: i32 = -1;

const STACK: usize = 1 << 17;

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) gates: u64,
    pub(super) filters_used: u32,
    pub(super) calls_used: u32,
    /// The next call to make
    pub(super) cursor: u32,
    /// Whether every filter was installed
    pub(super) installed: u32,
    /// The errno of the step that failed, or 0
    pub(super) error: i32,
    /// How the last process ended, as `waitpid` tells
    pub(super) status: i32,
    pub(super) filters: [Span; FILTERS],
    pub(super) calls: [Link; CALLS],
    pub(super) insns: [sock_filter; INSNS],
    stack: Stack<STACK>,
}

/// Where the instructions of a filter are.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u16,
}

/// A call, and what came of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The number and the arguments
    pub(super) regs: [u64; 7],
    /// What the return register held
    pub(super) result: i64,
    /// `si_errno` of its SIGSYS, or [`UNTRAPPED`]
    pub(super) trapped: i32,
    /// Whether it killed
    pub(super) killed: u32,
    /// 0 for x86_64, 1 for i386
    pub(super) i386: u32,
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Linked {}

/// What the last SIGSYS of this process said.
static TRAPPED: AtomicI32 = AtomicI32::new(UNTRAPPED);

impl Serve for Linked {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        let task = Task { this, progress };
        // SAFETY: the body is ours, and its processes come one after the other.
        unsafe {
            while (*this).cursor < (*this).calls_used {
                let status = match live(&task, &raw mut (*this).stack) {
                    Ok(status) => status,
                    Err(errno) => {
                        (*this).error = errno;
                        return;
                    }
                };
                (*this).status = status;
                if !died_of_filter(status) || (*this).installed == 0 {
                    return;
                }
                let call = (&raw mut (*this).calls)
                    .cast::<Link>()
                    .wrapping_add((*this).cursor as usize % CALLS);
                (*call).killed = 1;
                (*this).cursor = (*this).cursor.wrapping_add(1);
                (*this).status = 0;
            }
        }
    }
}

/// What a child's child works on.
struct Task<'p> {
    this: *mut Linked,
    progress: &'p AtomicU64,
}

impl ShortLife for Task<'_> {
    /// Installs the filters, oldest first, and makes the calls from the cursor on.
    unsafe fn live(&self) {
        // SAFETY: this process ends before anybody else looks at the body. The guard in front of every filter lets
        // pass whatever does not come from a gate; what a gate calls has no effect should the filters allow it.
        unsafe {
            let this = self.this;
            if handle_sigsys() != 0 {
                (*this).error = *libc::__errno_location();
                return;
            }
            for at in 0..((*this).filters_used as usize).min(FILTERS) {
                let span = *(&raw const (*this).filters).cast::<Span>().wrapping_add(at);
                let insns = (&raw const (*this).insns)
                    .cast::<sock_filter>()
                    .wrapping_add(span.start as usize);
                let result = install(0, insns, span.len);
                if result != 0 {
                    (*this).error = result.wrapping_neg();
                    return;
                }
            }
            (&raw mut (*this).installed).write_volatile(1);
            self.make_calls();
        }
    }
}

impl Task<'_> {
    /// # Safety
    /// As for [`live`](ShortLife::live), with the filters installed.
    unsafe fn make_calls(&self) {
        // SAFETY: as above.
        unsafe {
            let this = self.this;
            let gates = Gates { base: (*this).gates };
            let mut cursor = (*this).cursor;
            while cursor < (*this).calls_used && (cursor as usize) < CALLS {
                let call = (&raw mut (*this).calls).cast::<Link>().wrapping_add(cursor as usize);
                let abi = if (*call).i386 == 0 { Abi::X86_64 } else { Abi::I386 };
                TRAPPED.store(UNTRAPPED, Ordering::Relaxed);
                (*call).result = gates.call(abi, 0, &raw const (*call).regs);
                (*call).trapped = TRAPPED.load(Ordering::Relaxed);
                cursor = cursor.wrapping_add(1);
                // The next call may be the last one: what has been reached must be in memory before it.
                (&raw mut (*this).cursor).write_volatile(cursor);
                self.progress.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Has this process, and not the one it shares its memory with, note SIGSYS and live on.
fn handle_sigsys() -> c_int {
    let handler: extern "C" fn(c_int, *const libc::siginfo_t, *const c_void) = on_sigsys;
    // SAFETY: live structures, of which zeroes are values. The handler has the type that SA_SIGINFO asks for; handlers
    // are not shared, since CLONE_SIGHAND was not asked for, and neither is the mask.
    unsafe {
        let mut action = core::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = (handler as *const ()).addr();
        action.sa_flags = libc::SA_SIGINFO;
        if libc::sigaction(libc::SIGSYS, &raw const action, core::ptr::null_mut()) != 0 {
            return -1;
        }
        let mut sigsys = core::mem::zeroed::<libc::sigset_t>();
        libc::sigaddset(&raw mut sigsys, libc::SIGSYS);
        // A SIGSYS of the filters that is blocked kills.
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const sigsys, core::ptr::null_mut())
    }
}

extern "C" fn on_sigsys(_: c_int, info: *const libc::siginfo_t, _: *const c_void) {
    // SAFETY: the kernel gives the handler a live structure.
    TRAPPED.store(unsafe { (*info).si_errno }, Ordering::Relaxed);
}
