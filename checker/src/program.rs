//! What the bytes of a filter mean. `struct sock_filter`: code, jt, jf, k.

use alloc::vec::Vec;

use crate::Rejected;
use crate::format::{Machine, Op};
use crate::value::Alu;

/// One instruction. Jumps name where they lead, and that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Insn {
    /// Register := constant
    Const(usize, u32),
    /// A := word of the input, numbered as in the variable order
    Word(u8),
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

/// What one instruction does.
#[derive(Debug)]
pub(crate) struct Effect<V> {
    /// Which register gets which value
    pub(crate) set: Option<(usize, V)>,
    /// The comparison that decides where it leads, or whether a shift is by 32 or more
    pub(crate) test: Option<(Op, V, V)>,
    /// Where it leads if the comparison holds, and if not or if there is none. A division by zero leads nowhere: the
    /// filter returns 0
    pub(crate) ways: [Option<usize>; 2],
    pub(crate) returned: Option<V>,
}

/// What registers hold, and how that is computed.
pub(crate) trait Meaning {
    type Value: Copy;
    fn constant(&self, k: u32) -> Self::Value;
    fn word(&self, number: u8) -> Self::Value;
    fn alu(&mut self, op: Alu, a: Self::Value, b: Self::Value) -> Self::Value;
}

impl Insn {
    pub(crate) fn effect<M: Meaning>(self, pc: usize, held: &[M::Value; REGISTERS], by: &mut M) -> Effect<M::Value> {
        let next = Some(pc.saturating_add(1));
        let get = |register: usize| held.get(register).copied().unwrap_or(by.constant(0));
        let (a, x) = (get(A), get(X));
        let zero = by.constant(0);
        let mut effect = Effect {
            set: None,
            test: None,
            ways: [None, next],
            returned: None,
        };
        match self {
            Self::Const(register, k) => effect.set = Some((register, by.constant(k))),
            Self::Word(number) => effect.set = Some((A, by.word(number))),
            Self::Move(to, from) => effect.set = Some((to, get(from))),
            Self::Neg => effect.set = Some((A, by.alu(Alu::Sub, zero, a))),
            Self::Alu(op, k) => {
                let other = k.map_or(x, |k| by.constant(k));
                effect.set = Some((A, by.alu(op, a, other)));
                match (op, k) {
                    (Alu::Div, None) => effect.test = Some((Op::Eq, x, zero)),
                    (Alu::Lsh | Alu::Rsh, None) => {
                        effect.test = Some((Op::Ge, x, by.constant(32)));
                        effect.ways = [next, next];
                    }
                    _ => {}
                }
            }
            Self::Jump(target) => effect.ways = [None, Some(target)],
            Self::Branch(op, k, targets) => {
                effect.test = Some((op, a, k.map_or(x, |k| by.constant(k))));
                effect.ways = targets.map(Some);
            }
            Self::Return(k) => {
                effect.returned = Some(k.map_or(a, |k| by.constant(k)));
                effect.ways = [None, None];
            }
        }
        effect
    }
}

/// Number of a register among all eighteen; scratch cells follow.
pub(crate) const A: usize = 0;
/// Number of the index register.
pub(crate) const X: usize = 1;
/// A, X and sixteen scratch cells.
pub(crate) const REGISTERS: usize = 18;
/// Most instructions of a filter.
const MOST_INSNS: usize = 4096;

