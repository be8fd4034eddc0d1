//! What one chain does otherwise than another, call by call and condition by condition.

use callproof_abi::Abi;
use callproof_vm::{Action, Kernel};
use serde::Serialize;

use super::rules::{Differing, Rule, Section};
use super::surface::{joined, length, named_in, numbers_of, rank};
use super::text::verdict;

/// Calls of one ABI that two chains answer differently in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// The ABI, or null for every architecture that is not listed
    pub(crate) abi: Option<&'static str>,
    /// Names of calls, and ranges of numbers without one; none for the rest
    pub(crate) calls: Vec<String>,
    /// All the numbers, both ends included
    pub(crate) numbers: Vec<(u32, u32)>,
    /// Whether these are the numbers that no other rule has
    pub(crate) rest: bool,
    /// The conditions, one of which must hold; none when there are none
    pub(crate) when: Vec<String>,
    /// The verdict of the left side
    pub(crate) left: String,
    /// The verdict of the right side
    pub(crate) right: String,
    pub(crate) change: Direction,
    /// Whether one side permits the calls (allow or log) and the other does not
    pub(crate) permission: bool,
    /// A call that shows it, replayed
    pub(crate) witness: Option<Differing>,
}

/// Which way an answer changed, from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// Permitted where it was denied, or else less severe in the kernel's order
    Looser,
    /// Denied where it was permitted, or else more severe
    Tighter,
    /// The same action with other data
    Otherwise,
}

impl Direction {
    pub(crate) const ALL: [Self; 3] = [Self::Looser, Self::Tighter, Self::Otherwise];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Looser => "looser",
            Self::Tighter => "tighter",
            Self::Otherwise => "otherwise",
        }
    }

    fn of(left: u32, right: u32, kernel: Kernel) -> Self {
        let permits = |value| Action::of(value, kernel).permits();
        match (permits(left), permits(right)) {
            (false, true) => Self::Looser,
            (true, false) => Self::Tighter,
            _ if rank(left) < rank(right) => Self::Looser,
            _ if rank(left) > rank(right) => Self::Tighter,
            _ => Self::Otherwise,
        }
    }
}

/// The changes of one ABI in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// The ABI, or null for every architecture that is not listed
    pub(crate) abi: Option<&'static str>,
    pub(crate) looser: Amount,
    pub(crate) tighter: Amount,
    pub(crate) otherwise: Amount,
}

/// How many calls changed one way, by some arguments at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Amount {
    pub(crate) calls: u64,
    /// Those of them that one side permits and the other does not
    pub(crate) permission: u64,
    /// Numbers that are no calls
    pub(crate) numbers: u64,
}

impl Summary {
    /// The name of the ABI.
    pub(crate) fn name(&self) -> &'static str {
        self.abi.unwrap_or("every other architecture")
    }

    pub(crate) const fn of(&self, direction: Direction) -> Amount {
        match direction {
            Direction::Looser => self.looser,
            Direction::Tighter => self.tighter,
            Direction::Otherwise => self.otherwise,
        }
    }
}

impl Change {
    /// The calls that it is about.
    pub(crate) fn about(&self) -> String {
        if self.rest {
            "every other number".to_owned()
        } else {
            self.calls.join(", ")
        }
    }

    /// In words on one line.
    pub(crate) fn sentence(&self) -> String {
        let when = match self.when.as_slice() {
            [] => String::new(),
            many => format!(" when {}", many.join(" or ")),
        };
        let shown = self
            .witness
            .as_ref()
            .map(|witness| format!(", such as {}", witness.call));
        format!(
            "{}{when}: {} -> {}{}",
            self.about(),
            self.left,
            self.right,
            shown.unwrap_or_default()
        )
    }
}

/// The changes of sections whose values are places of pairs.
pub(super) fn changes(sections: &[Section], pairs: &[(u32, u32)], kernel: Kernel) -> Vec<Change> {
    let mut changes = Vec::new();
    for section in sections {
        let mut of_abi: Vec<Change> = section
            .rules
            .iter()
            .flat_map(|rule| of_rule(section, rule, pairs, kernel))
            .collect();
        of_abi.sort_by_key(|change| (change.change, !change.permission, change.rest));
        changes.extend(of_abi);
    }
    changes
}

