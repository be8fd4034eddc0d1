//! And-gates over the bits of the input, and words of them. `docs/PROOFS.md` section 7.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::Rejected;
use crate::format::{Op, Set, Shift};
use crate::value::Alu;

/// A variable times two, plus one if negated. Variable 0 is never true.
pub type Literal = u32;

/// Thirty-two literals, the least significant first.
pub(crate) type Word = [Literal; 32];

pub(crate) const FALSE: Literal = 0;
pub(crate) const TRUE: Literal = 1;
/// Variables 1 to 512 are the bits of the input.
const INPUTS: u32 = 512;
const MAX_GATES: usize = 1 << 22;
const MAX_ASKED: u32 = 1 << 26;

pub(crate) const fn not(a: Literal) -> Literal {
    a ^ 1
}

/// Gates, each the conjunction of two literals of smaller variables. Equal gates are one.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    gates: Vec<(Literal, Literal)>,
    known: BTreeMap<(Literal, Literal), Literal>,
    /// How often a gate was asked for
    asked: u32,
}

/// The bit of the input that has this number in the variable order.
pub(crate) const fn input(var: u32) -> Literal {
    var.saturating_add(1).saturating_mul(2)
}

pub(crate) fn constant(k: u32) -> Word {
    core::array::from_fn(|place| k >> place & 1)
}

fn zip(a: &Word, b: &Word, mut f: impl FnMut(Literal, Literal) -> Literal) -> Word {
    let mut pairs = a.iter().zip(b);
    core::array::from_fn(|_| pairs.next().map_or(FALSE, |(&a, &b)| f(a, b)))
}

/// Moves a word up by `count` places, down if negative.
fn moved(a: &Word, count: i32) -> Word {
    let mut place = 0_i32;
    core::array::from_fn(|_| {
        let from = usize::try_from(place.saturating_sub(count)).ok();
        place = place.saturating_add(1);
        from.and_then(|from| a.get(from)).copied().unwrap_or(FALSE)
    })
}

impl Circuit {
    /// The two operands of a gate, by its variable.
    pub(crate) fn gate(&self, variable: u32) -> Option<(Literal, Literal)> {
        let index = variable.checked_sub(INPUTS.saturating_add(1))?;
        self.gates.get(index as usize).copied()
    }

    pub(crate) fn variables(&self) -> u32 {
        INPUTS.saturating_add(u32::try_from(self.gates.len()).unwrap_or(u32::MAX))
    }

    /// Refuses a circuit that has become too large.
    pub(crate) fn bounded(&self) -> Result<(), Rejected> {
        if self.gates.len() < MAX_GATES && self.asked < MAX_ASKED {
            Ok(())
        } else {
            Err(Rejected::unsupported(
                "the filters need more than 4,194,304 gates, or these too often",
            ))
        }
    }

    pub(crate) fn and(&mut self, a: Literal, b: Literal) -> Literal {
        let (a, b) = (a.min(b), a.max(b));
        if a == FALSE || a == not(b) {
            return FALSE;
        }
        if a == TRUE || a == b {
            return b;
        }
        self.asked = self.asked.saturating_add(1);
        let next = self.variables().saturating_add(1).saturating_mul(2);
        let gate = *self.known.entry((a, b)).or_insert(next);
        if gate == next {
            self.gates.push((a, b));
        }
        gate
    }

    pub(crate) fn or(&mut self, a: Literal, b: Literal) -> Literal {
        not(self.and(not(a), not(b)))
    }

    fn xor(&mut self, a: Literal, b: Literal) -> Literal {
        let one = self.and(a, not(b));
        let other = self.and(not(a), b);
        self.or(one, other)
    }

    pub(crate) fn mux(&mut self, c: Literal, then: Literal, otherwise: Literal) -> Literal {
        if then == otherwise {
            return then;
        }
        let one = self.and(c, then);
        let other = self.and(not(c), otherwise);
        self.or(one, other)
    }

    pub(crate) fn choose(&mut self, c: Literal, then: &Word, otherwise: &Word) -> Word {
        zip(then, otherwise, |then, otherwise| self.mux(c, then, otherwise))
    }

    /// Each bit of the word, if the literal is true.
    pub(crate) fn only_if(&mut self, c: Literal, a: &Word) -> Word {
        a.map(|bit| self.and(c, bit))
    }

