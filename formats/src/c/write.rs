//! Filters as C source text.

use core::fmt::Write as _;

use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Cond, Op, Size, Src, decode};

/// Writes an array with macros. Macros take any value in any field, so nothing is lost.
pub(crate) fn write(program: &[Insn], notes: Option<&[String]>) -> String {
    let mut text = String::from("struct sock_filter filter[] = {\n");
    for (pc, insn) in program.iter().enumerate() {
        let row = row(*insn);
        let note = notes.and_then(|notes| notes.get(pc)).filter(|note| !note.is_empty());
        let _ = match note {
            Some(note) => writeln!(text, "    {row} /* {pc:04}: {note} */"),
            None => writeln!(text, "    {row}"),
        };
    }
    text.push_str("};\n");
    text
}

fn row(Insn { code, jt, jf, k }: Insn) -> String {
    let words = code_words(code).map_or_else(|| format!("{code:#06x}"), |words| words.join(" | "));
    if (jt, jf) == (0, 0) && !matches!(decode(code), Some(Op::Jump(..))) {
        format!("BPF_STMT({words}, {k:#x}),")
    } else {
        format!("BPF_JUMP({words}, {k:#x}, {jt}, {jf}),")
    }
}

/// The words of `linux/bpf_common.h` for an opcode of the instruction set: class, then what, then from where.
pub(crate) fn code_words(code: u16) -> Option<Vec<&'static str>> {
    Some(match decode(code)? {
        Op::LdImm => vec!["BPF_LD", "BPF_W", "BPF_IMM"],
        Op::LdxImm => vec!["BPF_LDX", "BPF_W", "BPF_IMM"],
        Op::LdAbs(size) => vec!["BPF_LD", size_word(size), "BPF_ABS"],
        Op::LdInd(size) => vec!["BPF_LD", size_word(size), "BPF_IND"],
        Op::LdLen => vec!["BPF_LD", "BPF_W", "BPF_LEN"],
        Op::LdxLen => vec!["BPF_LDX", "BPF_W", "BPF_LEN"],
        Op::LdMem => vec!["BPF_LD", "BPF_W", "BPF_MEM"],
        Op::LdxMem => vec!["BPF_LDX", "BPF_W", "BPF_MEM"],
        Op::LdxMsh => vec!["BPF_LDX", "BPF_B", "BPF_MSH"],
        Op::St => vec!["BPF_ST"],
        Op::Stx => vec!["BPF_STX"],
        Op::Alu(alu, src) => vec!["BPF_ALU", alu_word(alu), src_word(src)],
        Op::Neg => vec!["BPF_ALU", "BPF_NEG", "BPF_K"],
        Op::Ja => vec!["BPF_JMP", "BPF_JA", "BPF_K"],
        Op::Jump(cond, src) => vec!["BPF_JMP", cond_word(cond), src_word(src)],
        Op::RetK => vec!["BPF_RET", "BPF_K"],
        Op::RetA => vec!["BPF_RET", "BPF_A"],
        Op::RetX => vec!["BPF_RET", "BPF_X"],
        Op::Tax => vec!["BPF_MISC", "BPF_TAX"],
        Op::Txa => vec!["BPF_MISC", "BPF_TXA"],
    })
}

const fn size_word(size: Size) -> &'static str {
    match size {
        Size::Word => "BPF_W",
        Size::Half => "BPF_H",
        Size::Byte => "BPF_B",
    }
}

const fn src_word(src: Src) -> &'static str {
    match src {
        Src::K => "BPF_K",
        Src::X => "BPF_X",
    }
}

const fn cond_word(cond: Cond) -> &'static str {
    match cond {
        Cond::Jeq => "BPF_JEQ",
        Cond::Jgt => "BPF_JGT",
        Cond::Jge => "BPF_JGE",
        Cond::Jset => "BPF_JSET",
    }
}

const fn alu_word(alu: Alu) -> &'static str {
    match alu {
        Alu::Add => "BPF_ADD",
        Alu::Sub => "BPF_SUB",
        Alu::Mul => "BPF_MUL",
        Alu::Div => "BPF_DIV",
        Alu::Or => "BPF_OR",
        Alu::And => "BPF_AND",
        Alu::Lsh => "BPF_LSH",
        Alu::Rsh => "BPF_RSH",
        Alu::Mod => "BPF_MOD",
        Alu::Xor => "BPF_XOR",
    }
}
