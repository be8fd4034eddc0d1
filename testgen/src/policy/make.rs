//! Choices to policies.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Answer, CallPattern, Policy, Predicate, Rule, Selector};
use callproof_vm::Action;

use super::conditions::Values;
use super::shape::PolicyShape;
use crate::choose::Choose;

/// A policy of this shape. It can always be grounded.
///
/// The last rule is for every call of the policy's ABIs, so that the default is for other ABIs alone.
pub fn policy(choose: &mut impl Choose, shape: &PolicyShape) -> Policy {
    let abis = some_abis(choose, shape);
    let default = some_answer(choose, &shape.defaults);
    let mut maker = Maker {
        shape,
        answers: rule_answers(choose, shape, &default),
        abis,
        names: Vec::new(),
        given: BTreeMap::new(),
        values: Values::default(),
    };
    let mut rules: Vec<Rule> = (0..count(choose, shape)).filter_map(|_| maker.rule(choose)).collect();
    let any = Predicate::of(CallPattern::new(Selector::Any));
    rules.push(Rule {
        calls: on(any, &last_abis(shape, &maker.abis)),
        answer: default,
    });
    let elsewhere = some_answer(choose, &shape.elsewhere);
    if shape.guarded && maker.abis.contains(&Abi::X86_64) {
        rules.insert(0, guard(&elsewhere));
    }
    Policy {
        default: elsewhere,
        rules,
    }
}

/// The ABIs of the last rule.
fn last_abis(shape: &PolicyShape, abis: &[Abi]) -> Vec<Abi> {
    let beside = |other: &Abi| abis.iter().any(|abi| abi.audit_arch() == other.audit_arch()) && !abis.contains(other);
    let others = Abi::ALL.iter().copied().filter(|other| shape.by_arch && beside(other));
    abis.iter().copied().chain(others).collect()
}

/// What libseccomp does to numbers of x86_64 with bit 31 and without bit 30.
fn guard(answer: &Answer) -> Rule {
    let numbers = CallPattern::new(Selector::Range(0x8000_0000, 0xbfff_ffff));
    Rule {
        calls: on(Predicate::of(numbers), &[Abi::X86_64]),
        answer: answer.clone(),
    }
}

/// One of the answers; a shape that has none kills.
fn some_answer(choose: &mut impl Choose, answers: &[Answer]) -> Answer {
    let kill = Answer::new(Action::KillProcess);
    one_of(choose, answers).cloned().unwrap_or(kill)
}

/// One of the items.
pub(super) fn one_of<'i, T>(choose: &mut impl Choose, items: &'i [T]) -> Option<&'i T> {
    let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
    items.get(choose.below(bound) as usize)
}

fn some_abis(choose: &mut impl Choose, shape: &PolicyShape) -> Vec<Abi> {
    let mut abis = Vec::new();
    for _ in 0..=choose.below(shape.most_abis) {
        let abi = one_of(choose, &shape.abis).copied().unwrap_or(Abi::X86_64);
        if !abis.contains(&abi) {
            abis.push(abi);
        }
    }
    abis
}

fn rule_answers(choose: &mut impl Choose, shape: &PolicyShape, default: &Answer) -> Vec<Answer> {
    if !shape.one_answer {
        return shape.answers.clone();
    }
    let others: Vec<Answer> = shape
        .answers
        .iter()
        .filter(|answer| *answer != default)
        .cloned()
        .collect();
    one_of(choose, &others).cloned().into_iter().collect()
}

/// How many rules: mostly few, now and then more than a jump of 8 bits can skip.
fn count(choose: &mut impl Choose, shape: &PolicyShape) -> u32 {
    if choose.one_in(shape.long) {
        return choose.below(350).saturating_add(250);
    }
    choose.below(shape.most_rules.saturating_add(1))
}

/// The predicate on these ABIs.
fn on(calls: Predicate, abis: &[Abi]) -> Predicate {
    let on = AbiList::of(abis.iter().map(|abi| AbiItem::Abi(*abi)));
    Predicate { on: Some(on), ..calls }
}

/// A policy while it is being made.
struct Maker<'s> {
    shape: &'s PolicyShape,
    answers: Vec<Answer>,
    abis: Vec<Abi>,
    /// Calls that have rules
    names: Vec<&'static str>,
    /// What rules of a call answer, where they must agree
    given: BTreeMap<&'static str, Answer>,
    values: Values,
}

