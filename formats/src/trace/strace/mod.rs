//! What `strace` prints.

mod args;
mod line;
mod numbers;
mod value;

use std::collections::BTreeMap;

use callproof_abi::{Abi, errno_number, multiplexer};

use super::error::TraceProblem;
use super::seen::{ArgSeen, Outcome, TraceCall};
use super::signal;
use super::summary::personality;
use line::{Event, Head};
use numbers::Numbers;
use value::Values;

/// How many processes can be in a call at once.
const MOST_OPEN: usize = 1 << 14;
/// How many bytes the lines of such calls have together.
const MOST_BYTES: usize = 1 << 24;

/// Reads line after line.
pub(super) struct Reader {
    native: Abi,
    /// The ABI of processes that strace has said to have another
    abis: BTreeMap<Option<u32>, Abi>,
    /// Calls that have begun: the line and the text up to where it was cut
    open: BTreeMap<Option<u32>, Open>,
    /// The bytes of all of these
    open_bytes: usize,
    /// The number of the last call of each process, if it is known: a signal for it is no other call
    last: BTreeMap<Option<u32>, Option<u32>>,
    values: Values,
    numbers: Numbers,
}

struct Open {
    line: u64,
    nr: Option<u32>,
    ip: Option<u64>,
    text: String,
}

impl Reader {
    pub(super) fn new(native: Abi) -> Self {
        Self {
            native,
            abis: BTreeMap::new(),
            open: BTreeMap::new(),
            open_bytes: 0,
            last: BTreeMap::new(),
            values: Values::default(),
            numbers: Numbers::default(),
        }
    }

    pub(super) fn line(&mut self, number: u64, line: &str) -> Result<Option<TraceCall>, TraceProblem> {
        let head = line::head(line);
        match line::event(head.rest) {
            Event::Nothing => Ok(None),
            Event::Signal(text) => Ok(self.signal(head.pid, text)),
            Event::Exit => Ok(self.close(head.pid)),
            Event::Personality(pid, mode) => {
                let abi = personality(mode, self.native);
                if self.abis.len() < MOST_OPEN {
                    self.abis.insert(Some(pid), abi);
                    // Without `-f` lines have no process, and this is the one.
                    if head.pid.is_none() {
                        self.abis.insert(None, abi);
                    }
                }
                Ok(None)
            }
            Event::Resumed(rest) => self.resumed(&head, rest),
            Event::Call(text) => self.call(number, &head, text),
            Event::Unknown => {
                let message = "this is no line of strace";
                Err(TraceProblem::line(line.len().saturating_sub(head.rest.len()), message))
            }
        }
    }

    /// A call that is left at the end of the log.
    pub(super) fn unfinished(&mut self) -> Option<TraceCall> {
        let pid = self.open.keys().next().copied()?;
        self.close(pid)
    }

    /// The call that a signal is about, if the log has not shown it.
    fn signal(&mut self, pid: Option<u32>, text: &str) -> Option<TraceCall> {
        let abi = self.abis.get(&pid).copied().unwrap_or(self.native);
        let call = signal::siginfo(text, abi)?;
        let shown = self.last.remove(&pid).is_some_and(|nr| nr.is_none() || nr == call.nr);
        (!shown && !self.open.contains_key(&pid)).then_some(TraceCall { pid, ..call })
    }

    /// The end of a process: the call that it was in was made, and never returned.
    fn close(&mut self, pid: Option<u32>) -> Option<TraceCall> {
        let open = self.take(pid)?;
        let text = format!("{} <unfinished ...>) = ?", open.text);
        self.finish(pid, &open, &text).ok()
    }

    fn call(&mut self, line: u64, head: &Head<'_>, text: &str) -> Result<Option<TraceCall>, TraceProblem> {
        let open = Open {
            line,
            nr: head.nr,
            ip: head.ip,
            text: text.to_owned(),
        };
        let Some(begun) = text.trim_end().strip_suffix("<unfinished ...>") else {
            return self.finish(head.pid, &open, text).map(Some);
        };
        let text = begun.trim_end().to_owned();
        self.keep(head.pid, Open { text, ..open })
    }

    fn keep(&mut self, pid: Option<u32>, open: Open) -> Result<Option<TraceCall>, TraceProblem> {
        // A call that never went on is in the way of the next one of its process.
        self.take(pid);
        let bytes = self.open_bytes.saturating_add(open.text.len());
        if self.open.len() >= MOST_OPEN || bytes > MOST_BYTES {
            let message = format!("more than {MOST_OPEN} calls or {MOST_BYTES} bytes are open at once");
            return Err(TraceProblem::line(0, message));
        }
        self.open_bytes = bytes;
        self.open.insert(pid, open);
        Ok(None)
    }

    fn take(&mut self, pid: Option<u32>) -> Option<Open> {
        let open = self.open.remove(&pid)?;
        self.open_bytes = self.open_bytes.saturating_sub(open.text.len());
        Some(open)
    }

