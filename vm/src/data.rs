//! The 64-byte record that a filter judges: `struct seccomp_data`.

/// Byte order of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Endian {
    /// Least significant byte first
    #[default]
    Little,
    /// Most significant byte first
    Big,
}

impl Endian {
    /// The byte order of the machine this code was compiled for.
    pub const NATIVE: Self = if cfg!(target_endian = "big") {
        Self::Big
    } else {
        Self::Little
    };

    /// The byte order that an audit architecture word suggests: bit 30 (`__AUDIT_ARCH_LE`) means little.
    ///
    /// It is only a suggestion: big-endian arm and arm64 kernels, 32-bit tasks on ppc64le and xtensa report a word
    /// that does not say their byte order.
    #[must_use]
    pub const fn of_audit_arch(arch: u32) -> Self {
        if arch & 0x4000_0000 == 0 {
            Self::Big
        } else {
            Self::Little
        }
    }
}

/// What the kernel tells a filter about one system call.
///
/// Registers are kept as 64-bit values. How a filter sees their halves depends on the byte order: see [`Self::words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SeccompData {
    /// The system call number, as a signed `int`
    pub nr: i32,
    /// The ABI of the call: an `AUDIT_ARCH_*` word
    pub arch: u32,
    /// Address of the instruction after the one that made the call
    pub instruction_pointer: u64,
    /// The six argument registers, whether the call uses them or not
    pub args: [u64; 6],
}

impl SeccompData {
    /// Size of the record in bytes, on every ABI.
    pub const SIZE: usize = 64;

    /// A call with an instruction pointer of zero.
    #[must_use]
    pub const fn new(arch: u32, nr: i32, args: [u64; 6]) -> Self {
        Self {
            nr,
            arch,
            instruction_pointer: 0,
            args,
        }
    }

    /// The sixteen words that `ld [0]`, `ld [4]`, ... `ld [60]` read.
    ///
    /// On a little-endian machine the low half of a 64-bit field comes first, on a big-endian machine the high half.
    ///
    /// ```
    /// use callproof_vm::{Endian, SeccompData};
    /// let call = SeccompData::new(0x8000_0016, 3, [0x1_0000_0002, 0, 0, 0, 0, 0]);
    /// assert_eq!(call.words(Endian::Big)[4..6], [1, 2]);
    /// assert_eq!(call.words(Endian::Little)[4..6], [2, 1]);
    /// ```
    #[must_use]
    pub const fn words(&self, endian: Endian) -> [u32; 16] {
        let [a0, a1, a2, a3, a4, a5] = self.args;
        let [[i0, i1], [a0, b0], [a1, b1], [a2, b2], [a3, b3], [a4, b4], [a5, b5]] = [
            halves(self.instruction_pointer, endian),
            halves(a0, endian),
            halves(a1, endian),
            halves(a2, endian),
            halves(a3, endian),
            halves(a4, endian),
            halves(a5, endian),
        ];
        [
            self.nr.cast_unsigned(),
            self.arch,
            i0,
            i1,
            a0,
            b0,
            a1,
            b1,
            a2,
            b2,
            a3,
            b3,
            a4,
            b4,
            a5,
            b5,
        ]
    }

    /// The record whose [`words`](Self::words) these are.
    #[must_use]
    pub const fn from_words(words: [u32; 16], endian: Endian) -> Self {
        let [nr, arch, i0, i1, a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5] = words;
        Self {
            nr: nr.cast_signed(),
            arch,
            instruction_pointer: whole([i0, i1], endian),
            args: [
                whole([a0, b0], endian),
                whole([a1, b1], endian),
                whole([a2, b2], endian),
                whole([a3, b3], endian),
                whole([a4, b4], endian),
                whole([a5, b5], endian),
            ],
        }
    }

    /// Reads the record as it lies in memory.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64], endian: Endian) -> Self {
        let mut words = [0; 16];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = match endian {
                Endian::Little => u32::from_le_bytes(*chunk),
                Endian::Big => u32::from_be_bytes(*chunk),
            };
        }
        Self::from_words(words, endian)
    }

    /// The record as it lies in memory.
    #[must_use]
    pub fn to_bytes(&self, endian: Endian) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(self.words(endian)) {
            *chunk = match endian {
                Endian::Little => word.to_le_bytes(),
                Endian::Big => word.to_be_bytes(),
            };
        }
        bytes
    }
}

/// The two words of a 64-bit field, in the order in which they lie in memory.
#[expect(clippy::cast_possible_truncation, reason = "each half is meant to be cut out")]
const fn halves(value: u64, endian: Endian) -> [u32; 2] {
    let (low, high) = (value as u32, (value >> 32) as u32);
    match endian {
        Endian::Little => [low, high],
        Endian::Big => [high, low],
    }
}

const fn whole([first, second]: [u32; 2], endian: Endian) -> u64 {
    match endian {
        Endian::Little => (second as u64) << 32 | first as u64,
        Endian::Big => (first as u64) << 32 | second as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_that_of_the_kernel() {
        let call = SeccompData {
            nr: -2,
            arch: 0xc000_003e,
            instruction_pointer: 0x0123_4567_89ab_cdef,
            args: [1, 2, 3, 4, 5, 0xfedc_ba98_7654_3210],
        };
        let little = call.to_bytes(Endian::Little);
        assert_eq!(little[..8], [0xfe, 0xff, 0xff, 0xff, 0x3e, 0, 0, 0xc0]);
        assert_eq!(little[8..16], 0x0123_4567_89ab_cdef_u64.to_le_bytes());
        assert_eq!(little[56..], 0xfedc_ba98_7654_3210_u64.to_le_bytes());
        let big = call.to_bytes(Endian::Big);
        assert_eq!(big[8..16], 0x0123_4567_89ab_cdef_u64.to_be_bytes());
        assert_eq!(big[16..24], 1_u64.to_be_bytes());
        for endian in [Endian::Little, Endian::Big] {
            assert_eq!(SeccompData::from_bytes(&call.to_bytes(endian), endian), call);
        }
    }
}
