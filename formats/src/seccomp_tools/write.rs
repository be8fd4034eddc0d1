//! Programs in the words of seccomp-tools.

use core::fmt::Write as _;

use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Cond, Op, Size, Src, decode};

use super::{ALU, TESTS, WORDS};
use crate::asm::{expressible, note, targets};
use crate::table::returned;

/// The column at which notes begin, counted from the statement.
const NOTES_AT: usize = 39;

/// Writes assembler text, with labels `L5:` at jump targets, and with notes as comments.
pub(crate) fn write(program: &[Insn], notes: Option<&[String]>) -> String {
    let labelled = targets(program);
    let label = |target: u64| format!("L{target}");
    let mut text = String::new();
    for (pc, insn) in program.iter().enumerate() {
        if labelled.get(pc) == Some(&true) {
            let _ = writeln!(text, "L{pc}:");
        }
        let Insn { code, jt, jf, k } = *insn;
        let line = statement(*insn, pc, &label).filter(|_| expressible(*insn, pc, program.len()));
        let line = line.unwrap_or_else(|| format!(".insn {code:#06x}, {jt}, {jf}, {k:#x}"));
        let _ = match note(*insn, pc, program.len(), notes) {
            Some(note) => writeln!(text, "  {line:<NOTES_AT$} # {note}"),
            None => writeln!(text, "  {line}"),
        };
    }
    text
}

/// One instruction, `None` when there are no words for it. Fields that it does not use are not shown.
pub(crate) fn statement(insn: Insn, pc: usize, label: &dyn Fn(u64) -> String) -> Option<String> {
    let k = insn.k;
    Some(match decode(insn.code)? {
        Op::LdImm => format!("A = {k:#x}"),
        Op::LdxImm => format!("X = {k:#x}"),
        Op::LdAbs(Size::Word) => format!("A = {}", word(k)),
        Op::LdLen => "A = len".to_owned(),
        Op::LdxLen => "X = len".to_owned(),
        Op::LdMem => format!("A = mem[{k}]"),
        Op::LdxMem => format!("X = mem[{k}]"),
        Op::St => format!("mem[{k}] = A"),
        Op::Stx => format!("mem[{k}] = X"),
        Op::Alu(alu, src) => format!("A {} {}", alu_sign(alu)?, operand(src, k)),
        Op::Neg => "A = -A".to_owned(),
        Op::Ja => format!("goto {}", label(insn.targets(pc)?.0)),
        Op::Jump(cond, src) => jump(insn, cond, &operand(src, k), insn.targets(pc)?, label)?,
        Op::RetK => format!("return {}", returned(k)),
        Op::RetA => "return A".to_owned(),
        Op::Tax => "X = A".to_owned(),
        Op::Txa => "A = X".to_owned(),
        Op::LdAbs(_) | Op::LdInd(_) | Op::LdxMsh | Op::RetX => return None,
    })
}

fn word(k: u32) -> String {
    let known = WORDS.iter().find(|(_, offset)| *offset == k);
    match (known, k) {
        (Some((name, _)), _) => (*name).to_owned(),
        (None, 12) => "instruction_pointer >> 32".to_owned(),
        (None, 16..64) if k.is_multiple_of(4) => {
            let index = k.saturating_sub(16) / 8;
            let half = if k.is_multiple_of(8) { "" } else { " >> 32" };
            format!("args[{index}]{half}")
        }
        _ => format!("data[{k}]"),
    }
}

fn alu_sign(alu: Alu) -> Option<&'static str> {
    ALU.iter().find(|(_, named)| *named == alu).map(|(sign, _)| *sign)
}

fn operand(src: Src, k: u32) -> String {
    match src {
        Src::K => format!("{k:#x}"),
        Src::X => "X".to_owned(),
    }
}

/// One label where one of the ways goes on, two labels otherwise.
fn jump(insn: Insn, cond: Cond, value: &str, (yes, no): (u64, u64), label: &dyn Fn(u64) -> String) -> Option<String> {
    let sign = |opposite| {
        let named = |(_, test, flipped): &&(&str, Cond, bool)| *test == cond && *flipped == opposite;
        TESTS.iter().find(named).map(|(sign, ..)| *sign)
    };
    let test = format!("A {} {value}", sign(false)?);
    Some(if insn.jf == 0 {
        format!("if ({test}) goto {}", label(yes))
    } else if insn.jt == 0 {
        match sign(true) {
            Some(sign) => format!("if (A {sign} {value}) goto {}", label(no)),
            None => format!("if (!({test})) goto {}", label(no)),
        }
    } else {
        format!("if ({test}) goto {} else goto {}", label(yes), label(no))
    })
}
