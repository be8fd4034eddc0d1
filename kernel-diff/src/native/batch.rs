//! Many filters and calls at once, executed by a child and its children.
//!
//! A filter cannot be removed, so each one lives in a child of the child that shares all its memory and stops it for as
//! long as it runs: the cheapest process there is. It installs the filter, makes the calls and writes down what came
//! back. When the filter kills it, the child notes that and starts another one for the rest.

use core::sync::atomic::{AtomicU64, Ordering};

use super::gate::{Abi, Gates};
use super::short_life::{ShortLife, Stack, died_of_filter, live};
use crate::sys::{Plain, Serve, install, sock_filter};

/// Most filters in a batch.
pub(crate) const INSTALLS: usize = 256;
/// Most calls in a batch.
pub(crate) const CALLS: usize = 1 << 15;
/// Most instructions in a batch.
pub(crate) const INSNS: usize = 1 << 16;

/// The calling thread died of the filter: it left the program by a division by zero.
pub(crate) const DIED: i64 = i64::MIN;

const STACK: usize = 1 << 16;

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Batch {
    /// Address of the gates
    pub(crate) gates: u64,
    /// How many filters there are
    pub(crate) installs_used: u32,
    /// How many filters are done with
    pub(crate) installs_done: u32,
    pub(crate) installs: [Install; INSTALLS],
    pub(crate) calls: [Call; CALLS],
    pub(crate) insns: [sock_filter; INSNS],
    stack: Stack<STACK>,
}

/// A filter and the calls it judges.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Install {
    /// Where its instructions begin
    pub(crate) insns: u32,
    /// How many it has
    pub(crate) len: u16,
    /// Where its calls begin
    pub(crate) calls: u32,
    /// Where its calls end
    pub(crate) calls_end: u32,
    /// The next call to make
    pub(crate) cursor: u32,
    /// Whether some process was able to install it
    pub(crate) installed: u32,
    /// The errno of the step that failed, or 0
    pub(crate) error: i32,
    /// How the last process ended, as `waitpid` tells
    pub(crate) status: i32,
    /// How often the filter killed
    pub(crate) kills: u32,
}

/// A call to make.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The number and the arguments
    pub(crate) regs: [u64; 7],
    /// What the return register held, or [`DIED`]
    pub(crate) result: i64,
    /// Which datum this is a part of: the filter answers all parts alike
    pub(crate) datum: u32,
    /// 0 for x86_64, 1 for i386
    pub(crate) abi: u16,
    /// Which copy of the gate
    pub(crate) copy: u16,
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Batch {}

impl Serve for Batch {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        // SAFETY: the caller owns the batch. Filters are done one after the other, and a child of this process has
        // ended before the next one is started, so nobody else uses the batch at the same time.
        unsafe {
            let used = (*this).installs_used;
            let mut index = 0_u32;
            while index < used && (index as usize) < INSTALLS {
                let install = (&raw mut (*this).installs)
                    .cast::<Install>()
                    .wrapping_add(index as usize);
                let task = Task {
                    batch: this,
                    install,
                    progress,
                };
                task.run();
                index = index.wrapping_add(1);
                (&raw mut (*this).installs_done).write_volatile(index);
            }
        }
    }
}

/// What a child's child works on.
struct Task<'p> {
    batch: *mut Batch,
    install: *mut Install,
    progress: &'p AtomicU64,
}

impl Task<'_> {
    /// Runs processes until all calls are made or something other than the filter goes wrong.
    ///
    /// # Safety
    /// As for [`Serve::serve`].
    unsafe fn run(&self) {
        // SAFETY: the batch is ours, and its processes come one after the other.
        unsafe {
            loop {
                let status = match live(self, &raw mut (*self.batch).stack) {
                    Ok(status) => status,
                    Err(errno) => {
                        (*self.install).error = errno;
                        return;
                    }
                };
                (*self.install).status = status;
                if !died_of_filter(status) || (*self.install).installed == 0 || !self.note_death() {
                    return;
                }
            }
        }
    }

    /// Marks the call at the cursor, and the others of its datum, as deadly. False when there was no call.
    ///
    /// # Safety
    /// As for [`Serve::serve`].
    unsafe fn note_death(&self) -> bool {
        // SAFETY: the batch is ours, and the cursor was written by a process that has ended.
        let (install, calls) = unsafe { (&mut *self.install, &mut (*self.batch).calls) };
        let last = install.calls_end as usize;
        let rest = calls
            .get_mut(..last)
            .and_then(|calls| calls.get_mut(install.cursor as usize..));
        let Some((first, others)) = rest.and_then(<[Call]>::split_first_mut) else {
            return false;
        };
        first.result = DIED;
        install.kills = install.kills.wrapping_add(1);
        install.cursor = install.cursor.wrapping_add(1);
        for call in others {
            if call.datum != first.datum {
                break;
            }
            call.result = DIED;
            install.cursor = install.cursor.wrapping_add(1);
        }
        true
    }
}

impl ShortLife for Task<'_> {
    /// Installs the filter and makes the calls from the cursor on.
    unsafe fn live(&self) {
        // SAFETY: this process ends before anybody else looks at the batch. Under the filter, every call through a gate
        // is answered by the filter or kills; the guard in front of it lets the harness's own calls pass.
        unsafe {
            let (batch, task) = (self.batch, self.install);
            let insns = (&raw const (*batch).insns)
                .cast::<sock_filter>()
                .wrapping_add((*task).insns as usize);
            let result = install(0, insns, (*task).len);
            if result != 0 {
                (*task).error = result.wrapping_neg();
                return;
            }
            (*task).installed = 1;
            let gates = Gates { base: (*batch).gates };
            let end = (*task).calls_end;
            let mut cursor = (*task).cursor;
            while cursor < end && (cursor as usize) < CALLS {
                let call = (&raw mut (*batch).calls).cast::<Call>().wrapping_add(cursor as usize);
                let abi = if (*call).abi == 0 { Abi::X86_64 } else { Abi::I386 };
                let result = gates.call(abi, u32::from((*call).copy), &raw const (*call).regs);
                (*call).result = result;
                cursor = cursor.wrapping_add(1);
                // The next call may be the last one: what has been reached must be in memory before it.
                (&raw mut (*task).cursor).write_volatile(cursor);
                self.progress.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
