//! Calls that reach the branches of a program.

use callproof_vm::isa::{Op, Src};
use callproof_vm::{Insn, SeccompData};

use crate::choose::Choose;
use crate::constants::constant;

/// Who makes a call: the parts of `seccomp_data` that a test harness often cannot choose freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Caller {
    /// The audit architecture word
    pub arch: u32,
    /// The address behind the call's instruction
    pub ip: u64,
}

impl Caller {
    /// A caller of some ABI, known or not, at some address.
    pub fn any(choose: &mut impl Choose) -> Self {
        let arch = if choose.one_in(8) {
            constant(choose)
        } else {
            choose.pick(&ARCHES)
        };
        Self {
            arch,
            ip: wide(constant(choose), constant(choose)),
        }
    }
}

/// Audit words of x86_64 and i386, twice as likely as the rest, then aarch64, arm, s390x, s390, ppc64, ppc64le, mips,
/// riscv64 and loongarch64.
const ARCHES: [u32; 13] = [
    0xc000_003e,
    0xc000_003e,
    0x4000_0003,
    0x4000_0003,
    0xc000_00b7,
    0x4000_0028,
    0x8000_0016,
    0x0000_0016,
    0x8000_0015,
    0xc000_0015,
    0x0000_0008,
    0xc000_00f3,
    0xc000_0102,
];

/// The constants of a program, to make calls with.
#[derive(Clone, Debug, Default)]
pub struct Harvest {
    constants: Vec<u32>,
}

impl Harvest {
    /// Collects the constants that a program compares and computes with.
    #[must_use]
    pub fn of(program: &[Insn]) -> Self {
        let used = program.iter().filter(|insn| {
            let op = insn.op();
            matches!(
                op,
                Some(Op::LdImm | Op::LdxImm | Op::Alu(_, Src::K) | Op::Jump(_, Src::K))
            )
        });
        let mut constants: Vec<u32> = used.map(|insn| insn.k).collect();
        constants.sort_unstable();
        constants.dedup();
        Self { constants }
    }

    /// A call by this caller. Its number and the halves of its arguments are the program's constants and their
    /// neighbours, boundaries, small numbers, or anything.
    pub fn call(&self, choose: &mut impl Choose, caller: Caller) -> SeccompData {
        SeccompData {
            nr: self.number(choose).cast_signed(),
            arch: caller.arch,
            instruction_pointer: caller.ip,
            args: core::array::from_fn(|_| self.argument(choose)),
        }
    }

    /// `count` calls, each by one of these callers (by nobody in particular when there is none).
    pub fn calls(&self, choose: &mut impl Choose, count: usize, callers: &[Caller]) -> Vec<SeccompData> {
        (0..count)
            .map(|_| {
                let caller = choose.pick(callers);
                self.call(choose, caller)
            })
            .collect()
    }

    /// One 32-bit half of something.
    pub fn half(&self, choose: &mut impl Choose) -> u32 {
        match choose.below(4) {
            0 => constant(choose),
            1 => choose.half(),
            _ if self.constants.is_empty() => constant(choose),
            _ => choose
                .pick(&self.constants)
                .wrapping_add(choose.pick(&[0, 0, 1, u32::MAX])),
        }
    }

    fn number(&self, choose: &mut impl Choose) -> u32 {
        match choose.below(4) {
            0 => choose.below(500),
            1 => choose.pick(&NUMBERS),
            _ => self.half(choose),
        }
    }

    fn argument(&self, choose: &mut impl Choose) -> u64 {
        match choose.below(4) {
            // As 32-bit callers and sign-extending ABIs make them.
            0 => u64::from(self.half(choose)),
            1 => i64::from(self.half(choose).cast_signed()).cast_unsigned(),
            2 => choose.word(),
            _ => wide(self.half(choose), self.half(choose)),
        }
    }
}

/// The uprobe numbers, ends of tables, x32 numbers, private arm calls, bases of mips, and negative ones.
const NUMBERS: [u32; 16] = [
    0,
    335,
    336,
    337,
    469,
    470,
    512,
    547,
    0x3ff,
    4000,
    0x000f_0001,
    0x4000_0000,
    0x4000_0027,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

const fn wide(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn calls_meet_the_programs_constants_and_their_neighbours() {
        let program = [
            Insn::stmt(0x20, 16),
            Insn::jump(0x15, 0x1234_5678, 0, 1),
            Insn::stmt(0x06, 0x9999_9999),
            Insn::stmt(0x16, 0),
        ];
        let harvest = Harvest::of(&program);
        assert_eq!(
            harvest.constants,
            [0x1234_5678],
            "a returned value is not compared with anything"
        );
        let calls = harvest.calls(&mut Seed::new(1, 1), 2000, &[Caller { arch: 7, ip: 9 }]);
        for wanted in [0x1234_5677_u64, 0x1234_5678, 0x1234_5679] {
            assert!(calls.iter().any(|call| call.args[3] & 0xffff_ffff == wanted));
            assert!(calls.iter().any(|call| call.args[3] >> 32 == wanted));
        }
        assert!(calls.iter().all(|call| call.arch == 7 && call.instruction_pointer == 9));
        assert!(calls.iter().any(|call| call.nr == -1) && calls.iter().any(|call| call.nr == 0x1234_5678));
    }
}
