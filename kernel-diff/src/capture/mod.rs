//! Capturing the filters of other processes.

mod dump;
mod entry;
mod exec;
mod ptrace;

use std::path::PathBuf;

use callproof_vm::Insn;

use crate::sys::{error_name, status_field};

pub use dump::{Dumped, DumpedFilter, dump};
pub use exec::{Ended, Limits, Recording, exec};

/// A filter that a traced process tried to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The thread that tried
    pub tid: i32,
    /// What it executes, if that is known
    pub exe: Option<PathBuf>,
    /// Audit word of the ABI it called by
    pub arch: u32,
    /// Whether it called `prctl(2)` instead of `seccomp(2)`
    pub by_prctl: bool,
    /// `SECCOMP_FILTER_FLAG_*`; 0 by `prctl`
    pub flags: u64,
    /// The program as it lay in the caller's memory, or the errno with which that could not be read.
    ///
    /// A thread that shares the memory may change it between this look and the kernel's.
    pub program: Result<Vec<Insn>, i32>,
    /// What the kernel said
    pub outcome: Outcome,
}

/// What became of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Installed
    Installed,
    /// Installed, with a listener at this file number
    Listener(i64),
    /// Not installed: this thread's filters do not go together with the caller's (TSYNC)
    Diverged(i64),
    /// Not installed, with this errno
    Refused(i32),
    /// The thread ended before the kernel's answer was seen
    Unfinished,
}

/// Why filters cannot be captured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// There is no such process
    #[error("there is no process {0}")]
    NoProcess(i32),
    /// The process ended meanwhile
    #[error("process {0} ended before its filters were read")]
    Gone(i32),
    /// Somebody else traces the process
    #[error("process {pid} is traced by process {tracer} already; stop that first")]
    Traced {
        /// The process
        pid: i32,
        /// Its tracer
        tracer: i32,
    },
    /// The process may not be traced
    #[error("may not trace process {pid}: {}", not_traceable(*scope))]
    Forbidden {
        /// The process
        pid: i32,
        /// `kernel.yama.ptrace_scope`, if the kernel has it
        scope: Option<u8>,
    },
    /// Reading installed filters needs a privilege
    #[error("reading installed filters needs CAP_SYS_ADMIN in the initial user namespace; run as root")]
    Unprivileged,
    /// The kernel gives filters only to tracers that have none themselves
    #[error("this process is under seccomp itself, and the kernel shows filters only to processes that are not")]
    TracerFiltered,
    /// The process has no filters
    #[error("process {0} has no filters")]
    NoFilters(i32),
    /// The process is in strict mode
    #[error("process {0} is in seccomp's strict mode, which has no filters")]
    Strict(i32),
    /// The kernel does not know how
    #[error("this kernel cannot show installed filters: it has no CONFIG_CHECKPOINT_RESTORE or is older than 4.4")]
    Unsupported,
    /// The process did not stop in time
    #[error("process {pid} did not stop within {seconds} seconds")]
    Stuck {
        /// The process
        pid: i32,
        /// How long was waited
        seconds: u64,
    },
    /// The command could not be started
    #[error("cannot start `{command}`: {}", error_name(*errno))]
    Start {
        /// The command
        command: String,
        /// Why
        errno: i32,
    },
    /// Some system call failed
    #[error("cannot {what}: {}", error_name(*errno))]
    System {
        /// What was tried
        what: &'static str,
        /// Why it failed
        errno: i32,
    },
}

fn not_traceable(scope: Option<u8>) -> String {
    match scope {
        Some(scope @ 1..) => format!("`kernel.yama.ptrace_scope` is {scope}; run as root, or set it to 0"),
        _ => "it belongs to somebody else or is protected, or a sandbox forbids tracing; run as root".to_owned(),
    }
}

impl CaptureError {
    /// Why a process cannot be traced, from the errno and what the kernel tells about the process.
    fn of_attach(pid: i32, errno: i32) -> Self {
        let tracer = status_field(&pid.to_string(), "TracerPid").and_then(|tracer| tracer.parse().ok());
        match (errno, tracer) {
            (libc::ESRCH, _) => Self::NoProcess(pid),
            (libc::EPERM, Some(tracer @ 1..)) => Self::Traced { pid, tracer },
            (libc::EPERM, _) => {
                let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
                let scope = scope.ok().and_then(|scope| scope.trim().parse().ok());
                Self::Forbidden { pid, scope }
            }
            _ => Self::System {
                what: "trace the process",
                errno,
            },
        }
    }

    /// Why filters cannot be read, from the errno and what the kernel tells about both processes.
    fn of_filter(pid: i32, errno: i32) -> Self {
        let mode = |process: &str| status_field(process, "Seccomp").unwrap_or_default();
        let own = mode("thread-self");
        match (errno, mode(&pid.to_string()).as_str()) {
            (libc::ESRCH, _) => Self::Gone(pid),
            (libc::EACCES, _) if !own.is_empty() && own != "0" => Self::TracerFiltered,
            (libc::EACCES, _) => Self::Unprivileged,
            (libc::EINVAL, "0") => Self::NoFilters(pid),
            (libc::EINVAL, "1") => Self::Strict(pid),
            (libc::EINVAL | libc::EIO | libc::EMEDIUMTYPE, _) => Self::Unsupported,
            _ => Self::System {
                what: "read the filters of the process",
                errno,
            },
        }
    }
}
