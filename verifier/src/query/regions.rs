//! Sets of calls as proof files write them: tests that lead to one another.

use callproof_checker::Region as Node;
use callproof_policy::{Compare, Formula, Region, WordTest};
use callproof_vm::Endian;

use crate::table::Map;

/// The number of the node that no call leads to.
pub(super) const NEVER: u32 = 0;
/// The number of the node that every call leads to.
pub(super) const ALWAYS: u32 = 1;

/// Inclusive ranges of words, ascending, not touching.
pub(super) type Ranges = Vec<(u32, u32)>;

/// Nodes of regions, numbered from 2 in the order in which they are made; equal nodes are one.
#[derive(Debug)]
pub(super) struct Regions {
    nodes: Vec<Node>,
    known: Map<(u8, u32, Ranges, u32, u32), u32>,
    endian: Endian,
}

impl Regions {
    /// No nodes yet. `endian` says which word of a register is which in the numbering of proof files.
    pub(super) fn new(endian: Endian) -> Self {
        Self {
            nodes: Vec::new(),
            known: Map::default(),
            endian,
        }
    }

    /// The number of the node of a region.
    pub(super) fn add(&mut self, region: &Region) -> u32 {
        self.choose(region, ALWAYS, NEVER)
    }

    /// The number of the node that leads to `then` where the formula holds, and to `other` where it does not.
    pub(super) fn choose(&mut self, formula: &Region, then: u32, other: u32) -> u32 {
        if then == other {
            return then;
        }
        if let Some((word, mask, ranges)) = of_one_word(formula) {
            return self.node((word, mask), ranges, then, other);
        }
        match formula {
            Formula::Not(inner) => self.choose(inner, other, then),
            Formula::All(parts) => {
                let rest = parts.iter().rev();
                rest.fold(then, |then, part| self.choose(part, then, other))
            }
            Formula::Any(parts) => {
                let rest = parts.iter().rev();
                rest.fold(other, |other, part| self.choose(part, then, other))
            }
            // Tests are of one word.
            Formula::Atom(_) => other,
        }
    }

    fn node(&mut self, (index, mask): (u8, u32), ranges: Ranges, then: u32, otherwise: u32) -> u32 {
        match ranges.as_slice() {
            [] => return otherwise,
            [(0, u32::MAX)] => return then,
            _ => {}
        }
        let cases = ranges.iter().map(|(first, last)| (*first, *last, then)).collect();
        let key = (index, mask, ranges, then, otherwise);
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        self.nodes.push(Node {
            word: word(index, self.endian),
            mask,
            cases,
            otherwise,
        });
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.known.insert(key, number);
        number
    }

    /// All nodes.
    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }
}

/// A formula about one masked word, given by its place in memory, as the ranges of its values.
pub(super) fn of_one_word(formula: &Region) -> Option<(u8, u32, Ranges)> {
    match formula {
        Formula::Atom(test) => {
            let WordTest { index, mask, value, .. } = *test;
            let ranges = match test.compare {
                Compare::Eq => vec![(value, value)],
                Compare::Gt => value
                    .checked_add(1)
                    .map(|first| (first, u32::MAX))
                    .into_iter()
                    .collect(),
            };
            Some((index, mask, ranges))
        }
        Formula::Not(inner) => {
            let (word, mask, ranges) = of_one_word(inner)?;
            Some((word, mask, inverted(&ranges)))
        }
        Formula::Any(parts) => joined(parts, |ranges| ranges),
        // What is in all of them is in none of what they leave out.
        Formula::All(parts) => {
            let (word, mask, left_out) = joined(parts, |ranges| inverted(&ranges))?;
            Some((word, mask, inverted(&left_out)))
        }
    }
}

