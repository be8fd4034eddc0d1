//! What can be reached through a chain, in numbers, and its rules by what calls get.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_vm::{Action, Kernel};
use serde::Serialize;

use super::rules::{Rule, Section};
use super::text::verdict;

/// What the calls of one ABI get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Surface {
    /// The ABI, or null for every architecture that is not listed
    pub(crate) abi: Option<&'static str>,
    /// What numbers get that no call has and no rule names; several where arguments decide
    pub(crate) default: Vec<String>,
    /// The calls that the ABI has
    pub(crate) calls: Count,
    /// The numbers that belong to the ABI and are no calls
    pub(crate) numbers: Count,
    /// The calls by what they can get
    pub(crate) actions: Vec<OfAction>,
    pub(crate) groups: Vec<Group>,
}

/// How many of some numbers are permitted (allow or log).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub(crate) all: u64,
    /// By some arguments at least
    pub(crate) reachable: u64,
    /// Whatever the arguments are
    pub(crate) freely: u64,
    /// By some arguments and not by others
    pub(crate) conditional: u64,
}

/// How many calls get an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OfAction {
    pub(crate) action: &'static str,
    /// Whatever the arguments are
    pub(crate) always: u64,
    /// By some arguments, and another action by others
    pub(crate) sometimes: u64,
}

/// Calls that get the same by the same conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Group {
    pub(crate) verdict: String,
    /// The conditions, one of which must hold; none when there are none
    pub(crate) when: Vec<String>,
    /// Names of calls, and ranges of numbers without one; none for the rest
    pub(crate) calls: Vec<String>,
    /// How many of the numbers are calls
    pub(crate) count: u64,
    /// Whether these are the numbers that no other rule has
    pub(crate) rest: bool,
}

/// The surface of a section whose values are verdicts.
pub(super) fn surface(section: &Section, kernel: Kernel) -> Surface {
    let abi = section.abi.and_then(|name| Abi::from_name(name).ok());
    let named = numbers_of(abi);
    let permitted = ranges(section, &|value| Action::of(value, kernel).permits());
    let denied = ranges(section, &|value| !Action::of(value, kernel).permits());
    let calls = counted(&permitted, &denied, &|set| named_in(set, &named));
    let all = counted(&permitted, &denied, &length);
    Surface {
        abi: section.abi,
        default: default(section, abi, kernel),
        calls,
        numbers: all.without(calls),
        actions: actions(section, &named, kernel),
        groups: groups(section, abi, &named, kernel),
    }
}

impl Count {
    const fn without(self, other: Self) -> Self {
        Self {
            all: self.all.saturating_sub(other.all),
            reachable: self.reachable.saturating_sub(other.reachable),
            freely: self.freely.saturating_sub(other.freely),
            conditional: self.conditional.saturating_sub(other.conditional),
        }
    }
}

