//! The calls that install filters, as strace prints them.
//!
//! strace prints whole filters only with `-v` (or `-e abbrev=none`). It also drops the high byte of an opcode, which
//! no filter that the kernel accepts has set.

use core::fmt::Write as _;

use callproof_vm::Insn;
use callproof_vm::isa::{Op, decode};
use callproof_vm::{Action, Kernel};

use crate::c::{Constants, Rows, check_count, code_words};
use crate::error::{Fault, Parsed, Problem};
use crate::text::{Cursor, Kind, Style, Token, number, shown};
use crate::{Format, Program};

/// strace explains numbers in block comments.
const STYLE: Style = Style { line: &[], block: true };

/// Reads the filters of a log in the order of its lines. Calls that could not hand a filter over are skipped.
pub(crate) fn read_all(text: &str) -> Parsed<Vec<Program>> {
    let constants = Constants::new(None);
    let rows = Rows {
        text,
        names: &constants,
    };
    let mut programs = Vec::new();
    let mut start = 0_usize;
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        if let Some((call, at)) = installing_call(line) {
            let base = start.saturating_add(at);
            let cursor = Cursor::new(call, base, STYLE);
            if let Some(program) = read_call(cursor, &rows)? {
                let pid = line.get(..at).and_then(pid);
                programs.push(Program {
                    line: number,
                    pid,
                    ..program
                });
            }
        }
        start = start.saturating_add(line.len());
    }
    if programs.is_empty() {
        let why = "no `seccomp(SECCOMP_SET_MODE_FILTER, ...)` with a filter";
        return Err(Fault::new(Problem::NoFilter { why }, 0..0));
    }
    Ok(programs)
}

/// The call in a line of a log, and where it begins in the line.
pub(crate) fn installing_call(line: &str) -> Option<(&str, usize)> {
    let at = ["seccomp(", "prctl("].iter().filter_map(|name| line.find(name)).min()?;
    // What stands before is a process, a time or an address; a quote or a bracket would mean another call's argument.
    let before = line.get(..at)?;
    if before.contains(['"', '(', '{', ';']) || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let call = line.get(at..)?;
    let installs = call.contains("SECCOMP_SET_MODE_FILTER") || call.contains("SECCOMP_MODE_FILTER");
    installs.then_some((call, at))
}

/// `[pid 12]` or `12` before a call. A number with a point is a time.
fn pid(before: &str) -> Option<u32> {
    let before = before.trim_start();
    let inside = before.strip_prefix("[pid").map_or(before, |rest| rest.trim_start());
    let word = inside.split(|c: char| c.is_whitespace() || c == ']').next()?;
    word.parse().ok()
}

/// Reads one call. `None` when it hands no filter over.
fn read_call<'s>(mut cursor: Cursor<'s>, rows: &Rows<'_, 's>) -> Parsed<Option<Program>> {
    let whole = cursor.rest();
    while !cursor.eat("{")? {
        if cursor.next()?.kind == Kind::End {
            return Ok(None);
        }
    }
    let (stated, length) = stated_length(&mut cursor)?;
    let token = cursor.next()?;
    if !token.is("[") {
        let failed = whole.contains("= -1 ") || token.text == "NULL";
        let address = shown(token.text);
        return if failed {
            Ok(None)
        } else {
            Err(token.fault(Problem::StracePointer { address }))
        };
    }
    let insns = rows.read(&mut cursor, Some("]"))?;
    check_count(stated, insns.len(), &length)?;
    let program = Program {
        returned: returned(cursor.rest()),
        ..Program::new(insns, Format::Strace)
    };
    Ok((stated > 0).then_some(program))
}

/// `len=N, filter=`.
fn stated_length<'s>(cursor: &mut Cursor<'s>) -> Parsed<(u64, Token<'s>)> {
    word(cursor, "len", "`len=`")?;
    cursor.expect("=", "`=`")?;
    let token = cursor.next()?;
    if token.kind != Kind::Number {
        return Err(token.unexpected("the number of instructions"));
    }
    let stated = number(&token)?;
    cursor.expect(",", "`,`")?;
    word(cursor, "filter", "`filter=`")?;
    cursor.expect("=", "`=`")?;
    Ok((stated, token))
}

fn word(cursor: &mut Cursor<'_>, word: &str, expected: &'static str) -> Parsed<()> {
    let token = cursor.word(expected)?;
    if token.text == word {
        Ok(())
    } else {
        Err(token.unexpected(expected))
    }
}

/// The number behind `=` at the end of a call; `None` for `?` and for a call that strace shows in two parts.
fn returned(rest: &str) -> Option<i64> {
    let (_, value) = rest.rsplit_once(") = ").or_else(|| rest.rsplit_once(")  = "))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Writes a program as the line of a call whose result is not known.
pub(crate) fn write(program: &[Insn]) -> String {
    let rows: Vec<_> = program.iter().map(|insn| row(*insn)).collect();
    format!(
        "seccomp(SECCOMP_SET_MODE_FILTER, 0, {{len={}, filter=[{}]}}) = ?\n",
        program.len(),
        rows.join(", ")
    )
}

fn row(Insn { code, jt, jf, k }: Insn) -> String {
    let words = words(code);
    if (jt, jf) == (0, 0) {
        let operand = match decode(code) {
            Some(Op::RetK | Op::RetA | Op::RetX) => return_value(k),
            _ => hex(k),
        };
        format!("BPF_STMT({words}, {operand})")
    } else {
        let (jt, jf) = (hex(u32::from(jt)), hex(u32::from(jf)));
        format!("BPF_JUMP({words}, {}, {jt}, {jf})", hex(k))
    }
}

/// strace puts the source of the operand before the operation.
fn words(code: u16) -> String {
    let Some(mut words) = code_words(code) else {
        return format!("{code:#x} /* BPF_??? */");
    };
    if matches!(decode(code), Some(Op::Alu(..) | Op::Neg | Op::Ja | Op::Jump(..))) {
        words.get_mut(1..).unwrap_or_default().reverse();
    }
    words.join("|")
}

/// strace writes 0 without a prefix.
fn hex(value: u32) -> String {
    if value == 0 {
        "0".to_owned()
    } else {
        format!("{value:#x}")
    }
}

fn return_value(k: u32) -> String {
    let (action, data) = (k & 0xffff_0000, k & 0xffff);
    let mut text = match Action::of(k, Kernel::LATEST) {
        Action::Unknown => format!("{action:#x} /* SECCOMP_RET_??? */"),
        action => format!("SECCOMP_RET_{}", action.name().to_ascii_uppercase()),
    };
    if data != 0 {
        let _ = write!(text, "|{data:#x}");
    }
    text
}
