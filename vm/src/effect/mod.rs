//! What a verdict does to the caller: a value in a register, a signal, death, a record.
//!
//! [`Situation`] holds what the kernel looks at beside the verdict. Two effects are questions to somebody else: at
//! [`Effect::Stops`] a tracer decides, at [`Effect::Asks`] a supervisor does; what follows is the business of the task
//! model (`task`, with the `alloc` feature).
//!
//! Source: observed on Linux 6.18 for x86-64, read in 6.1 and 6.12 for other architectures, `seccomp(2)` for older
//! releases. What is only recalled says so.
//!
//! ```
//! use callproof_vm::effect::{Effect, Situation, consequence};
//! use callproof_vm::{Kernel, SeccompData, combine};
//!
//! let verdict = combine([(0, 0x0005_0001)], Kernel::LATEST);
//! let call = SeccompData::new(0xc000_003e, 39, [0; 6]);
//! let after = consequence(&verdict, &call, &Situation::default());
//! assert!(matches!(after.effect, Effect::Returns(value) if value.register == -1));
//! assert_eq!(after.record, None);
//! ```

mod audit;
mod convention;
mod text;

pub use audit::{Logged, Record};
pub use convention::{BelowZero, Convention, ErrorStyle, Return};

use crate::data::SeccompData;
use crate::errno::Errno;
use crate::kernel::{Gate, Kernel};
use crate::verdict::{Action, Verdict};

/// What the calling thread observes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call is made. Whether the number has a call behind it is not known here: one that has none returns `ENOSYS`.
    Runs,
    /// The call is not made; it returns this
    Returns(Return),
    /// The call is not made; the thread's handler for SIGSYS runs, with this.
    ///
    /// The handler finds the registers as they were before the call: on x86 the result register holds the number,
    /// and unless the handler changes it, that is what the call seems to return.
    Traps(SigInfo),
    /// The tracer is shown a `PTRACE_EVENT_SECCOMP` stop with this message, and may change the call
    Stops {
        /// What `PTRACE_GETEVENTMSG` says: the data of the return value
        message: u16,
    },
    /// The thread waits for an answer from the supervisor behind the filter's listener
    Asks,
    /// The call is not made, and begins again after a signal: the filters judge again
    Restarts(Restart),
    /// The thread or the process dies
    Dies(Death),
}

/// How an interrupted call begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restart {
    /// As the same call
    SameCall,
    /// As `restart_syscall` (219 on x86-64, 0 on i386), which is what the filters see
    RestartSyscall,
}

/// The end of a thread or process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Who dies. The last thread takes the process with it; a main thread that dies alone leaves a process without one.
    pub scope: Scope,
    /// The signal that the exit status names
    pub signal: u8,
    /// Whether a core may be dumped; resource limits may still forbid it
    pub core: bool,
    /// What the signal says: what a debugger or a core file shows
    pub info: Option<SigInfo>,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The calling thread alone
    Thread,
    /// The whole process
    Process,
}

/// `siginfo_t` of a SIGSYS from seccomp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SigInfo {
    /// The number of SIGSYS
    pub si_signo: u8,
    /// `SYS_SECCOMP`: 1
    pub si_code: i32,
    /// The data of the return value, all 16 bits
    pub si_errno: u16,
    /// The number of the call
    pub si_syscall: i32,
    /// The audit architecture word of the call
    pub si_arch: u32,
    /// The address after the call's instruction: 64 bits even for a 32-bit call from 64-bit code
    pub si_call_addr: u64,
}

/// What the process has arranged for SIGSYS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Disposition {
    /// Nothing
    #[default]
    Default,
    /// To ignore it
    Ignored,
    /// A handler
    Handled,
}

/// Who traces the thread, as far as seccomp cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Traced {
    /// Nobody
    #[default]
    No,
    /// A tracer without `PTRACE_O_TRACESECCOMP`, which counts as nobody
    WithoutSeccomp,
    /// A tracer with `PTRACE_O_TRACESECCOMP`
    Seccomp,
}

/// A signal that reaches the thread just as the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Interruption {
    /// None
    #[default]
    None,
    /// One that runs no handler and kills nobody
    NoHandler,
    /// One with a handler without `SA_RESTART`
    Handler,
    /// One with a handler with `SA_RESTART`
    RestartingHandler,
    /// One that kills, such as SIGKILL
    Fatal,
}

/// What the kernel looks at beside the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Situation {
    /// The kernel release
    pub kernel: Kernel,
    /// The architecture's facts
    pub convention: Convention,
    /// Who traces the thread
    pub traced: Traced,
    /// Whether the filter the verdict came from has an open listener. A listener of another filter does not count.
    pub has_listener: bool,
    /// Whether the filter the verdict came from was installed with `SECCOMP_FILTER_FLAG_LOG`
    pub flag_log: bool,
    /// `kernel.seccomp.actions_logged`
    pub logged: Logged,
    /// What the process has arranged for SIGSYS
    pub sigsys: Disposition,
    /// Whether the thread blocks SIGSYS
    pub sigsys_blocked: bool,
    /// Whether the process has another live thread
    pub other_threads: bool,
    /// Whether the first thread of the process has ended, and this is another: before [`Gate::LiveThreadsCounted`] the
    /// first one still counts
    pub leader_ended: bool,
    /// A signal that comes just now
    pub interruption: Interruption,
}

