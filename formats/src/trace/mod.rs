//! System calls that programs made, as tracers and logs tell them.
//!
//! ```
//! use callproof_abi::Abi;
//! use callproof_formats::trace::{ArgSeen, TraceOptions, read_trace};
//! let log = b"openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3\n";
//! let calls: Vec<_> = read_trace(&log[..], &TraceOptions::default()).unwrap().collect::<Result<_, _>>().unwrap();
//! assert_eq!((calls[0].abi, calls[0].nr), (Some(Abi::X86_64), Some(257)));
//! assert_eq!(calls[0].args[2], ArgSeen::Bits { mask: 0xffff_ffff, value: 0o2000000 });
//! assert_eq!(calls[0].args[1], ArgSeen::Unknown); // a filter sees the address, and strace shows the text
//! # Ok::<(), callproof_formats::trace::TraceError>(())
//! ```
//!
//! A trace is read line by line: memory is bounded by [`MAX_LINE`] and the number of processes, not by the input. A
//! line that cannot be read is an error that names it, and the lines behind it are read all the same.

mod audit;
mod error;
mod format;
mod journal;
mod lines;
mod records;
mod seen;
mod signal;
mod strace;
mod summary;

use std::io::{BufRead, BufReader, Read};

use callproof_abi::Abi;
use callproof_vm::Endian;

pub use error::{TraceError, TraceProblem};
pub use format::TraceFormat;
pub use lines::MAX_LINE;
pub use seen::{ArgSeen, Outcome, TraceCall};

use lines::{Line, Lines};

/// What a reader needs to know beyond the trace.
#[derive(Clone, Copy, Debug)]
pub struct TraceOptions {
    /// The format; without one it is detected
    pub format: Option<TraceFormat>,
    /// The ABI of calls whose line does not tell it
    pub abi: Abi,
    /// The byte order of records
    pub endian: Endian,
}

impl Default for TraceOptions {
    /// x86_64, little-endian, any format.
    fn default() -> Self {
        Self {
            format: None,
            abi: Abi::X86_64,
            endian: Endian::Little,
        }
    }
}

/// Reads a trace, which may be compressed with gzip.
///
/// # Errors
/// When the input cannot be read or its format is not recognised. Later problems are items of the reader.
pub fn read_trace<'r>(input: impl Read + 'r, options: &TraceOptions) -> Result<TraceReader<'r>, TraceError> {
    let mut input: Box<dyn BufRead + 'r> = Box::new(BufReader::new(input));
    if format::head(&mut input)?.starts_with(&[0x1f, 0x8b]) {
        let inner = flate2::bufread::MultiGzDecoder::new(input);
        input = Box::new(BufReader::new(inner));
    }
    let format = match options.format {
        Some(format) => format,
        None => format::detect(format::head(&mut input)?)?,
    };
    let state = match format {
        TraceFormat::Strace => State::Strace(Box::new(strace::Reader::new(options.abi))),
        TraceFormat::StraceSummary => State::Summary(summary::Reader::new(options.abi)),
        TraceFormat::Audit => State::Audit,
        TraceFormat::Journal => State::Journal,
        TraceFormat::Signal => State::Signal(options.abi),
        TraceFormat::Records => State::Records(options.endian),
    };
    Ok(TraceReader {
        format,
        lines: Lines::new(input),
        state,
        ended: false,
    })
}

enum State {
    Strace(Box<strace::Reader>),
    Summary(summary::Reader),
    Audit,
    Journal,
    Signal(Abi),
    Records(Endian),
}

/// The calls of a trace, one at a time.
pub struct TraceReader<'r> {
    format: TraceFormat,
    lines: Lines<'r>,
    state: State,
    ended: bool,
}

impl core::fmt::Debug for TraceReader<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TraceReader")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl TraceReader<'_> {
    /// The format that is read.
    #[must_use]
    pub const fn format(&self) -> TraceFormat {
        self.format
    }

    /// What one line says: a call, nothing, or a problem.
    fn line(&mut self, number: u64, line: &str) -> Option<Result<TraceCall, TraceError>> {
        let read = match &mut self.state {
            State::Strace(reader) => reader.line(number, line),
            State::Summary(reader) => reader.line(line),
            State::Audit => audit::line(line),
            State::Journal => journal::line(line),
            State::Signal(abi) => Ok(signal::line(line, *abi)),
            State::Records(_) => Ok(None),
        };
        match read {
            Ok(None) => None,
            Ok(Some(call)) => Some(Ok(call.at(number))),
            Err(problem) => Some(Err(TraceError::at(number, problem, line))),
        }
    }

    /// A call that began and never ended.
    fn rest(&mut self) -> Option<Result<TraceCall, TraceError>> {
        match &mut self.state {
            State::Strace(reader) => reader.unfinished().map(Ok),
            _ => None,
        }
    }
}

impl Iterator for TraceReader<'_> {
    type Item = Result<TraceCall, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let State::Records(endian) = self.state {
                let next = records::next(&mut self.lines, endian);
                self.ended = !matches!(next, Some(Ok(_)));
                return next;
            }
            match self.lines.next() {
                Ok(Line::End) => self.ended = true,
                Ok(Line::TooLong(number)) => return Some(Err(TraceError::at(number, TraceProblem::LongLine, ""))),
                Ok(Line::Text(number, line)) => {
                    if let Some(item) = self.line(number, &line) {
                        return Some(item);
                    }
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.rest()
    }
}
