//! One instruction after another, as C macros or braces.

use callproof_vm::Insn;

use crate::error::{Fault, Parsed, Problem};
use crate::load::push;
use crate::text::{Cursor, Kind, Names, Token, expression, narrow};

/// A reader of `BPF_STMT(...)`, `BPF_JUMP(...)` and `{ code, jt, jf, k }`, with commas between them.
pub(crate) struct Rows<'a, 's> {
    /// The whole input, for messages
    pub(crate) text: &'s str,
    pub(crate) names: &'a dyn Names,
}

/// What a field is called in messages, and the largest value it holds.
const FIELDS: [(&str, u64); 4] = [
    ("code", u16::MAX as u64),
    ("jt", u8::MAX as u64),
    ("jf", u8::MAX as u64),
    ("k", u32::MAX as u64),
];

const ROW: &str = "`BPF_STMT(...)`, `BPF_JUMP(...)` or `{ code, jt, jf, k }`";

impl<'s> Rows<'_, 's> {
    /// Reads rows up to the closing mark, which is taken; `None` stands for the end of the text.
    pub(crate) fn read(&self, cursor: &mut Cursor<'s>, close: Option<&str>) -> Parsed<Vec<Insn>> {
        let mut insns = Vec::new();
        let closes = |token: &Token<'_>| match close {
            Some(mark) => token.is(mark),
            None => token.kind == Kind::End,
        };
        loop {
            let token = cursor.next()?;
            if closes(&token) {
                return Ok(insns);
            }
            let insn = self.row(&token, cursor)?;
            push(&mut insns, insn, token.span())?;
            let after = cursor.peek()?;
            if !closes(&after) && !cursor.eat(",")? {
                return Err(after.unexpected("`,` or the end of the list"));
            }
        }
    }

    fn row(&self, first: &Token<'s>, cursor: &mut Cursor<'s>) -> Parsed<Insn> {
        let mut token = *first;
        if token.is("(") {
            self.skip_cast(cursor)?;
            token = cursor.next()?;
        }
        match token.text {
            "{" => self.braces(cursor),
            "BPF_STMT" => self.call(cursor, &[0, 3]),
            "BPF_JUMP" => self.call(cursor, &[0, 3, 1, 2]),
            "..." => Err(token.fault(Problem::StraceAbbreviated)),
            _ if token.kind == Kind::Word && cursor.peek()?.is("(") => {
                let nearest = crate::text::nearest(token.text, ["BPF_STMT", "BPF_JUMP"].into_iter());
                let name = crate::text::shown(token.text);
                let nearest = nearest.map(str::to_owned);
                Err(token.fault(Problem::UnknownConstant { name, nearest }))
            }
            _ => Err(token.unexpected(ROW)),
        }
    }

    /// `(struct sock_filter)`, of which the bracket has been taken.
    fn skip_cast(&self, cursor: &mut Cursor<'s>) -> Parsed<()> {
        loop {
            let token = cursor.next()?;
            if token.is(")") {
                return Ok(());
            }
            if token.kind != Kind::Word {
                return Err(token.unexpected("`(struct sock_filter)`"));
            }
        }
    }

    /// The operands of a macro, which name these fields in this order.
    fn call(&self, cursor: &mut Cursor<'s>, order: &[usize]) -> Parsed<Insn> {
        let mut fields = [0; 4];
        cursor.expect("(", "`(` after the macro")?;
        for (place, index) in order.iter().enumerate() {
            if place > 0 {
                cursor.expect(",", "`,` and the next operand")?;
            }
            self.field(cursor, *index, &mut fields)?;
        }
        cursor.expect(")", "`)` after the last operand")?;
        Ok(insn(fields))
    }

    /// What follows `{`: values in order, or `.field = value`; fields left out are 0.
    fn braces(&self, cursor: &mut Cursor<'s>) -> Parsed<Insn> {
        let mut fields = [0; 4];
        let mut index = 0;
        while !cursor.eat("}")? {
            if cursor.eat(".")? {
                index = designator(cursor)?;
                cursor.expect("=", "`=`")?;
            }
            self.field(cursor, index, &mut fields)?;
            index = index.saturating_add(1);
            let after = cursor.peek()?;
            if !cursor.eat(",")? && !after.is("}") {
                return Err(after.unexpected("`,` or `}`"));
            }
        }
        Ok(insn(fields))
    }

    fn field(&self, cursor: &mut Cursor<'s>, index: usize, fields: &mut [u64; 4]) -> Parsed<()> {
        let first = cursor.peek()?;
        let (Some((name, max)), Some(slot)) = (FIELDS.get(index), fields.get_mut(index)) else {
            return Err(first.unexpected("`}` after the four fields"));
        };
        let value = expression(cursor, self.names)?;
        let text = self.text.get(first.start..cursor.offset()).unwrap_or(first.text);
        let whole = Token { text, ..first };
        *slot = narrow(value, *max, name, &whole)?;
        Ok(())
    }
}

fn designator(cursor: &mut Cursor<'_>) -> Parsed<usize> {
    let name = cursor.word("a field")?;
    let index = FIELDS.iter().position(|(field, _)| *field == name.text);
    index.ok_or_else(|| name.unexpected("`code`, `jt`, `jf` or `k`"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each value was held to the size of its field"
)]
const fn insn([code, jt, jf, k]: [u64; 4]) -> Insn {
    Insn::new(code as u16, jt as u8, jf as u8, k as u32)
}

/// Fails when the number of instructions is not the stated one.
pub(crate) fn check_count(stated: u64, found: usize, token: &Token<'_>) -> Parsed<()> {
    if u64::try_from(found) == Ok(stated) {
        return Ok(());
    }
    let stated = usize::try_from(stated).unwrap_or(usize::MAX);
    Err(Fault::new(Problem::Count { stated, found }, token.span()))
}
