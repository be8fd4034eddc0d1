//! Evaluation by bit fields, in 64-bit arithmetic, on bytes.

use callproof_vm::{Endian, Insn};

use super::Fault;

const WORD: u64 = 0xffff_ffff;

struct Cpu<'r> {
    a: u64,
    x: u64,
    cells: [u64; 16],
    record: &'r [u8; 64],
    endian: Endian,
    fault: Fault,
}

pub(super) fn run(program: &[Insn], record: &[u8; 64], endian: Endian, fault: Fault) -> u32 {
    let mut cpu = Cpu {
        a: 0,
        x: 0,
        cells: [0; 16],
        record,
        endian,
        fault,
    };
    let mut rest = program;
    while let Some((insn, after)) = rest.split_first() {
        let skip = match insn.code & 7 {
            5 => cpu.branch(insn),
            6 => {
                return narrow(if insn.code & 0x10 == 0 {
                    u64::from(insn.k)
                } else {
                    cpu.a
                });
            }
            class => match cpu.compute(class, insn) {
                Some(()) => 0,
                None => return 0,
            },
        };
        rest = after.get(skip..).unwrap_or(&[]);
    }
    0
}

impl Cpu<'_> {
    /// How many instructions a jump skips.
    fn branch(&self, insn: &Insn) -> usize {
        let v = if insn.code & 8 == 0 { u64::from(insn.k) } else { self.x };
        let (a, v) = if self.fault == Fault::SignedCompare {
            // Adding half the range turns signed order into unsigned order.
            (self.a.wrapping_add(1 << 31) & WORD, v.wrapping_add(1 << 31) & WORD)
        } else {
            (self.a, v)
        };
        let mask = if self.fault == Fault::SignedCompare {
            (a ^ 1 << 31) & (v ^ 1 << 31)
        } else {
            a & v
        };
        let holds = match insn.code >> 4 {
            0 => return insn.k as usize,
            1 => a == v,
            2 => a > v,
            3 => a >= v,
            _ => mask > 0,
        };
        usize::from(if holds { insn.jt } else { insn.jf })
    }

    /// Executes what neither jumps nor returns; `None` leaves the filter.
    fn compute(&mut self, class: u16, insn: &Insn) -> Option<()> {
        match class {
            0 => self.a = self.load(insn),
            1 => self.x = self.load(insn),
            2 => *self.cells.get_mut(insn.k as usize)? = self.a,
            3 => *self.cells.get_mut(insn.k as usize)? = self.x,
            4 => self.a = self.arithmetic(insn)? & WORD,
            _ => {
                let to_x = (insn.code & 0x80 == 0) != (self.fault == Fault::SwapTransfers);
                if to_x {
                    self.x = self.a;
                } else {
                    self.a = self.x;
                }
            }
        }
        Some(())
    }

    fn load(&self, insn: &Insn) -> u64 {
        match insn.code >> 5 {
            0 => u64::from(insn.k),
            1 => {
                let start = insn.k as usize;
                let bytes = self.record.get(start..start.saturating_add(4)).unwrap_or(&[]);
                let most_significant_first = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
                match self.endian {
                    Endian::Big => bytes.iter().fold(0, most_significant_first),
                    Endian::Little => bytes.iter().rev().fold(0, most_significant_first),
                }
            }
            3 => self.cells.get(insn.k as usize).copied().unwrap_or(0),
            _ => 64,
        }
    }

    fn arithmetic(&self, insn: &Insn) -> Option<u64> {
        let (a, by_x) = (self.a, insn.code & 8 != 0);
        let v = if by_x { self.x } else { u64::from(insn.k) };
        let power = 1_u64 << (v % 32);
        let too_far = v > 31 && self.fault == Fault::ShiftToZero;
        Some(match insn.code >> 4 {
            0x0 => a.wrapping_add(v),
            0x1 => a.wrapping_add(WORD + 1 - v),
            0x2 => a.wrapping_mul(v),
            0x3 if v == 0 && self.fault == Fault::DivisionYieldsZero => 0,
            0x3 => a.checked_div(v)?,
            0x4 => a | v,
            0x5 => a & v,
            0x6 | 0x7 if too_far => 0,
            0x6 => a.wrapping_mul(power),
            0x7 => a / power,
            0x8 => WORD + 1 - a,
            _ => (a | v) - (a & v),
        })
    }
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value & WORD).unwrap_or(0)
}
