//! What a whole `seccomp(2)` or `prctl(2)` call answers, as a function of the state it finds.
//!
//! A [`Request`] is the call with what its pointers lead to, a [`Caller`] is everything about the calling thread that
//! the kernel looks at. The kernel stops at the first thing that is wrong; [`Refusal`] says which that is, and its
//! variants stand in the order of the checks.
//!
//! Source: the order was tried on Linux 6.18 except for the memory and signal failures, which were read in 6.1 and
//! 6.12. Older releases know fewer operations and flags: `seccomp(2)`, `prctl(2)`.
//!
//! ```
//! use callproof_vm::install::{Caller, Fprog, Refusal, Request, outcome};
//! use callproof_vm::{Errno, Insn, Kernel};
//!
//! let program = [Insn::stmt(0x06, 0x7fff_0000)];
//! let request = Request::SetModeFilter { flags: 0, args: Fprog::of(&program).into() };
//! let refused = outcome(&request, &Caller::default(), Kernel::LATEST).unwrap_err();
//! assert_eq!(refused, Refusal::NoPrivilege);
//! assert_eq!(refused.errno(), Some(Errno::EACCES));
//!
//! let caller = Caller { no_new_privs: true, ..Caller::default() };
//! assert!(outcome(&request, &caller, Kernel::LATEST).is_ok());
//! ```

mod filter;
mod refusal;

pub use filter::{flag, known_flags};
pub use refusal::Refusal;

use crate::insn::Insn;
use crate::kernel::{Gate, Kernel};
use crate::length::MAX_INSNS_PER_PATH;
use crate::verdict::Action;

/// What a pointer handed to the kernel leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pointer<T> {
    /// It is zero
    Null,
    /// It is not zero, and the kernel can neither read nor write there
    Bad,
    /// It leads to this
    To(T),
}

impl<T> From<T> for Pointer<T> {
    fn from(target: T) -> Self {
        Self::To(target)
    }
}

impl<T> Pointer<T> {
    /// What the kernel gets when it copies from here without looking at the pointer first.
    fn read(self) -> Result<T, Refusal> {
        match self {
            Self::To(target) => Ok(target),
            Self::Null | Self::Bad => Err(Refusal::UnreadableArgument),
        }
    }
}

/// `struct sock_fprog`: how long a program is and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fprog<'p> {
    /// How many instructions it claims to have
    pub len: u16,
    /// The instructions that can be read there. More than `len` are not looked at; fewer are a bad address.
    pub program: Pointer<&'p [Insn]>,
}

impl<'p> Fprog<'p> {
    /// A program as it is. One too long for the length field gets a length that the kernel refuses.
    #[must_use]
    pub fn of(program: &'p [Insn]) -> Self {
        Self {
            len: u16::try_from(program.len()).unwrap_or(u16::MAX),
            program: Pointer::To(program),
        }
    }
}

/// A call about seccomp, with what its pointers lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'p> {
    /// `seccomp(SECCOMP_SET_MODE_STRICT, flags, args)`
    SetModeStrict {
        /// Must be 0
        flags: u32,
        /// Must be null
        args: Pointer<()>,
    },
    /// `seccomp(SECCOMP_SET_MODE_FILTER, flags, args)`
    SetModeFilter {
        /// Bits of [`flag`]
        flags: u32,
        /// The program
        args: Pointer<Fprog<'p>>,
    },
    /// `seccomp(SECCOMP_GET_ACTION_AVAIL, flags, args)`
    GetActionAvail {
        /// Must be 0
        flags: u32,
        /// A return value that is exactly an action
        args: Pointer<u32>,
    },
    /// `seccomp(SECCOMP_GET_NOTIF_SIZES, flags, args)`
    GetNotifSizes {
        /// Must be 0
        flags: u32,
        /// Room for three 16-bit sizes
        args: Pointer<()>,
    },
    /// `seccomp` with any operation above 3
    OtherOperation,
    /// `prctl(PR_SET_SECCOMP, mode, filter)`
    PrctlSetSeccomp {
        /// 1 for strict, 2 for filter
        mode: u64,
        /// The program; strict mode does not look at it
        filter: Pointer<Fprog<'p>>,
    },
    /// `prctl(PR_GET_SECCOMP)`
    PrctlGetSeccomp,
    /// `prctl(PR_SET_NO_NEW_PRIVS, ...)` with its four arguments, which must be 1, 0, 0, 0
    PrctlSetNoNewPrivs([u64; 4]),
    /// `prctl(PR_GET_NO_NEW_PRIVS, ...)` with its four arguments, which must be 0
    PrctlGetNoNewPrivs([u64; 4]),
}

