//! One form for every test of a word against a constant.

use callproof_vm::isa::Cond;

/// `(word & mask) - low <= span`, modulo 2^32: is the masked word one of `low ..= low + span`?
///
/// All four conditions of the instruction set have this form, so evaluating one needs no choice among four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Test {
    pub(crate) mask: u32,
    low: u32,
    span: u32,
}

impl Test {
    /// No word passes: 0 is not 1.
    const NEVER: Self = Self {
        mask: 0,
        low: 1,
        span: 0,
    };

    /// The test of a conditional jump on a constant.
    pub(crate) const fn new(cond: Cond, k: u32) -> Self {
        let (mask, low) = match (cond, k.checked_add(1)) {
            (Cond::Jset, _) if k != 0 => (k, 1),
            (Cond::Jge, _) => (u32::MAX, k),
            (Cond::Jgt, Some(next)) => (u32::MAX, next),
            (Cond::Jeq, _) => return Self::equal(k),
            (Cond::Jset | Cond::Jgt, _) => return Self::NEVER,
        };
        let span = u32::MAX.wrapping_sub(low);
        Self { mask, low, span }
    }

    const fn equal(k: u32) -> Self {
        Self {
            mask: u32::MAX,
            low: k,
            span: 0,
        }
    }

    /// The same test of a word of which only some bits are kept.
    pub(crate) const fn keeping(self, bits: u32) -> Self {
        Self {
            mask: self.mask & bits,
            ..self
        }
    }

    /// The only word that passes, if there is just one and all its bits are looked at.
    pub(crate) const fn only(self) -> Option<u32> {
        if self.mask == u32::MAX && self.span == 0 {
            Some(self.low)
        } else {
            None
        }
    }

    /// The words that pass, as long as no other bits than these are looked at: none when the test looks at others.
    pub(crate) const fn range(self, mask: u32) -> Option<(u32, u32)> {
        match self.low.checked_add(self.span) {
            Some(last) if self.mask == mask => Some((self.low, last)),
            _ => None,
        }
    }

    /// The test as one of a 64-bit field of which the word is a half, the low one or that 32 bits up.
    pub(crate) const fn wide(self, shift: u8) -> Wide {
        const fn at(word: u32, shift: u8) -> u64 {
            (word as u64).wrapping_shl(shift as u32)
        }
        Wide {
            mask: at(self.mask, shift),
            low: at(self.low, shift),
            span: at(self.span, shift),
        }
    }

    /// Whether a word passes.
    #[inline(always)]
    pub(crate) const fn passes(self, word: u32) -> bool {
        (word & self.mask).wrapping_sub(self.low) <= self.span
    }
}

/// The same form for 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wide {
    mask: u64,
    low: u64,
    span: u64,
}

impl Wide {
    /// Whether a field passes.
    #[inline(always)]
    pub(crate) const fn passes(self, field: u64) -> bool {
        (field & self.mask).wrapping_sub(self.low) <= self.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [u32; 12] = [
        0,
        1,
        2,
        3,
        0x3fff_ffff,
        0x4000_0000,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_fffe,
        u32::MAX,
        0x55,
    ];

    #[test]
    fn every_condition_has_this_form() {
        for cond in [Cond::Jeq, Cond::Jgt, Cond::Jge, Cond::Jset] {
            for k in WORDS {
                for word in WORDS {
                    assert_eq!(
                        Test::new(cond, k).passes(word),
                        cond.holds(word, k),
                        "{cond:?} {word:#x} {k:#x}"
                    );
                    let kept = Test::new(cond, k).keeping(0x8000_0003).passes(word);
                    assert_eq!(kept, cond.holds(word & 0x8000_0003, k), "{cond:?} {word:#x} {k:#x}");
                    let test = Test::new(cond, k);
                    for other in WORDS {
                        let (low, high) = (
                            u64::from(other) << 32 | u64::from(word),
                            u64::from(word) << 32 | u64::from(other),
                        );
                        assert_eq!(test.wide(0).passes(low), test.passes(word), "{cond:?} {word:#x} {k:#x}");
                        assert_eq!(
                            test.wide(32).passes(high),
                            test.passes(word),
                            "{cond:?} {word:#x} {k:#x}"
                        );
                    }
                    if let Some((first, last)) = test.range(u32::MAX) {
                        assert_eq!(
                            (first..=last).contains(&word),
                            test.passes(word),
                            "{cond:?} {word:#x} {k:#x}"
                        );
                    }
                }
            }
        }
    }
}
