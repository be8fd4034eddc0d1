//! `diff` for people.

use core::fmt::Write as _;

use super::super::changes::{completeness, summary};
use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::claims::{write_claim, write_live, write_stood};
use crate::commands::verify::changes::{Change, Direction};
use crate::commands::verify::differences::Differences;

pub(super) fn differences(differences: &Differences) -> String {
    let mut text = String::new();
    write_claim(&mut text, &differences.equal);
    if let Some(limit) = &differences.limit {
        let _ = writeln!(
            text,
            "  the list of all differences takes too much: {limit}; raise it with `--limit`"
        );
    }
    for of_abi in &differences.summary {
        let _ = writeln!(text, "{}: {}", paint(NAME, of_abi.name()), summary(of_abi));
        let changes = differences.changes.iter().filter(|change| change.abi == of_abi.abi);
        changes.for_each(|change| write_change(&mut text, change));
    }
    if let Some(of) = completeness(differences) {
        let style = if of.complete { GOOD } else { OPEN };
        let _ = writeln!(text, "{}: {}", paint(style, of.word), of.line);
    }
    write_stood(&mut text, &differences.compiled);
    text
}

fn write_change(text: &mut String, change: &Change) {
    let style = match change.change {
        Direction::Looser => BAD,
        Direction::Tighter => GOOD,
        Direction::Otherwise => OPEN,
    };
    let word = paint(style, change.change.name());
    let answers = format!("{} -> {}", change.left, change.right);
    let _ = writeln!(text, "  {word}, {}: {}", paint(NAME, answers), change.about());
    for (place, when) in change.when.iter().enumerate() {
        let word = if place == 0 { "when" } else { "or" };
        let _ = writeln!(text, "    {word} {when}");
    }
    if let Some(shown) = &change.witness {
        let answers = format!("{} -> {}", shown.left, shown.right);
        let _ = writeln!(
            text,
            "    {}",
            paint(FAINT, format_args!("{} gets {answers}", shown.call))
        );
        shown.live.iter().for_each(|live| write_live(text, live));
    }
}
