//! What a filter makes of call numbers before it looks at anything else.

use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Cond, Op, Size, Src};

/// What is left to do when the number and the architecture word have been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rest {
    /// Nothing: this is returned
    Returns(u32),
    /// The instructions from here on, with whatever is in the registers
    From(usize),
}

/// The way of a number through a filter, up to the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) rest: Rest,
    /// Instructions executed before the rest begins; all of them when nothing is left
    pub(super) insns: u64,
}

/// Numbers with the same rest, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) rest: Rest,
}

impl Piece {
    /// How many numbers.
    pub(super) fn width(&self) -> u64 {
        u64::from(self.last.saturating_sub(self.first)).saturating_add(1)
    }
}

/// A filter whose way through the numbers is looked at.
pub(super) struct Shape<'p> {
    program: &'p [Insn],
    /// Whether only the accumulator is ever used, so that a load is the beginning of something new
    plain: bool,
}

impl<'p> Shape<'p> {
    pub(super) fn new(program: &'p [Insn]) -> Self {
        let only_a = |insn: &Insn| match insn.op() {
            Some(Op::LdImm | Op::LdAbs(_) | Op::Ja | Op::RetK | Op::RetA | Op::Neg | Op::LdLen) => true,
            Some(Op::Alu(_, src) | Op::Jump(_, src)) => src == Src::K,
            _ => false,
        };
        Self {
            program,
            plain: program.iter().all(only_a),
        }
    }

    /// Follows a number as far as nothing else matters.
    pub(super) fn walk(&self, arch: u32, nr: u32) -> Walk {
        let (mut pc, mut a, mut insns) = (0_usize, 0_u32, 0_u64);
        let from_start = Walk {
            rest: Rest::From(0),
            insns: 0,
        };
        while let Some(&insn) = self.program.get(pc) {
            let k = insn.k;
            let skip = match insn.op() {
                Some(Op::LdAbs(Size::Word)) if k == 0 || k == 4 => {
                    a = if k == 0 { nr } else { arch };
                    0
                }
                Some(Op::LdAbs(Size::Word)) if self.plain => {
                    let rest = Rest::From(pc);
                    return Walk { rest, insns };
                }
                Some(Op::Alu(Alu::And, Src::K)) => {
                    a &= k;
                    0
                }
                Some(Op::Ja) => k,
                Some(Op::Jump(cond, Src::K)) => u32::from(if holds(cond, a, k) { insn.jt } else { insn.jf }),
                Some(Op::RetK) => {
                    return Walk {
                        rest: Rest::Returns(k),
                        insns: insns.saturating_add(1),
                    };
                }
                _ => return from_start,
            };
            insns = insns.saturating_add(1);
            pc = pc.saturating_add(1).saturating_add(skip as usize);
        }
        from_start
    }

    /// All numbers, in pieces with the same rest, as far as looking at one number between any two constants of the
    /// program tells. Whoever builds something of them proves it afterwards.
    pub(super) fn pieces(&self, arch: u32) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let starts = self.starts();
        let ends = starts.iter().skip(1).map(|next| next.saturating_sub(1));
        for (&first, last) in starts.iter().zip(ends.chain([u32::MAX])) {
            let rest = self.walk(arch, first).rest;
            match pieces.last_mut() {
                Some(before) if before.rest == rest => before.last = last,
                _ => pieces.push(Piece { first, last, rest }),
            }
        }
        pieces
    }

    /// Where the way of a number may change.
    fn starts(&self) -> Vec<u32> {
        /// A mask that cuts numbers into more pieces than this is left to the proof.
        const MOST: u32 = 256;
        let mut starts = vec![0];
        for insn in self.program {
            match insn.op() {
                Some(Op::Jump(Cond::Jset, Src::K)) | Some(Op::Alu(Alu::And, Src::K)) => {
                    let step = 1_u32.checked_shl(insn.k.trailing_zeros()).unwrap_or(u32::MAX);
                    let multiples = (1..MOST).map_while(|times| step.checked_mul(times));
                    starts.extend(multiples);
                }
                Some(Op::Jump(_, Src::K)) => starts.extend([Some(insn.k), insn.k.checked_add(1)].into_iter().flatten()),
                _ => {}
            }
        }
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

const fn holds(cond: Cond, a: u32, k: u32) -> bool {
    match cond {
        Cond::Jeq => a == k,
        Cond::Jgt => a > k,
        Cond::Jge => a >= k,
        Cond::Jset => a & k != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_numbers_with_the_same_rest() {
        let program = [
            Insn::stmt(0x20, 0),
            Insn::jump(0x35, 0x4000_0000, 3, 0),
            Insn::jump(0x15, 1, 0, 1),
            Insn::stmt(0x20, 16),
            Insn::stmt(0x06, 0x7fff_0000),
            Insn::stmt(0x06, 0),
        ];
        let shape = Shape::new(&program);
        let piece = |first, last, rest| Piece { first, last, rest };
        assert_eq!(
            shape.pieces(0),
            [
                piece(0, 0, Rest::Returns(0x7fff_0000)),
                piece(1, 1, Rest::From(3)),
                piece(2, 0x3fff_ffff, Rest::Returns(0x7fff_0000)),
                piece(0x4000_0000, u32::MAX, Rest::Returns(0)),
            ]
        );
        assert_eq!(shape.walk(0, 1).insns, 3);
        assert_eq!(shape.walk(0, 2).insns, 4);
    }

    #[test]
    fn what_the_registers_hold_is_not_guessed() {
        let program = [
            Insn::stmt(0x01, 7),
            Insn::stmt(0x20, 16),
            Insn::jump(0x1d, 0, 0, 1),
            Insn::stmt(0x06, 1),
            Insn::stmt(0x06, 0),
        ];
        assert_eq!(Shape::new(&program).walk(0, 1).rest, Rest::From(0));
    }
}
