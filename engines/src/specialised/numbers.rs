//! Sets of call numbers: those of one window that are on the same way through a filter.

use crate::test::Test;

/// How many numbers a window has.
pub(super) const WINDOW: usize = 512;

/// Some numbers of a window, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The number of bit 0
    base: u32,
    bits: [u64; WINDOW / 64],
}

impl Numbers {
    /// All numbers of a window.
    pub(super) const fn all(window: u32) -> Self {
        Self {
            base: window.wrapping_mul(512),
            bits: [u64::MAX; WINDOW / 64],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bits.iter().all(|&bits| bits == 0)
    }

    /// The number, if it is just one.
    pub(super) fn single(&self) -> Option<u32> {
        let mut numbers = self.iter();
        numbers.next().filter(|_| numbers.next().is_none())
    }

    /// The numbers, and where each stands in its window.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.places().map(|place| self.base.wrapping_add(place))
    }

    /// Where the numbers stand in their window.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).step_by(64).zip(self.bits).flat_map(|(start, bits)| {
            // Each round clears the lowest bit that is set.
            let rest = core::iter::successors(Some(bits), |&bits| Some(bits & bits.wrapping_sub(1)));
            rest.take_while(|&bits| bits != 0)
                .map(move |bits| start.wrapping_add(bits.trailing_zeros()))
        })
    }

    /// The numbers that pass a test, and those that do not.
    pub(super) fn split(&self, test: Test) -> (Self, Self) {
        let none = Self {
            bits: [0; WINDOW / 64],
            ..*self
        };
        let (mut yes, mut no) = (none, *self);
        match test.only() {
            // Most tests ask for one number.
            Some(number) => yes.add(number.wrapping_sub(self.base)),
            None => {
                let passing = self
                    .places()
                    .filter(|place| test.passes(self.base.wrapping_add(*place)));
                passing.for_each(|place| yes.add(place));
            }
        }
        for ((yes, no), all) in yes.bits.iter_mut().zip(&mut no.bits).zip(self.bits) {
            *yes &= all;
            *no = all & !*yes;
        }
        (yes, no)
    }

    /// Each number as a set of its own.
    pub(super) fn singles(&self) -> impl Iterator<Item = Self> + '_ {
        self.places().map(|place| {
            let mut one = Self {
                bits: [0; WINDOW / 64],
                ..*self
            };
            one.add(place);
            one
        })
    }

    fn add(&mut self, place: u32) {
        if let Some(bits) = self.bits.get_mut(place as usize / 64) {
            *bits |= 1 << (place % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_vm::isa::Cond;

    #[test]
    fn a_test_splits_as_it_judges_each_number() {
        for window in [0, 1, 0x40_0000 / 2, u32::MAX / 512] {
            let all = Numbers::all(window);
            for cond in [Cond::Jeq, Cond::Jgt, Cond::Jge, Cond::Jset] {
                for k in [0, 1, 63, 64, 511, 512, 700, 0x4000_0000, 0x4000_0007, u32::MAX] {
                    let test = Test::new(cond, k);
                    let (yes, no) = all.split(test);
                    assert!(yes.iter().all(|nr| test.passes(nr)), "{cond:?} {k:#x}");
                    assert!(no.iter().all(|nr| !test.passes(nr)), "{cond:?} {k:#x}");
                    assert_eq!(yes.iter().count() + no.iter().count(), WINDOW);
                }
            }
        }
    }

    #[test]
    fn singles() {
        let (one, others) = Numbers::all(2).split(Test::new(Cond::Jeq, 1030));
        assert_eq!((one.single(), others.single()), (Some(1030), None));
        assert_eq!(others.singles().count(), 511);
        assert!(one.split(Test::new(Cond::Jeq, 3)).0.is_empty());
    }
}
