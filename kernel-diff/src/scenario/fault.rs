//! Mistakes that the task model could have, to show that the comparison with a kernel notices them.

use callproof_vm::Action;
use callproof_vm::effect::{Effect, Return, Scope};
use callproof_vm::install::Refusal;
use callproof_vm::task::Observed;

/// A planted mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data of ERRNO is not capped
    ErrnoUncapped,
    /// SIGSYS says only the low twelve bits of the data
    TrapDataCut,
    /// SIGSYS says where the call begins
    TrapAddressBeforeCall,
    /// KILL_THREAD kills the process
    KillThreadKillsProcess,
    /// An unknown action kills the thread alone
    UnknownKillsThread,
    /// Nobody dumps core
    NoCore,
    /// TRACE without a tracer lets the call run
    TraceRunsUntraced,
    /// A second TRACE skips the call
    SecondTraceSkips,
    /// USER_NOTIF goes to any listener of the chain
    TieGoesToAnyListener,
    /// CONTINUE may come with a value
    ContinueWithValue,
    /// A failed TSYNC is an error
    TsyncFailsWithError,
    /// A chain may have two listeners
    TwoListeners,
    /// Filters need no privilege
    NoPrivilegeNeeded,
    /// A new process has no filters
    ForkForgetsFilters,
    /// A handler for SIGSYS survives `execve`
    ExecKeepsHandler,
    /// The newest filter has index 0
    NewestFilterFirst,
    /// Strict mode kills with SIGSYS
    StrictKillsWithSigsys,
    /// GET_ACTION_AVAIL ignores the data
    ActionAvailIgnoresData,
    /// A restarting handler does not restart
    NothingRestarts,
    /// What the flag LOG is for is recorded without it
    RecordsWithoutFlag,
}

impl Fault {
    /// Every mistake.
    pub const ALL: &'static [Self] = &[
        Self::ErrnoUncapped,
        Self::TrapDataCut,
        Self::TrapAddressBeforeCall,
        Self::KillThreadKillsProcess,
        Self::UnknownKillsThread,
        Self::NoCore,
        Self::TraceRunsUntraced,
        Self::SecondTraceSkips,
        Self::TieGoesToAnyListener,
        Self::ContinueWithValue,
        Self::TsyncFailsWithError,
        Self::TwoListeners,
        Self::NoPrivilegeNeeded,
        Self::ForkForgetsFilters,
        Self::ExecKeepsHandler,
        Self::NewestFilterFirst,
        Self::StrictKillsWithSigsys,
        Self::ActionAvailIgnoresData,
        Self::NothingRestarts,
        Self::RecordsWithoutFlag,
    ];

    /// What a call does with this mistake. `listening` tells of a listener anywhere in the chain.
    pub(super) fn effect(self, observed: &Observed, stopped: bool, listening: bool) -> Effect {
        let action = observed.verdict.map(|verdict| verdict.action);
        let data = observed.verdict.map_or(0, |verdict| verdict.data());
        let no_such_call = Return {
            register: -38,
            flag: None,
        };
        match (self, action, observed.effect) {
            (Self::ErrnoUncapped, Some(Action::Errno), Effect::Returns(_)) => Effect::Returns(Return {
                register: i64::from(data).wrapping_neg(),
                flag: None,
            }),
            (Self::TrapDataCut, _, Effect::Traps(mut info)) => {
                info.si_errno &= 0xfff;
                Effect::Traps(info)
            }
            (Self::TrapAddressBeforeCall, _, Effect::Traps(mut info)) => {
                info.si_call_addr = info.si_call_addr.wrapping_sub(2);
                Effect::Traps(info)
            }
            (Self::TraceRunsUntraced, Some(Action::Trace), Effect::Returns(value))
                if !stopped && value == no_such_call =>
            {
                Effect::Runs
            }
            (Self::SecondTraceSkips, Some(Action::Trace), Effect::Runs) if stopped => Effect::Returns(no_such_call),
            (Self::TieGoesToAnyListener, Some(Action::UserNotif), Effect::Returns(value))
                if listening && value == no_such_call =>
            {
                Effect::Asks
            }
            (Self::NothingRestarts, _, Effect::Restarts(_)) => Effect::Returns(Return {
                register: -4,
                flag: None,
            }),
            (_, _, Effect::Dies(_)) => self.death(observed.effect, action),
            (_, _, effect) => effect,
        }
    }

    fn death(self, effect: Effect, action: Option<Action>) -> Effect {
        let Effect::Dies(mut death) = effect else { return effect };
        match (self, action) {
            (Self::KillThreadKillsProcess, Some(Action::KillThread)) => death.scope = Scope::Process,
            (Self::UnknownKillsThread, Some(Action::Unknown)) => death.scope = Scope::Thread,
            (Self::NoCore, _) => death.core = false,
            (Self::StrictKillsWithSigsys, None) if death.signal == 9 => death.signal = 31,
            _ => {}
        }
        Effect::Dies(death)
    }

    /// What a refused request returns with this mistake.
    pub(super) fn refusal(self, refusal: Refusal) -> i64 {
        match (self, refusal) {
            (Self::TsyncFailsWithError, Refusal::Unsynced { esrch: false, .. }) => -1,
            (Self::TwoListeners, Refusal::ListenerExists) => 4,
            (Self::NoPrivilegeNeeded, Refusal::NoPrivilege) => 0,
            (_, refusal) => refusal.returns(),
        }
    }
}
