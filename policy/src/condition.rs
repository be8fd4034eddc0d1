//! What a call must be, in numbers: tests on the fields of `seccomp_data` as 64-bit values.

use callproof_vm::{Endian, SeccompData};

use crate::formula::Formula;
use crate::region::Region;

/// A predicate with every name replaced by numbers: what it says about one call is exact and total.
///
/// Byte order plays no part here. [`Condition::lower`] brings it in.
/// ```
/// use callproof_policy::{Compare, Condition, Field, Formula, Test};
/// use callproof_vm::SeccompData;
///
/// let low_half_is_7 = Condition::Atom(Test { field: Field::Arg(1), mask: 0xffff_ffff, compare: Compare::Eq, value: 7 });
/// assert!(low_half_is_7.holds_for(&SeccompData::new(0xC000_003E, 0, [0, 0xdead_0000_0007, 0, 0, 0, 0])));
/// ```
pub type Condition = Formula<Test>;

/// One test: `field & mask` compared with `value`, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// What is read
    pub field: Field,
    /// The bits of it that count; of the 32-bit fields the low half
    pub mask: u64,
    /// How the two are compared
    pub compare: Compare,
    /// The other side
    pub value: u64,
}

/// The two comparisons to which all others come down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// Equal
    Eq,
    /// Greater, unsigned
    Gt,
}

impl Compare {
    /// Whether `left` stands so to `right`.
    #[must_use]
    pub const fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Gt => left > right,
        }
    }
}

/// A field of `seccomp_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The number of the call, as 32 unsigned bits
    Nr,
    /// The audit architecture, 32 bits
    Arch,
    /// The instruction pointer, 64 bits
    Ip,
    /// An argument register, 0 to 5, 64 bits; any other reads as 0
    Arg(u8),
}

impl Field {
    /// The value of the field in a call.
    #[must_use]
    pub fn of(self, call: &SeccompData) -> u64 {
        match self {
            Self::Nr => u64::from(call.nr.cast_unsigned()),
            Self::Arch => u64::from(call.arch),
            Self::Ip => call.instruction_pointer,
            Self::Arg(index) => call.args.get(usize::from(index)).copied().unwrap_or_default(),
        }
    }
}

impl Test {
    /// `field == value`, all bits.
    #[must_use]
    pub const fn equal(field: Field, value: u64) -> Self {
        Self {
            field,
            mask: u64::MAX,
            compare: Compare::Eq,
            value,
        }
    }

    /// Whether the call passes the test.
    #[must_use]
    pub fn holds(&self, call: &SeccompData) -> bool {
        self.compare.holds(self.field.of(call) & self.mask, self.value)
    }
}

impl Condition {
    /// Whether the condition is true of the call.
    #[must_use]
    pub fn holds_for(&self, call: &SeccompData) -> bool {
        self.holds(&|test| test.holds(call))
    }

    /// The same condition as tests on the sixteen words that a filter of a machine with this byte order loads.
    ///
    /// For every call, `condition.holds_for(call)` equals `condition.lower(endian).holds_for(&call.words(endian))`.
    #[must_use]
    pub fn lower(&self, endian: Endian) -> Region {
        self.map(&|test| crate::region::lower(test, endian))
    }

    /// `low <= field & mask <= high`.
    #[must_use]
    pub fn within(field: Field, mask: u64, low: u64, high: u64) -> Self {
        let at_most = |value| {
            let compare = Compare::Gt;
            Self::Atom(Test {
                field,
                mask,
                compare,
                value,
            })
            .negated()
        };
        let at_least = low.checked_sub(1).map_or(Self::TRUE, |below| at_most(below).negated());
        let bounded = if high >= mask { Self::TRUE } else { at_most(high) };
        Self::all([at_least, bounded])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_both_ends() {
        let range = Condition::within(Field::Arg(0), u64::MAX, 3, 5);
        let inside: Vec<u64> = (0..9)
            .filter(|&a| range.holds_for(&SeccompData::new(0, 0, [a, 0, 0, 0, 0, 0])))
            .collect();
        assert_eq!(inside, [3, 4, 5]);
        assert!(Condition::within(Field::Arg(0), 0xff, 0, 0xff).is_true());
    }

    #[test]
    fn fields_are_read_whole() {
        let call = SeccompData {
            nr: -1,
            arch: 2,
            instruction_pointer: 3,
            args: [4, 5, 6, 7, 8, 9],
        };
        let read = |field: Field| field.of(&call);
        assert_eq!(read(Field::Nr), 0xffff_ffff);
        assert_eq!(
            (
                read(Field::Arch),
                read(Field::Ip),
                read(Field::Arg(5)),
                read(Field::Arg(6))
            ),
            (2, 3, 9, 0)
        );
    }
}
