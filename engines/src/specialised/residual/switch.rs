//! Look-ups: several tests of one field as one bisection.
//!
//! Lists and search trees over an argument, and the pairs of tests that compare both of its halves, lead each value of the
//! field to one state after one number of instructions, and values side by side mostly lead to the same.

use callproof_vm::SeccompData;

use super::build::Pending;
use super::{Full, Id, MAX_SWITCHES, Node, Residuals, Source};
use crate::place::{Place, field};
use crate::ranges::{Range, cut};
use crate::specialised::state::{Calls, Next, State, Value};
use crate::test::Test;

/// Fewer tests than this are faster one by one.
const FEWEST: usize = 3;
/// Look-ups have this many ranges at least: the last one is repeated, from the greatest value on.
const FEW: usize = 8;
/// The most ranges of a look-up; what is asked beyond them is asked behind it.
const MOST: usize = 256;

/// One look-up: `field >> shift & mask` is sought among ranges.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    field: u8,
    shift: u8,
    mask: u64,
    /// The first value of each range; the first range begins at 0
    starts: Box<[u64]>,
    /// Where each range leads
    goals: Box<[Goal]>,
}

/// A node, and how many instructions lead there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Goal {
    pub(super) id: Id,
    pub(super) insns: u16,
}

impl Switch {
    /// Where a call leads.
    #[inline(always)]
    pub(super) fn find(&self, call: &SeccompData) -> Goal {
        let value = field(call, self.field).wrapping_shr(u32::from(self.shift)) & self.mask;
        let at = match <&[u64; FEW]>::try_from(&*self.starts) {
            // Three choices without a branch that could be guessed wrong.
            Ok(few) => [4, 2, 1].into_iter().fold(0, |at: usize, step| {
                let begun = few.get((at | step) & 7).is_some_and(|&start| start <= value);
                if begun { at | step } else { at }
            }),
            Err(_) => self.starts.partition_point(|&start| start <= value).wrapping_sub(1),
        };
        self.goals.get(at).copied().unwrap_or_default()
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            .saturating_add(size_of_val(&*self.starts))
            .saturating_add(size_of_val(&*self.goals))
    }
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// Some bits of a word
    Word { index: u8, mask: u32 },
    /// Both halves of a field
    Field { low: u8, high: u8 },
}

impl Key {
    /// A test of the high half begins a test of the whole.
    fn of(index: u8, mask: u32, residuals: &Residuals) -> Self {
        let high = Place::new(index, residuals.machine.endian).shift == 32;
        if high && mask == u32::MAX {
            // Halves of a field differ in the lowest bit of their index.
            Self::Field {
                low: index ^ 1,
                high: index,
            }
        } else {
            Self::Word { index, mask }
        }
    }

    /// What a test asks of the values that come to it, where that is whether they lie in one range.
    fn asks(self, index: u8, test: Test, values: &[Range]) -> Option<Range> {
        let wide = |(first, last): (u32, u32)| (u64::from(first), u64::from(last));
        match self {
            Self::Word { index: key, mask } if key == index => {
                let (first, last) = wide(test.range(mask)?);
                Some(Range { first, last })
            }
            Self::Field { high, .. } if high == index => {
                let (first, last) = wide(test.range(u32::MAX)?);
                Some(Range {
                    first: first << 32,
                    last: last << 32 | u64::from(u32::MAX),
                })
            }
            // The low half is as good as the whole where all values have the same high half.
            Self::Field { low, .. } if low == index => {
                let (from, to) = (values.first()?.first >> 32, values.last()?.last >> 32);
                let (first, last) = wide(test.range(u32::MAX)?);
                (from == to).then_some(Range {
                    first: from << 32 | first,
                    last: from << 32 | last,
                })
            }
            _ => None,
        }
    }

    fn all(self) -> Range {
        let last = match self {
            Self::Word { mask, .. } => u64::from(mask),
            Self::Field { .. } => u64::MAX,
        };
        Range { first: 0, last }
    }
}

/// Some values that are on the same way.
#[derive(Clone, Debug)]
pub(super) struct Group {
    values: Vec<Range>,
    state: State,
    insns: u16,
}

