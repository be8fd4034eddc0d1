//! What would make a claim false, as clauses. `docs/PROOFS.md` section 7.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Rejected;
use crate::circuit::{Circuit, FALSE, Literal, TRUE, Word, constant, input, not};
use crate::format::{Event, Machine, Op, Region, Relation, Statement, View, Way, asked};
use crate::program::{Insn, Meaning, REGISTERS};
use crate::value::Alu;

/// Clauses that can be satisfied together exactly if a claim is false, numbered from 1.
///
/// A literal is a variable times two, plus one if it is negated. Variable 1 + v is bit v of the input.
#[derive(Debug)]
pub struct Formula {
    circuit: Circuit,
    /// The variables of the gates that matter, ascending
    cone: Vec<u32>,
    /// True if the claim is false
    goal: Literal,
}

/// The sixteen words of the input, in the variable order, as a view sees them.
type Words = [Word; 16];
type Registers = [Word; REGISTERS];

/// What one filter does.
struct Outcome {
    value: Word,
    /// Whether what must never happen does
    happened: Literal,
    /// How many instructions are executed; zero unless the claim is about that
    count: Word,
}

/// What one filter is asked, beyond its value.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// For each instruction, a bit for each way that must never happen
    ways: &'a [u8],
    /// Whether instructions are counted
    count: bool,
}

impl Formula {
    pub(crate) fn new(statement: &Statement, programs: &[Vec<Vec<Insn>>]) -> Result<Self, Rejected> {
        let mut circuit = Circuit::default();
        let goal = goal(&mut circuit, statement, programs)?;
        let mut needed = alloc::vec![false; (circuit.variables() as usize).saturating_add(1)];
        let mut cone = Vec::new();
        mark(&mut needed, goal);
        for variable in (0..=circuit.variables()).rev() {
            if needed.get(variable as usize) == Some(&true)
                && let Some((a, b)) = circuit.gate(variable)
            {
                mark(&mut needed, a);
                mark(&mut needed, b);
                cone.push(variable);
            }
        }
        cone.reverse();
        Ok(Self { circuit, cone, goal })
    }

    /// How many variables there are, variable 0 not counted.
    #[must_use]
    pub fn variables(&self) -> u32 {
        self.circuit.variables()
    }

    /// How many clauses there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.cone.len().saturating_mul(3).saturating_add(1)
    }

    /// Whether there is no clause. There is always one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The clause of a number from 1 on. The last is the goal: empty if the claim is plainly true.
    #[must_use]
    pub fn clause(&self, number: usize) -> Option<Vec<Literal>> {
        let index = number.checked_sub(1)?;
        let Some(&variable) = self.cone.get(index / 3) else {
            let goal = (self.goal != FALSE).then_some(self.goal);
            return (number == self.len()).then(|| goal.into_iter().collect());
        };
        let (a, b) = self.circuit.gate(variable)?;
        let gate = variable.saturating_mul(2);
        Some(match index % 3 {
            0 => alloc::vec![not(gate), a],
            1 => alloc::vec![not(gate), b],
            _ => alloc::vec![gate, not(a), not(b)],
        })
    }
}

fn mark(needed: &mut [bool], literal: Literal) {
    if let Some(needed) = needed.get_mut((literal >> 1) as usize) {
        *needed = true;
    }
}

/// True if the input is in the region of a part whose relation does not hold.
fn goal(c: &mut Circuit, statement: &Statement, programs: &[Vec<Vec<Insn>>]) -> Result<Literal, Rejected> {
    let regions = regions(c, &statement.claim.region)?;
    let mut known: Vec<(&View, Outcome)> = Vec::new();
    let mut goal = FALSE;
    for part in &statement.claim.parts {
        for view in &part.views {
            if !known.iter().any(|(seen, _)| *seen == view) {
                let chain = programs.get(usize::from(view.chain)).map_or(&[][..], Vec::as_slice);
                let outcome = chained(c, &statement.machine, chain, &seen(view), &part.relation)?;
                known.push((view, outcome));
            }
        }
        let find = |view| known.iter().find(|(seen, _)| Some(*seen) == view);
        let (Some((_, left)), Some((_, right))) = (find(part.views.first()), find(part.views.last())) else {
            return Err(Rejected::wrong("there is no view"));
        };
        let holds = holds(c, &statement.machine, &part.relation, left, right)?;
        let within = regions.get(part.within as usize).copied().unwrap_or(TRUE);
        let fails = c.and(within, not(holds));
        goal = c.or(goal, fails);
    }
    Ok(goal)
}

