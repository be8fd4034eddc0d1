//! Threads under seccomp: who has which filters, and what happens at a call when tracers and supervisors have a say.
//!
//! A [`World`] is a machine with processes and threads. Tests of a tracer or of a supervisor ("broker") run against it
//! without a kernel: the code under test implements [`Tracer`] or [`Supervisor`], or is a closure.
//!
//! ```
//! use callproof_vm::task::{Conversation, Nobody, Notification, Response, World};
//! use callproof_vm::install::flag;
//! use callproof_vm::{Insn, Machine, SeccompData};
//!
//! let mut world = World::new(Machine::default());
//! let thread = world.spawn();
//! world.set_no_new_privs(thread)?;
//! let notify_all = [Insn::stmt(0x06, 0x7fc0_0000)];
//! world.install(thread, &notify_all, flag::NEW_LISTENER)?;
//!
//! let mut broker = |notification: &Notification, conversation: &mut Conversation<'_>| {
//!     let answer = Response::value(notification.id, 42);
//!     conversation.send(&answer).expect("a first answer is accepted");
//! };
//! let call = SeccompData::new(0xc000_003e, 39, [0; 6]);
//! let seen = world.syscall(thread, &call, &mut Nobody, &mut broker)?;
//! assert_eq!(seen.effect.to_string(), "the call is not made and returns 42");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The world is deterministic: one thing happens at a time, and signals come where the test says. Not modelled: what
//! calls do, memory, scheduling, permissions of `ptrace` other than those seccomp adds, speculation control (SPEC_ALLOW
//! changes no result) and the time stamp counter, which strict mode turns off on x86.

mod chains;
mod filters;
mod install;
mod ptrace;
mod strict;
mod supervisor;
mod syscall;
mod thread;
mod tracer;
mod wire;

pub use chains::FilterId;
pub use install::Failed;
pub use ptrace::{EntryStops, Metadata, Status, option};
pub use strict::StrictCalls;
pub use supervisor::{AddFd, Added, Arrival, Conversation, Notification, Response, Supervisor, add, set_flags};
pub use syscall::Observed;
pub use thread::{Admin, Environment, NotRunning, Process, Thread, ThreadId};
pub use tracer::{Nobody, Registers, Resume, Stop, StopKind, SyscallInfo, Tracer};
pub use wire::Ioctl;

use alloc::vec::Vec;

use crate::bitmap::Platform;
use crate::effect::{Convention, Disposition, Logged, Scope};
use crate::install::Mode;
use crate::kernel::Machine;
use chains::Chains;
use thread::ProcessId;

/// The machine a world is on, and its settings. The default is x86-64 with the newest kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// What filters depend on
    pub machine: Machine,
    /// Which calls have a bit in the constant-allow bitmap; `None` on an architecture without one
    pub platform: Option<Platform>,
    /// How results are handed to the caller
    pub convention: Convention,
    /// What strict mode allows
    pub strict: StrictCalls,
    /// `kernel.seccomp.actions_logged`
    pub logged: Logged,
    /// Whether the kernel was built for checkpoint and restore, which suspending seccomp needs
    pub checkpoint_restore: bool,
    /// Whether `PTRACE_SEIZE` checks who may suspend seccomp. [`Gate::SeizeChecksSuspend`](crate::Gate::SeizeChecksSuspend)
    /// says so for a release; stable releases of older series have the check too, from 5.17.2 on.
    pub seize_checks_suspend: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self::from(Machine::default())
    }
}

impl From<Machine> for Host {
    /// x86-64 with these choices.
    fn from(machine: Machine) -> Self {
        Self {
            machine,
            platform: Some(Platform::X86_64),
            convention: Convention::default(),
            strict: StrictCalls::X86,
            logged: Logged::default(),
            checkpoint_restore: true,
            seize_checks_suspend: machine.kernel.has(crate::Gate::SeizeChecksSuspend),
        }
    }
}

/// A machine with processes and threads.
#[derive(Clone, Debug)]
pub struct World {
    host: Host,
    threads: Vec<Thread>,
    processes: Vec<Process>,
    chains: Chains,
    notifications: u64,
}

impl World {
    /// A machine on which nothing runs yet.
    #[must_use]
    pub fn new(host: impl Into<Host>) -> Self {
        Self {
            host: host.into(),
            threads: Vec::new(),
            processes: Vec::new(),
            chains: Chains::default(),
            notifications: 0,
        }
    }

    /// The machine.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// A new process with one thread, without privileges, filters or handlers.
    pub fn spawn(&mut self) -> ThreadId {
        let process = ProcessId(self.processes.len());
        self.processes.push(Process::default());
        self.push_leader(Thread::new(process))
    }

