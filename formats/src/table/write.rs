//! Programs as tables.

use core::fmt::Write as _;

use callproof_vm::isa::{Alu, Op, Operands, Size, Src, lookup};
use callproof_vm::{Action, Insn, Kernel};

use crate::seccomp_tools::statement;

const RULE: &str = "=================================";

/// Writes the table of `seccomp-tools dump`, with notes as comments behind the statements.
pub(crate) fn write_seccomp_tools(program: &[Insn], notes: Option<&[String]>) -> String {
    let text = |insn: Insn, pc: usize| statement(insn, pc, &|target| format!("{target:04}"));
    table(" line  CODE  JT   JF      K", "  ", program, notes, &text)
}

/// Writes the table of `scmp_bpf_disasm`, with notes as comments behind the instructions.
pub(crate) fn write_libseccomp(program: &[Insn], notes: Option<&[String]>) -> String {
    table(" line  OP   JT   JF   K", "   ", program, notes, &instruction)
}

/// A row's numbers, which say everything, then `gap` and a text for people.
fn table(
    head: &str,
    gap: &str,
    program: &[Insn],
    notes: Option<&[String]>,
    text: &dyn Fn(Insn, usize) -> Option<String>,
) -> String {
    let mut table = format!("{head}\n{RULE}\n");
    for (pc, insn) in program.iter().enumerate() {
        let Insn { code, jt, jf, k } = insn;
        let statement = text(*insn, pc).unwrap_or_else(|| "# unknown opcode".to_owned());
        let _ = write!(
            table,
            " {pc:04}: {code:#04x} {jt:#04x} {jf:#04x} {k:#010x}{gap}{statement}"
        );
        if let Some(note) = notes.and_then(|notes| notes.get(pc)).filter(|note| !note.is_empty()) {
            let _ = write!(table, "  # {note}");
        }
        table.push('\n');
    }
    table
}

/// An instruction in the words of `scmp_bpf_disasm`.
fn instruction(insn: Insn, pc: usize) -> Option<String> {
    let Insn { code, k, .. } = insn;
    let row = lookup(code)?;
    let (yes, no) = insn.targets(pc).unwrap_or_default();
    let name = row.mnemonic;
    Some(match row.op {
        Op::LdAbs(Size::Word) => format!("ld  $data[{k}]"),
        Op::LdMem | Op::LdxMem | Op::St | Op::Stx => format!("{name:<3} $temp[{k}]"),
        Op::LdImm | Op::LdxImm => format!("{name:<3} {k}"),
        Op::Ja => format!("jmp {yes:04}"),
        Op::Jump(_, Src::K) => format!("{name:<3} {k:<4} true:{yes:04} false:{no:04}"),
        Op::Jump(_, Src::X) => format!("{name:<3} x    true:{yes:04} false:{no:04}"),
        Op::Alu(alu, Src::K) => format!("{name:<3} {}", alu_constant(alu, k)),
        Op::RetK => format!("ret {}", returned(k)),
        _ => match row.operands {
            Operands::None => name.to_owned(),
            _ => insn.at(pc).to_string(),
        },
    })
}

fn alu_constant(alu: Alu, k: u32) -> String {
    match alu {
        Alu::Lsh | Alu::Rsh => k.to_string(),
        _ => format!("{k:#010x}"),
    }
}

/// A return value in the words of both tools: `ALLOW`, `ERRNO(1)`, `KILL`.
pub(crate) fn returned(k: u32) -> String {
    let data = k & 0xffff;
    let (name, has_data) = match Action::of(k, Kernel::LATEST) {
        Action::KillProcess => ("KILL_PROCESS", false),
        Action::KillThread => ("KILL", false),
        Action::Trap => ("TRAP", true),
        Action::Errno => ("ERRNO", true),
        Action::UserNotif => ("USER_NOTIF", false),
        Action::Trace => ("TRACE", true),
        Action::Log => ("LOG", false),
        Action::Allow => ("ALLOW", false),
        Action::Unknown => return format!("{k:#010x}"),
    };
    match (has_data, data) {
        (true, _) => format!("{name}({data})"),
        (false, 0) => name.to_owned(),
        (false, _) => format!("{k:#010x}"),
    }
}
