//! One classic BPF instruction, as `struct sock_filter` lays it out in memory.

use core::fmt;

use crate::data::Endian;
use crate::isa::{self, Op, Operands, Src};

/// One instruction: `struct sock_filter` of `linux/filter.h`, 8 bytes.
///
/// Every bit pattern is an `Insn`. Whether the kernel accepts it is the question that
/// [`Filter::load`](crate::Filter::load) answers. Fields an instruction does not use are kept as they are: the kernel
/// neither checks them nor changes them (`PTRACE_SECCOMP_GET_FILTER` returns them verbatim).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Insn {
    /// The opcode. Only the low eight bits are ever used by an instruction the kernel accepts.
    pub code: u16,
    /// How many instructions to skip when a conditional jump's test is true.
    pub jt: u8,
    /// How many instructions to skip when a conditional jump's test is false.
    pub jf: u8,
    /// The constant: an operand, a byte offset, a scratch index, a jump distance or a return value.
    pub k: u32,
}

impl Insn {
    /// Size of an instruction in memory, in bytes.
    pub const SIZE: usize = 8;

    /// An instruction with every field given.
    #[must_use]
    pub const fn new(code: u16, jt: u8, jf: u8, k: u32) -> Self {
        Self { code, jt, jf, k }
    }

    /// An instruction that does not jump: `BPF_STMT` of `linux/filter.h`.
    #[must_use]
    pub const fn stmt(code: u16, k: u32) -> Self {
        Self::new(code, 0, 0, k)
    }

    /// A conditional jump: `BPF_JUMP` of `linux/filter.h`.
    #[must_use]
    pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Self {
        Self::new(code, jt, jf, k)
    }

    /// Reads the 8 bytes of a `struct sock_filter` on a machine of the given byte order.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8], endian: Endian) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = bytes;
        match endian {
            Endian::Little => Self::new(
                u16::from_le_bytes([c0, c1]),
                jt,
                jf,
                u32::from_le_bytes([k0, k1, k2, k3]),
            ),
            Endian::Big => Self::new(
                u16::from_be_bytes([c0, c1]),
                jt,
                jf,
                u32::from_be_bytes([k0, k1, k2, k3]),
            ),
        }
    }

    /// The 8 bytes of this `struct sock_filter` on a machine of the given byte order.
    #[must_use]
    pub const fn to_bytes(self, endian: Endian) -> [u8; 8] {
        let ([c0, c1], [k0, k1, k2, k3]) = match endian {
            Endian::Little => (self.code.to_le_bytes(), self.k.to_le_bytes()),
            Endian::Big => (self.code.to_be_bytes(), self.k.to_be_bytes()),
        };
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }

    /// What the instruction does, or `None` when no classic BPF instruction has this opcode.
    #[must_use]
    pub fn op(self) -> Option<Op> {
        isa::decode(self.code)
    }

    /// Where a jump at `pc` may go: (when true, when false), which are equal for `ja`. `None` for anything else.
    ///
    /// Targets are not checked against a program's length, and are computed without wrapping.
    #[must_use]
    pub fn targets(self, pc: usize) -> Option<(u64, u64)> {
        let next = (pc as u64).saturating_add(1);
        match self.op()? {
            Op::Ja => {
                let to = next.saturating_add(u64::from(self.k));
                Some((to, to))
            }
            Op::Jump(..) => Some((
                next.saturating_add(u64::from(self.jt)),
                next.saturating_add(u64::from(self.jf)),
            )),
            _ => None,
        }
    }

    /// Prints the instruction in `bpf_asm` words, with the jump targets it has at `pc` as instruction numbers.
    ///
    /// ```
    /// use callproof_vm::Insn;
    /// assert_eq!(Insn::jump(0x15, 59, 0, 3).at(7).to_string(), "jeq #0x3b, 8, 11");
    /// assert_eq!(Insn::stmt(0xfe, 1).at(0).to_string(), "unknown opcode 0x00fe");
    /// ```
    #[must_use]
    pub const fn at(self, pc: usize) -> InsnAt {
        InsnAt { insn: self, pc }
    }
}

impl fmt::Debug for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, jt, jf, k } = self;
        write!(f, "{{ {code:#06x}, {jt}, {jf}, {k:#010x} }}")
    }
}

/// An instruction together with its place, ready to print. Made by [`Insn::at`].
#[derive(Clone, Copy, Debug)]
pub struct InsnAt {
    insn: Insn,
    pc: usize,
}

impl fmt::Display for InsnAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Insn { code, k, .. } = self.insn;
        let Some(row) = isa::lookup(code) else {
            return write!(f, "unknown opcode {code:#06x}");
        };
        f.write_str(row.mnemonic)?;
        let (yes, no) = self.insn.targets(self.pc).unwrap_or_default();
        match row.operands {
            Operands::None => Ok(()),
            Operands::Imm => write!(f, " #{k:#x}"),
            Operands::A => f.write_str(" a"),
            Operands::X => f.write_str(" x"),
            Operands::Len => f.write_str(" #len"),
            Operands::Abs => write!(f, " [{k}]"),
            Operands::Ind => write!(f, " [x+{k}]"),
            Operands::Msh => write!(f, " 4*([{k}]&0xf)"),
            Operands::Scratch => write!(f, " M[{k}]"),
            Operands::Target => write!(f, " {yes}"),
            Operands::Branch(Src::K) => write!(f, " #{k:#x}, {yes}, {no}"),
            Operands::Branch(Src::X) => write!(f, " x, {yes}, {no}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn bytes_follow_the_byte_order() {
        let insn = Insn::new(0x0106, 2, 3, 0x7fff_0001);
        assert_eq!(insn.to_bytes(Endian::Little), [6, 1, 2, 3, 1, 0, 0xff, 0x7f]);
        assert_eq!(insn.to_bytes(Endian::Big), [1, 6, 2, 3, 0x7f, 0xff, 0, 1]);
        for endian in [Endian::Little, Endian::Big] {
            assert_eq!(Insn::from_bytes(insn.to_bytes(endian), endian), insn);
        }
    }

    #[test]
    fn prints_every_operand_form() {
        let shown = |code, k| Insn::new(code, 1, 2, k).at(3).to_string();
        assert_eq!(shown(0x20, 4), "ld [4]");
        assert_eq!(shown(0x28, 4), "ldh [4]");
        assert_eq!(shown(0x50, 4), "ldb [x+4]");
        assert_eq!(shown(0x00, 4), "ld #0x4");
        assert_eq!(shown(0x81, 4), "ldx #len");
        assert_eq!(shown(0xb1, 4), "ldxb 4*([4]&0xf)");
        assert_eq!(shown(0x61, 4), "ldx M[4]");
        assert_eq!(shown(0x03, 4), "stx M[4]");
        assert_eq!(shown(0x07, 4), "tax");
        assert_eq!(shown(0x84, 4), "neg");
        assert_eq!(shown(0x0c, 4), "add x");
        assert_eq!(shown(0x16, 4), "ret a");
        assert_eq!(shown(0x06, 4), "ret #0x4");
        assert_eq!(shown(0x05, 4), "ja 8");
        assert_eq!(shown(0x05, u32::MAX), "ja 4294967299");
        assert_eq!(shown(0x1d, 4), "jeq x, 5, 6");
    }
}
