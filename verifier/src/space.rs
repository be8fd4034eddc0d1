//! The space of functions from calls to values, in which questions are asked.

use callproof_vm::{Endian, Machine, SeccompData};

use crate::diagram::{Arena, Diagram, Ref, word};
use crate::function::{Form, Function};
use crate::limits::{Limits, Undecided};
use crate::order::Order;
use crate::subject::Subject;
use crate::test::{Relation, WordTest};
use crate::verdicts::Verdicts;

/// A set of calls. Two sets of one space are equal when they have the same calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Set(pub(crate) Ref);

impl Set {
    /// No call.
    pub const EMPTY: Self = Self(Ref::FALSE);
    /// Every call.
    pub const ALL: Self = Self(Ref::TRUE);

    /// Whether no call is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }
}

/// Where functions and sets of calls live, as canonical decision diagrams.
///
/// Functions and sets of one space can be compared and combined; those of different spaces have nothing to do with
/// each other. A space only grows: make one for a few related questions and drop it.
#[derive(Clone, Debug)]
pub struct Space {
    pub(crate) arena: Arena,
    machine: Machine,
    preferred: Vec<u32>,
}

/// The ABIs in which witnesses are looked for first: x86_64, aarch64, i386.
const PREFERRED: [u32; 3] = [0xc000_003e, 0xc000_00b7, 0x4000_0003];

impl Space {
    /// A space for questions about these subjects. Input words that they relate to each other are kept close; other
    /// subjects may be asked about too, at a price when they relate different words.
    #[must_use]
    pub fn new(machine: Machine, subjects: &[&Subject<'_>], limits: &Limits) -> Self {
        let graphs = subjects.iter().flat_map(|subject| subject.graphs());
        let order = Order::new(machine.endian, graphs.flat_map(|graph| graph.relations()));
        Self {
            arena: Arena::new(order, limits),
            machine,
            preferred: PREFERRED.to_vec(),
        }
    }

    /// The machine that calls are made on.
    #[must_use]
    pub const fn machine(&self) -> Machine {
        self.machine
    }

    /// Number of diagram nodes, of everything in the space together.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.arena.len()
    }

