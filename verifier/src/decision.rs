//! What is left to decide once architecture and number are known, as conditions on whole registers.

use callproof_vm::Endian;

use crate::diagram::{Diagram, Ref};
use crate::limits::Undecided;
use crate::order::{TERMINAL, Var};
use crate::regions::Region;
use crate::space::Space;
use crate::table::Map;

/// How a value comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is this value
    Value(u32),
    /// It depends on a register: exactly one of the cases applies
    Split {
        /// The register
        register: Register,
        /// Which part of it matters
        width: Width,
        /// The cases, the default last
        cases: Vec<(Condition, Decision)>,
    },
    /// It depends on relations between registers, or on more than one wants to read; these are the values it may have
    Opaque(Vec<u32>),
}

impl Decision {
    /// Adds the values that it can come to, each once.
    pub fn values(&self, values: &mut Vec<u32>) {
        let mut add = |value: &u32| {
            if !values.contains(value) {
                values.push(*value);
            }
        };
        match self {
            Self::Value(value) => add(value),
            Self::Opaque(many) => many.iter().for_each(add),
            Self::Split { cases, .. } => cases.iter().for_each(|(_, then)| then.values(values)),
        }
    }
}

/// A part of `seccomp_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Register {
    /// The architecture word
    Arch,
    /// The system call number
    Number,
    /// An argument, 0 to 5
    Argument(u8),
    /// The instruction pointer
    InstructionPointer,
}

/// Which part of a register matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// All 64 bits
    Full,
    /// The low 32 bits, and conditions are about those; also of registers that have only 32
    Low,
    /// The high 32 bits, and conditions are about those moved down
    High,
}

/// A set of values of a register. Ranges include both ends; masked values are (mask, value) pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One of these ranges
    In(Vec<(u64, u64)>),
    /// None of these ranges
    NotIn(Vec<(u64, u64)>),
    /// `register & mask == value` for one of these
    Masked(Vec<(u64, u64)>),
    /// `register & mask == value` for none of these
    NotMasked(Vec<(u64, u64)>),
    /// Everything that the other cases leave
    Otherwise,
}

impl Condition {
    /// Whether a value (of the width in question) is in the set; `None` for [`Condition::Otherwise`].
    #[must_use]
    pub fn contains(&self, value: u64) -> Option<bool> {
        let ranged = |ranges: &[(u64, u64)]| ranges.iter().any(|(low, high)| (*low..=*high).contains(&value));
        let masked = |pairs: &[(u64, u64)]| pairs.iter().any(|(mask, wanted)| value & mask == *wanted);
        Some(match self {
            Self::In(ranges) => ranged(ranges),
            Self::NotIn(ranges) => !ranged(ranges),
            Self::Masked(pairs) => masked(pairs),
            Self::NotMasked(pairs) => !masked(pairs),
            Self::Otherwise => return None,
        })
    }

    fn list(&self) -> &[(u64, u64)] {
        match self {
            Self::In(list) | Self::NotIn(list) | Self::Masked(list) | Self::NotMasked(list) => list,
            Self::Otherwise => &[],
        }
    }

    /// How hard it is to read. Sets of values read more easily than masks, and what is in them than what is not.
    fn weight(&self) -> usize {
        let terms = self.list().len();
        let wide = self.list().iter().filter(|(low, high)| low < high).count();
        match self {
            Self::In(_) => terms * 2 + wide,
            Self::NotIn(_) => terms * 2 + wide + 1,
            Self::Masked(_) => terms * 6,
            Self::NotMasked(_) => terms * 6 + 1,
            Self::Otherwise => 0,
        }
    }

    fn first(&self) -> Option<(u64, u64)> {
        self.list().first().copied()
    }
}

/// Terms in the condition of one case, and cases in a decision, beyond which nobody reads on.
const MOST_TERMS: usize = 64;
const MOST_CASES: usize = 2048;
/// Steps spent on one description.
const MOST_STEPS: usize = 1 << 14;

/// Where the bits of a register are in the order: (first, how many, the register).
#[derive(Clone, Copy)]
struct Block {
    base: Var,
    bits: u32,
    register: Register,
}

