//! What of the filters some call reaches: each piece shown by a replayed call, the rest proved dead.

use std::time::Instant;

use callproof_checker::{Event, Way};
use callproof_vm::isa::Op;
use callproof_vm::{Chain, Machine, SeccompData};

use super::Session;
use super::answer::{Answer, Counterexample, Finding, Proof, Stop};
use super::proving::{Decided, by_sat, proof};
use super::replay::Seen;
use super::statement::never;
use crate::diagram::Plan;
use crate::limits::Undecided;
use crate::reach::Reach;
use crate::space::Set;

/// Whether every instruction is reached and every test goes both ways, with a call for each piece; or what is dead,
/// with a proof.
pub(super) fn by_diagrams(session: &mut Session<'_>, begun: Instant) -> Result<Answer, Stop> {
    let mut open = Open::new(session);
    for call in reached(session)? {
        open.watch(session, &call);
    }
    if open.events.is_empty() {
        return Ok(open.holds(session));
    }
    let stated = never(session, &open.events);
    let proof = proof(session, &stated, begun)?;
    Ok(open.dead(proof))
}

/// As [`by_diagrams`], by the SAT engine: calls that reach what was not reached before, until none is left.
pub(super) fn by_sat_engine(session: &Session<'_>, begun: Instant) -> Result<Answer, Stop> {
    let mut open = Open::new(session);
    loop {
        if open.events.is_empty() {
            return Ok(open.holds(session));
        }
        match by_sat(session, &never(session, &open.events), &session.limits().since(begun))? {
            Decided::Holds(proof) => return Ok(open.dead(proof)),
            Decided::Fails(call) => {
                let before = open.events.len();
                open.watch(session, &call);
                if open.events.len() == before {
                    return Err(Stop::Unproved);
                }
            }
        }
    }
}

/// Calls that take every edge of the graphs that some call takes.
fn reached(session: &mut Session<'_>) -> Result<Vec<SeccompData>, Undecided> {
    exercised(session, Set::ALL)
}

/// Calls of a set that together take every edge of the graphs that some call of the set takes: every call that does
/// something at an instruction takes an edge on which that is done.
pub(super) fn exercised(session: &mut Session<'_>, calls: Set) -> Result<Vec<SeccompData>, Undecided> {
    let ways = match session.ways.take() {
        Some(ways) => ways,
        None => ways(session)?,
    };
    let mut found: Vec<SeccompData> = session.space.example(calls)?.into_iter().collect();
    let mut each = || {
        for way in &ways {
            let both = session.space.and(calls, *way)?;
            if !both.is_empty() {
                found.extend(session.space.example(both)?);
            }
        }
        Ok(())
    };
    let all: Result<(), Undecided> = each();
    session.ways = Some(ways);
    all.map(|()| found)
}

/// For each edge of the graphs that some call takes, the calls that do.
fn ways(session: &mut Session<'_>) -> Result<Vec<Set>, Undecided> {
    let mut ways = Vec::new();
    for graph in session.own.graphs() {
        let plan = Plan::new(graph);
        let reach = Reach::new(&mut session.space.arena, &plan)?;
        for &id in graph.order() {
            for held in [true, false] {
                if reach.is_taken(id, held) {
                    ways.push(Set(reach.taking(&mut session.space.arena, id, held)?));
                }
            }
        }
    }
    Ok(ways)
}

/// What no call was seen to do yet.
struct Open {
    events: Vec<Event>,
    seen: Seen,
    calls: Vec<SeccompData>,
}

impl Open {
    fn new(session: &Session<'_>) -> Self {
        let mut events = Vec::new();
        for (filter, program) in (0_u32..).zip(session.filters()) {
            for (pc, insn) in (0_u32..).zip(program.program()) {
                let decides = matches!(insn.op(), Some(Op::Jump(..))) && insn.jt != insn.jf;
                let ways: &[Way] = if decides {
                    &[Way::Reached, Way::Yes, Way::No]
                } else {
                    &[Way::Reached]
                };
                events.extend(ways.iter().map(|&way| Event { filter, pc, way }));
            }
        }
        Self {
            events,
            seen: Seen::new(session.filters()),
            calls: Vec::new(),
        }
    }

    /// Replays a call, and keeps it if it does something new.
    fn watch(&mut self, session: &Session<'_>, call: &SeccompData) {
        let made = session.made(call);
        let machine = Machine {
            endian: session.order.of(made.arch),
            ..session.machine()
        };
        Chain::new(session.filters()).run_observed(&made, machine, &mut self.seen);
        let before = self.events.len();
        let seen = &self.seen;
        self.events.retain(|event| !seen.has(event));
        if self.events.len() < before {
            self.calls.push(*call);
        }
    }

    fn holds(&self, session: &Session<'_>) -> Answer {
        let proof = None;
        let shown = self.calls.iter().map(|call| session.shown(call)).collect();
        Answer::Holds { proof, shown }
    }

    /// What is left never happens. A test that is never reached is told as dead alone.
    fn dead(&self, proof: Proof) -> Answer {
        let place = |event: &Event| (event.filter as usize, event.pc as usize);
        let dead: Vec<_> = self
            .events
            .iter()
            .filter(|event| event.way == Way::Reached)
            .map(place)
            .collect();
        let one_way = self
            .events
            .iter()
            .filter(|event| event.way != Way::Reached && !dead.contains(&place(event)));
        let one_way = one_way.map(|event| {
            let (filter, pc) = place(event);
            (filter, pc, event.way == Way::No)
        });
        let one_way = one_way.collect();
        let mut found = Counterexample::of(Finding::DeadCode { dead, one_way }, Vec::new());
        found.proof = Some(proof);
        Answer::Fails(found)
    }
}
