//! `kernel diff --vm` for people.

use core::fmt::Write as _;

use super::super::style::{BAD, GOOD, NAME, OPEN, paint};
use super::diff::write_mismatch;
use super::table;
use crate::commands::guests::list::GuestList;
use crate::commands::guests::{Guests, Row};

/// `--vm list`
pub(super) fn list(list: &GuestList) -> String {
    let rows = list.guests.iter().map(|guest| {
        let kernel = match (&guest.install, &guest.kernel) {
            (Some(_), _) => format!("missing {}", guest.missing.join(", ")),
            (None, Some(kernel)) => kernel.clone(),
            (None, None) => format!("to be fetched from Debian {}", guest.suite),
        };
        vec![guest.name.to_owned(), kernel, guest.about.to_owned()]
    });
    let mut text = table::text(&["guest", "kernel", "what it is"], rows);
    for guest in &list.guests {
        if let Some(install) = &guest.install {
            let _ = writeln!(text, "{}: {install}", paint(NAME, guest.name));
        }
    }
    let fetched: Vec<_> = list.guests.iter().flat_map(|guest| &guest.fetched).collect();
    if !fetched.is_empty() {
        let rows = fetched.into_iter().map(|kernel| {
            let texts = [&kernel.name, &kernel.package, &kernel.version, &kernel.sha256];
            texts.map(ToString::to_string).to_vec()
        });
        text.push_str(&table::text(&["--vm", "package", "version", "SHA-256"], rows));
    }
    text
}

/// The matrix.
pub(super) fn text(guests: &Guests) -> String {
    let rows: Vec<_> = guests.rows.iter().map(cells).collect();
    let mut text = if rows.is_empty() {
        String::new()
    } else {
        table::text(&HEADINGS, rows)
    };
    for row in &guests.rows {
        for failure in &row.failures {
            let incomplete = paint(OPEN, "incomplete");
            let _ = writeln!(text, "{incomplete}: {} ({}): {failure}", row.guest, row.engine);
        }
        let differing = row.played.iter().flat_map(|played| &played.differing);
        for strange in row.strange.iter().chain(differing) {
            let _ = writeln!(
                text,
                "{}: {} ({}): {strange}",
                paint(BAD, "mismatch"),
                row.guest,
                row.engine
            );
        }
        row.mismatches.iter().for_each(|found| write_mismatch(&mut text, found));
    }
    write_unplayed(&mut text, &guests.rows);
    for missing in &guests.missing {
        let _ = writeln!(text, "{}: {}: {}", paint(OPEN, "not asked"), missing.guest, missing.why);
        if let Some(install) = &missing.install {
            let _ = writeln!(text, "  {install}");
        }
    }
    let verdict = match guests.rows.iter().map(Row::disagreements).sum::<usize>() {
        0 => paint(GOOD, "no mismatch"),
        1 => paint(BAD, "1 mismatch"),
        many => paint(BAD, format_args!("{many} mismatches")),
    };
    let evaluations: u64 = guests.rows.iter().map(|row| row.evaluations).sum();
    let _ = writeln!(
        text,
        "{verdict} in {evaluations} evaluations (seed {}, {:.1} s)",
        guests.seed, guests.seconds
    );
    text
}

pub(in crate::render) const HEADINGS: [&str; 11] = [
    "guest",
    "Linux",
    "machine",
    "engine",
    "model",
    "programs",
    "evaluations",
    "by shift/order",
    "chains",
    "scenarios",
    "mismatches",
];

/// Scenarios that were not played, and those that guest and model see otherwise than their file says: once for a guest
/// whose engines agree about them.
fn write_unplayed(text: &mut String, rows: &[Row]) {
    let mut before: Option<&Row> = None;
    for row in rows {
        let Some(played) = &row.played else { continue };
        let same = |earlier: &Row| {
            let other = earlier.played.as_ref();
            earlier.guest == row.guest
                && other.is_some_and(|other| other.skipped == played.skipped && other.alike == played.alike)
        };
        if before.is_some_and(same) {
            continue;
        }
        before = Some(row);
        let guest = paint(NAME, row.guest);
        for (why, names) in &played.skipped {
            let _ = writeln!(text, "{guest}: {} scenarios not played: {why}", names.len());
        }
        for alike in &played.alike {
            let _ = writeln!(text, "{guest}: guest and model differ from the scenario alike: {alike}");
        }
    }
}

/// How many scenarios were played, of how many.
fn scenarios(row: &Row) -> String {
    let played = row.played.as_ref();
    played.map_or_else(
        || "-".to_owned(),
        |played| format!("{}/{}", played.played(), played.known),
    )
}

/// A row of the matrix.
pub(in crate::render) fn cells(row: &Row) -> Vec<String> {
    vec![
        row.guest.to_owned(),
        row.kernel.clone(),
        format!("{} ({})", row.machine, row.accelerator),
        row.engine.to_owned(),
        format!("{}, {}", row.shift, row.endian),
        row.programs.to_string(),
        row.evaluations.to_string(),
        format!("{}/{}", row.decided_by_shift, row.decided_by_endian),
        row.chains.to_string(),
        scenarios(row),
        row.disagreements().to_string(),
    ]
}
