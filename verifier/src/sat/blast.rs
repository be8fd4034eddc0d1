//! A claim as one literal of a circuit: true for the inputs that show the claim false.

use std::collections::HashSet;

use callproof_checker::{Claim, Event, Region, Relation, Shift, View, Way};
use callproof_vm::isa::{self, Alu, Cond, Size, Src};
use callproof_vm::{Filter, Insn, Machine};

use crate::limits::Undecided;
use crate::order::row;
use crate::sat::circuit::{Circuit, FALSE, Literal, TRUE, Word, ZERO, constant, input, not};
use crate::view::signed;

/// The literal that is true for the inputs in the region of a part whose relation does not hold.
pub(super) fn goal(
    circuit: &mut Circuit,
    chains: &[&[Filter<'_>]],
    machine: Machine,
    claim: &Claim,
    shift: Shift,
) -> Result<Literal, Undecided> {
    let regions = regions(circuit, &claim.region)?;
    let mut known: Vec<(&View, Outcome)> = Vec::new();
    let mut goal = FALSE;
    for part in &claim.parts {
        for view in &part.views {
            if let Some(filters) = chains.get(usize::from(view.chain))
                && !known.iter().any(|(seen, _)| *seen == view)
            {
                let outcome = Blast::new(filters, machine, view, &part.relation, shift).chain(circuit)?;
                known.push((view, outcome));
            }
        }
        let find = |view| {
            let outcome = known.iter().find(|(seen, _)| Some(*seen) == view);
            outcome.map(|(_, outcome)| outcome)
        };
        let holds = match (find(part.views.first()), find(part.views.last())) {
            (Some(left), Some(right)) => holds(circuit, machine, &part.relation, (left, right)),
            _ => TRUE,
        };
        let within = regions.get(part.within as usize).copied().unwrap_or(TRUE);
        let fails = circuit.and(within, not(holds));
        goal = circuit.or(goal, fails);
    }
    circuit.complete()?;
    Ok(goal)
}

fn holds(circuit: &mut Circuit, machine: Machine, relation: &Relation, (left, right): (&Outcome, &Outcome)) -> Literal {
    let [a, b] = [left, right].map(|outcome| severity(&outcome.value, signed(machine.kernel)));
    match relation {
        Relation::Within(set) => circuit.in_set(&left.value, set),
        Relation::Never(_) => not(left.happened),
        Relation::Equal(set) => {
            let within = circuit.in_set(&left.value, set);
            let equal = circuit.compare(Cond::Jeq, &left.value, &right.value);
            circuit.or(not(within), equal)
        }
        Relation::SameAction => circuit.compare(Cond::Jeq, &a, &b),
        Relation::Refines => not(circuit.compare(Cond::Jgt, &a, &b)),
        Relation::Implies(set) => {
            let left = circuit.in_set(&left.value, set);
            let right = circuit.in_set(&right.value, set);
            circuit.or(not(left), right)
        }
        Relation::Cost(bound) => not(circuit.compare(Cond::Jgt, &left.count, &constant(*bound))),
        Relation::CostAtLeast(bound) => not(circuit.compare(Cond::Jgt, &constant(*bound), &left.count)),
    }
}

/// The nodes of the region, behind "never" and "always".
fn regions(circuit: &mut Circuit, nodes: &[Region]) -> Result<Vec<Literal>, Undecided> {
    let mut known = vec![FALSE, TRUE];
    for node in nodes {
        let of = |number: u32| known.get(number as usize).copied().unwrap_or(FALSE);
        let masked = circuit.and_words(&input(node.word), &constant(node.mask));
        let mut result = of(node.otherwise);
        for &(first, last, to) in node.cases.iter().rev() {
            circuit.complete()?;
            let within = circuit.in_range(&masked, first, last);
            result = circuit.mux(within, of(to), result);
        }
        known.push(result);
    }
    Ok(known)
}

/// Bits 0 to 15 do not count; the top bit is a sign, or did not count before Linux 4.14.
fn severity(value: &Word, signed: bool) -> Word {
    let mut severity = *value;
    for bit in severity.iter_mut().take(16) {
        *bit = FALSE;
    }
    if let Some(top) = severity.last_mut() {
        *top = if signed { not(*top) } else { FALSE };
    }
    severity
}

/// What comes out of a chain or a filter.
struct Outcome {
    value: Word,
    /// Whether what a claim says never happens did
    happened: Literal,
    /// Executed instructions; zero unless the claim is about them
    count: Word,
}

/// One view of a chain.
struct Blast<'c> {
    filters: &'c [Filter<'c>],
    /// The input words as they lie in memory
    words: [Word; 16],
    events: &'c [Event],
    /// Whether instructions are counted
    counts: bool,
    shift: Shift,
    signed: bool,
}

