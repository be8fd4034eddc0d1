//! What the bytes of a filter mean. `struct sock_filter`: code, jt, jf, k.

use alloc::vec::Vec;

use crate::Rejected;
use crate::format::{Machine, Op};
use crate::value::{Alu, Value};

/// One instruction. Jumps name where they lead, and that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Insn {
    /// Register := a constant or a word of the input
    Load(usize, Value),
    /// First register := second register
    Move(usize, usize),
    /// A := A op the constant, or X if there is none
    Alu(Alu, Option<u32>),
    /// A := -A
    Neg,
    Jump(usize),
    /// If A op the constant, or X if there is none, then the first, else the second
    Branch(Op, Option<u32>, [usize; 2]),
    /// Returns the constant, or A if there is none
    Return(Option<u32>),
}

/// Number of a register among all eighteen; scratch cells follow.
pub(crate) const A: usize = 0;
/// Number of the index register.
pub(crate) const X: usize = 1;
/// A, X and sixteen scratch cells.
pub(crate) const REGISTERS: usize = 18;

/// Decodes a filter.
///
/// Everything that the kernel refuses and that would have no meaning here is refused. That scratch is written before it
/// is read is not looked at: an unwritten cell is unknown, and nothing is proved about what depends on it.
pub(crate) fn decode(bytes: &[u8], length: u32, machine: &Machine) -> Result<Vec<Insn>, Rejected> {
    let (insns, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() || insns.len() != length as usize {
        return Err(Rejected::wrong("a filter is not as long as the proof says"));
    }
    let each = insns.iter().enumerate();
    each.map(|(pc, insn)| {
        let refused = || Rejected::wrong("the kernel does not install this instruction").near(pc);
        one(*insn, pc, insns.len(), machine).ok_or_else(refused)
    })
    .collect()
}

fn one(insn: [u8; 8], pc: usize, len: usize, machine: &Machine) -> Option<Insn> {
    let [c0, c1, jt, jf, k @ ..] = insn;
    let (code, k) = if machine.big_endian {
        (u16::from_be_bytes([c0, c1]), u32::from_be_bytes(k))
    } else {
        (u16::from_le_bytes([c0, c1]), u32::from_le_bytes(k))
    };
    let cell = || (k < 16).then_some((k as usize).saturating_add(2));
    let target = |distance: u32| {
        let target = pc.checked_add(1)?.checked_add(distance as usize)?;
        (target < len).then_some(target)
    };
    Some(match code {
        0x00 => Insn::Load(A, Value::Const(k)),
        0x01 => Insn::Load(X, Value::Const(k)),
        0x20 => Insn::Load(A, Value::word(word(k, machine.big_endian)?)),
        // BPF_LEN: the size of the record.
        0x80 => Insn::Load(A, Value::Const(64)),
        0x81 => Insn::Load(X, Value::Const(64)),
        0x60 => Insn::Move(A, cell()?),
        0x61 => Insn::Move(X, cell()?),
        0x02 => Insn::Move(cell()?, A),
        0x03 => Insn::Move(cell()?, X),
        0x07 => Insn::Move(X, A),
        0x87 => Insn::Move(A, X),
        0x84 => Insn::Neg,
        0x05 => Insn::Jump(target(k)?),
        0x06 => Insn::Return(Some(k)),
        0x16 => Insn::Return(None),
        0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
            let op = match code & 0xf0 {
                0x10 => Op::Eq,
                0x20 => Op::Gt,
                0x30 => Op::Ge,
                _ => Op::Set,
            };
            let constant = (code & 8 == 0).then_some(k);
            Insn::Branch(op, constant, [target(u32::from(jt))?, target(u32::from(jf))?])
        }
        _ => arithmetic(code, k)?,
    })
}

fn arithmetic(code: u16, k: u32) -> Option<Insn> {
    let op = match code & !8 {
        0x04 => Alu::Add,
        0x14 => Alu::Sub,
        0x24 => Alu::Mul,
        0x34 => Alu::Div,
        0x44 => Alu::Or,
        0x54 => Alu::And,
        0x64 => Alu::Lsh,
        0x74 => Alu::Rsh,
        0xa4 => Alu::Xor,
        _ => return None,
    };
    if code & 8 != 0 {
        return Some(Insn::Alu(op, None));
    }
    let allowed = match op {
        Alu::Div => k != 0,
        Alu::Lsh | Alu::Rsh => k < 32,
        _ => true,
    };
    allowed.then_some(Insn::Alu(op, Some(k)))
}

/// The word that lies at an offset of the record, in the variable order.
fn word(offset: u32, big_endian: bool) -> Option<u8> {
    if !offset.is_multiple_of(4) {
        return None;
    }
    let index = u8::try_from(offset / 4).ok()?;
    // Within a 64-bit field, the high half comes first in the variable order.
    let swap = u8::from(!big_endian);
    match index {
        0 => Some(1),
        1 => Some(0),
        2 | 3 => Some(index.saturating_add(12) ^ swap),
        4..16 => Some(index.saturating_sub(2) ^ swap),
        _ => None,
    }
}