fn of_rule(section: &Section, rule: &Rule, pairs: &[(u32, u32)], kernel: Kernel) -> Vec<Change> {
    let abi = section.abi.and_then(|name| Abi::from_name(name).ok());
    let differing = rule.leaves.iter().filter(|leaf| leaf.value != 0);
    let change = differing.filter_map(|leaf| {
        let (left, right) = *pairs.get(usize::try_from(leaf.value).ok()?)?;
        let shown = rule.examples.iter().position(|(value, _)| *value == leaf.value);
        let permits = |value| Action::of(value, kernel).permits();
        Some(Change {
            abi: section.abi,
            calls: rule.calls.clone(),
            numbers: rule.numbers.clone(),
            rest: rule.rest,
            when: leaf.when.clone(),
            left: verdict(left, abi, kernel),
            right: verdict(right, abi, kernel),
            change: Direction::of(left, right, kernel),
            permission: permits(left) != permits(right),
            witness: shown.and_then(|at| rule.witnesses.get(at)).cloned(),
        })
    });
    change.collect()
}

/// The changes of each ABI in numbers; ABIs in the order of the changes.
pub(super) fn summaries(changes: &[Change]) -> Vec<Summary> {
    let of_abi = changes.chunk_by(|a, b| a.abi == b.abi);
    of_abi
        .filter_map(|of_abi| Some(summary(of_abi.first()?.abi, of_abi)))
        .collect()
}

fn summary(abi: Option<&'static str>, changes: &[Change]) -> Summary {
    let named = numbers_of(abi.and_then(|name| Abi::from_name(name).ok()));
    let amount = |direction: Direction| {
        let numbers = |wanted: &dyn Fn(&Change) -> bool| {
            let wanted = changes
                .iter()
                .filter(|change| change.change == direction && wanted(change));
            joined(wanted.flat_map(|change| change.numbers.iter().copied()))
        };
        let all = numbers(&|_| true);
        let calls = named_in(&all, &named);
        Amount {
            calls,
            permission: named_in(&numbers(&|change| change.permission), &named),
            numbers: length(&all).saturating_sub(calls),
        }
    };
    Summary {
        abi,
        looser: amount(Direction::Looser),
        tighter: amount(Direction::Tighter),
        otherwise: amount(Direction::Otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: u32 = 0x7fff_0000;
    const LOG: u32 = 0x7ffc_0000;
    const EPERM: u32 = 0x0005_0001;
    const KILL: u32 = 0x8000_0000;

    #[test]
    fn permission_goes_before_severity() {
        let of = |left, right| Direction::of(left, right, Kernel::LATEST);
        assert_eq!(of(EPERM, ALLOW), Direction::Looser);
        assert_eq!(of(KILL, LOG), Direction::Looser);
        assert_eq!(of(LOG, KILL), Direction::Tighter);
        assert_eq!(of(KILL, EPERM), Direction::Looser);
        assert_eq!(of(ALLOW, LOG), Direction::Tighter);
        assert_eq!(of(EPERM, 0x0005_0026), Direction::Otherwise);
        // A supervisor may allow or deny; for the kernel it is milder than an error.
        assert_eq!(of(EPERM, 0x7fc0_0000), Direction::Looser);
    }

    #[test]
    fn calls_are_counted_once() {
        let change = |numbers: Vec<(u32, u32)>, change, permission| Change {
            abi: Some("x86_64"),
            calls: Vec::new(),
            numbers,
            rest: false,
            when: Vec::new(),
            left: String::new(),
            right: String::new(),
            change,
            permission,
            witness: None,
        };
        let changes = [
            change(vec![(0, 1)], Direction::Looser, true),
            change(vec![(1, 2)], Direction::Looser, false),
            change(vec![(5000, 5009)], Direction::Tighter, true),
        ];
        let summaries = summaries(&changes);
        assert_eq!(summaries.len(), 1);
        assert_eq!(
            summaries[0].looser,
            Amount {
                calls: 3,
                permission: 2,
                numbers: 0
            }
        );
        assert_eq!(
            summaries[0].tighter,
            Amount {
                calls: 0,
                permission: 0,
                numbers: 10
            }
        );
    }
}
