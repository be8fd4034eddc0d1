//! The assembler.

use callproof_abi::Abi;
use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Cond, Op, Size, Src, TABLE};

use super::{ALU, RETURNS, TESTS, WORDS};
use crate::asm::{Labels, Slot, insn_fields};
use crate::error::{Parsed, Problem};
use crate::load::push;
use crate::text::{Cursor, Kind, Style, Token, narrow, nearest, number, shown};

const STYLE: Style = Style {
    line: &["#"],
    block: false,
};

/// Words that begin a statement, for suggestions.
const STATEMENTS: [&str; 7] = ["A", "X", "mem", "return", "goto", "jmp", "if"];

/// The label that means "go on with the next instruction".
const NEXT: &str = "next";

/// Whether a text begins like this assembler text.
pub(crate) fn looks(text: &str) -> bool {
    let mut cursor = Cursor::new(text, 0, STYLE);
    let (Ok(first), Ok(second)) = (cursor.next(), cursor.next()) else {
        return false;
    };
    match first.kind {
        Kind::Word => match first.text {
            "A" | "X" => second.kind == Kind::Mark,
            "mem" => second.is("["),
            "if" => second.is("("),
            "return" | "goto" => true,
            _ => second.is(":"),
        },
        _ => first.is(".") && second.text == "insn",
    }
}

/// Assembles a program. System-call names need an ABI, unless they carry one: `i386.execve`.
pub(crate) fn read(text: &str, abi: Option<Abi>) -> Parsed<Vec<Insn>> {
    let mut assembler = Assembler {
        cursor: Cursor::new(text, 0, STYLE),
        insns: Vec::new(),
        labels: Labels::new(text),
        abi,
    };
    while assembler.statement()? {}
    assembler.labels.resolve(&mut assembler.insns)?;
    Ok(assembler.insns)
}

struct Assembler<'s> {
    cursor: Cursor<'s>,
    insns: Vec<Insn>,
    labels: Labels<'s>,
    abi: Option<Abi>,
}

/// The opcode of an operation; every operation used here is in the table.
fn code(op: Op) -> u16 {
    TABLE.iter().find(|row| row.op == op).map_or(u16::MAX, |row| row.code)
}

fn stmt(op: Op, k: u32) -> Insn {
    Insn::stmt(code(op), k)
}

impl<'s> Assembler<'s> {
    /// Reads a label or a statement. `false` at the end.
    fn statement(&mut self) -> Parsed<bool> {
        let token = self.cursor.next()?;
        if token.kind == Kind::End {
            return Ok(false);
        }
        if token.kind == Kind::Word && self.cursor.eat(":")? {
            self.labels.define(&token, self.insns.len())?;
            return Ok(true);
        }
        let insn = match (token.kind, token.text) {
            (Kind::Word, "A" | "a") => self.accumulator()?,
            (Kind::Word, "X" | "x") => self.index()?,
            (Kind::Word, "mem") => self.store()?,
            (Kind::Word, "return" | "ret") => self.ret()?,
            (Kind::Word, "goto" | "jmp") => {
                self.target(Slot::K)?;
                stmt(Op::Ja, 0)
            }
            (Kind::Word, "if") => self.condition()?,
            (Kind::Word, _) => return Err(unknown(&token)),
            (Kind::Mark, ".") if self.cursor.eat_word("insn")? => insn_fields(&mut self.cursor)?,
            _ => return Err(token.unexpected("a statement or a label")),
        };
        push(&mut self.insns, insn, token.span())?;
        Ok(true)
    }

    /// What follows `A`: an assignment, arithmetic, or a test with `?`.
    fn accumulator(&mut self) -> Parsed<Insn> {
        let sign = self.cursor.next()?;
        if sign.is("=") {
            return self.load();
        }
        if let Some((_, alu)) = ALU.iter().find(|(text, _)| sign.is(text)) {
            return self.arithmetic(*alu);
        }
        let (cond, opposite) = test(&sign)?;
        let (src, k) = self.operand()?;
        self.cursor.expect("?", "`?` and two labels")?;
        let slots = if opposite {
            [Slot::Jf, Slot::Jt]
        } else {
            [Slot::Jt, Slot::Jf]
        };
        let [yes, no] = slots;
        self.target(yes)?;
        self.cursor.expect(":", "`:` and a second label")?;
        self.target(no)?;
        Ok(stmt(Op::Jump(cond, src), k))
    }

