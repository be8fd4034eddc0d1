//! Names that do not exist, and what was probably meant.

use core::fmt;

use crate::Abi;

/// Longest name that is compared; the longest real one has half as many bytes.
const COMPARED: usize = 64;
/// Bytes of the offending text that an error keeps.
const KEPT: usize = 40;
/// How many suggestions an error carries at most.
const SUGGESTIONS: usize = 3;
/// How many ABIs an error names before it only counts.
const NAMED_ABIS: u32 = 4;

/// What kind of name was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Abi,
    Syscall,
    Errno,
    Signal,
    Constant,
}

/// A name that the tables do not have, with the nearest names that they do have.
///
/// Needs no allocation: the offending text is kept up to 40 bytes.
/// ```
/// use callproof_abi::Abi;
/// let error = Abi::X86_64.number("opneat").unwrap_err();
/// assert_eq!(error.to_string(), "unknown system call `opneat` on x86_64; did you mean `openat`?");
/// assert_eq!(error.suggestions().next(), Some("openat"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownName {
    kind: Kind,
    abi: Option<Abi>,
    text: [u8; KEPT],
    text_len: u8,
    cut: bool,
    suggestions: [&'static str; SUGGESTIONS],
    /// Bit n: the n-th ABI of [`Abi::ALL`] does have the name.
    elsewhere: u64,
}

impl UnknownName {
    pub(crate) fn new(kind: Kind, abi: Option<Abi>, text: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let (kept, text_len) = keep(text);
        let cut = usize::from(text_len) < text.len();
        Self {
            kind,
            abi,
            text: kept,
            text_len,
            cut,
            suggestions: nearest(text, known),
            elsewhere: 0,
        }
    }

    /// Notes the ABIs that do have the name.
    pub(crate) fn found_on(mut self, abis: impl Iterator<Item = Abi>) -> Self {
        self.elsewhere = abis.fold(0, |bits, abi| bits | bit(abi));
        self
    }

    /// What was looked up, cut to 40 bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        let kept = self.text.get(..usize::from(self.text_len)).unwrap_or_default();
        core::str::from_utf8(kept).unwrap_or_default()
    }

    /// The nearest known names, all equally near; at most three, none when nothing is near.
    pub fn suggestions(&self) -> impl Iterator<Item = &'static str> {
        self.suggestions.into_iter().filter(|name| !name.is_empty())
    }

    /// The ABIs that do have a call (or constant) of this name.
    pub fn known_on(&self) -> impl Iterator<Item = Abi> {
        let bits = self.elsewhere;
        Abi::ALL.iter().copied().filter(move |abi| bits & bit(*abi) != 0)
    }
}

const fn bit(abi: Abi) -> u64 {
    1 << (abi as u32)
}

/// The head of `text` that fits, cut between characters.
fn keep(text: &str) -> ([u8; KEPT], u8) {
    let mut kept = [0; KEPT];
    let mut len = 0;
    for character in text.chars() {
        let end = len + character.len_utf8();
        let Some(slot) = kept.get_mut(len..end) else { break };
        character.encode_utf8(slot);
        len = end;
    }
    (kept, u8::try_from(len).unwrap_or_default())
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Abi => "ABI",
            Kind::Syscall => "system call",
            Kind::Errno => "error name",
            Kind::Signal => "signal",
            Kind::Constant => "constant",
        };
        let dots = if self.cut { "..." } else { "" };
        let known = if self.elsewhere == 0 { "unknown" } else { "no" };
        write!(f, "{known} {what} `{}{dots}`", self.text())?;
        if let Some(abi) = self.abi {
            write!(f, " on {abi}")?;
        }
        self.write_elsewhere(f)?;
        self.write_suggestions(f)
    }
}

impl UnknownName {
    fn write_elsewhere(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.elsewhere.count_ones();
        for (abi, place) in self.known_on().zip(0..NAMED_ABIS) {
            let before = match place {
                0 => "; it exists on ",
                _ if place + 1 == count => " and ",
                _ => ", ",
            };
            write!(f, "{before}{abi}")?;
        }
        if count > NAMED_ABIS {
            write!(f, " and {} more", count - NAMED_ABIS)
        } else {
            Ok(())
        }
    }

    fn write_suggestions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.suggestions().count();
        for (place, name) in self.suggestions().enumerate() {
            let before = match place {
                0 => "; did you mean ",
                _ if place + 1 == count => " or ",
                _ => ", ",
            };
            write!(f, "{before}`{name}`")?;
        }
        if count > 0 { f.write_str("?") } else { Ok(()) }
    }
}

