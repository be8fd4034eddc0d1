//! `demo` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::{check, eval, table};
use crate::commands::demo::{Demo, Row};
use crate::commands::live::Live;

pub(super) fn text(demo: &Demo) -> String {
    let mut text = String::new();
    heading(&mut text, "Would the kernel install it?");
    text.push_str(&check::text(&demo.check));
    if !demo.decisions.is_empty() {
        heading(&mut text, "What does it decide? (instructions executed)");
        text.push_str(&decisions(demo));
    }
    if let Some(traced) = &demo.traced {
        heading(&mut text, "How does it come to that?");
        eval::write_decision(&mut text, &traced.call, &traced.decision);
    }
    heading(&mut text, "Does the running kernel agree?");
    text.push_str(&live(&demo.live));
    text
}

fn heading(text: &mut String, heading: &str) {
    let line = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{line}{}", paint(NAME, heading));
}

fn decisions(demo: &Demo) -> String {
    let headings: Vec<&str> = core::iter::once("CALL").chain(demo.arches.iter().copied()).collect();
    let cell = |row: &Row, arch: &str| {
        let decision = row.decisions.iter().find(|decision| decision.arch == arch);
        decision.map_or_else(
            || "no such call".to_owned(),
            |decision| format!("{} ({})", decision.verdict, decision.insns),
        )
    };
    let rows = demo.decisions.iter().map(|row| {
        let cells = demo.arches.iter().map(|arch| cell(row, arch));
        core::iter::once(row.call.clone()).chain(cells).collect()
    });
    table::text(&headings, rows)
}

fn live(live: &Live) -> String {
    match live {
        Live::Skipped { why } => format!("{}: {why}\n", paint(OPEN, "skipped")),
        Live::Compared {
            kernel,
            oracle,
            evaluations,
            mismatches,
        } if mismatches.is_empty() => format!(
            "{}: the same 32-bit value for all of {evaluations} calls (Linux {kernel}, asked through {oracle})\n",
            paint(GOOD, "yes"),
        ),
        Live::Compared {
            kernel,
            oracle,
            mismatches,
            ..
        } => {
            let mut text = format!("{} (Linux {kernel}, asked through {oracle}):\n", paint(BAD, "no"));
            for mismatch in mismatches {
                let _ = writeln!(text, "  {}", paint(FAINT, mismatch));
            }
            text
        }
    }
}
