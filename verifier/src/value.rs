//! What a register holds, as a function of the sixteen input words.
//!
//! Constants and shifted, masked words, which are nearly all that real filters compute, are kept inline; everything
//! else is an expression that is stored once. Equal values have equal representations as far as the rules below
//! reach; different representations may still be equal functions.

use callproof_vm::ShiftByX;
use callproof_vm::isa::Alu;

use crate::fault::{Fault, planted};
use crate::table::{Found, Index, mix};

/// A 32-bit function of the input words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Always this number
    Const(u32),
    /// Some bits of an input word
    Field(Field),
    /// The expression of this number in [`Exprs`]
    Derived(u32),
}

/// The bits `mask` of an input word, moved to the left by `shift` (to the right when negative).
///
/// No bit of a non-zero `mask` is shifted out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// The word
    pub word: Word,
    /// How far to the left
    pub shift: i8,
    /// Which bits of the word
    pub mask: u32,
}

/// An input word by its place in memory: 0 is `nr`, 1 `arch`, 2 and 3 the instruction pointer, 4 to 15 the arguments.
///
/// An enumeration, so that a [`Value`] takes eight bytes: graphs are made of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "sixteen numbers")]
pub enum Word {
    W0,
    W1,
    W2,
    W3,
    W4,
    W5,
    W6,
    W7,
    W8,
    W9,
    W10,
    W11,
    W12,
    W13,
    W14,
    W15,
}

impl Word {
    /// Every word, in order.
    pub const ALL: [Self; 16] = {
        use Word::{W0, W1, W2, W3, W4, W5, W6, W7, W8, W9, W10, W11, W12, W13, W14, W15};
        [W0, W1, W2, W3, W4, W5, W6, W7, W8, W9, W10, W11, W12, W13, W14, W15]
    };

    /// The word's place.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The whole words, ready to be copied.
pub(crate) const WORDS: [Value; 16] = {
    let mut values = [Value::Const(0); 16];
    let mut place = 0;
    while place < 16 {
        #[expect(
            clippy::indexing_slicing,
            reason = "runs at compile time, where a wrong index is a build error"
        )]
        {
            let word = Word::ALL[place];
            values[place] = Value::Field(Field {
                word,
                shift: 0,
                mask: u32::MAX,
            });
        }
        place += 1;
    }
    values
};

impl Field {
    /// The value for a given word.
    #[must_use]
    pub const fn of(self, word: u32) -> u32 {
        slide(word & self.mask, self.shift)
    }
}

/// An operation that is neither constant nor a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Expr {
    /// The operation; `Sub` only when the left side is a constant 0 or the right side is not constant
    pub op: Alu,
    /// Left operand
    pub left: Value,
    /// Right operand; a shift count follows the machine's rule for shifts by X
    pub right: Value,
}

/// The expressions of one filter, each stored once.
#[derive(Clone, Debug)]
pub struct Exprs {
    all: Vec<Expr>,
    /// Which input words each depends on, one bit a word
    words: Vec<u16>,
    index: Index,
    shift: ShiftByX,
}

impl Exprs {
    pub(crate) fn new(shift: ShiftByX) -> Self {
        Self {
            all: Vec::new(),
            words: Vec::new(),
            index: Index::new(4),
            shift: if planted(Fault::SaturatingShift) {
                ShiftByX::Arm8
            } else {
                shift
            },
        }
    }

    /// The expression behind a [`Value::Derived`].
    #[must_use]
    pub fn get(&self, number: u32) -> Option<Expr> {
        self.all.get(number as usize).copied()
    }

    /// The machine's rule for shifts by X.
    #[must_use]
    pub const fn shift(&self) -> ShiftByX {
        self.shift
    }