/// The values in any of the parts, each changed; nothing if they are about several words, or there are none.
fn joined(parts: &[Region], change: impl Fn(Ranges) -> Ranges) -> Option<(u8, u32, Ranges)> {
    let mut all: Option<(u8, u32, Ranges)> = None;
    for part in parts {
        let (word, mask, ranges) = of_one_word(part)?;
        let ranges = change(ranges);
        match &mut all {
            None => all = Some((word, mask, ranges)),
            Some((known, known_mask, _)) if (*known, *known_mask) != (word, mask) => return None,
            Some((_, _, known)) => known.extend(ranges),
        }
    }
    let (word, mask, mut ranges) = all?;
    ranges.sort_unstable();
    let mut merged = Ranges::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    Some((word, mask, merged))
}

/// The values outside ranges.
fn inverted(ranges: &[(u32, u32)]) -> Ranges {
    let mut gaps = Ranges::new();
    let mut next = Some(0_u32);
    for &(first, last) in ranges {
        if let (Some(start), Some(end)) = (next, first.checked_sub(1))
            && start <= end
        {
            gaps.push((start, end));
        }
        next = last.checked_add(1);
    }
    gaps.extend(next.map(|start| (start, u32::MAX)));
    gaps
}

/// The number that proof files give to a word, from its place in memory.
pub(super) const fn word(place: u8, endian: Endian) -> u8 {
    let high_first = match endian {
        Endian::Little => place ^ 1,
        Endian::Big => place,
    };
    match place {
        0 => 1,
        1 => 0,
        2 | 3 => high_first.wrapping_add(12),
        _ => high_first.wrapping_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_high_half_first() {
        let numbers = |endian| core::array::from_fn::<u8, 16, _>(|place| word(u8::try_from(place).unwrap(), endian));
        assert_eq!(
            numbers(Endian::Big),
            [1, 0, 14, 15, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        );
        assert_eq!(
            numbers(Endian::Little),
            [1, 0, 15, 14, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12]
        );
    }

    fn test(index: u8, value: u32) -> Region {
        Region::Atom(WordTest {
            index,
            mask: u32::MAX,
            compare: Compare::Eq,
            value,
        })
    }

    #[test]
    fn equal_nodes_are_one_and_tests_of_one_word_too() {
        let mut regions = Regions::new(Endian::Little);
        let numbers = Region::any([test(0, 1), test(0, 9), test(0, 2)]);
        let either = regions.add(&numbers);
        assert_eq!(either, 2);
        assert_eq!(regions.nodes[0].cases, [(1, 2, ALWAYS), (9, 9, ALWAYS)]);
        assert_eq!(regions.add(&numbers), either);
        let both = Region::all([test(1, 5), numbers.clone().negated()]);
        assert_eq!(regions.add(&both), 4);
        assert_eq!(
            regions.nodes[1].cases,
            [(0, 0, ALWAYS), (3, 8, ALWAYS), (10, u32::MAX, ALWAYS)]
        );
        assert_eq!(regions.nodes[2].cases, [(5, 5, 3)]);
        assert_eq!(regions.add(&Region::TRUE), ALWAYS);
        assert_eq!(regions.add(&Region::FALSE), NEVER);
        assert_eq!(regions.nodes.len(), 3);
    }

    #[test]
    fn ranges_are_what_the_formula_says() {
        let above = |value| {
            Region::Atom(WordTest {
                index: 3,
                mask: 0xff,
                compare: Compare::Gt,
                value,
            })
        };
        let ranges = |formula: &Region| of_one_word(formula).map(|(_, _, ranges)| ranges).unwrap();
        assert_eq!(ranges(&Region::all([above(4), above(9).negated()])), [(5, 9)]);
        assert_eq!(
            ranges(&Region::any([above(9), above(4).negated()])),
            [(0, 4), (10, u32::MAX)]
        );
        assert_eq!(ranges(&above(u32::MAX)), []);
        assert_eq!(ranges(&Region::all([above(4), above(4).negated()])), []);
        assert!(of_one_word(&Region::all([above(4), test(3, 4)])).is_none());
    }
}
