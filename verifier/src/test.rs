//! Tests in normal form: two relations are left of the kernel's four, and most tests look at one masked word.

use callproof_vm::isa::{Alu, Cond};

use crate::fault::{Fault, planted};
use crate::value::{Expr, Exprs, Field, Value, Word, unslide};

/// How two numbers are compared. `a >= b` is `a > b - 1` or not `b > a`; `a & b` is compared with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `a == b`
    Equal,
    /// `a > b`, unsigned
    Above,
}

/// A test of some bits of one input word against a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WordTest {
    /// The word: 0 is `nr`, 1 `arch`, 2 and 3 the instruction pointer, 4 to 15 the arguments, as they lie in memory
    pub word: u8,
    /// How the masked word is compared
    pub relation: Relation,
    /// Which bits are looked at
    pub mask: u32,
    /// What they are compared with; has no bit outside the mask when compared for equality
    pub value: u32,
}

impl WordTest {
    /// Whether a word passes.
    #[must_use]
    pub const fn holds(self, word: u32) -> bool {
        match self.relation {
            Relation::Equal => word & self.mask == self.value,
            Relation::Above => word & self.mask > self.value,
        }
    }
}

/// The test of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// One masked word against a constant
    Word(WordTest),
    /// Anything else: `left relation right`
    Wide {
        /// How they are compared
        relation: Relation,
        /// Left side
        left: Value,
        /// Right side
        right: Value,
    },
}

/// A test in normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normal {
    /// It always goes this way
    Known(bool),
    /// It holds when the test does, or (when `true`) when the test does not
    Test(Test, bool),
}

/// The normal form of the jump `left cond right`.
#[inline]
pub(crate) fn normalise(cond: Cond, left: Value, right: Value, exprs: &mut Exprs) -> Normal {
    match (cond, left, right) {
        (Cond::Jset, _, _) => {
            let common = exprs.by_value(Alu::And, left, right);
            negated(equal(common, 0, exprs))
        }
        (Cond::Jeq, _, Value::Const(k)) => equal(left, k, exprs),
        (Cond::Jeq, Value::Const(k), _) => equal(right, k, exprs),
        (Cond::Jgt, _, Value::Const(k)) if planted(Fault::FlippedComparison) => negated(above(left, k)),
        (Cond::Jgt, _, Value::Const(k)) => above(left, k),
        (Cond::Jge, _, Value::Const(k)) => match k.checked_sub(1) {
            Some(below) => above(left, below),
            None => Normal::Known(true),
        },
        // k > right is not right > k - 1, and k >= right is not right > k.
        (Cond::Jgt, Value::Const(k), _) => match k.checked_sub(1) {
            Some(below) => negated(above(right, below)),
            None => Normal::Known(false),
        },
        (Cond::Jge, Value::Const(k), _) => negated(above(right, k)),
        _ if left == right => Normal::Known(cond != Cond::Jgt),
        (Cond::Jeq, _, _) => wide(Relation::Equal, left, right),
        (Cond::Jgt, _, _) => wide(Relation::Above, left, right),
        (Cond::Jge, _, _) => negated(wide(Relation::Above, right, left)),
    }
}

/// The normal form of the jump `word cond k` as a test, and whether the jump is taken when the test does not hold.
/// `None` when all words go the same way.
#[inline]
pub(crate) fn plain(cond: Cond, word: Word, k: u32) -> Option<(WordTest, bool)> {
    let (relation, mask, value) = match cond {
        Cond::Jeq => (Relation::Equal, u32::MAX, k),
        Cond::Jgt if k < u32::MAX => (Relation::Above, u32::MAX, k),
        Cond::Jge if planted(Fault::MissedBound) => (Relation::Above, u32::MAX, k),
        Cond::Jge => (Relation::Above, u32::MAX, k.checked_sub(1)?),
        Cond::Jset if k != 0 => (Relation::Equal, k, 0),
        Cond::Jgt | Cond::Jset => return None,
    };
    let word = word.number();
    let test = WordTest {
        word,
        relation,
        mask,
        value,
    };
    Some((test, cond == Cond::Jset))
}

const fn wide(relation: Relation, left: Value, right: Value) -> Normal {
    Normal::Test(Test::Wide { relation, left, right }, false)
}

const fn negated(normal: Normal) -> Normal {
    match normal {
        Normal::Known(holds) => Normal::Known(!holds),
        Normal::Test(test, swap) => Normal::Test(test, !swap),
    }
}

/// `value == k`. Operations that can be undone are undone on the constant instead.
#[inline]
fn equal(mut value: Value, mut k: u32, exprs: &Exprs) -> Normal {
    loop {
        match value {
            Value::Const(is) => return Normal::Known(is == k),
            Value::Field(field) => return field_equal(field, k),
            Value::Derived(number) => match exprs.get(number) {
                Some(Expr {
                    op: Alu::Xor,
                    left,
                    right: Value::Const(by),
                }) => (value, k) = (left, k ^ by),
                Some(Expr {
                    op: Alu::Add,
                    left,
                    right: Value::Const(by),
                }) => {
                    (value, k) = (left, k.wrapping_sub(by));
                }
                Some(Expr {
                    op: Alu::Sub,
                    left: Value::Const(0),
                    right,
                }) => {
                    (value, k) = (right, k.wrapping_neg());
                }
                _ => return wide(Relation::Equal, value, Value::Const(k)),
            },
        }
    }
}

