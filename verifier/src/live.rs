//! Which registers and scratch cells still matter at each instruction.
//!
//! States that differ only in what nobody reads any more are one state: without this, paths that meet would not.

use callproof_vm::Insn;
use callproof_vm::isa::{Op, Src};

/// A set of registers and cells: bit 0 is A, bit 1 X, bits 2 to 17 the scratch cells.
pub(crate) type Live = u32;

pub(crate) const A: Live = 1;
pub(crate) const X: Live = 2;
/// Every scratch cell
pub(crate) const CELLS: Live = 0x3_fffc;

/// What is live before each instruction.
pub(crate) fn liveness(program: &[Insn]) -> Vec<Live> {
    let mut live = vec![0; program.len().saturating_add(1)];
    for (pc, insn) in program.iter().enumerate().rev() {
        let after = |skip: u32| {
            let target = pc.saturating_add(1).saturating_add(skip as usize);
            live.get(target).copied().unwrap_or(0)
        };
        let before = before(*insn, after);
        if let Some(slot) = live.get_mut(pc) {
            *slot = before;
        }
    }
    live
}

fn before(insn: Insn, after: impl Fn(u32) -> Live) -> Live {
    let cell = |k: u32| 4_u32.checked_shl(k).unwrap_or(0);
    let Some(op) = insn.op() else { return 0 };
    match op {
        Op::LdImm | Op::LdAbs(_) | Op::LdLen => after(0) & !A,
        Op::LdxImm | Op::LdxLen => after(0) & !X,
        Op::LdMem => (after(0) & !A) | cell(insn.k),
        Op::LdxMem => (after(0) & !X) | cell(insn.k),
        Op::St => (after(0) & !cell(insn.k)) | A,
        Op::Stx => (after(0) & !cell(insn.k)) | X,
        Op::Tax => (after(0) & !X) | A,
        Op::Txa => (after(0) & !A) | X,
        Op::Alu(_, Src::X) => after(0) | A | X,
        Op::Alu(_, Src::K) | Op::Neg => after(0) | A,
        Op::Ja => after(insn.k),
        Op::Jump(_, src) => {
            let used = if src == Src::X { A | X } else { A };
            after(u32::from(insn.jt)) | after(u32::from(insn.jf)) | used
        }
        Op::RetA => A,
        Op::RetK | Op::RetX | Op::LdInd(_) | Op::LdxMsh => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_from_its_last_reader_back_to_its_writer() {
        let program = [
            Insn::stmt(0x20, 0),
            Insn::stmt(0x02, 3),
            Insn::stmt(0x07, 0),
            Insn::stmt(0x20, 4),
            Insn::jump(0x1d, 0, 0, 1),
            Insn::stmt(0x06, 0),
            Insn::stmt(0x60, 3),
            Insn::stmt(0x16, 0),
        ];
        let cell = 4 << 3;
        assert_eq!(
            liveness(&program)[..8],
            [0, A, A | cell, X | cell, A | X | cell, 0, cell, A]
        );
    }
}
