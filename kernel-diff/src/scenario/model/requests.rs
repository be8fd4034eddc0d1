//! Steps that are not calls of the scenario's own: installing, making threads, tracing, looking.

use callproof_vm::effect::{Disposition, Effect, Logged, Scope};
use callproof_vm::install::{Fprog, Pointer, Request, Success};
use callproof_vm::task::{Admin, EntryStops, Failed, ThreadId};
use callproof_vm::{Action, Errno, Gate, Insn};

use super::outside::answer;
use super::{Seen, Stage, in_words};
use crate::scenario::Fault;
use crate::scenario::step::{Call, How, Install, Signal, Stops, What, Where, Who};
use crate::scenario::words;

/// Numbers of calls that steps make.
mod nr {
    pub(super) const RT_SIGACTION: i32 = 13;
    pub(super) const RT_SIGPROCMASK: i32 = 14;
    pub(super) const CLONE: i32 = 56;
    pub(super) const EXECVE: i32 = 59;
    pub(super) const EXIT: i32 = 60;
    pub(super) const CAPSET: i32 = 126;
    pub(super) const PRCTL: i32 = 157;
    pub(super) const EXIT_GROUP: i32 = 231;
    pub(super) const UNSHARE: i32 = 272;
    pub(super) const PRLIMIT: i32 = 302;
    pub(super) const SECCOMP: i32 = 317;
}

fn done() -> Seen {
    Ok(words::DONE.to_owned())
}

