//! `test` for people.

use core::fmt::Write as _;

use callproof::cases::{CaseResult, Coverage, Mutants, Outcome};

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
    for coverage in tests.coverage.iter().flatten() {
        write_coverage(&mut text, coverage);
    }
    if let Some(least) = tests.too_little() {
        let wanted = tests.min_coverage.unwrap_or_default();
        let _ = writeln!(
            text,
            "{}: {least:.1}% are exercised, and {wanted}% are wanted",
            paint(BAD, "too little")
        );
    }
    text
}

fn write_coverage(text: &mut String, coverage: &Coverage) {
    let (hit, all) = (coverage.exercised, coverage.reachable);
    let cases = if coverage.counted == 1 {
        "case exercises"
    } else {
        "cases exercise"
    };
    let dead = coverage.spots().filter(|(_, spot)| !spot.reachable).count();
    let _ = writeln!(
        text,
        "{}: {} {cases} {hit} of {all} ways and returns ({:.1}%); {} cases of other kinds are not counted; \
         {dead} ways and returns are reached by no call",
        harmless(&coverage.file),
        coverage.counted,
        coverage.percent(),
        coverage.uncounted
    );
    for (line, limit) in &coverage.undecided {
        let _ = writeln!(text, "  {} line {line}: {limit}", paint(OPEN, "undecided:"));
    }
    if let Some(limit) = &coverage.limit {
        let _ = writeln!(text, "  {} what calls can reach: {limit}", paint(OPEN, "undecided:"));
    }
    if !coverage.is_whole() {
        return;
    }
    for (filter, spot) in coverage.spots().filter(|(_, spot)| spot.reachable && spot.hits == 0) {
        let way = match spot.met {
            None => "this return",
            Some(true) => "the jump when it is met",
            Some(false) => "the jump when it is not met",
        };
        let of = if coverage.filters.len() > 1 {
            format!("filter {filter} ")
        } else {
            String::new()
        };
        let _ = writeln!(text, "  {of}{}  {}", spot.instruction, paint(FAINT, way));
        if let Some(call) = &spot.missing {
            let _ = writeln!(text, "    no counted case speaks of {call}");
        }
    }
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
