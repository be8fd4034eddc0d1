//! And-gates over the bits of the input, built exactly as `docs/PROOFS.md` section 7 says: a refutation refers to the
//! clauses of this circuit by number, and the checker builds the same one for itself.

use callproof_checker::Shift;
use callproof_vm::isa::Cond;

use crate::limits::{Engine, Limit, Limits, Undecided};
use crate::table::Map;

/// A variable times two, plus one if negated. Variable 0 is never true.
pub(super) type Literal = u32;

/// Thirty-two literals, the least significant first.
pub(super) type Word = [Literal; 32];

pub(super) const FALSE: Literal = 0;
pub(super) const TRUE: Literal = 1;
pub(super) const ZERO: Word = [FALSE; 32];

/// Variables 1 to 512 are the bits of the input; gates come behind.
pub(super) const FIRST_GATE: u32 = 513;
/// What a checker reads.
const MOST_GATES: usize = 1 << 22;

pub(super) const fn not(a: Literal) -> Literal {
    a ^ 1
}

pub(super) fn constant(k: u32) -> Word {
    core::array::from_fn(|place| k >> (place & 31) & 1)
}

/// An input word, numbered in the order of variables.
pub(super) fn input(word: u8) -> Word {
    let top = u32::from(word).saturating_mul(32).saturating_add(32);
    let mut place = 0_u32;
    core::array::from_fn(|_| {
        place = place.saturating_add(1);
        // Bit v of the input is variable v + 1.
        top.saturating_sub(place).saturating_add(1).saturating_mul(2)
    })
}

/// Gates, each the conjunction of two literals of smaller variables; equal gates are one.
#[derive(Debug)]
pub(super) struct Circuit {
    gates: Vec<(Literal, Literal)>,
    known: Map<(Literal, Literal), Literal>,
    /// How many there may be
    most: usize,
    full: bool,
}

