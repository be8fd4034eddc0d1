//! The order of the 512 input bits in decision diagrams.
//!
//! Architecture, number, the six arguments (high half before low half), instruction pointer; the most significant bit
//! of each word first, so that a comparison of a 64-bit argument reads its bits in one row. Words that a filter
//! compares with each other are interleaved bit by bit, where the first of them stands.

use std::borrow::Cow;

use callproof_vm::Endian;

/// The number of an input bit in the order; smaller ones are asked first.
pub(crate) type Var = u16;

/// What a node without a question has.
pub(crate) const TERMINAL: Var = Var::MAX;

/// Where the bits of a word are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Lane {
    /// The most significant bit
    pub(crate) base: Var,
    /// Distance from one bit to the next
    pub(crate) stride: u16,
}

impl Lane {
    /// The bit at this distance from the most significant one.
    #[inline]
    pub(crate) const fn var(self, bit: u32) -> Var {
        self.base.saturating_add(self.stride.saturating_mul((bit & 31) as u16))
    }

    /// The least significant bit.
    pub(crate) const fn last(self) -> Var {
        self.var(31)
    }
}

/// An order of all input bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    lanes: [Lane; 16],
    /// For each variable, the word and the bit's distance from the most significant one
    bits: Cow<'static, [(u8, u8)]>,
}

/// The bits of the order in which no words are interleaved, for both byte orders.
const PLAIN: [[(u8, u8); 512]; 2] = [plain(row(Endian::Little)), plain(row(Endian::Big))];

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time, where a wrong index is a build error"
)]
const fn plain(row: [u8; 16]) -> [(u8, u8); 512] {
    let mut bits = [(0, 0); 512];
    let mut var = 0;
    while var < 512 {
        bits[var] = (row[var / 32], (var % 32) as u8);
        var += 1;
    }
    bits
}

impl Order {
    /// The order for a machine where words of each group, given one bit a word, are interleaved.
    pub(crate) fn new(endian: Endian, groups: impl IntoIterator<Item = u16>) -> Self {
        let mut group_of: [u16; 16] = core::array::from_fn(|word| 1 << word);
        for group in groups {
            let joined = group_of
                .iter()
                .filter(|have| *have & group != 0)
                .fold(group, |all, have| all | have);
            for have in &mut group_of {
                if *have & joined != 0 {
                    *have = joined;
                }
            }
        }
        let row = row(endian);
        let mut lanes = [Lane::default(); 16];
        let mut place = |word: u8, lane| {
            if let Some(slot) = lanes.get_mut(usize::from(word)) {
                *slot = lane;
            }
        };
        if group_of.iter().all(|group| group.is_power_of_two()) {
            for (base, word) in (0..).step_by(32).zip(row) {
                place(word, Lane { base, stride: 1 });
            }
            let [little, big] = &PLAIN;
            let bits = Cow::Borrowed(&(if endian == Endian::Little { little } else { big })[..]);
            return Self { lanes, bits };
        }
        let mut bits = Vec::with_capacity(512);
        let mut placed = 0_u16;
        for word in row {
            if placed >> word & 1 == 0 {
                let group = group_of.get(usize::from(word)).copied().unwrap_or(0);
                placed |= group;
                let words: Vec<u8> = row.into_iter().filter(|word| group >> word & 1 == 1).collect();
                let start = u16::try_from(bits.len()).unwrap_or(0);
                let stride = u16::try_from(words.len()).unwrap_or(1);
                for (distance, word) in (0_u16..).zip(&words) {
                    let base = start.saturating_add(distance);
                    place(*word, Lane { base, stride });
                }
                bits.extend((0..32).flat_map(|bit| words.iter().map(move |word| (*word, bit))));
            }
        }
        Self {
            lanes,
            bits: Cow::Owned(bits),
        }
    }

    #[inline]
    pub(crate) fn lane(&self, word: u8) -> Lane {
        self.lanes.get(usize::from(word)).copied().unwrap_or_default()
    }

    /// The word of a variable, and the bit's distance from the most significant one.
    #[inline]
    pub(crate) fn bit(&self, var: Var) -> Option<(u8, u8)> {
        self.bits.get(usize::from(var)).copied()
    }

    /// Whether an input has the bit of this variable set.
    pub(crate) fn is_set(&self, var: Var, words: &[u32; 16]) -> bool {
        self.bit(var).is_some_and(|(word, bit)| {
            let word = words.get(usize::from(word)).copied().unwrap_or(0);
            word << (bit & 31) >> 31 == 1
        })
    }

    /// Sets the bit of this variable.
    pub(crate) fn set(&self, var: Var, words: &mut [u32; 16]) {
        if let Some((word, bit)) = self.bit(var)
            && let Some(word) = words.get_mut(usize::from(word))
        {
            *word |= 0x8000_0000 >> (bit & 31);
        }
    }
}

/// The words in the order in which they are asked.
pub(crate) const fn row(endian: Endian) -> [u8; 16] {
    match endian {
        Endian::Little => [1, 0, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 3, 2],
        Endian::Big => [1, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_one_place() {
        for groups in [
            vec![],
            vec![0b10],
            vec![0b11_0000],
            vec![0xfff0],
            vec![0b11_0000, 0b110_0000, 0b11],
            vec![0xffff],
        ] {
            for endian in [Endian::Little, Endian::Big] {
                let order = Order::new(endian, groups.clone());
                assert_eq!(order.bits.len(), 512);
                for (var, &(word, bit)) in (0..).zip(&order.bits[..]) {
                    assert_eq!(order.lane(word).var(u32::from(bit)), var);
                    let mut words = [0; 16];
                    order.set(var, &mut words);
                    assert!(order.is_set(var, &words));
                    assert_eq!(words[usize::from(word)], 1 << (31 - bit));
                }
            }
        }
    }

    #[test]
    fn only_related_words_are_interleaved() {
        let order = Order::new(Endian::Little, [0b1000_0000_0011_0000, 0b11]);
        assert_eq!(order.lane(1), Lane { base: 0, stride: 2 });
        assert_eq!(order.lane(0), Lane { base: 1, stride: 2 });
        assert_eq!(order.lane(5), Lane { base: 64, stride: 3 });
        assert_eq!(order.lane(15).base, 66);
        assert_eq!(order.lane(7), Lane { base: 160, stride: 1 });
        assert_eq!(order.lane(7).last(), 191);
    }
}
