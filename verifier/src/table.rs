//! Two hash tables that fit the work: an index that keeps values unique, and a cache that may forget.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

/// Mixes numbers into a hash whose high bits are good.
#[inline]
pub(crate) fn mix(parts: [u32; 3]) -> u64 {
    let [a, b, c] = parts.map(u64::from);
    let sum = a.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ c.wrapping_mul(0x1656_67b1_9e37_79f9);
    (sum ^ (sum >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Finds the number of a value in a list by the value's hash. The list itself belongs to somebody else.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Number plus one; 0 is an empty slot
    slots: Vec<u32>,
    shift: u32,
    used: u32,
}

/// Where a value is, or where it belongs.
pub(crate) enum Found {
    /// It has this number
    At(u32),
    /// It is not there; its place is this slot
    Free(usize),
}

impl Index {
    /// An index with room for about `1 << log_room` values.
    pub(crate) fn new(log_room: u32) -> Self {
        let log_slots = log_room.clamp(2, 30).saturating_add(1);
        Self {
            slots: vec![0; 1 << log_slots],
            shift: 64_u32.saturating_sub(log_slots),
            used: 0,
        }
    }

    /// Looks for the value with this hash that `same` recognises.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Found {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = self.home(hash);
        loop {
            match self.slots.get(slot).copied().unwrap_or(0) {
                0 => return Found::Free(slot),
                entry if same(entry.wrapping_sub(1)) => return Found::At(entry.wrapping_sub(1)),
                _ => slot = slot.wrapping_add(1) & mask,
            }
        }
    }

    /// Puts a number into a free slot. Says whether the index is half full and should [`grow`](Self::grow).
    #[inline]
    pub(crate) fn put(&mut self, slot: usize, number: u32) -> bool {
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = number.wrapping_add(1);
        }
        self.used = self.used.saturating_add(1);
        self.used as usize * 2 > self.slots.len()
    }

    /// Makes room for four times as many, or twice when those are many.
    pub(crate) fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let log_slots = 64_u32.saturating_sub(self.shift);
        let log_slots = log_slots.saturating_add(if log_slots < 16 { 2 } else { 1 });
        let old = core::mem::replace(&mut self.slots, vec![0; 1 << log_slots]);
        self.shift = 64_u32.saturating_sub(log_slots);
        let mask = self.slots.len().wrapping_sub(1);
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            let mut slot = self.home(hash_of(entry.wrapping_sub(1)));
            while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
                slot = slot.wrapping_add(1) & mask;
            }
            if let Some(free) = self.slots.get_mut(slot) {
                *free = entry;
            }
        }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.slots.len() as u64 * 4
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the shift leaves as many bits as there are slots"
    )]
    const fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }
}

/// Remembers results of operations on pairs, and forgets some when it is full.
#[derive(Clone, Debug)]
pub(crate) struct Cache<V> {
    slots: Vec<(Key, V)>,
    used: usize,
    log_most: u32,
}

/// What a result is remembered by: the operation and its operands.
pub(crate) type Key = [u32; 4];

const EMPTY: Key = [u32::MAX; 4];

impl<V: Copy + Default> Cache<V> {
    /// A cache of at most `1 << log_most` results. It starts empty and takes memory as it is used.
    pub(crate) const fn new(log_most: u32) -> Self {
        Self {
            slots: Vec::new(),
            used: 0,
            log_most,
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<V> {
        let (held, value) = self.slots.get(self.home(key))?;
        (*held == key).then_some(*value)
    }

    #[inline]
    pub(crate) fn put(&mut self, key: Key, value: V) {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let home = self.home(key);
        if let Some(slot) = self.slots.get_mut(home) {
            self.used = self.used.saturating_add(usize::from(slot.0 == EMPTY));
            *slot = (key, value);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let wanted = (self.slots.len() * 4).max(1 << 8);
        if wanted > 1 << self.log_most {
            return;
        }
        let old = core::mem::replace(&mut self.slots, vec![(EMPTY, V::default()); wanted]);
        self.used = 0;
        for (key, value) in old.into_iter().filter(|(key, _)| *key != EMPTY) {
            let home = self.home(key);
            if let Some(slot) = self.slots.get_mut(home) {
                self.used = self.used.saturating_add(usize::from(slot.0 == EMPTY));
                *slot = (key, value);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.slots = Vec::new();
        self.used = 0;
    }

    pub(crate) const fn bytes(&self) -> u64 {
        (self.slots.len() * size_of::<(Key, V)>()) as u64
    }

    fn home(&self, [op, a, b, c]: Key) -> usize {
        (mix([op ^ c.rotate_left(16), a, b]) >> 24) as usize & self.slots.len().wrapping_sub(1)
    }
}

/// A map whose keys are few small numbers.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// The hasher of [`Map`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, part: u32) {
        self.write_u64(u64::from(part));
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = (self.0.rotate_left(23) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_was_put_through_growth() {
        let values: Vec<u32> = (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
        let hash = |n: u32| mix([values[n as usize], 0, 0]);
        let mut index = Index::new(2);
        for n in 0..5000 {
            let Found::Free(slot) = index.find(hash(n), |m| values[m as usize] == values[n as usize]) else {
                panic!("{n} is not there yet");
            };
            if index.put(slot, n) {
                index.grow(hash);
            }
        }
        for n in 0..5000 {
            assert!(matches!(index.find(hash(n), |m| m == n), Found::At(m) if m == n));
        }
    }

    #[test]
    fn the_cache_never_answers_for_another_key() {
        let mut cache: Cache<u32> = Cache::new(10);
        assert_eq!(cache.get([1, 2, 3, 4]), None);
        for n in 0..10_000 {
            cache.put([n, 1, n ^ 7, 0], n);
            assert_eq!(cache.get([n, 1, n ^ 7, 0]), Some(n));
        }
        for n in 0..10_000 {
            assert!(cache.get([n, 1, n ^ 7, 0]).is_none_or(|value| value == n));
        }
        assert!(cache.bytes() <= 1024 * 20);
    }
}
