//! What rules ask about a chain.

use callproof_abi::{Abi, Syscall};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Claim, Env, parse_predicate};
use callproof_verifier::{AskError, Failure, Limits, Outcome, Query, Session, Set, Shown, Undecided, Verdicts, View};
use callproof_vm::{Action, Filter, Machine};

use crate::error::{Error, ErrorKind};

/// Why a rule has no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// A limit was reached
    Undecided(String),
    /// Nothing can be said at all
    Error(Error),
}

impl From<Undecided> for Stop {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided.to_string())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undecided(undecided) => undecided.into(),
            Failure::Disagreement(disagreement) => Self::Error(Error::new(ErrorKind::Bug, disagreement)),
        }
    }
}

impl From<AskError> for Stop {
    fn from(error: AskError) -> Self {
        Self::Error(Error::new(ErrorKind::Bug, error))
    }
}

pub(super) type Found<T> = Result<T, Stop>;

/// What a chain does with some calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The ABI has no such call
    Absent,
    /// Each is denied
    Denied,
    /// Some are permitted
    Mixed,
    /// Each is permitted
    Permitted,
}

impl State {
    /// Whether some of the calls are denied.
    pub(super) const fn is_restricted(self) -> bool {
        matches!(self, Self::Denied | Self::Mixed)
    }

    /// Whether some of the calls are permitted.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Mixed | Self::Permitted)
    }
}

/// A chain under the eyes of the rules.
pub(super) struct Lens<'f> {
    pub(super) session: Session<'f>,
    pub(super) filters: &'f [Filter<'f>],
    pub(super) machine: Machine,
    pub(super) order: ByteOrder,
    /// The ABIs that it is for
    pub(super) abis: Vec<Abi>,
    pub(super) limits: Limits,
    permitted: Option<Set>,
}

impl<'f> Lens<'f> {
    pub(super) fn new(
        filters: &'f [Filter<'f>],
        machine: Machine,
        order: ByteOrder,
        abis: Vec<Abi>,
        limits: Limits,
    ) -> Self {
        Self {
            session: Session::new(filters, Vec::new(), machine, order, &limits),
            filters,
            machine,
            order,
            abis,
            limits,
            permitted: None,
        }
    }

    /// Every call that is made.
    pub(super) fn permitted(&mut self) -> Found<Set> {
        if let Some(known) = self.permitted {
            return Ok(known);
        }
        let permitted = self.with(&Verdicts::permitted(self.machine.kernel))?;
        self.permitted = Some(permitted);
        Ok(permitted)
    }

    /// The calls that get such a verdict.
    pub(super) fn with(&mut self, verdicts: &Verdicts) -> Found<Set> {
        let function = self.session.function(View::Value)?;
        Ok(self.session.space().calls(&function, verdicts)?)
    }

    /// The calls that get such an action.
    pub(super) fn acting(&mut self, action: Action) -> Found<Set> {
        let kernel = self.machine.kernel;
        self.with(&Verdicts::actions(&[action], kernel))
    }

    /// The calls of a pattern on an ABI; none when the ABI lacks the call or a constant.
    pub(super) fn calls(&mut self, pattern: &str, abi: Abi) -> Found<Set> {
        let env = Env::new(AbiList::of([AbiItem::Abi(abi)]));
        let Ok(predicate) = parse_predicate(pattern) else {
            return Ok(Set::EMPTY);
        };
        let Ok(grounded) = predicate.ground(&env) else {
            return Ok(Set::EMPTY);
        };
        Ok(self.session.asked(&grounded)?)
    }

    /// The calls of a number on an ABI.
    pub(super) fn number(&mut self, call: Syscall) -> Found<Set> {
        let space = self.session.space();
        let arch = space.arch(call.abi.audit_arch())?;
        let number = space.numbers(call.number, call.number)?;
        Ok(space.and(arch, number)?)
    }

    /// Those of the calls that are permitted.
    pub(super) fn open(&mut self, calls: Set) -> Found<Set> {
        let permitted = self.permitted()?;
        Ok(self.session.space().and(calls, permitted)?)
    }

    /// Those of the calls that are denied.
    pub(super) fn denied(&mut self, calls: Set) -> Found<Set> {
        let permitted = self.permitted()?;
        Ok(self.session.space().minus(calls, permitted)?)
    }

    pub(super) fn state_of(&mut self, calls: Set) -> Found<State> {
        if calls.is_empty() {
            return Ok(State::Absent);
        }
        let open = self.open(calls)?;
        Ok(match open {
            open if open.is_empty() => State::Denied,
            open if open == calls => State::Permitted,
            _ => State::Mixed,
        })
    }

    pub(super) fn state(&mut self, pattern: &str, abi: Abi) -> Found<State> {
        let calls = self.calls(pattern, abi)?;
        self.state_of(calls)
    }

    /// The numbers below bit 30 that are no call: what a newer kernel could give one. Guards against x32 deny the others
    /// on x86_64 by the way.
    pub(super) fn unknown(&mut self, abi: Abi) -> Found<Set> {
        let pattern = if abi == Abi::X32 {
            "unallocated except -1"
        } else {
            "unallocated except 0x40000000..=0xffffffff"
        };
        self.calls(pattern, abi)
    }

    /// What calls get that no rule speaks of.
    pub(super) fn default_state(&mut self, abi: Abi) -> Found<State> {
        let unknown = self.unknown(abi)?;
        self.state_of(unknown)
    }

    /// A call of a set, replayed.
    pub(super) fn show(&mut self, set: Set) -> Found<Vec<Shown>> {
        Ok(self.session.witness(set)?.into_iter().collect())
    }

    /// One permitted call of a pattern, replayed.
    pub(super) fn show_open(&mut self, pattern: &str, abi: Abi) -> Found<Vec<Shown>> {
        let calls = self.calls(pattern, abi)?;
        let open = self.open(calls)?;
        self.show(open)
    }

    /// One denied call of a pattern, replayed.
    pub(super) fn show_denied(&mut self, pattern: &str, abi: Abi) -> Found<Vec<Shown>> {
        let calls = self.calls(pattern, abi)?;
        let denied = self.denied(calls)?;
        self.show(denied)
    }

    /// Answers a claim, with a proof of what holds.
    pub(super) fn ask(&mut self, claim: &Claim) -> Found<Outcome> {
        let env = Env::default();
        let query = Query { claim, env: &env };
        Ok(self.session.ask(&query)?)
    }
}
