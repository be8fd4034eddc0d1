//! What an oracle is.

use core::fmt;

use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Insn, Outcome, SeccompData};

pub use crate::failure::{Failure, Missing, Shown, Support};
use crate::native::{Entry, Notified, Timing};

/// A program and the calls that it shall judge.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// A program that the kernel admits
    pub program: &'q [Insn],
    /// The calls
    pub data: &'q [SeccompData],
}

/// Something about the kernel that an oracle may be able to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sight {
    /// The 32-bit values that a program returns
    Results,
    /// What calls show under several filters
    Outcomes,
    /// Whether a program is installed
    Admission,
    /// How many programs fit what is left of a chain
    Room,
    /// The `seccomp_data` that the kernel builds of calls
    Records,
    /// Whether the kernel allows a call without running the filter
    Skipped,
    /// What a program of classic BPF returns for the bytes of a packet
    Packets,
}

/// A question about the kernel. Each kind is answered by a [`Sight`].
#[derive(Clone, Copy, Debug)]
pub enum Query<'q> {
    /// [`Sight::Results`] for some calls
    Results(Question<'q>),
    /// [`Sight::Outcomes`] of calls
    Outcomes {
        /// Programs that the kernel admits, the oldest first
        chain: &'q [Vec<Insn>],
        /// The calls
        data: &'q [SeccompData],
    },
    /// [`Sight::Admission`] of any program
    Admission(&'q [Insn]),
    /// [`Sight::Room`] of programs
    Room {
        /// The programs, the oldest first. All but the last allow `seccomp`
        chain: &'q [&'q [Insn]],
        /// Converted instructions that are left
        room: u32,
    },
    /// [`Sight::Records`] of calls: how each is made, its number and its arguments
    Records(&'q [(Entry, i32, [u64; 6])]),
    /// [`Sight::Skipped`] for a call of x86_64 with this number
    Skipped {
        /// A program that the kernel admits
        program: &'q [Insn],
        /// The number
        nr: i32,
    },
    /// [`Sight::Packets`] for one packet
    Packet {
        /// A program that the kernel admits for sockets
        program: &'q [Insn],
        /// The packet
        packet: &'q [u8],
    },
}

/// What an oracle saw: the answer to the [`Query`] of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One value for each call, in their order
    Results(Vec<u32>),
    /// One outcome for each call, in their order
    Outcomes(Vec<Outcome>),
    /// Whether the program is installed
    Admission(bool),
    /// How many of the programs are installed
    Room(usize),
    /// What was called and what the kernel built, for each call that can be made
    Records(Vec<Notified>),
    /// What the times say, and how surely
    Skipped(Timing),
    /// The value, or `None` when the program was left
    Packet(Option<u32>),
}

/// Somebody who knows what the kernel does, because he asks the one that runs, in one way or another.
///
/// This is the one door to all of them: what can be asked, [`sees`](Self::sees) tells, and every question of that kind is
/// answered by [`ask`](Self::ask). Each oracle also has a method of its own that asks the same with fewer words.
///
/// An oracle changes programs to make them tell their results, so it is only asked about programs that the kernel admits
/// unchanged ([`AdmissionOracle`](crate::AdmissionOracle) knows which).
pub trait Oracle {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// The kinds of questions that it answers.
    fn sees(&self) -> &'static [Sight];

    /// What it can observe of calls.
    fn observes(&self) -> Observes;

    /// Whether calls are made with whatever instruction pointer is asked for, and none becomes a constant.
    fn any_instruction_pointer(&self) -> bool {
        false
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`Failure::Unseen`] for a kind of question that it does not answer; other [`Failure`]s when the kernel could not be
    /// asked, and the oracle can be asked again.
    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure>;

    /// The 32-bit values that a program returns for some calls, in their order: [`Query::Results`].
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    fn evaluate(&mut self, program: &[Insn], data: &[SeccompData]) -> Result<Vec<u32>, Failure> {
        match self.ask(Query::Results(Question { program, data }))? {
            Answer::Results(values) => Ok(values),
            _ => Err(Failure::Unseen { sight: Sight::Results }),
        }
    }

    /// Answers many questions, which is much faster than one after the other for some oracles.
    fn evaluate_all(&mut self, questions: &[Question<'_>]) -> Vec<Result<Vec<u32>, Failure>> {
        let answer = |question: &Question<'_>| self.evaluate(question.program, question.data);
        questions.iter().map(answer).collect()
    }
}

impl Query<'_> {
    /// What is asked for.
    #[must_use]
    pub const fn sight(&self) -> Sight {
        match self {
            Self::Results(_) => Sight::Results,
            Self::Outcomes { .. } => Sight::Outcomes,
            Self::Admission(_) => Sight::Admission,
            Self::Room { .. } => Sight::Room,
            Self::Records(_) => Sight::Records,
            Self::Skipped { .. } => Sight::Skipped,
            Self::Packet { .. } => Sight::Packets,
        }
    }

    /// What is said to a question that an oracle has no eyes for.
    pub(crate) const fn unseen(&self) -> Failure {
        Failure::Unseen { sight: self.sight() }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Results => "what a program returns",
            Self::Outcomes => "what calls show under several filters",
            Self::Admission => "whether a program is installed",
            Self::Room => "how many programs fit",
            Self::Records => "what the kernel builds of calls",
            Self::Skipped => "whether a filter is run at all",
            Self::Packets => "what a program returns for a packet",
        })
    }
}

/// What an oracle can observe of calls, and what it has to replace by constants to be able to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observes {
    /// Results come from seccomp itself; if not, from the socket filters of the same kernel, which share its engine
    pub seccomp: bool,
    /// Audit words whose calls are truly made. Loads of any other word become constants
    pub arches: &'static [u32],
    /// The instruction pointers of calls that are truly made, by audit word. Loads of any other become constants
    pub instruction_pointers: [(u32, u64); 2],
    /// Call numbers that are not given to the kernel because it lets them pass every filter; loads become constants
    pub replaced_numbers: &'static [i32],
    /// The longest program that it can always be asked about. Longer ones may give [`Failure::TooLong`]
    pub longest: usize,
}

impl Observes {
    /// Of an oracle that makes no calls under the programs that it is asked about.
    pub(crate) const NO_CALLS: Self = Self {
        seccomp: true,
        arches: &[],
        instruction_pointers: [(0, 0); 2],
        replaced_numbers: &[],
        longest: MAX_INSNS,
    };
}
