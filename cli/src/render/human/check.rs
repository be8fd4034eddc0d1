//! `check` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, GOOD, NAME, paint};
use crate::commands::check::{Check, Checked};

pub(super) fn text(check: &Check) -> String {
    let mut text = String::new();
    for filter in &check.filters {
        write_filter(&mut text, filter);
    }
    let budget = &check.budget;
    let _ = writeln!(
        text,
        "{}: {} of {} converted instructions used, {} left (Linux {})",
        paint(NAME, "thread"),
        budget.used,
        budget.limit,
        budget.left,
        check.kernel
    );
    text
}

fn write_filter(text: &mut String, filter: &Checked) {
    let verdict = match filter.errno {
        None => paint(GOOD, "accepted"),
        Some(errno) => format!("{} with {errno}", paint(BAD, "refused")),
    };
    let _ = writeln!(text, "{}: {verdict}", paint(NAME, &filter.source));
    let plural = if filter.instructions == 1 { "" } else { "s" };
    let _ = write!(text, "  {} instruction{plural}", filter.instructions);
    if let Some(converted) = filter.converted {
        let _ = write!(text, ", {converted} after conversion");
    }
    let _ = writeln!(text, ", read as {}", filter.format);
    for broken in &filter.violations {
        let _ = writeln!(text, "  {} [{}]", broken.sentence(), broken.rule);
    }
}
