//! Findings, in the one shape that every format for CI is made from.

/// What a command looked at, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The command, such as `check`
    pub(crate) suite: &'static str,
    /// What was looked at, in order
    pub(crate) cases: Vec<Case>,
}

/// One thing that was looked at: a filter, a decision, a file of vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// What it is called
    pub(crate) name: String,
    /// How it went
    pub(crate) outcome: Outcome,
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was found
    Passed,
    /// It was not looked at, and why
    Skipped(String),
    /// Nothing but notes was found
    Noted(Vec<Finding>),
    /// At least one finding
    Failed(Vec<Finding>),
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Level {
    /// It fails the case
    #[default]
    Error,
    /// It should be looked at
    Warning,
    /// It is worth knowing, and fails nothing
    Note,
}

impl Level {
    /// The word, as SARIF has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How much it matters
    pub(crate) level: Level,
    /// Stable name of the rule that was broken, such as `load-offset`
    pub(crate) rule: &'static str,
    /// What was found
    pub(crate) message: String,
    /// The file it lies in, if it lies in one
    pub(crate) file: Option<String>,
    /// The line in that file, from 1, if it is text
    pub(crate) line: Option<usize>,
}

impl Report {
    /// Every finding, with the case it belongs to.
    pub(crate) fn findings(&self) -> impl Iterator<Item = (&Case, &Finding)> {
        self.cases
            .iter()
            .flat_map(|case| case.findings().iter().map(move |finding| (case, finding)))
    }

    /// How many cases (passed, failed, were skipped).
    pub(crate) fn totals(&self) -> (usize, usize, usize) {
        let count = |test: fn(&Outcome) -> bool| self.cases.iter().filter(|case| test(&case.outcome)).count();
        (
            count(|outcome| matches!(outcome, Outcome::Passed | Outcome::Noted(_))),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
            count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        )
    }
}

impl Case {
    /// A case that passed when it has no findings.
    pub(crate) fn new(name: impl Into<String>, findings: Vec<Finding>) -> Self {
        let outcome = if findings.is_empty() {
            Outcome::Passed
        } else if findings.iter().all(|finding| finding.level == Level::Note) {
            Outcome::Noted(findings)
        } else {
            Outcome::Failed(findings)
        };
        Self {
            name: name.into(),
            outcome,
        }
    }

    /// A case that was not looked at.
    pub(crate) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Outcome::Skipped(why.into()),
        }
    }

    /// What was found in it.
    pub(crate) fn findings(&self) -> &[Finding] {
        match &self.outcome {
            Outcome::Failed(findings) | Outcome::Noted(findings) => findings,
            Outcome::Passed | Outcome::Skipped(_) => &[],
        }
    }
}
