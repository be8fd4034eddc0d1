//! What of a verdict can be seen from outside.

use core::fmt;
use core::str::FromStr;

use crate::verdict::{Action, Verdict};

/// The largest errno that a filter can give: larger ones are cut to it.
const MAX_ERRNO: u16 = 4095;
/// What USER_NOTIF gives where nobody listens.
const ENOSYS: u16 = 38;

/// What a call shows of a verdict: to the caller, to its tracer and to the other threads of the process, when no filter
/// has a listener.
///
/// This is all that a kernel tells of a chain. ALLOW and LOG both make the call, and what goes with a kill is lost.
///
/// ```
/// use callproof_vm::{Chain, Filter, Insn, Machine, Outcome, SeccompData};
/// let [older, newer] = [0x0005_0007, 0x0003_0001].map(|value| Filter::load(vec![Insn::stmt(0x06, value)]).unwrap());
/// let filters = [older, newer];
/// let verdict = Chain::new(&filters).run(&SeccompData::default(), Machine::default());
/// assert_eq!(Outcome::of(&verdict), Outcome::Trap(1));
/// assert_eq!("trap 1".parse(), Ok(Outcome::Trap(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The call is made
    Runs,
    /// It returns this error, or 0
    Errno(u16),
    /// SIGSYS has this in `si_errno`
    Trap(u16),
    /// A tracer is told this
    Trace(u16),
    /// The thread is gone, and others live
    KillThread,
    /// The process is gone
    KillProcess,
}

/// Why a text is no [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoOutcome;

impl Outcome {
    /// What is seen of a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        match verdict.action {
            Action::Allow | Action::Log => Self::Runs,
            Action::Errno => Self::Errno(verdict.data().min(MAX_ERRNO)),
            Action::UserNotif => Self::Errno(ENOSYS),
            Action::Trap => Self::Trap(verdict.data()),
            Action::Trace => Self::Trace(verdict.data()),
            Action::KillThread => Self::KillThread,
            Action::KillProcess | Action::Unknown => Self::KillProcess,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs => f.write_str("runs"),
            Self::Errno(data) => write!(f, "errno {data}"),
            Self::Trap(data) => write!(f, "trap {data}"),
            Self::Trace(data) => write!(f, "trace {data}"),
            Self::KillThread => f.write_str("kill_thread"),
            Self::KillProcess => f.write_str("kill_process"),
        }
    }
}

impl fmt::Display for NoOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be `runs`, `errno N`, `trap N`, `trace N`, `kill_thread` or `kill_process`")
    }
}

impl core::error::Error for NoOutcome {}

impl FromStr for Outcome {
    type Err = NoOutcome;

    fn from_str(text: &str) -> Result<Self, NoOutcome> {
        match text {
            "runs" => return Ok(Self::Runs),
            "kill_thread" => return Ok(Self::KillThread),
            "kill_process" => return Ok(Self::KillProcess),
            _ => {}
        }
        let (name, data) = text.split_once(' ').ok_or(NoOutcome)?;
        let data = data.parse().map_err(|_| NoOutcome)?;
        match name {
            "errno" => Ok(Self::Errno(data)),
            "trap" => Ok(Self::Trap(data)),
            "trace" => Ok(Self::Trace(data)),
            _ => Err(NoOutcome),
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::kernel::Kernel;
    use crate::verdict::combine;

    fn seen(value: u32) -> Outcome {
        Outcome::of(&combine([(0, value)], Kernel::LATEST))
    }

    #[test]
    fn what_cannot_be_seen_is_not_told() {
        assert_eq!(seen(0x7fff_1234), seen(0x7ffc_0000));
        assert_eq!(seen(0x0005_ffff), Outcome::Errno(4095));
        assert_eq!(seen(0x0005_0000), Outcome::Errno(0));
        assert_eq!(seen(0x7fc0_0001), Outcome::Errno(38));
        assert_eq!(seen(0x0003_ffff), Outcome::Trap(65535));
        assert_eq!(seen(0x7ff0_ffff), Outcome::Trace(65535));
        assert_eq!(seen(0x0000_ffff), Outcome::KillThread);
        assert_eq!([seen(0x8000_0001), seen(0x1234_5678)], [Outcome::KillProcess; 2]);
    }

    #[test]
    fn words_come_back() {
        for value in [0x7fff_0000, 0x0005_0001, 0x0003_ffff, 0x7ff0_0000, 0, 0x8000_0000] {
            let outcome = seen(value);
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        for text in [
            "",
            "errno",
            "errno -1",
            "errno 65536",
            "trap  1",
            "allow",
            "Runs",
            "log 1",
        ] {
            assert_eq!(text.parse::<Outcome>(), Err(NoOutcome), "{text}");
        }
    }
}