fn holds(
    c: &mut Circuit,
    machine: &Machine,
    relation: &Relation,
    left: &Outcome,
    right: &Outcome,
) -> Result<Literal, Rejected> {
    let [a, b] = [left, right].map(|outcome| severity(&outcome.value, machine));
    Ok(match relation {
        Relation::Within(set) => c.member(&left.value, set)?,
        Relation::Equal(set) => {
            let within = c.member(&left.value, set)?;
            let equal = c.compare(Op::Eq, &left.value, &right.value);
            c.or(not(within), equal)
        }
        Relation::SameAction => c.compare(Op::Eq, &a, &b),
        Relation::Refines => not(c.compare(Op::Gt, &a, &b)),
        Relation::Implies(set) => {
            let (left, right) = (c.member(&left.value, set)?, c.member(&right.value, set)?);
            c.or(not(left), right)
        }
        Relation::Cost(bound) => not(c.compare(Op::Gt, &left.count, &constant(*bound))),
        Relation::CostAtLeast(bound) => not(c.compare(Op::Gt, &constant(*bound), &left.count)),
        Relation::Never(_) => not(left.happened),
    })
}

fn word(slot: u32) -> Word {
    let mut var = slot.saturating_mul(32).saturating_add(32);
    core::array::from_fn(|_| {
        var = var.saturating_sub(1);
        input(var)
    })
}

/// The input with what a view forces.
fn seen(view: &View) -> Words {
    let mut slot = 0;
    core::array::from_fn(|_| {
        let mut bits = word(slot);
        for &(forced, mask, value) in &view.force {
            if u32::from(forced) == slot {
                for (place, bit) in bits.iter_mut().enumerate() {
                    *bit = if mask >> place & 1 == 1 {
                        value >> place & 1
                    } else {
                        *bit
                    };
                }
            }
        }
        slot = slot.saturating_add(1);
        bits
    })
}

/// The nodes of the region, behind "never" and "always".
fn regions(c: &mut Circuit, nodes: &[Region]) -> Result<Vec<Literal>, Rejected> {
    let mut known = alloc::vec![FALSE, TRUE];
    for node in nodes {
        let to = |number: u32| known.get(number as usize).copied().unwrap_or(FALSE);
        let masked = masked(c, node.word, node.mask);
        let otherwise = to(node.otherwise);
        let mut cases = node.cases.iter().rev();
        let literal = cases.try_fold(otherwise, |other, &(first, last, then)| {
            c.bounded()?;
            let inside = c.between(&masked, first, last);
            Ok(c.mux(inside, to(then), other))
        });
        known.push(literal?);
    }
    Ok(known)
}

fn masked(c: &mut Circuit, slot: u8, mask: u32) -> Word {
    c.alu(Alu::And, &word(u32::from(slot)), &constant(mask), crate::Shift::Masked)
}

/// The severity number, moved so that it compares as an unsigned number.
fn severity(value: &Word, machine: &Machine) -> Word {
    let mut places = value.iter().enumerate();
    core::array::from_fn(|_| match places.next() {
        Some((31, _)) if machine.before_4_14 => FALSE,
        Some((31, &bit)) => not(bit),
        Some((16.., &bit)) => bit,
        _ => FALSE,
    })
}

/// What the filters of a chain decide together, the newest first.
fn chained(
    c: &mut Circuit,
    machine: &Machine,
    chain: &[Vec<Insn>],
    words: &Words,
    relation: &Relation,
) -> Result<Outcome, Rejected> {
    let (events, count): (&[Event], bool) = match relation {
        Relation::Never(events) => (events, false),
        relation => (&[], relation.is_about_cost()),
    };
    let mut best = Outcome {
        value: constant(0x7fff_0000),
        happened: FALSE,
        count: constant(0),
    };
    for (number, program) in chain.iter().enumerate().rev() {
        let ways = asked(program.len(), number, events);
        let outcome = run(c, program, machine, words, Asked { ways: &ways, count })?;
        let [old, new] = [&best, &outcome].map(|outcome| severity(&outcome.value, machine));
        let worse = c.compare(Op::Gt, &old, &new);
        best.value = c.choose(worse, &outcome.value, &best.value);
        best.happened = c.or(best.happened, outcome.happened);
        best.count = c.alu(Alu::Add, &best.count, &outcome.count, machine.shift);
    }
    Ok(best)
}

