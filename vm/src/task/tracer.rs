//! The tracer's side: what it is shown and what it may change.

use super::ThreadId;
use crate::data::SeccompData;
use crate::errno::Errno;
use crate::kernel::{Gate, Kernel};

/// Somebody who traces threads.
pub trait Tracer {
    /// A thread has stopped. What is changed in the registers is what the kernel goes on with.
    fn stopped(&mut self, stop: &Stop, registers: &mut Registers) -> Resume;
}

impl<F: FnMut(&Stop, &mut Registers) -> Resume> Tracer for F {
    fn stopped(&mut self, stop: &Stop, registers: &mut Registers) -> Resume {
        self(stop, registers)
    }
}

/// A tracer that changes nothing, and a supervisor that never answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nobody;

impl Tracer for Nobody {
    fn stopped(&mut self, _: &Stop, _: &mut Registers) -> Resume {
        Resume::Continue
    }
}

/// A stop of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The thread
    pub thread: ThreadId,
    /// Why it stopped
    pub kind: StopKind,
    kernel: Kernel,
}

/// Why a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// It enters a system call, and the tracer asked for such stops
    Entry,
    /// `PTRACE_EVENT_SECCOMP` (7): a filter said TRACE
    Seccomp {
        /// What `PTRACE_GETEVENTMSG` says: the data of the return value
        message: u16,
    },
}

impl Stop {
    pub(super) const fn new(thread: ThreadId, kind: StopKind, kernel: Kernel) -> Self {
        Self { thread, kind, kernel }
    }

    /// `PTRACE_GET_SYSCALL_INFO`.
    ///
    /// # Errors
    /// `EIO` before Linux 5.3, which does not know the request. The error is recalled and not checked.
    pub fn syscall_info(&self) -> Result<SyscallInfo, Errno> {
        if !self.kernel.has(Gate::GetSyscallInfo) {
            return Err(Errno::EIO);
        }
        Ok(match self.kind {
            StopKind::Entry => SyscallInfo { op: 1, ret_data: None },
            StopKind::Seccomp { message } => SyscallInfo {
                op: 3,
                ret_data: Some(u32::from(message)),
            },
        })
    }
}

/// The part of `struct ptrace_syscall_info` that tells stops apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyscallInfo {
    /// 1 at the entry of a call, 3 at a seccomp stop
    pub op: u8,
    /// The data of the filter's return value, at a seccomp stop
    pub ret_data: Option<u32>,
}

/// What a tracer can see and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The call that will be made. A number below 0 skips it.
    pub call: SeccompData,
    /// The result register, errors being negative. It holds `-ENOSYS` unless the tracer writes to it, and is what a
    /// skipped call returns.
    pub result: i64,
}

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// With the registers as they are now
    Continue,
    /// Not at all: a fatal signal came during the stop
    Killed,
}