/// A, X, the scratch cells, and how many instructions were executed.
type State = [Word; 19];

/// Where an execution stands: under which condition, in which state.
type Arrivals = Vec<Option<(Literal, Box<State>)>>;

impl<'c> Blast<'c> {
    fn new(filters: &'c [Filter<'c>], machine: Machine, view: &View, relation: &'c Relation, shift: Shift) -> Self {
        let mut words = [ZERO; 16];
        for (in_order, place) in (0_u8..).zip(row(machine.endian)) {
            let mut word = input(in_order);
            for &(_, mask, value) in view.force.iter().filter(|(forced, _, _)| *forced == in_order) {
                for (place, bit) in (0_u32..).zip(&mut word) {
                    if mask >> (place & 31) & 1 == 1 {
                        *bit = value >> (place & 31) & 1;
                    }
                }
            }
            if let Some(slot) = words.get_mut(usize::from(place)) {
                *slot = word;
            }
        }
        let events = match relation {
            Relation::Never(events) => events.as_slice(),
            _ => &[],
        };
        Self {
            filters,
            words,
            events,
            counts: matches!(relation, Relation::Cost(_) | Relation::CostAtLeast(_)),
            shift,
            signed: signed(machine.kernel),
        }
    }

    fn chain(&self, circuit: &mut Circuit) -> Result<Outcome, Undecided> {
        let mut best = Outcome {
            value: constant(0x7fff_0000),
            happened: FALSE,
            count: ZERO,
        };
        for (place, filter) in self.filters.iter().enumerate().rev() {
            let asked = self.events.iter().filter(|event| event.filter as usize == place);
            let asked: HashSet<_> = asked.map(|event| (event.pc as usize, event.way)).collect();
            let one = self.filter(circuit, filter.program(), &asked)?;
            let (of_best, of_one) = (severity(&best.value, self.signed), severity(&one.value, self.signed));
            let worse = circuit.compare(Cond::Jgt, &of_best, &of_one);
            best.value = circuit.mux_word(worse, &one.value, &best.value);
            best.happened = circuit.or(best.happened, one.happened);
            best.count = circuit.add(&best.count, &one.count, FALSE).0;
        }
        Ok(best)
    }

    fn filter(
        &self,
        circuit: &mut Circuit,
        program: &[Insn],
        asked: &HashSet<(usize, Way)>,
    ) -> Result<Outcome, Undecided> {
        let mut outcome = Outcome {
            value: ZERO,
            happened: FALSE,
            count: ZERO,
        };
        let mut arrivals: Arrivals = vec![None; program.len()];
        arrive(circuit, &mut arrivals, 0, TRUE, &[ZERO; 19]);
        for (pc, insn) in program.iter().enumerate() {
            let Some((here, mut state)) = arrivals.get_mut(pc).and_then(Option::take) else {
                continue;
            };
            circuit.complete()?;
            let Some(op) = insn.op() else { continue };
            if let Some(count) = state.last_mut().filter(|_| self.counts) {
                *count = circuit.add(count, &constant(1), FALSE).0;
            }
            let result = self.result(circuit, op, insn.k, &state);
            let condition = condition(circuit, op, insn.k, &state);
            if let Some(returned) = returned(op, insn.k, &state) {
                let returned = circuit.and_each(here, &returned);
                outcome.value = circuit.or_words(&outcome.value, &returned);
            }
            let (yes, no) = match condition {
                Some(condition) => {
                    let yes = circuit.and(here, condition);
                    (yes, circuit.and(here, not(condition)))
                }
                None => (FALSE, here),
            };
            let no_way = if condition.is_some() { no } else { FALSE };
            for (way, when) in [(Way::Reached, here), (Way::Yes, yes), (Way::No, no_way)] {
                if asked.contains(&(pc, way)) {
                    outcome.happened = circuit.or(outcome.happened, when);
                }
            }
            store(op, insn.k, &mut state, result);
            for (target, under) in targets(*insn, op, pc).into_iter().zip([yes, no]) {
                match target {
                    Some(target) => arrive(circuit, &mut arrivals, target, under, &state),
                    None => {
                        let count = circuit.and_each(under, state.last().unwrap_or(&ZERO));
                        outcome.count = circuit.or_words(&outcome.count, &count);
                    }
                }
            }
        }
        Ok(outcome)
    }

    /// What the instruction computes; zero when it computes nothing.
    fn result(&self, circuit: &mut Circuit, op: isa::Op, k: u32, state: &State) -> Word {
        let [a, x, cells @ .., _] = state;
        let cell = || cells.get(k as usize).copied().unwrap_or(ZERO);
        match op {
            isa::Op::LdImm | isa::Op::LdxImm => constant(k),
            isa::Op::LdAbs(Size::Word) => self.words.get((k / 4) as usize).copied().unwrap_or(ZERO),
            isa::Op::LdLen | isa::Op::LdxLen => constant(64),
            isa::Op::LdMem | isa::Op::LdxMem => cell(),
            isa::Op::St | isa::Op::Tax => *a,
            isa::Op::Stx | isa::Op::Txa => *x,
            isa::Op::Neg => circuit.subtract(&ZERO, a).0,
            isa::Op::Alu(alu, src) => self.compute(circuit, alu, a, &operand(src, k, x)),
            _ => ZERO,
        }
    }

    fn compute(&self, circuit: &mut Circuit, alu: Alu, a: &Word, b: &Word) -> Word {
        match alu {
            Alu::Add => circuit.add(a, b, FALSE).0,
            Alu::Sub => circuit.subtract(a, b).0,
            Alu::Mul => circuit.multiply(a, b),
            Alu::Div => circuit.divide(a, b),
            Alu::And => circuit.and_words(a, b),
            Alu::Or => circuit.or_words(a, b),
            Alu::Xor => circuit.xor_words(a, b),
            Alu::Lsh => circuit.shift(a, b, self.shift, true),
            Alu::Rsh => circuit.shift(a, b, self.shift, false),
            // Admission refuses it.
            Alu::Mod => ZERO,
        }
    }
}

