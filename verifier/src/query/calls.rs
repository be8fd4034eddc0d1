//! Predicates and verdict sets of the policy crate as sets of calls.

use callproof_policy::{ByteOrder, Condition, Formula, Outcomes, Part, Region};
use callproof_vm::{Action, Kernel};

use super::regions::of_one_word;
use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::Undecided;
use crate::proof::select;
use crate::space::{Set, Space};
use crate::table::Map;
use crate::verdicts::Verdicts;

impl Space {
    /// The calls of a region.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn region(&mut self, region: &Region) -> Result<Set, Undecided> {
        if let Some((word, mask, ranges)) = of_one_word(region) {
            let cases: Vec<_> = ranges.iter().map(|(first, last)| (*first, *last, Ref::TRUE)).collect();
            return select(&mut self.arena, word, mask, &cases, Ref::FALSE).map(Set);
        }
        match region {
            // Tests are of one word.
            Formula::Atom(_) => Ok(Set::EMPTY),
            Formula::Not(inner) => {
                let inner = self.region(inner)?;
                self.not(inner)
            }
            Formula::All(parts) => self.halved(parts, Set::ALL, Self::and),
            Formula::Any(parts) => self.halved(parts, Set::EMPTY, Self::or),
        }
    }

    /// Joins halves of halves: long lists of numbers stay cheap, because most joins are of small sets.
    fn halved(
        &mut self,
        parts: &[Region],
        empty: Set,
        join: fn(&mut Self, Set, Set) -> Result<Set, Undecided>,
    ) -> Result<Set, Undecided> {
        match parts {
            [] => Ok(empty),
            [only] => self.region(only),
            _ => {
                let (front, back) = parts.split_at(parts.len() / 2);
                let front = self.halved(front, empty, join)?;
                let back = self.halved(back, empty, join)?;
                join(self, front, back)
            }
        }
    }

    /// The calls of one ABI's part of a predicate.
    pub(super) fn part(&mut self, part: &Part, order: ByteOrder) -> Result<Set, Undecided> {
        self.region(&part.region(order))
    }

    /// The calls for which a condition holds, given the ABI they are of.
    pub(super) fn condition(
        &mut self,
        cell: callproof_policy::Cell,
        condition: Condition,
        order: ByteOrder,
    ) -> Result<Set, Undecided> {
        let absent = Vec::new();
        self.part(
            &Part {
                cell,
                condition,
                absent,
            },
            order,
        )
    }

    /// The calls for which a function has one of these outcomes.
    pub(super) fn outcomes(
        &mut self,
        function: &Function,
        outcomes: &Outcomes,
        kernel: Kernel,
    ) -> Result<Set, Undecided> {
        match &function.form {
            Form::Whole(root) => {
                let op = self.arena.own_op();
                let mut among = |value| u32::from(outcomes.contains_value(value, kernel));
                self.arena.map(op, *root, &mut among).map(Set)
            }
            Form::Bits(_) => self.sliced_outcomes(function, outcomes, kernel),
        }
    }

    fn sliced_outcomes(&mut self, function: &Function, outcomes: &Outcomes, kernel: Kernel) -> Result<Set, Undecided> {
        let mut any = Set::EMPTY;
        let steps = outcomes.steps();
        for action in Action::ALL.into_iter().chain([Action::Unknown]) {
            // A value that names no action is in the set or not whatever it is.
            let base = action.value().unwrap_or(0x0001_0000);
            let patterns = data_blocks(&|data| outcomes.contains_value(base | data, kernel), &steps);
            if patterns.is_empty() {
                continue;
            }
            let acts = self.calls(function, &Verdicts::actions(&[action], kernel))?;
            let none = false;
            let data = self.calls(function, &Verdicts { patterns, none })?;
            let both = self.and(acts, data)?;
            any = self.or(any, both)?;
        }
        Ok(any)
    }

    /// Whether some choice of the bits in `free` (a mask for each word as it lies in memory) leads to a call of the set.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn whatever(&mut self, set: Set, free: &[u32; 16]) -> Result<Set, Undecided> {
        let mut known = Map::default();
        self.quantify(set.0, free, &mut known).map(Set)
    }

    fn quantify(&mut self, at: Ref, free: &[u32; 16], known: &mut Map<Ref, Ref>) -> Result<Ref, Undecided> {
        self.arena.step()?;
        let var = self.arena.var(at);
        let Some((word, bit)) = self.arena.order().bit(var) else {
            return Ok(at);
        };
        if let Some(result) = known.get(&at) {
            return Ok(*result);
        }
        let (low, high) = self.arena.split(at, var);
        let low = self.quantify(low, free, known)?;
        let high = self.quantify(high, free, known)?;
        let mask = free.get(usize::from(word)).copied().unwrap_or(0);
        let result = if mask << (bit & 31) >> 31 == 1 {
            self.arena.or(low, high)?
        } else {
            self.arena.join(var, low, high)?
        };
        known.insert(at, result);
        Ok(result)
    }
}

/// The 16-bit numbers that pass, as patterns of a value's low half; each pattern is an aligned block. The answer changes
/// at `steps` alone, which ascend from 0.
fn data_blocks(passes: &impl Fn(u32) -> bool, steps: &[u16]) -> Vec<(u32, u32)> {
    const END: u32 = 0x1_0000;
    let mut blocks = Vec::new();
    let mut from = 0_u32;
    let ends = steps.iter().skip(1).map(|next| u32::from(*next)).chain([END]);
    for (first, end) in steps.iter().zip(ends) {
        if !passes(u32::from(*first)) {
            from = end;
            continue;
        }
        let joins = steps.iter().map(|step| u32::from(*step)).filter(|step| *step >= end);
        let gap = joins.into_iter().find(|step| !passes(*step)).unwrap_or(END);
        while from < end {
            let mut size = 1_u32;
            while size < END && from & size == 0 && from.saturating_add(size * 2) <= gap {
                size *= 2;
            }
            blocks.push((0xffff & !(size - 1), from));
            from = from.saturating_add(size);
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_what_passes() {
        assert_eq!(data_blocks(&|_| true, &[0]), [(0, 0)]);
        assert_eq!(data_blocks(&|_| true, &[0, 3, 900]), [(0, 0)]);
        assert_eq!(data_blocks(&|_| false, &[0, 5]), []);
        assert_eq!(data_blocks(&|data| data == 7, &[0, 7, 8]), [(0xffff, 7)]);
        let few = |data| data >= 4095 || (3..=900).contains(&data);
        let blocks = data_blocks(&few, &[0, 3, 901, 4095, 4096]);
        for data in 0..=0xffff_u32 {
            let covered = blocks.iter().filter(|(mask, value)| data & mask == *value).count();
            assert_eq!(covered, usize::from(few(data)), "{data}");
        }
    }
}
