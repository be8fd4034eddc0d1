//! A second model of the kernel, written on purpose in another way than `callproof-vm`, and able to be wrong on request.
//!
//! `callproof-vm` decodes by a table, computes with wrapping operators on words and pushes what is written to the
//! targets of jumps. This model takes opcodes apart by their bit fields, computes in 64 bits on the bytes of the
//! record, and pulls what is written from the origins of jumps. So one mistake is unlikely to be made in both.
//!
//! A comparison that never fails proves nothing. [`Fault`] plants one known mistake in this model; a comparison that is
//! worth its name then reports a difference within seconds ([`crate::compare`], and the live campaign against a
//! kernel).

mod admit;
mod eval;

use callproof_vm::length::{FILTER_PENALTY, MAX_INSNS_PER_PATH};
use callproof_vm::{Endian, Insn, SeccompData};

/// A mistake to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Fault {
    /// No mistake
    #[default]
    None,
    /// `tax` and `txa` are swapped
    SwapTransfers,
    /// Division by X = 0 sets A to 0 and goes on, instead of leaving the filter
    DivisionYieldsZero,
    /// A shift by X of 32 or more gives 0, instead of using X modulo 32
    ShiftToZero,
    /// `jgt` and `jge` compare signed numbers
    SignedCompare,
    /// Of equally severe results the oldest filter's is kept
    OldestWinsTies,
    /// Severity is compared unsigned, so that values from 0x80000000 up are mild
    UnsignedSeverity,
    /// Scratch cells are checked by data flow, instead of the kernel's linear pass
    DataFlowScratch,
    /// The chain budget counts classic instructions, instead of converted ones
    ClassicLength,
    /// On a big-endian machine the low half of an argument comes first
    BigEndianWordSwap,
}

impl Fault {
    /// Every mistake; without [`Fault::None`].
    pub const ALL: [Self; 9] = [
        Self::SwapTransfers,
        Self::DivisionYieldsZero,
        Self::ShiftToZero,
        Self::SignedCompare,
        Self::OldestWinsTies,
        Self::UnsignedSeverity,
        Self::DataFlowScratch,
        Self::ClassicLength,
        Self::BigEndianWordSwap,
    ];
}

/// The model, for the newest kernel and a backend that masks shifts by X with 31.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference {
    /// The mistake it makes
    pub fault: Fault,
}

impl Reference {
    /// A model that makes this mistake.
    #[must_use]
    pub const fn with(fault: Fault) -> Self {
        Self { fault }
    }

    /// Whether the kernel installs a program.
    #[must_use]
    pub fn admits(self, program: &[Insn]) -> bool {
        admit::admits(program, self.fault)
    }

    /// What a program returns for a call. A program that is not admitted returns 0, or anything.
    #[must_use]
    pub fn run(self, program: &[Insn], call: &SeccompData, endian: Endian) -> u32 {
        eval::run(program, &self.record(call, endian), endian, self.fault)
    }

    /// The combined value of a chain, oldest program first.
    #[must_use]
    pub fn run_chain(self, chain: &[Vec<Insn>], call: &SeccompData, endian: Endian) -> u32 {
        let results = chain.iter().map(|program| self.run(program, call, endian));
        let severity = |value: u32| {
            let [_, _, low, high] = value.to_le_bytes();
            if self.fault == Fault::UnsignedSeverity {
                i64::from(u16::from_le_bytes([low, high]))
            } else {
                i64::from(i16::from_le_bytes([low, high]))
            }
        };
        // Oldest first, so a newer result replaces an equally severe one; a result as mild as ALLOW replaces nothing.
        let worst = results.filter(|&value| severity(value) < 0x7fff).reduce(|old, new| {
            let replaces = match self.fault {
                Fault::OldestWinsTies => severity(new) < severity(old),
                _ => severity(new) <= severity(old),
            };
            if replaces { new } else { old }
        });
        worst.unwrap_or(0x7fff_0000)
    }

    /// The length that the kernel charges a thread for a program.
    #[must_use]
    pub fn charged_len(self, program: &[Insn]) -> u32 {
        if self.fault == Fault::ClassicLength {
            return u32::try_from(program.len()).unwrap_or(u32::MAX);
        }
        // Every instruction becomes one; what some of them need more is counted class by class.
        let count = |wanted: &dyn Fn(&Insn) -> bool| program.iter().filter(|insn| wanted(insn)).count();
        let branch = |insn: &Insn| insn.code & 7 == 5 && insn.code & 0xf0 != 0;
        let all = program.len();
        let returns = count(&|insn| insn.code == 0x06);
        let divisions = count(&|insn| insn.code == 0x3c);
        let wide = count(&|insn| branch(insn) && insn.code & 8 == 0 && insn.k >> 31 == 1);
        let both = count(&|insn| {
            let inverted = insn.jt == 0 && insn.code & 0xf0 != 0x40;
            branch(insn) && insn.jf != 0 && !inverted
        });
        let extra = returns.saturating_add(divisions.saturating_mul(4));
        let total = [3, all, extra, wide, both].into_iter().fold(0, usize::saturating_add);
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// How many programs of a chain a thread may install, oldest first.
    #[must_use]
    pub fn fitting(self, chain: &[Vec<Insn>]) -> usize {
        let mut free = u64::from(MAX_INSNS_PER_PATH);
        for (index, program) in chain.iter().enumerate() {
            let len = u64::from(self.charged_len(program));
            if len > free {
                return index;
            }
            free = free.saturating_sub(len.saturating_add(u64::from(FILTER_PENALTY)));
        }
        chain.len()
    }

    /// The record as it lies in the memory of a machine.
    fn record(self, call: &SeccompData, endian: Endian) -> [u8; 64] {
        let nr = i64::from(call.nr).cast_unsigned() & 0xffff_ffff;
        let head = (nr, u64::from(call.arch));
        let [a, b, c, d, e, f] = call.args;
        let fields = [call.instruction_pointer, a, b, c, d, e, f];
        let pairs = core::iter::once(head).chain(fields.into_iter().map(|field| {
            let (low, high) = (field & 0xffff_ffff, field >> 32);
            if endian == Endian::Big && self.fault != Fault::BigEndianWordSwap {
                (high, low)
            } else {
                (low, high)
            }
        }));
        let mut bytes = pairs.flat_map(|(first, second)| [first, second]).flat_map(|word| {
            let [a, b, c, d, ..] = word.to_le_bytes();
            if endian == Endian::Big {
                [d, c, b, a]
            } else {
                [a, b, c, d]
            }
        });
        core::array::from_fn(|_| bytes.next().unwrap_or(0))
    }
}
