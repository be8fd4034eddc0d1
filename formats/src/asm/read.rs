//! The assembler.

use callproof_vm::Insn;
use callproof_vm::isa::{Cond, Op, Opcode, Operands, Src, TABLE};

use super::operand::{Operand, bounded, operand};
use super::{Labels, Slot};
use crate::error::{Parsed, Problem};
use crate::load::push;
use crate::text::{Cursor, Kind, Style, Token, nearest, shown};

/// `;` to the end of the line, and C's block comments.
const STYLE: Style = Style {
    line: &[";"],
    block: true,
};

/// Other words for instructions: (word, the word in the table, only with a constant).
const ALIASES: [(&str, &str, bool); 3] = [("ldi", "ld", true), ("ldxi", "ldx", true), ("jmp", "ja", false)];

/// Tests that are the opposite of one in the table: the label is where it goes when that one fails.
const OPPOSITES: [(&str, Cond); 4] = [
    ("jneq", Cond::Jeq),
    ("jne", Cond::Jeq),
    ("jlt", Cond::Jge),
    ("jle", Cond::Jgt),
];

/// Whether a word begins an instruction.
pub(crate) fn is_mnemonic(word: &str) -> bool {
    mnemonics().any(|mnemonic| mnemonic.eq_ignore_ascii_case(word))
}

fn mnemonics() -> impl Iterator<Item = &'static str> {
    let table = TABLE.iter().map(|row| row.mnemonic);
    let aliases = ALIASES.iter().map(|(alias, ..)| *alias);
    table.chain(aliases).chain(OPPOSITES.iter().map(|(word, _)| *word))
}

/// Assembles a program.
pub(crate) fn read(text: &str) -> Parsed<Vec<Insn>> {
    let mut assembler = Assembler {
        cursor: Cursor::new(text, 0, STYLE),
        insns: Vec::new(),
        labels: Labels::new(text),
    };
    while assembler.statement()? {}
    assembler.labels.resolve(&mut assembler.insns)?;
    Ok(assembler.insns)
}

struct Assembler<'s> {
    cursor: Cursor<'s>,
    insns: Vec<Insn>,
    labels: Labels<'s>,
}

impl<'s> Assembler<'s> {
    /// Reads a label, an instruction or a directive. `false` at the end.
    fn statement(&mut self) -> Parsed<bool> {
        let token = self.cursor.next()?;
        match token.kind {
            Kind::End => return Ok(false),
            Kind::Word if self.cursor.eat(":")? => self.labels.define(&token, self.insns.len())?,
            Kind::Word => self.instruction(&token)?,
            _ if token.is(".") => self.directive()?,
            _ => return Err(token.unexpected("an instruction or a label")),
        }
        Ok(true)
    }

    fn instruction(&mut self, token: &Token<'s>) -> Parsed<()> {
        let insn = self.parse(token)?;
        push(&mut self.insns, insn, token.span())
    }

    fn parse(&mut self, token: &Token<'s>) -> Parsed<Insn> {
        let word = token.text.to_ascii_lowercase();
        if let Some((_, cond)) = OPPOSITES.iter().find(|(opposite, _)| *opposite == word) {
            return self.branch(token, *cond, true);
        }
        let alias = ALIASES.iter().find(|(alias, ..)| *alias == word);
        let mnemonic = alias.map_or(word.as_str(), |(_, mnemonic, _)| mnemonic);
        let Some(row) = TABLE.iter().find(|row| row.mnemonic == mnemonic) else {
            return Err(unknown(token));
        };
        match row.op {
            Op::Jump(cond, _) => self.branch(token, cond, false),
            Op::Ja => {
                let label = self.cursor.word("a label")?;
                self.labels.jump(self.insns.len(), Slot::K, &label);
                Ok(Insn::stmt(row.code, 0))
            }
            _ if row.operands == Operands::None => Ok(Insn::stmt(row.code, 0)),
            _ => self.statement_with_operand(token, mnemonic, alias.is_some()),
        }
    }

    fn statement_with_operand(&mut self, token: &Token<'s>, mnemonic: &str, constant: bool) -> Parsed<Insn> {
        let (found, span) = self.operand()?;
        let row = find(mnemonic, found.form).filter(|_| !constant || found.form == Operands::Imm);
        row.map(|row| Insn::stmt(row.code, found.k)).ok_or_else(|| {
            let problem = wrong_operand(token, found);
            crate::error::Fault::new(problem, span)
        })
    }

