//! The ends of a decision, each with the conditions that lead to it.

use callproof_abi::Abi;
use callproof_verifier::{Condition, Decision, Register, Width};

use super::text::{condition_text, register_text};

/// Longest condition that is written out; JSON has the whole of it in the tree of its rule.
const LONGEST: usize = 400;

/// A value that a decision can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) value: u32,
    /// The conditions, one of which must hold; none when the value comes whatever the arguments are
    pub(crate) when: Vec<String>,
}

impl Leaf {
    /// Adds something that must hold too.
    pub(super) fn narrow(&mut self, condition: &str) {
        if self.when.is_empty() {
            self.when.push(condition.to_owned());
        } else {
            self.when
                .iter_mut()
                .for_each(|when| *when = format!("{condition} and {when}"));
        }
    }
}

/// The values that a decision comes to, in the order of its cases; `call` is the one that it is about, if it is one.
pub(super) fn leaves(decision: &Decision, abi: Option<Abi>, call: Option<&str>) -> Vec<Leaf> {
    let mut walk = Walk {
        abi,
        call,
        leaves: Vec::new(),
    };
    walk.decision(decision, &mut Vec::new());
    walk.leaves
}

struct Walk<'w> {
    abi: Option<Abi>,
    call: Option<&'w str>,
    leaves: Vec<Leaf>,
}

impl Walk<'_> {
    fn decision(&mut self, decision: &Decision, path: &mut Vec<String>) {
        match decision {
            Decision::Value(value) => self.add(*value, path),
            Decision::Opaque(values) => {
                path.push("registers stand in a relation that has no short description".to_owned());
                values.iter().for_each(|value| self.add(*value, path));
                path.pop();
            }
            Decision::Split { register, width, cases } => {
                for (condition, then) in cases {
                    path.push(self.condition(condition, (*register, *width), cases));
                    self.decision(then, path);
                    path.pop();
                }
            }
        }
    }

    fn add(&mut self, value: u32, path: &[String]) {
        let when = (!path.is_empty()).then(|| joined(path));
        match self.leaves.iter_mut().find(|leaf| leaf.value == value) {
            Some(leaf) => leaf.when.extend(when),
            None => self.leaves.push(Leaf {
                value,
                when: when.into_iter().collect(),
            }),
        }
    }

    /// A condition that can stand alone: `otherwise` says what it is not.
    fn condition(
        &self,
        condition: &Condition,
        (register, width): (Register, Width),
        cases: &[(Condition, Decision)],
    ) -> String {
        let on = register_text(register, width, self.abi, self.call);
        let text = |condition: &Condition| condition_text(condition, register, self.abi, self.call);
        if *condition != Condition::Otherwise {
            return cut(format!("{on} {}", text(condition)));
        }
        let others: Vec<&Condition> = cases
            .iter()
            .map(|(other, _)| other)
            .filter(|other| **other != Condition::Otherwise)
            .collect();
        if let Some(all) = none_of(&others) {
            return cut(format!("{on} {}", text(&all)));
        }
        let others: Vec<String> = others.iter().map(|other| text(other)).collect();
        cut(format!("{on} meets none of: {}", others.join("; ")))
    }
}

/// What is left by conditions that are all ranges, or all masked values, as one condition.
fn none_of(others: &[&Condition]) -> Option<Condition> {
    let (mut ranges, mut masked) = (Vec::new(), Vec::new());
    for other in others {
        match other {
            Condition::In(list) => ranges.extend_from_slice(list),
            Condition::Masked(list) => masked.extend_from_slice(list),
            Condition::NotIn(list) if others.len() == 1 => return Some(Condition::In(list.clone())),
            Condition::NotMasked(list) if others.len() == 1 => return Some(Condition::Masked(list.clone())),
            _ => return None,
        }
    }
    match (ranges.is_empty(), masked.is_empty()) {
        (false, true) => Some(Condition::NotIn(ranges)),
        (true, false) => Some(Condition::NotMasked(masked)),
        _ => None,
    }
}

fn joined(path: &[String]) -> String {
    cut(path.join(" and "))
}

fn cut(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut head: String = text.chars().take(LONGEST).collect();
    head.push_str("...");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(cases: Vec<(Condition, u32)>) -> Decision {
        Decision::Split {
            register: Register::Argument(0),
            width: Width::Full,
            cases: cases
                .into_iter()
                .map(|(condition, value)| (condition, Decision::Value(value)))
                .collect(),
        }
    }

    fn of(decision: &Decision) -> Vec<(u32, Vec<String>)> {
        let leaves = leaves(decision, Some(Abi::X86_64), Some("socket"));
        leaves.into_iter().map(|leaf| (leaf.value, leaf.when)).collect()
    }

    #[test]
    fn the_rest_says_what_it_is_not() {
        let one = split(vec![(Condition::In(vec![(1, 1)]), 7), (Condition::Otherwise, 8)]);
        let two = of(&one);
        assert_eq!(two[0].1, ["args[0] (family) is 0x1 (AF_UNIX)"]);
        assert_eq!(two[1].1, ["args[0] (family) is not 0x1 (AF_UNIX)"]);
        let mixed = split(vec![
            (Condition::In(vec![(1, 1)]), 7),
            (Condition::Masked(vec![(2, 2)]), 8),
            (Condition::Otherwise, 7),
        ]);
        let mixed = of(&mixed);
        assert_eq!(mixed.len(), 2);
        assert_eq!(mixed[0].1.len(), 2);
        assert!(
            mixed[0].1[1].contains("meets none of: is 0x1 (AF_UNIX); & 0x2 == 0x2"),
            "{mixed:?}"
        );
    }

    #[test]
    fn the_rest_of_a_negated_condition_is_the_condition() {
        for (first, rest) in [
            (Condition::NotIn(vec![(3, 3)]), "args[0] (family) is 0x3"),
            (Condition::NotMasked(vec![(4, 4)]), "args[0] (family) & 0x4 == 0x4"),
            (Condition::Masked(vec![(4, 4)]), "args[0] (family) not (& 0x4 == 0x4)"),
        ] {
            let found = of(&split(vec![(first, 7), (Condition::Otherwise, 8)]));
            assert!(found[1].1[0].starts_with(rest), "{found:?}");
        }
    }

    #[test]
    fn a_value_without_conditions_has_none() {
        assert_eq!(of(&Decision::Value(3)), [(3, Vec::new())]);
    }
}
