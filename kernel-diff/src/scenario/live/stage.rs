//! A scenario being played on the kernel: steps become orders, and what comes of them becomes words.

use core::sync::atomic::Ordering;
use core::time::Duration;

use callproof_vm::Insn;

use super::audit::Audit;
use super::board::{Board, CALL, FORK, THREAD};
use super::crew::{Broken, Crew, Member, Process, Settled};
use super::without_core;
use crate::scenario::calls::{Natural, natural};
use crate::scenario::step::{Abi, Call, MOST_ACTORS, Need, Scenario, Step, What, Who};
use crate::scenario::words::{Address, Told};
use crate::scenario::{Played, words};
use crate::sys::Status;

/// Why a step is over before it did what it is for.
#[derive(Debug)]
pub(super) enum Stop {
    /// This is what it shows
    Seen(String),
    /// The machinery failed
    Broken(Broken),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

pub(super) type Seen = Result<String, Stop>;

/// A call that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) call: Call,
    traps: u32,
    handled: u32,
}

#[derive(Debug)]
pub(super) struct Stage<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) crew: Crew,
    pub(super) pending: [Option<Pending>; MOST_ACTORS],
    /// Programs in the order of their installation
    pub(super) programs: Vec<Vec<Insn>>,
    /// Descriptor of the last listener
    pub(super) listener: Option<u64>,
    /// Number of the last notification received
    pub(super) notification: u64,
    /// Open in a scenario that is about records
    audit: Option<Audit>,
    cores: bool,
}

impl<'s> Stage<'s> {
    pub(super) fn new(scenario: &'s Scenario, crew: Crew, cores: bool) -> Self {
        Self {
            scenario,
            crew,
            pending: [None; MOST_ACTORS],
            programs: Vec::new(),
            listener: None,
            notification: 0,
            audit: None,
            cores,
        }
    }

    pub(super) fn play(mut self) -> Result<Played, Broken> {
        match self.prepare() {
            Ok(()) => {}
            Err(Stop::Seen(seen)) => return Err(format!("cannot set the scene: {seen}")),
            Err(Stop::Broken(broken)) => return Err(broken),
        }
        for step in &self.scenario.steps {
            let seen = match self.step(step) {
                Ok(seen) | Err(Stop::Seen(seen)) => seen,
                Err(Stop::Broken(broken)) => return Err(format!("line {}: {broken}", step.line)),
            };
            if !self.is(&seen, &step.expect) {
                return Ok(Played::Differed {
                    line: step.line,
                    expected: step.expect.clone(),
                    seen,
                });
            }
        }
        Ok(Played::Agreed)
    }

    fn is(&self, seen: &str, expected: &str) -> bool {
        seen == expected || (!self.cores && without_core(seen) == without_core(expected))
    }

