//! The formats of traces.

use std::io::BufRead;

use super::error::{TraceError, TraceProblem};
use super::signal;

/// A format of traces.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceFormat {
    /// What `strace` prints
    Strace,
    /// The table of `strace -c`
    StraceSummary,
    /// Audit records, in the audit log or the kernel's
    Audit,
    /// The journal as JSON, one object a line
    Journal,
    /// `SIGSYS` as debuggers and handlers print it
    Signal,
    /// `struct seccomp_data`, 64 bytes each
    Records,
}

impl TraceFormat {
    /// Every format, in the order of the enum.
    pub const ALL: &'static [Self] = &[
        Self::Strace,
        Self::StraceSummary,
        Self::Audit,
        Self::Journal,
        Self::Signal,
        Self::Records,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strace => "strace",
            Self::StraceSummary => "strace-summary",
            Self::Audit => "audit",
            Self::Journal => "journal",
            Self::Signal => "signal",
            Self::Records => "records",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|format| format.name().eq_ignore_ascii_case(name))
            .copied()
    }
}

impl core::fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// The first bytes of an input, which stay in it.
pub(super) fn head(input: &mut impl BufRead) -> Result<&[u8], TraceError> {
    input
        .fill_buf()
        .map_err(|error| TraceError::at(0, TraceProblem::read(&error), ""))
}

/// The format by the first bytes.
pub(super) fn detect(head: &[u8]) -> Result<TraceFormat, TraceError> {
    if head.contains(&0) {
        return Ok(TraceFormat::Records);
    }
    let text = String::from_utf8_lossy(head);
    let has = |mark: &str| text.contains(mark);
    if text.trim_start().starts_with('{') && has("\":") {
        return Ok(TraceFormat::Journal);
    }
    if (has("audit(") && (has("type=") || has("msg="))) || has("type=SECCOMP") || has("type=1326") {
        return Ok(TraceFormat::Audit);
    }
    if has("% time") || has("usecs/call") {
        return Ok(TraceFormat::StraceSummary);
    }
    if signal::is_signal(&text) {
        return Ok(TraceFormat::Signal);
    }
    // A pipe can give less than a line at first; what looks like nothing yet is most likely a log of calls.
    let looks =
        |line: &str| line.contains('(') || line.contains("+++") || line.contains("---") || line.contains("strace:");
    if text.lines().any(looks) {
        return Ok(TraceFormat::Strace);
    }
    Err(TraceError::at(0, TraceProblem::UnknownFormat, &text))
}
