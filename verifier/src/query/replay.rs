//! Calls that contradict statements, as the emulator sees them.

use callproof_checker::{Event, Region as Node, Relation, View, Way};
use callproof_vm::isa::{Alu, Cond, Op, Src};
use callproof_vm::observe::{Count, Observer, Step};
use callproof_vm::{Chain, Filter, Insn, Machine, SeccompData};

use super::Session;
use super::regions::{ALWAYS, word};
use super::statement::Stated;
use crate::view::{View as Told, severity};

/// The part of a statement that a call contradicts.
#[derive(Debug)]
pub(super) struct Contradiction {
    /// The call as each view of it has it
    pub(super) calls: Vec<SeccompData>,
    /// What happened that never should
    pub(super) happened: Vec<Event>,
}

/// The first part of a statement that a call contradicts in the emulator.
pub(super) fn contradicted(session: &Session<'_>, stated: &Stated<'_>, call: &SeccompData) -> Option<Contradiction> {
    let endian = session.machine().endian;
    let words = in_order(session, call);
    let regions = regions(&stated.claim.region, &words);
    for part in &stated.claim.parts {
        if regions.get(part.within as usize) != Some(&true) {
            continue;
        }
        let calls = part.views.iter().map(|view| {
            let mut forced = words;
            for &(place, mask, value) in &view.force {
                if let Some(word) = forced.get_mut(usize::from(place)) {
                    *word = *word & !mask | value;
                }
            }
            let mut in_memory = [0; 16];
            for (place, slot) in (0_u8..).zip(&mut in_memory) {
                *slot = forced.get(usize::from(word(place, endian))).copied().unwrap_or(0);
            }
            SeccompData::from_words(in_memory, endian)
        });
        let calls: Vec<SeccompData> = calls.collect();
        let runs: Vec<Run> = part
            .views
            .iter()
            .zip(&calls)
            .map(|(view, call)| run(session, stated, view, call))
            .collect();
        let events: &[Event] = match &part.relation {
            Relation::Never(events) => events,
            _ => &[],
        };
        let happened = events.iter().filter(|event| runs.iter().any(|run| run.seen.has(event)));
        let happened: Vec<Event> = happened.copied().collect();
        if !happened.is_empty() || !related(session, &part.relation, &runs) {
            return Some(Contradiction { calls, happened });
        }
    }
    None
}

/// The words of a call in the order of proof files.
fn in_order(session: &Session<'_>, call: &SeccompData) -> [u32; 16] {
    let endian = session.machine().endian;
    let mut words = [0; 16];
    for (place, value) in (0_u8..).zip(call.words(endian)) {
        if let Some(slot) = words.get_mut(usize::from(word(place, endian))) {
            *slot = value;
        }
    }
    words
}

/// For each number of a region's node, whether the words are in it.
fn regions(nodes: &[Node], words: &[u32; 16]) -> Vec<bool> {
    let mut known = vec![false; ALWAYS as usize];
    known.push(true);
    for node in nodes {
        let value = words.get(usize::from(node.word)).copied().unwrap_or(0) & node.mask;
        let case = node
            .cases
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&value));
        let next = case.map_or(node.otherwise, |(_, _, to)| *to);
        known.push(known.get(next as usize).copied().unwrap_or(false));
    }
    known
}

/// What one view comes to.
struct Run {
    value: u32,
    count: u64,
    seen: Seen,
}

fn run(session: &Session<'_>, stated: &Stated<'_>, view: &View, call: &SeccompData) -> Run {
    let chain = stated
        .chains
        .get(usize::from(view.chain))
        .map_or(&[][..], |chain| chain);
    let mut watch = (Count::default(), Seen::new(chain));
    let made = session.made(call);
    let machine = Machine {
        endian: session.order.of(made.arch),
        ..session.machine()
    };
    let value = Chain::new(chain).run_observed(&made, machine, &mut watch).value;
    let (Count(count), seen) = watch;
    Run { value, count, seen }
}

fn related(session: &Session<'_>, relation: &Relation, runs: &[Run]) -> bool {
    let kernel = session.kernel();
    let within = |set: &[(u32, u32)], value: u32| set.iter().any(|(first, last)| (*first..=*last).contains(&value));
    let severity = |run: &Run| severity(run.value, kernel);
    let normal = |run: &Run| Told::Value.stand_in(run.value, kernel);
    match (relation, runs) {
        (Relation::Within(set), [one]) => within(set, one.value),
        (Relation::Cost(most), [one]) => one.count <= u64::from(*most),
        (Relation::CostAtLeast(least), [one]) => one.count >= u64::from(*least),
        (Relation::Equal(set), [a, b]) => !within(set, a.value) || normal(a) == normal(b),
        (Relation::SameAction, [a, b]) => severity(a) == severity(b),
        (Relation::Refines, [a, b]) => severity(a) <= severity(b),
        (Relation::Implies(set), [a, b]) => !within(set, a.value) || within(set, b.value),
        _ => true,
    }
}

/// What happened at the instructions of a chain.
#[derive(Debug)]
pub(super) struct Seen {
    filter: usize,
    /// For each filter, for each instruction: reached, and which ways were taken
    at: Vec<Vec<[bool; 3]>>,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn new(chain: &[Filter<'_>]) -> Self {
        let blank = |filter: &Filter<'_>| vec![[false; 3]; filter.program().len()];
        Self {
            filter: 0,
            at: chain.iter().map(blank).collect(),
        }
    }

    /// Whether this happened.
    pub(super) fn has(&self, event: &Event) -> bool {
        let ways = self
            .at
            .get(event.filter as usize)
            .and_then(|at| at.get(event.pc as usize));
        let [reached, yes, no] = ways.copied().unwrap_or_default();
        match event.way {
            Way::Reached => reached,
            Way::Yes => yes,
            Way::No => no,
        }
    }
}

impl Observer for Seen {
    fn filter(&mut self, index: usize) {
        self.filter = index;
    }

    fn step(&mut self, step: &Step) {
        let ways = self.at.get_mut(self.filter).and_then(|at| at.get_mut(step.pc));
        let Some([reached, yes, no]) = ways else { return };
        *reached = true;
        if let Some(holds) = decides(step) {
            *(if holds { yes } else { no }) = true;
        }
    }
}

/// Whether what decides at the instruction holds: the comparison of a jump, a divisor of zero, a shift too far.
fn decides(step: &Step) -> Option<bool> {
    let Insn { k, .. } = step.insn;
    match step.insn.op()? {
        Op::Jump(cond, src) => {
            let right = match src {
                Src::K => k,
                Src::X => step.x,
            };
            Some(match cond {
                Cond::Jeq => step.a == right,
                Cond::Jgt => step.a > right,
                Cond::Jge => step.a >= right,
                Cond::Jset => step.a & right != 0,
            })
        }
        Op::Alu(Alu::Div, Src::X) => Some(step.x == 0),
        Op::Alu(Alu::Lsh | Alu::Rsh, Src::X) => Some(step.x >= 32),
        _ => None,
    }
}
