//! Why a call is refused.

use core::fmt;

use crate::errno::Errno;

/// The first check that a call fails, in the order in which the kernel makes them for `SECCOMP_SET_MODE_FILTER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The kernel has no `seccomp(2)`
    NoSeccompCall,
    /// The kernel does not know this operation of `seccomp(2)` or `prctl(2)`
    UnknownOperation,
    /// `prctl` knows strict (1) and filter (2) mode only
    UnknownMode,
    /// An argument that must be zero is not, or one that must be 1 is something else
    UnexpectedArgument,
    /// The kernel does not know one of the flags
    UnknownFlag,
    /// TSYNC and NEW_LISTENER both return a positive number; together they need TSYNC_ESRCH
    SyncWithListener,
    /// WAIT_KILLABLE_RECV without NEW_LISTENER
    KillableWithoutListener,
    /// The argument cannot be read or written
    UnreadableArgument,
    /// The word is not exactly an action that the kernel knows
    UnknownAction,
    /// A program has 1 to 4,096 instructions
    ProgramLength,
    /// Neither `no_new_privs` nor `CAP_SYS_ADMIN` in the caller's user namespace
    NoPrivilege,
    /// There is no memory
    NoMemory,
    /// The program's address is zero
    NullProgram,
    /// The program cannot be read
    UnreadableProgram,
    /// The program breaks a rule: [`Filter::load`](crate::Filter::load) says which
    BadProgram,
    /// There is no room for machine code, and no interpreter
    NoJit,
    /// The process has no free descriptor for the listener
    NoDescriptor,
    /// The system has no free file for the listener
    NoFile,
    /// A fatal signal came while the threads were being locked
    Interrupted,
    /// The thread is in another mode, and modes do not change
    WrongMode,
    /// A filter of the thread has an open listener
    ListenerExists,
    /// The filters of one thread would be too long together
    OverBudget,
    /// Another thread has a chain that is not part of the caller's, or is in strict mode
    Unsynced {
        /// The thread in the way
        tid: u32,
        /// With TSYNC_ESRCH an error; without, the call returns the thread's id, which is positive
        esrch: bool,
    },
}

impl Refusal {
    /// The error, or `None` when the call returns a positive number instead.
    #[must_use]
    pub const fn errno(self) -> Option<Errno> {
        Some(match self {
            Self::NoSeccompCall => Errno::ENOSYS,
            Self::UnknownOperation
            | Self::UnknownMode
            | Self::UnexpectedArgument
            | Self::UnknownFlag
            | Self::SyncWithListener
            | Self::KillableWithoutListener
            | Self::ProgramLength
            | Self::NullProgram
            | Self::BadProgram
            | Self::Interrupted
            | Self::WrongMode => Errno::EINVAL,
            Self::UnreadableArgument | Self::UnreadableProgram => Errno::EFAULT,
            Self::UnknownAction => Errno::EOPNOTSUPP,
            Self::NoPrivilege => Errno::EACCES,
            Self::NoMemory | Self::OverBudget => Errno::ENOMEM,
            Self::NoJit => Errno::ENOTSUPP,
            Self::NoDescriptor => Errno::EMFILE,
            Self::NoFile => Errno::ENFILE,
            Self::ListenerExists => Errno::EBUSY,
            Self::Unsynced { esrch: true, .. } => Errno::ESRCH,
            Self::Unsynced { esrch: false, .. } => return None,
        })
    }

    /// The value the system call returns: a negative `asm-generic` error number, or the id of a thread.
    #[must_use]
    pub fn returns(self) -> i64 {
        match self {
            Self::Unsynced { tid, esrch: false } => i64::from(tid),
            _ => self
                .errno()
                .map_or(0, |errno| i64::from(errno.number()).saturating_neg()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSeccompCall => "this kernel has no `seccomp` call; use `prctl`",
            Self::UnknownOperation => "this kernel does not know the operation",
            Self::UnknownMode => "`prctl` can set mode 1 (strict) and, since Linux 3.5, mode 2 (filter)",
            Self::UnexpectedArgument => "an argument that the operation does not use must be zero",
            Self::UnknownFlag => "this kernel does not know one of the flags",
            Self::SyncWithListener => "`TSYNC` together with `NEW_LISTENER` needs `TSYNC_ESRCH`",
            Self::KillableWithoutListener => "`WAIT_KILLABLE_RECV` needs `NEW_LISTENER`",
            Self::UnreadableArgument => "the argument does not point to accessible memory",
            Self::UnknownAction => "the word is not exactly an action that this kernel knows",
            Self::ProgramLength => "a program has 1 to 4096 instructions",
            Self::NoPrivilege => {
                "the thread has neither `no_new_privs` nor `CAP_SYS_ADMIN` in its user namespace; set `no_new_privs` first"
            }
            Self::NoMemory => "the kernel has no memory",
            Self::NullProgram => "the program's address is zero",
            Self::UnreadableProgram => "the program does not lie in accessible memory",
            Self::BadProgram => "the program breaks a rule of admission",
            Self::NoJit => "the kernel has no room for the filter's machine code; raise `net.core.bpf_jit_limit`",
            Self::NoDescriptor => "the process has no free file descriptor for the listener",
            Self::NoFile => "the system has no free file for the listener",
            Self::Interrupted => "a fatal signal interrupted the call",
            Self::WrongMode => "the thread is in another seccomp mode, and modes do not change",
            Self::ListenerExists => "a filter of the thread has an open listener, and a thread has at most one",
            Self::OverBudget => "the filters of the thread would be longer together than the kernel allows",
            Self::Unsynced { tid, .. } => {
                return write!(
                    f,
                    "thread {tid} has filters that are not the caller's, or is in strict mode, and cannot be given its filters"
                );
            }
        })
    }
}

impl core::error::Error for Refusal {}
