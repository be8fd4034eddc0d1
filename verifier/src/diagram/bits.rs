//! Arithmetic as boolean functions: one diagram for each bit of a value.

use callproof_vm::ShiftByX;
use callproof_vm::isa::Alu;

use crate::diagram::{Arena, Diagram, Ref};
use crate::graph::Graph;
use crate::limits::Undecided;
use crate::test::Relation;
use crate::value::{Expr, Exprs, Field, Value};

/// The bits of a value, the least significant first.
pub(crate) type Bits = [Ref; 32];

/// The bits of a graph's values, each worked out once.
#[derive(Debug)]
pub(crate) struct Words {
    exprs: Exprs,
    done: Vec<Option<Box<Bits>>>,
}

impl Words {
    pub(crate) fn new(graph: &Graph) -> Self {
        Self {
            // Nearly always empty, and then the copy costs nothing.
            exprs: graph.exprs().clone(),
            done: vec![None; graph.exprs().len()],
        }
    }

    /// Where `left relation right` holds.
    pub(crate) fn compare(
        &mut self,
        arena: &mut Arena,
        relation: Relation,
        left: Value,
        right: Value,
    ) -> Result<Ref, Undecided> {
        let (x, y) = (self.bits(arena, left)?, self.bits(arena, right)?);
        match relation {
            Relation::Equal => equal(arena, &x, &y),
            Relation::Above => above(arena, &x, &y),
        }
    }

    /// The bits of a value.
    pub(crate) fn bits(&mut self, arena: &mut Arena, value: Value) -> Result<Bits, Undecided> {
        let Value::Derived(wanted) = value else {
            return simple(arena, value);
        };
        // Expressions can be as deep as a filter is long: no recursion here.
        let mut waiting = vec![wanted];
        while let Some(&number) = waiting.last() {
            let Some(expr) = self.exprs.get(number).filter(|_| self.of(number).is_none()) else {
                waiting.pop();
                continue;
            };
            let missing = [expr.left, expr.right].into_iter().filter_map(|operand| match operand {
                Value::Derived(number) if self.of(number).is_none() => Some(number),
                _ => None,
            });
            let before = waiting.len();
            waiting.extend(missing);
            if waiting.len() == before {
                let bits = self.compute(arena, expr)?;
                if let Some(slot) = self.done.get_mut(number as usize) {
                    *slot = Some(Box::new(bits));
                }
                waiting.pop();
            }
        }
        Ok(self.of(wanted).copied().unwrap_or([Ref::FALSE; 32]))
    }

    fn of(&self, number: u32) -> Option<&Bits> {
        self.done.get(number as usize)?.as_deref()
    }

    fn compute(&self, arena: &mut Arena, expr: Expr) -> Result<Bits, Undecided> {
        let mut operand = |value| match value {
            Value::Derived(number) => Ok(self.of(number).copied().unwrap_or([Ref::FALSE; 32])),
            _ => simple(arena, value),
        };
        let (x, y) = (operand(expr.left)?, operand(expr.right)?);
        match expr.op {
            Alu::And => pairwise(&x, &y, |a, b| arena.and(a, b)),
            Alu::Or => pairwise(&x, &y, |a, b| arena.or(a, b)),
            Alu::Xor => pairwise(&x, &y, |a, b| arena.xor(a, b)),
            Alu::Add => add(arena, &x, &y, Ref::FALSE).map(|(sum, _)| sum),
            Alu::Sub => subtract(arena, &x, &y).map(|(difference, _)| difference),
            Alu::Mul => multiply(arena, &x, &y),
            Alu::Div => divide(arena, &x, &y),
            Alu::Lsh => shift(arena, &x, &y, self.exprs.shift(), true),
            Alu::Rsh => shift(arena, &x, &y, self.exprs.shift(), false),
            // Admission refuses it.
            Alu::Mod => Ok([Ref::FALSE; 32]),
        }
    }
}

fn simple(arena: &mut Arena, value: Value) -> Result<Bits, Undecided> {
    let mut bits = [Ref::FALSE; 32];
    for (place, bit) in (0_u32..).zip(&mut bits) {
        *bit = match value {
            Value::Const(k) => boolean(k >> place & 1 == 1),
            Value::Field(field) => field_bit(arena, field, place)?,
            Value::Derived(_) => Ref::FALSE,
        };
    }
    Ok(bits)
}

fn field_bit(arena: &mut Arena, field: Field, place: u32) -> Result<Ref, Undecided> {
    let Some(of_word) = place
        .checked_add_signed(-i32::from(field.shift))
        .filter(|bit| *bit < 32)
    else {
        return Ok(Ref::FALSE);
    };
    if field.mask >> of_word & 1 == 0 {
        return Ok(Ref::FALSE);
    }
    let var = arena
        .order()
        .lane(field.word.number())
        .var(31_u32.saturating_sub(of_word));
    arena.join(var, Ref::FALSE, Ref::TRUE)
}

