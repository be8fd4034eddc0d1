//! Instructions that nothing reaches, tests that always go one way, and computations that depend on the machine.

use callproof_vm::isa::{Alu, Op, Src};
use callproof_vm::observe::{Next, Observer, Step};
use callproof_vm::{Insn, SeccompData};

use crate::diagram::{Arena, Plan, Ref, Words};
use crate::graph::{Kind, NodeId, State, Visitor, is_division};
use crate::limits::Undecided;
use crate::reach::Reach;
use crate::space::{Set, Space};
use crate::subject::Subject;
use crate::test::Relation;
use crate::value::Value;
use crate::witness::{Failure, disagreement};

/// What no call, or some call, makes one filter of a chain do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Instructions that no call executes
    pub dead: Vec<usize>,
    /// Conditional jumps that some call executes and that always go the same way, with that way
    pub one_way: Vec<(usize, bool)>,
    /// Instructions whose result depends on the machine, or that leave the filter, for some call
    pub hazards: Vec<Hazard>,
}

/// An instruction that some call makes do something its author may not have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// The instruction
    pub pc: usize,
    /// What it does
    pub kind: HazardKind,
    /// A call that makes it do so, replayed in the emulator
    pub call: SeccompData,
}

/// What an instruction may do unexpectedly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HazardKind {
    /// It shifts by 32 or more, which different machines do differently
    Shift,
    /// It divides by zero, which ends the filter and kills the thread
    Division,
}

impl Space {
    /// Finds out what no call makes a filter do, and what some call does.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator disagrees about a hazard.
    pub fn audit(&mut self, subject: &Subject<'_>, filter: usize) -> Result<Audit, Failure> {
        let Some((graph, program)) = subject.graphs().get(filter).zip(subject.filters().get(filter)) else {
            return Ok(Audit::default());
        };
        let program = program.program();
        let plan = Plan::new(graph);
        let reach = Reach::new(&mut self.arena, &plan)?;
        let mut ways = Ways::new(program);
        ways.follow(&reach);
        let mut audit = ways.audit();
        for (pc, kind, calls) in hazards(&mut self.arena, &reach, program, ways.shifts)? {
            if audit.hazards.iter().any(|known| known.pc == pc && known.kind == kind) {
                continue;
            }
            if let Some(call) = self.example(Set(calls))? {
                confirm(subject, filter, pc, kind, &call)?;
                audit.hazards.push(Hazard { pc, kind, call });
            }
        }
        audit.hazards.sort_by_key(|hazard| hazard.pc);
        Ok(audit)
    }
}

/// What was seen on the ways that some call takes.
struct Ways<'p> {
    program: &'p [Insn],
    executed: Vec<bool>,
    /// For each instruction, whether its test was seen to (hold, fail)
    went: Vec<[bool; 2]>,
    shifts: Vec<Shift>,
    on: Option<(NodeId, bool)>,
}

impl<'p> Ways<'p> {
    fn new(program: &'p [Insn]) -> Self {
        Self {
            program,
            executed: vec![false; program.len()],
            went: vec![[false; 2]; program.len()],
            shifts: Vec::new(),
            on: None,
        }
    }

    /// Walks every edge that some call takes.
    fn follow(&mut self, reach: &Reach<'_, '_>) {
        let graph = reach.graph();
        let mut symbols = graph.symbols().clone();
        let program = self.program;
        let first = symbols.run(program, 0, State::START, self).pc;
        self.arrive(first);
        for &id in graph.order() {
            let Some(node) = graph.node(id) else { continue };
            let Kind::Test { swapped, .. } = node.kind else {
                continue;
            };
            let starts = graph.branches(id, program, &mut symbols);
            for (held, (start, state)) in [true, false].into_iter().zip(starts) {
                if !reach.is_taken(id, held) {
                    continue;
                }
                let pc = node.pc as usize;
                if is_division(program.get(pc).copied().unwrap_or_default()) {
                    // The way of a division by zero ends here.
                    if held {
                        continue;
                    }
                } else {
                    self.go(pc, held != swapped);
                }
                self.on = Some((id, held));
                let end = symbols.run(program, start, state, self).pc;
                self.arrive(end);
            }
        }
    }

    fn arrive(&mut self, pc: usize) {
        if let Some(executed) = self.executed.get_mut(pc) {
            *executed = true;
        }
    }

    fn go(&mut self, pc: usize, held: bool) {
        if let Some([yes, no]) = self.went.get_mut(pc) {
            *(if held { yes } else { no }) = true;
        }
    }

