//! The memory that the actors of a scenario and their driver share, and the life of an actor.
//!
//! An actor may be under any filter, strict mode included, so between its steps it makes no system call: it watches its
//! slot of the board until there is something to do. Its limit of processor time ends it if nobody ever comes.

use core::ffi::{c_int, c_void};
use core::ptr::read_volatile;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::native::{Abi, Gates};
use crate::scenario::step::MOST_ACTORS;
use crate::sys::{Plain, errno, sock_filter};
use callproof_vm::length::MAX_INSNS;

/// Make a system call.
pub(super) const CALL: u32 = 1;
/// Make a system call that returns twice; the new process is the actor `other`.
pub(super) const FORK: u32 = 2;
/// Make a thread, which is the actor `other`.
pub(super) const THREAD: u32 = 3;

const STACK: usize = 64 * 1024;

/// Where an actor gets its orders.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Slot {
    /// Counted up by the driver when there is an order
    pub(super) go: AtomicU32,
    /// Set to the same by the actor when it is carried out
    pub(super) done: AtomicU32,
    pub(super) kind: u32,
    /// 0 for x86-64, 1 for i386
    pub(super) abi: u32,
    pub(super) other: u32,
    /// May sleep while it has nothing to do: never under filters
    pub(super) sleeps: u32,
    /// The number and the six arguments
    pub(super) regs: [u64; 7],
    pub(super) result: i64,
    /// The number of the process that this actor is, written by the kernel as it makes it: its maker may die before it
    /// can say
    pub(super) pid: i32,
    unused: i32,
}

/// What a handler was told.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) signo: i32,
    pub(super) errno: i32,
    pub(super) code: i32,
    pub(super) unused: i32,
    pub(super) address: u64,
    pub(super) syscall: i32,
    pub(super) arch: u32,
}

/// `struct sigaction` as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    pub(super) handler: u64,
    pub(super) flags: u64,
    pub(super) restorer: u64,
    pub(super) mask: u64,
}

/// Everything that is shared.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Board {
    pub(super) slots: [Slot; MOST_ACTORS],
    /// How often a handler of SIGSYS ran
    pub(super) traps: AtomicU32,
    /// How often another handler ran
    pub(super) handled: AtomicU32,
    pub(super) note: Note,
    pub(super) action: Action,
    pub(super) fprog_len: u64,
    pub(super) fprog_address: u64,
    /// Whatever a call reads or writes
    pub(super) scratch: [u64; 512],
    pub(super) program: [sock_filter; MAX_INSNS],
    gates: u64,
    stacks: [[u8; STACK]; MOST_ACTORS],
}

// SAFETY: integers, and atomic integers.
unsafe impl Plain for Board {}

/// The board of this process. Only children that are actors have one.
static BOARD: AtomicPtr<Board> = AtomicPtr::new(core::ptr::null_mut());

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.callproof_restore, \"ax\", @progbits",
    ".globl callproof_restore",
    ".hidden callproof_restore",
    "callproof_restore:",
    "mov eax, 15",
    "syscall",
    ".popsection",
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    safe static callproof_restore: u8;
}

/// Where a handler returns to.
#[cfg(target_arch = "x86_64")]
pub(super) fn restorer() -> u64 {
    (&raw const callproof_restore).addr() as u64
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) const fn restorer() -> u64 {
    0
}

/// The address of [`on_signal`].
pub(super) fn handler() -> u64 {
    let handler: extern "C" fn(c_int, *const c_void, *const c_void) = on_signal;
    (handler as *const ()).addr() as u64
}

/// Notes what the kernel says. `siginfo_t` has `si_signo`, `si_errno` and `si_code` first, and for SIGSYS an address at
/// 16, then the number and the architecture.
extern "C" fn on_signal(signal: c_int, info: *const c_void, _: *const c_void) {
    let board = BOARD.load(Ordering::Relaxed);
    // SAFETY: only actors have this handler, and they have a board; `info` is a `siginfo_t` of 128 bytes, of which the
    // first 32 are read. While an actor is in a step, nobody else writes to the note.
    unsafe {
        if signal == libc::SIGSYS {
            (&raw mut (*board).note).write(info.cast::<Note>().read());
            (*board).traps.fetch_add(1, Ordering::Release);
        } else {
            (*board).handled.fetch_add(1, Ordering::Release);
        }
    }
}