fn operand(src: Src, k: u32, x: &Word) -> Word {
    match src {
        Src::K => constant(k),
        Src::X => *x,
    }
}

/// What decides where the instruction goes on, or whether a shift goes too far.
fn condition(circuit: &mut Circuit, op: isa::Op, k: u32, state: &State) -> Option<Literal> {
    let [a, x, ..] = state;
    match op {
        isa::Op::Jump(cond, src) => Some(circuit.compare(cond, a, &operand(src, k, x))),
        isa::Op::Alu(Alu::Div, Src::X) => Some(circuit.compare(Cond::Jeq, x, &ZERO)),
        isa::Op::Alu(Alu::Lsh | Alu::Rsh, Src::X) => Some(circuit.compare(Cond::Jge, x, &constant(32))),
        _ => None,
    }
}

fn returned(op: isa::Op, k: u32, state: &State) -> Option<Word> {
    let [a, ..] = state;
    match op {
        isa::Op::RetK => Some(constant(k)),
        isa::Op::RetA => Some(*a),
        _ => None,
    }
}

fn store(op: isa::Op, k: u32, state: &mut State, result: Word) {
    let place = match op {
        isa::Op::LdImm | isa::Op::LdAbs(_) | isa::Op::LdLen | isa::Op::LdMem | isa::Op::Txa => 0,
        isa::Op::Neg | isa::Op::Alu(..) => 0,
        isa::Op::LdxImm | isa::Op::LdxLen | isa::Op::LdxMem | isa::Op::Tax => 1,
        isa::Op::St | isa::Op::Stx => (k as usize).saturating_add(2),
        _ => return,
    };
    if let Some(slot) = state.get_mut(place) {
        *slot = result;
    }
}

/// Where execution goes on if the condition holds, and if it does not or there is none; nowhere is out of the filter.
fn targets(insn: Insn, op: isa::Op, pc: usize) -> [Option<usize>; 2] {
    let next = pc.saturating_add(1);
    let behind = |skip: u32| next.saturating_add(skip as usize);
    match op {
        isa::Op::RetK | isa::Op::RetA => [None, None],
        isa::Op::Ja => [None, Some(behind(insn.k))],
        isa::Op::Jump(..) => [Some(behind(u32::from(insn.jt))), Some(behind(u32::from(insn.jf)))],
        isa::Op::Alu(Alu::Lsh | Alu::Rsh, Src::X) => [Some(next), Some(next)],
        _ => [None, Some(next)],
    }
}

fn arrive(circuit: &mut Circuit, arrivals: &mut Arrivals, pc: usize, under: Literal, state: &State) {
    if under == FALSE {
        return;
    }
    let Some(slot) = arrivals.get_mut(pc) else { return };
    match slot {
        None => *slot = Some((under, Box::new(*state))),
        Some((here, old)) => {
            for (old, new) in old.iter_mut().zip(state) {
                *old = circuit.mux_word(under, new, old);
            }
            *here = circuit.or(*here, under);
        }
    }
}
