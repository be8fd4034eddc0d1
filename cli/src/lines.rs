//! Lines of an input of any length, in bounded memory.

use std::io::{self, Read};

/// The longest line that is read, in bytes. A chain that fills a thread's whole budget takes well under 1 MiB.
pub(crate) const MAX_LINE: usize = 4 << 20;
/// How much is asked for at once.
const READ: usize = 1 << 20;

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'b> {
    Whole(&'b [u8]),
    /// Longer than [`MAX_LINE`]: its bytes were dropped
    TooLong,
}

/// Reads lines in batches of whatever is there.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out already
    used: usize,
    /// Inside a line that is too long
    skipping: bool,
    ended: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            used: 0,
            skipping: false,
            ended: false,
        }
    }

    /// Every line that can be had without waiting for more than the first one; empty at the end.
    pub(crate) fn next_batch(&mut self) -> io::Result<Vec<Line<'_>>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut dropped = false;
        while !self.ended {
            let before = self.buffer.len();
            self.fill()?;
            let new = self.buffer.get(before..).unwrap_or_default();
            match new.iter().position(|&byte| byte == b'\n') {
                Some(end) if self.skipping => {
                    self.buffer.drain(..before.saturating_add(end).saturating_add(1));
                    self.skipping = false;
                    dropped = true;
                    break;
                }
                Some(_) => break,
                None if self.skipping || self.buffer.len() > MAX_LINE => {
                    self.skipping = true;
                    self.buffer.clear();
                }
                None => {}
            }
        }
        if self.ended && self.skipping {
            self.skipping = false;
            dropped = true;
        }
        Ok(self.split(dropped))
    }

    fn fill(&mut self) -> io::Result<()> {
        let before = self.buffer.len();
        self.buffer.resize(before.saturating_add(READ), 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(before..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer
            .truncate(before.saturating_add(*read.as_ref().unwrap_or(&0)));
        self.ended = read? == 0;
        Ok(())
    }

    fn split(&mut self, dropped: bool) -> Vec<Line<'_>> {
        let complete = self.buffer.iter().rposition(|&byte| byte == b'\n');
        self.used = match complete {
            _ if self.ended => self.buffer.len(),
            Some(end) => end.saturating_add(1),
            None => 0,
        };
        let ready = self.buffer.get(..self.used).unwrap_or_default();
        let body = ready.strip_suffix(b"\n").unwrap_or(ready);
        let whole = (!ready.is_empty()).then(|| body.split(|&byte| byte == b'\n'));
        let whole = whole.into_iter().flatten().map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() > MAX_LINE {
                Line::TooLong
            } else {
                Line::Whole(line)
            }
        });
        dropped.then_some(Line::TooLong).into_iter().chain(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Drip<'b>(&'b [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn all(input: impl Read) -> Vec<String> {
        let mut lines = Lines::new(input);
        let mut all = Vec::new();
        loop {
            let batch = lines.next_batch().unwrap();
            if batch.is_empty() {
                return all;
            }
            all.extend(batch.iter().map(|line| match line {
                Line::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong => "too long".to_owned(),
            }));
        }
    }

    #[test]
    fn lines_do_not_depend_on_how_they_arrive() {
        for at_once in [1, 2, 3, 7, 1000] {
            let lines = |text: &str| all(Drip(text.as_bytes(), at_once));
            assert_eq!(lines(""), [""; 0]);
            assert_eq!(lines("a"), ["a"]);
            assert_eq!(lines("a\n"), ["a"]);
            assert_eq!(lines("\n"), [""]);
            assert_eq!(lines("a\n\nbc\r\nd"), ["a", "", "bc", "d"]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let mut text = vec![b'x'; 3 * MAX_LINE];
        assert_eq!(all(text.as_slice()), ["too long"]);
        text.extend(b"\nb\nc");
        assert_eq!(all(text.as_slice()), ["too long", "b", "c"]);
        let mut text = b"a\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE + 1]);
        text.extend(b"\nb\n");
        assert_eq!(all(text.as_slice()), ["a", "too long", "b"]);
        text = vec![b'y'; MAX_LINE];
        assert_eq!(all(text.as_slice())[0].len(), MAX_LINE);
    }

    #[test]
    fn memory_is_bounded_on_an_endless_line() {
        let mut lines = Lines::new(io::repeat(b'x').take(64 << 20));
        assert_eq!(lines.next_batch().unwrap(), [Line::TooLong]);
        assert!(lines.buffer.capacity() < 4 * MAX_LINE, "{}", lines.buffer.capacity());
    }
}
