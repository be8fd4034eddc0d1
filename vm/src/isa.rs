//! The instruction set, as one table.
//!
//! Decoding, printing, admission, the converted length and program generators all read [`TABLE`]; there is no second
//! list of opcodes to keep in step. Source of the facts: `linux/bpf_common.h` for the encoding, the classic checker of
//! `net/core/filter.c` and the seccomp checker of `kernel/seccomp.c` for what is accepted (Linux 6.1 and 6.12 read,
//! 6.18 tried with all 65,536 opcodes), the classic-to-eBPF converter for the costs.

use crate::kernel::ShiftByX;

/// One row of the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode {
    /// The 16-bit opcode.
    pub code: u16,
    /// The word `bpf_asm` uses for it.
    pub mnemonic: &'static str,
    /// Which fields it uses, and how they are written.
    pub operands: Operands,
    /// What it does.
    pub op: Op,
    /// Accepted by the kernel's generic classic BPF checker (socket filters).
    pub classic: bool,
    /// Accepted in a seccomp filter.
    pub seccomp: bool,
    /// How many eBPF instructions the kernel converts it to.
    pub cost: Cost,
    /// One line of documentation.
    pub doc: &'static str,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `A = k`
    LdImm,
    /// `X = k`
    LdxImm,
    /// `A = ` the word, half or byte at offset `k`
    LdAbs(Size),
    /// `A = ` the word, half or byte at offset `X + k` (socket filters only)
    LdInd(Size),
    /// `A = ` the length of the data: always 64 in seccomp
    LdLen,
    /// `X = ` the length of the data: always 64 in seccomp
    LdxLen,
    /// `A = M[k]`
    LdMem,
    /// `X = M[k]`
    LdxMem,
    /// `X = 4 * (byte at k & 15)` (socket filters only)
    LdxMsh,
    /// `M[k] = A`
    St,
    /// `M[k] = X`
    Stx,
    /// `A = A op (k or X)`
    Alu(Alu, Src),
    /// `A = -A`
    Neg,
    /// skip `k` instructions
    Ja,
    /// skip `jt` or `jf` instructions
    Jump(Cond, Src),
    /// return `k`
    RetK,
    /// return `A`
    RetA,
    /// return `X` (no kernel accepts it)
    RetX,
    /// `X = A`
    Tax,
    /// `A = X`
    Txa,
}

/// An arithmetic or logical operation on 32-bit words, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alu {
    /// Addition
    Add,
    /// Subtraction
    Sub,
    /// Multiplication
    Mul,
    /// Unsigned division; by X = 0 the filter returns 0
    Div,
    /// Bitwise or
    Or,
    /// Bitwise and
    And,
    /// Shift left
    Lsh,
    /// Logical shift right
    Rsh,
    /// Unsigned remainder (socket filters only)
    Mod,
    /// Bitwise exclusive or
    Xor,
}

impl Alu {
    /// The result for two words, or `None` for a division by zero: the filter then returns 0.
    ///
    /// `src` tells where the second word comes from: a constant shift is what it says, and one by X follows the rule
    /// of the machine.
    #[must_use]
    #[inline]
    pub fn apply(self, a: u32, v: u32, src: Src, rule: ShiftByX) -> Option<u32> {
        let count = match src {
            Src::K => Some(v),
            Src::X => rule.count(v),
        };
        Some(match self {
            Self::Add => a.wrapping_add(v),
            Self::Sub => a.wrapping_sub(v),
            Self::Mul => a.wrapping_mul(v),
            Self::Div => return a.checked_div(v),
            Self::Mod => return a.checked_rem(v),
            Self::Or => a | v,
            Self::And => a & v,
            Self::Xor => a ^ v,
            Self::Lsh => count.and_then(|count| a.checked_shl(count)).unwrap_or(0),
            Self::Rsh => count.and_then(|count| a.checked_shr(count)).unwrap_or(0),
        })
    }
}

/// The test of a conditional jump. All comparisons are unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// `A == v`
    Jeq,
    /// `A > v`
    Jgt,
    /// `A >= v`
    Jge,
    /// `A & v != 0`
    Jset,
}

impl Cond {
    /// Whether the test is true of two words.
    #[must_use]
    #[inline]
    pub const fn holds(self, a: u32, v: u32) -> bool {
        match self {
            Self::Jeq => a == v,
            Self::Jgt => a > v,
            Self::Jge => a >= v,
            Self::Jset => a & v != 0,
        }
    }
}

/// Where the second operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Src {
    /// The constant
    K,
    /// The index register
    X,
}

/// The width of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// 32 bits
    Word,
    /// 16 bits (socket filters only)
    Half,
    /// 8 bits (socket filters only)
    Byte,
}

/// Which fields of an instruction mean something, and how `bpf_asm` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// nothing
    None,
    /// `#k`
    Imm,
    /// `a`
    A,
    /// `x`
    X,
    /// `#len`
    Len,
    /// `[k]`
    Abs,
    /// `[x+k]`
    Ind,
    /// `4*([k]&0xf)`
    Msh,
    /// `M[k]`
    Scratch,
    /// a jump distance in `k`
    Target,
    /// an operand and two jump distances in `jt` and `jf`
    Branch(Src),
}

