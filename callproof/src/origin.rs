//! Which place of a policy gives an answer.
//!
//! Every place of the text that gives an answer gets a mark of its own: a policy with marks for answers is compiled and
//! proved as any other, and then each return of a mark becomes one of the answer's action with the mark as its data. Of
//! a chain the kernel compares only actions, so the chain of such filters decides as the chain of the real ones does, and
//! its value tells the place.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_formats::Position;
use callproof_policy::{Answer, Data, Env, GroundPolicy, Policy, Predicate, Rule, Span};
use callproof_vm::isa::Op;
use callproof_vm::{Action, Insn};

use crate::error::{Error, ErrorKind};
use crate::programs::Compiled;

/// The bits of a value that are data, and hold a mark.
const DATA: u32 = 0xffff;
/// What stands for ALLOW, of which the kernel drops the data: no named action, between LOG and ALLOW in precedence.
const PERMITTED: u32 = 0x7ffe_0000;

/// A place of a policy, and the answer that it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, with the line if it is known
    pub place: String,
    answer: Answer,
}

impl Origin {
    /// The 32-bit value of the answer on an ABI; `None` stands for an unknown one.
    #[must_use]
    pub fn value(&self, abi: Option<Abi>) -> Option<u32> {
        self.answer.value(abi).ok()
    }
}

/// Filters whose values tell where they come from: the action is that of the real filters, with 0x7ffe for ALLOW, and
/// the data is the number of an origin, from 1.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The filters, oldest first
    pub programs: Vec<Vec<Insn>>,
    /// The origins, that of mark 1 first
    pub origins: Vec<Origin>,
}

/// Policies with marks for answers, for the reader's later use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marked {
    /// `None` when there are more places than marks
    policies: Option<Vec<GroundPolicy>>,
    origins: Vec<Origin>,
}

impl Marked {
    pub(crate) fn new(policies: &[Policy], name: &str, text: &str, env: &Env) -> Result<Self, Error> {
        let mut marks = Marks {
            name,
            text,
            filter: None,
            known: BTreeMap::new(),
            origins: Vec::new(),
        };
        let several = policies.len() > 1;
        let mark = |(number, policy): (usize, &Policy)| {
            marks.filter = several.then_some(number);
            marks.policy(policy)
        };
        let marked: Option<Vec<Policy>> = (1..).zip(policies).map(mark).collect();
        let ground = |policy: Policy| {
            policy
                .ground(env)
                .map_err(|problems| Error::text(name, text, &problems))
        };
        let policies = marked.map(|marked| marked.into_iter().map(ground).collect::<Result<_, _>>());
        Ok(Self {
            policies: policies.transpose()?,
            origins: marks.origins,
        })
    }
}

/// Gives out marks: one for each line and answer of a policy.
struct Marks<'t> {
    name: &'t str,
    text: &'t str,
    /// Which of several filters it is, from 1
    filter: Option<usize>,
    known: BTreeMap<(String, u32, String), u16>,
    origins: Vec<Origin>,
}

impl Marks<'_> {
    fn policy(&mut self, policy: &Policy) -> Option<Policy> {
        let mut rules = Vec::new();
        for rule in &policy.rules {
            for calls in rule.calls.split() {
                let span = written(&calls, &rule.answer);
                let answer = self.mark(&rule.answer, span)?;
                match rules.last_mut() {
                    // Names of one line make one rule.
                    Some(Rule {
                        calls: last,
                        answer: of,
                    }) if *of == answer && same_frame(last, &calls) => {
                        last.calls.extend(calls.calls);
                    }
                    _ => rules.push(Rule { calls, answer }),
                }
            }
        }
        let default = self.mark(&policy.default, policy.default.span)?;
        Some(Policy { default, rules })
    }

    /// The mark of a place and an answer.
    fn mark(&mut self, answer: &Answer, span: Span) -> Option<Answer> {
        let place = self.place(span);
        let action = answer.action.value()?;
        let key = (place.clone(), action, format!("{:?}", answer.data));
        let next = u16::try_from(self.origins.len().saturating_add(1)).ok()?;
        let mark = *self.known.entry(key).or_insert(next);
        if mark == next {
            let answer = answer.clone();
            self.origins.push(Origin { place, answer });
        }
        Some(Answer {
            data: Data::Number(mark),
            ..Answer::new(Action::Trap)
        })
    }

    fn place(&self, span: Span) -> String {
        if span.end == 0 {
            return match self.filter {
                Some(number) => format!("{}#{number}", self.name),
                None => self.name.to_owned(),
            };
        }
        format!("{}:{}", self.name, Position::of(self.text, span.start).line)
    }
}

/// Whether two predicates differ in their calls alone.
fn same_frame(a: &Predicate, b: &Predicate) -> bool {
    a.on == b.on && a.except == b.except
}

/// Where a rule is written: its calls, else its answer.
fn written(calls: &Predicate, answer: &Answer) -> Span {
    let of_calls = calls.calls.first().map(|call| call.span);
    of_calls.filter(|span| span.end > 0).unwrap_or(answer.span)
}

impl Compiled {
    /// Filters whose values tell where in the text they come from, or why there are none.
    ///
    /// # Errors
    /// [`ErrorKind::Undecided`] when there are too many places for one filter; else as for
    /// [`compile`](fn@crate::compile).
    pub fn traced(&self) -> Result<Traced, Error> {
        let marked = &self.policies.marked;
        let too_many = || {
            Error::new(
                ErrorKind::Undecided,
                "the policy has more places than one filter can tell apart",
            )
        };
        let policies = marked.policies.as_ref().ok_or_else(too_many)?;
        let mut programs = self.proving.all(policies)?;
        for insn in programs.iter_mut().flatten() {
            if insn.op() == Some(Op::RetK) {
                let mark = insn.k & DATA;
                let origin = usize::try_from(mark)
                    .ok()
                    .and_then(|mark| marked.origins.get(mark.checked_sub(1)?));
                let action = origin
                    .and_then(|origin| origin.answer.action.value())
                    .ok_or_else(too_many)?;
                insn.k = match action {
                    0x7fff_0000 => PERMITTED | mark,
                    action => action | mark,
                };
            }
        }
        Ok(Traced {
            programs,
            origins: marked.origins.clone(),
        })
    }
}
