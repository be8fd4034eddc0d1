//! Installing a filter.

pub(crate) use libc::sock_filter;

use super::process::errno;

const SET_MODE_FILTER: libc::c_uint = 1;

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`
pub(crate) const FLAG_NEW_LISTENER: libc::c_ulong = 8;

/// `seccomp(SECCOMP_SET_MODE_FILTER, flags, program)` on the calling thread. Gives 0 or a listener, or an errno below 0.
///
/// Makes one system call and nothing else, so it may be used in a forked child.
///
/// # Safety
/// The thread lives under the filter from now on: only a child that is about to end may install one.
pub(crate) unsafe fn install(flags: libc::c_ulong, program: *const sock_filter, len: u16) -> i32 {
    let program = libc::sock_fprog {
        len,
        filter: program.cast_mut(),
    };
    // SAFETY: the kernel checks every pointer that it is given and only reads through these; a wrong one gives EFAULT.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .unwrap_or_else(|| errno().wrapping_neg())
}