impl Stage<'_> {
    pub(super) fn step(&mut self, who: Who, what: &What) -> Seen {
        match what {
            What::NoNewPrivs(args) => self.request(who, nr::PRCTL, &Request::PrctlSetNoNewPrivs(*args)),
            What::GetNoNewPrivs(args) => self.request(who, nr::PRCTL, &Request::PrctlGetNoNewPrivs(*args)),
            What::GetMode => self.request(who, nr::PRCTL, &Request::PrctlGetSeccomp),
            What::SetMode(mode) => {
                let filter = Pointer::Null;
                self.request(who, nr::PRCTL, &Request::PrctlSetSeccomp { mode: *mode, filter })
            }
            What::Install(install) => self.install(who, install),
            What::Seccomp {
                op,
                flags,
                pointer,
                value,
            } => self.seccomp(who, *op, *flags, *pointer, *value),
            What::Thread(new) => self.thread_made(who, *new),
            What::Fork(new) => self.forked(who, *new),
            What::Exec(call) => self.exec(who, call),
            What::Exit { all } => self.exit(who, *all),
            What::Handler { signal, how } => self.handler(who, *signal, *how),
            What::Block | What::DropPrivileges | What::UserNamespace | What::LimitFiles => self.settings(who, what),
            What::Status { of } => self.status(*of),
            What::Record { of } => Ok(self.next_record(*of)),
            What::Kill { of } => {
                let thread = self.thread(*of)?;
                let _ = self.world.exit(thread, Scope::Process);
                done()
            }
            What::Receive { dirty } => self.receive(*dirty),
            What::CloseListener => self.close_listener(),
            What::SetFlags(flags) => {
                let set = callproof_vm::task::set_flags(*flags, self.kernel);
                Ok(words::done(answer(set.map(|()| 0))))
            }
            What::Actions { write } => self.actions(who, write.as_deref()),
            What::Send { .. } | What::Valid { .. } | What::AddFd { .. } => Self::without_notification(what),
            What::Signal { .. } | What::Finish | What::Call { .. } | What::Edit { .. } => {
                Ok("nothing to do this to".to_owned())
            }
            _ => self.trace(who, what),
        }
    }

    /// A call about seccomp, which the filters judge first.
    fn request(&mut self, who: Who, nr: i32, request: &Request<'_>) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, nr)?;
        Ok(match self.world.seccomp(thread, request) {
            Ok(Success::NotifSizes(sizes)) => words::sizes(sizes),
            Ok(Success::Installed { listener: Some(_), .. }) => words::LISTENER.to_owned(),
            Ok(success) => words::done(i64::from(success.returns())),
            Err(Failed::Refused(refusal)) => self.refused(refusal),
            Err(Failed::Killed(death)) => in_words(&Effect::Dies(death), &Call::native(nr, [0; 6])),
            Err(Failed::NotRunning(_)) => words::NOBODY.to_owned(),
        })
    }

    fn refused(&self, refusal: callproof_vm::install::Refusal) -> String {
        let value = self.fault.map_or(refusal.returns(), |fault| fault.refusal(refusal));
        let tid = u32::try_from(value).ok().filter(|tid| *tid > 0);
        let is_tid = |id: &Option<ThreadId>| id.map(ThreadId::tid) == tid;
        match tid.and_then(|_| self.threads.iter().position(is_tid)) {
            Some(who) if refusal.errno().is_none() => words::returns_thread(self.name(who)),
            _ => words::done(value),
        }
    }

    fn name(&self, who: Who) -> &str {
        self.scenario.actors.get(who).map_or("?", |actor| actor.name.as_str())
    }

    fn install(&mut self, who: Who, install: &Install) -> Seen {
        let len = install
            .len
            .unwrap_or_else(|| u16::try_from(install.program.len()).unwrap_or(u16::MAX));
        let program = match install.pointer {
            Where::NullProgram => Pointer::Null,
            Where::BadProgram => Pointer::Bad,
            _ => Pointer::To(install.program.as_slice()),
        };
        let args = match install.pointer {
            Where::Null => Pointer::Null,
            Where::Bad => Pointer::Bad,
            _ => Pointer::To(Fprog { len, program }),
        };
        let before = self.thread(who).map(|thread| self.world.chain(thread).len());
        let seen = if install.prctl {
            self.request(who, nr::PRCTL, &Request::PrctlSetSeccomp { mode: 2, filter: args })
        } else {
            let flags = install.flags;
            self.request(who, nr::SECCOMP, &Request::SetModeFilter { flags, args })
        };
        let after = self.thread(who).map(|thread| self.world.chain(thread).len());
        if before != after {
            self.programs.push(install.program.clone());
        }
        seen
    }

    fn seccomp(&mut self, who: Who, op: u32, flags: u32, pointer: Where, value: u32) -> Seen {
        let value = if self.has(Fault::ActionAvailIgnoresData) {
            value & 0xffff_0000
        } else {
            value
        };
        let nothing = match pointer {
            Where::Null => Pointer::Null,
            Where::Good => Pointer::To(()),
            _ => Pointer::Bad,
        };
        let word = match pointer {
            Where::Null => Pointer::Null,
            Where::Good => Pointer::To(value),
            _ => Pointer::Bad,
        };
        let request = match op {
            0 => Request::SetModeStrict { flags, args: nothing },
            2 => Request::GetActionAvail { flags, args: word },
            3 => Request::GetNotifSizes { flags, args: nothing },
            _ => Request::OtherOperation,
        };
        self.request(who, nr::SECCOMP, &request)
    }

    fn thread_made(&mut self, who: Who, new: Who) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, nr::CLONE)?;
        let made = self.world.clone_thread(thread).map_err(|_| words::NOBODY)?;
        self.join(who, new, made);
        let first = self.first.get(who).copied().unwrap_or(who);
        if let Some(place) = self.first.get_mut(new) {
            *place = first;
        }
        done()
    }

    fn forked(&mut self, who: Who, new: Who) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, nr::CLONE)?;
        let made = if self.has(Fault::ForkForgetsFilters) {
            self.world.spawn()
        } else {
            self.world.fork(thread).map_err(|_| words::NOBODY)?
        };
        self.join(who, new, made);
        done()
    }

    fn join(&mut self, creator: Who, new: Who, made: ThreadId) {
        let how = self.usr1.get(creator).copied().unwrap_or_default();
        if let Some(place) = self.threads.get_mut(new) {
            *place = Some(made);
        }
        if let Some(usr1) = self.usr1.get_mut(new) {
            *usr1 = how;
        }
    }

    /// A new program makes one call and exits with its result, negated, as status.
    fn exec(&mut self, who: Who, call: &Call) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, nr::EXECVE)?;
        let handled = self
            .world
            .process(thread)
            .is_ok_and(|process| process.sigsys == Disposition::Handled);
        self.world.execve(thread).map_err(|_| words::NOBODY)?;
        if handled
            && self.has(Fault::ExecKeepsHandler)
            && let Ok(process) = self.world.process(thread)
        {
            process.sigsys = Disposition::Handled;
        }
        let mut call = *call;
        let value = match self.ask(thread, &mut call)? {
            Effect::Returns(value) => value.register,
            Effect::Runs => match crate::scenario::calls::natural(call.nr, &call.args, call.abi) {
                crate::scenario::calls::Natural::Value(value) => value,
                _ => return Ok("makes a call without a known result".to_owned()),
            },
            effect => return Ok(in_words(&effect, &call)),
        };
        self.passes(thread, nr::EXIT_GROUP)?;
        let _ = self.world.exit(thread, Scope::Process);
        let status = u8::try_from(value.wrapping_neg() & 0xff).unwrap_or(0);
        Ok(words::exits(i32::from(status)))
    }

    fn exit(&mut self, who: Who, all: bool) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, if all { nr::EXIT_GROUP } else { nr::EXIT })?;
        let last = all || self.is_alone(who);
        let scope = if last { Scope::Process } else { Scope::Thread };
        let _ = self.world.exit(thread, scope);
        Ok(if last {
            words::exits(0)
        } else {
            words::THREAD_ENDS.to_owned()
        })
    }

    /// Whether no other thread of its process runs. The model says so by how a kill would end.
    fn is_alone(&self, who: Who) -> bool {
        let Ok(thread) = self.thread(who) else { return true };
        let mut world = self.world.clone();
        let others = self.threads.iter().flatten().filter(|other| **other != thread);
        let running: Vec<ThreadId> = others.copied().filter(|other| world.caller(*other).is_ok()).collect();
        let _ = world.exit(thread, Scope::Process);
        running.iter().all(|other| world.caller(*other).is_ok())
    }

    fn handler(&mut self, who: Who, signal: Signal, how: How) -> Seen {
        let thread = self.thread(who)?;
        self.passes(thread, nr::RT_SIGACTION)?;
        if signal == Signal::Sys {
            let process = self.world.process(thread).map_err(|_| words::NOBODY)?;
            process.sigsys = match how {
                How::Default => Disposition::Default,
                How::Ignore => Disposition::Ignored,
                How::Handle | How::Restart => Disposition::Handled,
            };
        } else if let Some(usr1) = self.usr1.get_mut(who) {
            *usr1 = how;
        }
        done()
    }

    fn settings(&mut self, who: Who, what: &What) -> Seen {
        let thread = self.thread(who)?;
        let nr = match what {
            What::Block => nr::RT_SIGPROCMASK,
            What::DropPrivileges => nr::CAPSET,
            What::UserNamespace => nr::UNSHARE,
            _ => nr::PRLIMIT,
        };
        self.passes(thread, nr)?;
        if *what == What::LimitFiles {
            self.world.process(thread).map_err(|_| words::NOBODY)?.next_fd = None;
            return done();
        }
        let environment = self.world.environment(thread).map_err(|_| words::NOBODY)?;
        match what {
            What::Block => environment.sigsys_blocked = true,
            What::DropPrivileges => environment.admin = Admin::No,
            _ => environment.admin = Admin::OwnNamespace,
        }
        done()
    }

    fn status(&self, of: Who) -> Seen {
        let status = self.world.status(self.thread(of)?).ok_or(words::NOBODY)?;
        let filters = status.filters.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let no_new_privs = u8::from(status.no_new_privs).to_string();
        Ok(words::status(&status.seccomp.to_string(), &filters, &no_new_privs))
    }

    fn next_record(&mut self, of: Who) -> String {
        let first = self.first.get(of).copied().unwrap_or(of);
        let found = self.records.iter().position(|(process, _)| *process == first);
        found.map_or_else(|| words::NO_RECORD.to_owned(), |at| self.records.remove(at).1)
    }

    /// RECV when there is nothing to receive.
    fn receive(&self, dirty: bool) -> Seen {
        let filters = self
            .threads
            .iter()
            .flatten()
            .flat_map(|thread| self.world.chain(*thread))
            .next();
        Ok(match filters.map(|filter| self.world.check_recv(filter, !dirty)) {
            Some(Ok(())) => words::NOTHING.to_owned(),
            Some(Err(errno)) => words::done(answer(Err(errno))),
            // Whoever had filters is gone.
            None if dirty => words::done(answer(Err(Errno::EINVAL))),
            None if self.kernel.has(Gate::RecvNoticesNobody) => words::done(answer(Err(Errno::ENOENT))),
            None => words::NOTHING.to_owned(),
        })
    }

    fn close_listener(&mut self) -> Seen {
        let threads: Vec<ThreadId> = self.threads.iter().flatten().copied().collect();
        let closed = threads.into_iter().any(|thread| self.world.close_listener(thread));
        Ok(if closed {
            words::DONE.to_owned()
        } else {
            words::returns(-9)
        })
    }

    /// A request about a notification when nobody waits: what is wrong in itself goes before what is not there.
    fn without_notification(what: &What) -> Seen {
        Ok(words::done(match what {
            What::Send { flags, val, error, .. } if *flags > 1 || (*flags == 1 && (*val, *error) != (0, 0)) => -22,
            _ => answer(Err(Errno::ENOENT)),
        }))
    }

    fn actions(&mut self, who: Who, write: Option<&str>) -> Seen {
        let thread = self.thread(who)?;
        let Some(text) = write else {
            let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
            return Ok(names.join(" "));
        };
        let admin = self.world.environment(thread).map(|environment| environment.admin);
        if admin != Ok(Admin::Initial) {
            return Ok(words::done(answer(Err(Errno::EPERM))));
        }
        Ok(words::done(answer(Logged::parse(text, self.kernel).map(|_| 0))))
    }

    fn trace(&mut self, who: Who, what: &What) -> Seen {
        let tracer = self.thread(who)?;
        let of = match what {
            What::Trace { of, .. }
            | What::Options { of, .. }
            | What::Resume { of }
            | What::Detach { of }
            | What::GetFilter { of, .. }
            | What::GetMetadata { of, .. } => self.thread(*of)?,
            _ => return done(),
        };
        let world = &mut self.world;
        let result = match *what {
            What::Trace { options, stops, .. } => world.seize(tracer, of, options).and_then(|()| {
                let stops = match stops {
                    Stops::Seccomp => EntryStops::No,
                    Stops::Entry => EntryStops::Syscall,
                    Stops::Emulated => EntryStops::Emulated,
                };
                world.resume(tracer, of, stops)
            }),
            What::Options { options, .. } => world.set_options(tracer, of, options),
            What::Detach { .. } => world.detach(tracer, of),
            What::GetFilter { index, pointer, .. } => return Ok(self.get_filter(tracer, of, index, pointer)),
            What::GetMetadata { index, size, .. } => {
                let metadata = world.get_metadata(tracer, of, size, index);
                return Ok(match metadata {
                    Ok(metadata) => words::metadata(i64::try_from(metadata.size).unwrap_or(0), metadata.flags),
                    Err(errno) => words::done(answer(Err(errno))),
                });
            }
            _ => Ok(()),
        };
        Ok(words::done(answer(result.map(|()| 0))))
    }

    fn get_filter(&self, tracer: ThreadId, of: ThreadId, index: u64, pointer: Where) -> String {
        let buffer = match pointer {
            Where::Good => Pointer::To(()),
            Where::Null => Pointer::Null,
            _ => Pointer::Bad,
        };
        let count = u64::try_from(self.world.chain(of).len()).unwrap_or(0);
        let index = if self.has(Fault::NewestFilterFirst) {
            count.wrapping_sub(1).wrapping_sub(index)
        } else {
            index
        };
        match self.world.get_filter(tracer, of, index, buffer) {
            Ok(program) if pointer == Where::Null => words::instructions(i64::try_from(program.len()).unwrap_or(0)),
            Ok(program) => {
                let same = |known: &Vec<Insn>| known.as_slice() == program;
                words::filter(
                    self.programs.iter().position(same).map(|at| at.saturating_add(1)),
                    program.len(),
                )
            }
            Err(errno) => words::done(answer(Err(errno))),
        }
    }
}
