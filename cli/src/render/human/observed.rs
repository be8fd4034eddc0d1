//! `why` and `replay` for people.

use core::fmt::Write as _;

use callproof::observed::{Answer as Said, Group, OfCall, Unused, Way};

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::table;
use crate::commands::observed::{Explained, Replay, unread};
use crate::words::{harmless, one_line};

/// Rows of a table; the JSON answer has all.
const SHOWN: usize = 10;

pub(super) fn why(why: &Explained) -> String {
    let mut text = String::new();
    for group in &why.found.groups {
        write_group(&mut text, group, true);
    }
    let found = &why.found;
    let _ = writeln!(
        text,
        "{}: {} denied, {} open, {} permitted",
        calls(found.calls),
        found.denied(),
        found.open(),
        found
            .calls
            .saturating_sub(found.denied())
            .saturating_sub(found.open())
            .saturating_sub(found.more)
    );
    write_rest(&mut text, found.more, unread(&found.unread));
    text
}

pub(super) fn replay(replay: &Replay) -> String {
    let found = &replay.found;
    let mut text = String::new();
    for group in &found.denied {
        write_group(&mut text, group, false);
    }
    for group in &found.open {
        write_group(&mut text, group, false);
    }
    let _ = writeln!(
        text,
        "{}: {} denied, {} open, {} permitted",
        calls(found.calls),
        found.count_denied(),
        found.count_open(),
        found.permitted
    );
    write_rest(&mut text, found.more, unread(&found.unread));
    if found.measured > 0 {
        let _ = writeln!(
            text,
            "{} of them cost {:.1} instructions on average, at most {}",
            found.measured,
            found.mean(),
            found.worst
        );
        text.push_str(&costs(&found.by_call, found.insns));
    }
    match &replay.unused_rules {
        // Whoever wrote a policy did not write the instructions.
        Some(rules) if rules.is_empty() => text.push_str("every rule was used\n"),
        Some(rules) => {
            let _ = writeln!(text, "rules never used by these calls:");
            for rule in rules {
                let _ = writeln!(text, "  {}", one_line(rule));
            }
        }
        None => write_unused(&mut text, &found.unused, replay.filters.len()),
    }
    text
}

fn calls(count: u64) -> String {
    if count == 1 {
        "1 call".to_owned()
    } else {
        format!("{count} calls")
    }
}

fn write_rest(text: &mut String, more: u64, unread: Option<String>) {
    if more > 0 {
        let _ = writeln!(
            text,
            "{}: {more} calls are in too many different groups to be told",
            paint(OPEN, "open")
        );
    }
    if let Some(unread) = unread {
        let _ = writeln!(text, "{}: {unread}", paint(OPEN, "skipped"));
    }
}

fn write_group(text: &mut String, group: &Group, with_path: bool) {
    let times = if group.count == 1 {
        String::new()
    } else {
        format!(", {} times", group.count)
    };
    let answer = match &group.answer {
        Said::Permitted(verdict) => paint(GOOD, verdict),
        Said::Denied(verdict) => paint(BAD, verdict),
        Said::Depends(verdicts) => paint(
            OPEN,
            format_args!("{}, by what the log does not tell", verdicts.join(" or ")),
        ),
        Said::Undecided(limit) => paint(OPEN, format_args!("undecided: {limit}")),
    };
    let _ = writeln!(
        text,
        "{}: {answer} {}",
        paint(NAME, one_line(&group.example)),
        paint(FAINT, format_args!("(line {}{times})", group.line))
    );
    let details = [
        ("the log says: ", &group.said),
        ("decided by ", &group.rule),
        ("but: ", &group.contradiction),
        ("then: ", &group.next),
    ];
    for (label, detail) in details {
        if let Some(detail) = detail {
            let _ = writeln!(text, "  {label}{}", one_line(detail));
        }
    }
    let alone = group.shown.len() == 1;
    for exhibit in &group.shown {
        if with_path && alone {
            for line in exhibit.lines() {
                let _ = writeln!(text, "  {}", harmless(&line));
            }
        } else if !alone {
            let _ = writeln!(text, "  {}: {}", exhibit.verdict, exhibit.call);
        }
    }
}

fn costs(by_call: &[OfCall], insns: u64) -> String {
    let rows = by_call.iter().take(SHOWN).map(|call| {
        let share = 100.0 * call.insns as f64 / insns.max(1) as f64;
        vec![
            one_line(&call.call),
            call.abi.unwrap_or("unknown").to_owned(),
            call.count.to_string(),
            format!("{:.1}", call.mean()),
            call.worst.to_string(),
            format!("{share:.1}%"),
        ]
    });
    let mut text = table::text(&["CALL", "ABI", "COUNT", "MEAN", "WORST", "SHARE"], rows);
    let more = by_call.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more calls");
    }
    text
}

fn write_unused(text: &mut String, unused: &[Unused], filters: usize) {
    if unused.is_empty() {
        let _ = writeln!(text, "every test went both ways, and every return was used");
        return;
    }
    let _ = writeln!(text, "never used by these calls:");
    let mut unreached = 0_usize;
    for one in unused {
        let way = match one.way {
            Way::Return => "this return",
            Way::True => "the jump when it is met",
            Way::False => "the jump when it is not met",
            // Whatever leads there is told already.
            Way::Test => {
                unreached = unreached.saturating_add(1);
                continue;
            }
        };
        let filter = if filters > 1 {
            format!("filter {} ", one.filter)
        } else {
            String::new()
        };
        let _ = writeln!(text, "  {filter}{}  {}", one.instruction, paint(FAINT, way));
    }
    if unreached > 0 {
        let _ = writeln!(text, "  and {unreached} tests that lie behind those jumps");
    }
}
