//! Where in the text something stands.

use miette::SourceSpan;

/// A stretch of text, in bytes.
///
/// A place is no part of what is said: two spans always compare equal, so that a value read from a text equals the
/// same value read from another place or built by a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// First byte
    pub start: usize,
    /// Byte after the last
    pub end: usize,
}

impl Span {
    /// From `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this one to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl From<Span> for SourceSpan {
    fn from(span: Span) -> Self {
        Self::new(span.start.into(), span.end.saturating_sub(span.start))
    }
}
