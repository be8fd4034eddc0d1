//! Tables without borders.

use comfy_table::{ContentArrangement, Table, presets};

/// Rows under bold headings, indented by two, as wide as they need to be: scripts cut lines, terminals wrap them.
pub(super) fn text(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    table.set_header(headings.iter().copied());
    table.add_rows(rows);
    let lines = table.lines().map(|line| format!(" {}\n", line.trim_end()));
    lines.collect()
}
