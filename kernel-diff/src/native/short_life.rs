//! The cheapest process there is: it shares all memory with the one that starts it, which stands still until it has ended.

use core::ffi::{c_int, c_void};
use core::time::Duration;

use crate::sys::reap;

/// How long the end of a process may take that has given its memory back.
const BURIAL: Duration = Duration::from_secs(5);

/// The stack of such a process.
#[repr(C, align(16))]
#[derive(Debug)]
pub(super) struct Stack<const SIZE: usize>([u8; SIZE]);

/// What such a process does.
pub(super) trait ShortLife {
    /// # Safety
    /// Runs in a process that is thrown away, and whose memory is somebody else's.
    unsafe fn live(&self);
}

/// Has a task live in a process of its own. Gives how that ended, as `waitpid` tells.
///
/// # Errors
/// An errno, when it could not be started or did not end in time.
///
/// # Safety
/// Nobody else uses the stack, and whatever the task leads to is the caller's alone.
pub(super) unsafe fn live<T: ShortLife, const SIZE: usize>(task: &T, stack: *mut Stack<SIZE>) -> Result<c_int, c_int> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::CLONE_FS | libc::SIGCHLD;
    let top = stack.cast::<u8>().wrapping_add(SIZE);
    // SAFETY: the new process runs `life` on a stack of its own, and this one waits until it has ended (CLONE_VFORK).
    let pid = unsafe { libc::clone(life::<T>, top.cast(), flags, (&raw const *task).cast_mut().cast()) };
    if pid < 0 {
        // SAFETY: the errno of this thread.
        return Err(unsafe { *libc::__errno_location() });
    }
    reap(pid, BURIAL)
}

/// Whether a process died of a filter.
pub(super) const fn died_of_filter(status: c_int) -> bool {
    libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS
}

extern "C" fn life<T: ShortLife>(task: *mut c_void) -> c_int {
    // SAFETY: `task` belongs to the process that waits for this one. Should that be killed, so is this: it must not go on
    // writing to its memory.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        (*task.cast::<T>()).live();
        libc::syscall(libc::SYS_exit, 0);
    }
    0
}
