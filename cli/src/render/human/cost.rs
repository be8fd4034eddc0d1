//! `cost` for people.

use core::fmt::Write as _;

use super::super::style::{NAME, OPEN, paint};
use super::table;
use crate::commands::verify::cost::{Cost, OfAbi};

/// How many calls are shown of each ABI; the JSON answer has all.
const SHOWN: usize = 10;

pub(super) fn text(cost: &Cost) -> String {
    let mut text = String::new();
    for of_abi in &cost.abis {
        write_abi(&mut text, of_abi);
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
    text
}

fn write_abi(text: &mut String, of_abi: &OfAbi) {
    let cached = of_abi.calls.iter().filter(|call| call.cached).count();
    let _ = writeln!(
        text,
        "{}: at most {} instructions, for {}; {cached} of {} calls are answered from the bitmap",
        paint(NAME, of_abi.abi),
        of_abi.worst.insns,
        of_abi.worst.call,
        of_abi.calls.len()
    );
    let rows = of_abi.calls.iter().take(SHOWN).map(|call| {
        vec![
            call.name.to_owned(),
            call.nr.to_string(),
            call.insns.to_string(),
            if call.cached { "yes" } else { "no" }.to_owned(),
            call.call.clone(),
        ]
    });
    text.push_str(&table::text(&["CALL", "NR", "WORST", "CACHED", "SHOWN BY"], rows));
    let more = of_abi.calls.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more calls that cost no more than those");
    }
}
