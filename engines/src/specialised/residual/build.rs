//! How residual programs are made: from a state on, through all states that it leads to.

use std::collections::HashMap;

use super::{Full, Id, MAX_NODES, MAX_RESUMES, Node, Residuals, Source};
use crate::place::Place;
use crate::specialised::state::{Calls, Next, State};

/// The states that have a node, and those whose node is still open.
#[derive(Debug, Default)]
pub(super) struct Pending {
    known: HashMap<State, Id>,
    open: Vec<(Id, State)>,
}

impl Residuals {
    /// Makes the program that begins in a state. Equal states share their node, so it is no larger than the filter
    /// times the states that its places can be in; when there is no room, what was made is taken back.
    pub(in crate::specialised) fn build(
        &mut self,
        source: Source<'_>,
        calls: &Calls<'_>,
        start: State,
    ) -> Result<Id, Full> {
        let before = (self.nodes.len(), self.resumes.len(), self.switches.len(), self.goals);
        let mut pending = Pending::default();
        let built = self.node(&mut pending, source, start).and_then(|root| {
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
            self.switches.truncate(before.2);
            self.goals = before.3;
        }
        built
    }

    /// The node of a state.
    pub(super) fn node(&mut self, pending: &mut Pending, source: Source<'_>, state: State) -> Result<Id, Full> {
        let live = source.live.get(usize::from(state.pc)).copied().unwrap_or_default();
        let state = state.forgetting(live);
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
            match state.step(insn, calls, self.machine.shift) {
                Next::Went => insns = insns.wrapping_add(1),
                Next::Returns(value) => {
                    let value = self.alone(value);
                    return Ok(Node::Return { value, insns });
                }
                Next::Needs => break,
                Next::Asks { index, test, yes, no } => {
                    let before = insns.wrapping_sub(1);
                    if let Some(ways) = self.ways(source, calls, (state, index), before)? {
                        return self.switch(pending, source, ways);
                    }
                    let place = Place::new(index, self.machine.endian);
                    return Ok(Node::Test {
                        field: place.field,
                        test: test.wide(place.shift),
                        yes: self.node(pending, source, State { pc: yes, ..state })?,
                        no: self.node(pending, source, State { pc: no, ..state })?,
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
}
