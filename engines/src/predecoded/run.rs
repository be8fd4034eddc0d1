//! Steps, executed.

use callproof_vm::isa::Src;

use super::switch::Goal;
use super::{Branch, Outcome, Program, Registers, Step};

/// What a filter returns that divides by X = 0, and what stands for a way out of the program that admission rules out.
const LEFT: u32 = 0;

impl Program {
    /// Runs the program from the start.
    #[inline]
    pub(crate) fn run(&self, words: &[u32; 16]) -> Outcome {
        self.run_from(0, Registers::default(), words)
    }

    /// Runs the program from a place on, with these registers.
    pub(crate) fn run_from(&self, pc: u16, registers: Registers, words: &[u32; 16]) -> Outcome {
        // Most filters have no scratch memory, and need none made.
        if self.cells {
            self.execute(pc, (registers.a, registers.x), registers.cells, words)
        } else {
            self.execute(pc, (registers.a, registers.x), [], words)
        }
    }

    #[inline(always)]
    fn execute<const CELLS: usize>(
        &self,
        mut pc: u16,
        (mut a, mut x): (u32, u32),
        mut cells: [u32; CELLS],
        words: &[u32; 16],
    ) -> Outcome {
        let mut insns = 0_u32;
        let mut count = |more: u32| insns = insns.wrapping_add(more);
        let value = loop {
            let Some(step) = self.steps.get(usize::from(pc)) else {
                break LEFT;
            };
            match step {
                Step::Test(branch) => {
                    count(u32::from(branch.insns));
                    (a, pc) = branch.take(a);
                    continue;
                }
                Step::LoadTest(index, branch) => {
                    count(u32::from(branch.insns));
                    (a, pc) = branch.take(word(words, *index));
                    continue;
                }
                Step::Switch(number) => {
                    let goal = self.find(*number, a);
                    count(u32::from(goal.insns));
                    pc = goal.pc;
                    continue;
                }
                Step::LoadSwitch(index, number) => {
                    a = word(words, *index);
                    let goal = self.find(*number, a);
                    count(u32::from(goal.insns).wrapping_add(1));
                    pc = goal.pc;
                    continue;
                }
                Step::TestX(compare) => {
                    count(1);
                    pc = if compare.cond.holds(a, x) {
                        compare.yes
                    } else {
                        compare.no
                    };
                    continue;
                }
                Step::Jump(target) => {
                    count(1);
                    pc = *target;
                    continue;
                }
                Step::Return(value) => {
                    count(1);
                    break *value;
                }
                Step::ReturnA => {
                    count(1);
                    break a;
                }
                Step::Load(index) => a = word(words, *index),
                Step::Constant(k) => a = *k,
                Step::ConstantX(k) => x = *k,
                Step::LoadCell(cell) => a = cells.get(usize::from(*cell)).copied().unwrap_or(0),
                Step::LoadCellX(cell) => x = cells.get(usize::from(*cell)).copied().unwrap_or(0),
                Step::Store(cell) => store(&mut cells, *cell, a),
                Step::StoreX(cell) => store(&mut cells, *cell, x),
                Step::ToX => x = a,
                Step::FromX => a = x,
                Step::Negate => a = a.wrapping_neg(),
                Step::Alu(alu, k) => a = alu.apply(a, *k, Src::K, self.shift).unwrap_or(LEFT),
                Step::AluX(alu) => match alu.apply(a, x, Src::X, self.shift) {
                    Some(result) => a = result,
                    None => {
                        count(1);
                        break LEFT;
                    }
                },
            }
            count(1);
            pc = pc.wrapping_add(1);
        };
        Outcome { value, insns }
    }

    #[inline(always)]
    fn find(&self, number: u16, a: u32) -> Goal {
        // There is a switch of every number that a step names.
        let switch = self.switches.get(usize::from(number));
        switch.map_or(Goal { pc: u16::MAX, insns: 0 }, |switch| switch.find(a))
    }
}

impl Branch {
    #[inline(always)]
    const fn take(&self, word: u32) -> (u32, u16) {
        let a = word & self.keep;
        (a, if self.test.passes(a) { self.yes } else { self.no })
    }
}

#[inline(always)]
fn word(words: &[u32; 16], index: u8) -> u32 {
    // The mask changes nothing: admission keeps the index below 16, and so the compiler knows it too.
    words.get(usize::from(index & 15)).copied().unwrap_or(0)
}

#[inline(always)]
fn store<const CELLS: usize>(cells: &mut [u32; CELLS], cell: u8, value: u32) {
    if let Some(cell) = cells.get_mut(usize::from(cell)) {
        *cell = value;
    }
}
