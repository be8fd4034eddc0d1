//! What all text formats share: tokens with places, numbers, expressions, the nearest name.

mod cursor;
mod expr;
mod number;

pub(crate) use cursor::{Cursor, Kind, Style, Token};
pub(crate) use expr::{Names, expression};
pub(crate) use number::{narrow, number};

/// Longest name that is compared with others, so that a hostile name costs nothing.
const COMPARED: usize = 64;

/// The candidate nearest to a name, when one is within a third of its length.
pub(crate) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if name.len() > COMPARED {
        return None;
    }
    let limit = (name.len() / 3).clamp(1, 4);
    let lower = name.to_ascii_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&lower, &candidate.to_ascii_lowercase());
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// The head of a text, for a message.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut head: String = text.chars().take(SHOWN).collect();
    if head.len() < text.len() {
        head.push_str("...");
    }
    head
}
