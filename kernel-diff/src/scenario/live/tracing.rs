//! Steps of tracers, and signals.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use super::crew::Member;
use super::stage::{Seen, Stage, Stop, of_status};
use crate::scenario::step::{Call, Edit, How, Signal, Stops, What, Where, Who};
use crate::scenario::words;
use crate::sys::Status;

/// Numbers of `ptrace` requests.
mod request {
    pub(super) const CONT: u64 = 7;
    pub(super) const GETREGS: u64 = 12;
    pub(super) const SETREGS: u64 = 13;
    pub(super) const DETACH: u64 = 17;
    pub(super) const SYSCALL: u64 = 24;
    pub(super) const SYSEMU: u64 = 31;
    pub(super) const SETOPTIONS: u64 = 0x4200;
    pub(super) const GETEVENTMSG: u64 = 0x4201;
    pub(super) const SEIZE: u64 = 0x4206;
    pub(super) const INTERRUPT: u64 = 0x4207;
    pub(super) const GET_FILTER: u64 = 0x420c;
    pub(super) const GET_METADATA: u64 = 0x420d;
}

/// `PTRACE_O_TRACESYSGOOD`, which marks stops at calls.
const SYSGOOD: u32 = 1;
const PTRACE: i32 = 101;
const WAIT4: i32 = 61;
/// How long a stop may take to come.
const PATIENCE: Duration = Duration::from_secs(3);

/// Places in `struct user_regs_struct`.
const RAX: usize = 10;
const ORIG_RAX: usize = 15;
const ARGS: [usize; 6] = [14, 13, 12, 7, 9, 8];