impl Board {
    /// Notes where the gates are, for the children.
    pub(super) const fn set_gates(&mut self, gates: Gates) {
        self.gates = gates.base;
    }
}

/// The life of the first actor and of all that it makes.
///
/// # Safety
/// Runs in a forked child that has nothing else to do. The board is mapped and stays.
pub(super) unsafe fn live(board: *mut Board, first: usize) -> ! {
    BOARD.store(board, Ordering::Relaxed);
    let mut me = first;
    let mut last = 0;
    loop {
        // SAFETY: the board is mapped. There are as many slots as actors, and the driver names no others.
        let slot = unsafe { (&raw mut (*board).slots).cast::<Slot>().wrapping_add(me) };
        // SAFETY: as above. The driver writes to a slot only while its actor waits.
        unsafe {
            let next = wait(slot, last, (*board).gates);
            last = next;
            // A new process may come to this only when its maker has long been given another order.
            let (kind, other) = (
                read_volatile(&raw const (*slot).kind),
                read_volatile(&raw const (*slot).other),
            );
            let result = carry_out(board, slot);
            if kind == FORK && result == 0 {
                me = other as usize;
                last = 0;
                continue;
            }
            (*slot).result = result;
            (*slot).done.store(next, Ordering::Release);
        }
    }
}

/// Waits for an order.
///
/// # Safety
/// `slot` is an actor's own.
unsafe fn wait(slot: *mut Slot, last: u32, gates: u64) -> u32 {
    let nap = [0_u64, 200_000];
    loop {
        // SAFETY: the slot is mapped; the call reads a live array.
        unsafe {
            let next = (*slot).go.load(Ordering::Acquire);
            if next != last {
                return next;
            }
            if read_volatile(&raw const (*slot).sleeps) != 0 {
                let regs = [35, nap.as_ptr().addr() as u64, 0, 0, 0, 0, 0];
                Gates { base: gates }.call(Abi::X86_64, 0, &raw const regs);
            }
        }
        core::hint::spin_loop();
    }
}

/// # Safety
/// `slot` is an actor's own, and there is an order in it.
unsafe fn carry_out(board: *mut Board, slot: *mut Slot) -> i64 {
    // SAFETY: gates keep to the calling convention; what the kernel does to memory is within the board.
    unsafe {
        let gates = Gates { base: (*board).gates };
        if (*slot).kind == THREAD {
            return make_thread(board, (*slot).other as usize);
        }
        let abi = if (*slot).abi == 0 { Abi::X86_64 } else { Abi::I386 };
        gates.call(abi, 0, &raw const (*slot).regs)
    }
}

/// # Safety
/// Nobody uses the stack of that actor.
unsafe fn make_thread(board: *mut Board, other: usize) -> i64 {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    // SAFETY: each actor has a stack of its own, which grows down from its end. Actors use no thread-local memory but
    // `errno`, and they take turns.
    unsafe {
        let stacks = (&raw mut (*board).stacks).cast::<[u8; STACK]>();
        let end = stacks.wrapping_add(other.wrapping_add(1)).cast::<c_void>();
        let argument = core::ptr::without_provenance_mut::<c_void>(other);
        match libc::clone(begin, end, flags, argument) {
            -1 => i64::from(errno()).wrapping_neg(),
            tid => i64::from(tid),
        }
    }
}

extern "C" fn begin(actor: *mut c_void) -> c_int {
    let board = BOARD.load(Ordering::Relaxed);
    // SAFETY: the thread was made by an actor of this process, for this.
    unsafe { live(board, actor.addr()) }
}
