//! `kernel vectors check` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, GOOD, NAME, paint};
use crate::commands::vectors::{Replayed, Vectors};

/// Mismatches that are shown for each file; `--format json` has them all.
const SHOWN: usize = 10;

pub(super) fn text(vectors: &Vectors) -> String {
    let mut text = String::new();
    for file in &vectors.files {
        write_file(&mut text, file);
    }
    text
}

fn write_file(text: &mut String, file: &Replayed) {
    let verdict = match file.mismatches.len() {
        0 => paint(GOOD, "no mismatch"),
        1 => paint(BAD, "1 mismatch"),
        many => paint(BAD, format_args!("{many} mismatches")),
    };
    let counts = [
        ("programs", file.programs),
        ("results", file.evaluations),
        ("admissions", file.admissions),
        ("outcomes of chains", file.outcomes),
        ("scenarios", file.scenarios),
    ];
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<_> = counts.map(|(what, count)| format!("{count} {what}")).collect();
    let _ = writeln!(text, "{}: {verdict} in {}", paint(NAME, &file.file), counts.join(", "));
    for mismatch in file.mismatches.iter().take(SHOWN) {
        let _ = writeln!(text, "  line {}: {}", mismatch.line, mismatch.sentence());
    }
    if let Some(more) = file.mismatches.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
}
