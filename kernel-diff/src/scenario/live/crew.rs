//! The processes and threads of one scenario: made, watched by id, and buried.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::fs;
use std::thread;
use std::time::Instant;

use super::board::{Board, live};
use super::room::Room;
use crate::native::Gates;
use crate::scenario::step::{MOST_ACTORS, Who};
use crate::sys::{Mapping, Status, kill};

/// How long one order may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Processor time that an actor may use before the kernel ends it, in seconds.
const PROCESSOR_SECONDS: u64 = 20;
/// Bytes of a core file, of which only the existence counts.
pub(super) const CORE_BYTES: u64 = 64 * 1024;

/// A process of the scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// How it ended, once that is known
    pub(super) ended: Option<Status>,
}

/// An actor that exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) tid: i32,
    /// Index of its process
    pub(super) process: usize,
    /// Who traces it
    pub(super) tracer: Option<Who>,
    /// An order is under way
    pub(super) busy: bool,
}

/// How an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Returned(i64),
    /// The process ended
    Process(Status),
    /// The thread alone is gone
    Thread,
    /// Asleep in the kernel, waiting for somebody
    Sleeps,
    /// In a stop of its tracer's
    Traced,
}

/// What went wrong with the machinery itself.
pub(super) type Broken = String;

/// Everybody.
#[derive(Debug)]
pub(super) struct Crew {
    board: Mapping<Board>,
    pub(super) processes: Vec<Process>,
    pub(super) members: [Option<Member>; MOST_ACTORS],
    pub(super) gates: Gates,
    /// Where core files go, until everybody is gone
    pub(super) room: Room,
}

impl Crew {
    /// Starts the first actor.
    pub(super) fn start(gates: Gates, room: Room) -> Result<Self, Broken> {
        let system = |what: &str| format!("{what}: {}", std::io::Error::last_os_error());
        let board = Mapping::<Board>::new().map_err(|error| format!("cannot share memory: {error}"))?;
        let path =
            std::ffi::CString::new(room.path().as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
        // SAFETY: the memory is new and ours; the child does not exist yet.
        unsafe { (*board.as_ptr()).set_gates(gates) };
        // SAFETY: the child makes plain system calls and then is an actor, which does nothing else either.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => return Err(system("cannot start a process")),
            0 => begin(&path, board.as_ptr()),
            _ => {}
        }
        let mut members = [None; MOST_ACTORS];
        if let Some(main) = members.first_mut() {
            *main = Some(Member {
                tid: pid,
                process: 0,
                tracer: None,
                busy: false,
            });
        }
        Ok(Self {
            board,
            processes: vec![Process { pid, ended: None }],
            members,
            gates,
            room,
        })
    }

    /// What is shared.
    pub(super) fn board(&mut self) -> *mut Board {
        self.board.as_ptr()
    }

    pub(super) fn member(&self, who: Who) -> Option<Member> {
        self.members.get(who).copied().flatten()
    }

    pub(super) fn member_mut(&mut self, who: Who) -> Option<&mut Member> {
        self.members.get_mut(who)?.as_mut()
    }

    /// Whether an actor can be given an order.
    pub(super) fn is_there(&mut self, who: Who) -> bool {
        let Some(member) = self.member(who) else { return false };
        let running = !matches!(self.state(member), None | Some('Z' | 'X'));
        running && self.end_of(member.process).is_none()
    }

    /// Gives an actor an order, whose fields are set already.
    pub(super) fn order(&mut self, who: Who) {
        // SAFETY: the board is mapped, and `who` is an actor; the counter is atomic.
        unsafe {
            let slot = self.slot(who);
            (*slot).go.fetch_add(1, Ordering::Release);
        }
        if let Some(member) = self.member_mut(who) {
            member.busy = true;
        }
    }

    pub(super) fn slot(&mut self, who: Who) -> *mut super::board::Slot {
        // SAFETY: only an address is made, within the board for every actor.
        unsafe {
            (&raw mut (*self.board.as_ptr()).slots)
                .cast::<super::board::Slot>()
                .wrapping_add(who)
        }
    }

