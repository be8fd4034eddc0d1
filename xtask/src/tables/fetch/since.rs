//! `since.tsv`: the release that introduced each call, from the table of syscalls(2).

use std::collections::BTreeMap;
use std::path::Path;

use super::super::{read_file, tsv};

/// Reads the unpacked page (troff) and writes name and release.
pub(super) fn fetch(page: &Path, date: &str, data: &Path) -> Result<(), String> {
    let text = read_file(page)?;
    let edition = text
        .lines()
        .find_map(|line| line.strip_prefix(".TH syscalls 2 "))
        .unwrap_or_default();
    let start = text
        .find("\nSystem call\tKernel")
        .ok_or("no table in the page of syscalls(2)")?;
    let table = text.get(start..).unwrap_or_default();
    let mut releases: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in table.lines().take_while(|line| !line.starts_with(".TE")) {
        let (first, rest) = line.split_once('\t').unwrap_or((line, ""));
        if let Some(found) = call_name(first) {
            name = found;
        }
        if let Some(release) = rest.split('\t').next().and_then(release) {
            releases.entry(core::mem::take(&mut name)).or_insert(release);
        }
    }
    releases.remove("");
    let header = [
        format!("source: syscalls(2), {edition} (Debian package manpages-dev), extracted {date}"),
        "the release that first had the call on any architecture; 2.6 stands for the whole series".to_owned(),
        "name release".to_owned(),
    ];
    let rows: Vec<Vec<String>> = releases
        .into_iter()
        .map(|(name, release)| vec![name, release])
        .collect();
    tsv::write(&data.join("since.tsv"), &header, &rows)
}

/// The name in `\f[B]accept4\f[](2)` or `.BR accept (2)`.
fn call_name(cell: &str) -> Option<String> {
    let name = match cell.strip_prefix(".BR ") {
        Some(rest) => rest.strip_suffix("(2)")?.trim(),
        None => cell.strip_prefix("\\f[B]")?.strip_suffix("\\f[](2)")?,
    };
    Some(name.to_owned())
}

/// `2.6` from `2.6.28`; development series stand for the release they led to.
fn release(cell: &str) -> Option<String> {
    let mut numbers = cell.split(['.', ' ', ';', ',', '/']).map(str::parse::<u8>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    let minor = if major <= 2 && minor % 2 == 1 { minor + 1 } else { minor };
    Some(format!("{major}.{minor}"))
}
