//! `cost` for people.

use core::fmt::Write as _;

use callproof::cost::{Bitmap, Laid, Load, Plan, Saving, WhyNot};

use callproof_kernel_diff::{Coefficient, Interval};

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::table;
use crate::commands::observed::unread;
use crate::commands::verify::cost::{Cost, Gate, Live, OfAbi, Outcome, SHOWN, TimedCall, Trace};
use crate::words::one_line;

/// How many filters of a chain are told apart in a row.
const SUMMANDS: usize = 6;

pub(super) fn text(cost: &Cost) -> String {
    let mut text = String::new();
    let shown = if cost.all { usize::MAX } else { SHOWN };
    write_lengths(&mut text, cost);
    for of_abi in &cost.abis {
        write_abi(&mut text, of_abi, cost, shown);
    }
    if !cost.abis.is_empty() {
        text.push_str(if cost.proved {
            "proved: no call costs less than LEAST or more than MOST; every call shown was replayed\n"
        } else {
            "no proof was accepted that no call costs less than LEAST or more than MOST; every call shown was replayed\n"
        });
    }
    if let Some(limit) = &cost.limit {
        let bound = cost.bound.map(|bound| format!("; no call costs more than {bound}"));
        let _ = writeln!(
            text,
            "{}: {limit}{}; raise it with `--limit`",
            paint(OPEN, "undecided"),
            bound.unwrap_or_default()
        );
    }
    if let Some(trace) = &cost.trace {
        write_trace(&mut text, trace, shown);
    }
    if let Some(live) = &cost.live {
        write_live(&mut text, live);
    }
    for gate in &cost.gates {
        write_gate(&mut text, gate);
    }
    text
}

fn write_lengths(text: &mut String, cost: &Cost) {
    for (name, length) in cost.filters.iter().zip(&cost.lengths) {
        let _ = writeln!(
            text,
            "{}: {} instructions, {} after the kernel's conversion",
            one_line(name),
            length.insns,
            length.converted
        );
    }
}

fn write_abi(text: &mut String, of_abi: &OfAbi, cost: &Cost, shown: usize) {
    let cached = of_abi.calls.iter().filter(|call| call.cached).count();
    let _ = writeln!(
        text,
        "{}: at most {} instructions, for {}; {cached} of {} calls are answered from the bitmap",
        paint(NAME, of_abi.abi),
        of_abi.worst.insns,
        of_abi.worst.call,
        of_abi.calls.len()
    );
    let several = cost.filters.len() > 1;
    let rows = of_abi.calls.iter().take(shown).map(|call| {
        let sum: Vec<String> = call.by_filter.iter().map(u64::to_string).collect();
        vec![
            call.name.to_owned(),
            call.nr.to_string(),
            call.least.to_string(),
            if several && call.by_filter.len() <= SUMMANDS {
                format!("{} = {}", call.insns, sum.join(" + "))
            } else {
                call.insns.to_string()
            },
            call.converted.to_string(),
            bitmap(&call.bitmap, several),
            call.call.clone(),
        ]
    });
    let headings = ["CALL", "NR", "LEAST", "MOST", "CONVERTED", "BITMAP", "MOST SHOWN BY"];
    text.push_str(&table::text(&headings, rows));
    let more = of_abi.calls.len().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more calls that cost no more than those");
    }
}

fn bitmap(bitmap: &Bitmap, several: bool) -> String {
    match bitmap {
        Bitmap::Answered => "yes".to_owned(),
        Bitmap::Bypassed => "passes every filter".to_owned(),
        Bitmap::Not(WhyNot {
            instruction: Some(instruction),
            filter,
            ..
        }) => {
            let plain = instruction.split(" ;").next().unwrap_or_default().trim_end();
            let filter = filter.filter(|_| several).map(|filter| format!("filter {filter}, "));
            format!("no: {}{plain}", filter.unwrap_or_default())
        }
        Bitmap::Not(why) => format!("no: {}", why.reason),
    }
}

fn write_trace(text: &mut String, trace: &Trace, shown: usize) {
    let found = &trace.weighed;
    let _ = writeln!(
        text,
        "{}: {} calls cost {} instructions on average, at most {}",
        paint(NAME, one_line(&trace.name)),
        found.calls,
        between(trace.mean),
        found.worst
    );
    let _ = writeln!(
        text,
        "  {:.1}% of the calls, with {:.1}% of the instructions, are answered without running a filter",
        percent(found.skipped, found.calls),
        percent(found.skipped_insns.most, found.insns.most)
    );
    let rows = found.by_call.iter().take(shown).map(|load| row(load, found.insns.most));
    let headings = ["CALL", "ABI", "COUNT", "EACH", "SHARE", "BITMAP"];
    text.push_str(&table::text(&headings, rows));
    let more = found.by_call.len().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more calls that cost no more than those");
    }
    for saving in &trace.savings {
        write_saving(text, saving, trace);
    }
    if found.unknown > 0 {
        let _ = writeln!(
            text,
            "  {} calls have no number here and were not weighed",
            found.unknown
        );
    }
    if let Some(unread) = unread(&found.unread) {
        let _ = writeln!(text, "  {unread}");
    }
}

