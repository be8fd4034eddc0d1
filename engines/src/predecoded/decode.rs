//! Instructions to steps.

use callproof_vm::isa::{Alu, Op, Size, Src};
use callproof_vm::{Endian, Insn, Machine};

use super::switch::switches;
use super::{Branch, Compare, Program, Step};
use crate::place::Place;
use crate::test::Test;

impl Program {
    /// Decodes an admitted program.
    pub(super) fn new(program: &[Insn], machine: Machine) -> Self {
        let (switches, places) = switches(program);
        let switch = |pc: usize| places.get(pc).copied().flatten();
        let steps = (0..program.len()).map(|pc| match switch(pc) {
            Some(number) => Step::Switch(number),
            None => step(program, pc, switch(pc.saturating_add(1)), machine.endian),
        });
        Self {
            steps: steps.collect(),
            switches: switches.into(),
            shift: machine.shift,
        }
    }
}

/// The step at a place, which may take in the instructions behind it. `next` is the switch that begins behind it.
fn step(program: &[Insn], pc: usize, next: Option<u16>, endian: Endian) -> Step {
    let Some(insn) = program.get(pc) else {
        return Step::Return(0);
    };
    let after = pc.saturating_add(1);
    let place = Place::new(low(insn.k / 4), endian);
    match (insn.op(), next) {
        (Some(Op::LdAbs(Size::Word)), Some(number)) => Step::LoadSwitch(place, number),
        (Some(Op::LdAbs(Size::Word)), None) => match masked(program, after, 1) {
            Some(branch) => Step::LoadTest(place, branch),
            None => Step::Load(place),
        },
        (_, Some(_)) => plain(*insn, pc),
        (_, None) => masked(program, pc, 0).map_or_else(|| plain(*insn, pc), Step::Test),
    }
}

/// The test at a place, perhaps behind an `and`, with this many instructions before it.
fn masked(program: &[Insn], pc: usize, before: u8) -> Option<Branch> {
    let insn = program.get(pc)?;
    let (keep, at, insns) = match insn.op()? {
        Op::Alu(Alu::And, Src::K) => (insn.k, pc.saturating_add(1), before.saturating_add(2)),
        _ => (u32::MAX, pc, before.saturating_add(1)),
    };
    let insn = program.get(at)?;
    let Op::Jump(cond, Src::K) = insn.op()? else {
        return None;
    };
    let (yes, no) = targets(*insn, at);
    Some(Branch {
        keep,
        test: Test::new(cond, insn.k),
        yes,
        no,
        insns,
    })
}

/// The step of one instruction.
fn plain(insn: Insn, pc: usize) -> Step {
    let k = insn.k;
    match insn.op() {
        Some(Op::LdImm) => Step::Constant(k),
        Some(Op::LdxImm) => Step::ConstantX(k),
        Some(Op::LdLen) => Step::Constant(RECORD_LEN),
        Some(Op::LdxLen) => Step::ConstantX(RECORD_LEN),
        Some(Op::LdMem) => Step::LoadCell(low(k)),
        Some(Op::LdxMem) => Step::LoadCellX(low(k)),
        Some(Op::St) => Step::Store(low(k)),
        Some(Op::Stx) => Step::StoreX(low(k)),
        Some(Op::Tax) => Step::ToX,
        Some(Op::Txa) => Step::FromX,
        Some(Op::Neg) => Step::Negate,
        Some(Op::Alu(alu, Src::K)) => Step::Alu(alu, k),
        Some(Op::Alu(alu, Src::X)) => Step::AluX(alu),
        Some(Op::Ja) => Step::Jump(targets(insn, pc).0),
        Some(Op::Jump(cond, _)) => {
            let (yes, no) = targets(insn, pc);
            Step::TestX(Compare { cond, yes, no })
        }
        Some(Op::RetK) => Step::Return(k),
        Some(Op::RetA) => Step::ReturnA,
        // Loads are decoded above, and admission refuses the others.
        Some(Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh | Op::RetX) | None => Step::Return(0),
    }
}

/// What the length instructions load: the size of the record.
pub(crate) const RECORD_LEN: u32 = 64;

/// Where a jump leads. Admission keeps it inside a program of at most 4,096 instructions.
pub(super) fn targets(insn: Insn, pc: usize) -> (u16, u16) {
    let (yes, no) = insn.targets(pc).unwrap_or_default();
    let inside = |target: u64| u16::try_from(target).unwrap_or(u16::MAX);
    (inside(yes), inside(no))
}

/// The index of a word or cell, which admission keeps below 16.
fn low(index: u32) -> u8 {
    let [index, ..] = index.to_le_bytes();
    index
}
