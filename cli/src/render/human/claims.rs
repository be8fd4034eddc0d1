//! `prove`, `equiv`, `subset` and `check-proof` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, FAINT, GOOD, NAME, OPEN, paint};
use super::eval::path;
use crate::commands::verify::check_proof::Checked;
use crate::commands::verify::claims::{Claimed, Claims, Missing, Stood, Word};
use crate::commands::verify::live::Live;
use crate::commands::verify::witness::Witness;

pub(super) fn text(claims: &Claims) -> String {
    let mut text = String::new();
    for claim in &claims.claims {
        write_claim(&mut text, claim);
    }
    write_stood(&mut text, &claims.compiled);
    text
}

/// The policies that were compared as filters.
pub(super) fn write_stood(text: &mut String, compiled: &[Stood]) {
    for stood in compiled {
        let line = match stood.filters {
            1 => format!(
                "{} stands for the filter that was compiled of it and proved equal to it",
                stood.policy
            ),
            many => format!(
                "{} stands for the {many} filters that were compiled of it, each proved equal to its policy",
                stood.policy
            ),
        };
        let _ = writeln!(text, "{}", paint(FAINT, line));
    }
}

pub(super) fn write_claim(text: &mut String, claim: &Claimed) {
    let word = match claim.answer {
        Word::Holds if claim.proved => paint(GOOD, "proved"),
        Word::Holds => paint(GOOD, "holds"),
        Word::Fails => paint(BAD, "fails"),
        Word::Skipped => paint(OPEN, "skipped"),
        Word::Undecided => paint(OPEN, "undecided"),
    };
    let _ = writeln!(text, "{word}: {}", paint(NAME, &claim.claim));
    let _ = writeln!(text, "  {}", paint(FAINT, &claim.reason));
    for witness in &claim.witnesses {
        write_witness(text, witness);
    }
    write_missing(text, "no such call", &claim.absent);
    write_missing(text, "compared with nothing", &claim.unmatched);
}

fn write_witness(text: &mut String, witness: &Witness) {
    let _ = writeln!(text, "  {}", paint(NAME, &witness.call));
    let cost = match witness.insns {
        0 => String::new(),
        1 => ", after 1 instruction".to_owned(),
        insns => format!(", after {insns} instructions"),
    };
    let _ = writeln!(
        text,
        "    gets {} ({:#010x}) from {}{cost}",
        witness.verdict, witness.value, witness.of
    );
    if let Some(live) = &witness.live {
        write_live(text, live);
    }
    for constant in &witness.constants {
        let _ = writeln!(text, "    {constant}");
    }
    if let Some(decision) = &witness.decision {
        let _ = writeln!(text, "    path {}", path(&decision.path));
        if let Some(bypass) = &decision.bypass {
            let _ = writeln!(text, "    {}", bypass.message);
        }
    }
}

/// What the running kernel says of a call.
pub(super) fn write_live(text: &mut String, live: &Live) {
    let says = match live {
        Live::Asked {
            kernel, agrees: true, ..
        } => paint(GOOD, format_args!("Linux {kernel} says the same")),
        Live::Asked { kernel, values, .. } => {
            let values: Vec<String> = values.iter().map(|value| format!("{value:#010x}")).collect();
            let says = format!("Linux {kernel} says otherwise: {}", values.join(", "));
            paint(BAD, says)
        }
        Live::Skipped { why } => paint(OPEN, format_args!("the running kernel was not asked: {why}")),
    };
    let _ = writeln!(text, "    {says}");
}

/// Calls by ABI, a few of each.
fn write_missing(text: &mut String, what: &str, missing: &[Missing]) {
    const SHOWN: usize = 8;
    for of_abi in missing.chunk_by(|a, b| a.abi == b.abi) {
        let Some(first) = of_abi.first() else { continue };
        let mut calls: Vec<&str> = of_abi.iter().take(SHOWN).map(|one| one.call.as_str()).collect();
        let more = format!("and {} more", of_abi.len().saturating_sub(SHOWN));
        if of_abi.len() > SHOWN {
            calls.push(&more);
        }
        let _ = writeln!(text, "  {what} on {}: {}", first.abi, calls.join(", "));
    }
}

pub(super) fn checked(checked: &Checked) -> String {
    let word = if checked.accepted {
        paint(GOOD, "accepted")
    } else {
        paint(BAD, "not accepted")
    };
    let mut text = format!("{}: {word}\n  {}\n", paint(NAME, &checked.file), checked.claim);
    if let Some(reason) = &checked.reason {
        let _ = writeln!(text, "  {reason}");
    }
    text
}
