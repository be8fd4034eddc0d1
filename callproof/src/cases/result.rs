//! What came of cases.

use serde::Serialize;

use crate::exhibit::Exhibit;

/// What came of a case file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The case file
    pub file: String,
    /// What was tested, oldest first
    pub filters: Vec<String>,
    /// The emulated release
    pub kernel: String,
    /// Where a policy that is tested is not what its text seems to say
    pub notes: Vec<String>,
    /// The cases, in the order of the file
    pub cases: Vec<CaseResult>,
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// Its line, from 1; 0 for a case that stands in no file
    pub line: usize,
    /// The case as it reads
    pub case: String,
    /// The comment behind it
    pub why: Option<String>,
    /// How it went
    pub outcome: Outcome,
    /// What was found, in a sentence
    pub reason: String,
    /// Whether the checker accepted a proof of it
    pub proved: bool,
    /// Calls that show it, each replayed in the emulator
    pub shown: Vec<Exhibit>,
    /// What an ABI does not have: nothing is claimed of it there
    pub skipped: Vec<Skip>,
}

/// How a case went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is so
    Passed,
    /// It is not so
    Failed,
    /// It is about nothing: no ABI has what it names
    Skipped,
    /// A limit was reached
    Undecided,
    /// It fails, as `xfail` says it does
    ExpectedFailure,
    /// It does not fail, and `xfail` says it does
    UnexpectedPass,
}

/// A call that an ABI does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skip {
    /// The ABI
    pub abi: String,
    /// The call as the case names it
    pub call: String,
}

impl Outcome {
    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::UnexpectedPass)
    }

    /// In a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Undecided => "undecided",
            Self::ExpectedFailure => "failed as expected",
            Self::UnexpectedPass => "passed unexpectedly",
        }
    }
}

impl CaseResult {
    pub(crate) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            line: 0,
            case: String::new(),
            why: None,
            outcome,
            reason: reason.into(),
            proved: false,
            shown: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// What there is to say beyond the outcome, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        let mut lines = vec![self.reason.clone()];
        lines.extend(self.why.as_ref().map(|why| format!("why: {why}")));
        for exhibit in &self.shown {
            lines.extend(exhibit.lines());
        }
        for of_abi in self.skipped.chunk_by(|a, b| a.abi == b.abi) {
            let calls: Vec<&str> = of_abi.iter().map(|skip| skip.call.as_str()).collect();
            let abi = of_abi.first().map_or("", |skip| skip.abi.as_str());
            lines.push(format!("skipped on {abi}, which has no {}", calls.join(", ")));
        }
        lines
    }
}

impl Report {
    /// How many cases ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }
}