    /// Privileges go, unless the scenario is about them; then come those who are outside.
    fn prepare(&mut self) -> Result<(), Stop> {
        if self.scenario.needs.contains(&Need::Audit) {
            let audit = Audit::open().map_err(|error| format!("cannot read audit records: {error}"))?;
            self.audit = Some(audit);
        }
        if !self.scenario.needs.contains(&Need::Root) {
            self.drop_privileges(0)?;
        }
        for (who, actor) in self.scenario.actors.iter().enumerate() {
            if actor.outside {
                self.fork(0, who)?;
                // SAFETY: the slot is on the board; this actor is never under filters before a step of its own.
                unsafe { (*self.crew.slot(who)).sleeps = 1 };
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Seen {
        let who = step.who;
        match &step.what {
            What::Call { call, during: None } => {
                self.begin(who, call)?;
                self.outcome(who)
            }
            What::Call {
                call,
                during: Some(signal),
            } => self.interrupted(who, call, *signal),
            What::Finish => self.outcome(who),
            What::Status { of } => self.status(*of),
            What::Record { of } => self.record(*of, &step.expect),
            What::Kill { of } => self.kill(*of),
            What::Signal { of, signal } => self.signal(*of, *signal),
            What::Thread(new) => self.make(who, *new, THREAD),
            What::Fork(new) => self.make(who, *new, FORK),
            what => self.request(who, what),
        }
    }

    pub(super) fn board(&mut self) -> *mut Board {
        self.crew.board()
    }

    /// Orders a call, and does not wait for what comes of it.
    pub(super) fn begin(&mut self, who: Who, call: &Call) -> Result<(), Stop> {
        if !self.crew.is_there(who) {
            return Err(Stop::Seen(words::NOBODY.to_owned()));
        }
        if self.crew.member(who).is_some_and(|member| member.busy) {
            return Err(Stop::Seen("is in another call".to_owned()));
        }
        let (traps, handled) = self.counts();
        if let Some(pending) = self.pending.get_mut(who) {
            *pending = Some(Pending {
                call: *call,
                traps,
                handled,
            });
        }
        let [a, b, c, d, e, f] = call.args;
        self.write_order(
            who,
            CALL,
            call.abi,
            [u64::from(call.nr.cast_unsigned()), a, b, c, d, e, f],
            0,
        );
        self.crew.order(who);
        Ok(())
    }

    fn write_order(&mut self, who: Who, kind: u32, abi: Abi, regs: [u64; 7], other: Who) {
        let slot = self.crew.slot(who);
        // SAFETY: the slot is on the board, and its actor waits for `go`.
        unsafe {
            (*slot).kind = kind;
            (*slot).abi = u32::from(abi == Abi::I386);
            (*slot).regs = regs;
            (*slot).other = u32::try_from(other).unwrap_or(0);
        }
    }

    fn counts(&mut self) -> (u32, u32) {
        let board = self.board();
        // SAFETY: the board is mapped, and the counters are atomic.
        unsafe {
            (
                (*board).traps.load(Ordering::Acquire),
                (*board).handled.load(Ordering::Acquire),
            )
        }
    }

    /// What came of a call that is under way.
    pub(super) fn outcome(&mut self, who: Who) -> Seen {
        let pending = self.pending.get(who).copied().flatten();
        let pending = pending.ok_or_else(|| Stop::Seen("no call is under way".to_owned()))?;
        loop {
            let settled = self.crew.settle(who, true)?;
            if settled == Settled::Traced {
                match self.stop_of(who)? {
                    Some(text) => return Ok(text),
                    None => continue,
                }
            }
            return Ok(self.in_words(who, &pending, settled));
        }
    }

    fn in_words(&mut self, who: Who, pending: &Pending, settled: Settled) -> String {
        let value = match settled {
            Settled::Returned(value) => value,
            Settled::Process(status) => return of_status(status),
            Settled::Thread => return words::THREAD_DIES.to_owned(),
            Settled::Sleeps | Settled::Traced => return words::WAITS.to_owned(),
        };
        let call = self
            .pending
            .get(who)
            .copied()
            .flatten()
            .map_or(pending.call, |pending| pending.call);
        let text = if self.has_trapped(&call, pending) {
            self.trapped(call.abi, value)
        } else {
            self.returned(who, &call, value)
        };
        words::with_handler(text, self.counts().1 != pending.handled)
    }

    fn returned(&mut self, who: Who, call: &Call, value: i64) -> String {
        let member = self.crew.member(who);
        let pid = member
            .and_then(|member| self.crew.processes.get(member.process))
            .map(|process| process.pid);
        let is = |number: Option<i32>| number.is_some_and(|number| i64::from(number) == value);
        match natural(call.nr, &call.args, call.abi) {
            Natural::Pid if is(pid) => words::returns_pid(),
            Natural::Tid if is(member.map(|member| member.tid)) => words::returns_tid(),
            _ => words::returns(value),
        }
    }

    /// Whether a handler was told of this call. Somebody else's trap may come meanwhile, about another call.
    fn has_trapped(&mut self, call: &Call, pending: &Pending) -> bool {
        let board = self.board();
        // SAFETY: the board is mapped; the note is written before the counter.
        self.counts().0 != pending.traps && unsafe { (*board).note.syscall } == call.nr
    }

    fn trapped(&mut self, abi: Abi, then: i64) -> String {
        let board = self.board();
        // SAFETY: the handler has run, and the actor waits for its next order.
        let note = unsafe { (*board).note };
        let told = Told {
            signo: note.signo,
            code: note.code,
            errno: note.errno,
            syscall: note.syscall,
            arch: note.arch,
            address: self.address(abi, note.address),
        };
        words::traps(&told, then)
    }

    /// Whether an address is the one behind the instruction that actors make calls by.
    pub(super) fn address(&self, abi: Abi, address: u64) -> Address {
        let gate = match abi {
            Abi::X86_64 => crate::native::Abi::X86_64,
            Abi::I386 => crate::native::Abi::I386,
        };
        if address == self.crew.gates.ip(gate, 0) {
            Address::Right
        } else {
            Address::Wrong(address)
        }
    }

    /// Has an actor make a call that is no more than a means to an end.
    pub(super) fn value(&mut self, who: Who, nr: i32, args: [u64; 6]) -> Result<i64, Stop> {
        self.value_of(who, nr, args, false)
    }

    /// The same for a call that may sleep, which is then what is seen.
    pub(super) fn value_or_waits(&mut self, who: Who, nr: i32, args: [u64; 6]) -> Result<i64, Stop> {
        self.value_of(who, nr, args, true)
    }

    fn value_of(&mut self, who: Who, nr: i32, args: [u64; 6], may_wait: bool) -> Result<i64, Stop> {
        let before = self.pending.get(who).copied().flatten();
        self.begin(who, &Call::native(nr, args))?;
        let pending = self.pending.get(who).copied().flatten();
        loop {
            let settled = self.crew.settle(who, may_wait)?;
            let seen = match (settled, pending) {
                (Settled::Traced, _) => self.stop_of(who)?,
                (Settled::Returned(value), Some(pending)) if !self.has_trapped(&pending.call, &pending) => {
                    if let Some(place) = self.pending.get_mut(who) {
                        *place = before;
                    }
                    return Ok(value);
                }
                (settled, Some(pending)) => Some(self.in_words(who, &pending, settled)),
                (settled, None) => Some(format!("{settled:?}")),
            };
            if let Some(seen) = seen {
                return Err(Stop::Seen(seen));
            }
        }
    }

    fn make(&mut self, who: Who, new: Who, kind: u32) -> Seen {
        if kind == FORK {
            self.fork(who, new)?;
            return Ok(words::DONE.to_owned());
        }
        let tid = self.twice(who, new, kind, [0; 7])?;
        let process = self.crew.member(who).map_or(0, |member| member.process);
        self.join(new, tid, process);
        Ok(words::DONE.to_owned())
    }

    /// A new process with the files of its maker. It is a child of ours, as its maker is, so that it can be waited for.
    fn fork(&mut self, who: Who, new: Who) -> Result<(), Stop> {
        let flags = libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID | libc::CLONE_FILES | libc::SIGCHLD;
        let flags = u64::try_from(flags).unwrap_or(0);
        // SAFETY: only an address is made.
        let noted = unsafe { (&raw const (*self.crew.slot(new)).pid).addr() as u64 };
        let pid = self.twice(who, new, FORK, [56, flags, 0, noted, 0, 0, 0])?;
        self.crew.processes.push(Process { pid, ended: None });
        let process = self.crew.processes.len().saturating_sub(1);
        self.join(new, pid, process);
        Ok(())
    }

    fn join(&mut self, new: Who, tid: i32, process: usize) {
        if let Some(place) = self.crew.members.get_mut(new) {
            *place = Some(Member {
                tid,
                process,
                tracer: None,
                busy: false,
            });
        }
    }

    /// An order that makes a new actor; gives its number.
    fn twice(&mut self, who: Who, new: Who, kind: u32, regs: [u64; 7]) -> Result<i32, Stop> {
        if !self.crew.is_there(who) {
            return Err(Stop::Seen(words::NOBODY.to_owned()));
        }
        self.write_order(who, kind, Abi::X86_64, regs, new);
        self.crew.order(who);
        let (traps, handled) = self.counts();
        match self.crew.settle(who, false)? {
            Settled::Returned(value) => {
                let tid = i32::try_from(value).ok().filter(|tid| *tid > 0);
                tid.ok_or_else(|| Stop::Seen(words::done(value)))
            }
            settled => {
                let call = Call::native(56, [0; 6]);
                Err(Stop::Seen(self.in_words(
                    who,
                    &Pending { call, traps, handled },
                    settled,
                )))
            }
        }
    }

    fn status(&mut self, of: Who) -> Seen {
        let nobody = || Stop::Seen(words::NOBODY.to_owned());
        if !self.crew.is_there(of) {
            return Err(nobody());
        }
        let member = self.crew.member(of).ok_or_else(nobody)?;
        let line = |name| self.crew.status_line(member, name).unwrap_or_else(|| "-".to_owned());
        Ok(words::status(
            &line("Seccomp"),
            &line("Seccomp_filters"),
            &line("NoNewPrivs"),
        ))
    }

    fn record(&mut self, of: Who, expected: &str) -> Seen {
        // What should not come is not waited for as long as what should.
        let patience = Duration::from_millis(if expected == words::NO_RECORD { 200 } else { 3000 });
        let member = self
            .crew
            .member(of)
            .ok_or_else(|| Stop::Seen(words::NOBODY.to_owned()))?;
        let pid = self.crew.processes.get(member.process).map_or(0, |process| process.pid);
        let audit = self.audit.as_ref();
        let audit = audit.ok_or_else(|| "a scenario with `record` needs `audit`".to_owned())?;
        Ok(match audit.next(pid, patience) {
            None => words::NO_RECORD.to_owned(),
            Some(record) => {
                let address = record.address(|abi, ip| self.address(abi, ip));
                words::record(record.signal, record.arch, record.nr, record.code, address)
            }
        })
    }

    fn kill(&mut self, of: Who) -> Seen {
        if !self.crew.is_there(of) {
            return Err(Stop::Seen(words::NOBODY.to_owned()));
        }
        let process = self.crew.member(of).map_or(0, |member| member.process);
        self.crew.end(process)?;
        for member in self.crew.members.iter_mut().flatten() {
            if member.tracer == Some(of) {
                member.tracer = None;
            }
        }
        Ok(words::DONE.to_owned())
    }
}

/// The end of a process.
pub(super) fn of_status(status: Status) -> String {
    match status.signal() {
        Some(signal) => words::process_dies(signal, libc::WCOREDUMP(status.0)),
        None => words::exits(libc::WEXITSTATUS(status.0)),
    }
}
