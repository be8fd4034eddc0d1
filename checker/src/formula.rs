//! What would make a claim false, as clauses. `docs/PROOFS.md` section 7.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Rejected;
use crate::circuit::{Circuit, FALSE, Literal, TRUE, Word, constant, input, not};
use crate::format::{Event, Machine, Op, Region, Relation, Statement, View, Way, asked};
use crate::program::{A, Insn, REGISTERS, X};
use crate::value::{Alu, Bit, Value};

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
        let events = match &part.relation {
            Relation::Never(events) => events.as_slice(),
            _ => &[],
        };
        for view in &part.views {
            if !known.iter().any(|(seen, _)| *seen == view) {
                let chain = programs.get(usize::from(view.chain)).map_or(&[][..], Vec::as_slice);
                let outcome = chained(c, &statement.machine, chain, &seen(view), events)?;
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
        Relation::Equal => c.compare(Op::Eq, &left.value, &right.value),
        Relation::SameAction => c.compare(Op::Eq, &a, &b),
        Relation::Refines => not(c.compare(Op::Gt, &a, &b)),
        Relation::Implies(set) => {
            let (left, right) = (c.member(&left.value, set)?, c.member(&right.value, set)?);
            c.or(not(left), right)
        }
        Relation::Cost(_) => return Err(Rejected::unsupported("a refutation cannot speak about cost")),
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
    events: &[Event],
) -> Result<Outcome, Rejected> {
    let mut best = Outcome {
        value: constant(0x7fff_0000),
        happened: FALSE,
    };
    for (number, program) in chain.iter().enumerate().rev() {
        let asked = asked(program.len(), number, events);
        let outcome = run(c, program, machine, words, &asked)?;
        let [old, new] = [&best, &outcome].map(|outcome| severity(&outcome.value, machine));
        let worse = c.compare(Op::Gt, &old, &new);
        best.value = c.choose(worse, &outcome.value, &best.value);
        best.happened = c.or(best.happened, outcome.happened);
    }
    Ok(best)
}

/// A filter, all paths at once: registers are merged where paths join.
fn run(c: &mut Circuit, program: &[Insn], machine: &Machine, words: &Words, asked: &[u8]) -> Result<Outcome, Rejected> {
    let mut arrivals: Vec<Option<(Literal, Box<Registers>)>> = Vec::new();
    arrivals.resize_with(program.len(), || None);
    if let Some(first) = arrivals.first_mut() {
        *first = Some((TRUE, Box::new([constant(0); REGISTERS])));
    }
    let mut outcome = Outcome {
        value: constant(0),
        happened: FALSE,
    };
    for (pc, insn) in program.iter().enumerate() {
        c.bounded()?;
        let Some((here, mut registers)) = arrivals.get_mut(pc).and_then(Option::take) else {
            continue;
        };
        let effect = effect(c, *insn, pc, &registers, (machine, words));
        let Effect { condition, ways, .. } = effect;
        if let Some(value) = effect.returned {
            let value = c.only_if(here, &value);
            outcome.value = c.either(&outcome.value, &value);
        }
        let yes = c.and(here, condition.unwrap_or(FALSE));
        let no = c.and(here, not(condition.unwrap_or(FALSE)));
        let no_way = if condition.is_some() { no } else { FALSE };
        for (way, when) in [(Way::Reached, here), (Way::Yes, yes), (Way::No, no_way)] {
            if asked.get(pc).is_some_and(|ways| ways & way.bit() != 0) {
                outcome.happened = c.or(outcome.happened, when);
            }
        }
        if let Some((register, value)) = effect.set
            && let Some(slot) = registers.get_mut(register)
        {
            *slot = value;
        }
        for (to, when) in ways.into_iter().zip([yes, no]) {
            let Some(arrival) = to.filter(|_| when != FALSE).map(|to| arrivals.get_mut(to)) else {
                continue;
            };
            let over = || Rejected::wrong("the filter runs over its end").near(pc);
            arrive(c, arrival.ok_or_else(over)?, when, &registers);
        }
    }
    Ok(outcome)
}

/// What one instruction does.
struct Effect {
    /// Which register gets which value
    set: Option<(usize, Word)>,
    /// On what it depends where it leads
    condition: Option<Literal>,
    /// Where it leads if the condition holds, and if not or if there is none
    ways: [Option<usize>; 2],
    returned: Option<Word>,
}

fn effect(
    c: &mut Circuit,
    insn: Insn,
    pc: usize,
    registers: &Registers,
    (machine, words): (&Machine, &Words),
) -> Effect {
    let next = Some(pc.saturating_add(1));
    let get = |register: usize| registers.get(register).copied().unwrap_or(constant(0));
    let (a, x) = (get(A), get(X));
    let mut effect = Effect {
        set: None,
        condition: None,
        ways: [None, next],
        returned: None,
    };
    match insn {
        Insn::Load(register, value) => effect.set = Some((register, loaded(value, words))),
        Insn::Move(to, from) => effect.set = Some((to, get(from))),
        Insn::Neg => effect.set = Some((A, c.alu(Alu::Sub, &constant(0), &a, machine.shift))),
        Insn::Alu(op, k) => {
            let other = k.map_or(x, constant);
            effect.set = Some((A, c.alu(op, &a, &other, machine.shift)));
            match (op, k) {
                // A division by zero leads out: the filter returns 0, which is what no return adds to.
                (Alu::Div, None) => effect.condition = Some(c.compare(Op::Eq, &x, &constant(0))),
                (Alu::Lsh | Alu::Rsh, None) => {
                    effect.condition = Some(c.compare(Op::Ge, &x, &constant(32)));
                    effect.ways = [next, next];
                }
                _ => {}
            }
        }
        Insn::Jump(target) => effect.ways = [None, Some(target)],
        Insn::Branch(op, k, [yes, no]) => {
            effect.condition = Some(c.compare(op, &a, &k.map_or(x, constant)));
            effect.ways = [Some(yes), Some(no)];
        }
        Insn::Return(k) => {
            effect.returned = Some(k.map_or(a, constant));
            effect.ways = [None, None];
        }
    }
    effect
}

/// Adds a way to get to an instruction.
fn arrive(c: &mut Circuit, arrival: &mut Option<(Literal, Box<Registers>)>, when: Literal, registers: &Registers) {
    match arrival {
        None => *arrival = Some((when, Box::new(*registers))),
        Some((sofar, merged)) => {
            for (old, new) in merged.iter_mut().zip(registers) {
                *old = c.choose(when, new, old);
            }
            *sofar = c.or(*sofar, when);
        }
    }
}

fn loaded(value: Value, words: &Words) -> Word {
    match value {
        Value::Const(k) => constant(k),
        Value::Unknown => constant(0),
        Value::Field(field) => match field.bit(0) {
            Bit::Input { var, .. } => words.get((var / 32) as usize).copied().unwrap_or(constant(0)),
            Bit::Const(_) => constant(0),
        },
    }
}
