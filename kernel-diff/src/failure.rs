//! Why there is no answer.

use core::fmt;

use crate::oracle::Sight;
use crate::sys::{Death, error_name};

/// Why an oracle has no answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The program leaves no room for the instructions that make it tell its result
    #[error("a program of {len} instructions leaves no room for the instructions that make it tell its result")]
    TooLong {
        /// Its length
        len: usize,
    },
    /// This oracle answers no questions of that kind
    #[error("this oracle cannot see {sight}")]
    Unseen {
        /// What was asked for
        sight: Sight,
    },
    /// A packet is too short to tell anything by its length, or too long for a socket
    #[error("a packet of {len} bytes tells nothing: it must have 2 to 32768")]
    PacketLength {
        /// Its length
        len: usize,
    },
    /// The kernel did not install the program
    #[error("the kernel did not install the program: {}", error_name(*errno))]
    Refused {
        /// Why
        errno: i32,
    },
    /// A call came back with something that the program cannot have returned
    #[error("a call returned {register:#x}, which the program under test cannot have caused")]
    Strange {
        /// The return register
        register: i64,
    },
    /// A process died that should not
    #[error("a test process {how}")]
    Died {
        /// How
        how: String,
    },
    /// A filter outside this process killed a test process
    #[error("a filter around this process kills some test calls, so results cannot be seen")]
    KilledOutside,
    /// A system call of the harness failed
    #[error("cannot {what}: {}", error_name(*errno))]
    System {
        /// What was tried
        what: &'static str,
        /// Why it failed
        errno: i32,
    },
}

impl Failure {
    pub(crate) fn system(what: &'static str, error: &std::io::Error) -> Self {
        Self::System {
            what,
            errno: error.raw_os_error().unwrap_or(0),
        }
    }

    pub(crate) fn died(death: Death) -> Self {
        Self::Died { how: death.to_string() }
    }

    /// Whether the question, and not the machine, is the reason.
    #[must_use]
    pub const fn is_unobservable(&self) -> bool {
        matches!(
            self,
            Self::TooLong { .. } | Self::Unseen { .. } | Self::PacketLength { .. }
        )
    }

    /// A word for statistics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::Unseen { .. } => "unseen",
            Self::PacketLength { .. } => "packet-length",
            Self::Refused { .. } => "refused",
            Self::Strange { .. } => "strange",
            Self::Died { .. } => "died",
            Self::KilledOutside => "killed-outside",
            Self::System { .. } => "system",
        }
    }
}

/// What this machine lacks, and why that matters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// The calls of this machine's ABI cannot be made with chosen registers
    #[error("exact results need an x86_64 machine, and this is {}", std::env::consts::ARCH)]
    Gate,
    /// Filters cannot be installed
    #[error("cannot install filters: {}{}", error_name(*errno), hint(*errno))]
    Filters {
        /// The answer of the kernel, or of whoever answers for it
        errno: i32,
    },
    /// `int 0x80` does not make i386 calls
    #[error("i386 calls do not work here (`int 0x80` {how}): the kernel has no or disabled IA32 emulation")]
    I386 {
        /// What it did
        how: String,
    },
    /// Neither a listener nor a full chain tells admitted programs from refused ones
    #[error("cannot tell admitted programs from refused ones: {0}")]
    Admission(Failure),
    /// A filter around this process hides results
    #[error("a filter around this process hides results: {0}; run outside of the sandbox")]
    OuterFilter(Failure),
    /// This process has filters or `no_new_privs` itself, which every child inherits
    #[error("this process has {0} itself, and so would everybody in a scenario; run outside of the sandbox")]
    Inherited(&'static str),
    /// Filters cannot be attached to sockets
    #[error("cannot attach filters to sockets: {}", error_name(*errno))]
    SocketFilters {
        /// The answer of the kernel
        errno: i32,
    },
    /// Something more basic
    #[error("{0}")]
    Basic(Failure),
}

/// What an errno most often means when a filter is installed.
const fn hint(errno: i32) -> &'static str {
    match errno {
        libc::ENOSYS => " (the kernel has no seccomp(2), or a sandbox hides it)",
        libc::EINVAL => " (the kernel has no filter mode, or a sandbox or an emulator is in the way)",
        libc::EPERM | libc::EACCES => " (a sandbox forbids it)",
        _ => "",
    }
}

/// Possible, or why not.
pub type Support = Result<(), Missing>;

/// Prints a support as `yes` or `no: ` and the reason.
#[derive(Debug)]
pub struct Shown<'s>(pub &'s Support);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("yes"),
            Err(missing) => write!(f, "no: {missing}"),
        }
    }
}
