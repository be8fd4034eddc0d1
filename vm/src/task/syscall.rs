//! One system call of one thread, from its entry to what the thread observes.

use alloc::vec::Vec;

use super::{Added, EntryStops, NotRunning, Registers, Resume, Stop, StopKind, Supervisor, ThreadId, Tracer, World};
use crate::bitmap::Bypass;
use crate::data::SeccompData;
use crate::effect::{Death, Effect, Record, Scope, below_zero};
use crate::install::Mode;
use crate::kernel::{Gate, Kernel};
use crate::verdict::{Action, Verdict};

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The call as the kernel saw it last, with a tracer's changes
    pub call: SeccompData,
    /// What the thread observes. [`Effect::Asks`] here means that it still waits for its supervisor.
    pub effect: Effect,
    /// What the filters said, when they were asked; after a tracer's changes, what they said the second time
    pub verdict: Option<Verdict>,
    /// Why they were not asked, if the kernel knew the answer without them
    pub bypass: Option<Bypass>,
    /// The audit record
    pub record: Option<Record>,
    /// Descriptors that a supervisor put into the process
    pub added: Vec<Added>,
}

/// The people outside and the registers between them.
pub(super) struct Visit<'v, T, S> {
    pub(super) thread: ThreadId,
    pub(super) registers: Registers,
    pub(super) tracer: &'v mut T,
    pub(super) supervisor: &'v mut S,
    /// Whether the filters are asked a second time, after a tracer
    pub(super) again: bool,
}

impl World {
    /// A thread makes a call.
    ///
    /// Use [`Nobody`](super::Nobody) for a tracer or a supervisor that has nothing to say.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn syscall(
        &mut self,
        thread: ThreadId,
        call: &SeccompData,
        tracer: &mut impl Tracer,
        supervisor: &mut impl Supervisor,
    ) -> Result<Observed, NotRunning> {
        self.running(thread)?;
        let mut visit = Visit {
            thread,
            registers: Registers {
                call: *call,
                result: self.host.convention.before(call),
            },
            tracer,
            supervisor,
            again: false,
        };
        let observed = if self.kernel().has(Gate::PtraceBeforeSeccomp) {
            match self.entry_stop(&mut visit) {
                None => self.judge(&mut visit),
                Some(effect) => visit.observed(effect),
            }
        } else {
            self.judge_before_ptrace(&mut visit)
        };
        if let Effect::Dies(death) = observed.effect {
            self.bury(thread, death.scope);
        }
        Ok(observed)
    }

    /// Before 4.8 the tracer's entry stop comes after seccomp, and nobody judges what it changes there.
    fn judge_before_ptrace<T: Tracer, S: Supervisor>(&mut self, visit: &mut Visit<'_, T, S>) -> Observed {
        let mut observed = self.judge(visit);
        if observed.effect == Effect::Runs {
            let stopped = self.entry_stop(visit);
            observed.effect = stopped.unwrap_or_else(|| self.goes_on(visit));
            observed.call = visit.registers.call;
        }
        observed
    }

    /// The stop at the entry of a call, if the tracer wants one. `Some` when it ends the call.
    fn entry_stop<T: Tracer, S: Supervisor>(&self, visit: &mut Visit<'_, T, S>) -> Option<Effect> {
        let stops = self.tracing(visit.thread)?.entry_stops;
        if stops == EntryStops::No {
            return None;
        }
        let stop = Stop::new(visit.thread, StopKind::Entry, self.kernel());
        if visit.tracer.stopped(&stop, &mut visit.registers) == Resume::Killed {
            return Some(Effect::Dies(Death::by_sigkill(Scope::Process)));
        }
        let result = self.host.convention.left_by_tracer(visit.registers.result);
        (stops == EntryStops::Emulated).then_some(Effect::Returns(result))
    }

    fn judge<T: Tracer, S: Supervisor>(&mut self, visit: &mut Visit<'_, T, S>) -> Observed {
        let mode = self.thread(visit.thread).map_or(Mode::Disabled, |thread| thread.mode);
        match mode {
            _ if self.is_suspended(visit.thread) => visit.observed(self.goes_on(visit)),
            Mode::Disabled | Mode::Dead => visit.observed(self.goes_on(visit)),
            Mode::Strict => self.judge_strictly(visit),
            Mode::Filter => self.ask_filters(visit),
        }
    }

    fn judge_strictly<T, S>(&mut self, visit: &Visit<'_, T, S>) -> Observed {
        let call = visit.registers.call;
        if self.host.strict.allows(call.arch, call.nr, self.kernel()) {
            return visit.observed(self.goes_on(visit));
        }
        let death = self.kill_strictly(visit.thread);
        // The record says SIGKILL, and KILL_THREAD for an action.
        let logged = self.host.logged.contains(Action::KillThread);
        Observed {
            record: logged.then(|| Record::new(&call, death.signal, 0)),
            ..visit.observed(Effect::Dies(death))
        }
    }

    /// The call is made, unless its number is one that skips it.
    pub(super) fn goes_on<T, S>(&self, visit: &Visit<'_, T, S>) -> Effect {
        if visit.registers.call.nr < 0 {
            let Registers { call, result } = visit.registers;
            below_zero(call.nr, result, self.host.convention)
        } else {
            Effect::Runs
        }
    }

    pub(super) const fn kernel(&self) -> Kernel {
        self.host.machine.kernel
    }
}

impl<T, S> Visit<'_, T, S> {
    pub(super) const fn observed(&self, effect: Effect) -> Observed {
        Observed {
            call: self.registers.call,
            effect,
            verdict: None,
            bypass: None,
            record: None,
            added: Vec::new(),
        }
    }
}
