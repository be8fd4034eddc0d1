//! Tests of one field that follow each other without a point between them. `docs/PROOFS.md` section 5.

use alloc::vec::Vec;

use crate::Rejected;
use crate::agree::{Judge, Piece, append};
use crate::diagram::Edge;
use crate::format::Op;
use crate::run::{Claimed, Next, Run, Stop};
use crate::value::{Field, Test};

/// Where each value of a field leads. The lists keep their memory from switch to switch.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    /// Ranges with their exits; when done they cover all words, ascending
    pub(crate) pieces: Vec<Piece>,
    /// Ranges as found, without the single values that an `==` took out before
    ranges: Vec<Piece>,
    /// Single values that an `==` took out, and when: the first to take it has it
    taken: Vec<(u32, u32, Edge)>,
    lanes: Vec<Lane>,
    takes: u32,
}

/// A run that is to be continued, for some values of the field.
#[derive(Clone, Copy, Debug)]
struct Lane {
    run: Run,
    branch: (Test, [Next; 2]),
    first: u32,
    last: u32,
    /// If this is a value taken out by an `==`, when
    taken: Option<u32>,
}

const MAX_RANGES: usize = 1 << 20;

impl Switch {
    /// Follows all tests of the field that the branch tests.
    pub(crate) fn collect(
        &mut self,
        claimed: &Claimed<'_>,
        judge: &mut Judge,
        run: Run,
        branch: (Test, [Next; 2]),
    ) -> Result<(), Rejected> {
        self.ranges.clear();
        self.taken.clear();
        self.lanes.clear();
        self.takes = 0;
        self.lanes.push(Lane {
            run,
            branch,
            first: 0,
            last: u32::MAX,
            taken: None,
        });
        while let Some(lane) = self.lanes.pop() {
            self.lane(claimed, judge, &branch.0.field, lane)?;
        }
        self.cover(judge)
    }

    /// Follows one lane to its exit, leaving others for later where it forks.
    fn lane(
        &mut self,
        claimed: &Claimed<'_>,
        judge: &mut Judge,
        field: &Field,
        mut lane: Lane,
    ) -> Result<(), Rejected> {
        loop {
            judge.budget.step()?;
            let (test, [yes, no]) = lane.branch;
            if test.field != *field || test.negated {
                return Err(Rejected::wrong("a point is missing before a test of something else"));
            }
            let next = match holding(&test, lane.first, lane.last) {
                Some((first, last)) if (first, last) == (lane.first, lane.last) => yes,
                Some((first, last)) => {
                    let mut fork = Lane { first, last, ..lane };
                    if test.op == Op::Eq {
                        fork.taken = Some(self.takes);
                        self.takes = self.takes.saturating_add(1);
                    } else {
                        lane.last = first.saturating_sub(1);
                    }
                    let stop = claimed.follow(&mut fork.run, yes, judge)?;
                    self.stopped(fork, stop)?;
                    no
                }
                None if test.op == Op::Set => {
                    return Err(Rejected::wrong("a point is missing before a test of some bits"));
                }
                None => no,
            };
            match claimed.follow(&mut lane.run, next, judge)? {
                Stop::Branch(test, nexts) => lane.branch = (test, nexts),
                stop => return self.stopped(lane, stop),
            }
        }
    }

    /// Keeps a lane that forked off: its exit, or where it is to be continued.
    fn stopped(&mut self, mut lane: Lane, stop: Stop) -> Result<(), Rejected> {
        let Lane { first, last, taken, .. } = lane;
        match (stop, taken) {
            (Stop::Exit(to), Some(when)) => self.taken.push((first, when, to)),
            (Stop::Exit(to), None) => self.ranges.push(Piece { first, last, to }),
            (Stop::Branch(test, nexts), _) => {
                lane.branch = (test, nexts);
                self.lanes.push(lane);
            }
            (Stop::Return(_), _) => return Err(Rejected::wrong("a point is missing before a return")),
        }
        let kept = [self.ranges.len(), self.taken.len(), self.lanes.len()];
        if kept.into_iter().any(|len| len > MAX_RANGES) {
            return Err(Rejected::out_of_steps());
        }
        Ok(())
    }

    /// Puts ranges and taken values together.
    fn cover(&mut self, judge: &mut Judge) -> Result<(), Rejected> {
        let count = self.ranges.len().saturating_add(self.taken.len());
        judge.budget.steps((count as u64).saturating_mul(16))?;
        self.ranges.sort_unstable_by_key(|range| range.first);
        self.taken.sort_unstable_by_key(|&(value, when, _)| (value, when));
        self.taken.dedup_by_key(|&mut (value, ..)| value);
        self.pieces.clear();
        let mut taken = self.taken.iter().copied().peekable();
        for &Piece { first, last, to } in &self.ranges {
            let mut next = Some(first);
            while let Some((value, _, out)) = taken.next_if(|&(value, ..)| value <= last) {
                if let (Some(start), Some(before)) = (next, value.checked_sub(1)) {
                    append(&mut self.pieces, start, before, to);
                }
                append(&mut self.pieces, value, value, out);
                next = value.checked_add(1);
            }
            if let Some(start) = next {
                append(&mut self.pieces, start, last, to);
            }
        }
        Ok(())
    }
}

/// The values from `first` to `last` for which the test holds.
fn holding(test: &Test, first: u32, last: u32) -> Option<(u32, u32)> {
    let k = test.k;
    let (from, to) = match test.op {
        Op::Eq => (k, k),
        Op::Gt => (k.checked_add(1)?, u32::MAX),
        Op::Ge => (k, u32::MAX),
        Op::Set => return None,
    };
    let (from, to) = (from.max(first), to.min(last));
    (from <= to).then_some((from, to))
}