impl Circuit {
    /// No gates yet.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            gates: Vec::new(),
            known: Map::default(),
            most: (limits.gates as usize).min(MOST_GATES),
            full: false,
        }
    }

    /// The operands of a gate.
    pub(super) fn gate(&self, variable: u32) -> Option<(Literal, Literal)> {
        self.gates.get(variable.checked_sub(FIRST_GATE)? as usize).copied()
    }

    /// Variables, of inputs and gates.
    pub(super) fn variables(&self) -> u32 {
        FIRST_GATE.saturating_add(u32::try_from(self.gates.len()).unwrap_or(u32::MAX))
    }

    /// Whether there was room for every gate so far.
    pub(super) const fn complete(&self) -> Result<(), Undecided> {
        if self.full {
            return Err(Undecided {
                engine: Engine::Sat,
                limit: Limit::Gates,
            });
        }
        Ok(())
    }

    pub(super) fn and(&mut self, a: Literal, b: Literal) -> Literal {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        if a == FALSE || a == not(b) {
            return FALSE;
        }
        if a == TRUE || a == b {
            return b;
        }
        if let Some(gate) = self.known.get(&(a, b)) {
            return *gate;
        }
        if self.gates.len() >= self.most {
            self.full = true;
            return FALSE;
        }
        let gate = self.variables().saturating_mul(2);
        self.gates.push((a, b));
        self.known.insert((a, b), gate);
        gate
    }

    pub(super) fn or(&mut self, a: Literal, b: Literal) -> Literal {
        not(self.and(not(a), not(b)))
    }

    fn xor(&mut self, a: Literal, b: Literal) -> Literal {
        let left = self.and(a, not(b));
        let right = self.and(not(a), b);
        self.or(left, right)
    }

    pub(super) fn mux(&mut self, choice: Literal, then: Literal, otherwise: Literal) -> Literal {
        if then == otherwise {
            return then;
        }
        let left = self.and(choice, then);
        let right = self.and(not(choice), otherwise);
        self.or(left, right)
    }

    pub(super) fn mux_word(&mut self, choice: Literal, then: &Word, otherwise: &Word) -> Word {
        pairs(then, otherwise, |a, b| self.mux(choice, a, b))
    }

    pub(super) fn and_words(&mut self, a: &Word, b: &Word) -> Word {
        pairs(a, b, |a, b| self.and(a, b))
    }

    pub(super) fn or_words(&mut self, a: &Word, b: &Word) -> Word {
        pairs(a, b, |a, b| self.or(a, b))
    }

    pub(super) fn xor_words(&mut self, a: &Word, b: &Word) -> Word {
        pairs(a, b, |a, b| self.xor(a, b))
    }

    pub(super) fn and_each(&mut self, a: Literal, word: &Word) -> Word {
        word.map(|bit| self.and(a, bit))
    }

    /// The sum and the carry out.
    pub(super) fn add(&mut self, a: &Word, b: &Word, mut carry: Literal) -> (Word, Literal) {
        let sum = pairs(a, b, |a, b| {
            let half = self.xor(a, b);
            let sum = self.xor(half, carry);
            let both = self.and(a, b);
            let carried = self.and(half, carry);
            carry = self.or(both, carried);
            sum
        });
        (sum, carry)
    }

    pub(super) fn subtract(&mut self, a: &Word, b: &Word) -> (Word, Literal) {
        self.add(a, &b.map(not), TRUE)
    }

    pub(super) fn multiply(&mut self, a: &Word, b: &Word) -> Word {
        let mut sum = ZERO;
        for (by, bit) in b.iter().enumerate() {
            let part = self.and_each(*bit, &moved(a, by, true));
            sum = self.add(&sum, &part, FALSE).0;
        }
        sum
    }

    pub(super) fn divide(&mut self, a: &Word, b: &Word) -> Word {
        let (mut rest, mut quotient) = (ZERO, ZERO);
        for (digit, next) in quotient.iter_mut().zip(a).rev() {
            let [.., top] = rest;
            rest.rotate_right(1);
            if let Some(lowest) = rest.first_mut() {
                *lowest = *next;
            }
            let (less, carry) = self.subtract(&rest, b);
            *digit = self.or(top, carry);
            rest = self.mux_word(*digit, &less, &rest);
        }
        quotient
    }

    pub(super) fn shift(&mut self, a: &Word, b: &Word, rule: Shift, left: bool) -> Word {
        let mut word = *a;
        for (stage, bit) in b.iter().enumerate().take(5) {
            word = self.mux_word(*bit, &moved(&word, 1 << stage, left), &word);
        }
        let looked_at = match rule {
            Shift::Masked => 5,
            Shift::SixBitZero => 6,
            Shift::Arm8 => 8,
        };
        let mut beyond = FALSE;
        for bit in b.iter().take(looked_at).skip(5) {
            beyond = self.or(beyond, *bit);
        }
        self.and_each(not(beyond), &word)
    }

    pub(super) fn compare(&mut self, op: Cond, a: &Word, b: &Word) -> Literal {
        let mut result = match op {
            Cond::Jeq | Cond::Jge => TRUE,
            Cond::Jgt | Cond::Jset => FALSE,
        };
        for (&a, &b) in a.iter().zip(b) {
            result = match op {
                Cond::Jeq => {
                    let differ = self.xor(a, b);
                    self.and(result, not(differ))
                }
                Cond::Jgt | Cond::Jge => {
                    let differ = self.xor(a, b);
                    let larger = self.and(a, not(b));
                    self.mux(differ, larger, result)
                }
                Cond::Jset => {
                    let both = self.and(a, b);
                    self.or(result, both)
                }
            };
        }
        result
    }

    pub(super) fn in_range(&mut self, a: &Word, first: u32, last: u32) -> Literal {
        if first == last {
            return self.compare(Cond::Jeq, a, &constant(first));
        }
        let from = self.compare(Cond::Jge, a, &constant(first));
        let beyond = self.compare(Cond::Jgt, a, &constant(last));
        self.and(from, not(beyond))
    }

    pub(super) fn in_set(&mut self, a: &Word, set: &[(u32, u32)]) -> Literal {
        let mut result = FALSE;
        for &(first, last) in set {
            let within = self.in_range(a, first, last);
            result = self.or(result, within);
        }
        result
    }
}

fn pairs(a: &Word, b: &Word, mut gate: impl FnMut(Literal, Literal) -> Literal) -> Word {
    let mut word = ZERO;
    for (bit, (a, b)) in word.iter_mut().zip(a.iter().zip(b)) {
        *bit = gate(*a, *b);
    }
    word
}

fn moved(a: &Word, by: usize, left: bool) -> Word {
    let mut word = ZERO;
    if left {
        for (to, from) in word.iter_mut().skip(by).zip(a) {
            *to = *from;
        }
    } else {
        for (to, from) in word.iter_mut().zip(a.iter().skip(by)) {
            *to = *from;
        }
    }
    word
}
