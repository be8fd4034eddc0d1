//! `lint` for people.

use core::fmt::Write as _;

use callproof::lint::Severity;

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::claims::write_live;
use crate::commands::lint::{Lints, Told};

pub(super) fn text(lints: &Lints) -> String {
    let mut text = String::new();
    for rule in &lints.rules {
        let _ = writeln!(text, "{:18} {:8} {}", rule.id, rule.severity.name(), rule.summary);
    }
    if !lints.rules.is_empty() {
        return text;
    }
    for of_rule in lints.findings.chunk_by(|a, b| a.finding.rule == b.finding.rule) {
        of_rule.iter().for_each(|told| write_finding(&mut text, told));
        if let Some(told) = of_rule.first() {
            let page = paint(FAINT, &told.page);
            let _ = writeln!(text, "  why  {}\n  fix  {}\n  see  {page}", told.why, told.fix);
        }
    }
    for skipped in &lints.undecided {
        let _ = writeln!(
            text,
            "{}: {}: {}",
            paint(OPEN, "undecided"),
            skipped.rule,
            skipped.reason
        );
    }
    for one in &lints.suppressed {
        let line = format!("suppressed: {}: {}: {}", one.rule, one.subject, one.reason);
        let _ = writeln!(text, "{}", paint(FAINT, line));
    }
    let count = |severity: Severity| {
        let count = lints
            .findings
            .iter()
            .filter(|told| told.finding.severity == severity)
            .count();
        let plural = if count == 1 || severity == Severity::Info {
            ""
        } else {
            "s"
        };
        format!("{count} {}{plural}", severity.name())
    };
    let _ = writeln!(
        text,
        "{}: {}, {}, {}",
        lints.filters.join(", "),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Info)
    );
    text
}

fn write_finding(text: &mut String, told: &Told) {
    let finding = &told.finding;
    let style = match finding.severity {
        Severity::Error => BAD,
        Severity::Warning => OPEN,
        Severity::Info => GOOD,
    };
    let word = paint(style, finding.severity.name());
    let place = finding.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!("{}:{}: ", place.file, place.line));
    let _ = writeln!(
        text,
        "{word}: {}: {place}{}",
        paint(NAME, finding.rule),
        finding.message
    );
    for (at, witness) in finding.witnesses.iter().enumerate() {
        let _ = writeln!(text, "    {} gets {}", witness.call, witness.verdict);
        if let Some(live) = told.live.get(at) {
            write_live(text, live);
        }
    }
    if finding.proved {
        let _ = writeln!(text, "    proved: the checker accepted a proof");
    }
}