/// How many eBPF instructions an instruction becomes (kernels since 4.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cost {
    /// Always this many
    Fixed(u8),
    /// One or two, and one more for a constant of 2^31 or above: see [`crate::length::converted_cost`]
    Conditional,
}

/// Looks an opcode up.
///
/// ```
/// use callproof_vm::isa;
/// assert_eq!(isa::lookup(0x15).map(|row| row.mnemonic), Some("jeq"));
/// assert_eq!(isa::lookup(0x0115), None);
/// ```
#[must_use]
pub fn lookup(code: u16) -> Option<&'static Opcode> {
    let row = *INDEX.get(usize::from(code))?;
    TABLE.get(usize::from(row))
}

/// What an opcode does, or `None` when no classic BPF instruction has it.
#[must_use]
pub fn decode(code: u16) -> Option<Op> {
    *OPS.get(usize::from(code))?
}

/// The instruction set: every opcode that the classic checker knows, and `ret x`, which has a name and no taker.
#[rustfmt::skip]
pub const TABLE: [Opcode; 50] = [
    row(0x00, "ld", Operands::Imm, Op::LdImm, 1, BOTH, "A = k"),
    row(0x01, "ldx", Operands::Imm, Op::LdxImm, 1, BOTH, "X = k"),
    row(0x02, "st", Operands::Scratch, Op::St, 1, BOTH, "M[k] = A"),
    row(0x03, "stx", Operands::Scratch, Op::Stx, 1, BOTH, "M[k] = X"),
    row(0x04, "add", Operands::Imm, Op::Alu(Alu::Add, Src::K), 1, BOTH, "A = A + k"),
    row(0x05, "ja", Operands::Target, Op::Ja, 1, BOTH, "skip k instructions"),
    row(0x06, "ret", Operands::Imm, Op::RetK, 2, BOTH, "return k"),
    row(0x07, "tax", Operands::None, Op::Tax, 1, BOTH, "X = A"),
    row(0x0c, "add", Operands::X, Op::Alu(Alu::Add, Src::X), 1, BOTH, "A = A + X"),
    row(0x0e, "ret", Operands::X, Op::RetX, 1, NEITHER, "return X: named, never accepted"),
    row(0x14, "sub", Operands::Imm, Op::Alu(Alu::Sub, Src::K), 1, BOTH, "A = A - k"),
    branch(0x15, "jeq", Cond::Jeq, Src::K, "A == k"),
    row(0x16, "ret", Operands::A, Op::RetA, 1, BOTH, "return A"),
    row(0x1c, "sub", Operands::X, Op::Alu(Alu::Sub, Src::X), 1, BOTH, "A = A - X"),
    branch(0x1d, "jeq", Cond::Jeq, Src::X, "A == X"),
    row(0x20, "ld", Operands::Abs, Op::LdAbs(Size::Word), 1, BOTH, "A = word at byte k"),
    row(0x24, "mul", Operands::Imm, Op::Alu(Alu::Mul, Src::K), 1, BOTH, "A = A * k"),
    branch(0x25, "jgt", Cond::Jgt, Src::K, "A > k"),
    row(0x28, "ldh", Operands::Abs, Op::LdAbs(Size::Half), 1, CLASSIC, "A = half at byte k"),
    row(0x2c, "mul", Operands::X, Op::Alu(Alu::Mul, Src::X), 1, BOTH, "A = A * X"),
    branch(0x2d, "jgt", Cond::Jgt, Src::X, "A > X"),
    row(0x30, "ldb", Operands::Abs, Op::LdAbs(Size::Byte), 1, CLASSIC, "A = byte at k"),
    row(0x34, "div", Operands::Imm, Op::Alu(Alu::Div, Src::K), 1, BOTH, "A = A / k, k not 0"),
    branch(0x35, "jge", Cond::Jge, Src::K, "A >= k"),
    row(0x3c, "div", Operands::X, Op::Alu(Alu::Div, Src::X), 5, BOTH, "A = A / X; the filter returns 0 when X is 0"),
    branch(0x3d, "jge", Cond::Jge, Src::X, "A >= X"),
    row(0x40, "ld", Operands::Ind, Op::LdInd(Size::Word), 1, CLASSIC, "A = word at byte X + k"),
    row(0x44, "or", Operands::Imm, Op::Alu(Alu::Or, Src::K), 1, BOTH, "A = A | k"),
    branch(0x45, "jset", Cond::Jset, Src::K, "A & k is not 0"),
    row(0x48, "ldh", Operands::Ind, Op::LdInd(Size::Half), 1, CLASSIC, "A = half at byte X + k"),
    row(0x4c, "or", Operands::X, Op::Alu(Alu::Or, Src::X), 1, BOTH, "A = A | X"),
    branch(0x4d, "jset", Cond::Jset, Src::X, "A & X is not 0"),
    row(0x50, "ldb", Operands::Ind, Op::LdInd(Size::Byte), 1, CLASSIC, "A = byte at X + k"),
    row(0x54, "and", Operands::Imm, Op::Alu(Alu::And, Src::K), 1, BOTH, "A = A & k"),
    row(0x5c, "and", Operands::X, Op::Alu(Alu::And, Src::X), 1, BOTH, "A = A & X"),
    row(0x60, "ld", Operands::Scratch, Op::LdMem, 1, BOTH, "A = M[k]"),
    row(0x61, "ldx", Operands::Scratch, Op::LdxMem, 1, BOTH, "X = M[k]"),
    row(0x64, "lsh", Operands::Imm, Op::Alu(Alu::Lsh, Src::K), 1, BOTH, "A = A << k, k below 32"),
    row(0x6c, "lsh", Operands::X, Op::Alu(Alu::Lsh, Src::X), 1, BOTH, "A = A << X; X of 32 and above depends on the backend"),
    row(0x74, "rsh", Operands::Imm, Op::Alu(Alu::Rsh, Src::K), 1, BOTH, "A = A >> k, k below 32"),
    row(0x7c, "rsh", Operands::X, Op::Alu(Alu::Rsh, Src::X), 1, BOTH, "A = A >> X; X of 32 and above depends on the backend"),
    row(0x80, "ld", Operands::Len, Op::LdLen, 1, BOTH, "A = 64"),
    row(0x81, "ldx", Operands::Len, Op::LdxLen, 1, BOTH, "X = 64"),
    row(0x84, "neg", Operands::None, Op::Neg, 1, BOTH, "A = -A"),
    row(0x87, "txa", Operands::None, Op::Txa, 1, BOTH, "A = X"),
    row(0x94, "mod", Operands::Imm, Op::Alu(Alu::Mod, Src::K), 1, CLASSIC, "A = A % k, k not 0"),
    row(0x9c, "mod", Operands::X, Op::Alu(Alu::Mod, Src::X), 5, CLASSIC, "A = A % X"),
    row(0xa4, "xor", Operands::Imm, Op::Alu(Alu::Xor, Src::K), 1, BOTH, "A = A ^ k"),
    row(0xac, "xor", Operands::X, Op::Alu(Alu::Xor, Src::X), 1, BOTH, "A = A ^ X"),
    row(0xb1, "ldxb", Operands::Msh, Op::LdxMsh, 1, CLASSIC, "X = 4 * (byte at k & 15)"),
];

