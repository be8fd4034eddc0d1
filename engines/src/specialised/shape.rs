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

    /// Takes down what is compared with the number and the architecture, reading from the top as if nothing jumped.
    fn look(&mut self, program: &[Insn]) {
        let mut loaded = None;
        for insn in program {
            match (insn.op(), loaded) {
                (Some(Op::LdAbs(Size::Word)), _) => loaded = Some(insn.k),
                (Some(Op::Jump(Cond::Jeq, Src::K)), Some(4)) => add(&mut self.arches, insn.k, MAX_ARCHES),
                (Some(Op::Jump(_, Src::K)), Some(0)) => add(&mut self.windows, insn.k / 512, MAX_WINDOWS),
                _ => {}
            }
        }
    }
}

fn add(list: &mut Vec<u32>, item: u32, most: usize) {
    if list.len() < most && !list.contains(&item) {
        list.push(item);
    }
}