    /// What follows `A =`.
    fn load(&mut self) -> Parsed<Insn> {
        let token = self.cursor.next()?;
        let insn = match (token.kind, token.text) {
            (Kind::Word, "X" | "x") => stmt(Op::Txa, 0),
            (Kind::Word, "len") => stmt(Op::LdLen, 0),
            (Kind::Word, "mem") => stmt(Op::LdMem, self.subscript(u64::from(u32::MAX))?),
            (Kind::Word, "data") => stmt(Op::LdAbs(Size::Word), self.subscript(u64::from(u32::MAX))?),
            (Kind::Word, "args") => {
                let offset = self.subscript(5)?.saturating_mul(8).saturating_add(16);
                stmt(Op::LdAbs(Size::Word), offset.saturating_add(self.high_half()?))
            }
            (Kind::Word, "args_h") => {
                let offset = self.subscript(5)?.saturating_mul(8).saturating_add(20);
                stmt(Op::LdAbs(Size::Word), offset)
            }
            (Kind::Mark, "-") if self.cursor.eat_word("a")? => stmt(Op::Neg, 0),
            (Kind::Word, word) if WORDS.iter().any(|(name, _)| *name == word) => {
                let known = WORDS.iter().find(|(name, _)| *name == word);
                let offset = known.map_or(0, |(_, offset)| *offset);
                let high = if offset == 8 { self.high_half()? } else { 0 };
                stmt(Op::LdAbs(Size::Word), offset.saturating_add(high))
            }
            _ => stmt(Op::LdImm, self.value(&token)?),
        };
        Ok(insn)
    }

    /// `>> 32` behind a 64-bit field.
    fn high_half(&mut self) -> Parsed<u32> {
        if !self.cursor.eat(">>")? {
            return Ok(0);
        }
        let token = self.cursor.next()?;
        if token.kind == Kind::Number && number(&token)? == 32 {
            Ok(4)
        } else {
            Err(token.unexpected("`32`"))
        }
    }

    fn arithmetic(&mut self, alu: Alu) -> Parsed<Insn> {
        let (src, k) = self.operand()?;
        Ok(stmt(Op::Alu(alu, src), k))
    }

    /// What follows `X`.
    fn index(&mut self) -> Parsed<Insn> {
        self.cursor.expect("=", "`=`")?;
        let token = self.cursor.next()?;
        Ok(match (token.kind, token.text) {
            (Kind::Word, "A" | "a") => stmt(Op::Tax, 0),
            (Kind::Word, "len") => stmt(Op::LdxLen, 0),
            (Kind::Word, "mem") => stmt(Op::LdxMem, self.subscript(u64::from(u32::MAX))?),
            _ => stmt(Op::LdxImm, self.value(&token)?),
        })
    }

    /// What follows `mem`.
    fn store(&mut self) -> Parsed<Insn> {
        let k = self.subscript(u64::from(u32::MAX))?;
        self.cursor.expect("=", "`=`")?;
        let token = self.cursor.word("`A` or `X`")?;
        match token.text {
            "A" | "a" => Ok(stmt(Op::St, k)),
            "X" | "x" => Ok(stmt(Op::Stx, k)),
            _ => Err(token.unexpected("`A` or `X`")),
        }
    }

    /// What follows `return`.
    fn ret(&mut self) -> Parsed<Insn> {
        let token = self.cursor.next()?;
        if matches!(token.word(), Some("A" | "a")) {
            return Ok(stmt(Op::RetA, 0));
        }
        let Some((_, action, has_data)) = RETURNS.iter().find(|(name, ..)| token.word() == Some(name)) else {
            return Ok(stmt(Op::RetK, self.value(&token)?));
        };
        let data = if *has_data && self.cursor.eat("(")? {
            let token = self.cursor.next()?;
            let value = u64::from(self.value(&token)?);
            self.cursor.expect(")", "`)`")?;
            narrow(value, 0xffff, "the data of a return value", &token)?
        } else {
            0
        };
        Ok(stmt(Op::RetK, action | u32::try_from(data).unwrap_or_default()))
    }

