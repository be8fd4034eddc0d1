//! `disasm` for people.

use core::fmt::Write as _;

use super::super::style::{FAINT, NAME, paint};
use crate::commands::disasm::{Disasm, Row};

pub(super) fn text(disasm: &Disasm) -> String {
    let mut text = String::new();
    let several = disasm.filters.len() > 1;
    for (filter, number) in disasm.filters.iter().zip(0_usize..) {
        if several {
            let _ = writeln!(
                text,
                "{}",
                paint(NAME, format_args!("; filter {number}: {}", filter.source))
            );
        }
        for row in &filter.instructions {
            write_row(&mut text, row);
        }
    }
    text
}

fn write_row(text: &mut String, row: &Row) {
    let _ = if row.note.is_empty() {
        writeln!(text, "{:04}: {}", row.pc, row.text)
    } else {
        let note = paint(FAINT, format_args!("; {}", row.note));
        writeln!(text, "{:04}: {:<31} {note}", row.pc, row.text)
    };
}
