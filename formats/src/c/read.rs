//! Filters in C source text.

use callproof_abi::Abi;

use super::{Constants, Rows};
use crate::error::{Fault, Parsed, Problem};
use crate::text::{Cursor, Kind, Style, expression, shown};
use crate::{Format, Program};

/// Comments, and preprocessor lines, which are read beforehand.
const STYLE: Style = Style {
    line: &["//", "#"],
    block: true,
};

/// The most tokens between the brackets of an array, so that a hostile file is not searched again and again.
const MAX_SIZE_TOKENS: usize = 16;

/// Reads every initialised array of `struct sock_filter` in a C file, or a bare list of rows.
///
/// Anything else in the file is skipped. `#define NAME VALUE` counts; a conditional is an error, because which branch
/// is meant cannot be known here.
pub(crate) fn read_all(text: &str, abi: Option<Abi>) -> Parsed<Vec<Program>> {
    let constants = directives(text, abi)?;
    let rows = Rows {
        text,
        names: &constants,
    };
    let mut programs = Vec::new();
    let mut cursor = Cursor::new(text, 0, STYLE);
    let mut lines = Lines {
        text,
        offset: 0,
        line: 1,
    };
    loop {
        let token = cursor.next()?;
        if token.kind == Kind::End {
            break;
        }
        if token.word() == Some("sock_filter") && opens_array(&mut cursor)? {
            let insns = rows.read(&mut cursor, Some("}"))?;
            programs.push(at(insns, lines.line_of(token.start)));
        }
    }
    if programs.is_empty() {
        programs.push(bare_list(&rows)?);
    }
    Ok(programs)
}

fn at(insns: Vec<callproof_vm::Insn>, line: usize) -> Program {
    Program {
        line,
        ..Program::new(insns, Format::C)
    }
}

/// Counts lines from front to back, so that many arrays cost no more than one.
struct Lines<'s> {
    text: &'s str,
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    fn line_of(&mut self, offset: usize) -> usize {
        let between = self.text.get(self.offset..offset).unwrap_or_default();
        self.line = self.line.saturating_add(between.matches('\n').count());
        self.offset = offset;
        self.line
    }
}

/// Takes `NAME[...] = {` or `[...]) {`, which follow `sock_filter` where an array is initialised.
fn opens_array(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    let mut ahead = cursor.clone();
    if ahead.peek()?.kind == Kind::Word {
        ahead.next()?;
    }
    if !ahead.eat("[")? {
        return Ok(false);
    }
    let mut size = 0;
    while !ahead.eat("]")? {
        size += 1;
        if ahead.next()?.kind == Kind::End || size > MAX_SIZE_TOKENS {
            return Ok(false);
        }
    }
    let opens = (ahead.eat("=")? || ahead.eat(")")?) && ahead.eat("{")?;
    if opens {
        *cursor = ahead;
    }
    Ok(opens)
}

/// The whole text as a list of rows, with or without braces around it.
fn bare_list(rows: &Rows<'_, '_>) -> Parsed<Program> {
    let mut cursor = Cursor::new(rows.text, 0, STYLE);
    let first = cursor.peek()?;
    let mut inner = cursor.clone();
    let braced = inner.eat("{")? && matches!(inner.peek()?.text, "{" | "(" | "BPF_STMT" | "BPF_JUMP");
    let insns = if braced {
        let insns = rows.read(&mut inner, Some("}"))?;
        while inner.eat(";")? || inner.eat(",")? {}
        let after = inner.next()?;
        if after.kind != Kind::End {
            return Err(after.unexpected("nothing more after the list"));
        }
        insns
    } else {
        rows.read(&mut cursor, None)?
    };
    if insns.is_empty() && !braced {
        let why = "no row of a `struct sock_filter[]`";
        return Err(first.fault(Problem::NoFilter { why }));
    }
    let line = crate::excerpt::position(rows.text, first.start).line;
    Ok(at(insns, line))
}

/// Reads the preprocessor lines of a file.
fn directives(text: &str, abi: Option<Abi>) -> Parsed<Constants<'_>> {
    let mut constants = Constants::new(abi);
    let mut guard = None;
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        let here = start;
        start = start.saturating_add(line.len());
        let Some(directive) = line.trim_start().strip_prefix('#') else {
            continue;
        };
        let at = here.saturating_add(line.len().saturating_sub(directive.len()));
        let mut cursor = Cursor::new(directive, at, STYLE);
        let Ok(word) = cursor.next() else { continue };
        let name = cursor.next().ok().and_then(|token| token.word()).unwrap_or_default();
        match word.text {
            // Only the guard around a header is a conditional that changes nothing.
            "ifndef" if guard.is_none() => guard = Some((name, word)),
            "if" | "ifdef" | "ifndef" | "elif" | "else" => return Err(conditional(word.text, word.span())),
            "define" => {
                define(&mut constants, name, cursor);
                guard = guard.filter(|(guarded, _)| *guarded != name);
            }
            _ => {}
        }
    }
    match guard {
        Some((_, word)) => Err(conditional(word.text, word.span())),
        None => Ok(constants),
    }
}

fn conditional(directive: &str, span: core::ops::Range<usize>) -> Fault {
    let directive = shown(directive);
    Fault::new(Problem::Preprocessor { directive }, span)
}

/// Notes a macro when its body is a constant expression. Others are unknown where they are used.
fn define<'s>(constants: &mut Constants<'s>, name: &'s str, mut cursor: Cursor<'s>) {
    let value = expression(&mut cursor, constants).ok();
    let complete = cursor.next().is_ok_and(|token| token.kind == Kind::End);
    if let (Some(value), true, false) = (value, complete, name.is_empty()) {
        constants.define(name, value);
    }
}
