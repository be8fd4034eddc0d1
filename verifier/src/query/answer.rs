//! What a question can come to.

use core::fmt;

use callproof_checker::{Claim, Rejected, Shift};
use callproof_policy::{Absent, Cell, Problem};
use callproof_vm::{Endian, Machine, SeccompData, ShiftByX, Verdict};

use crate::limits::Undecided;
use crate::view::signed;
use crate::witness::{Disagreement, Failure};

/// An answer, with what the claim said nothing about.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The answer
    pub answer: Answer,
    /// Calls that the claim names and that an ABI does not have: nothing is claimed of them there
    pub absent: Vec<(Cell, Absent)>,
    /// Calls that were compared with nothing, because the other ABI does not have them
    pub unmatched: Vec<(Cell, &'static str)>,
}

impl Outcome {
    /// A limit was reached before there was anything to ask.
    #[must_use]
    pub fn undecided(undecided: Undecided) -> Self {
        let (limits, known) = (vec![undecided], None);
        Self::new(Answer::Undecided(Tried { limits, known }))
    }

    pub(super) const fn new(answer: Answer) -> Self {
        Self {
            answer,
            absent: Vec::new(),
            unmatched: Vec::new(),
        }
    }
}

/// Every call the claim speaks of, as far as the diagrams say.
pub(super) const HOLDS: Answer = Answer::Holds {
    proof: None,
    shown: Vec::new(),
};

/// Whether a claim is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is true of every call it speaks of
    Holds {
        /// What the checker accepted. `None` for claims of existence, which calls show, and for what the emulator works
        /// out by itself: whether the bitmap answers calls
        proof: Option<Proof>,
        /// The calls that a claim of existence asked for, replayed; none for other claims
        shown: Vec<Shown>,
    },
    /// It is false
    Fails(Counterexample),
    /// It speaks of no call at all: all that it names are absent
    Vacuous,
    /// A limit was reached
    Undecided(Tried),
}

/// A proof that the checker accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    file: Vec<u8>,
}

impl Proof {
    /// Takes a proof file about filters, given as the checker wants them, if the checker accepts it for this claim and
    /// machine.
    ///
    /// # Errors
    /// What the checker says; `None` when the file is a proof of something else.
    pub fn accepted(
        file: Vec<u8>,
        claim: &Claim,
        machine: Machine,
        chains: &[&[&[u8]]],
    ) -> Result<Self, Option<Rejected>> {
        let shown = callproof_checker::check(&file, chains).map_err(Some)?;
        let shift = match machine.shift {
            ShiftByX::Masked => Shift::Masked,
            ShiftByX::Arm8 => Shift::Arm8,
            ShiftByX::SixBitZero => Shift::SixBitZero,
        };
        let same_machine = shown.machine.big_endian == (machine.endian == Endian::Big)
            && shown.machine.before_4_14 != signed(machine.kernel)
            && shown.machine.shift == shift;
        if same_machine && shown.claim == *claim {
            Ok(Self { file })
        } else {
            Err(None)
        }
    }

    /// The proof file: see `docs/PROOFS.md`.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        &self.file
    }
}

/// What was tried in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The engines that were asked, in order, and the limit that each reached
    pub limits: Vec<Undecided>,
    /// What is known all the same
    pub known: Option<Partial>,
}

/// What is known of a claim that was not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partial {
    /// No call costs more instructions
    CostAtMost(u64),
    /// An engine says that it holds, but no proof of it was accepted
    Unproved,
}

/// Why a claim is false.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// What is wrong
    pub finding: Finding,
    /// The calls that show it, each replayed in the emulator; none when the finding is that there is no such call
    pub shown: Vec<Shown>,
    /// What the checker accepted, when the finding is that there is no such call
    pub proof: Option<Proof>,
}

impl Counterexample {
    pub(super) const fn of(finding: Finding, shown: Vec<Shown>) -> Self {
        let proof = None;
        Self { finding, shown, proof }
    }
}

/// A call and what it gets, as the emulator says.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The call
    pub call: SeccompData,
    /// Its verdict
    pub verdict: Verdict,
    /// Executed instructions over all filters; 0 for a policy
    pub insns: u64,
}

/// What is wrong with a filter of which a claim is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The call gets a verdict that the claim excludes
    Verdict,
    /// No call of this pattern gets a verdict of the set on this ABI
    None {
        /// The pattern as it prints
        pattern: String,
        /// The ABI
        cell: Cell,
    },
    /// The call costs more than claimed
    Cost {
        /// The claimed bound
        at_most: u32,
    },
    /// The constant-allow bitmap does not answer the call
    NotCached,
    /// The left and the right give the one call verdicts that the relation excludes; they are shown in that order
    Relation,
    /// The first call is permitted, and the second, its counterpart on the other ABI, is not
    AbiOrder,
    /// The two calls are the same to the kernel and get different verdicts
    SameView,
    /// The two calls differ in the low half of this argument, whose high half never matters
    HalfArgument {
        /// 0 to 5
        argument: u8,
    },
    /// No call executes these instructions of a filter (0 is the oldest), and these tests always go one way
    DeadCode {
        /// (filter, instruction)
        dead: Vec<(usize, usize)>,
        /// (filter, instruction, the way that is always taken)
        one_way: Vec<(usize, usize, bool)>,
    },
    /// The call makes an instruction shift too far or divide by zero
    Hazard {
        /// 0 is the oldest
        filter: usize,
        /// The instruction
        pc: usize,
    },
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum AskError {
    /// The claim has no meaning
    Problems(Vec<Problem>),
    /// The emulator contradicts the verifier
    Disagreement(Box<Disagreement>),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(problems) => match problems.first() {
                Some(problem) => problem.fmt(f),
                None => f.write_str("the claim has no meaning"),
            },
            Self::Disagreement(disagreement) => disagreement.fmt(f),
        }
    }
}

impl core::error::Error for AskError {}

/// Everything that ends the work on a question early.
#[derive(Debug)]
pub(super) enum Stop {
    Undecided(Undecided),
    /// It holds as far as an engine can see, and the checker has not accepted a proof
    Unproved,
    Error(AskError),
}

impl From<Undecided> for Stop {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undecided(undecided) => Self::Undecided(undecided),
            Failure::Disagreement(disagreement) => Self::Error(AskError::Disagreement(disagreement)),
        }
    }
}

impl From<Vec<Problem>> for Stop {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Error(AskError::Problems(problems))
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::from(vec![problem])
    }
}
