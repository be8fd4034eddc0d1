//! Rules about the text of a policy.

use std::path::Path;

use callproof_formats::policy::NoteKind;
use callproof_policy::{Env, Policy, Predicate, Span};
use callproof_verifier::Set;

use super::finding::{Finding, Place, Report};
use super::lens::{Found, Lens, Stop};
use super::{LintOptions, Skipped, lint};
use crate::error::Error;
use crate::options::abis;
use crate::programs::{made, reading};
use crate::source::{Policies, admit, read};

const OF_RULES: &[&str] = &["duplicate-rule", "contradictory-rule", "shadowed-rule"];

/// Looks for what is likely wrong with a policy: with its filters, as [`lint`] does, and with its text. `None` when the
/// file is no policy.
///
/// # Errors
/// When the file cannot be read or has no meaning, as for [`compile`](fn@crate::compile), and as for [`lint`].
pub fn lint_policy(path: &Path, options: &LintOptions) -> Result<Option<Report>, Error> {
    let (found, reading) = reading(&options.options).located(path);
    let Some(policies) = reading.found_policies(&found, &read(&found)?) else {
        return Ok(None);
    };
    let policies = policies?;
    let programs = made(path, policies.clone(), &reading, &options.options)?;
    let mut report = lint(&programs.names, &programs.programs, options)?;
    let file = path.display().to_string();
    // The instructions are not the writer's; rules of the text without effect are told below.
    let is_of_text = |finding: &Finding| !matches!(finding.rule, "dead-code" | "one-way-test");
    report.findings.retain(is_of_text);
    report.findings.extend(notes(&policies, &file));
    let machine = options.options.machine(&abis(&reading.env.abis), None);
    let filters = admit(&programs.programs, &programs.names, machine)?;
    let order = options.options.order;
    let mut lens = Lens::new(&filters, machine, order, Vec::new(), options.options.limits);
    for policy in &policies.written {
        match rules(&mut lens, policy, &reading.env, (&file, &policies.text)) {
            Ok(found) => report.findings.extend(found),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Undecided(reason)) => report.undecided.extend(OF_RULES.iter().map(|rule| Skipped {
                rule,
                reason: reason.clone(),
            })),
        }
    }
    report.sort();
    Ok(Some(report))
}

/// What the reader tells, as findings.
fn notes(policies: &Policies, file: &str) -> Vec<Finding> {
    let finding = |note: &callproof_formats::policy::Note| {
        let rule = match note.kind {
            NoteKind::UnknownName => "unknown-name",
            NoteKind::ByRuntime => "runtime-differs",
            _ => "reader-note",
        };
        let mut finding = Finding::new(rule, note.message.clone(), note.message.clone());
        finding.place = Some(place((file, &policies.text), note.span));
        finding
    };
    policies.told.iter().map(finding).collect()
}

fn place((file, text): (&str, &str), span: Span) -> Place {
    Place {
        file: file.to_owned(),
        line: Error::line(text, span.start),
    }
}

/// A pattern of a rule: the calls that it means, the answer that they get, and where it stands.
struct Before {
    calls: Set,
    answer: String,
    line: usize,
}

/// `duplicate-rule`, `contradictory-rule`, `shadowed-rule`
fn rules(lens: &mut Lens<'_>, policy: &Policy, env: &Env, text: (&str, &str)) -> Found<Vec<Finding>> {
    let mut found = Vec::new();
    let mut before: Vec<Before> = Vec::new();
    let mut taken = Set::EMPTY;
    for rule in &policy.rules {
        let mut own = Vec::new();
        for pattern in rule.calls.split() {
            let Ok(grounded) = pattern.ground(env) else { continue };
            let calls = lens.session.asked(&grounded)?;
            let span = pattern.calls.first().map_or(rule.answer.span, |call| call.span);
            let this = Before {
                calls,
                answer: rule.answer.to_string(),
                line: Error::line(text.1, span.start),
            };
            // What no call of these ABIs is has no effect, and nobody needs to be told.
            if !calls.is_empty() && lens.session.space().minus(calls, taken)?.is_empty() {
                let mut finding = idle(lens, &this, &before, &pattern)?;
                finding.place = Some(place(text, span));
                found.push(finding);
            }
            own.push(this);
        }
        for one in own {
            taken = lens.session.space().or(taken, one.calls)?;
            before.push(one);
        }
    }
    Ok(found)
}

/// What to say of a pattern of which every call is taken.
fn idle(lens: &mut Lens<'_>, this: &Before, before: &[Before], pattern: &Predicate) -> Found<Finding> {
    let written = match pattern.calls.first() {
        Some(call) => call.to_string(),
        None => pattern.to_string(),
    };
    let subject = format!("{} {written}", this.answer);
    let Some(same) = before.iter().find(|other| other.calls == this.calls) else {
        let mut by = None;
        for other in before {
            if !lens.session.space().and(other.calls, this.calls)?.is_empty() {
                by = Some(other.line);
                break;
            }
        }
        let line = by.map_or_else(String::new, |line| format!(", the first in line {line}"));
        let message = format!("earlier rules take every call of `{subject}`{line}");
        return Ok(Finding::new("shadowed-rule", subject, message));
    };
    if same.answer == this.answer {
        let message = format!("`{subject}` is said in line {} already", same.line);
        return Ok(Finding::new("duplicate-rule", subject, message));
    }
    let message = format!(
        "`{subject}` contradicts line {}, which says `{}` and wins",
        same.line, same.answer
    );
    Ok(Finding::new("contradictory-rule", subject, message))
}
