//! What can be wrong with a trace.

use miette::Diagnostic;
use thiserror::Error;

use super::MAX_LINE;

/// What is wrong, and on which line.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[error("{}{problem}", place(*line))]
pub struct TraceError {
    /// The line or the record, from 1; 0 for the trace as a whole
    pub line: u64,
    /// What is wrong
    #[diagnostic(transparent)]
    pub problem: TraceProblem,
    /// The head of the line
    pub text: String,
}

/// Everything that can be wrong with a trace.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
pub enum TraceProblem {
    /// The input ended in an error
    #[error("the trace cannot be read on: {message}")]
    #[diagnostic(
        code(callproof::trace::read),
        help("what was read before is kept; is the file cut short?")
    )]
    Read {
        /// What the system or the decompressor said
        message: String,
    },
    /// No format has this look
    #[error("the format of the trace is not recognised")]
    #[diagnostic(
        code(callproof::trace::format),
        help("read are strace logs and summaries, audit and kernel logs, journal JSON, and records of 64 bytes")
    )]
    UnknownFormat,
    /// A line beyond the limit
    #[error("the line has more than {} bytes", MAX_LINE)]
    #[diagnostic(
        code(callproof::trace::long_line),
        help("it is left out; shorten it, or have strace print less (`-s`)")
    )]
    LongLine,
    /// Bytes that are no whole record
    #[error("{bytes} bytes are no whole record of 64")]
    #[diagnostic(code(callproof::trace::record), help("is the file cut short?"))]
    ShortRecord {
        /// How many bytes are left
        bytes: usize,
    },
    /// A line that is none of the format
    #[error("column {column}: {message}")]
    #[diagnostic(code(callproof::trace::line), help("the line is left out"))]
    Line {
        /// The byte in the line, from 1
        column: usize,
        /// What is wrong
        message: String,
    },
}

/// A trace as a whole has no line.
fn place(line: u64) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

impl TraceError {
    pub(super) fn at(line: u64, problem: TraceProblem, text: &str) -> Self {
        let text = crate::text::shown(text.trim());
        Self { line, problem, text }
    }
}

impl TraceProblem {
    pub(super) fn line(column: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        let column = column.saturating_add(1);
        Self::Line { column, message }
    }

    pub(super) fn read(error: &std::io::Error) -> Self {
        let message = error.to_string();
        Self::Read { message }
    }
}