/// All ways to get to an instruction.
#[derive(Clone)]
struct Arrival {
    /// Whether one of them is taken
    here: Literal,
    registers: Registers,
    /// Instructions executed before
    count: Word,
}

/// A filter, all paths at once: registers are merged where paths join.
fn run(
    c: &mut Circuit,
    program: &[Insn],
    machine: &Machine,
    words: &Words,
    asked: Asked<'_>,
) -> Result<Outcome, Rejected> {
    let mut arrivals: Vec<Option<Box<Arrival>>> = Vec::new();
    arrivals.resize_with(program.len(), || None);
    if let Some(first) = arrivals.first_mut() {
        *first = Some(Box::new(Arrival {
            here: TRUE,
            registers: [constant(0); REGISTERS],
            count: constant(0),
        }));
    }
    let mut outcome = Outcome {
        value: constant(0),
        happened: FALSE,
        count: constant(0),
    };
    for (pc, insn) in program.iter().enumerate() {
        c.bounded()?;
        let Some(mut arrival) = arrivals.get_mut(pc).and_then(Option::take) else {
            continue;
        };
        let here = arrival.here;
        if asked.count {
            arrival.count = c.alu(Alu::Add, &arrival.count, &constant(1), machine.shift);
        }
        let effect = insn.effect(pc, &arrival.registers, &mut Blast { c, machine, words });
        let condition = effect.test.map(|(op, a, b)| c.compare(op, &a, &b));
        if let Some(value) = effect.returned {
            let value = c.only_if(here, &value);
            outcome.value = c.either(&outcome.value, &value);
        }
        let yes = c.and(here, condition.unwrap_or(FALSE));
        let no = c.and(here, not(condition.unwrap_or(FALSE)));
        let no_way = if condition.is_some() { no } else { FALSE };
        for (way, when) in [(Way::Reached, here), (Way::Yes, yes), (Way::No, no_way)] {
            if asked.ways.get(pc).is_some_and(|ways| ways & way.bit() != 0) {
                outcome.happened = c.or(outcome.happened, when);
            }
        }
        if let Some((register, value)) = effect.set
            && let Some(slot) = arrival.registers.get_mut(register)
        {
            *slot = value;
        }
        for (to, when) in effect
            .ways
            .into_iter()
            .zip([yes, no])
            .filter(|(_, when)| *when != FALSE)
        {
            arrival.here = when;
            let Some(to) = to else {
                let count = c.only_if(when, &arrival.count);
                outcome.count = c.either(&outcome.count, &count);
                continue;
            };
            let over = || Rejected::wrong("the filter runs over its end").near(pc);
            arrive(c, arrivals.get_mut(to).ok_or_else(over)?, &arrival);
        }
    }
    Ok(outcome)
}

/// Instructions on words of literals.
struct Blast<'b> {
    c: &'b mut Circuit,
    machine: &'b Machine,
    words: &'b Words,
}

impl Meaning for Blast<'_> {
    type Value = Word;

    fn constant(&self, k: u32) -> Word {
        constant(k)
    }

    fn word(&self, number: u8) -> Word {
        self.words.get(usize::from(number)).copied().unwrap_or(constant(0))
    }

    fn alu(&mut self, op: Alu, a: Word, b: Word) -> Word {
        self.c.alu(op, &a, &b, self.machine.shift)
    }
}

/// Adds a way to get to an instruction.
fn arrive(c: &mut Circuit, sofar: &mut Option<Box<Arrival>>, new: &Arrival) {
    match sofar {
        None => *sofar = Some(Box::new(new.clone())),
        Some(old) => {
            for (old, register) in old.registers.iter_mut().zip(&new.registers) {
                *old = c.choose(new.here, register, old);
            }
            old.count = c.choose(new.here, &new.count, &old.count);
            old.here = c.or(old.here, new.here);
        }
    }
}
