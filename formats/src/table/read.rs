//! Tables back to programs, from the numeric columns.

use callproof_vm::Insn;
use winnow::Parser as _;
use winnow::ascii::{digit1, hex_digit1, space0, space1};
use winnow::combinator::preceded;
use winnow::error::ErrMode;

use crate::error::{Fault, Parsed, Problem};
use crate::load::push;
use crate::text::shown;
use crate::{Format, Program};

/// Reads tables; each one begins with a row 0000.
pub(crate) fn read_all(text: &str, format: Format) -> Parsed<Vec<Program>> {
    let mut programs: Vec<Program> = Vec::new();
    let mut start = 0_usize;
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        let here = start;
        start = start.saturating_add(line.len());
        let line = line.trim_end();
        if is_decoration(line) {
            continue;
        }
        let row = Row { line, start: here };
        let (index, insn) = row.read()?;
        if index == 0 {
            let program = Program::new(Vec::new(), format);
            programs.push(Program {
                line: number,
                ..program
            });
        }
        let last = programs.last_mut().ok_or_else(|| row.order(0, index))?;
        if index != last.insns.len() {
            return Err(row.order(last.insns.len(), index));
        }
        push(&mut last.insns, insn, row.span())?;
    }
    if programs.is_empty() {
        programs.push(Program::new(Vec::new(), format));
    }
    Ok(programs)
}

/// Blank lines, the header, the line under it, and comments.
fn is_decoration(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with("line") || line.starts_with(['=', '#', '-'])
}

struct Row<'s> {
    line: &'s str,
    start: usize,
}

/// The columns after the row's number: name and largest value.
const COLUMNS: [(&str, u64); 4] = [
    ("code", u16::MAX as u64),
    ("jt", u8::MAX as u64),
    ("jf", u8::MAX as u64),
    ("k", u32::MAX as u64),
];

impl Row<'_> {
    fn read(&self) -> Parsed<(usize, Insn)> {
        let mut rest = self.line;
        let number: Result<&str, ErrMode<()>> =
            (space0, digit1, ':').map(|(_, digits, _)| digits).parse_next(&mut rest);
        let Ok(number) = number else {
            return Err(self.unexpected(rest, "a row such as ` 0000: 0x20 0x00 0x00 0x00000004`"));
        };
        let index = number.parse().map_err(|_| self.order(0, usize::MAX))?;
        let mut fields = [0; 4];
        for ((name, max), slot) in COLUMNS.into_iter().zip(&mut fields) {
            *slot = self.column(&mut rest, name, max)?;
        }
        if rest.starts_with(|c: char| !c.is_whitespace()) {
            return Err(self.unexpected(rest, "white space after the last number"));
        }
        Ok((index, insn(fields)))
    }

    fn column(&self, rest: &mut &str, field: &'static str, max: u64) -> Parsed<u64> {
        let before = *rest;
        let digits: Result<&str, ErrMode<()>> = preceded((space1, "0x"), hex_digit1).parse_next(rest);
        let Ok(digits) = digits else {
            return Err(self.unexpected(before, "a hexadecimal number such as `0x20`"));
        };
        let value = u64::from_str_radix(digits, 16).ok().filter(|value| *value <= max);
        value.ok_or_else(|| {
            let end = self.offset(rest);
            let text = format!("0x{}", shown(digits));
            let span = end.saturating_sub(digits.len().saturating_add(2))..end;
            Fault::new(Problem::NumberRange { text, field, max }, span)
        })
    }

    const fn offset(&self, rest: &str) -> usize {
        self.start.saturating_add(self.line.len().saturating_sub(rest.len()))
    }

    const fn span(&self) -> core::ops::Range<usize> {
        self.start..self.start.saturating_add(self.line.len())
    }

    fn unexpected(&self, rest: &str, expected: &'static str) -> Fault {
        let rest = rest.trim_start();
        let word = rest.split_whitespace().next().unwrap_or_default();
        let found = if word.is_empty() {
            "the end of the line".to_owned()
        } else {
            format!("`{}`", shown(word))
        };
        let start = self.offset(rest);
        Fault::new(
            Problem::Unexpected { expected, found },
            start..start.saturating_add(word.len()),
        )
    }

    fn order(&self, expected: usize, found: usize) -> Fault {
        let digits = self.line.split(':').next().unwrap_or_default();
        let start = digits.len().saturating_sub(digits.trim_start().len());
        let span = self.start.saturating_add(start)..self.start.saturating_add(digits.len());
        Fault::new(Problem::RowOrder { expected, found }, span)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each number was held to the size of its field"
)]
const fn insn([code, jt, jf, k]: [u64; 4]) -> Insn {
    Insn::new(code as u16, jt as u8, jf as u8, k as u32)
}

/// Whose table a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    SeccompTools,
    Libseccomp,
    /// Rows of numbers, and nothing that tells
    Either,
}

/// Looks at the header, or at the first row.
pub(crate) fn look(text: &str) -> Option<Look> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next()?;
    if first.starts_with("line") {
        let mut words = first.split_whitespace().skip(1);
        return match (words.next(), words.next()) {
            (Some("CODE"), Some("JT")) => Some(Look::SeccompTools),
            (Some("OP"), Some("JT")) => Some(Look::Libseccomp),
            _ => None,
        };
    }
    let mut rest = first;
    let number: Result<&str, ErrMode<()>> = digit1.parse_next(&mut rest);
    number.ok()?;
    let columns = rest.strip_prefix(':')?.trim_start();
    columns.starts_with("0x").then(|| told_by(columns))
}

/// The first words behind the numbers tell the two apart.
fn told_by(columns: &str) -> Look {
    let words: Vec<_> = columns.split_whitespace().skip(4).take(2).collect();
    match words.as_slice() {
        ["A" | "X", ..] | ["if" | "return" | "goto", _] => Look::SeccompTools,
        [word, ..] if word.starts_with("mem[") => Look::SeccompTools,
        [word, ..] if crate::asm::is_mnemonic(word) => Look::Libseccomp,
        _ => Look::Either,
    }
}