    pub(crate) fn either(&mut self, a: &Word, b: &Word) -> Word {
        zip(a, b, |a, b| self.or(a, b))
    }

    /// `a + b + carry`, and the carry out.
    fn add(&mut self, a: &Word, b: &Word, mut carry: Literal) -> (Word, Literal) {
        let sum = zip(a, b, |a, b| {
            let half = self.xor(a, b);
            let sum = self.xor(half, carry);
            let both = self.and(a, b);
            let through = self.and(half, carry);
            carry = self.or(both, through);
            sum
        });
        (sum, carry)
    }

    fn mul(&mut self, a: &Word, b: &Word) -> Word {
        (0_i32..).zip(b).fold(constant(0), |sum, (place, &bit)| {
            let part = self.only_if(bit, &moved(a, place));
            self.add(&sum, &part, FALSE).0
        })
    }

    /// Long division. The quotient by zero is all ones; nobody asks for it.
    fn div(&mut self, a: &Word, b: &Word) -> Word {
        let negated = b.map(not);
        let mut rest = constant(0);
        let mut quotient = constant(0);
        for (bit, digit) in a.iter().zip(quotient.iter_mut()).rev() {
            let [.., top] = rest;
            rest = moved(&rest, 1);
            rest[0] = *bit;
            // The rest has 33 bits: if the topmost is set, it is no less than b.
            let (difference, carry) = self.add(&rest, &negated, TRUE);
            *digit = self.or(top, carry);
            rest = self.choose(*digit, &difference, &rest);
        }
        quotient
    }

    fn shifted(&mut self, a: &Word, count: &Word, left: bool, rule: Shift) -> Word {
        let over = match rule {
            Shift::Masked => 0,
            Shift::Arm8 => 3,
            Shift::SixBitZero => 1,
        };
        let (counted, above) = count.split_at(5);
        let mut result = *a;
        for (places, &bit) in [1, 2, 4, 8, 16].into_iter().zip(counted) {
            let further = moved(&result, if left { places } else { 0_i32.saturating_sub(places) });
            result = self.choose(bit, &further, &result);
        }
        let zero = above.iter().take(over).fold(FALSE, |zero, &bit| self.or(zero, bit));
        self.only_if(not(zero), &result)
    }

    /// `a op b`.
    pub(crate) fn alu(&mut self, op: Alu, a: &Word, b: &Word, rule: Shift) -> Word {
        match op {
            Alu::Add => self.add(a, b, FALSE).0,
            Alu::Sub => self.add(a, &b.map(not), TRUE).0,
            Alu::Mul => self.mul(a, b),
            Alu::Div => self.div(a, b),
            Alu::And => zip(a, b, |a, b| self.and(a, b)),
            Alu::Or => zip(a, b, |a, b| self.or(a, b)),
            Alu::Xor => zip(a, b, |a, b| self.xor(a, b)),
            Alu::Lsh => self.shifted(a, b, true, rule),
            Alu::Rsh => self.shifted(a, b, false, rule),
        }
    }

    /// Whether `a op b`.
    pub(crate) fn compare(&mut self, op: Op, a: &Word, b: &Word) -> Literal {
        let start = if matches!(op, Op::Eq | Op::Ge) { TRUE } else { FALSE };
        a.iter().zip(b).fold(start, |sofar, (&a, &b)| match op {
            Op::Eq => {
                let differ = self.xor(a, b);
                self.and(sofar, not(differ))
            }
            Op::Gt | Op::Ge => {
                let differ = self.xor(a, b);
                let above = self.and(a, not(b));
                self.mux(differ, above, sofar)
            }
            Op::Set => {
                let both = self.and(a, b);
                self.or(sofar, both)
            }
        })
    }

    /// Whether a word lies in a range.
    pub(crate) fn between(&mut self, a: &Word, first: u32, last: u32) -> Literal {
        if first == last {
            return self.compare(Op::Eq, a, &constant(first));
        }
        let from = self.compare(Op::Ge, a, &constant(first));
        let beyond = self.compare(Op::Gt, a, &constant(last));
        self.and(from, not(beyond))
    }

    pub(crate) fn member(&mut self, a: &Word, set: &Set) -> Result<Literal, Rejected> {
        set.iter().try_fold(FALSE, |member, &(first, last)| {
            self.bounded()?;
            let inside = self.between(a, first, last);
            Ok(self.or(member, inside))
        })
    }
}
