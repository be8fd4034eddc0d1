//! `fuzz` for people.

use core::fmt::Write as _;

use callproof::fuzz::Totals;

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use crate::commands::fuzz::{Again, Campaign, Fuzzed, Told};
use crate::words::harmless;

/// Lines of a policy, or of what a compiler said, that are shown.
const SHOWN: usize = 30;
/// Letters of a line that are shown.
const WIDTH: usize = 400;

pub(super) fn text(fuzzed: &Fuzzed) -> String {
    match fuzzed {
        Fuzzed::Campaign(campaign) => of_campaign(campaign),
        Fuzzed::Again(again) => of_again(again),
    }
}

fn of_campaign(campaign: &Campaign) -> String {
    let verdict = match (campaign.count(), campaign.now.proved) {
        (0, 0) => paint(OPEN, "nothing is settled"),
        (0, _) => paint(GOOD, "nothing found"),
        (1, _) => paint(BAD, "1 finding"),
        (many, _) => paint(BAD, format_args!("{many} findings")),
    };
    let tried = campaign.now.all();
    let policies = if tried == 1 { "policy" } else { "policies" };
    let mut text = format!(
        "{verdict} in {tried} {policies} of seed {} for {}\n",
        campaign.seed,
        paint(NAME, harmless(&campaign.compiler))
    );
    write_totals(&mut text, &campaign.now);
    let rate = f64::from(u32::try_from(tried).unwrap_or(u32::MAX)) / campaign.seconds.max(0.001);
    let _ = writeln!(
        text,
        "  {:<11} {:.1} s, {rate:.1} policies a second",
        "time", campaign.seconds
    );
    if campaign.all != campaign.now {
        let _ = writeln!(text, "  {:<11} {} policies", "altogether", campaign.all.all());
    }
    for (what, why) in [
        ("undecided", &campaign.undecided),
        ("not offered", &campaign.unoffered),
        ("refused", &campaign.declined),
    ] {
        if let Some(why) = why {
            let why = if why.is_empty() { "without a word" } else { why };
            let _ = writeln!(text, "the first that was {what}:");
            block(&mut text, why, "  ");
        }
    }
    for folder in &campaign.earlier {
        let _ = writeln!(text, "found earlier: {}", paint(NAME, folder.display()));
    }
    campaign.findings.iter().for_each(|told| finding(&mut text, told));
    if campaign.repeats > 0 {
        let _ = writeln!(
            text,
            "{} more policies come to a finding that is known",
            campaign.repeats
        );
    }
    text
}

fn write_totals(text: &mut String, totals: &Totals) {
    for (name, count, means) in [
        ("proved", totals.proved, "the filter is the policy, for every call"),
        ("wrong", totals.wrong, "see below"),
        ("undecided", totals.undecided, "a limit was reached"),
        ("refused", totals.declined, "the compiler ends with an error"),
        ("not offered", totals.unoffered, "the format cannot say it"),
    ] {
        if count > 0 || name == "proved" {
            let _ = writeln!(text, "  {name:<11} {count:<6} {}", paint(FAINT, means));
        }
    }
}

fn finding(text: &mut String, told: &Told) {
    let found = &told.finding;
    let mut lines = found.lines.iter();
    let message = lines.next().map(|line| harmless(line)).unwrap_or_default();
    let _ = writeln!(text, "{}: {message}", paint(BAD, found.kind));
    let _ = writeln!(text, "  the policy, {} of {} rules:", found.rules, found.rules_before);
    block(text, &found.policy, "    ");
    for line in lines {
        let _ = writeln!(text, "{}", harmless(line));
    }
    let _ = writeln!(text, "  written to {}", paint(NAME, found.folder.display()));
    let _ = writeln!(text, "  again: {}", told.replay);
}

/// The first lines of a text, and of long lines the beginning.
fn block(text: &mut String, shown: &str, indent: &str) {
    for line in shown.lines().take(SHOWN) {
        let begins: String = line.chars().take(WIDTH).collect();
        let more = if begins.len() < line.len() { "..." } else { "" };
        let _ = writeln!(text, "{indent}{}{more}", harmless(&begins));
    }
    match shown.lines().count().saturating_sub(SHOWN) {
        0 => {}
        more => drop(writeln!(text, "{indent}and {more} more lines")),
    }
}

fn of_again(again: &Again) -> String {
    let was = again.was.name();
    let verdict = match again.is {
        "proved" => paint(GOOD, "gone: the filter is the policy, for every call"),
        "declined" => paint(GOOD, "gone: the compiler refuses the policy"),
        "undecided" | "unoffered" => paint(OPEN, again.is),
        is if is == was => paint(BAD, format_args!("still there: {is}")),
        is => paint(BAD, format_args!("another fault: {is}, and it was {was}")),
    };
    let folder = paint(NAME, again.folder.display());
    let mut text = format!("{verdict}\n  {folder} with {}\n", harmless(&again.compiler));
    block(&mut text, &again.policy, "    ");
    for line in &again.lines {
        let _ = writeln!(text, "  {}", harmless(line));
    }
    if !again.stderr.is_empty() {
        text.push_str("  the compiler said:\n");
        block(&mut text, &again.stderr, "    ");
    }
    text
}