/// Who accepts an opcode: (the classic checker, seccomp).
type Accepted = (bool, bool);
const BOTH: Accepted = (true, true);
const CLASSIC: Accepted = (true, false);
const NEITHER: Accepted = (false, false);

const fn row(
    code: u16,
    mnemonic: &'static str,
    operands: Operands,
    op: Op,
    cost: u8,
    (classic, seccomp): Accepted,
    doc: &'static str,
) -> Opcode {
    Opcode {
        code,
        mnemonic,
        operands,
        op,
        classic,
        seccomp,
        cost: Cost::Fixed(cost),
        doc,
    }
}

const fn branch(code: u16, mnemonic: &'static str, cond: Cond, src: Src, doc: &'static str) -> Opcode {
    Opcode {
        code,
        mnemonic,
        operands: Operands::Branch(src),
        op: Op::Jump(cond, src),
        classic: true,
        seccomp: true,
        cost: Cost::Conditional,
        doc,
    }
}

/// Row number by opcode, so that a look-up is one load. 255 stands for "no such instruction".
const INDEX: [u8; 256] = index();

/// What an opcode does, by opcode, so that decoding while evaluating is one load too.
const OPS: [Option<Op>; 256] = ops();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "runs at compile time, where an overflow or a wrong index is a build error"
)]
const fn index() -> [u8; 256] {
    let mut index = [u8::MAX; 256];
    let mut row = 0;
    while row < TABLE.len() {
        index[TABLE[row].code as usize] = row as u8;
        row += 1;
    }
    index
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs at compile time, where an overflow or a wrong index is a build error"
)]
const fn ops() -> [Option<Op>; 256] {
    let mut ops = [None; 256];
    let mut row = 0;
    while row < TABLE.len() {
        ops[TABLE[row].code as usize] = Some(TABLE[row].op);
        row += 1;
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in the specification, written down apart from the table.
    const SECCOMP: [u16; 41] = [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x2c,
        0x2d, 0x34, 0x35, 0x3c, 0x3d, 0x44, 0x45, 0x4c, 0x4d, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80,
        0x81, 0x84, 0x87, 0xa4, 0xac,
    ];

    #[test]
    fn every_opcode_is_accepted_or_not_as_specified() {
        for code in 0..=u16::MAX {
            let accepted = lookup(code).is_some_and(|row| row.seccomp);
            assert_eq!(accepted, SECCOMP.contains(&code), "{code:#06x}");
        }
        assert_eq!(TABLE.iter().filter(|row| row.classic).count(), 49);
    }

    #[test]
    fn rows_are_sorted_and_found() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(TABLE.iter().all(|row| lookup(row.code) == Some(row)));
        for code in 0..=u16::MAX {
            assert_eq!(decode(code), lookup(code).map(|row| row.op));
        }
    }
}
