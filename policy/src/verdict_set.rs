//! Sets of verdicts: what a filter is expected to answer.

use callproof_abi::Abi;
use callproof_vm::{Action, Kernel, Verdict};

use crate::names;
use crate::problem::Problem;
use crate::span::Span;

/// A set of verdicts: one of several kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictSet {
    /// Alternatives; at least one in what is parsed, none contains nothing
    pub kinds: Vec<VerdictKind>,
}

/// One kind of verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// `allow`
    Allow,
    /// `log`
    Log,
    /// `errno(a|b)`: what the caller sees in `errno`; with no list any, 0 included
    Errno(Vec<ErrnoValue>),
    /// `kill`: the whole process
    Kill,
    /// `kill_thread`
    KillThread,
    /// `trap(a|b)`: SIGSYS with this `si_errno`; with no list any
    Trap(Vec<u16>),
    /// `trace(a|b)`: ask the tracer, with this message; with no list any
    Trace(Vec<u16>),
    /// `notify`: ask the supervisor
    Notify,
    /// `unknown`: a value that names no action, for which the kernel kills
    Unknown,
    /// `deny`: anything but `allow` and `log`
    Deny,
    /// `permit`: `allow` or `log`
    Permit,
    /// `killed`: `kill`, `kill_thread` or `unknown`
    Killed,
}

/// An error that a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrnoValue {
    /// By number, 0 to 4095
    Number(u16),
    /// By name, whose number can differ between ABIs
    Name(String, Span),
}

impl VerdictSet {
    /// The set of one kind.
    #[must_use]
    pub fn of(kind: VerdictKind) -> Self {
        Self { kinds: vec![kind] }
    }

    /// The same set with the error names of an ABI replaced by numbers; `None` stands for an `arch` word that the
    /// tables do not know, where names have the numbers of `asm-generic`.
    ///
    /// # Errors
    /// One problem for each name that the ABI does not have.
    pub fn on(&self, abi: Option<Abi>) -> Result<Outcomes, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut kinds = Vec::new();
        for kind in &self.kinds {
            let numbers = match kind {
                VerdictKind::Errno(list) => errnos(list, abi, &mut problems),
                VerdictKind::Trap(list) | VerdictKind::Trace(list) => list.clone(),
                _ => Vec::new(),
            };
            kinds.push((kind.clone(), numbers));
        }
        if problems.is_empty() {
            Ok(Outcomes { kinds })
        } else {
            Err(problems)
        }
    }
}

fn errnos(list: &[ErrnoValue], abi: Option<Abi>, problems: &mut Vec<Problem>) -> Vec<u16> {
    let mut numbers = Vec::new();
    for value in list {
        match value {
            ErrnoValue::Number(number) => numbers.push(*number),
            ErrnoValue::Name(name, span) => match names::errno(name, abi) {
                Ok(number) => numbers.push(number),
                Err(message) => problems.push(Problem::new(message, *span)),
            },
        }
    }
    numbers
}

/// A [`VerdictSet`] in numbers: it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    kinds: Vec<(VerdictKind, Vec<u16>)>,
}

impl Outcomes {
    /// Whether a verdict is in the set, on a kernel of this release.
    ///
    /// An errno is what the caller sees: data above 4095 counts as 4095, since Linux 4.0.
    #[must_use]
    pub fn contains(&self, verdict: &Verdict, kernel: Kernel) -> bool {
        self.kinds
            .iter()
            .any(|(kind, numbers)| kind.contains(numbers, verdict, kernel))
    }

    /// Whether the 32-bit value that a chain came to is in the set.
    #[must_use]
    pub fn contains_value(&self, value: u32, kernel: Kernel) -> bool {
        let action = Action::of(value, kernel);
        let verdict = Verdict {
            value,
            filter: None,
            action,
        };
        self.contains(&verdict, kernel)
    }
}

