//! `test` for people.

use core::fmt::Write as _;

use callproof::cases::{CaseResult, Mutants, Outcome};

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use crate::commands::cases::Tests;
use crate::words::harmless;

pub(super) fn text(tests: &Tests) -> String {
    let mut text = String::new();
    for file in &tests.files {
        let filters = file.filters.join(", ");
        let _ = writeln!(
            text,
            "{} {}",
            paint(NAME, harmless(&file.file)),
            paint(
                FAINT,
                format_args!("tests {} on Linux {}", harmless(&filters), file.kernel)
            )
        );
        for note in &file.notes {
            let _ = writeln!(text, "  {} {}", paint(OPEN, "note:"), harmless(note));
        }
        for case in &file.cases {
            write_case(&mut text, case);
        }
    }
    let outcomes = [
        Outcome::Passed,
        Outcome::Failed,
        Outcome::UnexpectedPass,
        Outcome::ExpectedFailure,
        Outcome::Undecided,
        Outcome::Skipped,
    ];
    let counted = outcomes.into_iter().map(|outcome| (outcome, tests.count(outcome)));
    let counts: Vec<String> = counted
        .filter(|(outcome, count)| *count > 0 || matches!(outcome, Outcome::Passed | Outcome::Failed))
        .map(|(outcome, count)| format!("{count} {}", outcome.name()))
        .collect();
    let _ = writeln!(text, "{}", counts.join(", "));
    for mutants in tests.mutants.iter().flatten() {
        write_mutants(&mut text, mutants);
    }
    text
}

fn write_mutants(text: &mut String, mutants: &Mutants) {
    let _ = writeln!(
        text,
        "{}: {} changed filters noticed, {} not, {} the same for every call, {} undecided",
        harmless(&mutants.file),
        mutants.noticed,
        mutants.survivors.len(),
        mutants.equivalent,
        mutants.undecided
    );
    for one in &mutants.survivors {
        let what = format!("instruction {} of {}", one.pc, one.filter);
        let _ = writeln!(
            text,
            "  {}: {}\n    `{}` in place of `{}`, which changes {}",
            paint(BAD, "not noticed"),
            harmless(&what),
            one.became,
            one.was,
            one.call
        );
    }
}

fn write_case(text: &mut String, case: &CaseResult) {
    let style = match case.outcome {
        Outcome::Passed => GOOD,
        Outcome::Failed | Outcome::UnexpectedPass => BAD,
        Outcome::Skipped | Outcome::Undecided | Outcome::ExpectedFailure => OPEN,
    };
    let _ = writeln!(
        text,
        "{} {}: {}",
        paint(FAINT, format_args!("{:4}", case.line)),
        paint(style, case.outcome.name()),
        paint(NAME, harmless(&case.case))
    );
    let quiet = case.outcome == Outcome::Passed;
    for line in case.details().iter().skip(if quiet { 1 } else { 0 }) {
        if quiet && line.starts_with("why: ") {
            continue;
        }
        for line in harmless(line).lines() {
            let _ = writeln!(text, "       {line}");
        }
    }
}
