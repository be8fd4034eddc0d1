//! Policies in their own text form.

use callproof_vm::Action;

use super::lex::Kind;
use super::{Parsed, Parser};
use crate::problem::Problem;
use crate::rules::{Answer, Data, Policy, Rule};
use crate::span::Span;
use crate::verdict_set::{ErrnoValue, VerdictKind, VerdictSet};

const DEFAULT_HELP: &str = "begin with a line such as `default errno(EPERM)`";

impl Parser {
    pub(super) fn policy(&mut self) -> Option<Policy> {
        let (mut default, mut rules) = (None, Vec::new());
        while self.kind().is_some() {
            if self.kind() == Some(&Kind::Line) {
                self.at += 1;
                continue;
            }
            if let Err(problem) = self.policy_line(&mut default, &mut rules) {
                self.skip_line(problem);
            }
        }
        if default.is_none() && self.problems.is_empty() {
            self.problems
                .push(Problem::new("the policy has no default", Span::default()).help(DEFAULT_HELP));
        }
        default.map(|default| Policy { default, rules })
    }

    fn policy_line(&mut self, default: &mut Option<Answer>, rules: &mut Vec<Rule>) -> Parsed<()> {
        let start = self.span();
        if self.eat_word("default") {
            let answer = self.answer()?;
            if default.replace(answer).is_some() {
                return Err(Problem::new("a second default", self.since(start)));
            }
        } else {
            let answer = self.answer()?;
            let calls = self.predicate()?;
            rules.push(Rule { calls, answer });
        }
        self.end_of_line()
    }

    /// A verdict that is one value.
    fn answer(&mut self) -> Parsed<Answer> {
        let start = self.span();
        let set = self.verdict_set()?;
        let span = self.since(start);
        answer(set, span).ok_or_else(|| {
            let help = "a policy answers with one value: `allow`, `errno(EPERM)`, `kill`";
            Problem::new("a set of verdicts where one is needed", span).help(help)
        })
    }
}

fn answer(set: VerdictSet, span: Span) -> Option<Answer> {
    let mut kinds = set.kinds.into_iter();
    let (kind, None) = (kinds.next()?, kinds.next()) else {
        return None;
    };
    let (action, data) = match kind {
        VerdictKind::Allow => (Action::Allow, Some(0)),
        VerdictKind::Log => (Action::Log, Some(0)),
        VerdictKind::Kill => (Action::KillProcess, Some(0)),
        VerdictKind::KillThread => (Action::KillThread, Some(0)),
        VerdictKind::Notify => (Action::UserNotif, Some(0)),
        VerdictKind::Trap(data) => (Action::Trap, single(&data)),
        VerdictKind::Trace(data) => (Action::Trace, single(&data)),
        VerdictKind::Errno(data) => return errno(data, span),
        VerdictKind::Unknown | VerdictKind::Deny | VerdictKind::Permit | VerdictKind::Killed => return None,
    };
    let data = Data::Number(data?);
    Some(Answer { action, data, span })
}

fn errno(data: Vec<ErrnoValue>, span: Span) -> Option<Answer> {
    let data = match data.len() {
        0 => Data::Number(0),
        1 => match data.into_iter().next()? {
            ErrnoValue::Number(number) => Data::Number(number),
            ErrnoValue::Name(name, _) => Data::Errno(name),
        },
        _ => return None,
    };
    let action = Action::Errno;
    Some(Answer { action, data, span })
}

/// The only one, or 0 for none.
fn single(data: &[u16]) -> Option<u16> {
    match data {
        [] => Some(0),
        [only] => Some(*only),
        _ => None,
    }
}