impl Outcomes {
    /// The data at which membership can change, ascending, the first being 0: between two of them it is the same for
    /// all values of an action.
    #[must_use]
    pub fn steps(&self) -> Vec<u16> {
        // Larger errnos are seen as this one.
        const LARGEST_ERRNO: u16 = 4095;
        let named = self.kinds.iter().flat_map(|(_, numbers)| numbers.iter().copied());
        let ends = named.chain([LARGEST_ERRNO]);
        let mut steps: Vec<u16> = ends
            .flat_map(|data| [data, data.saturating_add(1)])
            .chain([0])
            .collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

impl VerdictKind {
    /// `numbers` are the data values that count; none means all do.
    fn contains(&self, numbers: &[u16], verdict: &Verdict, kernel: Kernel) -> bool {
        let action = verdict.action;
        let counts = |data: u16| numbers.is_empty() || numbers.contains(&data);
        match self {
            Self::Allow => action == Action::Allow,
            Self::Log => action == Action::Log,
            Self::Errno(_) => verdict.errno(kernel).is_some_and(counts),
            Self::Kill => action == Action::KillProcess,
            Self::KillThread => action == Action::KillThread,
            Self::Trap(_) => action == Action::Trap && counts(verdict.data()),
            Self::Trace(_) => action == Action::Trace && counts(verdict.data()),
            Self::Notify => action == Action::UserNotif,
            Self::Unknown => action == Action::Unknown,
            Self::Deny => !action.permits(),
            Self::Permit => action.permits(),
            Self::Killed => matches!(action, Action::KillProcess | Action::KillThread | Action::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(kind: VerdictKind, value: u32) -> bool {
        let set = VerdictSet::of(kind).on(Some(Abi::X86_64)).unwrap();
        set.contains_value(value, Kernel::LATEST)
    }

    #[test]
    fn membership_changes_at_steps_alone() {
        let kinds = vec![
            VerdictKind::Errno(vec![ErrnoValue::Number(1), ErrnoValue::Number(4095)]),
            VerdictKind::Trap(vec![0, 65_535]),
        ];
        let set = VerdictSet { kinds }.on(None).unwrap();
        let steps = set.steps();
        assert_eq!(steps, [0, 1, 2, 4095, 4096, 65_535]);
        for action in [0x5_0000, 0x3_0000, 0x7ff0_0000] {
            for data in (0..=0xffff_u16).filter(|data| !steps.contains(data)) {
                let [here, before] =
                    [data, data - 1].map(|data| set.contains_value(action | u32::from(data), Kernel::LATEST));
                assert_eq!(here, before, "{action:#x} {data}");
            }
        }
    }

    #[test]
    fn every_action_is_in_exactly_its_sets() {
        use VerdictKind::{Allow, Deny, Errno, Kill, KillThread, Killed, Log, Notify, Permit, Trace, Trap, Unknown};
        let kinds = [
            Allow,
            Log,
            Errno(vec![]),
            Kill,
            KillThread,
            Trap(vec![]),
            Trace(vec![]),
            Notify,
            Unknown,
            Deny,
            Permit,
            Killed,
        ];
        let table = [
            (0x7fff_1234, "100000000010"),
            (0x7ffc_0000, "010000000010"),
            (0x0005_0001, "001000000100"),
            (0x8000_0000, "000100000101"),
            (0x0000_0000, "000010000101"),
            (0x0003_0000, "000001000100"),
            (0x7ff0_0000, "000000100100"),
            (0x7fc0_0000, "000000010100"),
            (0x8001_0000, "000000001101"),
        ];
        for (value, expected) in table {
            let bits: String = kinds
                .iter()
                .map(|kind| if contains(kind.clone(), value) { '1' } else { '0' })
                .collect();
            assert_eq!(bits, expected, "{value:#x}");
        }
    }

    #[test]
    fn an_errno_is_what_the_caller_sees() {
        let errno = |number| VerdictKind::Errno(vec![ErrnoValue::Number(number)]);
        assert!(contains(errno(1), 0x0005_0001));
        assert!(!contains(errno(1), 0x0005_0002));
        assert!(!contains(errno(1), 0x0003_0001));
        assert!(contains(errno(4095), 0x0005_ffff));
        assert!(contains(VerdictKind::Trap(vec![65535]), 0x0003_ffff));
    }

    #[test]
    fn error_names_have_the_number_of_the_abi() {
        let set = VerdictSet::of(VerdictKind::Errno(vec![ErrnoValue::Name(
            "ENOSYS".to_owned(),
            Span::default(),
        )]));
        let number = |abi| (0..200).find(|n| set.on(abi).unwrap().contains_value(0x0005_0000 | n, Kernel::LATEST));
        assert_eq!(
            (number(Some(Abi::X86_64)), number(Some(Abi::Mips)), number(None)),
            (Some(38), Some(89), Some(38))
        );
    }
}
