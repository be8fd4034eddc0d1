//! Why a proof was not accepted.

use core::fmt;

/// Why a proof was not accepted. It says nothing about whether the claim is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What kind of trouble it was
    pub kind: Kind,
    /// What was wrong
    pub what: &'static str,
    /// Where: the byte of the file if it is unreadable, else the instruction
    pub at: Option<usize>,
}

/// What kind of trouble kept a proof from being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file is not a proof file of this version
    Unreadable,
    /// The proof does not show the claim for these filters
    Wrong,
    /// The filters do something that this kind of proof cannot speak about
    Unsupported,
    /// The check took more steps than a proof and filters of this size may take
    OutOfSteps,
}

impl Rejected {
    pub(crate) const fn unreadable(at: usize, what: &'static str) -> Self {
        Self {
            kind: Kind::Unreadable,
            what,
            at: Some(at),
        }
    }

    pub(crate) const fn wrong(what: &'static str) -> Self {
        Self {
            kind: Kind::Wrong,
            what,
            at: None,
        }
    }

    pub(crate) const fn unsupported(what: &'static str) -> Self {
        Self {
            kind: Kind::Unsupported,
            what,
            at: None,
        }
    }

    pub(crate) const fn out_of_steps() -> Self {
        Self {
            kind: Kind::OutOfSteps,
            what: "the check takes too many steps",
            at: None,
        }
    }

    /// The same, found at an instruction.
    pub(crate) const fn near(mut self, pc: usize) -> Self {
        if self.at.is_none() {
            self.at = Some(pc);
        }
        self
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.at) {
            (Kind::Unreadable, Some(at)) => write!(f, "unreadable at byte {at}: {}", self.what),
            (Kind::Unsupported, Some(at)) => write!(f, "not supported, near instruction {at}: {}", self.what),
            (Kind::Unsupported, None) => write!(f, "not supported: {}", self.what),
            (_, Some(at)) => write!(f, "rejected near instruction {at}: {}", self.what),
            (_, None) => write!(f, "rejected: {}", self.what),
        }
    }
}

impl core::error::Error for Rejected {}
