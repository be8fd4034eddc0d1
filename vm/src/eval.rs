//! Evaluation: one filter judges one call.
//!
//! This is the plain loop that everything else is held against. All arithmetic is modulo 2^32 on unsigned words; A and
//! X start at 0. Jumps only lead forward, so a run takes at most as many steps as the filter has instructions.

use crate::admit::Filter;
use crate::data::SeccompData;
use crate::isa::{Alu, Cond, Op, Size, Src};
use crate::kernel::{Machine, ShiftByX};
use crate::observe::{Next, Observer, Step};

/// What a filter returns that leaves the program other than by a return: KILL_THREAD with data 0.
///
/// The kernel does so for a division by X = 0. Admission rules out every other way; should one exist, this is the
/// answer that lets nothing through.
const LEFT: u32 = 0;

/// What the length instructions load: the size of the record.
const RECORD_LEN: u32 = 64;

impl Filter<'_> {
    /// The 32-bit value this filter returns for a call, before it is combined with others.
    #[must_use]
    pub fn run(&self, call: &SeccompData, machine: Machine) -> u32 {
        self.run_words(&call.words(machine.endian), machine.shift, &mut ())
    }

    /// As [`run`](Self::run), watched by an observer.
    pub fn run_observed(&self, call: &SeccompData, machine: Machine, observer: &mut impl Observer) -> u32 {
        self.run_words(&call.words(machine.endian), machine.shift, observer)
    }

    /// As [`run`](Self::run), on the sixteen words that the filter's loads see ([`SeccompData::words`]).
    pub fn run_words(&self, words: &[u32; 16], shift: ShiftByX, observer: &mut impl Observer) -> u32 {
        let (program, mut state, mut pc) = (self.program(), State::default(), 0_usize);
        while let Some(&insn) = program.get(pc) {
            let Some(op) = insn.op() else { break };
            let next = match state.execute(op, insn, words, shift) {
                After::Skip(distance) => Next::Pc(pc.saturating_add(1).saturating_add(distance as usize)),
                After::Return(value) => Next::Return(value),
            };
            observer.step(&Step {
                pc,
                insn,
                a: state.a,
                x: state.x,
                next,
            });
            match next {
                Next::Pc(target) => pc = target,
                Next::Return(value) => return value,
            }
        }
        LEFT
    }
}

/// The registers and the scratch memory.
#[derive(Default)]
struct State {
    a: u32,
    x: u32,
    scratch: [u32; 16],
}

/// What follows an instruction.
enum After {
    /// This many instructions are skipped
    Skip(u32),
    /// The filter returns
    Return(u32),
}

impl State {
    #[inline(always)]
    fn execute(&mut self, op: Op, insn: crate::Insn, words: &[u32; 16], shift: ShiftByX) -> After {
        let k = insn.k;
        match op {
            Op::LdImm => self.a = k,
            Op::LdxImm => self.x = k,
            Op::LdAbs(Size::Word) => self.a = word(words, k / 4),
            Op::LdLen => self.a = RECORD_LEN,
            Op::LdxLen => self.x = RECORD_LEN,
            Op::LdMem => self.a = word(&self.scratch, k),
            Op::LdxMem => self.x = word(&self.scratch, k),
            Op::St => self.store(k, self.a),
            Op::Stx => self.store(k, self.x),
            Op::Tax => self.x = self.a,
            Op::Txa => self.a = self.x,
            Op::Neg => self.a = self.a.wrapping_neg(),
            Op::Alu(alu, src) => match compute(alu, self.a, self.operand(src, k), src, shift) {
                Some(result) => self.a = result,
                None => return After::Return(LEFT),
            },
            Op::Ja => return After::Skip(k),
            Op::Jump(cond, src) => {
                let holds = holds(cond, self.a, self.operand(src, k));
                return After::Skip(u32::from(if holds { insn.jt } else { insn.jf }));
            }
            Op::RetK => return After::Return(k),
            Op::RetA => return After::Return(self.a),
            // Admission refuses these.
            Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh | Op::RetX => return After::Return(LEFT),
        }
        After::Skip(0)
    }

