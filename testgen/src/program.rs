//! Programs that the kernel installs.

use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Op, Operands, Size, Src, TABLE};
use callproof_vm::length::MAX_INSNS;

use crate::choose::Choose;
use crate::constants::{action_word, constant};

/// What a program is meant to exercise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Shape {
    /// Any instruction anywhere: short, with much dead code
    #[default]
    Mixed,
    /// Long chains of arithmetic, with few jumps and one return
    Straight,
    /// Scratch cells, jumps and returns, so that the kernel's linear pass decides what is allowed
    Scratch,
    /// Comparisons of loaded words that lead to action values, as policies are written
    Policy,
    /// Long enough that `ja` jumps over more than 255 instructions
    Far,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 5] = [Self::Mixed, Self::Straight, Self::Scratch, Self::Policy, Self::Far];
}

/// A program of some shape that the kernel installs, mostly of fewer than 50 instructions and rarely of up to 4,096.
pub fn program(choose: &mut impl Choose) -> Vec<Insn> {
    if choose.one_in(64) {
        let most = if choose.one_in(8) { 4096 } else { 900 };
        let len = choose.below(most).saturating_add(1);
        return program_of(Shape::Far, len as usize, choose);
    }
    let shape = choose.pick(&[
        Shape::Mixed,
        Shape::Straight,
        Shape::Policy,
        Shape::Scratch,
        Shape::Mixed,
        Shape::Straight,
        Shape::Policy,
    ]);
    let len = choose.below(48).saturating_add(1);
    program_of(shape, len as usize, choose)
}

/// A program of a given shape and length (made 1 to 4,096) that the kernel installs.
pub fn program_of(shape: Shape, len: usize, choose: &mut impl Choose) -> Vec<Insn> {
    let len = len.clamp(1, MAX_INSNS);
    let mut written = Written::new(len);
    let mut program = Vec::with_capacity(len);
    for pc in 0..len {
        let left = u32::try_from(len.saturating_sub(pc)).unwrap_or(0).saturating_sub(2);
        let op = if pc.saturating_add(1) == len {
            choose.pick(&[Some(Op::RetA), Some(Op::RetA), Some(Op::RetK)])
        } else {
            Some(operation(shape, choose))
        };
        let before = written.at(pc);
        let insn = instruction(op.unwrap_or(Op::RetA), shape, left, before, choose);
        written.step(pc, insn);
        program.push(insn);
    }
    program
}

/// The cells that the kernel's linear pass takes for written at each instruction.
struct Written {
    now: u16,
    at: Vec<u16>,
}

impl Written {
    fn new(len: usize) -> Self {
        Self {
            now: 0,
            at: vec![u16::MAX; len],
        }
    }

    fn at(&self, pc: usize) -> u16 {
        self.now & self.at.get(pc).copied().unwrap_or(u16::MAX)
    }

    fn step(&mut self, pc: usize, insn: Insn) {
        self.now = self.at(pc);
        if matches!(insn.op(), Some(Op::St | Op::Stx)) {
            self.now |= 1_u16.checked_shl(insn.k).unwrap_or(0);
        }
        if let Some((yes, no)) = insn.targets(pc) {
            for target in [yes, no] {
                let at = usize::try_from(target).ok().and_then(|target| self.at.get_mut(target));
                if let Some(at) = at {
                    *at &= self.now;
                }
            }
            self.now = u16::MAX;
        }
    }
}

/// What an instruction that is not the last does.
fn operation(shape: Shape, choose: &mut impl Choose) -> Op {
    match shape {
        Shape::Scratch => return choose.pick(&SCRATCH).unwrap_or(Op::St),
        Shape::Policy if !choose.one_in(6) => return choose.pick(&POLICY).unwrap_or(Op::RetK),
        _ if choose.one_in(6) => return Op::LdAbs(Size::Word),
        _ => {}
    }
    let op = accepted(choose);
    let rare = match op {
        // A return ends the run, and so does a division when X is still 0.
        Op::RetK | Op::RetA => shape == Shape::Straight || !choose.one_in(4),
        Op::Alu(Alu::Div, Src::X) => !choose.one_in(3),
        Op::Jump(..) | Op::Ja => shape == Shape::Straight && !choose.one_in(4),
        _ => false,
    };
    if rare { Op::Tax } else { op }
}

/// One of the 41 operations that seccomp accepts, each equally likely.
fn accepted(choose: &mut impl Choose) -> Op {
    let mut rows = TABLE.iter().filter(|row| row.seccomp);
    let count = u32::try_from(rows.clone().count()).unwrap_or(0);
    rows.nth(choose.below(count) as usize).map_or(Op::RetA, |row| row.op)
}

const SCRATCH: [Option<Op>; 12] = {
    use callproof_vm::isa::Cond;
    let jump = Some(Op::Jump(Cond::Jeq, Src::K));
    [
        Some(Op::St),
        Some(Op::LdMem),
        Some(Op::Stx),
        Some(Op::LdxMem),
        jump,
        jump,
        Some(Op::Ja),
        Some(Op::RetK),
        Some(Op::LdImm),
        Some(Op::LdAbs(Size::Word)),
        Some(Op::Alu(Alu::Add, Src::X)),
        Some(Op::Tax),
    ]
};