    /// Which input words a value depends on, one bit a word.
    #[must_use]
    pub fn words(&self, value: Value) -> u16 {
        match value {
            Value::Const(_) => 0,
            Value::Field(field) => 1 << field.word.number(),
            Value::Derived(number) => self.words.get(number as usize).copied().unwrap_or(u16::MAX),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// `-value`, modulo 2^32.
    pub(crate) fn negate(&mut self, value: Value) -> Value {
        match value {
            Value::Const(k) => Value::Const(k.wrapping_neg()),
            Value::Derived(number) => match self.get(number) {
                Some(Expr {
                    op: Alu::Sub,
                    left: Value::Const(0),
                    right,
                }) => right,
                _ => self.intern(Alu::Sub, Value::Const(0), value),
            },
            Value::Field(_) => self.intern(Alu::Sub, Value::Const(0), value),
        }
    }

    /// `left op k`, with a constant of the instruction.
    pub(crate) fn by_constant(&mut self, op: Alu, left: Value, k: u32) -> Value {
        match (left, op) {
            (Value::Const(a), _) => Value::Const(compute(op, a, k)),
            (_, Alu::Add | Alu::Sub | Alu::Or | Alu::Xor | Alu::Lsh | Alu::Rsh) if k == 0 => left,
            (_, Alu::Mul | Alu::Div) if k == 1 => left,
            (_, Alu::And | Alu::Mul) if k == 0 => Value::Const(0),
            (_, Alu::Or) if k == u32::MAX => Value::Const(k),
            (_, Alu::And) if k == u32::MAX => left,
            (_, Alu::Mul) if k.is_power_of_two() => self.by_constant(Alu::Lsh, left, k.trailing_zeros()),
            (_, Alu::Div) if k.is_power_of_two() => self.by_constant(Alu::Rsh, left, k.trailing_zeros()),
            (_, Alu::Sub) => self.by_constant(Alu::Add, left, k.wrapping_neg()),
            (Value::Field(field), Alu::And) => masked(field, unslide(k, field.shift)),
            (Value::Field(field), Alu::Lsh) => moved(field, k, true),
            (Value::Field(field), Alu::Rsh) => moved(field, k, false),
            _ => self.fold_twice(op, left, k),
        }
    }

    /// `left op right`, where neither the machine's shift rule nor a division by zero needs another look: the caller
    /// has excluded `right == 0` for divisions.
    pub(crate) fn by_value(&mut self, op: Alu, left: Value, right: Value) -> Value {
        match (left, right, op) {
            (_, Value::Const(k), Alu::Lsh | Alu::Rsh) => match self.shift.count(k) {
                Some(count) => self.by_constant(op, left, count),
                None => Value::Const(0),
            },
            (_, Value::Const(k), _) => self.by_constant(op, left, k),
            (Value::Const(k), _, Alu::Add | Alu::Mul | Alu::And | Alu::Or | Alu::Xor) => self.by_constant(op, right, k),
            (Value::Const(0), _, Alu::Div | Alu::Lsh | Alu::Rsh) => Value::Const(0),
            _ if left == right => match op {
                Alu::And | Alu::Or => left,
                Alu::Xor | Alu::Sub => Value::Const(0),
                _ => self.intern(op, left, right),
            },
            _ => self.intern(op, left, right),
        }
    }

    /// `(inner op k1) op k2` is `inner op (k1 op k2)` for operations that associate.
    fn fold_twice(&mut self, op: Alu, left: Value, k: u32) -> Value {
        if let Value::Derived(number) = left
            && let Some(Expr {
                op: inner_op,
                left: inner,
                right: Value::Const(first),
            }) = self.get(number)
            && inner_op == op
            && matches!(op, Alu::Add | Alu::And | Alu::Or | Alu::Xor | Alu::Mul)
        {
            return self.by_constant(op, inner, compute(op, first, k));
        }
        self.intern(op, left, Value::Const(k))
    }

    fn intern(&mut self, op: Alu, left: Value, right: Value) -> Value {
        let swap = matches!(op, Alu::Add | Alu::Mul | Alu::And | Alu::Or | Alu::Xor)
            && !matches!(right, Value::Const(_))
            && rank(left) > rank(right);
        let expr = if swap {
            Expr {
                op,
                left: right,
                right: left,
            }
        } else {
            Expr { op, left, right }
        };
        match self.index.find(hash(&expr), |number| self.get(number) == Some(expr)) {
            Found::At(number) => Value::Derived(number),
            Found::Free(slot) => {
                let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
                self.words.push(self.words(left) | self.words(right));
                self.all.push(expr);
                if self.index.put(slot, number) {
                    let all = &self.all;
                    self.index.grow(|number| all.get(number as usize).map_or(0, hash));
                }
                Value::Derived(number)
            }
        }
    }
}

/// Bits of the field that survive a mask of the word.
fn masked(field: Field, keep: u32) -> Value {
    match field.mask & keep {
        0 => Value::Const(0),
        mask => Value::Field(Field { mask, ..field }),
    }
}

/// The field, shifted once more by a constant below 32.
fn moved(field: Field, by: u32, left: bool) -> Value {
    let by = i8::try_from(by).unwrap_or(31);
    let shift = field.shift.saturating_add(if left { by } else { -by });
    // Bits that leave the word on either side are gone: as if they had not been in the mask.
    let whole = unslide(slide(u32::MAX, shift), shift);
    masked(Field { shift, ..field }, whole)
}

/// Moves bits to the left, or to the right when negative.
const fn slide(bits: u32, shift: i8) -> u32 {
    let count = shift.unsigned_abs() as u32;
    let moved = if shift >= 0 {
        bits.checked_shl(count)
    } else {
        bits.checked_shr(count)
    };
    match moved {
        Some(bits) => bits,
        None => 0,
    }
}

/// The bits that [`slide`] moves onto these.
pub(crate) const fn unslide(bits: u32, shift: i8) -> u32 {
    let count = shift.unsigned_abs() as u32;
    let moved = if shift >= 0 {
        bits.checked_shr(count)
    } else {
        bits.checked_shl(count)
    };
    match moved {
        Some(bits) => bits,
        None => 0,
    }
}

/// The result of an operation on constants; a division by zero, which the caller has excluded, gives 0.
fn compute(op: Alu, a: u32, k: u32) -> u32 {
    match op {
        Alu::Add => a.wrapping_add(k),
        Alu::Sub => a.wrapping_sub(k),
        Alu::Mul => a.wrapping_mul(k),
        Alu::Div => a.checked_div(k).unwrap_or(0),
        Alu::Mod => a.checked_rem(k).unwrap_or(0),
        Alu::Or => a | k,
        Alu::And => a & k,
        Alu::Xor => a ^ k,
        Alu::Lsh => a.checked_shl(k).unwrap_or(0),
        Alu::Rsh => a.checked_shr(k).unwrap_or(0),
    }
}

/// Some order, so that `a + b` and `b + a` are stored alike.
fn rank(value: Value) -> (u8, u32, u32) {
    match value {
        Value::Const(k) => (0, k, 0),
        Value::Field(field) => (
            1,
            u32::from(field.word.number()) << 8 | u32::from(field.shift.cast_unsigned()),
            field.mask,
        ),
        Value::Derived(number) => (2, number, 0),
    }
}

fn hash(expr: &Expr) -> u64 {
    let [left, right] = [expr.left, expr.right].map(|value| {
        let (kind, a, b) = rank(value);
        a.rotate_left(8) ^ b.wrapping_mul(0x9e37_79b1) ^ u32::from(kind)
    });
    mix([expr.op as u32, left, right])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(exprs: &Exprs, value: Value, words: &[u32; 16]) -> u32 {
        match value {
            Value::Const(k) => k,
            Value::Field(field) => field.of(words[usize::from(field.word.number())]),
            Value::Derived(number) => {
                let Expr { op, left, right } = exprs.get(number).unwrap();
                let (a, b) = (evaluate(exprs, left, words), evaluate(exprs, right, words));
                match op {
                    Alu::Lsh | Alu::Rsh => exprs.shift.count(b).map_or(0, |count| compute(op, a, count)),
                    _ => compute(op, a, b),
                }
            }
        }
    }

    const WORD: Value = Value::Field(Field {
        word: Word::W4,
        shift: 0,
        mask: u32::MAX,
    });

    #[test]
    fn values_are_small() {
        assert_eq!(size_of::<Value>(), 8);
    }

    #[test]
    fn masks_and_shifts_of_a_word_stay_a_field() {
        let mut exprs = Exprs::new(ShiftByX::Masked);
        let shifted = exprs.by_constant(Alu::Rsh, WORD, 8);
        let masked = exprs.by_constant(Alu::And, shifted, 0xff);
        let back = exprs.by_constant(Alu::Lsh, masked, 8);
        assert_eq!(back, exprs.by_constant(Alu::And, WORD, 0xff00));
        assert_eq!(exprs.by_constant(Alu::And, back, 0xff), Value::Const(0));
        let gone = exprs.by_constant(Alu::Lsh, back, 20);
        assert_eq!(exprs.by_constant(Alu::Lsh, gone, 20), Value::Const(0));
        assert_eq!(
            exprs.by_constant(Alu::Mul, WORD, 16),
            exprs.by_constant(Alu::Lsh, WORD, 4)
        );
        assert_eq!(
            exprs.by_constant(Alu::Div, WORD, 16),
            exprs.by_constant(Alu::Rsh, WORD, 4)
        );
        assert_eq!(exprs.len(), 0);
    }

    #[test]
    fn every_rule_keeps_the_function() {
        use callproof_testgen::{Choose, Seed};
        const OPS: [Option<Alu>; 9] = [
            Some(Alu::Add),
            Some(Alu::Sub),
            Some(Alu::Mul),
            Some(Alu::Div),
            Some(Alu::Or),
            Some(Alu::And),
            Some(Alu::Xor),
            Some(Alu::Lsh),
            Some(Alu::Rsh),
        ];
        for case in 0..20_000 {
            let mut seed = Seed::new(3, case);
            let words: [u32; 16] = core::array::from_fn(|_| callproof_testgen::constant(&mut seed));
            let shift = seed.pick(&ShiftByX::ALL);
            let mut exprs = Exprs::new(shift);
            let mut pool = vec![(WORD, words[4]), (Value::Const(5), 5)];
            pool.push((
                Value::Field(Field {
                    word: Word::W5,
                    shift: 0,
                    mask: u32::MAX,
                }),
                words[5],
            ));
            for _ in 0..12 {
                let (value, is) = pool[seed.below(u32::try_from(pool.len()).unwrap()) as usize];
                let (other, other_is) = pool[seed.below(u32::try_from(pool.len()).unwrap()) as usize];
                let op = seed.pick(&OPS).unwrap();
                let next = if seed.one_in(3) {
                    match op {
                        Alu::Div if other_is == 0 => continue,
                        Alu::Lsh | Alu::Rsh => {
                            let is = shift.count(other_is).map_or(0, |count| compute(op, is, count));
                            (exprs.by_value(op, value, other), is)
                        }
                        _ => (exprs.by_value(op, value, other), compute(op, is, other_is)),
                    }
                } else if seed.one_in(8) {
                    (exprs.negate(value), is.wrapping_neg())
                } else {
                    let k = match op {
                        Alu::Lsh | Alu::Rsh => seed.below(32),
                        Alu::Div => callproof_testgen::constant(&mut seed).max(1),
                        _ => callproof_testgen::constant(&mut seed),
                    };
                    (exprs.by_constant(op, value, k), compute(op, is, k))
                };
                assert_eq!(evaluate(&exprs, next.0, &words), next.1, "case {case} {op:?}");
                pool.push(next);
            }
        }
    }
}