    const fn operand(&self, src: Src, k: u32) -> u32 {
        match src {
            Src::K => k,
            Src::X => self.x,
        }
    }

    fn store(&mut self, cell: u32, value: u32) {
        if let Some(cell) = self.scratch.get_mut(cell as usize) {
            *cell = value;
        }
    }
}

/// A word of the record or of the scratch memory; admission keeps the index inside.
fn word(words: &[u32; 16], index: u32) -> u32 {
    words.get(index as usize).copied().unwrap_or(0)
}

/// The result of an operation, or `None` for a division by zero.
fn compute(alu: Alu, a: u32, v: u32, src: Src, rule: ShiftByX) -> Option<u32> {
    let count = match src {
        Src::K => Some(v),
        Src::X => rule.count(v),
    };
    Some(match alu {
        Alu::Add => a.wrapping_add(v),
        Alu::Sub => a.wrapping_sub(v),
        Alu::Mul => a.wrapping_mul(v),
        Alu::Div => return a.checked_div(v),
        Alu::Mod => return a.checked_rem(v),
        Alu::Or => a | v,
        Alu::And => a & v,
        Alu::Xor => a ^ v,
        Alu::Lsh => count.and_then(|count| a.checked_shl(count)).unwrap_or(0),
        Alu::Rsh => count.and_then(|count| a.checked_shr(count)).unwrap_or(0),
    })
}

