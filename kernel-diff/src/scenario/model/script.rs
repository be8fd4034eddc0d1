//! The steps of a scenario as they are played: what comes next, and whether what is seen is what should be.

use callproof_vm::effect::Interruption;

use crate::scenario::Played;
use crate::scenario::step::{How, Signal, Step, Who};

/// Where a scenario stands.
#[derive(Debug)]
pub(super) struct Script<'s> {
    steps: &'s [Step],
    next: usize,
    differed: Option<Played>,
    /// Who makes the current call, and what that process does about SIGUSR1
    pub(super) caller: Who,
    pub(super) usr1: How,
    /// Whether a handler other than that for SIGSYS has run during the current call
    pub(super) handled: bool,
    /// Whether a tracer was shown the current call
    pub(super) stopped: bool,
    /// What cannot be done while the current call is under way
    pub(super) later: Vec<Later>,
}

/// Something that happens as soon as the current call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// A tracer no longer wants to see entries
    Resumed { tracer: Who, of: Who },
    /// A tracer let go
    Detached { tracer: Who, of: Who },
    /// Somebody is gone
    Ended(Who),
}

impl<'s> Script<'s> {
    pub(super) const fn new(steps: &'s [Step]) -> Self {
        Self {
            steps,
            next: 0,
            differed: None,
            caller: 0,
            usr1: How::Default,
            handled: false,
            stopped: false,
            later: Vec::new(),
        }
    }

    /// The step that has not shown anything yet; none after a difference.
    pub(super) fn step(&self) -> Option<&'s Step> {
        let step = self.steps.get(self.next);
        step.filter(|_| self.differed.is_none())
    }

    /// The current step showed this. Says whether it should.
    pub(super) fn say(&mut self, seen: impl Into<String>) -> bool {
        let Some(step) = self.step() else { return false };
        let seen = seen.into();
        self.next = self.next.saturating_add(1);
        if seen == step.expect {
            return true;
        }
        self.differed = Some(Played::Differed {
            line: step.line,
            expected: step.expect.clone(),
            seen,
        });
        false
    }

    pub(super) fn end(self) -> Played {
        self.differed.unwrap_or(Played::Agreed)
    }

    /// What a signal to the caller does, given that it is not lost.
    pub(super) fn interruption(&self, signal: Signal) -> Interruption {
        match (signal, self.usr1) {
            (Signal::Kill, _) | (Signal::Usr1, How::Default) => Interruption::Fatal,
            (Signal::Usr1, How::Handle) => Interruption::Handler,
            (Signal::Usr1, How::Restart) => Interruption::RestartingHandler,
            (Signal::Usr1, How::Ignore) | (Signal::Chld | Signal::Sys, _) => Interruption::NoHandler,
        }
    }

    /// A signal arrives at the caller.
    pub(super) fn interrupt(&mut self, signal: Signal) -> Interruption {
        let interruption = self.interruption(signal);
        self.handled |= matches!(interruption, Interruption::Handler | Interruption::RestartingHandler);
        interruption
    }
}