const POLICY: [Option<Op>; 10] = {
    use callproof_vm::isa::Cond;
    let load = Some(Op::LdAbs(Size::Word));
    let equal = Some(Op::Jump(Cond::Jeq, Src::K));
    [
        load,
        load,
        equal,
        equal,
        equal,
        Some(Op::Jump(Cond::Jgt, Src::K)),
        Some(Op::Jump(Cond::Jge, Src::K)),
        Some(Op::Jump(Cond::Jset, Src::K)),
        Some(Op::Alu(Alu::And, Src::K)),
        Some(Op::RetK),
    ]
};

/// An instruction that does this, with operands the kernel accepts. `left` is how far a jump may skip, `written` which
/// cells may be read. A load when nothing was written becomes a store.
fn instruction(op: Op, shape: Shape, left: u32, written: u16, choose: &mut impl Choose) -> Insn {
    let op = match op {
        Op::LdMem if written == 0 => Op::St,
        Op::LdxMem if written == 0 => Op::Stx,
        _ => op,
    };
    let code = TABLE.iter().find(|row| row.op == op).map_or(0x16, |row| row.code);
    let k = match op {
        Op::LdAbs(_) => choose.below(16).saturating_mul(4),
        Op::Alu(Alu::Div, Src::K) => constant(choose).max(1),
        Op::Alu(Alu::Lsh | Alu::Rsh, Src::K) => choose.below(32),
        Op::St | Op::Stx => scratch_cell(choose),
        Op::LdMem | Op::LdxMem => written_cell(written, choose),
        Op::Ja => distance(shape, left, choose),
        Op::RetK => action_word(choose),
        _ if uses_k(op) || choose.one_in(8) => constant(choose),
        _ => 0,
    };
    let (jt, jf) = match op {
        Op::Jump(..) => (branch(left, choose), branch(left, choose)),
        _ if choose.one_in(8) => (byte(choose.below(256)), byte(choose.below(256))),
        _ => (0, 0),
    };
    Insn::new(code, jt, jf, k)
}

fn uses_k(op: Op) -> bool {
    let row = TABLE.iter().find(|row| row.op == op);
    row.is_some_and(|row| matches!(row.operands, Operands::Imm | Operands::Branch(Src::K)))
}

/// Any cell, or one of few, so that paths meet in it.
fn scratch_cell(choose: &mut impl Choose) -> u32 {
    let bound = choose.pick(&[3, 16]);
    choose.below(bound)
}

fn written_cell(written: u16, choose: &mut impl Choose) -> u32 {
    let nth = choose.below(written.count_ones());
    let mut cells = (0..16).filter(|cell| written >> cell & 1 == 1);
    cells.nth(nth as usize).unwrap_or(0)
}

/// How far an unconditional jump skips: mostly a little, in far programs as far as there is room.
fn distance(shape: Shape, left: u32, choose: &mut impl Choose) -> u32 {
    let far = shape == Shape::Far && choose.one_in(4);
    let most = if far { left } else { left.min(6) };
    choose.below(most.saturating_add(1))
}

/// How far a branch skips: mostly a little, often nothing, sometimes as far as a branch can.
fn branch(left: u32, choose: &mut impl Choose) -> u8 {
    let most = if choose.one_in(8) { left.min(255) } else { left.min(8) };
    if choose.one_in(4) {
        return 0;
    }
    byte(choose.below(most.saturating_add(1)))
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bytes, Seed};
    use callproof_vm::Filter;
    use std::collections::BTreeMap;

    #[test]
    fn every_program_is_admitted_and_every_opcode_occurs() {
        let mut opcodes = BTreeMap::new();
        let (mut longest, mut farthest) = (0, 0);
        for number in 0..20_000 {
            let program = program(&mut Seed::new(1, number));
            if let Err(rejected) = Filter::load(&program[..]) {
                panic!("program {number}: {rejected}\n{program:?}");
            }
            for insn in &program {
                *opcodes.entry(insn.code).or_insert(0_u32) += 1;
            }
            longest = longest.max(program.len());
            let jumps = program.iter().filter(|insn| insn.code == 0x05);
            farthest = farthest.max(jumps.map(|insn| insn.k).max().unwrap_or(0));
        }
        assert_eq!(opcodes.len(), 41);
        assert!(opcodes.values().all(|&count| count > 500), "{opcodes:?}");
        assert!(longest > 3500, "{longest}");
        assert!(farthest > 2000, "{farthest}");
    }

    #[test]
    fn every_shape_has_the_length_asked_for() {
        for shape in Shape::ALL {
            for len in [0, 1, 2, 3, 17, 300, 4096, 5000] {
                let program = program_of(shape, len, &mut Seed::new(len as u64, 0));
                assert_eq!(program.len(), len.clamp(1, 4096));
                assert!(Filter::load(program).is_ok(), "{shape:?} {len}");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_simplest_program() {
        assert_eq!(program(&mut Bytes::new(&[])), [Insn::stmt(0x16, 0)]);
    }
}
