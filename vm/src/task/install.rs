//! `seccomp(2)` and `prctl(2)` of a thread.

use core::fmt;

use super::chains::{Installed, Listener};
use super::{Admin, NotRunning, ThreadId, World};
use crate::admit::Filter;
use crate::effect::{Death, Interruption, Scope};
use crate::insn::Insn;
use crate::install::{Caller, Fprog, Mode, Pointer, Refusal, Request, Success, flag, outcome};

/// Why a thread did not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The kernel refused, and nothing changed
    Refused(Refusal),
    /// The thread was in strict mode, where neither call is allowed: it is dead
    Killed(Death),
    /// The thread does not run
    NotRunning(NotRunning),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Killed(death) => write!(f, "strict mode does not allow the call: {death}"),
            Self::NotRunning(thread) => thread.fmt(f),
        }
    }
}

impl core::error::Error for Failed {}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotRunning> for Failed {
    fn from(thread: NotRunning) -> Self {
        Self::NotRunning(thread)
    }
}

impl World {
    /// A thread makes a call about seccomp, and its filters let it through.
    ///
    /// This crate knows no call numbers, so it cannot ask the filters; make the call with [`World::syscall`] first to
    /// see what they say. Strict mode allows neither `seccomp` nor `prctl` and is enforced here.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn seccomp(&mut self, thread: ThreadId, request: &Request<'_>) -> Result<Success, Failed> {
        let caller = self.caller(thread)?;
        if caller.mode == Mode::Strict && !self.is_suspended(thread) {
            return Err(Failed::Killed(self.kill_strictly(thread)));
        }
        let success = outcome(request, &caller, self.host.machine.kernel)?;
        match success {
            Success::Strict => self.running_mut(thread)?.mode = Mode::Strict,
            Success::NoNewPrivsSet => self.running_mut(thread)?.no_new_privs = true,
            Success::Installed { .. } => self.attach_filter(thread, request)?,
            Success::Available | Success::NotifSizes(_) | Success::Mode(_) | Success::NoNewPrivs(_) => {}
        }
        Ok(success)
    }

    /// `seccomp(SECCOMP_SET_MODE_FILTER, flags, program)`.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn install(&mut self, thread: ThreadId, program: &[Insn], flags: u32) -> Result<Success, Failed> {
        let args = Fprog::of(program).into();
        self.seccomp(thread, &Request::SetModeFilter { flags, args })
    }

    /// `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn set_no_new_privs(&mut self, thread: ThreadId) -> Result<Success, Failed> {
        self.seccomp(thread, &Request::PrctlSetNoNewPrivs([1, 0, 0, 0]))
    }

    /// Closes the listener of a thread's chain, as when its last descriptor is closed. Says whether there was one.
    pub fn close_listener(&mut self, thread: ThreadId) -> bool {
        let newest = self.thread(thread).and_then(|thread| thread.newest);
        let listening = self.chains.listening(newest);
        match listening.and_then(|id| self.chains.get_mut(id)) {
            Some(installed) => {
                installed.listener = Listener::Closed;
                true
            }
            None => false,
        }
    }

    /// The thread as [`outcome`] looks at it.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn caller(&self, id: ThreadId) -> Result<Caller, NotRunning> {
        let thread = self.running(id)?;
        let process = self.processes.get(thread.process.0);
        Ok(Caller {
            mode: thread.mode,
            no_new_privs: thread.no_new_privs,
            cap_sys_admin: thread.environment.admin != Admin::No,
            has_listener: self.chains.listening(thread.newest).is_some(),
            budget_left: self.chains.budget_left(thread.newest, self.host.machine.kernel),
            next_fd: process.and_then(|process| process.next_fd),
            unsyncable: self.unsyncable(id).map(ThreadId::tid),
            fatal_signal: thread.environment.interruption == Interruption::Fatal,
            shortage: thread.environment.shortage,
        })
    }

    /// The first thread that cannot be given the caller's chain: one in strict mode, or with filters of its own.
    fn unsyncable(&self, caller: ThreadId) -> Option<ThreadId> {
        let chain = self.thread(caller)?.newest;
        self.others(caller).find(|&other| {
            self.thread(other).is_some_and(|other| match other.mode {
                Mode::Disabled => false,
                Mode::Filter => other.newest.is_some_and(|newest| !self.chains.contains(chain, newest)),
                Mode::Strict | Mode::Dead => true,
            })
        })
    }

    /// The other live threads of a thread's process.
    pub(super) fn others(&self, thread: ThreadId) -> impl Iterator<Item = ThreadId> + '_ {
        let process = self.thread(thread).map(|thread| thread.process);
        process
            .into_iter()
            .flat_map(|process| self.threads_of(process))
            .filter(move |&other| other != thread)
    }

    /// Puts a filter that was found good on top of the chain.
    fn attach_filter(&mut self, id: ThreadId, request: &Request<'_>) -> Result<(), Failed> {
        let (flags, args) = match *request {
            Request::SetModeFilter { flags, args } => (flags, args),
            Request::PrctlSetSeccomp { filter, .. } => (0, filter),
            _ => return Ok(()),
        };
        let thread = self.running(id)?;
        let (below, no_new_privs) = (thread.newest, thread.no_new_privs);
        let listens = flags & flag::NEW_LISTENER != 0;
        let newest = self.chains.push(Installed {
            filter: admitted(args, self.host.machine.kernel)?,
            below,
            flags,
            listener: if listens { Listener::Open } else { Listener::None },
        });
        if listens {
            self.process(id)?.take_fd();
        }
        let synced = self.others(id).filter(|_| flags & flag::TSYNC != 0);
        let receivers: alloc::vec::Vec<ThreadId> = synced.chain([id]).collect();
        for receiver in receivers {
            let thread = self.running_mut(receiver)?;
            thread.newest = Some(newest);
            thread.mode = Mode::Filter;
            thread.no_new_privs |= no_new_privs;
        }
        Ok(())
    }

    /// What strict mode does to a thread that makes another call: it alone dies, and other threads go on.
    pub(super) fn kill_strictly(&mut self, thread: ThreadId) -> Death {
        let alone = self.others(thread).next().is_none();
        let scope = if alone { Scope::Process } else { Scope::Thread };
        self.mark_dead(thread);
        self.bury(thread, scope);
        Death::by_sigkill(scope)
    }
}

fn admitted(args: Pointer<Fprog<'_>>, kernel: crate::Kernel) -> Result<Filter<'static>, Refusal> {
    let Pointer::To(Fprog {
        len,
        program: Pointer::To(program),
    }) = args
    else {
        return Err(Refusal::UnreadableProgram);
    };
    let program = program.get(..usize::from(len)).ok_or(Refusal::UnreadableProgram)?;
    Filter::load_on(kernel, program)
        .map(Filter::into_owned)
        .map_err(|_| Refusal::BadProgram)
}
