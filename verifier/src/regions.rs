//! What a function says, per ABI and number, as data to print.
//!
//! The ABIs asked about come first, each with its groups of numbers that are treated alike; then all other
//! architectures. What is left to decide within a group depends on arguments: see [`Decision`](crate::Decision).

use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::{Limit, Undecided};
use crate::order::Lane;
use crate::space::Space;
use crate::table::Map;

/// Ranges of numbers, both ends included, ascending and not touching.
pub type Ranges = Vec<(u32, u32)>;

/// Calls of one architecture, or of all that were not asked about and behave alike, whose numbers are treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Which architectures
    pub arches: Arches,
    /// Which numbers, compared unsigned
    pub numbers: Ranges,
    /// What is left to decide
    pub(crate) rest: Ref,
}

/// The architectures of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arches {
    /// One that was asked about, by its `AUDIT_ARCH_*` word
    One(u32),
    /// Some that were not asked about
    Others(Ranges),
}

/// More ranges than this nobody wants to read; the word is then decided upon like an argument.
const MOST_RUNS: usize = 1 << 16;

impl Space {
    /// The regions of a function. A function of a filter that returns more values than can be listed has none.
    ///
    /// # Errors
    /// [`Undecided`] at a limit; [`Limit::Values`] when there are too many values.
    pub fn regions(&mut self, function: &Function, arches: &[u32]) -> Result<Vec<Region>, Undecided> {
        let Form::Whole(root) = function.form else {
            return Err(self.arena.meter().stop(Limit::Values));
        };
        let mut regions = Vec::new();
        let mut groups: Vec<(Arches, Ref)> = Vec::new();
        let lane = self.arena.order().lane(1);
        for &arch in arches {
            groups.push((Arches::One(arch), self.with_word(root, 1, arch)?));
        }
        groups.extend(self.others(root, lane, arches));
        for (arches, rest) in groups {
            let lane = self.arena.order().lane(0);
            let numbers = self.runs(rest, lane).unwrap_or_else(|| vec![(0, u32::MAX, rest)]);
            for (rest, numbers) in grouped(numbers) {
                regions.push(Region {
                    arches: arches.clone(),
                    numbers,
                    rest,
                });
            }
        }
        Ok(regions)
    }

    /// The architectures that were not asked about, grouped by what follows.
    fn others(&self, root: Ref, lane: Lane, asked: &[u32]) -> Vec<(Arches, Ref)> {
        let runs = self.runs(root, lane).unwrap_or_else(|| vec![(0, u32::MAX, root)]);
        let mut asked = asked.to_vec();
        asked.sort_unstable();
        let left = runs.into_iter().flat_map(|(low, high, rest)| {
            without(low, high, &asked)
                .into_iter()
                .map(move |(low, high)| (low, high, rest))
        });
        let groups = grouped(left.collect());
        groups
            .into_iter()
            .map(|(rest, ranges)| (Arches::Others(ranges), rest))
            .collect()
    }

    /// A function where a word is known.
    fn with_word(&mut self, root: Ref, word: u8, value: u32) -> Result<Ref, Undecided> {
        let lane = self.arena.order().lane(word);
        if lane.base == 0 && lane.stride == 1 {
            return Ok(self.arena.descend(root, word, value));
        }
        let op = self.arena.own_op();
        self.arena.restrict(op, root, word, value)
    }

    /// The maximal ranges of a word's values with what follows each, in order; `None` when they are too many or the
    /// word is not asked in one row from the top.
    pub(crate) fn runs(&self, root: Ref, lane: Lane) -> Option<Vec<(u32, u32, Ref)>> {
        if lane.stride != 1 || self.arena.var(root) < lane.base {
            return None;
        }
        let mut runs: Vec<(u32, u32, Ref)> = Vec::new();
        let mut waiting = vec![(root, 0_u32, 0_u32)];
        while let Some((at, bit, prefix)) = waiting.pop() {
            let var = self.arena.var(at);
            if var > lane.last() || bit > 31 {
                let high = prefix | u32::MAX.checked_shr(bit).unwrap_or(0);
                match runs.last_mut() {
                    Some((_, end, same)) if *same == at => *end = high,
                    _ => runs.push((prefix, high, at)),
                }
                if runs.len() > MOST_RUNS {
                    return None;
                }
                continue;
            }
            let (low, high) = self.arena.split(at, lane.var(bit));
            let next = bit.saturating_add(1);
            waiting.push((high, next, prefix | 0x8000_0000_u32 >> (bit & 31)));
            waiting.push((low, next, prefix));
        }
        Some(runs)
    }
}

/// A range without some values, which are sorted.
fn without(low: u32, high: u32, values: &[u32]) -> Ranges {
    let mut left = Vec::new();
    let mut from = Some(low);
    for &value in values.iter().filter(|value| (low..=high).contains(*value)) {
        if let (Some(start), Some(end)) = (from, value.checked_sub(1))
            && start < value
        {
            left.push((start, end));
        }
        from = value.checked_add(1);
    }
    left.extend(from.filter(|start| *start <= high).map(|start| (start, high)));
    left
}

/// Ranges by what follows them, in the order of their first ranges.
fn grouped(runs: Vec<(u32, u32, Ref)>) -> Vec<(Ref, Ranges)> {
    let mut groups: Vec<(Ref, Ranges)> = Vec::new();
    let mut place: Map<Ref, usize> = Map::default();
    for (low, high, rest) in runs {
        let at = *place.entry(rest).or_insert_with(|| {
            groups.push((rest, Vec::new()));
            groups.len().saturating_sub(1)
        });
        if let Some((_, ranges)) = groups.get_mut(at) {
            match ranges.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(low) => *end = high,
                _ => ranges.push((low, high)),
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_without_values() {
        assert_eq!(without(0, u32::MAX, &[]), [(0, u32::MAX)]);
        assert_eq!(without(0, 9, &[0, 3, 4, 9, 12]), [(1, 2), (5, 8)]);
        assert_eq!(without(7, 7, &[7]), []);
        assert_eq!(without(5, u32::MAX, &[4, u32::MAX]), [(5, u32::MAX - 1)]);
    }
}
