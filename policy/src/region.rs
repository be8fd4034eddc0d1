//! The same predicate as a filter could test it: on 32-bit words.

use callproof_vm::{Endian, SeccompData};

use crate::condition::{Compare, Field, Test};
use crate::formula::Formula;

/// A set of inputs, as tests on the words of `seccomp_data`.
///
/// A 64-bit comparison is two tests or three, the high word first. Decision diagrams are built from this form.
pub type Region = Formula<WordTest>;

/// One test: `words[index] & mask` compared with `value`, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WordTest {
    /// Which word, 0 to 15: `ld [4 * index]` reads it
    pub index: u8,
    /// The bits of it that count
    pub mask: u32,
    /// How the two are compared
    pub compare: Compare,
    /// The other side
    pub value: u32,
}

impl WordTest {
    /// Whether the words pass the test; a word that is not there reads as 0.
    #[must_use]
    pub fn holds(&self, words: &[u32; 16]) -> bool {
        let word = words.get(usize::from(self.index)).copied().unwrap_or_default();
        self.compare.holds(u64::from(word & self.mask), u64::from(self.value))
    }
}

impl Region {
    /// Whether the record with these words lies in the region.
    #[must_use]
    pub fn holds_for(&self, words: &[u32; 16]) -> bool {
        self.holds(&|test| test.holds(words))
    }

    /// Whether the call lies in the region, on a machine with this byte order.
    #[must_use]
    pub fn contains(&self, call: &SeccompData, endian: Endian) -> bool {
        self.holds_for(&call.words(endian))
    }

    fn word(index: u8, mask: u32, compare: Compare, value: u32) -> Self {
        let atom = Self::Atom(WordTest {
            index,
            mask,
            compare,
            value,
        });
        match compare {
            Compare::Eq if value & !mask != 0 => Self::FALSE,
            Compare::Eq if mask == 0 => Self::TRUE,
            Compare::Gt if value >= mask => Self::FALSE,
            _ => atom,
        }
    }
}

/// One test on a field as tests on its words.
pub(crate) fn lower(test: &Test, endian: Endian) -> Region {
    let Some((low, high)) = words_of(test.field, endian) else {
        let zero_passes = test.compare.holds(0, test.value);
        return if zero_passes { Region::TRUE } else { Region::FALSE };
    };
    let ((low_mask, high_mask), (low_value, high_value)) = (halves(test.mask), halves(test.value));
    let Some(high) = high else {
        return match (test.compare, high_value) {
            (compare, 0) => Region::word(low, low_mask, compare, low_value),
            _ => Region::FALSE,
        };
    };
    let high_is = |compare| Region::word(high, high_mask, compare, high_value);
    let low_is = Region::word(low, low_mask, test.compare, low_value);
    let tied = Region::all([high_is(Compare::Eq), low_is]);
    match test.compare {
        Compare::Eq => tied,
        Compare::Gt => Region::any([high_is(Compare::Gt), tied]),
    }
}

/// The words that hold the low half of a field and, where it has one, the high half; `None` for no field.
fn words_of(field: Field, endian: Endian) -> Option<(u8, Option<u8>)> {
    let first = match field {
        Field::Nr => return Some((0, None)),
        Field::Arch => return Some((1, None)),
        Field::Ip => 2,
        Field::Arg(index @ 0..=5) => 4 + 2 * index,
        Field::Arg(_) => return None,
    };
    Some(match endian {
        Endian::Little => (first, Some(first + 1)),
        Endian::Big => (first + 1, Some(first)),
    })
}

/// The low and the high half.
#[expect(clippy::cast_possible_truncation, reason = "each half is meant to be cut out")]
const fn halves(value: u64) -> (u32, u32) {
    (value as u32, (value >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(field: Field, mask: u64, compare: Compare, value: u64) -> Test {
        Test {
            field,
            mask,
            compare,
            value,
        }
    }

    #[test]
    fn a_half_is_one_word() {
        let low = test(Field::Arg(0), 0xffff_ffff, Compare::Eq, 7);
        let expected = |index| {
            Region::Atom(WordTest {
                index,
                mask: u32::MAX,
                compare: Compare::Eq,
                value: 7,
            })
        };
        assert_eq!(lower(&low, Endian::Little), expected(4));
        assert_eq!(lower(&low, Endian::Big), expected(5));
        let high = test(Field::Ip, 0xffff_ffff_0000_0000, Compare::Eq, 7 << 32);
        assert_eq!(lower(&high, Endian::Little), expected(3));
        assert_eq!(lower(&high, Endian::Big), expected(2));
    }

    #[test]
    fn what_cannot_be_is_false() {
        assert!(lower(&test(Field::Nr, u64::MAX, Compare::Eq, 1 << 32), Endian::Little).is_false());
        assert!(lower(&test(Field::Arg(0), 1, Compare::Eq, 2), Endian::Little).is_false());
        assert!(lower(&test(Field::Arg(0), u64::MAX, Compare::Gt, u64::MAX), Endian::Little).is_false());
        assert!(lower(&test(Field::Arg(6), u64::MAX, Compare::Eq, 0), Endian::Little).is_true());
        assert!(lower(&test(Field::Arg(0), 0, Compare::Eq, 0), Endian::Big).is_true());
    }
}
