//! What can be said of a compiler and a policy.

use serde::{Deserialize, Serialize};

use crate::exhibit::Exhibit;

/// What came of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The filter is the policy, for every call; a checker accepted the proof
    Proved,
    /// It was not settled; the limits that were reached
    Undecided(String),
    /// The policy cannot be offered in this format; why
    Unoffered(String),
    /// The compiler ended with an error, which it may
    Declined,
    /// Something is wrong with the compiler
    Wrong(Fault),
}

/// What is wrong with a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of fault it is
    pub kind: Kind,
    /// What it is, as a sentence without its end
    pub message: String,
    /// A call that the filter and the policy answer differently: by the filter, then by the policy
    pub shown: Vec<Exhibit>,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The filter is not the policy
    Differs,
    /// The kernel would not install the filter
    Refused,
    /// What was written is no filter
    Unreadable,
    /// Equal policies give different filters
    Unsteady,
    /// The compiler died of a signal
    Crash,
    /// The compiler did not end by its deadline
    Hang,
    /// The compiler wrote more than anything that is read
    Flood,
    /// The compiler ended with an error, where that is a fault too
    Declined,
}

impl Kind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::Differs,
        Self::Refused,
        Self::Unreadable,
        Self::Unsteady,
        Self::Crash,
        Self::Hang,
        Self::Flood,
        Self::Declined,
    ];

    /// The word for it, in names of files and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::Unsteady => "unsteady",
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Flood => "flood",
            Self::Declined => "declined",
        }
    }
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl Fault {
    pub(crate) fn new(kind: Kind, message: impl core::fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            shown: Vec::new(),
        }
    }

    /// The fault in lines, the witness with both answers.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let shown = self.shown.iter().flat_map(Exhibit::lines);
        core::iter::once(self.message.clone())
            .chain(shown.map(|line| format!("  {line}")))
            .collect()
    }
}