impl Space {
    /// How the value comes about for the calls of a region.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn decision(&mut self, region: &Region) -> Result<Decision, Undecided> {
        let blocks = self.blocks();
        let mut cases_left = MOST_CASES;
        self.decide(region.rest, &blocks, &mut cases_left)
    }

    fn decide(&mut self, at: Ref, blocks: &[Block], cases_left: &mut usize) -> Result<Decision, Undecided> {
        self.arena.step()?;
        let var = self.arena.var(at);
        if var == TERMINAL {
            return Ok(Decision::Value(self.arena.node(at).low));
        }
        let within = |block: &&Block| {
            (block.base..block.base.saturating_add(u16::try_from(block.bits).unwrap_or(0))).contains(&var)
        };
        let split = blocks
            .iter()
            .find(within)
            .and_then(|block| self.split_block(at, *block));
        let Some((block, width, cases)) = split.filter(|(_, _, cases)| cases.len() <= *cases_left) else {
            let mut values = self.arena.leaves(at);
            values.sort_unstable();
            return Ok(Decision::Opaque(values));
        };
        *cases_left = cases_left.saturating_sub(cases.len());
        let decided = cases
            .into_iter()
            .map(|(condition, next)| Ok((condition, self.decide(next, blocks, cases_left)?)));
        let cases = decided.collect::<Result<_, Undecided>>()?;
        Ok(Decision::Split {
            register: block.register,
            width,
            cases,
        })
    }

    /// The registers whose bits stand in one row.
    fn blocks(&self) -> Vec<Block> {
        let lane = |word| self.arena.order().lane(word);
        let narrow = [(1, Register::Arch), (0, Register::Number)]
            .into_iter()
            .map(|(word, register)| {
                (lane(word).stride == 1).then_some(Block {
                    base: lane(word).base,
                    bits: 32,
                    register,
                })
            });
        let wide = (0..6)
            .map(|i| (i * 2 + 4, Register::Argument(i)))
            .chain([(2, Register::InstructionPointer)]);
        let wide = wide.map(|(first, register)| {
            let (high, low) = match self.machine().endian {
                Endian::Little => (lane(first + 1), lane(first)),
                Endian::Big => (lane(first), lane(first + 1)),
            };
            let together = high.stride == 1 && low.stride == 1 && low.base == high.base.saturating_add(32);
            together.then_some(Block {
                base: high.base,
                bits: 64,
                register,
            })
        });
        narrow.chain(wide).flatten().collect()
    }

    /// The cases that a register makes, with what follows each. `None` when some case takes too many words.
    fn split_block(&self, at: Ref, block: Block) -> Option<(Block, Width, Cases)> {
        let inside = self.inside(at, block);
        let (width, part) = narrowed(&inside, block);
        let mut exits: Vec<Ref> = Vec::new();
        for (_, low, high) in &inside {
            for child in [*low, *high] {
                if self.arena.var(child) > part.last() && !exits.contains(&child) {
                    exits.push(child);
                }
            }
            if exits.len() > MOST_TERMS {
                return None;
            }
        }
        let mut cases = Vec::new();
        for exit in &exits {
            cases.push((self.describe(at, part, *exit), *exit));
        }
        // The case that is hardest to describe is what the others leave.
        let hardest = (0..cases.len()).max_by_key(|case| {
            let condition = cases.get(*case).and_then(|(condition, _)| condition.as_ref());
            condition.map_or(usize::MAX, Condition::weight)
        })?;
        if cases
            .iter()
            .enumerate()
            .any(|(case, (condition, _))| case != hardest && condition.is_none())
        {
            return None;
        }
        let (_, default) = cases.remove(hardest);
        let mut cases: Vec<(Condition, Ref)> = cases
            .into_iter()
            .filter_map(|(condition, exit)| Some((condition?, exit)))
            .collect();
        cases.sort_by_key(|(condition, _)| condition.first());
        cases.push((Condition::Otherwise, default));
        Some((block, width, cases))
    }

    /// The nodes of a function that ask about a register, as (variable, low, high).
    fn inside(&self, at: Ref, block: Block) -> Vec<(Var, Ref, Ref)> {
        let end = block.last();
        let mut seen: Map<Ref, ()> = Map::default();
        let mut found = Vec::new();
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            let node = self.arena.node(at);
            if node.var <= end && seen.insert(at, ()).is_none() {
                let (low, high) = (Ref(node.low), Ref(node.high));
                found.push((node.var, low, high));
                waiting.extend([low, high]);
            }
        }
        found
    }

    /// The shortest description of the values that lead to an exit; `None` when all are too long.
    fn describe(&self, at: Ref, block: Block, exit: Ref) -> Option<Condition> {
        let (ranges, gaps) = self.ranges(at, block, exit);
        let candidates = [
            ranges.map(Condition::In),
            gaps.map(Condition::NotIn),
            self.paths(at, block, |end| end == exit).map(Condition::Masked),
            self.paths(at, block, |end| end != exit).map(Condition::NotMasked),
        ];
        candidates.into_iter().flatten().min_by_key(Condition::weight)
    }

    /// The values that lead to an exit as ranges, and those that do not; `None` for a list that is too long.
    fn ranges(&self, at: Ref, block: Block, exit: Ref) -> (Option<Pairs>, Option<Pairs>) {
        let (mut hits, mut misses) = (Some(Vec::new()), Some(Vec::new()));
        let mut waiting = vec![(at, 0_u32, 0_u64)];
        let mut steps = 0_usize;
        while let Some((at, bit, prefix)) = waiting.pop() {
            steps = steps.saturating_add(1);
            if steps > MOST_STEPS {
                return (None, None);
            }
            if self.arena.var(at) > block.last() {
                let high = prefix
                    | (u64::MAX >> 64_u32.saturating_sub(block.bits))
                        .checked_shr(bit)
                        .unwrap_or(0);
                let list = if at == exit { &mut hits } else { &mut misses };
                extend(list, prefix, high);
                if hits.is_none() && misses.is_none() {
                    break;
                }
                continue;
            }
            let (low, high) = self.arena.split(at, block.var(bit));
            let next = bit.saturating_add(1);
            waiting.push((high, next, prefix | block.bit(bit)));
            waiting.push((low, next, prefix));
        }
        (hits, misses)
    }

    /// The ways to wanted exits as (mask, value) pairs; `None` when they are too many.
    fn paths(&self, at: Ref, block: Block, wanted: impl Fn(Ref) -> bool) -> Option<Pairs> {
        let mut found = Vec::new();
        let mut waiting = vec![(at, 0_u64, 0_u64)];
        let mut steps = 0_usize;
        while let Some((at, mask, value)) = waiting.pop() {
            let node = self.arena.node(at);
            steps = steps.saturating_add(1);
            if steps > MOST_STEPS || found.len() > MOST_TERMS {
                return None;
            }
            if node.var > block.last() {
                if wanted(at) {
                    found.push((mask, value));
                }
                continue;
            }
            let bit = block.bit(u32::from(node.var.saturating_sub(block.base)));
            waiting.push((Ref(node.high), mask | bit, value | bit));
            waiting.push((Ref(node.low), mask | bit, value));
        }
        Some(found)
    }
}

