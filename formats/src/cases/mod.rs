//! Case files: what a filter is expected to answer, one expectation a line.
//!
//! ```
//! use callproof_formats::cases::{What, read_cases};
//! let text = "---\nfilter = \"daemon.bpf\"\narches = [\"x86_64\"]\n---\nallow read(_, _, _)  cost<=9  # the main loop\n";
//! let file = read_cases("daemon.calls", text.as_bytes())?;
//! assert_eq!(file.cases[0].why.as_deref(), Some("the main loop"));
//! assert!(matches!(file.cases[0].what, What::Verdict(_)));
//! # Ok::<(), callproof_policy::Problems>(())
//! ```
//!
//! `docs/CASES.md` describes the format for its users.

mod header;
mod line;

use callproof_policy::{Claim, Predicate, Problem, Problems, Span, VerdictLine, VerdictSet};

pub use header::{Budget, Header, Subject};

/// Longest file that is read, in bytes.
pub const MAX_CASES_BYTES: usize = 1 << 20;
/// The most cases that one file can have.
pub const MAX_CASES: usize = 10_000;
/// How many problems of one text are told.
const TOLD: usize = 50;

/// A case file.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// What stands between the lines of dashes
    pub header: Header,
    /// The cases, in the order of the text
    pub cases: Vec<Case>,
}

/// One line of a case file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The line, from 1
    pub line: usize,
    /// Where it is written
    pub span: Span,
    /// The case as it reads, without `xfail` and without the comment
    pub text: String,
    /// What is expected
    pub what: What,
    /// It is known to fail, and why
    pub xfail: Option<String>,
    /// The comment behind it
    pub why: Option<String>,
}

/// What a case expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `VERDICT CALLS [except CALLS] [on ABIS] [cost<=N]`
    Verdict(VerdictLine),
    /// Any other claim of the language of properties
    Claim(Box<Claim>),
    /// `replay FILE expect VERDICT`: each call of a trace gets such a verdict
    Replay {
        /// The path as written
        file: String,
        /// What its calls must get
        expect: VerdictSet,
    },
    /// `subset-of FILE [for CALLS] [on ABIS]`: never more permissive than another filter or policy
    SubsetOf {
        /// The path as written
        file: String,
        /// Over which calls
        calls: Predicate,
    },
    /// `equiv FILE [for CALLS] [on ABIS]`: the same verdicts as another filter or policy
    Equiv {
        /// The path as written
        file: String,
        /// Over which calls
        calls: Predicate,
    },
    /// `snapshot FILE`: all decisions are those that were recorded
    Snapshot {
        /// The path as written
        file: String,
    },
}

/// Reads a case file; `name` is what its problems call it.
///
/// # Errors
/// Every problem of the text, the first fifty of them.
pub fn read_cases(name: &str, bytes: &[u8]) -> Result<CaseFile, Problems> {
    let (text, read) = match text(bytes) {
        Ok(text) => (text.to_owned(), read(text)),
        Err((shown, problem)) => (shown, Err(vec![problem])),
    };
    read.map_err(|mut problems| {
        problems.sort_by_key(|problem| problem.span.start);
        problems.truncate(TOLD);
        Problems::new(name, text, problems)
    })
}

/// The bytes as text, or what is wrong with them and what of them can be shown.
fn text(bytes: &[u8]) -> Result<&str, (String, Problem)> {
    if bytes.len() > MAX_CASES_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_CASES_BYTES} are read", bytes.len());
        let problem = Problem::new(message, Span::default()).help("split it into several files");
        return Err((String::new(), problem));
    }
    core::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let problem = Problem::new(format!("byte {at} is not text"), Span::new(at, at.saturating_add(1)))
            .help("a case file is UTF-8 text; is this a filter?");
        (String::from_utf8_lossy(bytes).into_owned(), problem)
    })
}

fn read(text: &str) -> Result<CaseFile, Vec<Problem>> {
    let mut problems = Vec::new();
    let (header, body) = match header::split(text) {
        Ok((header, body)) => (header::read(header, text, &mut problems), body),
        Err(problem) => return Err(vec![problem]),
    };
    let cases = cases(text, body, &mut problems);
    if problems.is_empty() {
        Ok(CaseFile { header, cases })
    } else {
        Err(problems)
    }
}

/// The lines from a place on.
fn cases(text: &str, body: usize, problems: &mut Vec<Problem>) -> Vec<Case> {
    let (head, rest) = text.split_at_checked(body).unwrap_or((text, ""));
    let first = head.matches('\n').count().saturating_add(1);
    let (mut cases, mut at) = (Vec::new(), body);
    for (number, written) in (first..).zip(rest.split_inclusive('\n')) {
        if problems.len() >= TOLD {
            break;
        }
        match line::read(written, at, number) {
            Ok(Some(_)) if cases.len() >= MAX_CASES => {
                let message = format!("more than {MAX_CASES} cases");
                let place = Span::new(at, at.saturating_add(written.trim_end().len()));
                problems.push(Problem::new(message, place).help("split the file"));
                break;
            }
            Ok(case) => cases.extend(case),
            Err(found) => problems.extend(found),
        }
        at = at.saturating_add(written.len());
    }
    cases
}