/// The seccomp mode of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Every call is made
    #[default]
    Disabled,
    /// Only a handful of calls is made
    Strict,
    /// Filters judge
    Filter,
    /// Killed by seccomp ([`Gate::DeadMode`]); nothing runs in it any more
    Dead,
}

impl Mode {
    /// The number in `/proc/PID/status` and of `PR_GET_SECCOMP`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Disabled => 0,
            Self::Strict => 1,
            Self::Filter => 2,
            Self::Dead => 3,
        }
    }
}

/// Something that runs out while a filter is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shortage {
    /// Memory for the filter, noticed before the program's address is looked at
    FilterMemory,
    /// Memory for the program, noticed before the program is read
    ProgramMemory,
    /// Memory for the converted program, noticed after the program was checked
    ConvertedMemory,
    /// Room for machine code (`net.core.bpf_jit_limit`), on a kernel that has no interpreter to fall back on
    Jit,
    /// Memory for the listener, noticed after a descriptor was reserved
    ListenerMemory,
    /// Open files in the whole system, noticed after a descriptor was reserved
    Files,
}

/// What the kernel looks at in the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its seccomp mode. A thread in strict mode that is not suspended by a tracer is killed before it gets here.
    pub mode: Mode,
    /// Whether this thread has `no_new_privs`
    pub no_new_privs: bool,
    /// Whether it has `CAP_SYS_ADMIN` in its own user namespace
    pub cap_sys_admin: bool,
    /// Whether a filter of its chain has a listener that is still open
    pub has_listener: bool,
    /// The instructions left on the thread: [`budget_left`](crate::length::budget_left)
    pub budget_left: u32,
    /// The next free file descriptor, if there is one
    pub next_fd: Option<i32>,
    /// The first other thread of the process that cannot be given the caller's chain
    pub unsyncable: Option<u32>,
    /// A fatal signal is on its way
    pub fatal_signal: bool,
    /// What runs out, if anything
    pub shortage: Option<Shortage>,
}

impl Default for Caller {
    /// A fresh thread without privileges, to which nothing unusual happens.
    fn default() -> Self {
        Self {
            mode: Mode::Disabled,
            no_new_privs: false,
            cap_sys_admin: false,
            has_listener: false,
            budget_left: MAX_INSNS_PER_PATH,
            next_fd: Some(3),
            unsyncable: None,
            fatal_signal: false,
            shortage: None,
        }
    }
}

/// What a successful call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// The thread is in strict mode; returns 0
    Strict,
    /// The filter is installed; returns 0, or the descriptor of the listener (close-on-exec) if one was asked for
    Installed {
        /// The listener
        listener: Option<i32>,
        /// Whether every other thread got the chain too
        synced: bool,
    },
    /// The action exists; returns 0
    Available,
    /// The sizes of `seccomp_notif`, `seccomp_notif_resp` and `seccomp_data` were written; returns 0
    NotifSizes([u16; 3]),
    /// `PR_GET_SECCOMP`: returns the mode's number
    Mode(Mode),
    /// `no_new_privs` is set; returns 0
    NoNewPrivsSet,
    /// `PR_GET_NO_NEW_PRIVS`: returns 0 or 1
    NoNewPrivs(bool),
}