impl fmt::Debug for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnknownName({self})")
    }
}

impl core::error::Error for UnknownName {}

/// The nearest names if they are within a third of `text`'s length, in their own order.
fn nearest(text: &str, known: impl Iterator<Item = &'static str>) -> [&'static str; SUGGESTIONS] {
    let mut best = [("", usize::MAX); SUGGESTIONS];
    let limit = (text.len() / 3).clamp(1, 4);
    for name in known {
        let Some(distance) = distance(text.as_bytes(), name.as_bytes(), limit) else {
            continue;
        };
        if best.iter().any(|(kept, _)| *kept == name) {
            continue;
        }
        let mut entry = (name, distance);
        for slot in &mut best {
            if entry.1 < slot.1 {
                core::mem::swap(slot, &mut entry);
            }
        }
    }
    let least = best.first().map_or(usize::MAX, |(_, distance)| *distance);
    best.map(|(name, distance)| if distance == least { name } else { "" })
}

/// Edits (insert, delete, replace, swap neighbours) between two names, letter case aside; `None` beyond `limit`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len() > COMPARED || b.len() > COMPARED || a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before = [0_usize; COMPARED + 1];
    let mut above: [usize; COMPARED + 1] = core::array::from_fn(|column| column);
    let mut row = [0_usize; COMPARED + 1];
    let mut last_a = None;
    for (i, &x) in a.iter().enumerate() {
        fill_row(&mut row, &above, &before, (i, x, last_a), b);
        last_a = Some(x);
        before = above;
        above = row;
    }
    above.get(b.len()).copied().filter(|&edits| edits <= limit)
}

/// One row of the edit table: `above` is the row before it and `before` the one before that.
fn fill_row(row: &mut [usize], above: &[usize], before: &[usize], (i, x, last_a): (usize, u8, Option<u8>), b: &[u8]) {
    let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX);
    let mut left = i + 1;
    let mut last_b = None;
    if let Some(cell) = row.first_mut() {
        *cell = left;
    }
    for (j, &y) in b.iter().enumerate() {
        let replaced = at(above, j) + usize::from(!x.eq_ignore_ascii_case(&y));
        let mut edits = replaced.min(at(above, j + 1) + 1).min(left + 1);
        if last_a == Some(y) && last_b == Some(x) {
            edits = edits.min(at(before, j.wrapping_sub(1)).saturating_add(1));
        }
        if let Some(cell) = row.get_mut(j + 1) {
            *cell = edits;
        }
        left = edits;
        last_b = Some(y);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    fn edits(a: &str, b: &str) -> Option<usize> {
        distance(a.as_bytes(), b.as_bytes(), 9)
    }

    #[test]
    fn counts_edits_and_swaps() {
        assert_eq!(edits("openat", "openat"), Some(0));
        assert_eq!(edits("opneat", "openat"), Some(1));
        assert_eq!(edits("OPENAT", "openat"), Some(0));
        assert_eq!(edits("", "abc"), Some(3));
        assert_eq!(edits("abc", ""), Some(3));
        assert_eq!(edits("kitten", "sitting"), Some(3));
        assert_eq!(edits("read", "aread64"), Some(3));
        assert_eq!(distance(b"read", b"write", 1), None);
    }

    #[test]
    fn refuses_to_compare_endless_text() {
        let long = "a".repeat(1 << 20);
        assert_eq!(edits(&long, "read"), None);
        let error = UnknownName::new(Kind::Syscall, None, &long, ["read"].into_iter());
        assert_eq!(error.text().len(), KEPT);
        assert!(error.to_string().ends_with("a...`"));
    }

    #[test]
    fn cuts_between_characters() {
        let text = "\u{e9}".repeat(30);
        let error = UnknownName::new(Kind::Syscall, None, &text, core::iter::empty());
        assert_eq!(error.text(), "\u{e9}".repeat(20));
    }

    #[test]
    fn is_small_enough_to_return_by_value() {
        assert!(size_of::<UnknownName>() <= 128);
    }

    #[test]
    fn keeps_only_the_nearest_and_names_each_once() {
        let known = ["pread64", "read", "reads", "readv", "ready", "read"];
        assert_eq!(nearest("raed", known.into_iter()), ["read", "", ""]);
        assert_eq!(nearest("reade", known.into_iter()), ["read", "reads", "readv"]);
    }
}
