//! From what a solver learnt to steps that say why: each clause with the clauses that it follows from.

use crate::limits::{Engine, Limits, Meter, Undecided};
use crate::sat::circuit::{Literal, not};
use crate::table::Map;

/// A derived clause and the numbers of the clauses that make it follow, in order.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) literals: Vec<Literal>,
    pub(super) hints: Vec<u32>,
}

/// Steps that end with the empty clause. Clauses are numbered from 0, the given ones first. `None` when what the
/// solver learnt does not add up, which would be a mistake of the solver.
pub(super) fn derive(
    clauses: &[Vec<Literal>],
    learnt: &[(bool, Vec<Literal>)],
    variables: u32,
    limits: &Limits,
) -> Result<Option<Vec<Step>>, Undecided> {
    let mut derivation = Derivation::new(variables, limits);
    for clause in clauses {
        if clause.is_empty() {
            return Ok(Some(Vec::new()));
        }
        derivation.clauses.push(clause.clone());
    }
    derivation.given = derivation.clauses.len();
    derivation.steps.reserve(learnt.len());
    for number in 0..clauses.len() {
        if derivation.attach(number)? {
            return Ok(Some(derivation.trimmed()));
        }
    }
    for (new, clause) in learnt {
        if !*new {
            derivation.delete(clause);
        } else if !derivation.follows(clause)? {
            return Ok(None);
        } else if derivation.closed {
            return Ok(Some(derivation.trimmed()));
        }
    }
    Ok(None)
}

struct Derivation {
    clauses: Vec<Vec<Literal>>,
    given: usize,
    /// For each clause behind the given ones, its hints
    steps: Vec<Vec<u32>>,
    /// For each literal, the clauses that watch it: two of each clause's literals, its first two
    watches: Vec<Vec<u32>>,
    dead: Vec<bool>,
    /// For each variable: 0 open, 1 true, 2 false
    values: Vec<u8>,
    /// For each assigned variable, the clause that made it so
    reasons: Vec<Option<u32>>,
    /// For each variable, whether it is assigned for good
    good: Vec<bool>,
    trail: Vec<Literal>,
    done: usize,
    by_content: Map<u64, Vec<u32>>,
    closed: bool,
    meter: Meter,
}

const OPEN: u8 = 0;

impl Derivation {
    fn new(variables: u32, limits: &Limits) -> Self {
        let count = variables as usize;
        Self {
            clauses: Vec::new(),
            given: 0,
            steps: Vec::new(),
            watches: vec![Vec::new(); count.saturating_mul(2)],
            dead: Vec::new(),
            values: vec![OPEN; count],
            reasons: vec![None; count],
            good: vec![false; count],
            trail: Vec::new(),
            done: 0,
            by_content: Map::default(),
            closed: false,
            meter: Meter::new(*limits, Engine::Sat),
        }
    }

    /// 1 when a literal is true, 2 when it is false, 0 when it is open.
    fn value(&self, literal: Literal) -> u8 {
        let value = self.values.get((literal / 2) as usize).copied().unwrap_or(OPEN);
        if literal % 2 == 1 && value != OPEN {
            3 - value
        } else {
            value
        }
    }

    fn assign(&mut self, literal: Literal, reason: Option<u32>) {
        let variable = (literal / 2) as usize;
        if let Some(value) = self.values.get_mut(variable) {
            *value = if literal.is_multiple_of(2) { 1 } else { 2 };
        }
        if let Some(slot) = self.reasons.get_mut(variable) {
            *slot = reason;
        }
        self.trail.push(literal);
    }

    fn clause(&self, number: usize) -> &[Literal] {
        self.clauses.get(number).map_or(&[], Vec::as_slice)
    }