impl Success {
    /// The value the call returns.
    #[must_use]
    pub fn returns(&self) -> i32 {
        match *self {
            Self::Installed { listener, .. } => listener.unwrap_or(0),
            Self::Mode(mode) => i32::from(mode.number()),
            Self::NoNewPrivs(set) => i32::from(set),
            Self::Strict | Self::Available | Self::NotifSizes(_) | Self::NoNewPrivsSet => 0,
        }
    }
}

/// What the kernel answers, provided the thread's filters let the call through.
///
/// # Errors
/// [`Refusal`]: the first check that failed. Nothing was changed then.
pub fn outcome(request: &Request<'_>, caller: &Caller, kernel: Kernel) -> Result<Success, Refusal> {
    use Request as R;
    if request.is_seccomp_call() && !kernel.has(Gate::SeccompSyscall) {
        return Err(Refusal::NoSeccompCall);
    }
    match *request {
        R::SetModeStrict { flags, args } if flags == 0 && args == Pointer::Null => strict(caller),
        R::SetModeStrict { .. } => Err(Refusal::UnexpectedArgument),
        R::SetModeFilter { flags, args } => filter::install(flags, args, caller, kernel),
        R::GetActionAvail { flags, args } => action_avail(flags, args, kernel),
        R::GetNotifSizes { flags, args } => notif_sizes(flags, args, kernel),
        R::OtherOperation => Err(Refusal::UnknownOperation),
        R::PrctlSetSeccomp { mode: 1, .. } => strict(caller),
        R::PrctlSetSeccomp { mode: 2, filter } if kernel.has(Gate::Filters) => {
            filter::install(0, filter, caller, kernel)
        }
        R::PrctlSetSeccomp { .. } => Err(Refusal::UnknownMode),
        R::PrctlGetSeccomp => Ok(Success::Mode(caller.mode)),
        R::PrctlSetNoNewPrivs(_) | R::PrctlGetNoNewPrivs(_) if !kernel.has(Gate::Filters) => {
            Err(Refusal::UnknownOperation)
        }
        R::PrctlSetNoNewPrivs([1, 0, 0, 0]) => Ok(Success::NoNewPrivsSet),
        R::PrctlGetNoNewPrivs([0, 0, 0, 0]) => Ok(Success::NoNewPrivs(caller.no_new_privs)),
        R::PrctlSetNoNewPrivs(_) | R::PrctlGetNoNewPrivs(_) => Err(Refusal::UnexpectedArgument),
    }
}

impl Request<'_> {
    const fn is_seccomp_call(&self) -> bool {
        matches!(
            self,
            Self::SetModeStrict { .. }
                | Self::SetModeFilter { .. }
                | Self::GetActionAvail { .. }
                | Self::GetNotifSizes { .. }
                | Self::OtherOperation
        )
    }
}

const fn strict(caller: &Caller) -> Result<Success, Refusal> {
    match caller.mode {
        Mode::Disabled | Mode::Strict => Ok(Success::Strict),
        Mode::Filter | Mode::Dead => Err(Refusal::WrongMode),
    }
}

fn action_avail(flags: u32, args: Pointer<u32>, kernel: Kernel) -> Result<Success, Refusal> {
    if !kernel.has(Gate::KillProcess) {
        return Err(Refusal::UnknownOperation);
    }
    if flags != 0 {
        return Err(Refusal::UnexpectedArgument);
    }
    let value = args.read()?;
    // The word must be the action and nothing else: data bits make it unknown.
    let known = |action: &Action| action.value() == Some(value) && action.exists_in(kernel);
    if Action::ALL.iter().any(known) {
        Ok(Success::Available)
    } else {
        Err(Refusal::UnknownAction)
    }
}

fn notif_sizes(flags: u32, args: Pointer<()>, kernel: Kernel) -> Result<Success, Refusal> {
    if !kernel.has(Gate::UserNotif) {
        return Err(Refusal::UnknownOperation);
    }
    if flags != 0 {
        return Err(Refusal::UnexpectedArgument);
    }
    args.read()?;
    Ok(Success::NotifSizes([80, 24, 64]))
}
