//! The pre-decoded engine: what an instruction does is found out once, and instructions that go together are one step.
//!
//! A step stands at the place of its first instruction and does the work of those behind it too; they keep steps of
//! their own for jumps that lead there. So places are the program's own, and any of them can be entered with any
//! registers, which the specialised engine makes use of.

mod decode;
mod run;
mod switch;

use callproof_vm::{Filter, Machine, SeccompData, ShiftByX, combine};

use crate::engine::{Decision, Engine};
use crate::place::Place;
use crate::test::Test;
use switch::Switch;

pub(crate) use decode::RECORD_LEN;

/// A chain of filters, each instruction decoded once.
#[derive(Clone, Debug)]
pub struct Predecoded {
    programs: Vec<Program>,
    machine: Machine,
}

impl Predecoded {
    /// An engine for a chain, the oldest filter first. It takes time linear in the number of instructions.
    #[must_use]
    pub fn new(filters: &[Filter<'_>], machine: Machine) -> Self {
        let programs = filters.iter().map(|filter| Program::new(filter.program(), machine));
        Self {
            programs: programs.collect(),
            machine,
        }
    }

    /// The memory it keeps, in bytes: about 50 for each instruction of a real filter, and below 600 for each and 200,000
    /// for each filter in any case.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.programs.iter().map(Program::memory).sum()
    }

    pub(crate) fn programs(&self) -> &[Program] {
        &self.programs
    }
}

impl Engine for Predecoded {
    fn decide(&self, call: &SeccompData) -> Decision {
        if let [only] = self.programs.as_slice() {
            let Outcome { value, insns } = only.run(call);
            return Decision {
                verdict: combine([(0, value)], self.machine.kernel),
                insns: u64::from(insns),
            };
        }
        let mut insns = 0_u64;
        let values = self.programs.iter().enumerate().rev().map(|(index, program)| {
            let outcome = program.run(call);
            insns = insns.wrapping_add(u64::from(outcome.insns));
            (index, outcome.value)
        });
        let verdict = combine(values, self.machine.kernel);
        Decision { verdict, insns }
    }

    fn value(&self, call: &SeccompData) -> u32 {
        // Most chains are one filter, and need no walk over filters.
        if let [only] = self.programs.as_slice() {
            return combine([(0, only.run(call).value)], self.machine.kernel).value;
        }
        let programs = self.programs.iter().enumerate().rev();
        combine(
            programs.map(|(index, program)| (index, program.run(call).value)),
            self.machine.kernel,
        )
        .value
    }
}

/// One decoded filter.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    steps: Box<[Step]>,
    switches: Box<[Switch]>,
    shift: ShiftByX,
}

/// What happens at one place. The alignment makes finding a step a shift, and keeps each within one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
enum Step {
    /// `A` keeps some bits and is tested
    Test(Branch),
    /// A word is loaded, keeps some bits and is tested
    LoadTest(Place, Branch),
    /// All tests of `A` from here on, by the number of the switch
    Switch(u16),
    /// A word is loaded before
    LoadSwitch(Place, u16),
    /// `A` is tested against `X`
    TestX(Compare),
    Load(Place),
    Constant(u32),
    ConstantX(u32),
    LoadCell(u8),
    LoadCellX(u8),
    Store(u8),
    StoreX(u8),
    ToX,
    FromX,
    Negate,
    Alu(callproof_vm::isa::Alu, u32),
    AluX(callproof_vm::isa::Alu),
    Jump(u16),
    Return(u32),
    ReturnA,
}

/// A test with what leads to it and where it leads.
#[derive(Clone, Copy, Debug)]
struct Branch {
    /// The bits that `A` keeps
    keep: u32,
    test: Test,
    yes: u16,
    no: u16,
    /// How many instructions this is
    insns: u8,
}

/// A comparison of two registers.
#[derive(Clone, Copy, Debug)]
struct Compare {
    cond: callproof_vm::isa::Cond,
    yes: u16,
    no: u16,
}

/// What a program made of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) value: u32,
    pub(crate) insns: u32,
}

/// The registers and the scratch memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) a: u32,
    pub(crate) x: u32,
    pub(crate) cells: [u32; 16],
}

impl Program {
    fn memory(&self) -> usize {
        let switches = self.switches.iter().map(Switch::memory).sum::<usize>();
        size_of_val(&*self.steps).saturating_add(switches)
    }
}
