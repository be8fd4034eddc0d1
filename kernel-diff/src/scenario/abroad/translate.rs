//! A program of a scenario for another architecture.

use callproof_vm::Insn;

use super::{Target, X86_64_ARCH};

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// What the accumulator holds, as the program is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Number,
    Arch,
    Other,
}

/// The program with the target's numbers and architecture word, and with the halves of arguments where the target has
/// them. Refused when a number is used in another way than by a comparison for equality.
pub(super) fn program(insns: &[Insn], target: &Target) -> Result<Vec<Insn>, String> {
    let mut holds = Holds::Other;
    let mut translated = Vec::with_capacity(insns.len());
    for insn in insns {
        let mut insn = *insn;
        match (insn.code, holds) {
            (LOAD, _) => {
                holds = match insn.k {
                    0 => Holds::Number,
                    4 => Holds::Arch,
                    _ => Holds::Other,
                };
                // The record is native: a big-endian machine has the high half first.
                if target.abi.big_endian() && (8..64).contains(&insn.k) && insn.k % 4 == 0 {
                    insn.k ^= 4;
                }
            }
            (JUMP_EQUAL, Holds::Number) => insn.k = target.translated(insn.k)?,
            (JUMP_EQUAL, Holds::Arch) if insn.k == X86_64_ARCH => insn.k = target.abi.audit_arch(),
            (RETURN | JUMP | JUMP_EQUAL, _) | (_, Holds::Other) => {}
            _ => return Err("a program does more with a number than to compare it".to_owned()),
        }
        translated.push(insn);
    }
    Ok(translated)
}