pub(crate) const fn boolean(holds: bool) -> Ref {
    if holds { Ref::TRUE } else { Ref::FALSE }
}

fn pairwise(x: &Bits, y: &Bits, mut gate: impl FnMut(Ref, Ref) -> Result<Ref, Undecided>) -> Result<Bits, Undecided> {
    let mut bits = [Ref::FALSE; 32];
    for (bit, (a, b)) in bits.iter_mut().zip(x.iter().zip(y)) {
        *bit = gate(*a, *b)?;
    }
    Ok(bits)
}

/// Where all bits are equal.
pub(crate) fn equal(arena: &mut Arena, x: &[Ref], y: &[Ref]) -> Result<Ref, Undecided> {
    let mut all = Ref::TRUE;
    // The least significant bit stands deepest in the order: from the bottom up.
    for (a, b) in x.iter().zip(y) {
        let differ = arena.xor(*a, *b)?;
        all = arena.choose(differ, Ref::FALSE, all)?;
    }
    Ok(all)
}

/// Where the first number is larger.
pub(crate) fn above(arena: &mut Arena, x: &[Ref], y: &[Ref]) -> Result<Ref, Undecided> {
    let mut larger = Ref::FALSE;
    for (a, b) in x.iter().zip(y) {
        let differ = arena.xor(*a, *b)?;
        larger = arena.choose(differ, *a, larger)?;
    }
    Ok(larger)
}

/// The sum and the carry out.
fn add(arena: &mut Arena, x: &Bits, y: &Bits, mut carry: Ref) -> Result<(Bits, Ref), Undecided> {
    let mut sum = [Ref::FALSE; 32];
    for (bit, (a, b)) in sum.iter_mut().zip(x.iter().zip(y)) {
        let differ = arena.xor(*a, *b)?;
        *bit = arena.xor(differ, carry)?;
        carry = arena.choose(differ, carry, *a)?;
    }
    Ok((sum, carry))
}

/// The difference, and whether it is not negative.
fn subtract(arena: &mut Arena, x: &Bits, y: &Bits) -> Result<(Bits, Ref), Undecided> {
    let inverted = pairwise(y, y, |bit, _| arena.not(bit))?;
    add(arena, x, &inverted, Ref::TRUE)
}

fn multiply(arena: &mut Arena, x: &Bits, y: &Bits) -> Result<Bits, Undecided> {
    let mut sum = [Ref::FALSE; 32];
    for (by, bit) in y.iter().enumerate().filter(|(_, bit)| **bit != Ref::FALSE) {
        let mut partial = [Ref::FALSE; 32];
        for (place, from) in partial.iter_mut().skip(by).zip(x) {
            *place = arena.and(*from, *bit)?;
        }
        sum = add(arena, &sum, &partial, Ref::FALSE)?.0;
    }
    Ok(sum)
}

/// Division as on paper, one bit of the quotient after the other. What it gives for a divisor of 0 does not matter.
fn divide(arena: &mut Arena, x: &Bits, y: &Bits) -> Result<Bits, Undecided> {
    let mut rest = [Ref::FALSE; 32];
    let mut quotient = [Ref::FALSE; 32];
    for (bit, next) in quotient.iter_mut().rev().zip(x.iter().rev()) {
        // The rest gains a digit; the bit that leaves makes it larger than any divisor.
        let [.., overflow] = rest;
        rest.rotate_right(1);
        if let Some(lowest) = rest.first_mut() {
            *lowest = *next;
        }
        let (less, fits) = subtract(arena, &rest, y)?;
        *bit = arena.or(overflow, fits)?;
        let subtracts = *bit;
        for (rest, less) in rest.iter_mut().zip(less) {
            *rest = arena.choose(subtracts, less, *rest)?;
        }
    }
    Ok(quotient)
}

/// A shift by a value, as the machine's rule has it.
fn shift(arena: &mut Arena, x: &Bits, y: &Bits, rule: ShiftByX, left: bool) -> Result<Bits, Undecided> {
    let mut bits = *x;
    for (stage, count) in y.iter().enumerate().take(5) {
        let from = moved(&bits, 1 << stage, left);
        bits = pairwise(&from, &bits, |there, here| arena.choose(*count, there, here))?;
    }
    let counted = match rule {
        ShiftByX::Masked => 5,
        ShiftByX::SixBitZero => 6,
        ShiftByX::Arm8 => 8,
    };
    for count in y.iter().take(counted).skip(5) {
        bits = pairwise(&bits, &bits, |bit, _| arena.choose(*count, Ref::FALSE, bit))?;
    }
    Ok(bits)
}

fn moved(bits: &Bits, by: usize, left: bool) -> Bits {
    let mut moved = [Ref::FALSE; 32];
    if left {
        for (to, from) in moved.iter_mut().skip(by).zip(bits) {
            *to = *from;
        }
    } else {
        for (to, from) in moved.iter_mut().zip(bits.iter().skip(by)) {
            *to = *from;
        }
    }
    moved
}
