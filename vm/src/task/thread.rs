//! Threads and processes, as far as seccomp cares.

use core::fmt;

use super::chains::FilterId;
use super::ptrace::Tracing;
use crate::effect::{Disposition, Interruption};
use crate::install::{Mode, Shortage};

/// A thread of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(u32);

impl ThreadId {
    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1))
    }

    pub(super) const fn index(self) -> usize {
        (self.0 as usize).saturating_sub(1)
    }

    /// The thread's number, which is positive: what a failed TSYNC returns.
    #[must_use]
    pub const fn tid(self) -> u32 {
        self.0
    }
}

/// A thread that has ended, or never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning(pub ThreadId);

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} does not run", self.0.tid())
    }
}

impl core::error::Error for NotRunning {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessId(pub(super) usize);

/// What the threads of a process share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// What happens at SIGSYS
    pub sigsys: Disposition,
    /// The next free file descriptor; `None` when the limit is reached
    pub next_fd: Option<i32>,
    /// Its first thread, or the one that made `execve`
    pub(super) leader: Option<ThreadId>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            sigsys: Disposition::Default,
            next_fd: Some(3),
            leader: None,
        }
    }
}

impl Process {
    /// Takes the next descriptor.
    pub(super) fn take_fd(&mut self) -> Option<i32> {
        let fd = self.next_fd?;
        self.next_fd = fd.checked_add(1);
        Some(fd)
    }
}

/// Where a thread has `CAP_SYS_ADMIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Admin {
    /// Nowhere
    #[default]
    No,
    /// In its own user namespace: enough to install filters
    OwnNamespace,
    /// In the initial user namespace: enough for `ptrace` to look at filters and to suspend them, too
    Initial,
}

/// What surrounds a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Environment {
    /// Its privileges
    pub admin: Admin,
    /// Whether it blocks SIGSYS
    pub sigsys_blocked: bool,
    /// A signal that arrives at the end of each of its calls
    pub interruption: Interruption,
    /// What runs out when it installs a filter
    pub shortage: Option<Shortage>,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    pub(super) process: ProcessId,
    pub(super) alive: bool,
    pub(super) mode: Mode,
    pub(super) no_new_privs: bool,
    pub(super) newest: Option<FilterId>,
    pub(super) tracing: Option<Tracing>,
    pub(super) environment: Environment,
}

impl Thread {
    pub(super) fn new(process: ProcessId) -> Self {
        Self {
            process,
            alive: true,
            mode: Mode::Disabled,
            no_new_privs: false,
            newest: None,
            tracing: None,
            environment: Environment::default(),
        }
    }

    /// A thread or process that this one creates. Tracers and pending signals are not inherited.
    pub(super) fn child(&self) -> Self {
        Self {
            tracing: None,
            environment: Environment {
                interruption: Interruption::None,
                ..self.environment
            },
            ..self.clone()
        }
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.alive
    }

    /// Its mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether it has `no_new_privs`.
    #[must_use]
    pub const fn no_new_privs(&self) -> bool {
        self.no_new_privs
    }
}
