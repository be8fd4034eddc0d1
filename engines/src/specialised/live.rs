//! Which registers are still read, at each place of a program.

use callproof_vm::Insn;
use callproof_vm::isa::{Op, Src};

/// A register, or a cell of the scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    A,
    X,
    Cell(u32),
}

/// The registers that are read before they are written, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Live(u32);

impl Live {
    pub(super) const fn has(self, register: Register) -> bool {
        self.0 & bit(register) != 0
    }

    const fn with(self, register: Register) -> Self {
        Self(self.0 | bit(register))
    }

    const fn without(self, register: Register) -> Self {
        Self(self.0 & !bit(register))
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is read from an instruction on, of what is read behind it.
    const fn before(self, op: Op, k: u32) -> Self {
        use Register::{A, Cell, X};
        match op {
            Op::LdImm | Op::LdAbs(_) | Op::LdLen => self.without(A),
            Op::LdxImm | Op::LdxLen | Op::LdxMsh => self.without(X),
            Op::LdMem => self.without(A).with(Cell(k)),
            Op::LdxMem => self.without(X).with(Cell(k)),
            Op::LdInd(_) => self.without(A).with(X),
            Op::St => self.without(Cell(k)).with(A),
            Op::Stx => self.without(Cell(k)).with(X),
            Op::Tax => self.without(X).with(A),
            Op::Txa => self.without(A).with(X),
            Op::Neg | Op::Alu(_, Src::K) | Op::Jump(_, Src::K) => self.with(A),
            Op::Alu(_, Src::X) | Op::Jump(_, Src::X) => self.with(A).with(X),
            Op::Ja => self,
            Op::RetK => Self(0),
            Op::RetA => Self(0).with(A),
            Op::RetX => Self(0).with(X),
        }
    }
}

const fn bit(register: Register) -> u32 {
    match register {
        Register::Cell(cell) => 1 << (cell & 15),
        Register::A => 1 << 16,
        Register::X => 1 << 17,
    }
}

/// What is read from each place on. Jumps lead forward, so one pass from the end is enough.
pub(super) fn live(program: &[Insn]) -> Box<[Live]> {
    let mut live = vec![Live::default(); program.len()];
    for (pc, insn) in program.iter().enumerate().rev() {
        let next = (pc as u64).saturating_add(1);
        let (yes, no) = insn.targets(pc).unwrap_or((next, next));
        let at = |place: u64| usize::try_from(place).ok().and_then(|place| live.get(place)).copied();
        let behind = at(yes).unwrap_or_default().or(at(no).unwrap_or_default());
        if let (Some(live), Some(op)) = (live.get_mut(pc), insn.op()) {
            *live = behind.before(op, insn.k);
        }
    }
    live.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_first_is_not_read() {
        let program = [
            Insn::stmt(0x20, 16),      // ld [16]
            Insn::jump(0x15, 1, 0, 2), // jeq #1, the next, or else over the store
            Insn::stmt(0x02, 3),       // st M[3]
            Insn::stmt(0x05, 1),       // ja over the load
            Insn::stmt(0x20, 24),      // ld [24]
            Insn::stmt(0x61, 3),       // ldx M[3]
            Insn::stmt(0x0c, 0),       // add x
            Insn::stmt(0x16, 0),       // ret a
        ];
        let live = live(&program);
        let names = |place: usize| {
            [Register::A, Register::X, Register::Cell(3), Register::Cell(4)].map(|register| live[place].has(register))
        };
        assert_eq!(names(0), [false, false, true, false]);
        assert_eq!(names(1), [true, false, true, false]);
        assert_eq!(names(2), [true, false, false, false]);
        assert_eq!(names(4), [false, false, true, false]);
        assert_eq!(names(5), [true, false, true, false]);
        assert_eq!(names(6), [true, true, false, false]);
        assert_eq!(names(7), [true, false, false, false]);
    }
}
