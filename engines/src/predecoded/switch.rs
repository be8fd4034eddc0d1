//! Switches: all that is asked of `A` before it changes, as one look-up.
//!
//! Search trees and lists of equality tests both come to this: each value of `A` leads to one place after one number of
//! instructions, and values side by side mostly lead to the same.

use callproof_vm::Insn;
use callproof_vm::isa::{Op, Src};

use super::decode::targets;
use crate::ranges::{Range, cut};
use crate::test::Test;

/// Values below this are looked up without a search; call numbers are.
const LOW: usize = 512;
/// Fewer tests than this are faster one by one.
const FEWEST: usize = 4;
/// The most switches of a program.
const MOST: usize = 64;

/// One look-up.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    /// The first value of each range; the first range begins at 0
    starts: Box<[u32]>,
    /// Where each range leads
    goals: Box<[Goal]>,
    /// Where the lowest values lead, one by one
    low: Box<[Goal; LOW]>,
}

/// A place, and how many instructions lead there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Goal {
    pub(super) pc: u16,
    pub(super) insns: u16,
}

impl Switch {
    /// Where a value leads.
    #[inline(always)]
    pub(super) fn find(&self, a: u32) -> Goal {
        match self.low.get(a as usize) {
            Some(goal) => *goal,
            None => self.search(a),
        }
    }

    #[inline(never)]
    fn search(&self, a: u32) -> Goal {
        let after = self.starts.partition_point(|&start| start <= a);
        self.goals.get(after.wrapping_sub(1)).copied().unwrap_or_default()
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.low)
            .saturating_add(size_of_val(&*self.starts))
            .saturating_add(size_of_val(&*self.goals))
    }

    /// Sorts what each range leads to.
    fn new(mut ranges: Vec<(Range, Goal)>) -> Self {
        ranges.sort_unstable_by_key(|(range, _)| range.first);
        let mut low = Box::new([Goal::default(); LOW]);
        for (range, goal) in &ranges {
            let place = |value: u64| usize::try_from(value).map_or(LOW, |value| value.min(LOW));
            if let Some(part) = low.get_mut(place(range.first)..place(range.last.saturating_add(1))) {
                part.fill(*goal);
            }
        }
        Self {
            // Values of a register have 32 bits.
            starts: ranges
                .iter()
                .filter_map(|(range, _)| u32::try_from(range.first).ok())
                .collect(),
            goals: ranges.iter().map(|(_, goal)| *goal).collect(),
            low,
        }
    }
}

/// The switches of a program, and for each place the number of the one that begins there.
pub(super) fn switches(program: &[Insn]) -> (Vec<Switch>, Vec<Option<u16>>) {
    let (mut all, mut places) = (Vec::new(), vec![None; program.len()]);
    let mut walk = Walk {
        program,
        waiting: Vec::new(),
        ranges: Vec::new(),
        // Ranges that come together again are walked more than once; a program where that happens too often is not
        // worth it.
        steps: program.len().saturating_mul(16),
    };
    let mut before = None;
    for ((pc, insn), place) in (0_u16..).zip(program).zip(&mut places) {
        let op = insn.op();
        // Tests in the middle are reached by jumps, or from the test before.
        let begins = asks(*insn).is_some() && !matches!(before, Some(Op::Jump(..) | Op::Ja | Op::RetK | Op::RetA));
        if let Some(switch) = (begins && all.len() < MOST).then(|| walk.switch(pc)).flatten() {
            *place = u16::try_from(all.len()).ok();
            all.push(switch);
        }
        before = op;
    }
    (all, places)
}

/// Every value of `A`.
const ALL: Range = Range {
    first: 0,
    last: u32::MAX as u64,
};

/// The values that pass a test, where they are a range: none for a test of bits.
fn asks(insn: Insn) -> Option<Range> {
    let Some(Op::Jump(cond, Src::K)) = insn.op() else {
        return None;
    };
    let (first, last) = Test::new(cond, insn.k).range(u32::MAX)?;
    Some(Range {
        first: first.into(),
        last: last.into(),
    })
}

/// Some values that are on the same way.
struct Group {
    at: Goal,
    values: Vec<Range>,
}

struct Walk<'p> {
    program: &'p [Insn],
    waiting: Vec<Group>,
    ranges: Vec<(Range, Goal)>,
    steps: usize,
}

impl Walk<'_> {
    /// The switch that begins at a place, if it is worth it.
    fn switch(&mut self, pc: u16) -> Option<Switch> {
        let (mut tests, start) = (0_usize, Goal { pc, insns: 0 });
        self.ranges.clear();
        self.waiting.clear();
        self.waiting.push(Group {
            at: start,
            values: vec![ALL],
        });
        while let Some(mut group) = self.waiting.pop() {
            while let Some(ahead) = self.follow(&mut group) {
                tests = tests.saturating_add(1);
                if ahead.values.is_empty() {
                    continue;
                }
                self.waiting.push(ahead);
            }
            self.ranges.extend(group.values.iter().map(|range| (*range, group.at)));
            if self.steps == 0 {
                return None;
            }
        }
        (tests >= FEWEST).then(|| Switch::new(core::mem::take(&mut self.ranges)))
    }

    /// Moves a group behind the next test; those that pass it come back as another group. None when the group stands
    /// where something else than a test is done.
    fn follow(&mut self, group: &mut Group) -> Option<Group> {
        loop {
            let insn = *self
                .program
                .get(usize::from(group.at.pc))
                .filter(|_| !group.values.is_empty())?;
            self.steps = self.steps.saturating_sub(1);
            if self.steps == 0 {
                return None;
            }
            let (yes, no) = targets(insn, usize::from(group.at.pc));
            let insns = group.at.insns.wrapping_add(1);
            if insn.op() == Some(Op::Ja) {
                group.at = Goal { pc: yes, insns };
                continue;
            }
            let values = cut(&mut group.values, asks(insn)?);
            group.at = Goal { pc: no, insns };
            return Some(Group {
                at: Goal { pc: yes, insns },
                values,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tests_is_one_switch() {
        let tests = (0..200).map(|nr| Insn::jump(0x15, nr * 3, u8::try_from(200 - nr).unwrap(), 0));
        let load = [Insn::stmt(0x20, 0)];
        let ends = [Insn::stmt(0x06, 1), Insn::stmt(0x06, 2)];
        let program: Vec<Insn> = load.into_iter().chain(tests).chain(ends).collect();
        let (all, places) = switches(&program);
        assert_eq!((all.len(), places[1]), (1, Some(0)));
        assert_eq!(all[0].find(30), Goal { pc: 202, insns: 11 });
        assert_eq!(all[0].find(597), Goal { pc: 202, insns: 200 });
        assert_eq!(all[0].find(598), Goal { pc: 201, insns: 200 });
        assert_eq!(all[0].find(u32::MAX), Goal { pc: 201, insns: 200 });
    }

    #[test]
    fn two_tests_are_none() {
        let program = [0x15, 0x25, 0x06].map(|code| Insn::stmt(code, 7));
        assert!(switches(&program).0.is_empty());
    }
}
