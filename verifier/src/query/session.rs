//! Everything known about the filters that questions are asked of.

use std::collections::BTreeMap;
use std::time::Instant;

use callproof_policy::property::{Hazard, Operand};
use callproof_policy::{ByteOrder, Claim, GroundPolicy, Grounded, Problem, Span};
use callproof_vm::observe::Count;
use callproof_vm::{Action, Chain, Filter, Kernel, Machine, SeccompData, Verdict, combine};

use super::answer::{Answer, AskError, Counterexample, Finding, HOLDS, Outcome, Partial, Shown, Stop, Tried};
use super::{Query, by_sat, coverage, halves, program, proving, registers, relation, statement, verdict};
use crate::audit::HazardKind;
use crate::cost::Costs;
use crate::diagram::Ref;
use crate::function::{Form, Function};
use crate::limits::{Engine, Engines, Limit, Limits, Undecided};
use crate::space::{Set, Space};
use crate::subject::Subject;
use crate::view::View;
use crate::witness::{Failure, disagreement};

/// Something that a filter can be compared with.
#[derive(Clone, Debug)]
pub enum Side<'f> {
    /// The filters of a thread, oldest first
    Chain(&'f [Filter<'f>]),
    /// A policy in numbers
    Policy(GroundPolicy),
}

/// Answers questions about one chain of filters. What was worked out for one question serves the next.
#[derive(Debug)]
pub struct Session<'f> {
    pub(super) space: Space,
    pub(super) own: Subject<'f>,
    /// The limit that kept a filter, of these or of others, from being run symbolically
    unexplored: Option<Undecided>,
    others: BTreeMap<String, Other<'f>>,
    functions: Vec<(View, Function)>,
    pub(super) costs: Option<Costs>,
    /// For each edge of the filters' graphs that some call takes, the calls that do
    pub(super) ways: Option<Vec<Set>>,
    pub(super) order: ByteOrder,
    limits: Limits,
}

#[derive(Debug)]
enum Other<'f> {
    Chain(Subject<'f>),
    Policy(GroundPolicy),
}

/// What questions about one operand need.
pub(super) enum Judged<'s, 'f> {
    Chain(&'s Subject<'f>),
    Policy(&'s GroundPolicy),
    /// Oldest first
    Stack(Vec<Self>),
}

impl<'f> Session<'f> {
    /// Prepares to answer questions about filters, oldest first. `others` are what claims may compare them with: under
    /// the name of a `use` line, or under the path as it is written. `order` says which half of a register is which.
    #[must_use]
    pub fn new(
        filters: &'f [Filter<'f>],
        others: Vec<(String, Side<'f>)>,
        machine: Machine,
        order: ByteOrder,
        limits: &Limits,
    ) -> Self {
        let mut unexplored = None;
        let first = limits.of(Engine::Diagram);
        let mut explore = |filters| {
            Subject::new(filters, machine, &first).unwrap_or_else(|undecided| {
                unexplored = Some(undecided);
                Subject::unexplored(filters, machine)
            })
        };
        let own = explore(filters);
        let mut known = BTreeMap::new();
        for (name, side) in others {
            let other = match side {
                Side::Chain(filters) => Other::Chain(explore(filters)),
                Side::Policy(policy) => Other::Policy(policy),
            };
            known.insert(name, other);
        }
        let mut subjects = vec![&own];
        subjects.extend(known.values().filter_map(Other::subject));
        let space = Space::new(machine, &subjects, &first);
        Self {
            space,
            own,
            others: known,
            unexplored,
            functions: Vec::new(),
            costs: None,
            ways: None,
            order,
            limits: *limits,
        }
    }

