//! Products: files, or text and bytes on standard output.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};

use callproof::cases::Coverage;

use crate::commands::cases::Tests;
use crate::commands::diff::Found;
use crate::commands::guests::Guests;
use crate::commands::written::{Target, Written};
use crate::error::{Failure, Result};

/// Writes the files, if files were asked for.
pub(super) fn to_files(written: &Written) -> Result<()> {
    match &written.target {
        Target::Stdout => Ok(()),
        Target::File(path) => {
            let bytes: Vec<u8> = written
                .products
                .iter()
                .flat_map(|product| product.bytes.iter().copied())
                .collect();
            fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error))
        }
        Target::Folder(folder) => {
            fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
            written.products.iter().try_for_each(|product| {
                let path = folder.join(&product.name);
                fs::write(&path, &product.bytes).map_err(|error| Failure::io("write", &path, &error))
            })
        }
    }
}

/// Writes the vectors of a campaign's mismatches.
pub(super) fn mismatches(mismatches: &[Found]) -> Result<()> {
    let mut written = mismatches.iter().filter(|found| !found.vector.is_empty());
    written.try_for_each(|found| {
        fs::write(&found.file, &found.vector).map_err(|error| Failure::io("write", &found.file, &error))
    })
}

/// Writes what cases exercise, if a file was named for it.
pub(super) fn coverage(tests: &Tests) -> Result<()> {
    let Some((path, all)) = tests.coverage_out.as_ref().zip(tests.coverage.as_ref()) else {
        return Ok(());
    };
    let text = if path.extension().is_some_and(|ending| ending == "info") {
        all.iter().map(Coverage::lcov).collect()
    } else {
        // Plain data; writing it to memory does not fail.
        let mut text = serde_json::to_string_pretty(all).unwrap_or_default();
        text.push('\n');
        text
    };
    fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
}

/// Writes what guests answered.
pub(super) fn guests(guests: &Guests) -> Result<()> {
    let rows = guests.rows.iter();
    rows.clone().try_for_each(|row| mismatches(&row.mismatches))?;
    for (path, text) in rows.filter_map(|row| row.recorded.as_ref()) {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        }
        fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
    }
    Ok(())
}

/// Prints the products themselves, one after the other.
pub(super) fn to_stdout(written: &Written) -> Result<()> {
    let binary = written.products.iter().any(|product| !product.is_text);
    if binary && io::stdout().is_terminal() {
        return Err(
            Failure::usage("bytes that are not text would upset the terminal").with_help(
                "name a file with `--output`, send the output into a pipe, or choose a text format with `--to`",
            ),
        );
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut write = || {
        for product in &written.products {
            if let Some(heading) = &product.heading {
                writeln!(out, "{heading}")?;
            }
            out.write_all(&product.bytes)?;
        }
        out.flush()
    };
    write().map_err(|error: io::Error| Failure::write(&error))
}
