//! Making a filter tell its result.
//!
//! The only part of a filter's result that comes back from a call is the errno of the ERRNO action: 12 bits. So every
//! return of the program under test becomes one that returns ERRNO with 11 bits of the result, and three calls give all
//! 32. The 12th bit is always set: no errno of the kernel's own is that large, and none of the internal restart codes
//! around 512, which signals can change, is ever returned.
//!
//! Everything else stays as it is and where it is, so no jump changes. The only exceptions are loads of words that the
//! gates cannot provide: they become constants ([`Pins`]).

use callproof_vm::Insn;
use callproof_vm::length::MAX_INSNS;

use super::gate::Gates;

/// How many calls give one result.
pub(crate) const CHUNKS: u32 = 3;

/// Bits of the result in one answer.
const CHUNK_BITS: u32 = 11;
const CHUNK_MASK: u32 = (1 << CHUNK_BITS) - 1;

/// ERRNO with the 12th bit.
const ANSWER: u32 = 0x0005_0000 | 1 << CHUNK_BITS;

const ALLOW: u32 = 0x7fff_0000;

/// Words of `seccomp_data` that are given as constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Pins {
    pub(crate) nr: Option<u32>,
    pub(crate) arch: Option<u32>,
    pub(crate) ip: Option<u64>,
}

/// How the part of the result to give back is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Select {
    /// By the copy of the gate that made the call: one installation answers everything. The program under test must not
    /// see the instruction pointer, and its constants of return need room behind it
    ByGate,
    /// This part, whoever calls: three installations, and nearly no room needed
    Fixed(u32),
}

/// The part of a result in a return register, or `None` when the kernel did something else with the call.
pub(crate) fn answer(register: i64) -> Option<u32> {
    let errno = u32::try_from(register.checked_neg()?).ok()?;
    (errno >> CHUNK_BITS == 1).then_some(errno & CHUNK_MASK)
}

/// A part of a result, put in its place.
pub(crate) const fn placed(part: u32, chunk: u32) -> u32 {
    part << (CHUNK_BITS * chunk)
}

/// The instrumented program, or `None` when it would have more than 4,096 instructions.
pub(crate) fn instrument(program: &[Insn], gates: Gates, pins: Pins, select: Select) -> Option<Vec<Insn>> {
    let guard = guard(gates);
    let body = guard.len();
    let (stubs, epilogue) = match select {
        Select::ByGate => (stubs(program), choosing_epilogue()),
        Select::Fixed(chunk) => (Vec::new(), fixed_epilogue(chunk)),
    };
    let stubs_at = body.checked_add(program.len())?;
    let epilogue_at = stubs_at.checked_add(stubs.len().checked_mul(2)?)?;
    if epilogue_at.checked_add(epilogue.len())? > MAX_INSNS {
        return None;
    }
    let jump = |from: usize, to: usize| {
        Some(Insn::stmt(
            0x05,
            u32::try_from(to.checked_sub(from)?.checked_sub(1)?).ok()?,
        ))
    };
    let mut out = guard;
    for (insn, pc) in program.iter().zip(body..) {
        out.push(match (insn.code, select) {
            (0x16, _) => jump(pc, epilogue_at)?,
            (0x06, Select::Fixed(chunk)) => Insn {
                k: answer_word(insn.k, chunk),
                ..*insn
            },
            (0x06, Select::ByGate) => {
                let stub = stubs.binary_search(&insn.k).ok()?;
                jump(pc, stubs_at.checked_add(stub.checked_mul(2)?)?)?
            }
            _ => pinned(*insn, pins),
        });
    }
    for value in stubs {
        out.push(Insn::stmt(0x00, value));
        out.push(jump(out.len(), epilogue_at)?);
    }
    out.extend(epilogue);
    Some(out)
}

/// Allows every call that does not come from a gate, so that the harness lives, and hands on A = X = 0.
pub(crate) fn guard(gates: Gates) -> Vec<Insn> {
    let [low, high] = [gates.base & 0xffff_ffff, gates.base >> 32].map(|half| u32::try_from(half).unwrap_or(0));
    // The gates are aligned to their span, so the last address does not wrap.
    let last = low
        .saturating_add(u32::try_from(Gates::SPAN).unwrap_or(0))
        .saturating_sub(1);
    vec![
        Insn::stmt(0x20, 12),
        Insn::jump(0x15, high, 0, 3),
        Insn::stmt(0x20, 8),
        Insn::jump(0x35, low, 0, 1),
        Insn::jump(0x25, last, 0, 1),
        Insn::stmt(0x06, ALLOW),
        Insn::stmt(0x00, 0),
    ]
}

/// The constants that the program returns, sorted.
fn stubs(program: &[Insn]) -> Vec<u32> {
    let returns = program.iter().filter(|insn| insn.code == 0x06);
    let mut values: Vec<u32> = returns.map(|insn| insn.k).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// Returns the part of A that the calling gate stands for. Nothing fancy: it must not share a fault with the program.
fn choosing_epilogue() -> Vec<Insn> {
    let copy = |number: u32| number << Gates::STRIDE.trailing_zeros();
    vec![
        Insn::stmt(0x07, 0),
        Insn::stmt(0x20, 8),
        Insn::stmt(0x54, copy(3)),
        Insn::jump(0x15, copy(2), 6, 0),
        Insn::jump(0x15, copy(1), 0, 3),
        // The second gate.
        Insn::stmt(0x87, 0),
        Insn::stmt(0x74, CHUNK_BITS),
        Insn::stmt(0x05, 4),
        // The first gate.
        Insn::stmt(0x87, 0),
        Insn::stmt(0x05, 2),
        // The third gate.
        Insn::stmt(0x87, 0),
        Insn::stmt(0x74, 2 * CHUNK_BITS),
        Insn::stmt(0x54, CHUNK_MASK),
        Insn::stmt(0x44, ANSWER),
        Insn::stmt(0x16, 0),
    ]
}

/// Returns one part of A.
pub(crate) fn fixed_epilogue(chunk: u32) -> Vec<Insn> {
    vec![
        Insn::stmt(0x74, chunk.saturating_mul(CHUNK_BITS)),
        Insn::stmt(0x54, CHUNK_MASK),
        Insn::stmt(0x44, ANSWER),
        Insn::stmt(0x16, 0),
    ]
}

pub(crate) const fn answer_word(value: u32, chunk: u32) -> u32 {
    value >> (CHUNK_BITS * chunk) & CHUNK_MASK | ANSWER
}

pub(crate) fn pinned(insn: Insn, pins: Pins) -> Insn {
    let low_high = |ip: u64| [ip & 0xffff_ffff, ip >> 32].map(|half| u32::try_from(half).unwrap_or(0));
    let constant = match (insn.code, insn.k) {
        (0x20, 0) => pins.nr,
        (0x20, 4) => pins.arch,
        (0x20, 8) => pins.ip.map(|ip| low_high(ip)[0]),
        (0x20, 12) => pins.ip.map(|ip| low_high(ip)[1]),
        _ => None,
    };
    constant.map_or(insn, |k| Insn { code: 0x00, k, ..insn })
}
