//! The filters' part of a call: their verdict, and the tracer's or the supervisor's answer to it.

use alloc::vec::Vec;

use super::chains::{FilterId, Listener};
use super::supervisor::Fate;
use super::syscall::Visit;
use super::{
    Added, Arrival, Conversation, Notification, Observed, Response, Resume, Stop, StopKind, Supervisor, ThreadId,
    Tracer, World,
};
use crate::data::SeccompData;
use crate::effect::{Death, Effect, Scope, Situation, consequence, fails, record};
use crate::install::flag;
use crate::kernel::Gate;
use crate::verdict::{Action, Verdict, combine};

/// `ERESTARTSYS`: what interrupted waiting for a supervisor fails with inside the kernel.
const ERESTARTSYS: u16 = 512;

impl World {
    pub(super) fn ask_filters<T: Tracer, S: Supervisor>(&mut self, visit: &mut Visit<'_, T, S>) -> Observed {
        let call = visit.registers.call;
        let newest = self.thread(visit.thread).and_then(|thread| thread.newest);
        let bypass = self.host.platform.and_then(|platform| {
            platform.bypasses_programs(self.chains.programs(newest), call.arch, call.nr, self.kernel())
        });
        if bypass.is_some() {
            return Observed {
                bypass,
                ..visit.observed(self.goes_on(visit))
            };
        }
        let (verdict, matched) = self.verdict(newest, &call);
        if visit.again && verdict.action == Action::Trace {
            // The filters were asked because of a TRACE; another one neither stops nor skips.
            return Observed {
                verdict: Some(verdict),
                ..visit.observed(self.goes_on(visit))
            };
        }
        let situation = self.situation(visit.thread, matched);
        let after = consequence(&verdict, &call, &situation);
        let mut observed = match after.effect {
            _ if verdict.action.permits() => visit.observed(self.goes_on(visit)),
            Effect::Stops { message } => return self.stop(visit, message, &verdict, &situation),
            Effect::Asks => self.ask(visit, matched, &verdict, &situation),
            effect => visit.observed(effect),
        };
        if verdict.action.kills() {
            self.mark_dead(visit.thread);
        }
        observed.verdict = Some(verdict);
        observed.record = observed.record.or(after.record);
        observed
    }

    /// The chain's verdict, and the filter it came from.
    fn verdict(&self, newest: Option<FilterId>, call: &SeccompData) -> (Verdict, Option<FilterId>) {
        let machine = self.host.machine;
        let words = call.words(machine.endian);
        let chain = self.chains.oldest_first(newest);
        let values = chain.iter().enumerate().rev().filter_map(|(index, &id)| {
            let filter = &self.chains.get(id)?.filter;
            Some((index, filter.run_words(&words, machine.shift, &mut ())))
        });
        let verdict = combine(values, machine.kernel);
        let matched = verdict.filter.and_then(|index| chain.get(index).copied());
        (verdict, matched)
    }

    fn situation(&self, thread: ThreadId, matched: Option<FilterId>) -> Situation {
        let matched = matched.and_then(|id| self.chains.get(id));
        let found = self.thread(thread);
        let process = found.and_then(|thread| self.processes.get(thread.process.0));
        let environment = found.map(|thread| thread.environment).unwrap_or_default();
        Situation {
            kernel: self.kernel(),
            convention: self.host.convention,
            traced: self.traced(thread),
            has_listener: matched.is_some_and(|filter| filter.listener == Listener::Open),
            flag_log: matched.is_some_and(|filter| filter.flags & flag::LOG != 0),
            logged: self.host.logged,
            sigsys: process.map(|process| process.sigsys).unwrap_or_default(),
            sigsys_blocked: environment.sigsys_blocked,
            other_threads: self.others(thread).next().is_some(),
            leader_ended: self.leader_ended(thread),
            interruption: environment.interruption,
        }
    }

    /// `PTRACE_EVENT_SECCOMP`: the tracer may change the call, and the filters are asked about what it became.
    fn stop<T: Tracer, S: Supervisor>(
        &mut self,
        visit: &mut Visit<'_, T, S>,
        message: u16,
        verdict: &Verdict,
        situation: &Situation,
    ) -> Observed {
        let stop = Stop::new(visit.thread, StopKind::Seccomp { message }, self.kernel());
        let resume = visit.tracer.stopped(&stop, &mut visit.registers);
        let killed = resume == Resume::Killed;
        if !killed && visit.registers.call.nr >= 0 && self.kernel().has(Gate::PtraceBeforeSeccomp) {
            visit.again = true;
            return self.ask_filters(visit);
        }
        let effect = if killed {
            Effect::Dies(Death::by_sigkill(Scope::Process))
        } else {
            self.goes_on(visit)
        };
        Observed {
            verdict: Some(*verdict),
            // The call is skipped, or this is a kernel before 4.8, where TRACE leaves no record.
            record: record(verdict, &visit.registers.call, situation),
            ..visit.observed(effect)
        }
    }

    /// A notification to the supervisor behind the filter that the verdict came from, and its answer.
    fn ask<T, S: Supervisor>(
        &mut self,
        visit: &mut Visit<'_, T, S>,
        matched: Option<FilterId>,
        verdict: &Verdict,
        situation: &Situation,
    ) -> Observed {
        self.notifications = self.notifications.wrapping_add(1);
        let notification = Notification {
            id: self.notifications,
            thread: visit.thread,
            data: visit.registers.call,
        };
        let (fate, added) = self.converse(visit, matched, &notification);
        let convention = situation.convention;
        let effect = match fate {
            Fate::Waiting => Effect::Asks,
            _ if fate.proceeds() => self.goes_on(visit),
            Fate::Answered(Response { error, val, .. }) => Effect::Returns(convention.set(i64::from(error), val)),
            Fate::Closed => Effect::Returns(convention.no_such_call()),
            Fate::Interrupted(interruption) => {
                let situation = Situation {
                    interruption,
                    ..*situation
                };
                fails(ERESTARTSYS, &situation)
            }
        };
        if let (Fate::Closed, Some(filter)) = (fate, matched.and_then(|id| self.chains.get_mut(id))) {
            filter.listener = Listener::Closed;
        }
        Observed {
            record: record(verdict, &visit.registers.call, situation).filter(|_| fate.skips()),
            added,
            ..visit.observed(effect)
        }
    }

    fn converse<T, S: Supervisor>(
        &mut self,
        visit: &mut Visit<'_, T, S>,
        matched: Option<FilterId>,
        notification: &Notification,
    ) -> (Fate, Vec<Added>) {
        match visit.supervisor.arrives(notification) {
            Arrival::Received => {}
            Arrival::Interrupted(interruption) => return (Fate::Interrupted(interruption), Vec::new()),
            Arrival::Closed => return (Fate::Closed, Vec::new()),
        }
        let kernel = self.kernel();
        let flags = matched
            .and_then(|id| self.chains.get(id))
            .map_or(0, |filter| filter.flags);
        let Ok(process) = self.process(visit.thread) else {
            return (Fate::Closed, Vec::new());
        };
        let killable = flags & flag::WAIT_KILLABLE_RECV != 0;
        let mut conversation = Conversation::new(notification.id, kernel, killable, process);
        visit.supervisor.notified(notification, &mut conversation);
        (conversation.fate, conversation.added)
    }
}
