//! The disassembler for `bpf_asm`.

use core::fmt::Write as _;

use callproof_vm::Insn;
use callproof_vm::isa::{Operands, Src, lookup};

/// The column at which notes begin, counted from the instruction.
const NOTES_AT: usize = 31;

/// Writes assembler text, with labels `L5:` at jump targets, and with notes as comments.
pub(crate) fn write(program: &[Insn], notes: Option<&[String]>) -> String {
    let labelled = targets(program);
    let mut text = String::new();
    for (pc, insn) in program.iter().enumerate() {
        let label = match labelled.get(pc) {
            Some(true) => format!("L{pc}:"),
            _ => String::new(),
        };
        let line = instruction(*insn, pc, program.len());
        let _ = match note(*insn, pc, program.len(), notes) {
            Some(note) => writeln!(text, "{label:<8}{line:<NOTES_AT$} ; {note}"),
            None => writeln!(text, "{label:<8}{line}"),
        };
    }
    text
}

/// The note of an instruction. A directive's note also says what its known opcode does, which its numbers do not.
pub(crate) fn note(insn: Insn, pc: usize, len: usize, notes: Option<&[String]>) -> Option<String> {
    let note = notes?.get(pc)?.as_str();
    let meaning = lookup(insn.code)
        .filter(|_| !expressible(insn, pc, len))
        .map(|_| insn.at(pc).to_string());
    match (meaning, note) {
        (Some(meaning), "") => Some(meaning),
        (Some(meaning), note) => Some(format!("{meaning}; {note}")),
        (None, "") => None,
        (None, note) => Some(note.to_owned()),
    }
}

fn instruction(insn: Insn, pc: usize, len: usize) -> String {
    let Insn { code, jt, jf, k } = insn;
    let Some(row) = lookup(code).filter(|_| expressible(insn, pc, len)) else {
        return format!(".insn {code:#06x}, {jt}, {jf}, {k:#x}");
    };
    let (yes, no) = insn.targets(pc).unwrap_or_default();
    match row.operands {
        Operands::Target => format!("{} L{yes}", row.mnemonic),
        Operands::Branch(Src::K) => format!("{} #{k:#x}, L{yes}, L{no}", row.mnemonic),
        Operands::Branch(Src::X) => format!("{} x, L{yes}, L{no}", row.mnemonic),
        _ => insn.at(pc).to_string(),
    }
}

/// Which instructions are targets of jumps that are written with labels.
pub(crate) fn targets(program: &[Insn]) -> Vec<bool> {
    let mut targets = vec![false; program.len()];
    for (pc, insn) in program.iter().enumerate() {
        let Some((yes, no)) = insn.targets(pc).filter(|_| expressible(*insn, pc, program.len())) else {
            continue;
        };
        for target in [yes, no] {
            if let Some(slot) = usize::try_from(target).ok().and_then(|target| targets.get_mut(target)) {
                *slot = true;
            }
        }
    }
    targets
}

/// Whether assembler words carry every field: jumps stay inside, and fields that the instruction does not use are 0.
pub(crate) fn expressible(insn: Insn, pc: usize, len: usize) -> bool {
    let Insn { code, jt, jf, k } = insn;
    let Some(row) = lookup(code) else { return false };
    let inside = || {
        let (yes, no) = insn.targets(pc).unwrap_or_default();
        yes.max(no) < len as u64
    };
    match row.operands {
        Operands::None | Operands::A | Operands::X | Operands::Len => (jt, jf, k) == (0, 0, 0),
        Operands::Imm | Operands::Abs | Operands::Ind | Operands::Msh | Operands::Scratch => (jt, jf) == (0, 0),
        Operands::Target => (jt, jf) == (0, 0) && inside(),
        Operands::Branch(Src::K) => inside(),
        Operands::Branch(Src::X) => k == 0 && inside(),
    }
}
