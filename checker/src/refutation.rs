//! Clauses derived until nothing is left to satisfy. `docs/PROOFS.md` section 7.

use alloc::vec::Vec;

use crate::Rejected;
use crate::budget::Budget;
use crate::bytes::Reader;
use crate::circuit::{Literal, not};
use crate::formula::Formula;

/// Checks the body of a refutation: every clause follows by unit propagation through the clauses it names.
pub(crate) fn check(r: &mut Reader<'_>, formula: &Formula, bytes: usize) -> Result<(), Rejected> {
    let mut clauses = Clauses {
        formula,
        gone: alloc::vec![false; formula.len()],
        learnt: Vec::new(),
        literals: Vec::new(),
        truth: alloc::vec![None; (formula.variables() as usize).saturating_add(1)],
        assigned: Vec::new(),
        budget: Budget::new(bytes, 0),
    };
    let mut done = formula.clause(formula.len()).is_some_and(|goal| goal.is_empty());
    let steps = r.count()?;
    for step in 0..steps {
        done |= match r.tag(2)? {
            0 => clauses.forget(r)?,
            _ => clauses.learn(r)?,
        };
        if done && step.saturating_add(1) != steps {
            return Err(r.unreadable("a step follows the empty clause"));
        }
    }
    r.end()?;
    if done {
        Ok(())
    } else {
        Err(Rejected::wrong("the empty clause is never derived"))
    }
}

struct Clauses<'f> {
    formula: &'f Formula,
    /// For each clause of the formula, whether it was deleted
    gone: Vec<bool>,
    /// For each later clause, where its literals are, unless it was deleted
    learnt: Vec<Option<(usize, usize)>>,
    literals: Vec<Literal>,
    /// What each variable is assumed to be
    truth: Vec<Option<bool>>,
    assigned: Vec<u32>,
    budget: Budget,
}

/// What a clause says under the assumptions.
enum Says {
    Contradiction,
    Unit(Literal),
    Nothing,
}

impl Clauses<'_> {
    /// The number that the next clause will have.
    fn next(&self) -> usize {
        self.formula.len().saturating_add(self.learnt.len()).saturating_add(1)
    }

    /// Reads a clause's number: how far before the next one it is.
    fn number(&self, r: &mut Reader<'_>) -> Result<usize, Rejected> {
        let number = self.next().checked_sub(r.nat()? as usize);
        let number = number.filter(|number| (1..self.next()).contains(number));
        number.ok_or_else(|| r.unreadable("a clause that does not exist is referred to"))
    }

    fn forget(&mut self, r: &mut Reader<'_>) -> Result<bool, Rejected> {
        for _ in 0..r.count()? {
            let index = self.number(r)?.saturating_sub(1);
            self.budget.step()?;
            if let Some(gone) = self.gone.get_mut(index) {
                *gone = true;
            } else if let Some(clause) = self.learnt.get_mut(index.saturating_sub(self.gone.len())) {
                *clause = None;
            }
        }
        Ok(false)
    }

    /// Derives one more clause; whether it is the empty one.
    fn learn(&mut self, r: &mut Reader<'_>) -> Result<bool, Rejected> {
        let start = self.literals.len();
        let mut contradiction = false;
        for _ in 0..r.count()? {
            let literal = r.nat()?;
            self.literals.push(literal);
            // Assume that the clause is false. A clause with a literal and its opposite is always true.
            contradiction |= !self.assume(not(literal)).map_err(|what| r.unreadable(what))?;
        }
        for _ in 0..r.count()? {
            let hint = self.number(r)?;
            if contradiction {
                continue;
            }
            match self.says(hint)? {
                Says::Contradiction => contradiction = true,
                Says::Unit(literal) => {
                    self.assume(literal).map_err(Rejected::wrong)?;
                }
                Says::Nothing => return Err(Rejected::wrong("a hint does not lead any further")),
            }
        }
        for variable in self.assigned.drain(..) {
            if let Some(truth) = self.truth.get_mut(variable as usize) {
                *truth = None;
            }
        }
        if !contradiction {
            return Err(Rejected::wrong("a clause does not follow from those that it names"));
        }
        self.learnt.push(Some((start, self.literals.len())));
        Ok(self.literals.len() == start)
    }

    /// Assumes that a literal is true; false if the opposite was assumed already.
    fn assume(&mut self, literal: Literal) -> Result<bool, &'static str> {
        let positive = literal & 1 == 0;
        match self.truth.get_mut((literal >> 1) as usize) {
            Some(truth @ None) => {
                *truth = Some(positive);
                self.assigned.push(literal >> 1);
                Ok(true)
            }
            Some(Some(truth)) => Ok(*truth == positive),
            None => Err("a variable does not exist"),
        }
    }

    fn says(&mut self, number: usize) -> Result<Says, Rejected> {
        let index = number.saturating_sub(1);
        let own;
        let literals = match self.gone.get(index) {
            Some(false) => {
                own = self.formula.clause(number).unwrap_or_default();
                own.as_slice()
            }
            Some(true) => return Err(Rejected::wrong("a deleted clause is used")),
            None => {
                let range = self
                    .learnt
                    .get(index.saturating_sub(self.gone.len()))
                    .copied()
                    .flatten();
                let (start, end) = range.ok_or_else(|| Rejected::wrong("a deleted clause is used"))?;
                self.literals.get(start..end).unwrap_or_default()
            }
        };
        self.budget.steps((literals.len() as u64).saturating_add(1))?;
        let mut unit = None;
        for &literal in literals {
            let truth = self.truth.get((literal >> 1) as usize).copied().flatten();
            match truth.map(|truth| truth == (literal & 1 == 0)) {
                Some(false) => {}
                Some(true) => return Ok(Says::Nothing),
                None if unit.is_some_and(|unit| unit != literal) => return Ok(Says::Nothing),
                None => unit = Some(literal),
            }
        }
        Ok(unit.map_or(Says::Contradiction, Says::Unit))
    }
}
