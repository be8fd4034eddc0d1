//! Everything known about the filters that questions are asked of.

use std::collections::BTreeMap;

use callproof_policy::property::Operand;
use callproof_policy::{ByteOrder, Claim, GroundPolicy, Problem, Span};
use callproof_vm::observe::Count;
use callproof_vm::{Action, Chain, Filter, Kernel, Machine, SeccompData, Verdict, combine};

use super::answer::{Answer, AskError, Counterexample, Finding, Outcome, Shown, Stop, Tried};
use super::{Query, program, proving, registers, relation, verdict};
use crate::cost::Costs;
use crate::diagram::Ref;
use crate::function::{Form, Function};
use crate::limits::{Limit, Limits, Undecided};
use crate::space::{Set, Space};
use crate::subject::Subject;
use crate::view::View;
use crate::witness::disagreement;

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
    others: BTreeMap<String, Other<'f>>,
    functions: Vec<(View, Function)>,
    pub(super) costs: Option<Costs>,
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
    ///
    /// # Errors
    /// [`Undecided`] when a filter has more states than the limits allow.
    pub fn new(
        filters: &'f [Filter<'f>],
        others: Vec<(String, Side<'f>)>,
        machine: Machine,
        order: ByteOrder,
        limits: &Limits,
    ) -> Result<Self, Undecided> {
        let own = Subject::new(filters, machine, limits)?;
        let mut known = BTreeMap::new();
        for (name, side) in others {
            let other = match side {
                Side::Chain(filters) => Other::Chain(Subject::new(filters, machine, limits)?),
                Side::Policy(policy) => Other::Policy(policy),
            };
            known.insert(name, other);
        }
        let mut subjects = vec![&own];
        subjects.extend(known.values().filter_map(Other::subject));
        let space = Space::new(machine, &subjects, limits);
        Ok(Self {
            space,
            own,
            others: known,
            functions: Vec::new(),
            costs: None,
            order,
            limits: *limits,
        })
    }

    /// Answers a query. The limits count afresh.
    ///
    /// # Errors
    /// When the claim has no meaning, or when the emulator contradicts the verifier.
    pub fn ask(&mut self, query: &Query<'_>) -> Result<Outcome, AskError> {
        self.space.restart();
        let answered = match query.claim {
            Claim::Verdict {
                quantifier,
                verdicts,
                calls,
            } => verdict::answer(self, *quantifier, verdicts, calls, query.env),
            Claim::Cost { calls, at_most } => program::cost(self, calls, *at_most, query.env),
            Claim::Cached { calls } => program::cached(self, calls, query.env),
            Claim::AbiOrder { left, right } => relation::abi_order(self, left, right, query.env),
            Claim::SameView { calls } => registers::same_view(self, calls, query.env),
            Claim::WholeArguments { calls } => registers::whole_arguments(self, calls, query.env),
            Claim::Relation {
                left,
                relation,
                right,
                calls,
            } => relation::answer(self, (left, *relation, right), calls, query.env),
            Claim::Free(hazard) => program::free(self, *hazard),
        };
        match answered {
            Ok(mut outcome) => {
                if let Answer::Holds { proof, shown } = &mut outcome.answer
                    && shown.is_empty()
                {
                    *proof = proving::attempt(self, query);
                }
                Ok(outcome)
            }
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Undecided(undecided)) => {
                let is_cost = matches!(query.claim, Claim::Cost { .. });
                let known = is_cost.then(|| self.own.longest_path());
                Ok(Outcome::new(Answer::Undecided(Tried { undecided, known })))
            }
        }
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
        let call = self.made(call);
        let (verdict, insns) = self.run(&call, &Judged::Chain(&self.own));
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
            return Ok(Answer::Holds {
                proof: None,
                shown: Vec::new(),
            });
        };
        let shown = vec![self.replay_own(&call, function)?];
        Ok(Answer::Fails(Counterexample { finding, shown }))
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
