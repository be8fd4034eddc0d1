//! What a register holds: nothing known, a constant, or bits of one input word. `docs/PROOFS.md` section 4.

use crate::format::{Op, Shift};

/// What is known about a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Unknown,
    Const(u32),
    Field(Field),
}

/// `((word shifted) & mask) ^ flip`, for words in the variable order.
///
/// Bits of `mask` stand where shifting left a bit of the word, and there is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    word: u8,
    /// To the left if positive
    shift: i8,
    mask: u32,
    flip: u32,
}

/// One bit of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bit {
    Const(bool),
    /// A bit of the input, the other way round if `flip`
    Input {
        var: u32,
        flip: bool,
    },
}

/// An operation on two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    Or,
    And,
    Lsh,
    Rsh,
    Xor,
}

impl Field {
    /// A field as it stands in a file.
    pub(crate) fn new(word: u8, shift: i32, mask: u32, flip: u32) -> Option<Self> {
        let filled = match shift {
            0..32 => u32::MAX << shift,
            -31..0 => u32::MAX >> shift.unsigned_abs(),
            _ => return None,
        };
        let shift = i8::try_from(shift).ok()?;
        let plain = mask & !filled == 0 && mask != 0 && word < 16;
        plain.then_some(Self {
            word,
            shift,
            mask,
            flip,
        })
    }

    /// Whether it has every bit of its word.
    pub(crate) const fn is_whole(&self) -> bool {
        self.mask == u32::MAX
    }

    /// A bit, the most significant being number 0.
    pub(crate) fn bit(&self, index: u32) -> Bit {
        let place = 31_u32.saturating_sub(index);
        let flip = self.flip >> place & 1 == 1;
        if self.mask >> place & 1 == 0 {
            return Bit::Const(flip);
        }
        // In the word, the bit stands `shift` places lower.
        let index = index.saturating_add_signed(i32::from(self.shift));
        let var = u32::from(self.word).saturating_mul(32).saturating_add(index);
        Bit::Input { var, flip }
    }

    /// The number in this field of a bit of the input, if it has that bit.
    pub(crate) fn index(&self, var: u32) -> Option<u32> {
        let index = var.checked_sub(u32::from(self.word).saturating_mul(32))?;
        let index = index.checked_add_signed(i32::from(self.shift).saturating_neg())?;
        let place = 31_u32.checked_sub(index)?;
        (self.mask >> place & 1 == 1).then_some(index)
    }
}

impl Value {
    /// A word of the input, whole.
    pub(crate) const fn word(word: u8) -> Self {
        Self::Field(Field {
            word,
            shift: 0,
            mask: u32::MAX,
            flip: 0,
        })
    }

    /// `self op other`. The divisor is not the constant zero.
    pub(crate) fn alu(self, op: Alu, other: Self, shift: Shift) -> Self {
        match (self, other, op) {
            (Self::Const(a), Self::Const(b), _) => Self::Const(compute(op, a, b, shift)),
            (Self::Field(field), Self::Const(k), _) => field.alu(op, k, shift),
            (Self::Const(k), Self::Field(field), Alu::And | Alu::Or | Alu::Xor | Alu::Add | Alu::Mul) => {
                field.alu(op, k, shift)
            }
            _ => Self::Unknown,
        }
    }
}

impl Field {
    fn alu(self, op: Alu, k: u32, shift: Shift) -> Value {
        let power = k.is_power_of_two().then_some(k.trailing_zeros());
        match (op, power) {
            (Alu::And, _) => self.with(self.mask & k, self.flip & k, 0),
            (Alu::Or, _) => self.with(self.mask & !k, self.flip | k, 0),
            (Alu::Xor, _) => self.with(self.mask, self.flip ^ k, 0),
            (Alu::Add | Alu::Sub, _) if k == 0 => Value::Field(self),
            (Alu::Mul, Some(count)) => self.left(count),
            (Alu::Div, Some(count)) => self.right(count),
            (Alu::Lsh, _) => shift.count(k).map_or(Value::Const(0), |count| self.left(count)),
            (Alu::Rsh, _) => shift.count(k).map_or(Value::Const(0), |count| self.right(count)),
            _ => Value::Unknown,
        }
    }

    fn left(self, count: u32) -> Value {
        self.with(self.mask << count, self.flip << count, count.cast_signed())
    }

    fn right(self, count: u32) -> Value {
        let down = count.cast_signed().saturating_neg();
        self.with(self.mask >> count, self.flip >> count, down)
    }

    /// Moves by `shift` more; without a bit of the word left, it is a constant.
    fn with(self, mask: u32, flip: u32, shift: i32) -> Value {
        let shift = i32::from(self.shift).saturating_add(shift);
        Self::new(self.word, shift, mask, flip).map_or(Value::Const(flip), Value::Field)
    }
}

impl Shift {
    /// By how far to shift for this X, or `None` when the result is 0.
    pub(crate) const fn count(self, x: u32) -> Option<u32> {
        let count = match self {
            Self::Masked => x & 31,
            Self::Arm8 => x & 255,
            Self::SixBitZero => x & 63,
        };
        if count < 32 { Some(count) } else { None }
    }
}

fn compute(op: Alu, a: u32, b: u32, shift: Shift) -> u32 {
    match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b).unwrap_or(0),
        Alu::Or => a | b,
        Alu::And => a & b,
        Alu::Xor => a ^ b,
        Alu::Lsh => shift.count(b).map_or(0, |count| a << count),
        Alu::Rsh => shift.count(b).map_or(0, |count| a >> count),
    }
}

/// `a op b` as the question whether a value lies in a range: from 1 to 0 if it never does.
///
/// Of a value that is not known nothing is known.
pub(crate) fn comparison(op: Op, a: Value, b: Value) -> (Value, (u32, u32)) {
    const NEVER: (u32, u32) = (1, 0);
    match (op, a, b) {
        (Op::Eq, value, Value::Const(k)) | (Op::Eq, Value::Const(k), value) => (value, (k, k)),
        (Op::Gt, value, Value::Const(k)) => (value, k.checked_add(1).map_or(NEVER, |next| (next, u32::MAX))),
        (Op::Ge, value, Value::Const(k)) => (value, (k, u32::MAX)),
        (Op::Gt, Value::Const(k), value) => (value, k.checked_sub(1).map_or(NEVER, |before| (0, before))),
        (Op::Ge, Value::Const(k), value) => (value, (0, k)),
        (Op::Set, ..) => (a.alu(Alu::And, b, Shift::Masked), (1, u32::MAX)),
        _ => (Value::Unknown, NEVER),
    }
}