    /// Answers a query. The limits count afresh.
    ///
    /// # Errors
    /// When the claim has no meaning, or when the emulator contradicts the verifier.
    pub fn ask(&mut self, query: &Query<'_>) -> Result<Outcome, AskError> {
        let begun = Instant::now();
        let mut tried = Tried::default();
        for engine in [Engines::Diagram, Engines::Sat] {
            if self.limits.engines != Engines::Chosen && self.limits.engines != engine {
                continue;
            }
            self.space.restart();
            let answered = if engine == Engines::Sat {
                by_sat::answer(self, query, begun)
            } else {
                self.by_diagrams(query, begun)
            };
            match answered {
                Ok(outcome) => return Ok(outcome),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Undecided(undecided)) => {
                    tried.limits.push(undecided);
                    self.renew_if_large();
                }
                Err(Stop::Unproved) => tried.known = Some(Partial::Unproved),
            }
        }
        if matches!(query.claim, Claim::Cost { .. }) && tried.known.is_none() {
            tried.known = Some(Partial::CostAtMost(self.own.longest_path()));
        }
        Ok(Outcome::new(Answer::Undecided(tried)))
    }

    /// Forgets what was worked out in vain, if it would leave too little room for the next engine or question.
    fn renew_if_large(&mut self) {
        const SHARE: u64 = 8;
        if self.space.bytes() < self.limits.bytes / SHARE {
            return;
        }
        let mut subjects = vec![&self.own];
        subjects.extend(self.others.values().filter_map(Other::subject));
        let space = Space::new(self.own.machine(), &subjects, &self.limits.of(Engine::Diagram));
        self.space = space;
        self.functions.clear();
        self.costs = None;
        self.ways = None;
    }

    /// The answer of the diagrams, with a proof where it needs one.
    fn by_diagrams(&mut self, query: &Query<'_>, begun: Instant) -> Result<Outcome, Stop> {
        if let Some(undecided) = self.unexplored {
            return Err(undecided.into());
        }
        let env = query.env;
        let mut outcome = match query.claim {
            Claim::Verdict {
                quantifier,
                verdicts,
                calls,
            } => verdict::answer(self, *quantifier, verdicts, calls, env, begun)?,
            Claim::Cost { calls, at_most } => program::cost(self, calls, *at_most, env)?,
            Claim::Cached { calls } => return program::cached(self, calls, env),
            Claim::AbiOrder { left, right } => relation::abi_order(self, left, right, env)?,
            Claim::SameView { calls } => registers::same_view(self, calls, env)?,
            Claim::WholeArguments { calls } => {
                return halves::whole_arguments(self, calls, env, (Engine::Diagram, begun));
            }
            Claim::Relation {
                left,
                relation,
                right,
                calls,
            } => relation::answer(self, (left, *relation, right), calls, env)?,
            Claim::Free(Hazard::DeadCode) => return Ok(Outcome::new(coverage::by_diagrams(self, begun)?)),
            Claim::Free(Hazard::WideShift) => program::free(self, HazardKind::Shift)?,
            Claim::Free(Hazard::ZeroDivision) => program::free(self, HazardKind::Division)?,
        };
        if let Answer::Holds { proof, shown } = &mut outcome.answer
            && shown.is_empty()
        {
            let stated = statement::state(self, query.claim, env)?.ok_or(Stop::Unproved)?;
            *proof = Some(proving::proof(self, &stated, begun)?);
        }
        Ok(outcome)
    }

