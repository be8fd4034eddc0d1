//! Scenarios: who does what, and what is to be seen.

use callproof_vm::Insn;

/// What must be so for a scenario to run on a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The privileges of root in the initial user namespace. Every other scenario runs without any.
    Root,
    /// Calls of i386 by `int 0x80`
    I386,
    /// User namespaces
    UserNamespaces,
    /// That audit records can be read
    Audit,
    /// A release of at least this
    Release(callproof_vm::Kernel),
}

/// A little story, and what every step of it must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name
    pub name: String,
    /// Line of its name, from 1
    pub line: usize,
    /// What the kernel must have
    pub needs: Vec<Need>,
    /// The people: `main` first; then those that a step makes, and the two outside
    pub(super) actors: Vec<Actor>,
    /// What happens, one after the other
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// Whether anybody is traced whom a test picks.
    #[cfg(target_os = "linux")]
    pub(super) fn traces(&self, picked: impl Fn(Who) -> bool) -> bool {
        self.steps.iter().any(|step| match step.what {
            What::Trace { of, .. } => picked(of),
            What::Call { during: Some(_), .. } => picked(step.who),
            _ => false,
        })
    }

    /// Whether an actor is a process of its own that a step made.
    #[cfg(target_os = "linux")]
    pub(super) fn is_forked(&self, who: Who) -> bool {
        self.steps.iter().any(|step| step.what == What::Fork(who))
    }
}

/// Most actors of a scenario.
pub(super) const MOST_ACTORS: usize = 8;

/// Somebody who takes steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Actor {
    pub(super) name: String,
    /// A process of its own that exists from the start and has no filters
    pub(super) outside: bool,
}

/// An actor's place in the scenario.
pub(super) type Who = usize;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) who: Who,
    pub(super) what: What,
    pub(super) expect: String,
}

/// The ABI of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Abi {
    #[default]
    X86_64,
    I386,
}

impl Abi {
    pub(super) const fn arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) nr: i32,
    pub(super) args: [u64; 6],
    pub(super) abi: Abi,
}

impl Call {
    pub(super) const fn native(nr: i32, args: [u64; 6]) -> Self {
        Self {
            nr,
            args,
            abi: Abi::X86_64,
        }
    }
}

/// A signal that scenarios send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGSYS
    Sys,
    /// SIGUSR1
    Usr1,
    /// SIGCHLD, which is ignored unless somebody handles it
    Chld,
    /// SIGKILL
    Kill,
}

impl Signal {
    #[cfg(target_os = "linux")]
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Sys => libc::SIGSYS,
            Self::Usr1 => libc::SIGUSR1,
            Self::Chld => libc::SIGCHLD,
            Self::Kill => libc::SIGKILL,
        }
    }
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum How {
    #[default]
    Default,
    Ignore,
    Handle,
    /// With `SA_RESTART`
    Restart,
}

/// Where an argument leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Where {
    /// Where it should
    #[default]
    Good,
    Null,
    Bad,
    /// The argument is good, and the pointer to the program in it is null
    NullProgram,
    /// The argument is good, and the pointer to the program in it is bad
    BadProgram,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Install {
    pub(super) program: Vec<Insn>,
    /// What `len` says, if it lies
    pub(super) len: Option<u16>,
    pub(super) flags: u32,
    pub(super) pointer: Where,
    /// `prctl` and not `seccomp`
    pub(super) prctl: bool,
}

/// When a traced thread stops, besides for seccomp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Stops {
    #[default]
    Seccomp,
    Entry,
    Emulated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Edit {
    pub(super) nr: Option<i32>,
    pub(super) args: Option<[u64; 6]>,
    pub(super) result: Option<i64>,
}

/// Which notification is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// The last one received
    Last,
    /// One that never was: the last one plus this
    Wrong(u64),
}

/// What an actor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Call {
        call: Call,
        during: Option<Signal>,
    },
    Finish,
    NoNewPrivs([u64; 4]),
    GetNoNewPrivs([u64; 4]),
    Install(Install),
    Seccomp {
        op: u32,
        flags: u32,
        pointer: Where,
        value: u32,
    },
    SetMode(u64),
    GetMode,
    Thread(Who),
    Fork(Who),
    Exec(Call),
    Exit {
        all: bool,
    },
    Handler {
        signal: Signal,
        how: How,
    },
    Block,
    DropPrivileges,
    UserNamespace,
    LimitFiles,
    /// Looks for the next audit record about a process
    Record {
        of: Who,
    },
    Status {
        of: Who,
    },
    Kill {
        of: Who,
    },
    Signal {
        of: Who,
        signal: Signal,
    },
    Trace {
        of: Who,
        options: u32,
        stops: Stops,
    },
    Options {
        of: Who,
        options: u32,
    },
    Edit {
        of: Who,
        edit: Edit,
    },
    Resume {
        of: Who,
    },
    Detach {
        of: Who,
    },
    GetFilter {
        of: Who,
        index: u64,
        pointer: Where,
    },
    GetMetadata {
        of: Who,
        index: u64,
        size: u64,
    },
    Receive {
        dirty: bool,
    },
    Send {
        id: Id,
        val: i64,
        error: i32,
        flags: u32,
    },
    Valid {
        id: Id,
        legacy: bool,
    },
    AddFd {
        id: Id,
        flags: u32,
        fd: Option<u32>,
        closed: bool,
    },
    SetFlags(u64),
    CloseListener,
    Actions {
        write: Option<String>,
    },
}