    fn audit(&self) -> Audit {
        let executed = || self.executed.iter().enumerate();
        let one_way = executed()
            .zip(&self.went)
            .zip(self.program)
            .filter_map(|(((pc, executed), went), insn)| {
                let decides = matches!(insn.op(), Some(Op::Jump(..))) && insn.jt != insn.jf;
                let [held, failed] = *went;
                (decides && *executed && held != failed).then_some((pc, held))
            });
        Audit {
            dead: executed()
                .filter(|(_, executed)| !**executed)
                .map(|(pc, _)| pc)
                .collect(),
            one_way: one_way.collect(),
            hazards: Vec::new(),
        }
    }
}

impl Visitor for Ways<'_> {
    fn visit(&mut self, pc: usize, state: &State, known: Option<bool>) {
        self.arrive(pc);
        if let Some(held) = known {
            self.go(pc, held);
        }
        let op = self.program.get(pc).and_then(|insn| insn.op());
        if matches!(op, Some(Op::Alu(Alu::Lsh | Alu::Rsh, Src::X))) {
            self.shifts.push((pc, state.x, self.on));
        }
    }
}

/// A shift by X: (instruction, X, the edge it is on, `None` for the way into the filter)
type Shift = (usize, Value, Option<(NodeId, bool)>);

type Found = (usize, HazardKind, Ref);

/// The calls for which each hazard happens; empty sets are left out.
fn hazards(
    arena: &mut Arena,
    reach: &Reach<'_, '_>,
    program: &[Insn],
    shifts: Vec<Shift>,
) -> Result<Vec<Found>, Undecided> {
    let graph = reach.graph();
    let mut found = Vec::new();
    let mut words = Words::new(graph);
    for (pc, by, on) in shifts {
        let too_far = match by {
            Value::Const(k) => {
                if k > 31 {
                    Ref::TRUE
                } else {
                    Ref::FALSE
                }
            }
            _ => words.compare(arena, Relation::Above, by, Value::Const(31))?,
        };
        if too_far != Ref::FALSE {
            let taking = on.map_or(Ok(Ref::TRUE), |(from, held)| reach.taking(arena, from, held))?;
            found.push((pc, HazardKind::Shift, arena.and(taking, too_far)?));
        }
    }
    for &id in graph.order() {
        let Some((_, edges)) = reach.test(id) else { continue };
        let own = graph.node(id).map_or(0, |node| node.pc);
        for (held, edge) in [true, false].into_iter().zip(edges) {
            let Some(end) = graph.node(edge.to) else { continue };
            let divides = is_division(program.get(end.pc as usize).copied().unwrap_or_default());
            // Either this is the test of X, or the way ends at a division by an X that is known to be 0.
            let by_zero = divides && matches!(end.kind, Kind::Return(_)) && (end.steps == 1 || end.pc == own);
            if by_zero && reach.is_taken(id, held) {
                found.push((end.pc as usize, HazardKind::Division, reach.taking(arena, id, held)?));
            }
        }
    }
    let start = graph.node(graph.root().to);
    if let Some(pc) = start
        .filter(|node| matches!(node.kind, Kind::Return(_)))
        .map(|node| node.pc as usize)
        && is_division(program.get(pc).copied().unwrap_or_default())
    {
        found.push((pc, HazardKind::Division, Ref::TRUE));
    }
    found.retain(|(_, _, calls)| *calls != Ref::FALSE);
    Ok(found)
}

/// Replays a call: the emulator must see the hazard too.
fn confirm(
    subject: &Subject<'_>,
    filter: usize,
    pc: usize,
    kind: HazardKind,
    call: &SeccompData,
) -> Result<(), Failure> {
    let mut watch = Watch {
        pc,
        kind,
        seen: false,
        before: 0,
    };
    if let Some(filter) = subject.filters().get(filter) {
        filter.run_observed(call, subject.machine(), &mut watch);
    }
    if watch.seen {
        return Ok(());
    }
    Err(disagreement(*call, pc as u64, u64::MAX))
}

struct Watch {
    pc: usize,
    kind: HazardKind,
    seen: bool,
    before: u32,
}

impl Observer for Watch {
    fn step(&mut self, step: &Step) {
        if step.pc == self.pc {
            self.seen |= match self.kind {
                HazardKind::Shift => step.x > 31,
                HazardKind::Division => self.before == 0 && step.next == Next::Return(0),
            };
        }
        self.before = step.x;
    }
}
