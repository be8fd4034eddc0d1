//! Steps, executed.

use callproof_vm::SeccompData;
use callproof_vm::isa::Src;

use super::switch::Goal;
use super::{Branch, Outcome, Program, Registers, Step};

/// What a filter returns that divides by X = 0, and what stands for a way out of the program that admission rules out.
const LEFT: u32 = 0;

impl Program {
    /// Runs the program from the start.
    #[inline(always)]
    pub(crate) fn run(&self, call: &SeccompData) -> Outcome {
        self.run_from(0, Registers::default(), call)
    }

    /// Runs the program from a place on, with these registers.
    ///
    /// The loop has the few steps that most calls consist of; a small loop is what makes it fast. The others are
    /// [`operate`](Self::operate)'s.
    #[inline(always)]
    pub(crate) fn run_from(&self, mut pc: u16, mut registers: Registers, call: &SeccompData) -> Outcome {
        let mut insns = 0_u32;
        let value = loop {
            let Some(step) = self.steps.get(usize::from(pc)) else {
                break LEFT;
            };
            match step {
                Step::Test(branch) => {
                    insns = insns.wrapping_add(u32::from(branch.insns));
                    (registers.a, pc) = branch.take(registers.a);
                }
                Step::LoadTest(place, branch) => {
                    insns = insns.wrapping_add(u32::from(branch.insns));
                    (registers.a, pc) = branch.take(place.word(call));
                }
                Step::LoadSwitch(place, number) => {
                    registers.a = place.word(call);
                    let goal = self.find(*number, registers.a);
                    insns = insns.wrapping_add(u32::from(goal.insns)).wrapping_add(1);
                    pc = goal.pc;
                }
                Step::Return(value) => {
                    insns = insns.wrapping_add(1);
                    break *value;
                }
                other => match self.operate(other, pc, &mut registers, call) {
                    Went::To(goal) => {
                        insns = insns.wrapping_add(u32::from(goal.insns));
                        pc = goal.pc;
                    }
                    Went::Out(value) => {
                        insns = insns.wrapping_add(1);
                        break value;
                    }
                },
            }
        };
        Outcome { value, insns }
    }

    /// What the other steps do.
    #[inline(never)]
    fn operate(&self, step: &Step, pc: u16, registers: &mut Registers, call: &SeccompData) -> Went {
        let Registers { a, x, cells } = registers;
        let cell = |cells: &[u32; 16], cell: u8| cells.get(usize::from(cell)).copied().unwrap_or(0);
        let to = |pc, insns| Went::To(Goal { pc, insns });
        match *step {
            Step::Switch(number) => return Went::To(self.find(number, *a)),
            Step::TestX(compare) => {
                return to(
                    if compare.cond.holds(*a, *x) {
                        compare.yes
                    } else {
                        compare.no
                    },
                    1,
                );
            }
            Step::Jump(target) => return to(target, 1),
            Step::ReturnA => return Went::Out(*a),
            Step::Load(place) => *a = place.word(call),
            Step::Constant(k) => *a = k,
            Step::ConstantX(k) => *x = k,
            Step::LoadCell(from) => *a = cell(cells, from),
            Step::LoadCellX(from) => *x = cell(cells, from),
            Step::Store(to) => store(cells, to, *a),
            Step::StoreX(to) => store(cells, to, *x),
            Step::ToX => *x = *a,
            Step::FromX => *a = *x,
            Step::Negate => *a = a.wrapping_neg(),
            Step::Alu(alu, k) => match alu.apply(*a, k, Src::K, self.shift) {
                Some(result) => *a = result,
                None => return Went::Out(LEFT),
            },
            Step::AluX(alu) => match alu.apply(*a, *x, Src::X, self.shift) {
                Some(result) => *a = result,
                None => return Went::Out(LEFT),
            },
            // The others are in the loop.
            Step::Test(_) | Step::LoadTest(..) | Step::LoadSwitch(..) | Step::Return(_) => return Went::Out(LEFT),
        }
        to(pc.wrapping_add(1), 1)
    }

    #[inline(always)]
    fn find(&self, number: u16, a: u32) -> Goal {
        // There is a switch of every number that a step names.
        let switch = self.switches.get(usize::from(number));
        switch.map_or(Goal { pc: u16::MAX, insns: 0 }, |switch| switch.find(a))
    }
}

/// Where a step leads.
enum Went {
    To(Goal),
    Out(u32),
}

impl Branch {
    #[inline(always)]
    const fn take(&self, word: u32) -> (u32, u16) {
        let a = word & self.keep;
        (a, if self.test.passes(a) { self.yes } else { self.no })
    }
}

fn store(cells: &mut [u32; 16], cell: u8, value: u32) {
    if let Some(cell) = cells.get_mut(usize::from(cell)) {
        *cell = value;
    }
}