    /// All calls that a predicate means, as a set of the session's space.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn asked(&mut self, grounded: &Grounded) -> Result<Set, Undecided> {
        let mut asked = Set::EMPTY;
        for part in &grounded.parts {
            let calls = self.space.part(part, self.order)?;
            asked = self.space.or(asked, calls)?;
        }
        Ok(asked)
    }

    /// The space that answers are found in.
    pub const fn space(&mut self) -> &mut Space {
        &mut self.space
    }

    /// The chain that questions are about.
    #[must_use]
    pub const fn subject(&self) -> &Subject<'f> {
        &self.own
    }

    /// Some of the calls that a predicate speaks of, which together make the filters do everything that any of these
    /// calls makes them do: whoever watches their replay sees every instruction and every way of a test. Empty when
    /// there is no such call.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn exercised(&mut self, calls: &Grounded) -> Result<Vec<SeccompData>, Undecided> {
        if let Some(undecided) = self.unexplored {
            return Err(undecided);
        }
        self.space.restart();
        let asked = self.asked(calls)?;
        let found = coverage::exercised(self, asked)?;
        Ok(found.iter().map(|call| self.made(call)).collect())
    }

    /// The function of the chain that questions are about.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn function(&mut self, view: View) -> Result<Function, Undecided> {
        if let Some((_, known)) = self.functions.iter().find(|(known, _)| *known == view) {
            return Ok(known.clone());
        }
        let function = self.space.function(&self.own, view)?;
        self.functions.push((view, function.clone()));
        Ok(function)
    }

    /// A call of a set, with what the chain says to it as the emulator replays it; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator says something else than the verifier.
    pub fn witness(&mut self, set: Set) -> Result<Option<Shown>, Failure> {
        let function = self.function(View::Value)?;
        let found = self.space.witness(set, &[(&self.own, &function)])?;
        Ok(found.map(|witness| self.shown(&witness.call)))
    }

    /// The whole function; when that takes too much, one that tells no more apart than needed.
    pub(super) fn function_for(&mut self, coarse: View) -> Result<Function, Undecided> {
        match self.function(View::Value) {
            Err(undecided) if coarse != View::Value && undecided.limit != Limit::Time => {
                self.space.restart();
                self.function(coarse)
            }
            found => found,
        }
    }

    /// The operand that a claim names.
    pub(super) fn operand(&self, operand: &Operand) -> Result<Judged<'_, 'f>, Stop> {
        let named = |name: &str, span| match self.others.get(name) {
            Some(Other::Chain(subject)) => Ok(Judged::Chain(subject)),
            Some(Other::Policy(policy)) => Ok(Judged::Policy(policy)),
            None => Err(unnamed(name, span)),
        };
        match operand {
            Operand::Own => Ok(Judged::Chain(&self.own)),
            Operand::Named(name, span) => named(name, *span),
            Operand::File(path) => named(path, Span::default()),
            Operand::Stack(parts) => parts
                .iter()
                .map(|part| self.operand(part))
                .collect::<Result<_, _>>()
                .map(Judged::Stack),
        }
    }

    /// The function of an operand.
    pub(super) fn operand_function(&mut self, operand: &Operand) -> Result<Function, Stop> {
        let kernel = self.kernel();
        match operand {
            Operand::Own => Ok(self.function(View::Value)?),
            Operand::Stack(parts) => {
                let mut combined: Option<Function> = None;
                for part in parts.iter().rev() {
                    let older = self.operand_function(part)?;
                    combined = Some(match combined {
                        None => older,
                        Some(newer) => self.stacked(&newer, &older, kernel)?,
                    });
                }
                combined.ok_or_else(|| Problem::new("a stack of nothing", Span::default()).into())
            }
            Operand::Named(name, _) | Operand::File(name) => match self.others.get(name) {
                Some(Other::Chain(subject)) => Ok(self.space.function(subject, View::Value)?),
                Some(Other::Policy(policy)) => {
                    let root = self.space.policy(policy, self.order)?;
                    Ok(self.whole(root)?)
                }
                None => Err(unnamed(name, Span::default())),
            },
        }
    }

    fn stacked(&mut self, newer: &Function, older: &Function, kernel: Kernel) -> Result<Function, Undecided> {
        let (Form::Whole(newer), Form::Whole(older)) = (&newer.form, &older.form) else {
            return Err(self.space.arena.meter().stop(Limit::Values));
        };
        let op = self.space.arena.own_op();
        let mut both = |newer, older| combine([(1, newer), (0, older)], kernel).value;
        let root = self.space.arena.apply(op, *newer, *older, &mut both)?;
        self.whole(root)
    }

    /// A function whose values are told apart, from its diagram.
    fn whole(&mut self, root: Ref) -> Result<Function, Undecided> {
        let mut function = self.function(View::Value)?;
        function.form = Form::Whole(root);
        Ok(function)
    }

    pub(super) const fn kernel(&self) -> Kernel {
        self.own.machine().kernel
    }

    pub(super) const fn machine(&self) -> Machine {
        self.own.machine()
    }

    /// The filters, oldest first.
    pub(super) const fn filters(&self) -> &'f [Filter<'f>] {
        self.own.filters()
    }

    /// A call as programs on its own ABI would make it: the space reads all calls in one byte order.
    pub(super) fn made(&self, call: &SeccompData) -> SeccompData {
        let words = call.words(self.space.machine().endian);
        SeccompData::from_words(words, self.order.of(call.arch))
    }

    /// Replays a call: what the emulator says, if the function says the same.
    pub(super) fn replay(
        &self,
        call: &SeccompData,
        judged: &Judged<'_, '_>,
        function: &Function,
    ) -> Result<Shown, Stop> {
        let made = self.made(call);
        let (verdict, insns) = self.run(&made, judged);
        let expected = self.space.value(function, call);
        let observed = function.view().stand_in(verdict.value, self.kernel());
        if expected != observed {
            return Err(disagreement(made, u64::from(expected), u64::from(observed)).into());
        }
        Ok(Shown {
            call: made,
            verdict,
            insns,
        })
    }

    /// As [`replay`](Self::replay), of the chain that questions are about.
    pub(super) fn replay_own(&self, call: &SeccompData, function: &Function) -> Result<Shown, Stop> {
        self.replay(call, &Judged::Chain(&self.own), function)
    }

    /// What the emulator says of a call that was found by other means than a function, and replayed there.
    pub(super) fn shown(&self, call: &SeccompData) -> Shown {
        self.shown_by(call, &Judged::Chain(&self.own))
    }

    /// As [`shown`](Self::shown), of something else.
    pub(super) fn shown_by(&self, call: &SeccompData, judged: &Judged<'_, '_>) -> Shown {
        let call = self.made(call);
        let (verdict, insns) = self.run(&call, judged);
        Shown { call, verdict, insns }
    }

    fn run(&self, made: &SeccompData, judged: &Judged<'_, '_>) -> (Verdict, u64) {
        let kernel = self.kernel();
        let of_value = |value| Verdict {
            value,
            filter: None,
            action: Action::of(value, kernel),
        };
        match judged {
            Judged::Chain(subject) => {
                let endian = self.order.of(made.arch);
                let machine = Machine {
                    endian,
                    ..subject.machine()
                };
                let mut count = Count::default();
                let verdict = Chain::new(subject.filters()).run_observed(made, machine, &mut count);
                (verdict, count.0)
            }
            Judged::Policy(policy) => (of_value(combine([(0, policy.decide(made))], kernel).value), 0),
            Judged::Stack(parts) => {
                let runs: Vec<_> = parts.iter().map(|part| self.run(made, part)).collect();
                let values = runs
                    .iter()
                    .enumerate()
                    .rev()
                    .map(|(at, (verdict, _))| (at, verdict.value));
                (
                    of_value(combine(values, kernel).value),
                    runs.iter().map(|(_, insns)| insns).sum(),
                )
            }
        }
    }

    /// A call of a set, as a counterexample of one call.
    pub(super) fn fails_at(&mut self, bad: Set, finding: Finding, function: &Function) -> Result<Answer, Stop> {
        let Some(call) = self.space.example(bad)? else {
            return Ok(HOLDS);
        };
        let shown = vec![self.replay_own(&call, function)?];
        Ok(Answer::Fails(Counterexample::of(finding, shown)))
    }

    /// The limit that kept a filter from being run symbolically, if one did.
    pub(super) const fn unexplored(&self) -> Option<Undecided> {
        self.unexplored
    }

    /// The limits on each question.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

fn unnamed(name: &str, span: Span) -> Stop {
    Problem::new(format!("no filter is called `{name}`"), span).into()
}

impl<'f> Other<'f> {
    const fn subject(&self) -> Option<&Subject<'f>> {
        match self {
            Self::Chain(subject) => Some(subject),
            Self::Policy(_) => None,
        }
    }
}
