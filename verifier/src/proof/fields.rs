//! Values as a proof states them: constants and bits of one word.

use callproof_vm::Endian;
use callproof_vm::isa::Alu;

use crate::order::row;
use crate::value::{Expr, Exprs, Value};

/// What a register holds, as far as a proof can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    Const(u32),
    /// `((word shifted) & mask) ^ flip`, words numbered in the order of variables
    Field {
        word: u8,
        shift: i8,
        mask: u32,
        flip: u32,
    },
}

/// A value in the words of a proof; `None` when it is neither a constant nor bits of one word.
pub(super) fn stated(value: Value, exprs: &Exprs, endian: Endian) -> Option<Stated> {
    // Expressions can be as deep as a filter is long: unwrapped in a loop, then wrapped again from the inside.
    let mut wraps = Vec::new();
    let mut inner = value;
    while let Value::Derived(number) = inner {
        let Expr {
            op,
            left,
            right: Value::Const(k),
        } = exprs.get(number)?
        else {
            return None;
        };
        wraps.push((op, k));
        inner = left;
    }
    let innermost = match inner {
        Value::Const(k) => Stated::Const(k),
        Value::Field(field) => Stated::Field {
            word: u8::try_from(row(endian).iter().position(|word| *word == field.word.number())?).ok()?,
            shift: field.shift,
            mask: field.of(u32::MAX),
            flip: 0,
        },
        Value::Derived(_) => return None,
    };
    wraps
        .into_iter()
        .rev()
        .try_fold(innermost, |value, (op, k)| wrapped(value, op, k))
}

fn wrapped(value: Stated, op: Alu, k: u32) -> Option<Stated> {
    let Stated::Field {
        word,
        shift,
        mask,
        flip,
    } = value
    else {
        return None;
    };
    let by = i8::try_from(k).unwrap_or(i8::MAX);
    let (shift, mask, flip) = match op {
        Alu::And => (shift, mask & k, flip & k),
        Alu::Or => (shift, mask & !k, flip | k),
        Alu::Xor => (shift, mask, flip ^ k),
        Alu::Lsh => (shift.saturating_add(by), mask.checked_shl(k)?, flip.checked_shl(k)?),
        Alu::Rsh => (shift.saturating_sub(by), mask.checked_shr(k)?, flip.checked_shr(k)?),
        _ => return None,
    };
    if mask == 0 {
        return Some(Stated::Const(flip));
    }
    Some(Stated::Field {
        word,
        shift,
        mask,
        flip,
    })
}
