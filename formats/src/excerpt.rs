//! The part of a text around a fault, for messages.
//!
//! An error keeps a few hundred bytes of its text and not the whole: inputs may be large, and lines may be as long as
//! the input, which no terminal shows. Offsets, lines and columns are those of the whole text.

use core::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::error::Position;

/// The most bytes that are kept before and behind a fault.
const AROUND: usize = 200;
/// The most bytes of a fault that are marked.
const MARKED: usize = 120;

#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    name: String,
    text: Box<str>,
    /// Where the excerpt begins in the whole text
    base: usize,
    /// The line, from 0, on which the excerpt begins
    line: usize,
    fault: Range<usize>,
    position: Position,
}

impl Excerpt {
    pub(crate) fn new(text: &str, fault: &Range<usize>) -> Self {
        let marked = fault.end.min(fault.start.saturating_add(MARKED));
        let fault = fault.start..floor(text, marked);
        let start = floor(
            text,
            fault
                .start
                .saturating_sub(AROUND)
                .max(two_lines_before(text, fault.start)),
        );
        let end = floor(
            text,
            fault.end.saturating_add(AROUND).min(two_lines_after(text, fault.end)),
        );
        Self {
            name: "input".to_owned(),
            text: text.get(start..end).unwrap_or_default().into(),
            base: start,
            line: position(text, start).line.saturating_sub(1),
            position: position(text, fault.start),
            fault,
        }
    }

    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The bytes to mark.
    pub(crate) fn fault(&self) -> Range<usize> {
        self.fault.clone()
    }

    /// Where the fault begins.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let exact = lines_before == 0 && lines_after == 0;
        let (skipped, line, column) = if exact {
            let skipped = span.offset().saturating_sub(self.base);
            let Position { line, column } = self.position;
            (skipped, line.saturating_sub(1), column.saturating_sub(1))
        } else {
            (0, self.line, 0)
        };
        let text = self.text.get(skipped..).ok_or(MietteError::OutOfBounds)?;
        let contents = MietteSpanContents::new_named(
            self.name.clone(),
            text.as_bytes(),
            (self.base.saturating_add(skipped), text.len()).into(),
            line,
            column,
            text.lines().count(),
        );
        Ok(Box::new(contents))
    }
}

/// The start of the line before the one with this byte.
fn two_lines_before(text: &str, offset: usize) -> usize {
    let start = |offset: usize| {
        let before = text.get(..offset).unwrap_or_default();
        before.rfind('\n').map_or(0, |end| end.saturating_add(1))
    };
    start(start(offset).saturating_sub(1))
}

/// The end of the line behind the one with this byte.
fn two_lines_after(text: &str, offset: usize) -> usize {
    let end = |offset: usize| {
        let after = text.get(offset..).unwrap_or_default();
        after.find('\n').map_or(text.len(), |end| offset.saturating_add(end))
    };
    end(end(offset).saturating_add(1).min(text.len()))
}

/// The nearest place between characters, at or before a byte.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The line and column of a byte.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let line = before.get(line_start..).unwrap_or_default();
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1),
        column: line.chars().count().saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        assert_eq!(position("ab", 0).to_string(), "1:1");
        assert_eq!(position("a\u{e9}b\ncd", 3).to_string(), "1:3");
        assert_eq!(position("ab\ncd", 4).to_string(), "2:2");
        assert_eq!(position("ab\n", 3).to_string(), "2:1");
        assert_eq!(position("ab", 99).to_string(), "1:3");
    }

    #[test]
    fn keeps_the_neighbouring_lines() {
        let text = "one\ntwo\nthree\nfour\nfive\n";
        let excerpt = Excerpt::new(text, &(8..13));
        assert_eq!((&*excerpt.text, excerpt.base, excerpt.line), ("two\nthree\nfour", 4, 1));
    }

    #[test]
    fn keeps_a_few_hundred_bytes_of_any_text() {
        let text = "\u{e9}".repeat(100_000);
        let excerpt = Excerpt::new(&text, &(100_000..160_000));
        assert!(excerpt.text.len() <= 2 * AROUND + MARKED);
        assert_eq!(excerpt.position().to_string(), "1:50001");
        assert_eq!(excerpt.fault(), 100_000..100_120);
    }
}