    /// `clone(CLONE_THREAD)`: one more thread of the process, with its creator's chain.
    ///
    /// This and the other life events below are what a call does once it is made; no filter is asked here.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn clone_thread(&mut self, creator: ThreadId) -> Result<ThreadId, NotRunning> {
        let thread = self.running(creator)?.child();
        Ok(self.push(thread))
    }

    /// `fork`, `vfork` or `clone` of a process: the child has the chain, the mode and the privileges of its creator.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn fork(&mut self, creator: ThreadId) -> Result<ThreadId, NotRunning> {
        let parent = self.running(creator)?;
        let mut thread = parent.child();
        let process = self.processes.get(thread.process.0).copied().unwrap_or_default();
        thread.process = ProcessId(self.processes.len());
        self.processes.push(process);
        Ok(self.push_leader(thread))
    }

    /// `execve`: chain, mode and `no_new_privs` stay; the other threads and a handler for SIGSYS go.
    ///
    /// The kernel gives the survivor the id of the process; here it keeps its own, so that handles stay good.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn execve(&mut self, thread: ThreadId) -> Result<(), NotRunning> {
        let process = self.running(thread)?.process;
        let others: Vec<ThreadId> = self.threads_of(process).filter(|&other| other != thread).collect();
        for other in others {
            self.bury(other, Scope::Thread);
        }
        if let Some(process) = self.processes.get_mut(process.0) {
            process.leader = Some(thread);
            if process.sigsys == Disposition::Handled {
                process.sigsys = Disposition::Default;
            }
        }
        Ok(())
    }

    /// The thread ends, or with [`Scope::Process`] all threads of its process.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn exit(&mut self, thread: ThreadId, scope: Scope) -> Result<(), NotRunning> {
        self.running(thread)?;
        self.bury(thread, scope);
        Ok(())
    }

    /// A thread, running or not.
    #[must_use]
    pub fn thread(&self, thread: ThreadId) -> Option<&Thread> {
        self.threads.get(thread.index())
    }

    /// What surrounds a thread, to be changed at will.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn environment(&mut self, thread: ThreadId) -> Result<&mut Environment, NotRunning> {
        self.running_mut(thread).map(|thread| &mut thread.environment)
    }

    /// What the threads of a process share, to be changed at will.
    ///
    /// # Errors
    /// The thread does not run.
    pub fn process(&mut self, thread: ThreadId) -> Result<&mut Process, NotRunning> {
        let process = self.running(thread)?.process;
        self.processes.get_mut(process.0).ok_or(NotRunning(thread))
    }

    /// The first thread of a new process.
    fn push_leader(&mut self, thread: Thread) -> ThreadId {
        let process = thread.process;
        let id = self.push(thread);
        if let Some(process) = self.processes.get_mut(process.0) {
            process.leader = Some(id);
        }
        id
    }

    fn push(&mut self, thread: Thread) -> ThreadId {
        let id = ThreadId::from_index(self.threads.len());
        self.threads.push(thread);
        id
    }

    fn running(&self, thread: ThreadId) -> Result<&Thread, NotRunning> {
        self.thread(thread)
            .filter(|thread| thread.alive)
            .ok_or(NotRunning(thread))
    }

    fn running_mut(&mut self, thread: ThreadId) -> Result<&mut Thread, NotRunning> {
        let found = self.threads.get_mut(thread.index());
        found.filter(|thread| thread.alive).ok_or(NotRunning(thread))
    }

    /// The live threads of a process, oldest first.
    fn threads_of(&self, process: ProcessId) -> impl Iterator<Item = ThreadId> + '_ {
        self.threads
            .iter()
            .enumerate()
            .filter(move |(_, thread)| thread.alive && thread.process == process)
            .map(|(index, _)| ThreadId::from_index(index))
    }

    /// Whether the first thread of a thread's process is another one that has ended. After [`execve`](Self::execve) the
    /// thread that made it is the first.
    fn leader_ended(&self, thread: ThreadId) -> bool {
        let Some(process) = self.thread(thread).map(|thread| thread.process) else {
            return false;
        };
        let leader = self.processes.get(process.0).and_then(|process| process.leader);
        leader.is_some_and(|leader| leader != thread && self.thread(leader).is_some_and(|leader| !leader.alive))
    }

    /// Ends a thread or its whole process.
    fn bury(&mut self, thread: ThreadId, scope: Scope) {
        let Some(process) = self.thread(thread).map(|thread| thread.process) else {
            return;
        };
        for (index, other) in self.threads.iter_mut().enumerate() {
            if index == thread.index() || (scope == Scope::Process && other.process == process) {
                other.alive = false;
            }
        }
    }

    /// Marks a thread as killed by seccomp, on kernels that do.
    fn mark_dead(&mut self, thread: ThreadId) {
        let dead = self.host.machine.kernel.has(crate::Gate::DeadMode);
        if let Ok(thread) = self.running_mut(thread)
            && dead
        {
            thread.mode = Mode::Dead;
        }
    }
}
