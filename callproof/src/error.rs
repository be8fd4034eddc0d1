//! Why something could not be tested at all.

use core::fmt;
use std::path::Path;

use callproof_formats::Position;
use callproof_policy::{Problem, Problems};
use thiserror::Error;

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Error)]
pub struct Error {
    /// What kind of trouble it is
    pub kind: ErrorKind,
    /// What is wrong, as a lower-case fragment
    pub message: String,
    /// Where: a file, with line and column if it is text
    pub place: Option<String>,
    /// What to do about it
    pub help: Option<String>,
}

/// What kind of trouble there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// An input cannot be read or has no meaning
    Input,
    /// The kernel would not install a filter
    Refused,
    /// A limit was reached
    Undecided,
    /// The emulator and the verifier disagree, or a filter that was compiled is not its policy: a bug in callproof
    Bug,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The same words, because tests unwrap.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            place: None,
            help: None,
        }
    }

    pub(crate) fn input(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// A file that could not be read or written.
    pub(crate) fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; paths in a case file count from its folder",
            std::io::ErrorKind::IsADirectory => "name a file in it",
            _ => "check that the path names a file that can be read or written",
        };
        Self::input(format_args!("cannot {doing} `{}`: {reason}", path.display())).help(help)
    }

    /// What is wrong with a text: the first problem with its advice, the others a line each.
    #[must_use]
    pub fn text(name: &str, text: &str, problems: &[Problem]) -> Self {
        let place = |problem: &Problem| format!("{name}:{}", Position::of(text, problem.span.start));
        let Some(first) = problems.first() else {
            return Self::input("the text has no meaning").at(name);
        };
        let more = problems.iter().skip(1);
        let more: String = more
            .map(|problem| format!("\n{}: {}", place(problem), problem.message))
            .collect();
        let error = Self::input(format_args!("{}{more}", first.message)).at(place(first));
        match &first.help {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// The line of a place in a text, from 1.
    pub(crate) fn line(text: &str, at: usize) -> usize {
        Position::of(text, at).line
    }

    pub(crate) fn problems(name: &str, bytes: &[u8], problems: &Problems) -> Self {
        Self::text(name, &String::from_utf8_lossy(bytes), &problems.problems)
    }
}

#[cfg(test)]
mod tests {
    use callproof_policy::Span;

    use super::*;

    #[test]
    fn problems_have_places() {
        let problems = [
            Problem::new("first", Span::new(4, 5)).help("do"),
            Problem::new("second", Span::new(0, 1)),
        ];
        let error = Error::text("a.calls", "abc\nd", &problems);
        assert_eq!(error.to_string(), "a.calls:2:1: first\na.calls:1:1: second\n  help: do");
    }
}
