//! `kernel scenarios` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, GOOD, NAME, paint};
use super::table;
use crate::commands::scenarios::{Scenarios, Told};

pub(super) fn text(found: &Scenarios) -> String {
    let Some(kernel) = &found.kernel else {
        return list(&found.scenarios);
    };
    let mut text = table::text(
        &["file", "scenarios", "agree", "differ", "skipped"],
        rows(&found.scenarios),
    );
    for told in &found.scenarios {
        for (_, line, message) in told.findings() {
            let _ = writeln!(
                text,
                "{}:{line}: {}: {}",
                told.file,
                paint(NAME, &told.name),
                paint(BAD, message)
            );
        }
        if told.outcome.as_ref().is_some_and(|outcome| outcome.alike) {
            let name = paint(NAME, &told.name);
            let _ = writeln!(
                text,
                "{}:{}: {name}: model and kernel differ from it alike",
                told.file, told.line
            );
        }
        if let Some(why) = told.skipped() {
            let _ = writeln!(
                text,
                "{}:{}: {}: skipped: {why}",
                told.file,
                told.line,
                paint(NAME, &told.name)
            );
        }
    }
    let wrong = found
        .scenarios
        .iter()
        .filter(|told| !told.findings().is_empty())
        .count();
    let verdict = match wrong {
        0 => paint(GOOD, "the task model and the kernel do what the scenarios say"),
        1 => paint(BAD, "1 scenario differs"),
        many => paint(BAD, format_args!("{many} scenarios differ")),
    };
    let _ = writeln!(text, "Linux {kernel}: {verdict}");
    text
}

fn list(scenarios: &[Told]) -> String {
    let lines = scenarios
        .iter()
        .map(|told| format!("{}:{}: {}\n", told.file, told.line, told.name));
    lines.collect()
}

/// One row for each file, in the order of the files.
fn rows(scenarios: &[Told]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in scenarios.chunk_by(|one, next| one.file == next.file) {
        let differ = file.iter().filter(|told| !told.findings().is_empty()).count();
        let skipped = file.iter().filter(|told| told.skipped().is_some()).count();
        let agree = file.len().saturating_sub(differ).saturating_sub(skipped);
        let name = file.first().map(|told| told.file.clone()).unwrap_or_default();
        let counts = [file.len(), agree, differ, skipped].map(|count| count.to_string());
        rows.push(core::iter::once(name).chain(counts).collect());
    }
    rows
}
