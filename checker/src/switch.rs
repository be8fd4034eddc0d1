//! Tests of one field that follow each other without a point between them. `docs/PROOFS.md` section 5.

use alloc::vec::Vec;

use crate::Rejected;
use crate::agree::{Judge, Piece, append};
use crate::diagram::Edge;
use crate::run::{Claimed, Next, Run, Stop};
use crate::value::Field;

/// Where each value of a field leads. The lists keep their memory from switch to switch.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    /// Ranges with their exits; when done they cover all words, ascending
    pub(crate) pieces: Vec<Piece>,
    /// Ranges as found, without the single values that were taken out before
    ranges: Vec<Piece>,
    /// Single values that were taken out of ranges: the first to take it has it
    taken: Vec<(u32, Edge)>,
    lanes: Vec<Lane>,
}

/// A run that is to be continued, for some values of the field.
#[derive(Clone, Copy, Debug)]
struct Lane {
    run: Run,
    next: Next,
    first: u32,
    last: u32,
    /// Whether this is a single value taken out of a range that goes on without it
    taken: bool,
}

const MAX_RANGES: usize = 1 << 20;

impl Switch {
    /// Follows a test and all further tests of its field.
    pub(crate) fn collect(
        &mut self,
        claimed: &Claimed<'_>,
        judge: &mut Judge,
        (run, field, yes, nexts): (Run, Field, (u32, u32), [Next; 2]),
    ) -> Result<(), Rejected> {
        self.ranges.clear();
        self.taken.clear();
        self.lanes.clear();
        let [next, _] = nexts;
        let mut lane = Lane {
            run,
            next,
            first: 0,
            last: u32::MAX,
            taken: false,
        };
        self.fork(claimed, judge, &mut lane, (yes, nexts))?;
        self.lanes.push(lane);
        while let Some(mut lane) = self.lanes.pop() {
            loop {
                judge.budget.step()?;
                match claimed.follow(&mut lane.run, lane.next, judge)? {
                    Stop::Test(tested, yes, nexts) if tested == field => {
                        self.fork(claimed, judge, &mut lane, (yes, nexts))?;
                    }
                    Stop::Exit(to) => break self.keep((lane.first, lane.last, lane.taken), to)?,
                    _ => {
                        return Err(Rejected::wrong(
                            "a point is missing before a return or a test of something else",
                        ));
                    }
                }
            }
        }
        self.cover(judge)
    }

    /// Sends a lane where its values lead. If they part, those for which the test holds are followed first, so that of
    /// two takers of one value the first comes first.
    fn fork(
        &mut self,
        claimed: &Claimed<'_>,
        judge: &mut Judge,
        lane: &mut Lane,
        (yes, [then, otherwise]): ((u32, u32), [Next; 2]),
    ) -> Result<(), Rejected> {
        let (first, last) = (yes.0.max(lane.first), yes.1.min(lane.last));
        let apart = first <= last && (first, last) != (lane.first, lane.last);
        if !apart {
            lane.next = if first <= last { then } else { otherwise };
            return Ok(());
        }
        let (mut rest_first, mut rest_last) = (lane.first, lane.last);
        let taken = first > lane.first && last < lane.last;
        if first == lane.first {
            rest_first = last.saturating_add(1);
        } else if last == lane.last {
            rest_last = first.saturating_sub(1);
        }
        if let Ok(to) = claimed.exit(&lane.run, then, judge)? {
            (lane.first, lane.last, lane.next) = (rest_first, rest_last, otherwise);
            return self.keep((first, last, taken), to);
        }
        self.lanes.push(Lane {
            next: otherwise,
            first: rest_first,
            last: rest_last,
            ..*lane
        });
        (lane.first, lane.last, lane.next, lane.taken) = (first, last, then, taken);
        Ok(())
    }

    /// Keeps where values lead.
    fn keep(&mut self, (first, last, taken): (u32, u32, bool), to: Edge) -> Result<(), Rejected> {
        if taken {
            self.taken.push((first, to));
        } else {
            self.ranges.push(Piece { first, last, to });
        }
        if self.ranges.len().max(self.taken.len()) < MAX_RANGES {
            Ok(())
        } else {
            Err(Rejected::out_of_steps())
        }
    }

    /// Puts ranges and taken values together.
    fn cover(&mut self, judge: &mut Judge) -> Result<(), Rejected> {
        let count = self.ranges.len().saturating_add(self.taken.len());
        judge.budget.steps((count as u64).saturating_mul(16))?;
        self.ranges.sort_unstable_by_key(|range| range.first);
        self.taken.sort_by_key(|&(value, _)| value);
        self.taken.dedup_by_key(|&mut (value, _)| value);
        self.pieces.clear();
        let mut taken = self.taken.iter().copied().peekable();
        for &Piece { first, last, to } in &self.ranges {
            let mut next = Some(first);
            while let Some((value, out)) = taken.next_if(|&(value, _)| value <= last) {
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