/// Decodes a filter.
///
/// Everything that the kernel refuses is refused.
pub(crate) fn decode(bytes: &[u8], length: u32, machine: &Machine) -> Result<Vec<Insn>, Rejected> {
    let (insns, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() || insns.len() != length as usize {
        return Err(Rejected::wrong("a filter is not as long as the proof says"));
    }
    let mut program = Vec::with_capacity(insns.len());
    for (pc, insn) in insns.iter().enumerate() {
        let Some(decoded) = one(*insn, pc, insns.len(), machine.big_endian) else {
            return Err(Rejected::wrong("the kernel does not install this instruction").near(pc));
        };
        program.push(decoded);
    }
    if program.len() > MOST_INSNS || !matches!(program.last(), Some(Insn::Return(_))) {
        return Err(Rejected::wrong(
            "a filter has at most 4096 instructions, and the last one returns",
        ));
    }
    match unwritten(&program) {
        Some(pc) => Err(Rejected::wrong("the kernel takes this scratch cell for one that nothing wrote").near(pc)),
        None => Ok(program),
    }
}

/// Where a scratch cell is read that the kernel's one pass has not seen written. A jump hands on what was written to its
/// targets and leaves everything written behind; a return changes nothing.
fn unwritten(program: &[Insn]) -> Option<usize> {
    const EVERYTHING: u32 = u32::MAX;
    let mut handed = alloc::vec![EVERYTHING; program.len()];
    let mut written = 0;
    for (pc, insn) in program.iter().enumerate() {
        written &= handed.get(pc).copied().unwrap_or(EVERYTHING);
        let targets = match insn {
            Insn::Jump(target) => core::slice::from_ref(target),
            Insn::Branch(_, _, targets) => targets,
            _ => &[],
        };
        for &target in targets {
            if let Some(handed) = handed.get_mut(target) {
                *handed &= written;
            }
        }
        match *insn {
            Insn::Move(cell, _) if cell > X => written |= bit(cell),
            Insn::Move(_, cell) if cell > X && written & bit(cell) == 0 => return Some(pc),
            Insn::Jump(_) | Insn::Branch(..) => written = EVERYTHING,
            _ => {}
        }
    }
    None
}

/// The bit of a register in a set of registers.
fn bit(register: usize) -> u32 {
    u32::try_from(register).map_or(0, |register| 1_u32.wrapping_shl(register))
}

fn one(insn: [u8; 8], pc: usize, len: usize, big_endian: bool) -> Option<Insn> {
    let [c0, c1, jt, jf, k @ ..] = insn;
    let (code, k) = if big_endian {
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
        0x00 => Insn::Const(A, k),
        0x01 => Insn::Const(X, k),
        0x20 => Insn::Word(word(k, big_endian)?),
        // BPF_LEN: the size of the record.
        0x80 => Insn::Const(A, 64),
        0x81 => Insn::Const(X, 64),
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
            Insn::Branch(
                op,
                (code & 8 == 0).then_some(k),
                [target(u32::from(jt))?, target(u32::from(jf))?],
            )
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

#[cfg(test)]
mod tests {
    use callproof_testgen::{Seed, near_valid};
    use callproof_vm::{Endian, Filter, Insn as Raw};

    use super::*;
    use crate::format::Shift;

    fn is_read(program: &[Raw], big_endian: bool) -> bool {
        let endian = if big_endian { Endian::Big } else { Endian::Little };
        let bytes: Vec<u8> = program.iter().flat_map(|insn| insn.to_bytes(endian)).collect();
        let machine = Machine {
            big_endian,
            before_4_14: false,
            shift: Shift::Masked,
        };
        decode(&bytes, u32::try_from(program.len()).unwrap(), &machine).is_ok()
    }

    #[test]
    fn what_the_kernel_refuses_is_no_filter_and_nothing_else() {
        let (mut read, mut refused) = (0, 0);
        for number in 0..20_000 {
            let program = near_valid(&mut Seed::new(3, number));
            let installed = Filter::load(program.as_slice()).is_ok();
            assert_eq!(is_read(&program, number % 2 == 0), installed, "{program:?}");
            *if installed { &mut read } else { &mut refused } += 1;
        }
        assert!(read > 5000 && refused > 5000, "{read} {refused}");
    }

    #[test]
    fn dead_ends_and_unwritten_cells_are_refused_where_nothing_leads() {
        let (ret, load) = (Raw::stmt(0x06, 0), Raw::stmt(0x60, 3));
        assert!(is_read(&[ret], false));
        assert!(!is_read(&[], false));
        assert!(!is_read(&[ret, Raw::stmt(0x00, 0)], false));
        assert!(!is_read(&[load, ret], false) && !is_read(&[ret, load, ret], false));
        // Behind a jump everything counts as written.
        assert!(is_read(&[Raw::stmt(0x05, 1), load, ret], false));
        assert!(!is_read(&alloc::vec![ret; MOST_INSNS + 1], false) && is_read(&alloc::vec![ret; MOST_INSNS], false));
    }
}
