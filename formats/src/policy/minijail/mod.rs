//! Policies of minijail, as its compiler and its library read them.

mod lex;
mod parse;
mod statements;

use callproof_abi::Abi;
use callproof_policy::{Answer, CallPattern, Policy, Problem, Rule, Selector};
use callproof_vm::Action;

use super::build::{self, Arg, pattern, rule, word_view};
use super::report::Report;
use super::{MinijailReader, PolicyOptions, PolicyRead, names};
use statements::{Filter, Statement, Statements};

/// Reads a policy for the native ABI.
pub(super) fn read(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
    let mut report = Report::default();
    let abi = options.abis.first().copied().unwrap_or(Abi::X86_64);
    if options.abis.len() > 1 {
        report.note(
            format!("such a policy is for one ABI; this is the one for {abi}"),
            super::START,
        );
    }
    let statements = Statements::read(text, abi, options, &mut report);
    let policy = policy(&statements, abi, options, &mut report);
    let (policy, notes) = report.finish(Some(policy))?;
    let policies = vec![policy];
    Ok(PolicyRead { policies, notes })
}

fn policy(statements: &Statements, abi: Abi, options: &PolicyOptions<'_>, report: &mut Report) -> Policy {
    let kill = if options.minijail.kill_process {
        Action::KillProcess
    } else {
        Action::KillThread
    };
    let kill = Answer::new(kill);
    let other = options
        .minijail
        .default
        .clone()
        .or_else(|| statements.default.clone())
        .unwrap_or_else(|| kill.clone());
    let mut rules = Vec::new();
    for statement in &statements.list {
        rules.extend(rules_of(statement, &other, abi, options));
    }
    report.note(
        format!("calls of other ABIs than {abi} are killed, whatever the default is"),
        super::START,
    );
    build::policy(merged(rules), &build::same_arch(abi), other, kill)
}

/// The rules for one call: its filters in order.
fn rules_of(statement: &Statement, other: &Answer, abi: Abi, options: &PolicyOptions<'_>) -> Vec<Rule> {
    let view = word_view(abi.register_bits());
    let plain = || CallPattern {
        span: statement.span,
        ..CallPattern::named(statement.call.as_str())
    };
    let clause = |args: &Vec<Arg>| {
        let conds = args.iter().map(|arg| (arg.index, arg.cond(view))).collect();
        pattern(Selector::Name(statement.call.clone()), conds, statement.span)
    };
    let mut rules = Vec::new();
    for Filter { clauses, answer } in &statement.filters {
        let library = options.minijail.reader == MinijailReader::Library;
        match clauses {
            None => rules.push(rule(
                vec![plain()],
                &[abi],
                answer.clone().unwrap_or_else(|| other.clone()),
            )),
            Some(clauses) if library => {
                rules.push(rule(
                    clauses.iter().map(clause).collect(),
                    &[abi],
                    Answer::new(Action::Allow),
                ));
                if let Some(answer) = answer {
                    rules.push(rule(vec![plain()], &[abi], answer.clone()));
                }
            }
            Some(clauses) => {
                let answer = answer.clone().unwrap_or(Answer::new(Action::Allow));
                rules.push(rule(clauses.iter().map(clause).collect(), &[abi], answer));
            }
        }
    }
    rules
}

/// Neighbours with the same answer as one rule.
fn merged(rules: Vec<Rule>) -> Vec<Rule> {
    let mut merged: Vec<Rule> = Vec::new();
    for mut rule in rules {
        match merged.last_mut() {
            Some(last) if last.answer == rule.answer => last.calls.calls.append(&mut rule.calls.calls),
            _ => merged.push(rule),
        }
    }
    merged
}

/// Whether the ABI has a call, for a message when not.
fn check_call(call: &str, span: callproof_policy::Span, abi: Abi, report: &mut Report) -> bool {
    let there = names::has(abi, call);
    if !there {
        report.unknown("system call", call, &format!(" on {abi}"), span, names::calls(abi));
    }
    there
}