#[inline]
fn field_equal(field: Field, k: u32) -> Normal {
    let value = unslide(k, field.shift);
    if field.of(value) != k {
        return Normal::Known(false);
    }
    word(field, Relation::Equal, value)
}

/// `value > k`.
fn above(value: Value, k: u32) -> Normal {
    match value {
        Value::Const(is) => Normal::Known(is > k),
        Value::Field(field) if field.of(u32::MAX) <= k => Normal::Known(false),
        // Below the lowest bit of a field moved to the right there is room that the comparison must not look at.
        Value::Field(field) if field.shift < 0 => {
            let low = unslide(u32::MAX, field.shift);
            word(field, Relation::Above, unslide(k, field.shift) | !low)
        }
        Value::Field(field) => word(field, Relation::Above, unslide(k, field.shift)),
        Value::Derived(_) => wide(Relation::Above, value, Value::Const(k)),
    }
}

fn word(field: Field, relation: Relation, value: u32) -> Normal {
    let test = WordTest {
        word: field.word.number(),
        relation,
        mask: field.mask,
        value,
    };
    Normal::Test(Test::Word(test), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_testgen::{Choose, Seed, constant};
    use callproof_vm::ShiftByX;

    fn holds(cond: Cond, a: u32, b: u32) -> bool {
        match cond {
            Cond::Jeq => a == b,
            Cond::Jgt => a > b,
            Cond::Jge => a >= b,
            Cond::Jset => a & b != 0,
        }
    }

    fn decide(normal: Normal, value: impl Fn(Value) -> u32, word: u32) -> bool {
        match normal {
            Normal::Known(holds) => holds,
            Normal::Test(Test::Word(test), swap) => test.holds(word) != swap,
            Normal::Test(Test::Wide { relation, left, right }, swap) => {
                let holds = match relation {
                    Relation::Equal => value(left) == value(right),
                    Relation::Above => value(left) > value(right),
                };
                holds != swap
            }
        }
    }

    #[test]
    fn fields_are_compared_as_they_are() {
        const CONDS: [Option<Cond>; 4] = [Some(Cond::Jeq), Some(Cond::Jgt), Some(Cond::Jge), Some(Cond::Jset)];
        let mut known = 0;
        for case in 0..200_000 {
            let mut seed = Seed::new(5, case);
            let mut exprs = Exprs::new(ShiftByX::Masked);
            let word = crate::value::WORDS[7];
            let (is, mut value) = (constant(&mut seed), word);
            let mut computed = is;
            for _ in 0..seed.below(3) {
                let k = seed.below(32);
                (value, computed) = match seed.below(4) {
                    0 => (exprs.by_constant(Alu::Lsh, value, k), computed << k),
                    1 => (exprs.by_constant(Alu::Rsh, value, k), computed >> k),
                    _ => {
                        let k = constant(&mut seed);
                        (exprs.by_constant(Alu::And, value, k), computed & k)
                    }
                };
            }
            let Value::Field(field) = value else { continue };
            let cond = seed.pick(&CONDS).unwrap();
            let near = seed.pick(&[0, 1, u32::MAX]);
            let k = if seed.one_in(2) {
                computed.wrapping_add(near)
            } else {
                constant(&mut seed)
            };
            let of = |value| match value {
                Value::Const(k) => k,
                Value::Field(field) => field.of(is),
                Value::Derived(_) => panic!("no expression here"),
            };
            let normal = normalise(cond, value, Value::Const(k), &mut exprs);
            known += u32::from(matches!(normal, Normal::Known(_)));
            assert_eq!(
                decide(normal, of, is),
                holds(cond, computed, k),
                "{field:?} {cond:?} {k:#x} {is:#x}"
            );
            let turned = normalise(cond, Value::Const(k), value, &mut exprs);
            assert_eq!(
                decide(turned, of, is),
                holds(cond, k, computed),
                "{field:?} {cond:?} {k:#x} {is:#x}"
            );
        }
        assert!(known > 1000, "{known}");
    }

    #[test]
    fn whole_words_are_compared_at_sight_as_any_field() {
        let bounds = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
        for cond in [Cond::Jeq, Cond::Jgt, Cond::Jge, Cond::Jset] {
            for k in bounds {
                let mut exprs = Exprs::new(ShiftByX::Masked);
                let normal = normalise(cond, crate::value::WORDS[9], Value::Const(k), &mut exprs);
                match plain(cond, Word::W9, k) {
                    Some((test, swapped)) => assert_eq!(normal, Normal::Test(Test::Word(test), swapped)),
                    None => assert!(matches!(normal, Normal::Known(_)), "{cond:?} {k:#x}"),
                }
            }
        }
    }
}