    /// Adds a clause to the watched ones, and what follows from it for good. Says whether that is a contradiction.
    fn attach(&mut self, number: usize) -> Result<bool, Undecided> {
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        self.dead.resize(self.dead.len().max(number.saturating_add(1)), false);
        // Literals that are not false come first: they are watched.
        let mut clause = self.clauses.get(number).cloned().unwrap_or_default();
        clause.sort_by_key(|literal| self.value(*literal) == 2);
        self.by_content.entry(content(&clause)).or_default().push(id);
        let first = clause.first().copied();
        let second = clause.get(1).copied();
        for literal in [first, second].into_iter().flatten().filter(|_| clause.len() > 1) {
            self.watch(literal, id);
        }
        if let Some(slot) = self.clauses.get_mut(number) {
            *slot = clause;
        }
        let unit = second.is_none_or(|second| self.value(second) == 2);
        match first.map(|first| (first, self.value(first))) {
            Some((first, OPEN)) if unit => {
                self.assign_for_good(first, id);
                self.settle()
            }
            Some((_, 2)) | None => {
                self.contradiction(id);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn watch(&mut self, literal: Literal, id: u32) {
        if let Some(list) = self.watches.get_mut(literal as usize) {
            list.push(id);
        }
    }

    /// Propagates what holds for good; says whether that is a contradiction.
    fn settle(&mut self) -> Result<bool, Undecided> {
        let mut from = self.done;
        let conflict = self.propagate()?;
        // Each consequence becomes a clause of its own, so that later hints can name it alone.
        while let Some(&literal) = self.trail.get(from) {
            if let Some(good) = self.good.get_mut((literal / 2) as usize) {
                *good = true;
            }
            if let Some(reason) = self.reasons.get((literal / 2) as usize).copied().flatten() {
                self.assign_reason(literal, reason);
            }
            from = from.saturating_add(1);
        }
        if let Some(conflict) = conflict {
            self.contradiction(conflict);
            return Ok(true);
        }
        Ok(false)
    }

    fn assign_for_good(&mut self, literal: Literal, reason: u32) {
        self.assign(literal, Some(reason));
    }

    /// Makes a clause of a literal that follows from a clause for good.
    fn assign_reason(&mut self, literal: Literal, reason: u32) {
        let clause = self.clause(reason as usize);
        if clause.len() == 1 {
            return;
        }
        let others = clause.iter().filter(|other| **other != literal);
        let mut hints: Vec<u32> = others
            .filter_map(|other| self.reasons.get((other / 2) as usize).copied().flatten())
            .collect();
        hints.push(reason);
        let id = self.push(vec![literal], hints);
        if let Some(slot) = self.reasons.get_mut((literal / 2) as usize) {
            *slot = Some(id);
        }
    }

    /// The empty clause follows from a clause whose literals are all false for good.
    fn contradiction(&mut self, conflict: u32) {
        let clause = self.clause(conflict as usize);
        let mut hints: Vec<u32> = clause
            .iter()
            .filter_map(|literal| self.reasons.get((literal / 2) as usize).copied().flatten())
            .collect();
        hints.push(conflict);
        self.push(Vec::new(), hints);
        self.closed = true;
    }

    fn push(&mut self, literals: Vec<Literal>, hints: Vec<u32>) -> u32 {
        let id = u32::try_from(self.clauses.len()).unwrap_or(u32::MAX);
        self.clauses.push(literals);
        self.dead.resize(self.clauses.len(), false);
        self.steps.push(hints);
        id
    }

    /// Checks that a clause follows, notes why, and adds it.
    fn follows(&mut self, clause: &[Literal]) -> Result<bool, Undecided> {
        // What holds for good needs no step.
        if clause.iter().any(|literal| self.value(*literal) == 1) {
            return Ok(true);
        }
        let settled = self.trail.len();
        for &literal in clause {
            if self.value(literal) == OPEN {
                self.assign(not(literal), None);
            }
        }
        let conflict = self.propagate()?;
        let hints = conflict.map(|conflict| self.why(conflict, settled));
        self.undo(settled);
        let Some(hints) = hints else { return Ok(false) };
        let literals: Vec<Literal> = clause.to_vec();
        let empty = literals.is_empty();
        let id = self.push(literals, hints);
        if empty {
            self.closed = true;
        } else {
            self.attach(id as usize)?;
        }
        Ok(true)
    }

    /// The clauses that lead to a conflict, each unit when those before it are known.
    fn why(&self, conflict: u32, settled: usize) -> Vec<u32> {
        let mut needed: Map<u32, ()> = Map::default();
        needed.extend(self.clause(conflict as usize).iter().map(|literal| (literal / 2, ())));
        let mut hints = vec![conflict];
        for literal in self.trail.iter().skip(settled).rev() {
            let variable = literal / 2;
            let reason = self.reasons.get(variable as usize).copied().flatten();
            if let Some(reason) = reason.filter(|_| needed.contains_key(&variable)) {
                hints.push(reason);
                needed.extend(self.clause(reason as usize).iter().map(|literal| (literal / 2, ())));
            }
        }
        let mut units: Vec<u32> = needed
            .into_keys()
            .filter(|variable| self.is_for_good(*variable))
            .collect();
        units.sort_unstable();
        hints.extend(
            units
                .into_iter()
                .filter_map(|variable| self.reasons.get(variable as usize).copied().flatten()),
        );
        hints.reverse();
        hints
    }

    fn is_for_good(&self, variable: u32) -> bool {
        self.good.get(variable as usize).copied().unwrap_or(false)
    }

    fn undo(&mut self, settled: usize) {
        for literal in self.trail.split_off(settled.min(self.trail.len())) {
            let variable = (literal / 2) as usize;
            if let Some(value) = self.values.get_mut(variable) {
                *value = OPEN;
            }
            if let Some(reason) = self.reasons.get_mut(variable) {
                *reason = None;
            }
        }
        self.done = settled;
    }

    /// Assigns what has to be; a clause whose literals are all false ends it.
    fn propagate(&mut self) -> Result<Option<u32>, Undecided> {
        while let Some(&literal) = self.trail.get(self.done) {
            self.done = self.done.saturating_add(1);
            let falsified = not(literal);
            let watching = self
                .watches
                .get_mut(falsified as usize)
                .map(core::mem::take)
                .unwrap_or_default();
            let mut kept = Vec::with_capacity(watching.len());
            let mut conflict = None;
            for (place, &id) in watching.iter().enumerate() {
                self.meter.step()?;
                if self.dead.get(id as usize).copied().unwrap_or(true) {
                    continue;
                }
                match self.visit(id, falsified) {
                    Visit::Moved => {}
                    Visit::Stays => kept.push(id),
                    Visit::Conflict => {
                        kept.extend(watching.iter().skip(place));
                        conflict = Some(id);
                        break;
                    }
                }
            }
            if let Some(list) = self.watches.get_mut(falsified as usize) {
                kept.append(list);
                *list = kept;
            }
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(None)
    }

    /// A clause one of whose watched literals became false.
    fn visit(&mut self, id: u32, falsified: Literal) -> Visit {
        let mut clause = self
            .clauses
            .get_mut(id as usize)
            .map(core::mem::take)
            .unwrap_or_default();
        if clause.first() == Some(&falsified) {
            clause.swap(0, 1);
        }
        let first = clause.first().copied().unwrap_or(falsified);
        let mut visit = Visit::Stays;
        if self.value(first) != 1 {
            let other = clause.iter().skip(2).position(|literal| self.value(*literal) != 2);
            if let Some(place) = other {
                clause.swap(1, place.saturating_add(2));
                if let Some(&watched) = clause.get(1) {
                    self.watch(watched, id);
                }
                visit = Visit::Moved;
            } else if self.value(first) == 2 {
                visit = Visit::Conflict;
            } else {
                self.assign(first, Some(id));
            }
        }
        if let Some(slot) = self.clauses.get_mut(id as usize) {
            *slot = clause;
        }
        visit
    }

    fn delete(&mut self, clause: &[Literal]) {
        let Some(same) = self.by_content.get_mut(&content(clause)) else {
            return;
        };
        if let Some(id) = same.pop()
            && let Some(dead) = self.dead.get_mut(id as usize)
        {
            *dead = true;
        }
    }

    /// The steps that the last one needs, with clauses renumbered.
    fn trimmed(self) -> Vec<Step> {
        let Self {
            clauses, given, steps, ..
        } = self;
        let mut needed = vec![false; steps.len()];
        if let Some(last) = needed.last_mut() {
            *last = true;
        }
        for place in (0..steps.len()).rev() {
            if needed.get(place).copied().unwrap_or(false) {
                for hint in steps.get(place).into_iter().flatten() {
                    let step = (*hint as usize).checked_sub(given);
                    if let Some(mark) = step.and_then(|step| needed.get_mut(step)) {
                        *mark = true;
                    }
                }
            }
        }
        let mut numbers: Vec<u32> = Vec::with_capacity(steps.len());
        let mut next = u32::try_from(given).unwrap_or(u32::MAX);
        let mut kept = Vec::new();
        let derived = clauses.into_iter().skip(given);
        for ((needed, hints), literals) in needed.into_iter().zip(steps).zip(derived) {
            numbers.push(next);
            if needed {
                let renumber = |hint: u32| match (hint as usize).checked_sub(given) {
                    Some(step) => numbers.get(step).copied().unwrap_or(hint),
                    None => hint,
                };
                kept.push(Step {
                    literals,
                    hints: hints.into_iter().map(renumber).collect(),
                });
                next = next.saturating_add(1);
            }
        }
        kept
    }
}

enum Visit {
    Moved,
    Stays,
    Conflict,
}

/// A hash that does not depend on the order of literals.
fn content(clause: &[Literal]) -> u64 {
    clause.iter().fold(clause.len() as u64, |sum, literal| {
        let part = (u64::from(*literal) ^ 0x9e37_79b9).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sum.wrapping_add(part ^ part >> 29)
    })
}
