//! Filters of a command, captured as it and its children install them.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::{CaptureError, Captured, entry, ptrace};
use crate::sys::{fork_sentinel, kill, reap};

/// When to end a command.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'l> {
    /// After this time it and all its children are killed
    pub deadline: Option<Duration>,
    /// When this is set they are killed as well: set it when the user interrupts
    pub cancel: &'l AtomicBool,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The filters, in the order in which the kernel answered
    pub captured: Vec<Captured>,
    /// How the command ended
    pub ended: Ended,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status
    Exited(i32),
    /// By this signal
    Killed(i32),
    /// It had reached the deadline, or some of its children had
    Deadline,
    /// It was cancelled
    Cancelled,
}

/// Runs a command and captures every filter that it, its threads and its children install or try to.
///
/// Ends when all of them have ended. The command sees that it is traced, may not gain privileges by set-user-ID programs
/// unless the caller is privileged, and runs slower: it stops twice in every system call. It cannot outlive the caller.
///
/// # Errors
/// [`CaptureError`] when the command cannot be started or traced.
pub fn exec(command: Command, limits: Limits<'_>) -> Result<Recording, CaptureError> {
    let start = Instant::now();
    let failed = |error: io::Error| CaptureError::System {
        what: "open a pipe",
        errno: error.raw_os_error().unwrap_or(0),
    };
    let (alarm, bell) = io::pipe().map_err(failed)?;
    // Closing it rings it.
    let mut bell = Some(bell);
    let (done, finished) = mpsc::channel();
    // A tracer is a thread. When it ends, however it ends, the kernel kills its tracees.
    thread::scope(|scope| {
        scope.spawn(move || done.send(trace(command, &alarm)));
        let mut why = None;
        loop {
            match finished.recv_timeout(Duration::from_millis(20)) {
                Ok(recording) => {
                    let mut recording = recording?;
                    recording.ended = why.unwrap_or(recording.ended);
                    return Ok(recording);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(lost(libc::ECHILD)),
            }
            let late = limits.deadline.is_some_and(|deadline| start.elapsed() >= deadline);
            if late || limits.cancel.load(Ordering::Relaxed) {
                why = why.or(Some(if late { Ended::Deadline } else { Ended::Cancelled }));
                drop(bell.take());
            }
        }
    })
}

const fn lost(errno: i32) -> CaptureError {
    let what = "trace the command";
    CaptureError::System { what, errno }
}

/// Starts the command and follows it until all of it has ended or the alarm rings.
fn trace(mut command: Command, alarm: &io::PipeReader) -> Result<Recording, CaptureError> {
    // A child of this thread that ends when the alarm rings: that wakes a thread that waits for children.
    let sentinel = fork_sentinel(alarm).map_err(|error| lost(error.raw_os_error().unwrap_or(0)))?;
    let trace_me = || ptrace::trace_me().map_err(io::Error::from_raw_os_error);
    // SAFETY: the closure makes one system call, which is allowed between fork and exec.
    unsafe { command.pre_exec(trace_me) };
    let started = command.spawn().map_err(|error| CaptureError::Start {
        command: command.get_program().to_string_lossy().into_owned(),
        errno: error.raw_os_error().unwrap_or(0),
    });
    let recording = started.and_then(|child| {
        let root = i32::try_from(child.id()).unwrap_or(0);
        Tracer::new(root, sentinel).follow()
    });
    end(sentinel);
    recording
}

/// How long a killed process may take to be gone.
const BURIAL: Duration = Duration::from_secs(5);

/// Kills a child of this thread and waits for it.
fn end(pid: i32) {
    kill(pid);
    // Whoever is not gone by then is killed by the kernel again when this thread ends.
    let _ = reap(pid, BURIAL);
}

/// A thread of the command.
#[derive(Clone, Copy, Debug, Default)]
struct Tracee {
    /// Its creator's stop was seen
    announced: bool,
    /// Its own first stop was seen
    started: bool,
}

struct Tracer {
    root: i32,
    sentinel: i32,
    live: BTreeMap<i32, Tracee>,
    /// Threads that ended before their creator's stop was seen
    early: BTreeSet<i32>,
    /// What threads that are inside a system call try to install
    pending: BTreeMap<i32, Captured>,
    captured: Vec<Captured>,
    ended: Ended,
}

impl Tracer {
    fn new(root: i32, sentinel: i32) -> Self {
        let tracee = Tracee {
            announced: true,
            started: true,
        };
        Self {
            root,
            sentinel,
            live: BTreeMap::from([(root, tracee)]),
            early: BTreeSet::new(),
            pending: BTreeMap::new(),
            captured: Vec::new(),
            ended: Ended::Cancelled,
        }
    }

    fn follow(mut self) -> Result<Recording, CaptureError> {
        // The command has stopped after its exec.
        match ptrace::wait(Some(self.root), true) {
            Ok(Some((pid, status))) if libc::WIFSTOPPED(status) => {
                ptrace::follow(pid)
                    .and_then(|()| ptrace::resume(pid, 0))
                    .map_err(lost)?;
            }
            Ok(Some((pid, status))) => self.gone(pid, status),
            Ok(None) => return Err(lost(libc::ECHILD)),
            Err(errno) => return Err(lost(errno)),
        }
        while !self.live.is_empty() {
            match ptrace::wait(None, true).map_err(lost)? {
                Some((pid, _)) if pid == self.sentinel => break,
                Some((pid, status)) if libc::WIFSTOPPED(status) => self.stopped(pid, status),
                Some((pid, status)) => self.gone(pid, status),
                None => {}
            }
        }
        if self.live.contains_key(&self.root) {
            end(self.root);
        }
        // Whoever is still in a system call will not come back from it.
        self.captured.extend(self.pending.into_values());
        Ok(Recording {
            captured: self.captured,
            ended: self.ended,
        })
    }

    fn gone(&mut self, pid: i32, status: i32) {
        if pid == self.root {
            self.ended = if libc::WIFSIGNALED(status) {
                Ended::Killed(libc::WTERMSIG(status))
            } else {
                Ended::Exited(libc::WEXITSTATUS(status))
            };
        }
        self.captured.extend(self.pending.remove(&pid));
        if self.live.remove(&pid).is_some_and(|tracee| !tracee.announced) {
            self.early.insert(pid);
        }
    }

    /// Handles a stop and lets the thread run on.
    fn stopped(&mut self, pid: i32, status: i32) {
        let signal = libc::WSTOPSIG(status);
        let tracee = self.live.entry(pid).or_default();
        let first = !core::mem::replace(&mut tracee.started, true);
        let deliver = match (signal, status >> 16) {
            (SYSCALL_STOP, _) => {
                self.at_syscall(pid);
                0
            }
            (_, 0) if first && signal == libc::SIGSTOP => 0,
            (libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU, 0) if ptrace::is_group_stop(pid) => 0,
            (signal, 0) => signal,
            (_, event) => {
                self.event(pid, event);
                0
            }
        };
        // It may have been killed meanwhile; then its end is reported next.
        let _ = ptrace::resume(pid, deliver);
    }

    fn at_syscall(&mut self, pid: i32) {
        match ptrace::syscall_info(pid) {
            Ok(ptrace::At::Entry { arch, nr, args }) => {
                self.pending
                    .extend(entry::attempt(pid, arch, nr, args).map(|attempt| (pid, attempt)));
            }
            Ok(ptrace::At::Exit { result }) => {
                if let Some(mut attempt) = self.pending.remove(&pid) {
                    attempt.outcome = entry::outcome(attempt.flags, result);
                    self.captured.push(attempt);
                }
            }
            Ok(ptrace::At::Neither) | Err(_) => {}
        }
    }

    fn event(&mut self, pid: i32, event: i32) {
        let Ok(other) = ptrace::event_message(pid) else { return };
        match event {
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE
                if !self.early.remove(&other) =>
            {
                self.live.entry(other).or_default().announced = true;
            }
            // The thread that called execve goes on under the number of its process.
            libc::PTRACE_EVENT_EXEC if other != pid => {
                self.live.remove(&other);
            }
            _ => {}
        }
    }
}

/// How a stop at a system call is told from a SIGTRAP: `PTRACE_O_TRACESYSGOOD`.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;
