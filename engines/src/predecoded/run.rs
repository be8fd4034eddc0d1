//! Steps, executed.

use callproof_vm::isa::Src;

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
                &Step::Search { first, len, otherwise } => {
                    let (steps, goal) = self.search(a, first, len);
                    count(steps);
                    pc = goal.unwrap_or(otherwise);
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

    /// How many tests a search makes, and where it leads when one is true.
    #[inline]
    fn search(&self, a: u32, first: u16, len: u16) -> (u32, Option<u16>) {
        let (first, len) = (usize::from(first), usize::from(len));
        let keys = self
            .keys
            .get(first..)
            .and_then(|keys| keys.get(..len))
            .unwrap_or_default();
        match find(keys, a) {
            Some(at) => (
                tests(at.wrapping_add(1)),
                self.goals.get(first.wrapping_add(at)).copied(),
            ),
            None => (tests(len), None),
        }
    }
}

impl Branch {
    #[inline(always)]
    const fn take(&self, word: u32) -> (u32, u16) {
        let a = word & self.keep;
        (a, if self.test.passes(a) { self.yes } else { self.no })
    }
}

/// The first key that is equal, eight at a time: eight comparisons are a few vector instructions.
#[inline]
fn find(keys: &[u32], a: u32) -> Option<usize> {
    let (eights, rest) = keys.as_chunks::<8>();
    let hit = |eight: &[u32; 8]| eight.iter().fold(false, |hit, &key| hit | (key == a));
    if let Some(at) = eights.iter().position(hit) {
        let eight = eights.get(at)?;
        let within = eight.iter().position(|&key| key == a)?;
        return at.checked_mul(8)?.checked_add(within);
    }
    let within = rest.iter().position(|&key| key == a)?;
    keys.len().checked_sub(rest.len())?.checked_add(within)
}

/// A chain has at most 4,096 tests.
fn tests(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
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
