//! `explain` for people.

use core::fmt::Write as _;

use super::super::style::{FAINT, NAME, OPEN, paint};
use super::claims::write_stood;
use crate::commands::verify::explain::Explain;
use crate::commands::verify::origin::{Entry, Origins};
use crate::commands::verify::surface::{Count, Group, Surface};
use crate::words::one_line;

pub(super) fn text(explain: &Explain) -> String {
    let mut text = String::new();
    if let Some(limit) = &explain.limit {
        let _ = writeln!(text, "{}: {limit}; raise it with `--limit`", paint(OPEN, "undecided"));
    }
    for surface in &explain.surfaces {
        write_surface(&mut text, surface);
    }
    if let Some(origins) = &explain.origins {
        write_origins(&mut text, origins);
    }
    write_stood(&mut text, &explain.compiled);
    text
}

fn name(abi: Option<&'static str>) -> &'static str {
    abi.unwrap_or("every other architecture")
}

fn write_surface(text: &mut String, surface: &Surface) {
    let default = match surface.default.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        many => format!("one of {}, by arguments", many.join(", ")),
    };
    let _ = writeln!(
        text,
        "{}: default {}",
        paint(NAME, name(surface.abi)),
        paint(NAME, default)
    );
    if surface.calls.all > 0 {
        let of = surface.abi.map(|abi| format!(" of {abi}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  reachable: {}",
            reachable(&surface.calls, &format!("calls{of}"))
        );
    }
    if surface.numbers.reachable > 0 || surface.calls.all == 0 {
        let what = if surface.calls.all > 0 {
            "numbers without a call"
        } else {
            "numbers"
        };
        let _ = writeln!(text, "  reachable: {}", reachable(&surface.numbers, what));
    } else {
        let _ = writeln!(text, "  reachable: no number without a call");
    }
    let mut verdict = "";
    for group in &surface.groups {
        if group.verdict != verdict {
            let _ = writeln!(text, "  {}", paint(NAME, &group.verdict));
            verdict = &group.verdict;
        }
        write_group(text, group, surface.calls.all > 0);
    }
}

fn reachable(count: &Count, what: &str) -> String {
    if count.reachable == 0 {
        return format!("none of {} {what}", count.all);
    }
    format!(
        "{} of {} {what} ({} freely, {} with conditions)",
        count.reachable, count.all, count.freely, count.conditional
    )
}

fn write_group(text: &mut String, group: &Group, named: bool) {
    let calls = if group.rest {
        let among = match group.count {
            _ if !named => String::new(),
            1 => " (1 call among them)".to_owned(),
            count => format!(" ({count} calls among them)"),
        };
        format!("every other number{among}")
    } else {
        group.calls.join(", ")
    };
    let count = match group.count {
        _ if group.rest || !named => String::new(),
        0 => String::new(),
        1 => "1 call, ".to_owned(),
        count => format!("{count} calls, "),
    };
    let when = match group.when.as_slice() {
        [] => "always".to_owned(),
        [one] => format!("when {one}"),
        many => format!("when {}", many.join("\n      or ")),
    };
    let _ = writeln!(text, "    {count}{}: {calls}", paint(FAINT, when));
}

fn write_origins(text: &mut String, origins: &Origins) {
    let _ = writeln!(text, "{}", paint(NAME, "origin"));
    let departures = if origins.departures.is_empty() {
        "no departure from the plain reading"
    } else {
        "departures from the plain reading"
    };
    let _ = writeln!(text, "  {departures}");
    for departure in &origins.departures {
        let _ = writeln!(text, "    {}", one_line(departure));
    }
    if let Some(missing) = &origins.missing {
        let _ = writeln!(text, "  {}: {missing}", paint(OPEN, "not told for each answer"));
    }
    if let Some(limit) = &origins.limit {
        let _ = writeln!(text, "  {}: {limit}; raise it with `--limit`", paint(OPEN, "undecided"));
    }
    for section in &origins.sections {
        let _ = writeln!(text, "  {}", paint(NAME, name(section.abi)));
        section.entries.iter().for_each(|entry| write_entry(text, entry));
    }
}

fn write_entry(text: &mut String, entry: &Entry) {
    let mut calls = Vec::new();
    if !entry.always.is_empty() {
        calls.push(entry.always.join(", "));
    }
    if !entry.sometimes.is_empty() {
        calls.push(format!("by arguments {}", entry.sometimes.join(", ")));
    }
    if entry.rest {
        calls.push("every other number".to_owned());
    }
    let _ = writeln!(
        text,
        "    {}: {} to {}",
        entry.place,
        paint(NAME, &entry.verdict),
        calls.join("; ")
    );
}