    /// What follows `if`: `(A == 1) goto L` or `(!(A & 1)) goto L`, then perhaps `else goto M`.
    fn condition(&mut self) -> Parsed<Insn> {
        self.cursor.expect("(", "`(`")?;
        let negated = self.cursor.eat("!")?;
        if negated {
            self.cursor.expect("(", "`(`")?;
        }
        let register = self.cursor.word("`A`")?;
        if !matches!(register.text, "A" | "a") {
            return Err(register.unexpected("`A`"));
        }
        let sign = self.cursor.next()?;
        let (cond, opposite) = test(&sign)?;
        let (src, k) = self.operand()?;
        for _ in 0..=usize::from(negated) {
            self.cursor.expect(")", "`)`")?;
        }
        self.go_to(if opposite == negated { Slot::Jt } else { Slot::Jf })?;
        if self.cursor.eat_word("else")? {
            self.go_to(if opposite == negated { Slot::Jf } else { Slot::Jt })?;
        }
        Ok(stmt(Op::Jump(cond, src), k))
    }

    fn go_to(&mut self, slot: Slot) -> Parsed<()> {
        let token = self.cursor.word("`goto`")?;
        if !matches!(token.text, "goto" | "jmp") {
            return Err(token.unexpected("`goto`"));
        }
        self.target(slot)
    }

    fn target(&mut self, slot: Slot) -> Parsed<()> {
        let label = self.cursor.word("a label")?;
        if label.text != NEXT {
            self.labels.jump(self.insns.len(), slot, &label);
        }
        Ok(())
    }

    /// `X` or a constant.
    fn operand(&mut self) -> Parsed<(Src, u32)> {
        let token = self.cursor.next()?;
        match token.word() {
            Some("X" | "x") => Ok((Src::X, 0)),
            _ => Ok((Src::K, self.value(&token)?)),
        }
    }

    fn subscript(&mut self, max: u64) -> Parsed<u32> {
        self.cursor.expect("[", "`[`")?;
        let token = self.cursor.next()?;
        if token.kind != Kind::Number {
            return Err(token.unexpected("a number"));
        }
        let index = narrow(number(&token)?, max, "the index", &token)?;
        self.cursor.expect("]", "`]`")?;
        Ok(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// A number, an architecture, or a system call.
    fn value(&mut self, token: &Token<'s>) -> Parsed<u32> {
        let negative = token.is("-");
        let token = if negative { self.cursor.next()? } else { *token };
        let value = match token.kind {
            Kind::Number => number(&token)?,
            Kind::Word => u64::from(self.named(&token)?),
            _ => return Err(token.unexpected("a number, a system call or an architecture")),
        };
        let value = if negative { value.wrapping_neg() } else { value };
        let value = narrow(value, u64::from(u32::MAX), "a 32-bit constant", &token)?;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    fn named(&mut self, token: &Token<'s>) -> Parsed<u32> {
        let unknown = |error: &callproof_abi::UnknownName| {
            token.fault(Problem::UnknownName {
                message: error.to_string(),
            })
        };
        if token.text.starts_with("ARCH_") {
            let found = Abi::from_name(&format!("AUDIT_{}", token.text));
            return found.map(Abi::audit_arch).map_err(|error| unknown(&error));
        }
        if self.cursor.eat(".")? {
            let abi = Abi::from_name(token.text).map_err(|error| unknown(&error))?;
            let call = self.cursor.word("a system call")?;
            return number_of(abi, &call);
        }
        let name = shown(token.text);
        let abi = self.abi.ok_or_else(|| token.fault(Problem::NeedsAbi { name }))?;
        number_of(abi, token)
    }
}

fn number_of(abi: Abi, call: &Token<'_>) -> Parsed<u32> {
    abi.number(call.text).map_err(|error| {
        call.fault(Problem::UnknownName {
            message: error.to_string(),
        })
    })
}

fn test(sign: &Token<'_>) -> Parsed<(Cond, bool)> {
    let found = TESTS.iter().find(|(text, ..)| sign.is(text));
    found
        .map(|(_, cond, opposite)| (*cond, *opposite))
        .ok_or_else(|| sign.unexpected("`=`, arithmetic such as `+=`, or a test such as `==`"))
}

fn unknown(token: &Token<'_>) -> crate::error::Fault {
    token.fault(Problem::UnknownMnemonic {
        name: shown(token.text),
        nearest: nearest(token.text, STATEMENTS.into_iter()),
    })
}