type Cases = Vec<(Condition, Ref)>;
type Pairs = Vec<(u64, u64)>;

impl Block {
    fn last(self) -> Var {
        self.base
            .saturating_add(u16::try_from(self.bits.saturating_sub(1)).unwrap_or(0))
    }

    fn var(self, bit: u32) -> Var {
        self.base.saturating_add(u16::try_from(bit).unwrap_or(0))
    }

    /// The value of the bit at this distance from the most significant one.
    fn bit(self, bit: u32) -> u64 {
        1_u64
            .checked_shl(self.bits.saturating_sub(1).saturating_sub(bit))
            .unwrap_or(0)
    }
}

/// The half of a block that matters, if only one does.
fn narrowed(inside: &[(Var, Ref, Ref)], block: Block) -> (Width, Block) {
    if block.bits == 32 {
        return (Width::Low, block);
    }
    let half = block.base.saturating_add(32);
    if inside.iter().all(|(var, _, _)| *var >= half) {
        (
            Width::Low,
            Block {
                base: half,
                bits: 32,
                ..block
            },
        )
    } else if inside.iter().all(|(var, _, _)| *var < half) {
        (Width::High, Block { bits: 32, ..block })
    } else {
        (Width::Full, block)
    }
}

/// Adds a range to a list that is `None` once it is too long.
fn extend(list: &mut Option<Pairs>, low: u64, high: u64) {
    let Some(ranges) = list else { return };
    let full = ranges.len() >= MOST_TERMS;
    match ranges.last_mut() {
        Some((_, end)) if end.checked_add(1) == Some(low) => *end = high,
        _ if full => *list = None,
        _ => ranges.push((low, high)),
    }
}
