//! How long a check may take, and what it remembers to be quick.

use alloc::vec::Vec;

use crate::Rejected;

/// What has been shown: numbers that name it, and of which question it is part.
type Key = [u32; 6];

/// Counts the steps of a check and remembers what it has shown already.
///
/// The memory has a fixed size and forgets: that costs time, which is counted.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
    question: u32,
    seen: Vec<Key>,
}

const MAX_SEEN: usize = 1 << 20;
const MIN_SEEN: usize = 1 << 8;

impl Budget {
    /// For a proof and filters of so many bytes together, with so many nodes.
    pub(crate) fn new(bytes: usize, nodes: usize) -> Self {
        let size = nodes.clamp(MIN_SEEN, MAX_SEEN).next_power_of_two();
        Self {
            left: (bytes as u64).saturating_mul(1_000).saturating_add(1_000_000),
            question: 0,
            seen: alloc::vec![[0; 6]; size],
        }
    }

    pub(crate) fn step(&mut self) -> Result<(), Rejected> {
        self.steps(1)
    }

    pub(crate) fn steps(&mut self, count: u64) -> Result<(), Rejected> {
        self.left = self.left.checked_sub(count).ok_or_else(Rejected::out_of_steps)?;
        Ok(())
    }

    /// Forgets everything: another question begins.
    pub(crate) fn begin(&mut self) {
        self.question = self.question.saturating_add(1);
    }

    /// Whether this was asked since the question began. If not, it is from now on.
    ///
    /// It is noted before it is answered: one wrong answer ends the whole check.
    pub(crate) fn asked(&mut self, [a, b, c, d, e]: [u32; 5]) -> bool {
        let key = [self.question, a, b, c, d, e];
        let mix = |hash: u64, part: u32| (hash.rotate_left(5) ^ u64::from(part)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = key.into_iter().fold(0, mix);
        // The size is a power of two; the upper bits are the best mixed ones.
        let place = (hash >> 32) as usize & self.seen.len().wrapping_sub(1);
        let seen = self.seen.get_mut(place);
        seen.is_some_and(|seen| core::mem::replace(seen, key) == key)
    }
}
