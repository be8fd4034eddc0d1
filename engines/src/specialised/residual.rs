//! Residual programs: what is left of a filter when the call number is known and the arguments are not.
//!
//! They are graphs of tests of single words. Loads, masks and jumps are gone; what cannot be put as such a test is left
//! to the pre-decoded engine, which goes on from there.

use std::collections::HashMap;

use callproof_vm::{Insn, ShiftByX};

use super::state::{Calls, Next, State};
use crate::predecoded::{Outcome, Program};
use crate::test::Test;

/// The most nodes of all residual programs of a chain.
pub(super) const MAX_NODES: usize = 8192;
/// The most places at which the pre-decoded engine takes over.
pub(super) const MAX_RESUMES: usize = 512;

/// The most instructions that are walked for a chain, in all: some milliseconds.
const MAX_WORK: u32 = 1 << 19;

/// Number of a node.
pub(super) type Id = u16;

/// A place of a residual program. `insns` is what the filter executes from here to what the node does, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// Not made yet
    Open,
    /// A word is tested
    Test {
        index: u8,
        test: Test,
        yes: Id,
        no: Id,
        insns: u16,
    },
    /// The filter returns
    Return { value: u32, insns: u16 },
    /// The pre-decoded engine goes on
    Resume { state: u16, insns: u16 },
}

/// All residual programs of a chain.
#[derive(Clone, Debug)]
pub(super) struct Residuals {
    nodes: Vec<Node>,
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
    pub(super) shift: ShiftByX,
}

/// The states that have a node, and those whose node is still open.
#[derive(Debug, Default)]
struct Pending {
    known: HashMap<State, Id>,
    open: Vec<(Id, State)>,
}

impl Residuals {
    pub(super) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            work: MAX_WORK,
            resumes: Vec::new(),
        }
    }

    /// Takes note of one instruction that is walked; false when there were too many.
    pub(super) const fn work(&mut self) -> bool {
        self.work = self.work.saturating_sub(1);
        self.work > 0
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.nodes).saturating_add(size_of_val(&*self.resumes))
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Makes the program that begins in a state. Equal states share their node, so it is no larger than the filter
    /// times the states that its places can be in; when there is no room, what was made is taken back.
    pub(super) fn build(&mut self, source: Source<'_>, calls: &Calls<'_>, start: State) -> Result<Id, Full> {
        let before = (self.nodes.len(), self.resumes.len());
        let mut pending = Pending::default();
        let built = self.node(&mut pending, start).and_then(|root| {
            while let Some((id, state)) = pending.open.pop() {
                let node = self.advance(&mut pending, source, calls, state)?;
                if let Some(place) = self.nodes.get_mut(usize::from(id)) {
                    *place = node;
                }
            }
            Ok(root)
        });
        if built.is_err() {
            self.nodes.truncate(before.0);
            self.resumes.truncate(before.1);
        }
        built
    }

    /// The node of a state.
    fn node(&mut self, pending: &mut Pending, state: State) -> Result<Id, Full> {
        if let Some(&id) = pending.known.get(&state) {
            return Ok(id);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Full);
        }
        let id = Id::try_from(self.nodes.len()).map_err(|_| Full)?;
        self.nodes.push(Node::Open);
        pending.known.insert(state, id);
        pending.open.push((id, state));
        Ok(id)
    }

    /// Goes on from a state to the next thing that depends on a word.
    fn advance(
        &mut self,
        pending: &mut Pending,
        source: Source<'_>,
        calls: &Calls<'_>,
        mut state: State,
    ) -> Result<Node, Full> {
        let mut insns = 1_u16;
        while let Some(&insn) = source.program.get(usize::from(state.pc)) {
            if !self.work() {
                return Err(Full);
            }
            match state.step(insn, calls, source.shift) {
                Next::Went => insns = insns.wrapping_add(1),
                Next::Returns(value) => return Ok(Node::Return { value, insns }),
                Next::Needs => break,
                Next::Asks { index, test, yes, no } => {
                    return Ok(Node::Test {
                        index,
                        test,
                        yes: self.node(pending, State { pc: yes, ..state })?,
                        no: self.node(pending, State { pc: no, ..state })?,
                        insns,
                    });
                }
            }
        }
        if self.resumes.len() >= MAX_RESUMES {
            return Err(Full);
        }
        let number = u16::try_from(self.resumes.len()).map_err(|_| Full)?;
        self.resumes.push((source.filter, state));
        Ok(Node::Resume {
            state: number,
            insns: insns.wrapping_sub(1),
        })
    }

    /// What the program that begins at a node makes of a record.
    #[inline]
    pub(super) fn run(&self, root: Id, words: &[u32; 16], programs: &[Program]) -> Outcome {
        let (mut id, mut count) = (root, 0_u32);
        loop {
            match self.nodes.get(usize::from(id)) {
                Some(Node::Test {
                    index,
                    test,
                    yes,
                    no,
                    insns,
                }) => {
                    let word = words.get(usize::from(index & 15)).copied().unwrap_or(0);
                    count = count.wrapping_add(u32::from(*insns));
                    id = if test.passes(word) { *yes } else { *no };
                }
                Some(Node::Return { value, insns }) => {
                    return Outcome {
                        value: *value,
                        insns: count.wrapping_add(u32::from(*insns)),
                    };
                }
                Some(Node::Resume { state, insns }) => {
                    let rest = self.resume(*state, words, programs);
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

    #[cold]
    fn resume(&self, state: u16, words: &[u32; 16], programs: &[Program]) -> Outcome {
        let resume = self.resumes.get(usize::from(state));
        let program = resume.and_then(|(filter, state)| Some((programs.get(*filter)?, state)));
        program.map_or(Outcome { value: 0, insns: 0 }, |(program, state)| {
            program.run_from(state.pc, state.registers(words), words)
        })
    }
}
