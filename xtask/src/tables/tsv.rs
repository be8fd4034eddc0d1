//! Text facts: `#` lines say where the facts are from, every other line is tab-separated fields.

use std::path::Path;

use super::{read_file, write_file};

/// The rows of a facts file. An absent file is an error that names it.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<String>>, String> {
    let text = read_file(path)?;
    let rows = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    Ok(rows.map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// Writes a facts file under a header of provenance lines.
pub(super) fn write(path: &Path, header: &[String], rows: &[Vec<String>]) -> Result<(), String> {
    let mut text = String::new();
    for line in header {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
    for row in rows {
        text.push_str(&row.join("\t"));
        text.push('\n');
    }
    write_file(path, &text)
}

/// Field `index` of a row, or an error that shows the row.
pub(super) fn field(row: &[String], index: usize) -> Result<&str, String> {
    row.get(index)
        .map(String::as_str)
        .ok_or_else(|| format!("too few fields in `{}`", row.join("\t")))
}
