//! How processes end, and what the kernel says about them.

use core::fmt;
use std::fs;
use std::io;

/// The error of the last failed system call of this thread.
pub(crate) fn errno() -> i32 {
    // SAFETY: the location is valid for as long as the thread lives.
    unsafe { *libc::__errno_location() }
}

/// An error number with its message: `EPERM (1)` has no portable name table, so the system's own words are used.
pub(crate) fn error_name(number: i32) -> String {
    match number {
        // Internal to the kernel, and leaking out of it when the JIT refuses.
        524 => "error 524 (the JIT compiler has no memory left, see `net.core.bpf_jit_limit`)".to_owned(),
        _ => io::Error::from_raw_os_error(number).to_string(),
    }
}

/// How a process ended: the `int` that `waitpid` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Status(pub(crate) i32);

impl Status {
    /// The signal that killed it.
    pub(crate) const fn signal(self) -> Option<i32> {
        if libc::WIFSIGNALED(self.0) {
            Some(libc::WTERMSIG(self.0))
        } else {
            None
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal() {
            Some(signal) => write!(f, "was killed by signal {signal}{}", signal_name(signal)),
            None => write!(f, "exited with status {}", libc::WEXITSTATUS(self.0)),
        }
    }
}

const fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSYS => " (SIGSYS)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGXCPU => " (SIGXCPU, its CPU time limit)",
        _ => "",
    }
}

/// The unexpected end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Death {
    /// It ended by itself or was killed
    Ended(Status),
    /// It made no progress for this many seconds and was killed
    Stuck(u64),
    /// Somebody else has waited for it, so nobody knows how it ended
    Unknown,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => status.fmt(f),
            Self::Stuck(seconds) => write!(f, "made no progress for {seconds} seconds and was killed"),
            Self::Unknown => f.write_str("ended, and somebody else waited for it"),
        }
    }
}

/// A line of `/proc/PID/status`, such as `Seccomp`; `None` when there is no such process or line.
pub(crate) fn status_field(process: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