/// Where each value of a key leads.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    key: Key,
    groups: Vec<Group>,
}

impl Residuals {
    /// Follows all values of what is tested in a state, the first test being of the word with this index, until
    /// something else is asked. None when there are too few tests.
    pub(super) fn ways(
        &mut self,
        source: Source<'_>,
        calls: &Calls<'_>,
        (state, index): (State, u8),
        insns: u16,
    ) -> Result<Option<Ways>, Full> {
        let Value::Word { mask, .. } = state.a else {
            return Ok(None);
        };
        let key = Key::of(index, mask, self);
        let start = Group {
            values: vec![key.all()],
            state,
            insns,
        };
        let (mut waiting, mut tests, mut ranges) = (vec![start], 0_usize, 1_usize);
        let mut ways = Ways {
            key,
            groups: Vec::new(),
        };
        while let Some(mut group) = waiting.pop() {
            while ranges < MOST {
                let Some(passing) = self.follow(key, source, calls, &mut group)? else {
                    break;
                };
                tests = tests.saturating_add(1);
                // A range that is cut out of another one leaves two.
                ranges = ranges.saturating_add(2);
                waiting.extend(Some(passing).filter(|passing| !passing.values.is_empty()));
            }
            ways.groups.push(group);
        }
        Ok((tests >= FEWEST).then_some(ways))
    }

    /// Moves a group behind the next test of the key; those that pass it come back as another group. None when the
    /// group stands before something else.
    fn follow(
        &mut self,
        key: Key,
        source: Source<'_>,
        calls: &Calls<'_>,
        group: &mut Group,
    ) -> Result<Option<Group>, Full> {
        while let Some(&insn) = source.program.get(usize::from(group.state.pc)) {
            if group.values.is_empty() {
                break;
            }
            if !self.work() {
                return Err(Full);
            }
            match group.state.step(insn, calls, self.machine.shift) {
                Next::Went => group.insns = group.insns.wrapping_add(1),
                Next::Returns(_) | Next::Needs => break,
                Next::Asks { index, test, yes, no } => {
                    let Some(range) = key.asks(index, test, &group.values) else {
                        break;
                    };
                    group.insns = group.insns.wrapping_add(1);
                    let mut passing = Group {
                        values: cut(&mut group.values, range),
                        state: group.state,
                        insns: group.insns,
                    };
                    (passing.state.pc, group.state.pc) = (yes, no);
                    return Ok(Some(passing));
                }
            }
        }
        Ok(None)
    }

    /// The look-up that leads values on their ways.
    pub(super) fn switch(&mut self, pending: &mut Pending, source: Source<'_>, ways: Ways) -> Result<Node, Full> {
        let mut ranges = Vec::new();
        for group in ways.groups {
            // A group may have lost all its values.
            if group.values.is_empty() {
                continue;
            }
            let id = self.node(pending, source, group.state)?;
            let goal = Goal { id, insns: group.insns };
            ranges.extend(group.values.iter().map(|range| (range.first, goal)));
        }
        ranges.sort_unstable_by_key(|(first, _)| *first);
        ranges.dedup_by_key(|(_, goal)| *goal);
        if let Some(&(_, last)) = ranges.last() {
            ranges.resize(ranges.len().max(FEW), (u64::MAX, last));
        }
        if self.switches.len() >= MAX_SWITCHES {
            return Err(Full);
        }
        self.goals = self.goals.checked_sub(ranges.len()).ok_or(Full)?;
        let number = u16::try_from(self.switches.len()).map_err(|_| Full)?;
        let (place, mask) = match ways.key {
            Key::Word { index, mask } => (Place::new(index, self.machine.endian), u64::from(mask)),
            Key::Field { low, .. } => (Place::new(low, self.machine.endian), u64::MAX),
        };
        self.switches.push(Switch {
            field: place.field,
            shift: place.shift,
            mask,
            starts: ranges.iter().map(|(first, _)| *first).collect(),
            goals: ranges.iter().map(|(_, goal)| *goal).collect(),
        });
        Ok(Node::Switch { number })
    }
}
