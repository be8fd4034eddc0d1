//! Residual programs: what is left of a filter when the call number is known and the arguments are not.
//!
//! They are graphs of tests of 64-bit fields. Loads, masks and jumps are gone; several tests of one field are one look-up;
//! what cannot be put so is left to the pre-decoded engine, which goes on from there.

mod build;
mod switch;

use callproof_vm::{Insn, Machine, SeccompData, ShiftByX, combine};

use super::live::Live;
use super::state::State;
use crate::place::field;
use crate::predecoded::{Outcome, Program};
use crate::test::Wide;
use switch::Switch;

/// The most nodes of all residual programs of a chain.
pub(super) const MAX_NODES: usize = 8192;
/// The most places at which the pre-decoded engine takes over.
pub(super) const MAX_RESUMES: usize = 512;
/// The most look-ups, and the most ranges of all of them.
pub(super) const MAX_SWITCHES: usize = 1024;
pub(super) const MAX_GOALS: usize = 8192;

/// The most instructions that are walked for a chain, in all: some milliseconds.
const MAX_WORK: u32 = 1 << 19;

/// Number of a node.
pub(super) type Id = u16;

/// A place of a residual program. `insns` is what the filter executes from here to what the node does, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// Not made yet
    Open,
    /// A field is tested
    Test {
        field: u8,
        test: Wide,
        yes: Id,
        no: Id,
        insns: u16,
    },
    /// A field is looked up
    Switch { number: u16 },
    /// The filter returns, if alone in its chain, this
    Return { value: u32, insns: u16 },
    /// The pre-decoded engine goes on
    Resume { state: u16, insns: u16 },
}

/// All residual programs of a chain.
#[derive(Clone, Debug)]
pub(super) struct Residuals {
    machine: Machine,
    nodes: Vec<Node>,
    switches: Vec<Switch>,
    /// Ranges that look-ups may still have
    goals: usize,
    /// Instructions that may still be walked
    work: u32,
    resumes: Vec<(usize, State)>,
}

/// There is no room for another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The filter that a residual program is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'s> {
    pub(super) filter: usize,
    pub(super) program: &'s [Insn],
    pub(super) live: &'s [Live],
}

impl Residuals {
    pub(super) const fn new(machine: Machine) -> Self {
        Self {
            machine,
            nodes: Vec::new(),
            switches: Vec::new(),
            goals: MAX_GOALS,
            work: MAX_WORK,
            resumes: Vec::new(),
        }
    }

    pub(super) const fn shift(&self) -> ShiftByX {
        self.machine.shift
    }

    /// Takes note of one instruction that is walked; false when there were too many.
    pub(super) const fn work(&mut self) -> bool {
        self.work = self.work.saturating_sub(1);
        self.work > 0
    }

    pub(super) fn memory(&self) -> usize {
        let switches = self.switches.iter().map(Switch::memory).sum::<usize>();
        size_of_val(&*self.nodes)
            .saturating_add(size_of_val(&*self.resumes))
            .saturating_add(switches)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// What the program that begins at a node makes of a call: its value is what comes of it when there is no other one.
    #[inline(always)]
    pub(super) fn run(&self, root: Id, call: &SeccompData, programs: &[Program]) -> Outcome {
        let (mut id, mut count) = (root, 0_u32);
        loop {
            match self.nodes.get(usize::from(id)) {
                Some(Node::Test {
                    field: of,
                    test,
                    yes,
                    no,
                    insns,
                }) => {
                    count = count.wrapping_add(u32::from(*insns));
                    id = if test.passes(field(call, *of)) { *yes } else { *no };
                }
                Some(Node::Switch { number }) => {
                    let Some(goal) = self.switches.get(usize::from(*number)).map(|switch| switch.find(call)) else {
                        return Outcome { value: 0, insns: count };
                    };
                    count = count.wrapping_add(u32::from(goal.insns));
                    id = goal.id;
                }
                Some(Node::Return { value, insns }) => {
                    return Outcome {
                        value: *value,
                        insns: count.wrapping_add(u32::from(*insns)),
                    };
                }
                Some(Node::Resume { state, insns }) => {
                    let rest = self.resume(*state, call, programs);
                    let before = count.wrapping_add(u32::from(*insns));
                    return Outcome {
                        insns: before.wrapping_add(rest.insns),
                        ..rest
                    };
                }
                // Every node is made before the program is used.
                Some(Node::Open) | None => return Outcome { value: 0, insns: count },
            }
        }
    }

    /// The value that [`run`](Self::run) gives. Apart from it, nothing is counted.
    #[inline(never)]
    pub(super) fn value(&self, root: Id, call: &SeccompData, programs: &[Program]) -> u32 {
        self.run(root, call, programs).value
    }

    #[cold]
    #[inline(never)]
    fn resume(&self, state: u16, call: &SeccompData, programs: &[Program]) -> Outcome {
        let resume = self.resumes.get(usize::from(state));
        let program = resume.and_then(|(filter, state)| Some((programs.get(*filter)?, state)));
        program.map_or(Outcome { value: 0, insns: 0 }, |(program, state)| {
            let outcome = program.run_from(state.pc, state.registers(call, self.machine.endian), call);
            let value = self.alone(outcome.value);
            Outcome { value, ..outcome }
        })
    }

    /// What comes of a value when there is no other. Whatever else there is, the value can be taken for this one.
    fn alone(&self, value: u32) -> u32 {
        combine([(0, value)], self.machine.kernel).value
    }
}