/// An effect and the record it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What the caller observes
    pub effect: Effect,
    /// What the audit log shows, if auditing is on
    pub record: Option<Record>,
}

/// What follows from a verdict about a call.
///
/// Where a tracer or a supervisor is asked, the record depends on the answer and is left out here: [`record`] has it.
#[must_use]
pub fn consequence(verdict: &Verdict, call: &SeccompData, situation: &Situation) -> Consequence {
    let effect = effect(verdict, call, situation);
    let undecided = matches!(effect, Effect::Stops { .. } | Effect::Asks);
    Consequence {
        effect,
        record: if undecided {
            None
        } else {
            record(verdict, call, situation)
        },
    }
}

fn effect(verdict: &Verdict, call: &SeccompData, situation: &Situation) -> Effect {
    let no_such_call = Effect::Returns(situation.convention.no_such_call());
    match verdict.action {
        // No number below zero has a call behind it. The filters were asked all the same.
        Action::Allow | Action::Log if call.nr < 0 => {
            below_zero(call.nr, situation.convention.before(call), situation.convention)
        }
        Action::Allow | Action::Log => Effect::Runs,
        Action::Errno => fails(verdict.errno(situation.kernel).unwrap_or(0), situation),
        Action::Trap => trap(signal_info(verdict, call, situation), situation),
        Action::Trace if situation.traced == Traced::Seccomp => Effect::Stops {
            message: verdict.data(),
        },
        Action::UserNotif if situation.has_listener => Effect::Asks,
        Action::Trace | Action::UserNotif => no_such_call,
        Action::KillProcess | Action::KillThread | Action::Unknown => Effect::Dies(death(verdict, call, situation)),
    }
}

/// What becomes of a call whose number is below 0, when the result register holds this.
pub(crate) fn below_zero(nr: i32, result: i64, convention: Convention) -> Effect {
    const SIGILL: u8 = 4;
    if convention.below_zero == BelowZero::Arm && nr != -1 {
        return Effect::Dies(Death {
            scope: Scope::Process,
            signal: SIGILL,
            core: true,
            info: None,
        });
    }
    Effect::Returns(convention.left_by_tracer(result))
}

/// The record a verdict leaves when the call is not handed back to run by a tracer or a supervisor.
#[must_use]
pub fn record(verdict: &Verdict, call: &SeccompData, situation: &Situation) -> Option<Record> {
    let signal = if verdict.action.kills() {
        situation.convention.sigsys
    } else {
        0
    };
    audit::is_recorded(verdict, situation.flag_log, &situation.logged, situation.kernel)
        .then(|| Record::new(call, signal, verdict.value & 0xffff_0000))
}

/// What a failure with this number does, given that a signal may arrive with it.
///
/// 512, 513, 514 and 516 are the kernel's private restart codes. They reach the caller as they are unless a signal is
/// being delivered. Observed on Linux 6.18, for signals with and without a handler.
#[must_use]
pub fn fails(number: u16, situation: &Situation) -> Effect {
    use Interruption as I;
    let interrupted = Effect::Returns(situation.convention.error(Errno::EINTR.number()));
    let again = Effect::Restarts(Restart::SameCall);
    match (number, situation.interruption) {
        (_, I::Fatal) => Effect::Dies(Death::by_sigkill(Scope::Process)),
        (512..=514, I::NoHandler) | (512, I::RestartingHandler) => again,
        (513, I::Handler | I::RestartingHandler) => again,
        (516, I::NoHandler) => Effect::Restarts(Restart::RestartSyscall),
        (512, I::Handler) | (514 | 516, I::Handler | I::RestartingHandler) => interrupted,
        _ => Effect::Returns(situation.convention.error(number)),
    }
}

/// A forced SIGSYS: a handler can have it, but blocking or ignoring it kills.
const fn trap(info: SigInfo, situation: &Situation) -> Effect {
    match situation.sigsys {
        Disposition::Handled if !situation.sigsys_blocked => Effect::Traps(info),
        _ => Effect::Dies(Death {
            scope: Scope::Process,
            signal: info.si_signo,
            core: true,
            info: Some(info),
        }),
    }
}

fn death(verdict: &Verdict, call: &SeccompData, situation: &Situation) -> Death {
    let kernel = situation.kernel;
    let whole = match verdict.action {
        Action::KillProcess => true,
        Action::Unknown => kernel.has(Gate::UnknownKillsProcess),
        _ => false,
    };
    let last = !situation.other_threads;
    let alone = last && (kernel.has(Gate::LiveThreadsCounted) || !situation.leader_ended);
    let core = (whole || alone) && kernel.has(Gate::KillDumpsCore);
    Death {
        scope: if whole || last { Scope::Process } else { Scope::Thread },
        signal: situation.convention.sigsys,
        core,
        info: core.then(|| signal_info(verdict, call, situation)),
    }
}

impl Death {
    /// Death by SIGKILL, which says nothing and dumps nothing.
    pub(crate) const fn by_sigkill(scope: Scope) -> Self {
        Self {
            scope,
            signal: 9,
            core: false,
            info: None,
        }
    }
}

const fn signal_info(verdict: &Verdict, call: &SeccompData, situation: &Situation) -> SigInfo {
    SigInfo {
        si_signo: situation.convention.sigsys,
        si_code: 1,
        si_errno: verdict.data(),
        si_syscall: call.nr,
        si_arch: call.arch,
        si_call_addr: call.instruction_pointer,
    }
}
