//! `kernel diff` for people.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use super::super::style::{BAD, GOOD, NAME, OPEN, paint};
use crate::commands::diff::{Chains, Diff, Found};

pub(super) fn text(diff: &Diff) -> String {
    let verdict = match diff.mismatches.len() {
        0 => paint(GOOD, "no mismatch"),
        1 => paint(BAD, "1 mismatch"),
        many => paint(BAD, format_args!("{many} mismatches")),
    };
    let mut text = format!(
        "{verdict} in {} programs and {} evaluations on Linux {} (seed {}, {:.1} s)\n",
        diff.programs, diff.evaluations, diff.kernel, diff.seed, diff.seconds
    );
    let admissions = match &diff.admission_missing {
        None => format!("{} installed, {} refused", diff.admitted, diff.refused),
        Some(why) => format!("not compared: {why}"),
    };
    for (name, value) in [
        ("admissions", admissions),
        ("results", counts(&diff.by_action)),
        ("chains", chains(&diff.chains)),
        ("callers", counts(&diff.by_arch)),
        ("opcodes", format!("{} different", diff.opcodes)),
        ("skipped", counts(&diff.skipped)),
    ] {
        let _ = writeln!(text, "  {name:<10} {value}");
    }
    for failure in &diff.failures {
        let _ = writeln!(
            text,
            "{}: some programs could not be compared: {failure}",
            paint(OPEN, "incomplete")
        );
    }
    diff.mismatches
        .iter()
        .for_each(|found| write_mismatch(&mut text, found));
    text
}

fn chains(chains: &Chains) -> String {
    if let Some(why) = &chains.missing {
        return format!("not compared: {why}");
    }
    let Chains { compared, rooms, .. } = chains;
    format!(
        "{compared} with {}; the room that {rooms} need",
        counts(&chains.by_outcome)
    )
}

fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}

pub(super) fn write_mismatch(text: &mut String, found: &Found) {
    let _ = writeln!(text, "{}: {}", paint(BAD, "mismatch"), found.message);
    for (pc, instruction) in found.program.iter().enumerate() {
        let _ = writeln!(text, "  {pc:04}: {instruction}");
    }
    for (index, program) in found.chain.iter().enumerate() {
        let _ = writeln!(text, "  filter {index}{}", if index == 0 { ", the oldest" } else { "" });
        for (pc, instruction) in program.iter().enumerate() {
            let _ = writeln!(text, "    {pc:04}: {instruction}");
        }
    }
    if !found.vector.is_empty() {
        let _ = writeln!(text, "  written to {}", paint(NAME, found.file.display()));
    }
}