pub(crate) const fn holds(cond: Cond, a: u32, v: u32) -> bool {
    match cond {
        Cond::Jeq => a == v,
        Cond::Jgt => a > v,
        Cond::Jge => a >= v,
        Cond::Jset => a & v != 0,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{Endian, Insn};
    use std::vec::Vec;

    fn run_on(machine: Machine, body: &[(u16, u32)], call: &SeccompData) -> u32 {
        let mut program: Vec<Insn> = body.iter().map(|&(code, k)| Insn::stmt(code, k)).collect();
        program.push(Insn::stmt(0x16, 0));
        Filter::load(&program[..]).unwrap().run(call, machine)
    }

    fn run(body: &[(u16, u32)]) -> u32 {
        run_on(Machine::default(), body, &SeccompData::default())
    }

    #[test]
    fn arithmetic_is_modulo_2_to_the_32() {
        assert_eq!(run(&[(0x00, u32::MAX), (0x04, 2)]), 1);
        assert_eq!(run(&[(0x00, 1), (0x14, 2)]), u32::MAX);
        assert_eq!(run(&[(0x00, 0x8000_0001), (0x24, 2)]), 2);
        assert_eq!(run(&[(0x00, 7), (0x34, 2)]), 3);
        assert_eq!(run(&[(0x00, 0x8000_0000), (0x84, 0)]), 0x8000_0000);
        assert_eq!(run(&[(0x00, 5), (0x84, 0)]), 5_u32.wrapping_neg());
        assert_eq!(run(&[(0x00, 0b1100), (0x44, 0b1010)]), 0b1110);
        assert_eq!(run(&[(0x00, 0b1100), (0x54, 0b1010)]), 0b1000);
        assert_eq!(run(&[(0x00, 0b1100), (0xa4, 0b1010)]), 0b0110);
        assert_eq!(run(&[(0x00, 0x8000_0001), (0x64, 31)]), 0x8000_0000);
        assert_eq!(run(&[(0x00, 0x8000_0001), (0x74, 31)]), 1);
    }

    #[test]
    fn registers_and_scratch() {
        assert_eq!(run(&[(0x87, 0)]), 0, "X starts at 0");
        assert_eq!(run(&[(0x00, 9), (0x07, 0), (0x00, 1), (0x87, 0)]), 9);
        assert_eq!(run(&[(0x80, 5)]), 64);
        assert_eq!(run(&[(0x81, 5), (0x87, 0)]), 64);
        assert_eq!(run(&[(0x00, 9), (0x02, 15), (0x00, 1), (0x60, 15)]), 9);
        assert_eq!(run(&[(0x01, 9), (0x03, 0), (0x01, 1), (0x61, 0), (0x87, 0)]), 9);
    }

    #[test]
    fn division_by_x_0_leaves_the_filter() {
        assert_eq!(run(&[(0x00, 9), (0x3c, 0), (0x00, 0x7fff_0000)]), 0);
        assert_eq!(run(&[(0x00, 9), (0x01, 2), (0x3c, 0)]), 4);
    }

    #[test]
    fn shifts_by_x_follow_the_backend() {
        let shifted = |shift, code, x| {
            let machine = Machine {
                shift,
                ..Machine::default()
            };
            run_on(
                machine,
                &[(0x00, 0x8000_0001), (0x01, x), (code, 0)],
                &SeccompData::default(),
            )
        };
        assert_eq!(shifted(ShiftByX::Masked, 0x6c, 33), 2);
        assert_eq!(shifted(ShiftByX::Masked, 0x7c, 32), 0x8000_0001);
        assert_eq!(shifted(ShiftByX::Arm8, 0x6c, 33), 0);
        assert_eq!(shifted(ShiftByX::Arm8, 0x6c, 257), 2);
        assert_eq!(shifted(ShiftByX::SixBitZero, 0x7c, 32), 0);
        assert_eq!(shifted(ShiftByX::SixBitZero, 0x7c, 65), 0x4000_0000);
    }

    #[test]
    fn loads_see_the_halves_in_memory_order() {
        let call = SeccompData::new(0, 0, [0xaaaa_bbbb_cccc_dddd, 0, 0, 0, 0, 0]);
        let at = |endian, offset| {
            let machine = Machine {
                endian,
                ..Machine::default()
            };
            run_on(machine, &[(0x20, offset)], &call)
        };
        assert_eq!(at(Endian::Little, 16), 0xcccc_dddd);
        assert_eq!(at(Endian::Little, 20), 0xaaaa_bbbb);
        assert_eq!(at(Endian::Big, 16), 0xaaaa_bbbb);
        assert_eq!(at(Endian::Big, 20), 0xcccc_dddd);
    }

    #[test]
    fn comparisons_are_unsigned() {
        let taken = |code, a, k| {
            let program = [
                Insn::stmt(0x00, a),
                Insn::jump(code, k, 0, 1),
                Insn::stmt(0x06, 1),
                Insn::stmt(0x06, 0),
            ];
            let value = Filter::load(&program[..])
                .unwrap()
                .run(&SeccompData::default(), Machine::default());
            value == 1
        };
        assert!(taken(0x25, 0x8000_0000, 0x7fff_ffff));
        assert!(!taken(0x25, 5, 5));
        assert!(taken(0x35, 5, 5));
        assert!(!taken(0x35, 4, 0xffff_ffff));
        assert!(taken(0x15, 5, 5));
        assert!(taken(0x45, 6, 2));
        assert!(!taken(0x45, 5, 2));
    }

    #[test]
    #[cfg(feature = "alloc")]
    fn observers_see_every_step() {
        use crate::observe::{Count, Coverage, Trace, WordsRead};
        let program = [
            Insn::stmt(0x20, 4),
            Insn::jump(0x15, 0, 1, 0),
            Insn::stmt(0x06, 1),
            Insn::stmt(0x06, 2),
        ];
        let filter = Filter::load(&program[..]).unwrap();
        let mut watch = (
            (Count::default(), WordsRead::default()),
            (Coverage::default(), Trace::default()),
        );
        let value = filter.run_observed(&SeccompData::default(), Machine::default(), &mut watch);
        let ((count, words), (coverage, trace)) = watch;
        assert_eq!(value, 2);
        assert_eq!(count.0, 3);
        assert_eq!(words.0, 0b10);
        assert_eq!(coverage.count(), 3);
        assert!(!coverage.contains(2) && coverage.contains(3));
        assert_eq!(trace.steps.len(), 3);
        assert_eq!(trace.steps[1].1.next, Next::Pc(3));
        assert_eq!(trace.steps[2].1.next, Next::Return(2));
    }
}
