//! Clauses of a circuit, and the solver that looks for an input.

use std::time::Instant;

use batsat::{Callbacks, ClauseKind, Lit, Solver, SolverInterface, SolverOpts, Var, lbool};

use crate::limits::{Engine, Limit, Limits, Undecided};
use crate::sat::circuit::{Circuit, FIRST_GATE, Literal, not};

/// The clauses of the gates that a goal depends on, and the goal itself, in the order in which the checker has them.
///
/// # Errors
/// [`Undecided`] when they and the solver would take more memory than allowed.
pub(super) fn clauses(circuit: &Circuit, goal: Literal, limits: &Limits) -> Result<Vec<Vec<Literal>>, Undecided> {
    /// Measured: what three clauses take here and in the solver.
    const BYTES_OF_A_GATE: u64 = 270;
    let mut needed = vec![false; circuit.variables() as usize];
    if let Some(mark) = needed.get_mut((goal / 2) as usize) {
        *mark = true;
    }
    let mut clauses = Vec::new();
    let gates = FIRST_GATE..circuit.variables();
    for variable in gates.clone().rev() {
        if !needed.get(variable as usize).copied().unwrap_or(false) {
            continue;
        }
        let Some((a, b)) = circuit.gate(variable) else { continue };
        for operand in [a, b] {
            if let Some(mark) = needed.get_mut((operand / 2) as usize) {
                *mark = true;
            }
        }
    }
    let count = needed.iter().filter(|needed| **needed).count() as u64;
    if count.saturating_mul(BYTES_OF_A_GATE) > limits.bytes {
        let (engine, limit) = (Engine::Sat, Limit::Bytes);
        return Err(Undecided { engine, limit });
    }
    for variable in gates.filter(|variable| needed.get(*variable as usize).copied().unwrap_or(false)) {
        let Some((a, b)) = circuit.gate(variable) else { continue };
        let gate = variable.saturating_mul(2);
        clauses.extend([vec![not(gate), a], vec![not(gate), b], vec![gate, not(a), not(b)]]);
    }
    clauses.push(if goal == 0 { vec![] } else { vec![goal] });
    Ok(clauses)
}

/// What the solver found.
#[derive(Debug)]
pub(super) enum Answer {
    /// An input, as the sixteen words in the order of variables
    Input([u32; 16]),
    /// None, because of these clauses learnt (and deleted, `false`) one after the other
    None(Vec<(bool, Vec<Literal>)>),
}

/// Looks for an input that satisfies all clauses.
pub(super) fn solve(clauses: &[Vec<Literal>], variables: u32, limits: &Limits) -> Result<Answer, Undecided> {
    let watch = Watch::new(limits);
    let mut solver = Solver::new(SolverOpts::default(), watch);
    let vars: Vec<Var> = (0..variables).map(|_| solver.new_var_default()).collect();
    let lit = |literal: Literal| {
        let var = vars.get((literal / 2) as usize).copied();
        var.map_or(Lit::UNDEF, |var| Lit::new(var, literal.is_multiple_of(2)))
    };
    for clause in clauses {
        let mut clause: Vec<Lit> = clause.iter().map(|literal| lit(*literal)).collect();
        if !solver.add_clause_reuse(&mut clause) {
            return Ok(Answer::None(Vec::new()));
        }
    }
    let result = solver.solve_limited(&[]);
    if result == lbool::TRUE {
        let mut words = [0_u32; 16];
        for (number, word) in (0_u32..).zip(&mut words) {
            for bit in 0..32_u32 {
                let variable = number.saturating_mul(32).saturating_add(bit).saturating_add(1);
                if solver.value_lit(lit(variable.saturating_mul(2))) == lbool::TRUE {
                    *word |= 0x8000_0000 >> bit;
                }
            }
        }
        return Ok(Answer::Input(words));
    }
    if result == lbool::FALSE {
        return Ok(Answer::None(core::mem::take(&mut solver.cb_mut().log)));
    }
    let limit = solver.cb().reached().unwrap_or(Limit::Conflicts);
    Err(Undecided {
        engine: Engine::Sat,
        limit,
    })
}

/// Writes down what the solver learns, and stops it at a limit.
struct Watch {
    log: Vec<(bool, Vec<Literal>)>,
    conflicts: u64,
    literals: u64,
    deadline: Option<Instant>,
    limits: Limits,
}

impl Watch {
    fn new(limits: &Limits) -> Self {
        Self {
            log: Vec::new(),
            conflicts: 0,
            literals: 0,
            deadline: Instant::now().checked_add(limits.time),
            limits: *limits,
        }
    }

    fn reached(&self) -> Option<Limit> {
        if self.conflicts > self.limits.conflicts {
            return Some(Limit::Conflicts);
        }
        // A logged literal takes four bytes here, four in the solver, and four more when the proof is worked out.
        if self.literals.saturating_mul(16) > self.limits.bytes {
            return Some(Limit::Bytes);
        }
        let late = self.deadline.is_some_and(|deadline| Instant::now() > deadline);
        late.then_some(Limit::Time)
    }

    fn note(&mut self, new: bool, clause: &[Lit]) {
        self.literals = self.literals.saturating_add(clause.len() as u64).saturating_add(8);
        // The solver has 2n for the positive literal of variable n, as a proof has.
        self.log.push((new, clause.iter().map(Lit::idx).collect()));
    }
}

impl Callbacks for Watch {
    fn on_new_clause(&mut self, clause: &[Lit], kind: ClauseKind) {
        if !matches!(kind, ClauseKind::Axiom) {
            self.conflicts = self.conflicts.saturating_add(1);
            self.note(true, clause);
        }
    }

    fn on_delete_clause(&mut self, clause: &[Lit]) {
        self.note(false, clause);
    }

    fn stop(&self) -> bool {
        self.reached().is_some()
    }
}