impl Stage<'_> {
    fn ptrace(&mut self, tracer: Who, request: u64, of: Who, address: u64, data: u64) -> Result<i64, Stop> {
        let tid = self.crew.member(of).map_or(0, |member| member.tid);
        let tid = u64::try_from(tid).unwrap_or(0);
        self.value(tracer, PTRACE, [request, tid, address, data, 0, 0])
    }

    pub(super) fn scratch(&mut self) -> u64 {
        let board = self.board();
        // SAFETY: only an address is made.
        unsafe { (&raw mut (*board).scratch).addr() as u64 }
    }

    /// What the tracer of an actor hears of it now: words, or nothing when a signal was passed on and things go on.
    pub(super) fn stop_of(&mut self, who: Who) -> Result<Option<String>, Stop> {
        let Some(tracer) = self.crew.member(who).and_then(|member| member.tracer) else {
            return Ok(None);
        };
        let status = self.waited(tracer, who)?;
        let Some(signal) = stopped_by(status) else {
            return Ok(Some(of_status(Status(status))));
        };
        match (signal, status >> 16) {
            (_, 7) => {
                let data = self.scratch();
                self.ptrace(tracer, request::GETEVENTMSG, who, 0, data)?;
                Ok(Some(words::stops(self.word(0))))
            }
            (0x85, _) => Ok(Some(words::ENTRY.to_owned())),
            (_, 128) => {
                self.ptrace(tracer, request::CONT, who, 0, 0)?;
                Ok(None)
            }
            (signal, _) => {
                let signal = u64::try_from(signal).unwrap_or(0);
                self.ptrace(tracer, request::CONT, who, 0, signal)?;
                Ok(None)
            }
        }
    }

    /// Has a tracer wait for somebody, within a deadline.
    fn waited(&mut self, tracer: Who, of: Who) -> Result<i32, Stop> {
        let start = Instant::now();
        let tid = self.crew.member(of).map_or(0, |member| member.tid);
        let tid = u64::try_from(tid).unwrap_or(0);
        let options = u64::try_from(libc::__WALL | libc::WNOHANG).unwrap_or(0);
        while start.elapsed() < PATIENCE {
            let status = self.scratch();
            match self.value(tracer, WAIT4, [tid, status, options, 0, 0, 0])? {
                0 => thread::sleep(Duration::from_micros(200)),
                error if error < 0 => return Err(Stop::Broken(format!("a tracer cannot wait: {error}"))),
                _ => return Ok(i32::try_from(self.word(0) & 0xffff_ffff).unwrap_or(0)),
            }
        }
        Err(Stop::Broken("a traced thread did not stop".to_owned()))
    }

    pub(super) fn word(&mut self, index: usize) -> u64 {
        let board = self.board();
        // SAFETY: the board is mapped, and no actor is carrying out an order that writes there.
        let scratch = unsafe { (*board).scratch };
        scratch.get(index).copied().unwrap_or(0)
    }

    pub(super) fn set_words(&mut self, words: &[u64]) {
        let board = self.board();
        // SAFETY: as above.
        let scratch = unsafe { &mut (*board).scratch };
        for (to, from) in scratch.iter_mut().zip(words) {
            *to = *from;
        }
    }

    /// Begins to trace a running actor, and has it go on as asked.
    fn seize(&mut self, tracer: Who, of: Who, options: u32, go_on: u64) -> Result<i64, Stop> {
        let seized = self.ptrace(tracer, request::SEIZE, of, 0, u64::from(options | SYSGOOD))?;
        if seized != 0 {
            return Ok(seized);
        }
        if let Some(member) = self.crew.member_mut(of) {
            member.tracer = Some(tracer);
        }
        self.halted(tracer, of)?;
        self.ptrace(tracer, go_on, of, 0, 0)
    }

    fn halted(&mut self, tracer: Who, of: Who) -> Result<(), Stop> {
        self.ptrace(tracer, request::INTERRUPT, of, 0, 0)?;
        self.waited(tracer, of).map(drop)
    }

    /// A request that wants the other to be stopped, and lets it go on afterwards.
    fn between(&mut self, tracer: Who, number: u64, of: Who, address: u64, data: u64) -> Result<i64, Stop> {
        let stopped = self
            .crew
            .member(of)
            .is_some_and(|member| self.crew.state(member) == Some('t'));
        if self.crew.member(of).is_none_or(|member| member.tracer != Some(tracer)) {
            return self.ptrace(tracer, number, of, address, data);
        }
        if !stopped {
            self.halted(tracer, of)?;
        }
        let result = self.ptrace(tracer, number, of, address, data)?;
        if !stopped && number != request::DETACH {
            self.ptrace(tracer, request::CONT, of, 0, 0)?;
        }
        Ok(result)
    }

    pub(super) fn trace(&mut self, who: Who, what: &What) -> Seen {
        let result = match what {
            What::Trace { of, options, stops } => {
                let go_on = match stops {
                    Stops::Seccomp => request::CONT,
                    Stops::Entry => request::SYSCALL,
                    Stops::Emulated => request::SYSEMU,
                };
                self.seize(who, *of, *options, go_on)?
            }
            What::Options { of, options } => {
                self.between(who, request::SETOPTIONS, *of, 0, u64::from(options | SYSGOOD))?
            }
            What::Edit { of, edit } => self.edit(who, *of, edit)?,
            What::Resume { of } => self.ptrace(who, request::CONT, *of, 0, 0)?,
            What::Detach { of } => {
                let result = self.between(who, request::DETACH, *of, 0, 0)?;
                if let Some(member) = self.crew.member_mut(*of) {
                    member.tracer = None;
                }
                result
            }
            What::GetFilter { of, index, pointer } => return self.get_filter(who, *of, *index, *pointer),
            What::GetMetadata { of, index, size } => {
                // Behind the place for the status of whoever is waited for.
                let data = self.scratch().saturating_add(8);
                self.set_words(&[0, *index, 0]);
                let result = self.between(who, request::GET_METADATA, *of, *size, data)?;
                let flags = self.word(2);
                return Ok(if result < 0 {
                    words::done(result)
                } else {
                    words::metadata(result, flags)
                });
            }
            _ => return Err(Stop::Broken("this step cannot be played".to_owned())),
        };
        Ok(words::done(result))
    }

    fn edit(&mut self, tracer: Who, of: Who, edit: &Edit) -> Result<i64, Stop> {
        let data = self.scratch();
        self.ptrace(tracer, request::GETREGS, of, 0, data)?;
        let mut regs: Vec<u64> = (0..27).map(|index| self.word(index)).collect();
        let mut set = |at: usize, value: u64| {
            if let Some(reg) = regs.get_mut(at) {
                *reg = value;
            }
        };
        if let Some(nr) = edit.nr {
            set(ORIG_RAX, i64::from(nr).cast_unsigned());
        }
        if let Some(result) = edit.result {
            set(RAX, result.cast_unsigned());
        }
        if let Some(args) = edit.args {
            for (at, arg) in ARGS.into_iter().zip(args) {
                set(at, arg);
            }
        }
        self.set_words(&regs);
        if let Some(pending) = self.pending.get_mut(of).and_then(Option::as_mut) {
            pending.call.nr = edit.nr.unwrap_or(pending.call.nr);
            pending.call.args = edit.args.unwrap_or(pending.call.args);
        }
        self.ptrace(tracer, request::SETREGS, of, 0, data)
    }

    fn get_filter(&mut self, tracer: Who, of: Who, index: u64, pointer: Where) -> Seen {
        let board = self.board();
        // SAFETY: only an address is made.
        let program = unsafe { (&raw mut (*board).program).addr() as u64 };
        let data = match pointer {
            Where::Good => program,
            Where::Null => 0,
            _ => 0x10,
        };
        let result = self.between(tracer, request::GET_FILTER, of, index, data)?;
        let Ok(len) = usize::try_from(result) else {
            return Ok(words::done(result));
        };
        if pointer == Where::Null {
            return Ok(words::instructions(result));
        }
        // SAFETY: the tracer has finished writing.
        let got = unsafe { (*board).program };
        let same = |known: &Vec<callproof_vm::Insn>| {
            known.len() == len && known.iter().zip(&got).all(|(known, got)| same_insn(*known, got))
        };
        Ok(words::filter(
            self.programs.iter().position(same).map(|at| at.saturating_add(1)),
            len,
        ))
    }

    /// Sends a signal, and waits until it has come to something unless it is held back.
    pub(super) fn signal(&mut self, of: Who, signal: Signal) -> Seen {
        let member = self
            .crew
            .member(of)
            .ok_or_else(|| Stop::Seen(words::NOBODY.to_owned()))?;
        self.send_signal(member, signal)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let waiting = self.crew.status_line(member, "SigPnd");
            if waiting.is_none_or(|bits| bits.bytes().all(|byte| byte == b'0')) {
                break;
            }
            // Whom a signal wakes no longer sleeps when it has been sent.
            let asleep = matches!(self.crew.state(member), Some('S' | 'D'));
            if asleep && start.elapsed() > Duration::from_millis(5) {
                break;
            }
            thread::sleep(Duration::from_micros(300));
        }
        Ok(words::DONE.to_owned())
    }

    fn send_signal(&self, member: Member, signal: Signal) -> Result<(), Stop> {
        let pid = self.crew.processes.get(member.process).map_or(0, |process| process.pid);
        // SAFETY: touches no memory. The process is a child that nobody has waited for.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, pid, member.tid, signal.number()) };
        if sent == 0 {
            Ok(())
        } else {
            Err(Stop::Seen(words::NOBODY.to_owned()))
        }
    }

    /// A call during which a signal arrives: the caller is held at its entry, gets the signal, and is let go.
    pub(super) fn interrupted(&mut self, who: Who, call: &Call, signal: Signal) -> Seen {
        let tracer = self.scenario.actors.iter().position(|actor| actor.name == "tracer");
        let tracer = tracer.ok_or_else(|| Stop::Broken("a scenario with `during` has a tracer".to_owned()))?;
        let seized = self.seize(tracer, who, 0, request::SYSCALL)?;
        if seized != 0 {
            return Err(Stop::Broken(format!("cannot hold a caller: {seized}")));
        }
        self.begin(who, call)?;
        self.waited(tracer, who)?;
        let member = self
            .crew
            .member(who)
            .ok_or_else(|| Stop::Seen(words::NOBODY.to_owned()))?;
        self.send_signal(member, signal)?;
        // A killed thread cannot be let go any more.
        self.ptrace(tracer, request::DETACH, who, 0, 0)?;
        if signal == Signal::Kill {
            return self.outcome(who);
        }
        if let Some(member) = self.crew.member_mut(who) {
            member.tracer = None;
        }
        self.outcome(who)
    }

    pub(super) fn handler(&mut self, who: Who, signal: Signal, how: How) -> Result<i64, Stop> {
        const SA_SIGINFO: u64 = 4;
        const SA_RESTORER: u64 = 0x0400_0000;
        const SA_RESTART: u64 = 0x1000_0000;
        let (handler, restart) = match how {
            How::Default => (0, 0),
            How::Ignore => (1, 0),
            How::Handle => (super::board::handler(), 0),
            How::Restart => (super::board::handler(), SA_RESTART),
        };
        let flags = SA_SIGINFO | SA_RESTORER | restart;
        self.set_words(&[handler, flags, super::board::restorer(), 0]);
        let (number, action) = (signal.number(), self.scratch());
        self.value(who, 13, [u64::try_from(number).unwrap_or(0), action, 0, 8, 0, 0])
    }
}

/// The signal that stopped a process, if it is stopped.
fn stopped_by(status: i32) -> Option<i32> {
    (status & 0xff == 0x7f).then_some(status >> 8 & 0xff)
}

const fn same_insn(known: callproof_vm::Insn, got: &crate::sys::sock_filter) -> bool {
    known.code == got.code && known.jt == got.jt && known.jf == got.jf && known.k == got.k
}
