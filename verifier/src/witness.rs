//! Witnesses: calls that show something, replayed in the emulator before anybody sees them.

use core::fmt;

use callproof_vm::{SeccompData, Verdict};

use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::subject::Subject;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A limit was reached
    Undecided(Undecided),
    /// The emulator says something else than the verifier: one of the two is wrong, and nothing is claimed
    Disagreement(Box<Disagreement>),
}

impl From<Undecided> for Failure {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided(undecided) => undecided.fmt(f),
            Self::Disagreement(disagreement) => disagreement.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}

/// A call about which the emulator and the verifier disagree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disagreement {
    /// The call
    pub call: SeccompData,
    /// What the verifier worked out
    pub expected: u64,
    /// What the emulator did
    pub observed: u64,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            expected,
            observed,
        } = self;
        write!(
            f,
            "the verifier expects {expected:#x} and the emulator gives {observed:#x} for {call:x?}; this is a bug in one of them, please report it"
        )
    }
}

/// A call with what each subject asked about answers to it, replayed in the emulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The call
    pub call: SeccompData,
    /// The emulator's verdicts, one for each subject, in the order they were given
    pub verdicts: Vec<Verdict>,
}

/// A subject with its function.
pub type Known<'k, 'f> = (&'k Subject<'f>, &'k Function);

impl Space {
    /// A call of a set, replayed: every function given must say what the emulator says. `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator disagrees.
    pub fn witness(&mut self, set: Set, about: &[Known<'_, '_>]) -> Result<Option<Witness>, Failure> {
        let Some(call) = self.example(set)? else {
            return Ok(None);
        };
        self.replay(call, about).map(Some)
    }

    /// A call that two functions answer differently, replayed. `None` when they are the same function.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator disagrees.
    pub fn differ(&mut self, a: Known<'_, '_>, b: Known<'_, '_>) -> Result<Option<Witness>, Failure> {
        if let (Form::Whole(root_a), Form::Whole(root_b)) = (&a.1.form, &b.1.form) {
            let Some(words) = self.differ_whole(*root_a, *root_b) else {
                return Ok(None);
            };
            let call = SeccompData::from_words(words, self.machine().endian);
            return self.replay(call, &[a, b]).map(Some);
        }
        let set = self.difference(a.1, b.1)?;
        self.witness(set, &[a, b])
    }

    /// An input on which two diagrams differ: in a preferred ABI when the order of bits makes that easy to see, and
    /// with small words.
    fn differ_whole(&self, a: Ref, b: Ref) -> Option<[u32; 16]> {
        if a == b {
            return None;
        }
        // When the bits of the architecture come first, fixing them takes 32 steps.
        let lane = self.arena.order().lane(1);
        if lane.base == 0 && lane.stride == 1 {
            for &arch in self.preferred() {
                let (a, b) = (self.arena.descend(a, 1, arch), self.arena.descend(b, 1, arch));
                if a != b {
                    let mut words = self.arena.first_difference(a, b);
                    if let Some(word) = words.get_mut(1) {
                        *word = arch;
                    }
                    return Some(words);
                }
            }
        }
        Some(self.arena.first_difference(a, b))
    }

    /// Asks the emulator about a call, and every function whether it says the same.
    fn replay(&self, call: SeccompData, about: &[Known<'_, '_>]) -> Result<Witness, Failure> {
        let mut verdicts = Vec::with_capacity(about.len());
        for (subject, function) in about {
            let verdict = subject.run(&call);
            let expected = self.value(function, &call);
            let observed = function.view().stand_in(verdict.value, subject.machine().kernel);
            if expected != observed {
                return Err(disagreement(call, u64::from(expected), u64::from(observed)));
            }
            verdicts.push(verdict);
        }
        Ok(Witness { call, verdicts })
    }
}

pub(crate) fn disagreement(call: SeccompData, expected: u64, observed: u64) -> Failure {
    Failure::Disagreement(Box::new(Disagreement {
        call,
        expected,
        observed,
    }))
}