    fn resumed(&mut self, head: &Head<'_>, rest: &str) -> Result<Option<TraceCall>, TraceProblem> {
        let Some(mut open) = self.take(head.pid) else {
            let message = "a call goes on that has not begun in this log";
            return Err(TraceProblem::line(0, message));
        };
        if let Some(more) = rest.trim_end().strip_suffix("<unfinished ...>") {
            open.text.push_str(more.trim_end());
            return self.keep(head.pid, open);
        }
        let text = format!("{}{rest}", open.text);
        self.finish(head.pid, &open, &text).map(Some)
    }

    /// A whole call.
    fn finish(&mut self, pid: Option<u32>, open: &Open, text: &str) -> Result<TraceCall, TraceProblem> {
        let call = self.whole(pid, open, text)?;
        if self.last.len() >= MOST_OPEN {
            self.last.clear();
        }
        self.last.insert(pid, call.nr);
        Ok(call)
    }

    fn whole(&self, pid: Option<u32>, open: &Open, text: &str) -> Result<TraceCall, TraceProblem> {
        let parts = args::parts(text)?;
        let abi = self.abis.get(&pid).copied().unwrap_or(self.native);
        let abi = open.nr.map_or(abi, |nr| self.abi_of(abi, nr, parts.name));
        let mut call = TraceCall::new(abi);
        let named = self.number_of(abi, parts.name);
        call.nr = open.nr.map(|nr| with_bit(abi, nr)).or(named);
        call.name = Some(parts.name.to_owned());
        call.pid = pid;
        call.ip = open.ip;
        call.line = open.line;
        call.outcome = outcome(abi, parts.result);
        let carried = self.carrier(abi, parts.name);
        match carried {
            // `socket` on i386 can be `socketcall`: only a number tells.
            Some((carrier, sub)) => {
                let through = call.nr.filter(|_| open.nr.is_some()) == self.numbers.get(abi, carrier);
                if open.nr.is_none() {
                    call.nr = call.nr.filter(|_| self.numbers.get(abi, carrier).is_none());
                } else if through && let Some(first) = call.args.first_mut() {
                    *first = value::seen(u64::from(sub), 32);
                }
                if call.nr.is_some() && !through {
                    call.args = self.args(abi, &call, &parts);
                }
            }
            None => call.args = self.args(abi, &call, &parts),
        }
        Ok(call)
    }

    /// The call that carries this one on the ABI, and the sub-number.
    fn carrier(&self, abi: Abi, name: &str) -> Option<(&'static str, u32)> {
        let has = |carrier| self.numbers.get(abi, carrier).is_some();
        if has("socketcall") || has("ipc") {
            multiplexer(abi, name)
        } else {
            None
        }
    }

    /// The ABI on which a number has this name: strace does not say in a file (`-o`) that a process is another's.
    fn abi_of(&self, abi: Abi, nr: u32, name: &str) -> Abi {
        let has = |abi: &Abi| {
            let here = |name| self.numbers.get(*abi, name) == Some(with_bit(*abi, nr));
            here(name) || self.carrier(*abi, name).is_some_and(|(carrier, _)| here(carrier))
        };
        let partners = self.native.partners().iter().copied();
        let mut all = [abi, self.native].into_iter().chain(partners);
        all.find(has).unwrap_or(abi)
    }

    /// The number by name: `openat`, `syscall_0x1c0`.
    fn number_of(&self, abi: Abi, name: &str) -> Option<u32> {
        match name.strip_prefix("syscall_") {
            Some(number) => {
                let number = match number.strip_prefix("0x") {
                    Some(digits) => u32::from_str_radix(digits, 16).ok(),
                    None => number.parse().ok(),
                };
                number.map(|number| with_bit(abi, number))
            }
            None => self.numbers.get(abi, name),
        }
    }

    fn args(&self, abi: Abi, call: &TraceCall, parts: &args::Parts<'_>) -> [ArgSeen; 6] {
        let known = call.nr.and_then(|nr| abi.syscall(nr));
        self.values.registers(abi, known, parts)
    }
}

/// strace shows numbers of x32 without bit 30.
fn with_bit(abi: Abi, nr: u32) -> u32 {
    if abi == Abi::X32 {
        nr | callproof_abi::X32_BIT
    } else {
        nr
    }
}

/// What stands behind `=`.
fn outcome(abi: Abi, result: &str) -> Outcome {
    let mut words = result.split_whitespace();
    let Some(first) = words.next() else {
        return Outcome::Unknown;
    };
    if first == "-1"
        && let Some(error) = words.next()
    {
        return errno_number(abi, error).map_or(Outcome::Unknown, Outcome::Failed);
    }
    let digits = first.split_once('<').map_or(first, |(digits, _)| digits);
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None => digits.parse().ok(),
    };
    value.map_or(Outcome::Unknown, Outcome::Returned)
}
