//! Tracers and supervisors of a scenario: they read their lines from the script while a call waits for them.

use core::cell::RefCell;

use callproof_vm::task::{
    AddFd, Arrival, Conversation, Notification, Registers, Response, Resume, Stop, StopKind, Supervisor, ThreadId,
    Tracer, add, set_flags,
};
use callproof_vm::{Errno, Kernel};

use super::IP;
use super::script::{Later, Script};
use crate::scenario::Fault;
use crate::scenario::step::{Actor, Edit, Id, What};
use crate::scenario::words::{self, Address};

/// Both of them, with what they know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside<'p, 's> {
    pub(super) script: &'p RefCell<Script<'s>>,
    pub(super) actors: &'p [Actor],
    /// Who is which thread
    pub(super) threads: &'p [Option<ThreadId>],
    pub(super) fault: Option<Fault>,
    pub(super) kernel: Kernel,
}

impl Tracer for Outside<'_, '_> {
    fn stopped(&mut self, stop: &Stop, registers: &mut Registers) -> Resume {
        let mut script = self.script.borrow_mut();
        script.stopped = true;
        script.say(match stop.kind {
            StopKind::Entry => words::ENTRY.to_owned(),
            StopKind::Seccomp { message } => words::stops(u64::from(message)),
        });
        while let Some(step) = script.step() {
            let who = step.who;
            match step.what {
                What::Edit { edit, .. } => change(registers, &edit),
                What::Resume { of } => script.later.push(Later::Resumed { tracer: who, of }),
                What::Detach { of } => script.later.push(Later::Detached { tracer: who, of }),
                What::Kill { of } if of == script.caller => {
                    script.say(words::DONE);
                    return Resume::Killed;
                }
                What::Kill { of } => script.later.push(Later::Ended(of)),
                _ => break,
            }
            script.say(words::DONE);
        }
        Resume::Continue
    }
}

/// What a tracer writes to the registers of a stopped thread.
fn change(registers: &mut Registers, edit: &Edit) {
    if let Some(nr) = edit.nr {
        registers.call.nr = nr;
    }
    if let Some(args) = edit.args {
        registers.call.args = args;
    }
    if let Some(result) = edit.result {
        registers.result = result;
    }
}

impl Supervisor for Outside<'_, '_> {
    fn arrives(&mut self, _: &Notification) -> Arrival {
        let mut script = self.script.borrow_mut();
        script.say(words::WAITS);
        let Some(step) = script.step() else {
            return Arrival::Received;
        };
        let arrival = match step.what {
            What::Signal { of, signal } if of == script.caller => Arrival::Interrupted(script.interrupt(signal)),
            What::Kill { of } if of == script.caller => Arrival::Interrupted(callproof_vm::effect::Interruption::Fatal),
            What::CloseListener => Arrival::Closed,
            _ => return Arrival::Received,
        };
        script.say(words::DONE);
        arrival
    }

    fn notified(&mut self, notification: &Notification, conversation: &mut Conversation<'_>) {
        loop {
            let step = self.script.borrow().step();
            let Some(step) = step else { return };
            let Some(text) = self.line(&step.what, notification, conversation) else {
                return;
            };
            self.script.borrow_mut().say(text);
        }
    }
}

impl Outside<'_, '_> {
    /// What one step of a supervisor shows, or `None` when the step is not his.
    fn line(&self, what: &What, notification: &Notification, talk: &mut Conversation<'_>) -> Option<String> {
        Some(match *what {
            What::Receive { dirty: false } => self.receives(notification),
            What::Receive { dirty: true } => words::returns(-22),
            What::Send { id, val, error, flags } => {
                let mut response = Response {
                    id: number(id, notification),
                    val,
                    error,
                    flags,
                };
                if self.fault == Some(Fault::ContinueWithValue) && flags & Response::CONTINUE != 0 {
                    (response.val, response.error) = (0, 0);
                }
                words::done(answer(talk.send(&response).map(|()| 0)))
            }
            What::Valid { id, .. } => words::done(answer(talk.id_valid(number(id, notification)).map(|()| 0))),
            What::AddFd { id, flags, fd, closed } => {
                let request = AddFd {
                    id: number(id, notification),
                    flags,
                    source_is_open: !closed,
                    newfd: fd.unwrap_or(0),
                    newfd_flags: add::CLOEXEC,
                };
                words::done(answer(talk.add_fd(&request)))
            }
            What::SetFlags(flags) => words::done(answer(set_flags(flags, self.kernel).map(|()| 0))),
            What::CloseListener => {
                talk.close();
                words::DONE.to_owned()
            }
            What::Signal { of, signal } if of == self.script.borrow().caller => {
                let interruption = self.script.borrow_mut().interrupt(signal);
                talk.interrupt(interruption);
                words::DONE.to_owned()
            }
            What::Kill { of } if of == self.script.borrow().caller => {
                talk.interrupt(callproof_vm::effect::Interruption::Fatal);
                words::DONE.to_owned()
            }
            _ => return None,
        })
    }

    fn receives(&self, notification: &Notification) -> String {
        let who = self.threads.iter().position(|id| *id == Some(notification.thread));
        let name = who
            .and_then(|who| self.actors.get(who))
            .map_or("?", |actor| actor.name.as_str());
        let data = &notification.data;
        let address = if data.instruction_pointer == IP {
            Address::Right
        } else {
            Address::Wrong(data.instruction_pointer)
        };
        words::receives(data.nr, data.arch, &data.args, address, name)
    }
}

const fn number(id: Id, notification: &Notification) -> u64 {
    match id {
        Id::Last => notification.id,
        Id::Wrong(by) => notification.id.wrapping_add(by),
    }
}

/// What the request returns.
pub(super) fn answer(result: Result<i32, Errno>) -> i64 {
    match result {
        Ok(value) => i64::from(value),
        Err(errno) => i64::from(errno.number()).wrapping_neg(),
    }
}
