//! Lines of bounded length.

use std::io::{BufRead, ErrorKind};

use super::error::{TraceError, TraceProblem};

/// Longest line that is read, in bytes; longer ones are left out and told.
pub const MAX_LINE: usize = 1 << 20;

/// One step through a text.
pub(super) enum Line {
    /// A line and its number
    Text(u64, String),
    /// A line beyond the limit, skipped
    TooLong(u64),
    /// The end
    End,
}

/// The lines of an input.
pub(super) struct Lines<'r> {
    input: Box<dyn BufRead + 'r>,
    number: u64,
    buffer: Vec<u8>,
}

impl<'r> Lines<'r> {
    pub(super) fn new(input: Box<dyn BufRead + 'r>) -> Self {
        Self {
            input,
            number: 0,
            buffer: Vec::new(),
        }
    }

    /// The next line, without its end; bytes that are no text are replaced.
    pub(super) fn next(&mut self) -> Result<Line, TraceError> {
        self.buffer.clear();
        self.number = self.number.saturating_add(1);
        let (mut any, mut kept) = (false, true);
        loop {
            let (used, ended) = {
                let available = self.fill()?;
                any |= !available.is_empty();
                match available.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (end.saturating_add(1), true),
                    None => (available.len(), available.is_empty()),
                }
            };
            if used > 0 {
                let piece = self.input.fill_buf().unwrap_or_default();
                kept &= self.buffer.len().saturating_add(used) <= MAX_LINE;
                if kept {
                    self.buffer.extend_from_slice(piece.get(..used).unwrap_or_default());
                }
                self.input.consume(used);
            }
            if ended {
                break;
            }
        }
        Ok(match (any, kept) {
            (false, _) => Line::End,
            (true, false) => Line::TooLong(self.number),
            (true, true) => {
                let text = String::from_utf8_lossy(&self.buffer);
                Line::Text(self.number, text.trim_end_matches(['\n', '\r']).to_owned())
            }
        })
    }

    /// The next 64 bytes, fewer at the end.
    pub(super) fn record(&mut self) -> Result<(u64, Vec<u8>), TraceError> {
        self.number = self.number.saturating_add(1);
        let mut record = Vec::with_capacity(64);
        while record.len() < 64 {
            let wanted = 64_usize.saturating_sub(record.len());
            let available = self.fill()?;
            let used = available.len().min(wanted);
            if used == 0 {
                break;
            }
            record.extend_from_slice(available.get(..used).unwrap_or_default());
            self.input.consume(used);
        }
        Ok((self.number, record))
    }

    fn fill(&mut self) -> Result<&[u8], TraceError> {
        let number = self.number;
        loop {
            match self.input.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(TraceError::at(number, TraceProblem::read(&error), "")),
            }
        }
        // What is in the buffer is given again.
        self.input
            .fill_buf()
            .map_err(|error| TraceError::at(number, TraceProblem::read(&error), ""))
    }
}
