//! Operands of assembler text: the addressing modes of `bpf_asm`.

use callproof_vm::isa::Operands;

use crate::error::Parsed;
use crate::text::{Cursor, Kind, Token, narrow, number};

/// An operand: how it is written, and the constant in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) form: Operands,
    pub(super) k: u32,
}

impl Operand {
    const fn new(form: Operands, k: u32) -> Self {
        Self { form, k }
    }

    /// The words for a message.
    pub(super) const fn doc(self) -> &'static str {
        match self.form {
            Operands::Imm => "a constant `#k`",
            Operands::A => "`a`",
            Operands::X => "`x`",
            Operands::Len => "`#len`",
            Operands::Abs => "a word of the data `[k]`",
            Operands::Ind => "an indexed load `[x + k]`",
            Operands::Msh => "`4*([k]&0xf)`",
            Operands::Scratch => "a scratch cell `M[k]`",
            Operands::None | Operands::Target | Operands::Branch(_) => "a label",
        }
    }
}

/// Loads beyond the data that socket filters know, with their offsets from `SKF_AD_OFF` of `linux/filter.h`.
const EXTENSIONS: [(&str, u32); 16] = [
    ("proto", 0),
    ("type", 4),
    ("ifidx", 8),
    ("nla", 12),
    ("nlan", 16),
    ("mark", 20),
    ("queue", 24),
    ("hatype", 28),
    ("rxhash", 32),
    ("cpu", 36),
    ("vlan_tci", 44),
    ("vlan_avail", 48),
    ("vlan_pr", 48),
    ("poff", 52),
    ("rand", 56),
    ("vlan_tpid", 60),
];

/// `SKF_AD_OFF`: where the extensions begin, as an unsigned offset.
const EXTENSIONS_AT: u32 = 0xffff_f000;

/// Reads one operand.
pub(super) fn operand(cursor: &mut Cursor<'_>) -> Parsed<Operand> {
    const EXPECTED: &str = "an operand such as `#1`, `[4]`, `M[0]`, `a` or `x`";
    let token = cursor.next()?;
    match (token.kind, token.text) {
        (Kind::Mark, "#") => hash(cursor),
        (Kind::Mark, "%") => {
            let register = cursor.word("`a` or `x` after `%`")?;
            register_named(register.text).ok_or_else(|| register.unexpected("`a` or `x` after `%`"))
        }
        (Kind::Mark, "[") => bracket(cursor),
        (Kind::Number, "4") => msh(cursor),
        (Kind::Word, "M" | "m") => {
            cursor.expect("[", "`[` of a scratch cell")?;
            let k = constant(cursor)?;
            cursor.expect("]", "`]`")?;
            Ok(Operand::new(Operands::Scratch, k))
        }
        (Kind::Word, word) => named(word).ok_or_else(|| token.unexpected(EXPECTED)),
        _ => Err(token.unexpected(EXPECTED)),
    }
}

fn register_named(word: &str) -> Option<Operand> {
    match word {
        "a" | "A" => Some(Operand::new(Operands::A, 0)),
        "x" | "X" => Some(Operand::new(Operands::X, 0)),
        _ => None,
    }
}

fn named(word: &str) -> Option<Operand> {
    let extension = || EXTENSIONS.iter().find(|(name, _)| *name == word);
    let offset = |(_, offset): &(&str, u32)| Operand::new(Operands::Abs, EXTENSIONS_AT.saturating_add(*offset));
    match word {
        "len" => Some(Operand::new(Operands::Len, 0)),
        _ => register_named(word).or_else(|| extension().map(offset)),
    }
}

/// What follows `#`: a number, `len` or an extension.
fn hash(cursor: &mut Cursor<'_>) -> Parsed<Operand> {
    let ahead = cursor.peek()?;
    if let Some(word) = ahead.word() {
        cursor.next()?;
        let operand = named(word).filter(|operand| !matches!(operand.form, Operands::A | Operands::X));
        return operand.ok_or_else(|| ahead.unexpected("a number or `len` after `#`"));
    }
    constant(cursor).map(|k| Operand::new(Operands::Imm, k))
}

/// What follows `[`.
fn bracket(cursor: &mut Cursor<'_>) -> Parsed<Operand> {
    let indexed = cursor.eat("%")? | cursor.eat_word("x")?;
    if indexed {
        cursor.eat_word("x")?;
        cursor.expect("+", "`+`")?;
    }
    let k = constant(cursor)?;
    cursor.expect("]", "`]`")?;
    let form = if indexed { Operands::Ind } else { Operands::Abs };
    Ok(Operand::new(form, k))
}

/// What follows the `4` of `4*([k]&0xf)`.
fn msh(cursor: &mut Cursor<'_>) -> Parsed<Operand> {
    const EXPECTED: &str = "`4*([k]&0xf)`";
    for mark in ["*", "(", "["] {
        cursor.expect(mark, EXPECTED)?;
    }
    let k = constant(cursor)?;
    for mark in ["]", "&"] {
        cursor.expect(mark, EXPECTED)?;
    }
    let mask = cursor.next()?;
    if mask.kind != Kind::Number || number(&mask)? != 0xf {
        return Err(mask.unexpected(EXPECTED));
    }
    cursor.expect(")", EXPECTED)?;
    Ok(Operand::new(Operands::Msh, k))
}

/// A number of 32 bits, or a negative one that a C `int` holds.
pub(super) fn constant(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    bounded(cursor, u64::from(u32::MAX), "a 32-bit constant").map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

/// A number up to `max`.
pub(super) fn bounded(cursor: &mut Cursor<'_>, max: u64, field: &'static str) -> Parsed<u64> {
    let first = cursor.next()?;
    let signed = first.is("-") || first.is("+");
    let token = if signed { cursor.next()? } else { first };
    if token.kind != Kind::Number {
        return Err(token.unexpected("a number"));
    }
    let value = number(&token)?;
    let whole = Token {
        kind: Kind::Number,
        ..token
    };
    if first.is("-") {
        narrow(value.wrapping_neg(), max, field, &whole)
    } else {
        narrow(value, max, field, &whole)
    }
}
