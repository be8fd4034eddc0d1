//! Which calls the kernel allows without running a filter, and what keeps the others from that.

use callproof_abi::Abi;
use callproof_formats::disasm;
use callproof_verifier::cache_bound;
use callproof_vm::bitmap::{Bypass, Obstructs, Platform, obstacle};
use callproof_vm::{Gate, Machine};
use serde::Serialize;

use super::Asked;

/// Whether the kernel's constant-allow bitmap answers a call, so that no filter is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Bitmap {
    /// It does
    Answered,
    /// The kernel lets the call pass every filter
    Bypassed,
    /// It does not
    Not(WhyNot),
}

/// What keeps a call out of the bitmap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// In words
    pub reason: String,
    /// The filter whose instruction prevents it; 0 is the oldest
    pub filter: Option<usize>,
    /// The number of that instruction
    pub pc: Option<usize>,
    /// The instruction
    pub instruction: Option<String>,
}

impl Bitmap {
    /// Whether no filter is run.
    #[must_use]
    pub const fn skips(&self) -> bool {
        matches!(self, Self::Answered | Self::Bypassed)
    }

    /// Looks whether a number is in the bitmap, and if not, why.
    pub(super) fn of(asked: Asked<'_>, abi: Abi, nr: u32) -> Self {
        let (filters, machine) = (asked.filters, asked.machine_of(abi));
        let call = (abi.audit_arch(), nr.cast_signed());
        let programs = filters.iter().map(|filter| filter.program());
        let bypass = Platform::X86_64.bypasses_programs(programs, call.0, call.1, machine.kernel);
        if bypass.is_some_and(Bypass::overrules) {
            return Self::Bypassed;
        }
        let prevents = filters.iter().enumerate().find_map(|(number, filter)| {
            let found = obstacle(filter.program(), call.1, call.0)?;
            Some((number, filter, found))
        });
        let Some((number, filter, found)) = prevents else {
            return if nr < cache_bound(abi, machine.kernel) {
                Self::Answered
            } else {
                Self::Not(WhyNot::plain(elsewhere(abi, machine)))
            };
        };
        let lines = disasm::lines(filter.program(), machine.endian);
        let instruction = lines.iter().find(|line| line.pc == found.pc);
        Self::Not(WhyNot {
            reason: reason(found.why).to_owned(),
            filter: Some(number),
            pc: Some(found.pc),
            instruction: instruction.map(|line| line.to_string().trim().to_owned()),
        })
    }
}

impl WhyNot {
    fn plain(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            filter: None,
            pc: None,
            instruction: None,
        }
    }
}

const fn reason(why: Obstructs) -> &'static str {
    match why {
        Obstructs::Reads => "reads an argument or the instruction pointer",
        Obstructs::Unknown => "is no instruction that the bitmap's interpreter follows",
        Obstructs::Returns(_) => "returns something else than allow with data 0",
    }
}

/// Why a number that every filter allows constantly is not in the bitmap all the same.
fn elsewhere(abi: Abi, machine: Machine) -> &'static str {
    if !machine.kernel.has(Gate::Bitmap) {
        "this kernel has no bitmap; it came with Linux 5.11"
    } else if abi == Abi::X32 {
        "x32 numbers are beyond the end of the bitmap"
    } else if matches!(abi, Abi::X86_64 | Abi::I386) {
        "the number is beyond the end of the bitmap"
    } else {
        "how far the bitmap of this ABI goes is not known here"
    }
}
