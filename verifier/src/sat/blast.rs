//! A claim as one literal of a circuit: true for the inputs that show the claim false.

use callproof_checker::{Claim, Op, Region, Relation, Shift, View, Way};
use callproof_vm::isa::{self, Alu, Cond, Size, Src};
use callproof_vm::{Filter, Insn, Machine};

use crate::limits::Undecided;
use crate::order::row;
use crate::sat::circuit::{Circuit, FALSE, Literal, TRUE, Word, ZERO, constant, input, not};
use crate::view::signed;

/// The literal that is true for the inputs in the region for which the relation does not hold.
pub(super) fn goal(
    circuit: &mut Circuit,
    chains: &[&[Filter<'_>]],
    machine: Machine,
    claim: &Claim,
    shift: Shift,
) -> Result<Literal, Undecided> {
    let region = region(circuit, &claim.region);
    let mut outcomes = Vec::new();
    for view in &claim.views {
        if let Some(filters) = chains.get(usize::from(view.chain)) {
            let blast = Blast::new(filters, machine, view, claim, shift);
            outcomes.push(blast.chain(circuit)?);
        }
    }
    let severity = |word: &Word| severity(word, signed(machine.kernel));
    let relation = match (&claim.relation, outcomes.as_slice()) {
        (Relation::Within(set), [one, ..]) => circuit.in_set(&one.value, set),
        (Relation::Never { .. }, [one, ..]) => not(one.happened),
        (Relation::Equal, [a, b]) => circuit.compare(Op::Eq, &a.value, &b.value),
        (Relation::SameAction, [a, b]) => circuit.compare(Op::Eq, &severity(&a.value), &severity(&b.value)),
        (Relation::Refines, [a, b]) => not(circuit.compare(Op::Gt, &severity(&a.value), &severity(&b.value))),
        (Relation::Implies(set), [a, b]) => {
            let left = circuit.in_set(&a.value, set);
            let right = circuit.in_set(&b.value, set);
            circuit.or(not(left), right)
        }
        _ => TRUE,
    };
    let goal = circuit.and(region, not(relation));
    circuit.complete()?;
    Ok(goal)
}

fn region(circuit: &mut Circuit, nodes: &[Region]) -> Literal {
    let mut known = vec![FALSE, TRUE];
    for node in nodes {
        let of = |number: u32| known.get(number as usize).copied().unwrap_or(FALSE);
        let literal = match node {
            &Region::Test {
                word,
                mask,
                op,
                k,
                then,
                otherwise,
            } => {
                let masked = circuit.and_words(&input(word), &constant(mask));
                let holds = circuit.compare(op, &masked, &constant(k));
                circuit.mux(holds, of(then), of(otherwise))
            }
            Region::Select {
                word,
                mask,
                cases,
                otherwise,
            } => {
                let masked = circuit.and_words(&input(*word), &constant(*mask));
                let mut result = of(*otherwise);
                for &(first, last, to) in cases.iter().rev() {
                    let within = circuit.in_range(&masked, first, last);
                    result = circuit.mux(within, of(to), result);
                }
                result
            }
        };
        known.push(literal);
    }
    if nodes.is_empty() {
        TRUE
    } else {
        known.last().copied().unwrap_or(TRUE)
    }
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
}

/// One view of a chain.
struct Blast<'c> {
    filters: &'c [Filter<'c>],
    /// The input words as they lie in memory
    words: [Word; 16],
    asked: Option<(usize, usize, Way)>,
    shift: Shift,
    signed: bool,
}

/// A, X and the scratch cells.
type State = [Word; 18];

/// Where an execution stands: under which condition, in which state.
type Arrivals = Vec<Option<(Literal, Box<State>)>>;

