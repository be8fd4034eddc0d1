//! Making a filter tell its result, where the address of the call cannot choose the part of it.
//!
//! As in [`instrument`](crate::native::instrument), every return becomes ERRNO with 11 bits of the result, so a result
//! takes three installations. No guard lets calls of the harness pass: the child makes none after the installation but
//! those under test.

use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Endian, Insn, SeccompData};

use crate::native::instrument::{Pins, answer_word, fixed_epilogue};

/// The program with its result told in part, or `None` when that makes it too long.
pub(super) fn telling(program: &[Insn], pins: Pins, endian: Endian, chunk: u32) -> Option<Vec<Insn>> {
    let epilogue = fixed_epilogue(chunk);
    if program.len().checked_add(epilogue.len())? > MAX_INSNS {
        return None;
    }
    let mut out = Vec::with_capacity(program.len().saturating_add(epilogue.len()));
    for (pc, insn) in program.iter().enumerate() {
        out.push(match insn.code {
            0x16 => Insn::stmt(
                0x05,
                u32::try_from(program.len().checked_sub(pc)?.checked_sub(1)?).ok()?,
            ),
            0x06 => Insn {
                k: answer_word(insn.k, chunk),
                ..*insn
            },
            _ => pinned(*insn, pins, endian),
        });
    }
    out.extend(epilogue);
    Some(out)
}

/// Puts a constant in the place of a load.
fn pinned(insn: Insn, pins: Pins, endian: Endian) -> Insn {
    let half = |first: bool| {
        let ip = pins.ip?;
        let high = first == (endian == Endian::Big);
        u32::try_from(if high { ip >> 32 } else { ip & 0xffff_ffff }).ok()
    };
    let constant = match (insn.code, insn.k) {
        (0x20, 0) => pins.nr,
        (0x20, 4) => pins.arch,
        (0x20, 8) => half(true),
        (0x20, 12) => half(false),
        _ => None,
    };
    constant.map_or(insn, |k| Insn { code: 0x00, k, ..insn })
}

/// Which of the words that a caller cannot choose freely a program reads.
#[derive(Clone, Copy, Debug)]
struct Reads {
    nr: bool,
    arch: bool,
    ip: bool,
}

/// Whom a call comes from in a guest: the words that it really has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate {
    /// The audit architecture word
    pub(super) arch: u32,
    /// The address behind the call's instruction
    pub(super) ip: u64,
}

/// The constants that a program needs to see this call, when it is made through this gate.
pub(super) fn pins(program: &[Insn], data: &SeccompData, gate: Gate, makeable: bool) -> Pins {
    let loads = |offset| program.iter().any(|insn| insn.code == 0x20 && insn.k == offset);
    let reads = Reads {
        nr: loads(0),
        arch: loads(4),
        ip: loads(8) || loads(12),
    };
    Pins {
        nr: (reads.nr && !makeable).then_some(data.nr.cast_unsigned()),
        arch: (reads.arch && data.arch != gate.arch).then_some(data.arch),
        ip: (reads.ip && data.instruction_pointer != gate.ip).then_some(data.instruction_pointer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::instrument::{CHUNKS, answer, placed};
    use callproof_testgen::{Caller, Harvest, Seed, program};
    use callproof_vm::{Filter, Kernel, Machine, ShiftByX};

    const GATE: Gate = Gate {
        arch: 0x8000_0016,
        ip: 0x1_0002_0003,
    };

    /// The emulator executes the three programs as a guest would.
    fn told(program: &[Insn], data: &SeccompData, machine: Machine) -> Option<u32> {
        let pins = pins(program, data, GATE, data.nr != 335);
        let seen = SeccompData {
            nr: if data.nr == 335 { 1 } else { data.nr },
            arch: GATE.arch,
            instruction_pointer: GATE.ip,
            ..*data
        };
        let mut result = 0;
        for chunk in 0..CHUNKS {
            let filter = Filter::load(telling(program, pins, machine.endian, chunk)?).unwrap();
            match filter.run(&seen, machine) {
                // A division by zero.
                0 => return Some(0),
                value => {
                    assert_eq!(value >> 16, 5, "an ERRNO");
                    result |= placed(answer(-i64::from(value & 0xffff)).unwrap(), chunk);
                }
            }
        }
        Some(result)
    }

    #[test]
    fn told_results_are_those_of_the_program() {
        let callers = [
            GATE,
            Gate {
                arch: 0xc000_003e,
                ip: 9,
            },
        ];
        let callers = callers.map(|Gate { arch, ip }| Caller { arch, ip });
        let mut too_long = 0;
        for number in 0..2000 {
            let mut seed = Seed::new(21, number);
            let program = program(&mut seed);
            let filter = Filter::load(&program[..]).unwrap();
            for endian in [Endian::Little, Endian::Big] {
                let machine = Machine {
                    kernel: Kernel::LATEST,
                    endian,
                    shift: ShiftByX::SixBitZero,
                };
                for data in Harvest::of(&program).calls(&mut seed, 4, &callers) {
                    match told(&program, &data, machine) {
                        Some(value) => assert_eq!(value, filter.run(&data, machine), "{number}"),
                        None => too_long += 1,
                    }
                }
            }
        }
        assert!(too_long < 200, "{too_long}");
    }
}
