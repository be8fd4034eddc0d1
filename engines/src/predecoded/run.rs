//! Steps, executed.

use callproof_vm::SeccompData;
use callproof_vm::isa::Src;

use super::switch::Goal;
use super::{Branch, Outcome, Program, Registers, Step};

/// What a filter returns that divides by X = 0, and what stands for a way out of the program that admission rules out.
const LEFT: u32 = 0;

impl Program {
    /// Runs the program from the start.
    #[inline]
    pub(crate) fn run(&self, call: &SeccompData) -> Outcome {
        self.run_from(0, &Registers::default(), call)
    }

    /// Runs the program from a place on, with these registers.
    pub(crate) fn run_from(&self, pc: u16, registers: &Registers, call: &SeccompData) -> Outcome {
        // Most filters have no scratch memory, and need none made.
        if self.cells {
            self.execute(pc, (registers.a, registers.x), registers.cells, call)
        } else {
            self.execute(pc, (registers.a, registers.x), [], call)
        }
    }

    #[inline(always)]
    fn execute<const CELLS: usize>(
        &self,
        mut pc: u16,
        (mut a, mut x): (u32, u32),
        mut cells: [u32; CELLS],
        call: &SeccompData,
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
                }
                Step::LoadTest(place, branch) => {
                    count(u32::from(branch.insns));
                    (a, pc) = branch.take(place.word(call));
                }
                Step::Switch(number) => {
                    let goal = self.find(*number, a);
                    count(u32::from(goal.insns));
                    pc = goal.pc;
                }
                Step::LoadSwitch(place, number) => {
                    a = place.word(call);
                    let goal = self.find(*number, a);
                    count(u32::from(goal.insns).wrapping_add(1));
                    pc = goal.pc;
                }
                Step::TestX(compare) => {
                    count(1);
                    pc = if compare.cond.holds(a, x) {
                        compare.yes
                    } else {
                        compare.no
                    };
                }
                Step::Jump(target) => {
                    count(1);
                    pc = *target;
                }
                Step::Return(value) => {
                    count(1);
                    break *value;
                }
                Step::ReturnA => {
                    count(1);
                    break a;
                }
                straight => {
                    count(1);
                    let Some((new_a, new_x)) = self.operate(straight, (a, x), &mut cells, call) else {
                        break LEFT;
                    };
                    (a, x, pc) = (new_a, new_x, pc.wrapping_add(1));
                }
            }
        };
        Outcome { value, insns }
    }

    /// What a step that does not jump leaves in `A` and `X`; nothing when it leaves the filter.
    #[inline(always)]
    fn operate(&self, step: &Step, (a, x): (u32, u32), cells: &mut [u32], call: &SeccompData) -> Option<(u32, u32)> {
        let cell = |cells: &[u32], cell: u8| cells.get(usize::from(cell)).copied().unwrap_or(0);
        Some(match *step {
            Step::Load(place) => (place.word(call), x),
            Step::Constant(k) => (k, x),
            Step::ConstantX(k) => (a, k),
            Step::LoadCell(from) => (cell(cells, from), x),
            Step::LoadCellX(from) => (a, cell(cells, from)),
            Step::Store(to) => {
                store(cells, to, a);
                (a, x)
            }
            Step::StoreX(to) => {
                store(cells, to, x);
                (a, x)
            }
            Step::ToX => (a, a),
            Step::FromX => (x, x),
            Step::Negate => (a.wrapping_neg(), x),
            Step::Alu(alu, k) => (alu.apply(a, k, Src::K, self.shift)?, x),
            Step::AluX(alu) => (alu.apply(a, x, Src::X, self.shift)?, x),
            // The others jump or return.
            _ => return None,
        })
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
fn store(cells: &mut [u32], cell: u8, value: u32) {
    if let Some(cell) = cells.get_mut(usize::from(cell)) {
        *cell = value;
    }
}