impl<'c> Blast<'c> {
    fn new(filters: &'c [Filter<'c>], machine: Machine, view: &View, claim: &Claim, shift: Shift) -> Self {
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
        let asked = match claim.relation {
            Relation::Never { filter, pc, way } => Some((filter as usize, pc as usize, way)),
            _ => None,
        };
        Self {
            filters,
            words,
            asked,
            shift,
            signed: signed(machine.kernel),
        }
    }

    fn chain(&self, circuit: &mut Circuit) -> Result<Outcome, Undecided> {
        let mut best = Outcome {
            value: constant(0x7fff_0000),
            happened: FALSE,
        };
        for (place, filter) in self.filters.iter().enumerate().rev() {
            let asked = self
                .asked
                .filter(|(asked, _, _)| *asked == place)
                .map(|(_, pc, way)| (pc, way));
            let one = self.filter(circuit, filter.program(), asked)?;
            let (of_best, of_one) = (severity(&best.value, self.signed), severity(&one.value, self.signed));
            let worse = circuit.compare(Op::Gt, &of_best, &of_one);
            best.value = circuit.mux_word(worse, &one.value, &best.value);
            best.happened = circuit.or(best.happened, one.happened);
        }
        Ok(best)
    }

    fn filter(
        &self,
        circuit: &mut Circuit,
        program: &[Insn],
        asked: Option<(usize, Way)>,
    ) -> Result<Outcome, Undecided> {
        let mut outcome = Outcome {
            value: ZERO,
            happened: FALSE,
        };
        let mut arrivals: Arrivals = vec![None; program.len()];
        arrive(circuit, &mut arrivals, 0, TRUE, &[ZERO; 18]);
        for (pc, insn) in program.iter().enumerate() {
            let Some((here, mut state)) = arrivals.get_mut(pc).and_then(Option::take) else {
                continue;
            };
            circuit.complete()?;
            let Some(op) = insn.op() else { continue };
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
            if let Some((_, way)) = asked.filter(|(asked, _)| *asked == pc) {
                outcome.happened = match (way, condition) {
                    (Way::Reached, _) => here,
                    (Way::Yes, Some(_)) => yes,
                    (Way::No, Some(_)) => no,
                    (Way::Yes | Way::No, None) => FALSE,
                };
            }
            store(op, insn.k, &mut state, result);
            for (target, under) in targets(*insn, op, pc, yes, no).into_iter().flatten() {
                arrive(circuit, &mut arrivals, target, under, &state);
            }
        }
        Ok(outcome)
    }

    /// What the instruction computes; zero when it computes nothing.
    fn result(&self, circuit: &mut Circuit, op: isa::Op, k: u32, state: &State) -> Word {
        let [a, x, cells @ ..] = state;
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
        isa::Op::Jump(cond, src) => {
            let op = match cond {
                Cond::Jeq => Op::Eq,
                Cond::Jgt => Op::Gt,
                Cond::Jge => Op::Ge,
                Cond::Jset => Op::Set,
            };
            Some(circuit.compare(op, a, &operand(src, k, x)))
        }
        isa::Op::Alu(Alu::Div, Src::X) => Some(circuit.compare(Op::Eq, x, &ZERO)),
        isa::Op::Alu(Alu::Lsh | Alu::Rsh, Src::X) => Some(circuit.compare(Op::Ge, x, &constant(32))),
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

/// Where execution goes on, and under which literals.
fn targets(insn: Insn, op: isa::Op, pc: usize, yes: Literal, no: Literal) -> [Option<(usize, Literal)>; 2] {
    let next = pc.saturating_add(1);
    let behind = |skip: u32| next.saturating_add(skip as usize);
    match op {
        isa::Op::RetK | isa::Op::RetA => [None, None],
        isa::Op::Ja => [None, Some((behind(insn.k), no))],
        isa::Op::Jump(..) => [
            Some((behind(u32::from(insn.jt)), yes)),
            Some((behind(u32::from(insn.jf)), no)),
        ],
        isa::Op::Alu(Alu::Lsh | Alu::Rsh, Src::X) => [Some((next, yes)), Some((next, no))],
        _ => [None, Some((next, no))],
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
