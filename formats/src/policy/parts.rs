//! Pieces of rules that several readers put together.

use callproof_abi::Abi;
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use callproof_policy::{AbiItem, Answer, CallPattern, Data, Problem, Rule, Selector, Span};
use callproof_vm::{Action, Kernel};

use super::build;
use crate::error::Fault;
use crate::text::nearest;

/// How many problems a reader collects before it stops to look for more.
pub(super) const ENOUGH: usize = 50;

/// A rule for one pattern of calls on these ABIs.
pub(super) fn rule(pattern: CallPattern, abis: &[Abi], answer: Answer) -> Rule {
    build::rule(vec![pattern], abis, answer)
}

/// What every call of these ABIs gets that no rule before has.
pub(super) fn otherwise(abis: &[Abi], answer: Answer) -> Rule {
    build::everything(abis, answer)
}

/// A call with a condition that names the registers it speaks of.
pub(super) fn call(selector: Selector, condition: Option<Cond>, span: Span) -> CallPattern {
    let args = condition.map_or_else(Vec::new, |condition| vec![Some(condition)]);
    CallPattern { selector, args, span }
}

/// `args[index] & mask RELATION value`, in a view that has no names.
pub(super) fn test(index: u8, view: View, mask: Option<u64>, relation: Relation, value: u64, span: Span) -> Cond {
    let number = |bits: u64| Value::Number(i128::from(bits));
    Cond::Test(ArgTest {
        subject: Subject::Index(index),
        view,
        check: Check::Compare(mask.map(number), relation, number(value)),
        span,
    })
}

/// An answer with data.
pub(super) const fn answer(action: Action, data: u16, span: Span) -> Answer {
    let data = Data::Number(data);
    Answer { action, data, span }
}

/// The answer of a 32-bit value; `None` when it names no action.
pub(super) fn answer_of(value: u32, span: Span) -> Option<Answer> {
    let action = Action::of(value, Kernel::LATEST);
    let data = u16::try_from(value & 0xffff).unwrap_or(u16::MAX);
    (action != Action::Unknown).then(|| answer(action, data, span))
}

/// `; did you mean ...?`, or nothing.
pub(super) fn did_you_mean<'c>(name: &str, known: impl Iterator<Item = &'c str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// A fault of the shared token reader as a problem of a policy.
pub(super) fn told(fault: &Fault) -> Problem {
    let span = Span::new(fault.span.start, fault.span.end);
    Problem::new(fault.problem.to_string(), span)
}

/// Rules of libseccomp, with what its test for x32 does to numbers that no ABI has: from 0x80000000 up they go with x32; -1 stays with
/// x86_64 unless there is no section of it.
pub(super) fn x32_guard(mut rules: Vec<Rule>, default: &Answer) -> Vec<Rule> {
    let on = |rule: &Rule, abi| rule.calls.on.as_ref().is_some_and(|on| on.items == [AbiItem::Abi(abi)]);
    let x32 = rules.iter().rev().find(|rule| on(rule, Abi::X32));
    let x32 = x32.map(|rule| rule.answer.clone());
    let native = rules.iter().any(|rule| on(rule, Abi::X86_64));
    let beyond = CallPattern::new(Selector::Range(0x8000_0000, 0xbfff_ffff));
    let last = CallPattern::new(Selector::Number(u32::MAX));
    match (x32, native) {
        (Some(answer), false) => rules.extend([beyond, last].map(|calls| rule(calls, &[Abi::X86_64], answer.clone()))),
        (None, false) => {}
        (x32, true) => {
            let answer = x32.unwrap_or_else(|| default.clone());
            rules.insert(0, rule(beyond, &[Abi::X86_64], answer));
        }
    }
    rules
}