fn row(load: &Load, all: u64) -> Vec<String> {
    let (least, most) = load.insns.mean(load.count);
    vec![
        load.call.clone(),
        load.abi.map_or_else(|| format!("{:#010x}", load.arch), str::to_owned),
        load.count.to_string(),
        between([least, most]),
        format!("{:.1}%", percent(load.insns.most, all)),
        if load.skipped { "yes" } else { "no" }.to_owned(),
    ]
}

fn write_saving(text: &mut String, saving: &Saving, trace: &Trace) {
    let plan = match saving.plan {
        Plan::Order => "numbers tested in the order of their frequency",
        Plan::Tree => "a balanced tree over the numbers",
    };
    let better = saving.filters.iter().filter(|laid| matches!(laid, Laid::Better { .. }));
    let (count, all) = (better.count(), saving.filters.len());
    let (least, most) = saving.insns.mean(trace.weighed.calls);
    let before = trace.weighed.insns.most;
    if count == 0 {
        let _ = write!(text, "  {plan}: saves nothing");
    } else {
        let _ = write!(
            text,
            "  {plan}: {} on average, {:.1}% saved, proved to be the same",
            between([least, most]),
            percent(before.saturating_sub(saving.insns.most), before)
        );
    }
    if all > 1 {
        let _ = write!(text, " ({count} of {all} filters)");
    }
    text.push('\n');
    for laid in &saving.filters {
        if let Laid::Not { why } = laid {
            let _ = writeln!(text, "    {}", paint(FAINT, format_args!("not laid out: {why}")));
        }
    }
}

fn write_live(text: &mut String, live: &Live) {
    let of = |(abi, took): &(&str, Interval)| format!("{} ns ({abi})", spread(took));
    let without: Vec<String> = live.unfiltered.iter().map(of).collect();
    let _ = writeln!(
        text,
        "{}, {} rounds: a call without filters takes {}; what the filters add, if they are run:",
        paint(NAME, format_args!("Linux {}", one_line(&live.kernel))),
        live.rounds,
        without.join(", ")
    );
    let row = |call: &TimedCall| {
        vec![
            call.name.to_owned(),
            call.abi.to_owned(),
            call.insns.to_string(),
            call.converted.to_string(),
            spread(&call.added),
            format!("{:.1}", call.predicted),
            if call.cached { "yes" } else { "no" }.to_owned(),
        ]
    };
    let headings = ["CALL", "ABI", "INSNS", "CONVERTED", "ADDED NS", "PREDICTED", "BITMAP"];
    text.push_str(&table::text(&headings, live.calls.iter().map(row)));
    let pace = &live.pace;
    let part = |part: &Coefficient, digits: usize| format!("{:.digits$} ± {:.digits$}", part.value, part.error);
    let _ = writeln!(
        text,
        "  predicted: {} + {} for each filter + {} for each converted instruction + {} for each taken jump",
        part(&pace.entry, 1),
        part(&pace.filter, 1),
        part(&pace.insn, 3),
        part(&pace.taken, 3)
    );
    for (abi, error) in &live.errors {
        let _ = writeln!(
            text,
            "  {abi}: predictions are off by {:.1} ns ({:.1}%) in the middle and {:.1} ns at most",
            error.median, error.percent, error.most
        );
    }
    for skipped in &live.skipped {
        let _ = writeln!(text, "  {}", paint(FAINT, format_args!("not measured: {skipped}")));
    }
}

/// A median with its interval.
fn spread(interval: &Interval) -> String {
    format!("{:.1} ({:.1} to {:.1})", interval.median, interval.low, interval.high)
}

fn write_gate(text: &mut String, gate: &Gate) {
    let word = match gate.outcome {
        Outcome::Passed => paint(GOOD, "passed"),
        Outcome::Failed => paint(BAD, "failed"),
        Outcome::Undecided => paint(OPEN, "undecided"),
    };
    let Gate {
        gate,
        of,
        most,
        message,
        ..
    } = gate;
    let _ = writeln!(text, "{word}: --{gate} {most}, {}: {message}", one_line(of));
}

fn between([least, most]: [f64; 2]) -> String {
    let (least, most) = (format!("{least:.1}"), format!("{most:.1}"));
    if least == most {
        most
    } else {
        format!("{least} to {most}")
    }
}

fn percent(part: u64, all: u64) -> f64 {
    // Counts of instructions stay far below 2^53.
    100.0 * part as f64 / all.max(1) as f64
}