    fn operand(&mut self) -> Parsed<(Operand, core::ops::Range<usize>)> {
        let start = self.cursor.peek()?.start;
        let found = operand(&mut self.cursor)?;
        Ok((found, start..self.cursor.offset()))
    }

    /// A conditional jump: an operand, then one or two labels; an opposite has one.
    fn branch(&mut self, token: &Token<'s>, cond: Cond, opposite: bool) -> Parsed<Insn> {
        let (found, span) = self.operand()?;
        let src = match found.form {
            Operands::Imm => Src::K,
            Operands::X => Src::X,
            _ => return Err(crate::error::Fault::new(wrong_operand(token, found), span)),
        };
        let row = TABLE.iter().find(|row| row.op == Op::Jump(cond, src));
        let code = row.map(|row| row.code).ok_or_else(|| unknown(token))?;
        self.cursor.expect(",", "`,` and a label")?;
        let first = self.cursor.word("a label")?;
        let pc = self.insns.len();
        self.labels.jump(pc, if opposite { Slot::Jf } else { Slot::Jt }, &first);
        if !opposite && self.cursor.eat(",")? {
            let second = self.cursor.word("a label")?;
            self.labels.jump(pc, Slot::Jf, &second);
        }
        Ok(Insn::stmt(code, found.k))
    }

    /// `.insn CODE, JT, JF, K`.
    fn directive(&mut self) -> Parsed<()> {
        let name = self.cursor.word("`insn` after `.`")?;
        if name.text != "insn" {
            return Err(name.unexpected("`insn` after `.`"));
        }
        let insn = insn_fields(&mut self.cursor)?;
        push(&mut self.insns, insn, name.span())
    }
}

/// The four numbers of `.insn`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each number is held to the size of its field"
)]
pub(crate) fn insn_fields(cursor: &mut Cursor<'_>) -> Parsed<Insn> {
    let code = bounded(cursor, u64::from(u16::MAX), "the opcode")? as u16;
    cursor.expect(",", "`,` and jt")?;
    let jt = bounded(cursor, u64::from(u8::MAX), "jt")? as u8;
    cursor.expect(",", "`,` and jf")?;
    let jf = bounded(cursor, u64::from(u8::MAX), "jf")? as u8;
    cursor.expect(",", "`,` and k")?;
    let k = bounded(cursor, u64::from(u32::MAX), "k")? as u32;
    Ok(Insn::new(code, jt, jf, k))
}

/// The row of an instruction with this form of operand.
fn find(mnemonic: &str, form: Operands) -> Option<&'static Opcode> {
    // `ldx 4*([k]&0xf)` is the same as `ldxb 4*([k]&0xf)`, which the table has.
    let mnemonic = if mnemonic == "ldx" && form == Operands::Msh {
        "ldxb"
    } else {
        mnemonic
    };
    TABLE
        .iter()
        .find(|row| row.mnemonic == mnemonic && row.operands == form)
}

fn unknown(token: &Token<'_>) -> crate::error::Fault {
    token.fault(Problem::UnknownMnemonic {
        name: shown(token.text),
        nearest: nearest(token.text, mnemonics()),
    })
}

fn wrong_operand(token: &Token<'_>, operand: Operand) -> Problem {
    let mnemonic = token.text.to_ascii_lowercase();
    let takes = match mnemonic.as_str() {
        "ld" => "`#k`, `#len`, `[k]`, `[x + k]` or `M[k]`",
        "ldi" | "ldxi" => "`#k`",
        "ldh" | "ldb" => "`[k]` or `[x + k]`",
        "ldx" => "`#k`, `#len`, `M[k]` or `4*([k]&0xf)`",
        "ldxb" => "`4*([k]&0xf)`",
        "st" | "stx" => "`M[k]`",
        "ret" => "`#k`, `a` or `x`",
        _ => "`#k` or `x`",
    };
    Problem::WrongOperand {
        mnemonic,
        operand: operand.doc(),
        takes,
    }
}

/// Whether a text begins like assembler text.
pub(crate) fn looks(text: &str) -> bool {
    let mut cursor = Cursor::new(text, 0, STYLE);
    let (Ok(first), Ok(second)) = (cursor.next(), cursor.next()) else {
        return false;
    };
    match first.kind {
        Kind::Word => is_mnemonic(first.text) || second.is(":"),
        _ => first.is(".") && second.text == "insn",
    }
}