impl Maker<'_> {
    /// `None` when no call is left that has no rule yet.
    fn rule(&mut self, choose: &mut impl Choose) -> Option<Rule> {
        let abis = self.rule_abis(choose);
        let answer = some_answer(choose, &self.answers);
        let mut patterns = Vec::new();
        let mut answer_of_all = None;
        for _ in 0..=choose.pick(&[0, 0, 0, 1, 4]) {
            let Some((pattern, name)) = self.pattern(choose, &abis) else {
                break;
            };
            if let (false, Some(name)) = (self.shape.contradicting, name) {
                // Several calls in a rule share an answer, so that the first settles it.
                let given = self
                    .given
                    .entry(name)
                    .or_insert_with(|| answer_of_all.clone().unwrap_or(answer.clone()));
                if *answer_of_all.get_or_insert(given.clone()) != *given {
                    continue;
                }
            }
            patterns.push(pattern);
        }
        let answer = answer_of_all.unwrap_or(answer);
        let except = self.exceptions(choose);
        let calls = Predicate {
            calls: patterns,
            except,
            on: None,
        };
        (!calls.calls.is_empty()).then(|| Rule {
            calls: on(calls, &abis),
            answer,
        })
    }

    fn rule_abis(&self, choose: &mut impl Choose) -> Vec<Abi> {
        if self.shape.apart && choose.one_in(3) {
            return one_of(choose, &self.abis).copied().into_iter().collect();
        }
        self.abis.clone()
    }

    /// A pattern, and the name of its call if it has one.
    fn pattern(&mut self, choose: &mut impl Choose, abis: &[Abi]) -> Option<(CallPattern, Option<&'static str>)> {
        if self.shape.worded && choose.one_in(6) {
            let mut pattern = CallPattern::new(wild(choose));
            if choose.one_in(2) {
                pattern.args = self.values.conditions(choose, self.shape, None, abis);
            }
            return Some((pattern, None));
        }
        let name = self.name(choose, abis)?;
        let mut pattern = CallPattern::named(name);
        if choose.one_in(2) {
            pattern.args = self.values.conditions(choose, self.shape, Some(name), abis);
        }
        Some((pattern, Some(name)))
    }

    /// A call of one of the ABIs: one that has a rule already, or one of all.
    fn name(&mut self, choose: &mut impl Choose, abis: &[Abi]) -> Option<&'static str> {
        if self.shape.overlapping
            && choose.one_in(2)
            && let Some(name) = one_of(choose, &self.names)
        {
            return Some(name);
        }
        for _ in 0..8 {
            let name = fresh(choose, abis)?;
            if !self.names.contains(&name) {
                self.names.push(name);
                return Some(name);
            }
            if self.shape.overlapping {
                return Some(name);
            }
        }
        None
    }

    fn exceptions(&self, choose: &mut impl Choose) -> Vec<CallPattern> {
        if !(self.shape.worded && choose.one_in(6)) {
            return Vec::new();
        }
        let named = one_of(choose, &self.names).map(|name| CallPattern::named(*name));
        named.into_iter().collect()
    }
}

/// A call of one of the ABIs: one of those that policies have conditions for, or any.
fn fresh(choose: &mut impl Choose, abis: &[Abi]) -> Option<&'static str> {
    const USUAL: [&str; 16] = [
        "read",
        "write",
        "ioctl",
        "openat",
        "clone",
        "prctl",
        "personality",
        "fcntl",
        "mmap",
        "mprotect",
        "futex",
        "socket",
        "kill",
        "exit_group",
        "unshare",
        "keyctl",
    ];
    let abi = one_of(choose, abis)?;
    if choose.one_in(2) {
        let name = choose.pick(&USUAL);
        return abi
            .syscall_named(name)
            .ok()
            .map(|call| call.name)
            .or_else(|| any_call(choose, *abi));
    }
    any_call(choose, *abi)
}

fn any_call(choose: &mut impl Choose, abi: Abi) -> Option<&'static str> {
    let mut calls = abi.syscalls();
    let count = u32::try_from(calls.len()).unwrap_or(0);
    calls.nth(choose.below(count) as usize).map(|call| call.name)
}

/// Calls that are not meant by one name.
fn wild(choose: &mut impl Choose) -> Selector {
    match choose.below(6) {
        0 => Selector::Any,
        1 => Selector::Unallocated,
        2 => Selector::Name(
            choose
                .pick(&["get*", "*at", "*_*", "process_vm_*", "mm*p", "s*t"])
                .to_owned(),
        ),
        3 => Selector::Number(number(choose)),
        _ => {
            let (one, other) = (number(choose), number(choose));
            Selector::Range(one.min(other), one.max(other))
        }
    }
}

/// A number of a call, or one beyond all of them.
fn number(choose: &mut impl Choose) -> u32 {
    match choose.below(4) {
        0 => crate::constants::constant(choose),
        1 => choose.below(20),
        _ => choose.below(500),
    }
}