/// The numbers of an ABI's calls, sorted, each once.
pub(super) fn numbers_of(abi: Option<Abi>) -> Vec<u32> {
    let mut numbers: Vec<u32> = abi
        .into_iter()
        .flat_map(Abi::syscalls)
        .map(|call| call.number)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Ranges that do not touch, ascending.
pub(super) type Ranges = Vec<(u32, u32)>;

/// The numbers that can get a value of a kind.
fn ranges(section: &Section, wanted: &dyn Fn(u32) -> bool) -> Ranges {
    let rules = section.rules.iter();
    let with = rules.filter(|rule| rule.leaves.iter().any(|leaf| wanted(leaf.value)));
    joined(with.flat_map(|rule| rule.numbers.iter().copied()))
}

pub(super) fn joined(ranges: impl Iterator<Item = (u32, u32)>) -> Ranges {
    let mut sorted: Ranges = ranges.collect();
    sorted.sort_unstable();
    let mut joined = Ranges::new();
    for (from, to) in sorted {
        match joined.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

pub(super) fn length(ranges: &Ranges) -> u64 {
    let one = |(from, to): &(u32, u32)| u64::from(to.saturating_sub(*from)).saturating_add(1);
    ranges.iter().map(one).sum()
}

pub(super) fn named_in(ranges: &Ranges, named: &[u32]) -> u64 {
    // The only range that can have a number is the last that begins no later.
    let inside = |number: &&u32| {
        let later = ranges.partition_point(|(from, _)| from <= *number);
        let last = later.checked_sub(1).and_then(|last| ranges.get(last));
        last.is_some_and(|(_, to)| *number <= to)
    };
    as_u64(named.iter().filter(inside).count())
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What is in both sets is there by some arguments and not by others.
fn counted(permitted: &Ranges, denied: &Ranges, size: &dyn Fn(&Ranges) -> u64) -> Count {
    let all = size(&joined(permitted.iter().chain(denied).copied()));
    let reachable = size(permitted);
    let freely = all.saturating_sub(size(denied));
    Count {
        all,
        reachable,
        freely,
        conditional: reachable.saturating_sub(freely),
    }
}

fn default(section: &Section, abi: Option<Abi>, kernel: Kernel) -> Vec<String> {
    let rest = section.rules.iter().filter(|rule| rule.rest);
    let mut verdicts: Vec<String> = Vec::new();
    for leaf in rest.flat_map(|rule| &rule.leaves) {
        let verdict = verdict(leaf.value, abi, kernel);
        if !verdicts.contains(&verdict) {
            verdicts.push(verdict);
        }
    }
    verdicts
}

/// The calls by action, the most permissive first.
fn actions(section: &Section, named: &[u32], kernel: Kernel) -> Vec<OfAction> {
    let mut all: Vec<Action> = Action::ALL.iter().copied().chain([Action::Unknown]).collect();
    all.sort_by_key(|action| core::cmp::Reverse(rank(action.value().unwrap_or_default())));
    let of = |action: Action| {
        let has = ranges(section, &|value| Action::of(value, kernel) == action);
        let other = ranges(section, &|value| Action::of(value, kernel) != action);
        let count = counted(&has, &other, &|set| named_in(set, named));
        OfAction {
            action: action.name(),
            always: count.freely,
            sometimes: count.conditional,
        }
    };
    all.into_iter()
        .map(of)
        .filter(|of| of.always > 0 || of.sometimes > 0)
        .collect()
}

/// The kernel's order of precedence: smaller is more severe.
pub(super) const fn rank(value: u32) -> i32 {
    (value & 0xffff_0000).cast_signed()
}

/// Rules by verdict and conditions, the most permissive first.
fn groups(section: &Section, abi: Option<Abi>, named: &[u32], kernel: Kernel) -> Vec<Group> {
    let mut known: BTreeMap<(bool, String, Vec<String>), usize> = BTreeMap::new();
    let mut groups: Vec<(u32, Group)> = Vec::new();
    for (rule, leaf) in section
        .rules
        .iter()
        .flat_map(|rule| rule.leaves.iter().map(move |leaf| (rule, leaf)))
    {
        let verdict = verdict(leaf.value, abi, kernel);
        let count = named_in(&rule.numbers, named);
        let key = (rule.rest, verdict.clone(), leaf.when.clone());
        let place = *known.entry(key).or_insert_with(|| {
            let when = leaf.when.clone();
            let (calls, rest) = (Vec::new(), rule.rest);
            groups.push((
                leaf.value,
                Group {
                    verdict,
                    when,
                    calls,
                    count: 0,
                    rest,
                },
            ));
            groups.len().saturating_sub(1)
        });
        if let Some((_, group)) = groups.get_mut(place) {
            group.count = group.count.saturating_add(count);
            group.calls.extend(names(rule));
        }
    }
    // Actions that have the same precedence differ in data: equal ones stay together.
    groups.sort_by_key(|(value, group)| {
        (
            core::cmp::Reverse(rank(*value)),
            *value,
            group.rest,
            !group.when.is_empty(),
        )
    });
    groups.into_iter().map(|(_, group)| group).collect()
}

fn names(rule: &Rule) -> impl Iterator<Item = String> + '_ {
    rule.calls.iter().filter(|_| !rule.rest).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_numbers_are_counted() {
        assert_eq!(
            joined([(5, 9), (0, 4), (20, 30), (25, 26)].into_iter()),
            [(0, 9), (20, 30)]
        );
        assert_eq!(joined([(0, u32::MAX), (3, 4)].into_iter()), [(0, u32::MAX)]);
        assert_eq!(length(&vec![(0, u32::MAX)]), 1 << 32);
        let count = counted(&vec![(0, 9)], &vec![(5, 19)], &length);
        let expected = Count {
            all: 20,
            reachable: 10,
            freely: 5,
            conditional: 5,
        };
        assert_eq!(count, expected);
        assert_eq!(
            counted(&vec![(0, 9)], &vec![(5, 19)], &|set| named_in(set, &[1, 5, 15, 99])).reachable,
            2
        );
    }

    #[test]
    fn severe_is_small() {
        let mut values = [0x7fff_0000, 0x8000_0000, 0x0005_0001, 0, 0x7ffc_0000];
        values.sort_by_key(|value| rank(*value));
        assert_eq!(values, [0x8000_0000, 0, 0x0005_0001, 0x7ffc_0000, 0x7fff_0000]);
    }
}
