//! Some of a kernel's answers, few enough to be kept.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use callproof_formats::recording::{Recording, endian_name, shift_name};
use callproof_formats::vectors::EvalVector;
use callproof_kernel_diff::guest::{EngineFound, Found, Recorded};
use callproof_vm::{Endian, Filter, Machine, SeccompData, ShiftByX};

/// Most bytes of a file.
const MOST_BYTES: usize = 60_000;

/// Most calls of a program, where they do not tell one machine from another.
const MOST_CASES: usize = 3;

/// Longer programs fill the file with little to learn from.
const LONGEST: usize = 64;

/// A file of vectors: who answered, then programs with their calls and results.
pub(super) fn text(found: &Found, engine: &EngineFound, seed: u64) -> String {
    let recording = Recording {
        release: found.facts.release.clone(),
        machine: found.facts.machine.clone(),
        engine: engine.engine.name().to_owned(),
        endian: endian_name(engine.model.endian).to_owned(),
        shift: shift_name(engine.model.shift).to_owned(),
        package: found.kernel.package.clone(),
        version: found.kernel.version.clone(),
        sha256: found.kernel.sha256.clone(),
        date: today(),
        seed,
    };
    let mut text = recording.to_line();
    text.push('\n');
    for recorded in &engine.recorded {
        if recorded.program.len() > LONGEST {
            continue;
        }
        let program = recorded.program.clone();
        let cases = telling(recorded, engine.model);
        let line = EvalVector { program, cases }.to_line();
        if text.len().saturating_add(line.len()) < MOST_BYTES {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The calls of a program that tell one machine from another, and a few with different results.
fn telling(recorded: &Recorded, model: Machine) -> Vec<(SeccompData, u32)> {
    let filter = Filter::load_on(model.kernel, &recorded.program[..]);
    let shifts = ShiftByX::ALL.map(|shift| Machine { shift, ..model });
    let endians = [Endian::Little, Endian::Big].map(|endian| Machine { endian, ..model });
    let decisive = |call: &SeccompData, value: u32| {
        let Ok(filter) = &filter else { return false };
        shifts.iter().any(|other| filter.run(call, *other) != value)
            || recorded.program.len() < 3 && endians.iter().any(|other| filter.run(call, *other) != value)
    };
    let mut seen = BTreeSet::new();
    let kept = recorded
        .cases
        .iter()
        .filter(|(call, value)| decisive(call, *value) || seen.len() < MOST_CASES && seen.insert(*value));
    kept.copied().collect()
}

/// The day in Greenwich, as `2026-11-26`.
fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    day(now.map_or(0, |now| now.as_secs() / 86_400))
}

/// A number of days since 1970 as a date of the Gregorian calendar.
fn day(mut days: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let months = [
        31,
        28 + u64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_783, "2026-11-26"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(day(days), date);
        }
    }
}
