//! Where choices come from.

/// A stream of choices.
pub trait Choose {
    /// The next 64 bits.
    fn word(&mut self) -> u64;

    /// A number below `bound`; 0 when the bound is 0.
    fn below(&mut self, bound: u32) -> u32 {
        scale(self.word() >> 32, bound)
    }

    /// 32 bits.
    fn half(&mut self) -> u32 {
        scale(self.word() >> 32, u32::MAX)
    }

    /// True once in `n` times, and never when `n` is 0.
    fn one_in(&mut self, n: u32) -> bool {
        // The last number, not the first: a source that has run dry answers 0, and rare things are not simple things.
        n != 0 && self.below(n) == n - 1
    }

    /// One of the items; the default when there are none.
    fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.get(self.below(bound) as usize).copied().unwrap_or_default()
    }
}

impl<C: Choose + ?Sized> Choose for &mut C {
    fn word(&mut self) -> u64 {
        (**self).word()
    }

    fn below(&mut self, bound: u32) -> u32 {
        (**self).below(bound)
    }

    fn half(&mut self) -> u32 {
        (**self).half()
    }
}

/// Maps 32 random bits to a number below `bound`. The bias is below 2^-32 times the bound, which no test here can see.
const fn scale(bits: u64, bound: u32) -> u32 {
    (bits.wrapping_mul(bound as u64) >> 32) as u32
}

/// Choices from a number: the SplitMix64 generator (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// The choices for case `number` of a run with this seed. Cases of one run do not depend on each other.
    #[must_use]
    pub const fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed) ^ mix(number.wrapping_add(GOLDEN)))
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Choose for Seed {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    fn half(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.word().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

const fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Choices from bytes, for fuzzers and property tests. When the bytes run out every choice is the first one, so that
/// fewer and smaller bytes make a simpler case.
///
/// ```
/// use callproof_testgen::{Bytes, program};
/// use callproof_vm::Filter;
/// use proptest::prelude::*;
/// proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..512))| {
///     prop_assert!(Filter::load(program(&mut Bytes::new(&bytes))).is_ok());
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    /// Choices from these bytes.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: u32) -> u64 {
        (0..count).fold(0, |value, _| {
            let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
            self.0 = rest;
            value << 8 | u64::from(*byte)
        })
    }
}

impl Choose for Bytes<'_> {
    fn word(&mut self) -> u64 {
        self.take(8)
    }

    fn below(&mut self, bound: u32) -> u32 {
        thrifty(bound, |count| self.take(count))
    }

    fn half(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.take(4).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// A number below `bound` of as few bytes as it takes: mutations of the input then change one choice and leave the others.
pub(crate) fn thrifty(bound: u32, mut take: impl FnMut(u32) -> u64) -> u32 {
    match bound {
        0..=1 => 0,
        2..=0x100 => scale(take(1) << 24, bound),
        0x101..=0x1_0000 => scale(take(2) << 16, bound),
        _ => scale(take(4), bound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_stay_in_bounds_and_reach_them() {
        let mut seed = Seed::new(1, 2);
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            seen[seed.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
        assert_eq!(seed.below(0), 0);
        assert!(!seed.one_in(0) && seed.one_in(1));
        assert_eq!(seed.pick::<u8>(&[]), 0);
        let high = (0..1000).filter(|_| seed.half() >= 0x8000_0000).count();
        assert!((400..600).contains(&high), "{high}");
    }

    #[test]
    fn cases_are_reproducible_and_differ() {
        let first = |seed, number| Seed::new(seed, number).word();
        assert_eq!(first(1, 1), first(1, 1));
        let mut all: Vec<u64> = (0..100).flat_map(|s| (0..100).map(move |n| first(s, n))).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn bytes_run_dry_to_the_first_choice() {
        let mut bytes = Bytes::new(&[255, 1, 2, 3, 4]);
        assert_eq!(bytes.below(10), 9);
        assert_eq!(bytes.half(), 0x0102_0304);
        assert_eq!((bytes.below(10), bytes.word(), bytes.half()), (0, 0, 0));
        assert!(!bytes.one_in(2));
    }
}