    /// Bytes of memory that the space takes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.arena.bytes()
    }

    /// Looks for witnesses in these ABIs first, given by their `AUDIT_ARCH_*` words.
    pub fn prefer(&mut self, arches: &[u32]) {
        self.preferred = arches.to_vec();
    }

    pub(crate) fn preferred(&self) -> &[u32] {
        &self.preferred
    }

    /// The limits on steps and time start afresh: another question.
    pub fn restart(&mut self) {
        self.arena.meter().restart();
    }

    /// The calls for which a masked input word compares like this. Words are numbered as they lie in memory.
    ///
    /// # Errors
    /// [`Undecided`] at a limit, as for every operation of a space.
    pub fn word(&mut self, test: &WordTest) -> Result<Set, Undecided> {
        word::test(&mut self.arena, test, Ref::TRUE, Ref::FALSE).map(Set)
    }

    /// The calls of an ABI, given by its `AUDIT_ARCH_*` word.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn arch(&mut self, arch: u32) -> Result<Set, Undecided> {
        self.word(&WordTest {
            word: 1,
            relation: Relation::Equal,
            mask: u32::MAX,
            value: arch,
        })
    }

    /// The calls of these numbers, compared unsigned.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn numbers(&mut self, from: u32, to: u32) -> Result<Set, Undecided> {
        self.word_range(0, from, to)
    }

    fn word_range(&mut self, word: u8, from: u32, to: u32) -> Result<Set, Undecided> {
        let above = |value| WordTest {
            word,
            relation: Relation::Above,
            mask: u32::MAX,
            value,
        };
        let from = match from.checked_sub(1) {
            Some(below) => self.word(&above(below))?,
            None => Set::ALL,
        };
        let beyond = self.word(&above(to))?;
        self.minus(from, beyond)
    }

    /// The calls whose masked argument (0 to 5) compares like this, as an unsigned 64-bit number. A mask of the low
    /// half looks at what the kernel reads of a 32-bit argument.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn argument(&mut self, argument: u8, relation: Relation, mask: u64, value: u64) -> Result<Set, Undecided> {
        let first = argument.min(5).saturating_mul(2).saturating_add(4);
        self.wide_word(first, relation, mask, value)
    }

    /// As [`argument`](Self::argument), for the instruction pointer.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn instruction_pointer(&mut self, relation: Relation, mask: u64, value: u64) -> Result<Set, Undecided> {
        self.wide_word(2, relation, mask, value)
    }

    fn wide_word(&mut self, first: u8, relation: Relation, mask: u64, value: u64) -> Result<Set, Undecided> {
        let (low, high) = match self.machine.endian {
            Endian::Little => (first, first.saturating_add(1)),
            Endian::Big => (first.saturating_add(1), first),
        };
        let ((mask_high, mask_low), (value_high, value_low)) = (halves(mask), halves(value));
        let equal = |word, mask, value| WordTest {
            word,
            relation: Relation::Equal,
            mask,
            value,
        };
        let above = |word, mask, value| WordTest {
            word,
            relation: Relation::Above,
            mask,
            value,
        };
        if relation == Relation::Equal {
            if value & !mask != 0 {
                return Ok(Set::EMPTY);
            }
            let high = self.word(&equal(high, mask_high, value_high))?;
            let low = self.word(&equal(low, mask_low, value_low))?;
            return self.and(high, low);
        }
        let larger = self.word(&above(high, mask_high, value_high))?;
        let low_larger = self.word(&above(low, mask_low, value_low))?;
        if value_high & !mask_high != 0 {
            return Ok(larger);
        }
        let same = self.word(&equal(high, mask_high, value_high))?;
        let same = self.and(same, low_larger)?;
        self.or(larger, same)
    }

    /// The calls for which a function has one of these values.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn calls(&mut self, function: &Function, verdicts: &Verdicts) -> Result<Set, Undecided> {
        match &function.form {
            Form::Whole(root) => {
                let op = self.arena.own_op();
                self.arena
                    .map(op, *root, &mut |value| u32::from(verdicts.contains(value)))
                    .map(Set)
            }
            Form::Bits(bits) => {
                let mut any = Ref::FALSE;
                for &(mask, value) in &verdicts.patterns {
                    let matches = self.arena.matches(bits, mask, value)?;
                    any = self.arena.or(any, matches)?;
                }
                if verdicts.none {
                    self.arena.not(any).map(Set)
                } else {
                    Ok(Set(any))
                }
            }
        }
    }

    /// The calls in both sets.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn and(&mut self, a: Set, b: Set) -> Result<Set, Undecided> {
        self.arena.and(a.0, b.0).map(Set)
    }

    /// The calls in one set or the other.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn or(&mut self, a: Set, b: Set) -> Result<Set, Undecided> {
        self.arena.or(a.0, b.0).map(Set)
    }

    /// The calls not in a set.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn not(&mut self, a: Set) -> Result<Set, Undecided> {
        self.arena.not(a.0).map(Set)
    }

    /// The calls in one set and not in the other.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn minus(&mut self, a: Set, b: Set) -> Result<Set, Undecided> {
        self.arena.choose(b.0, Ref::FALSE, a.0).map(Set)
    }

    /// Whether a call is in a set.
    #[must_use]
    pub fn contains(&self, set: Set, call: &SeccompData) -> bool {
        self.arena.evaluate(set.0, &call.words(self.machine.endian)) == 1
    }

    /// How many of the 2^512 calls are in a set, as a fraction of all; exact as long as a `f64` is.
    #[must_use]
    pub fn share(&self, set: Set) -> f64 {
        self.arena.share(set.0)
    }

    /// A call of a set: in a preferred ABI if there is one, of the lowest number, with arguments as small as can be.
    /// `None` when the set is empty.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn example(&mut self, set: Set) -> Result<Option<SeccompData>, Undecided> {
        for arch in self.preferred.clone() {
            let own = self.arch(arch)?;
            let own = self.and(own, set)?;
            if !own.is_empty() {
                return Ok(self.smallest(own));
            }
        }
        Ok(self.smallest(set))
    }

    fn smallest(&self, set: Set) -> Option<SeccompData> {
        let words = self.arena.smallest(set.0)?;
        Some(SeccompData::from_words(words, self.machine.endian))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each half is meant to be cut out")]
const fn halves(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}