    /// Waits until an order is carried out, or it is clear why it is not. A call that `may_wait` for a supervisor does so
    /// when it is asleep and not on its way out: no other call of a scenario sleeps.
    pub(super) fn settle(&mut self, who: Who, may_wait: bool) -> Result<Settled, Broken> {
        let member = self.member(who).ok_or("an actor that does not exist has an order")?;
        let start = Instant::now();
        let mut asleep = None;
        let mut rounds = 0_u32;
        loop {
            // SAFETY: the board is mapped; the counters are atomic, and the result is written before `done`.
            let returned = unsafe {
                let slot = self.slot(who);
                let done = (*slot).done.load(Ordering::Acquire) == (*slot).go.load(Ordering::Relaxed);
                done.then(|| (*slot).result)
            };
            if let Some(result) = returned {
                if let Some(member) = self.member_mut(who) {
                    member.busy = false;
                }
                return Ok(Settled::Returned(result));
            }
            rounds = rounds.saturating_add(1);
            if rounds < 300 {
                core::hint::spin_loop();
                continue;
            }
            if let Some(status) = self.end_of(member.process) {
                return Ok(Settled::Process(status));
            }
            match self.state(member) {
                Some('t') => return Ok(Settled::Traced),
                None | Some('Z' | 'X') => return self.dead(who, member),
                Some('S' | 'D') if may_wait && !self.is_dying(member) => {
                    let since = *asleep.get_or_insert_with(Instant::now);
                    if since.elapsed() > Duration::from_millis(12) {
                        return Ok(Settled::Sleeps);
                    }
                }
                _ => asleep = None,
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("a step was not over after {} seconds", PATIENCE.as_secs()));
            }
            thread::sleep(Duration::from_micros(if rounds < 400 { 50 } else { 500 }));
        }
    }

    /// A thread is gone: with its process, or alone?
    fn dead(&mut self, who: Who, member: Member) -> Result<Settled, Broken> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.end_of(member.process) {
                return Ok(Settled::Process(status));
            }
            // Whoever kills a process has told all of its threads before it is gone itself.
            let others = (0..MOST_ACTORS).filter(|other| *other != who);
            let same = |other: &Who| self.member(*other).filter(|other| other.process == member.process);
            let others: Vec<Member> = others.filter_map(|other| same(&other)).collect();
            let alive = others
                .iter()
                .any(|other| !matches!(self.state(*other), None | Some('Z' | 'X')) && !self.is_dying(*other));
            if alive && start.elapsed() > Duration::from_millis(30) {
                return Ok(Settled::Thread);
            }
            if !alive && member.tracer.is_some() {
                // Its tracer hears of it first.
                return Ok(Settled::Traced);
            }
            if start.elapsed() > PATIENCE {
                return Err("a thread is gone, and its process does not end".to_owned());
            }
            thread::sleep(Duration::from_micros(300));
        }
    }

    /// How a process ended, if it did.
    pub(super) fn end_of(&mut self, process: usize) -> Option<Status> {
        let process = self.processes.get_mut(process)?;
        if process.ended.is_some() {
            return process.ended;
        }
        let mut status = 0;
        // SAFETY: the status is written to a live variable. The process is our child, and nobody else waits for it.
        let pid = unsafe { libc::waitpid(process.pid, &raw mut status, libc::WNOHANG) };
        if pid == process.pid {
            process.ended = Some(Status(status));
        }
        process.ended
    }

    /// The letter of `/proc/PID/task/TID/stat`; `None` when there is no such thread.
    pub(super) fn state(&self, member: Member) -> Option<char> {
        self.stat(member, 0)?.chars().next()
    }

    /// Whether a thread has been told to end, dumps core, or ends.
    fn is_dying(&self, member: Member) -> bool {
        // PF_EXITING, PF_POSTCOREDUMP, PF_DUMPCORE, PF_SIGNALED
        const ENDING: u64 = 0x4 | 0x8 | 0x200 | 0x400;
        const SIGKILL: u64 = 1 << 8;
        let flags = self.stat(member, 6).and_then(|flags| flags.parse::<u64>().ok());
        let pending = self.status_line(member, "SigPnd");
        let pending = pending.and_then(|bits| u64::from_str_radix(&bits, 16).ok());
        flags.is_none_or(|flags| flags & ENDING != 0) || pending.is_none_or(|bits| bits & SIGKILL != 0)
    }

    /// A field of `/proc/PID/task/TID/stat`, counted from the state.
    fn stat(&self, member: Member, field: usize) -> Option<String> {
        let pid = self.processes.get(member.process)?.pid;
        let text = fs::read_to_string(format!("/proc/{pid}/task/{}/stat", member.tid)).ok()?;
        // The name, in parentheses, may contain anything.
        let rest = text.rsplit_once(") ")?.1;
        rest.split(' ').nth(field).map(str::to_owned)
    }

    /// A line of `/proc/PID/task/TID/status`.
    pub(super) fn status_line(&self, member: Member, name: &str) -> Option<String> {
        let pid = self.processes.get(member.process)?.pid;
        crate::sys::status_field(&format!("{pid}/task/{}", member.tid), name)
    }

    /// Kills a process and waits for its end.
    pub(super) fn end(&mut self, process: usize) -> Result<(), Broken> {
        if self.end_of(process).is_some() {
            return Ok(());
        }
        if let Some(process) = self.processes.get(process) {
            kill(process.pid);
        }
        let start = Instant::now();
        while self.end_of(process).is_none() {
            let pid = self.processes.get(process).map_or(0, |process| process.pid);
            // A dead process that somebody traces is his until he is gone.
            if start.elapsed() > Duration::from_millis(50)
                && fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
            {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err("a killed process does not end".to_owned());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Kills everybody and waits until they are gone.
    fn bury(&mut self) {
        self.bury_known();
        let before = self.processes.len();
        for who in 0..MOST_ACTORS {
            // SAFETY: the board is mapped, and whoever made this process is gone.
            let pid = unsafe { (*self.slot(who)).pid };
            if pid > 0 && self.processes.iter().all(|known| known.pid != pid) {
                self.processes.push(Process { pid, ended: None });
            }
        }
        if self.processes.len() > before {
            self.bury_known();
        }
    }

    fn bury_known(&mut self) {
        for process in &self.processes {
            if process.ended.is_none() {
                kill(process.pid);
            }
        }
        let start = Instant::now();
        loop {
            // Tracers must go before those they trace can be waited for, so everybody is asked again and again.
            let left = (0..self.processes.len())
                .filter(|process| self.end_of(*process).is_none())
                .count();
            if left == 0 || start.elapsed() > PATIENCE {
                return;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.bury();
    }
}

/// The first steps of the first actor: nothing of its parent's, default signals, small limits.
fn begin(room: &core::ffi::CStr, board: *mut Board) -> ! {
    // SAFETY: plain system calls on local values in a new child, which then lives for the board alone.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        // For Yama: anybody may trace, the tracer of a scenario among them.
        libc::prctl(libc::PR_SET_PTRACER, libc::c_ulong::MAX, 0, 0, 0);
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = core::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, core::ptr::null_mut());
        let (core, processor) = (limit(CORE_BYTES), limit(PROCESSOR_SECONDS));
        libc::setrlimit(libc::RLIMIT_CORE, &raw const core);
        libc::setrlimit(libc::RLIMIT_CPU, &raw const processor);
        libc::chdir(room.as_ptr());
        libc::syscall(libc::SYS_close_range, 0, i32::MAX, 0);
        for _ in 0..3 {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        }
        live(board, 0)
    }
}

const fn limit(value: u64) -> libc::rlimit {
    libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    }
}
