//! Where a call keeps the words that a filter loads.

use callproof_vm::{Endian, SeccompData};

/// A word of the record: half of a field of [`SeccompData`]. Which half it is depends on the byte order alone, so finding
/// that out once spares laying out all sixteen words for every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// 0 to 5 for an argument, [`POINTER`] or [`HEAD`]
    pub(crate) field: u8,
    /// 0 for the low half, 32 for the high one
    pub(crate) shift: u8,
}

/// The instruction pointer.
const POINTER: u8 = 6;
/// The number as the low half, the architecture as the high one.
const HEAD: u8 = 7;

impl Place {
    /// The word that `ld [4 * index]` loads, for an index below 16.
    pub(crate) const fn new(index: u8, endian: Endian) -> Self {
        let even = index & 1 == 0;
        let (field, low) = match index {
            0 | 1 => (HEAD, even),
            2 | 3 => (POINTER, even == matches!(endian, Endian::Little)),
            _ => (index.wrapping_sub(4) / 2, even == matches!(endian, Endian::Little)),
        };
        Self {
            field,
            shift: if low { 0 } else { 32 },
        }
    }

    /// The word of a call.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a word is half of a field")]
    pub(crate) fn word(self, call: &SeccompData) -> u32 {
        field(call, self.field).wrapping_shr(u32::from(self.shift)) as u32
    }
}

/// A whole field of a call.
#[inline(always)]
pub(crate) fn field(call: &SeccompData, field: u8) -> u64 {
    match call.args.get(usize::from(field)) {
        Some(argument) => *argument,
        None if field == POINTER => call.instruction_pointer,
        None => u64::from(call.nr.cast_unsigned()) | u64::from(call.arch) << 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found() {
        let words: [u32; 16] = core::array::from_fn(|index| 0x0101_0101 * (u32::try_from(index).unwrap() + 1));
        for endian in [Endian::Little, Endian::Big] {
            let call = SeccompData::from_words(words, endian);
            for (index, word) in (0..).zip(call.words(endian)) {
                assert_eq!(Place::new(index, endian).word(&call), word, "{endian:?} {index}");
            }
        }
    }
}
