//! Which calls a chain speaks of: the architecture words and the ranges of numbers it compares with.

use callproof_vm::isa::{Cond, Op, Size, Src};
use callproof_vm::{Filter, Insn};

/// The most architecture words and windows of numbers that get a table.
const MAX_ARCHES: usize = 4;
const MAX_WINDOWS: usize = 4;

/// Architecture words and windows of 512 numbers. A guess: calls outside of it are decided all the same, without a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) arches: Vec<u32>,
    /// Numbers divided by 512; the first one is 0
    pub(super) windows: Vec<u32>,
}

/// What `A` holds on the ways to an instruction that were seen so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// No way leads here
    Nothing,
    /// The number of the call, or the architecture word
    Number,
    Arch,
    Other,
}

impl Reach {
    pub(super) fn of(filters: &[Filter<'_>]) -> Self {
        let mut reach = Self {
            arches: Vec::new(),
            windows: vec![0],
        };
        for filter in filters {
            reach.look(filter.program());
        }
        reach
    }

    /// Takes down what is compared with the number and the architecture. Jumps lead forward, so one pass is enough.
    fn look(&mut self, program: &[Insn]) {
        let mut held = vec![Held::Nothing; program.len()];
        if let Some(first) = held.first_mut() {
            *first = Held::Other;
        }
        for (pc, insn) in program.iter().enumerate() {
            let before = held.get(pc).copied().unwrap_or(Held::Nothing);
            let after = match (insn.op(), before) {
                (_, Held::Nothing) => continue,
                (Some(Op::LdAbs(Size::Word)), _) => match insn.k {
                    0 => Held::Number,
                    4 => Held::Arch,
                    _ => Held::Other,
                },
                (Some(Op::Jump(Cond::Jeq, Src::K)), Held::Arch) => {
                    add(&mut self.arches, insn.k, MAX_ARCHES);
                    before
                }
                (Some(Op::Jump(_, Src::K)), Held::Number) => {
                    add(&mut self.windows, insn.k / 512, MAX_WINDOWS);
                    before
                }
                (Some(Op::Ja | Op::Jump(..) | Op::St | Op::Stx | Op::LdxImm | Op::LdxLen), _) => before,
                (Some(Op::RetK | Op::RetA), _) => continue,
                _ => Held::Other,
            };
            let next = (pc as u64).saturating_add(1);
            let (yes, no) = insn.targets(pc).unwrap_or((next, next));
            join(&mut held, yes, after);
            join(&mut held, no, after);
        }
    }
}

/// Takes note of one more way to a place.
fn join(held: &mut [Held], place: u64, with: Held) {
    let Some(held) = usize::try_from(place).ok().and_then(|place| held.get_mut(place)) else {
        return;
    };
    *held = match *held {
        Held::Nothing => with,
        same if same == with => same,
        _ => Held::Other,
    };
}

fn add(list: &mut Vec<u32>, item: u32, most: usize) {
    if list.len() < most && !list.contains(&item) {
        list.push(item);
    }
}
