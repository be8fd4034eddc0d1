//! What is seen, in words. Both runners use these, so that equal things read equal.

use super::calls::{self, Natural};
use super::step::{Abi, Call};

/// Where the kernel says the call was made, against where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Behind the instruction of the call
    Right,
    Wrong(u64),
}

/// What a handler of SIGSYS is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) signo: i32,
    pub(super) code: i32,
    pub(super) errno: i32,
    pub(super) syscall: i32,
    pub(super) arch: u32,
    pub(super) address: Address,
}

pub(super) const WAITS: &str = "waits";
pub(super) const DONE: &str = "done";
pub(super) const LISTENER: &str = "returns a listener";
pub(super) const NO_RECORD: &str = "no record";
pub(super) const NOTHING: &str = "nothing to receive";
pub(super) const NOBODY: &str = "nobody is there";
pub(super) const ENTRY: &str = "stops at entry";
pub(super) const THREAD_DIES: &str = "the thread dies";
pub(super) const THREAD_ENDS: &str = "the thread ends";
/// Signals have the numbers of x86-64, whatever the host.
const SIGILL: i32 = 4;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 31;
/// The end of a text about a process that dumped core.
pub(super) const CORE: &str = " with core";

pub(super) fn returns(value: i64) -> String {
    format!("returns {value}")
}

/// A step that is no call of its own: 0 is nothing to talk about.
pub(super) fn done(value: i64) -> String {
    if value == 0 { DONE.to_owned() } else { returns(value) }
}

/// What a call that is made returns.
pub(super) fn made(call: &Call) -> String {
    match calls::natural(call.nr, &call.args, call.abi) {
        Natural::Value(value) => returns(value),
        Natural::Pid => returns_pid(),
        Natural::Tid => returns_tid(),
        Natural::Unknown => "is made".to_owned(),
    }
}

pub(super) fn returns_pid() -> String {
    "returns its process".to_owned()
}

pub(super) fn returns_tid() -> String {
    "returns its thread".to_owned()
}

/// A failed TSYNC.
pub(super) fn returns_thread(name: &str) -> String {
    format!("returns the thread {name}")
}

pub(super) fn traps(told: &Told, then: i64) -> String {
    let Told {
        signo,
        code,
        errno,
        syscall,
        arch,
        ..
    } = told;
    let address = match told.address {
        Address::Right => "at the call".to_owned(),
        Address::Wrong(address) => format!("at {address:#x}"),
    };
    format!("signal {signo} code {code} errno {errno} syscall {syscall} arch {arch:#010x} {address}, then {then}")
}

pub(super) fn process_dies(signal: i32, core: bool) -> String {
    let name = match signal {
        SIGSYS => "SIGSYS".to_owned(),
        SIGKILL => "SIGKILL".to_owned(),
        SIGSEGV => "SIGSEGV".to_owned(),
        SIGILL => "SIGILL".to_owned(),
        other => format!("signal {other}"),
    };
    format!("the process dies of {name}{}", if core { CORE } else { "" })
}

pub(super) fn exits(status: i32) -> String {
    format!("the process exits with {status}")
}

pub(super) fn stops(message: u64) -> String {
    format!("stops for seccomp with {message}")
}

/// An audit record.
pub(super) fn record(signal: u32, arch: u32, nr: i32, code: u32, address: Address) -> String {
    let place = match address {
        Address::Right => "at the call".to_owned(),
        Address::Wrong(address) => format!("at {address:#x}"),
    };
    format!("signal {signal} arch {arch:#010x} syscall {nr} code {code:#010x} {place}")
}

/// Puts into words that a handler ran meanwhile.
pub(super) fn with_handler(text: String, ran: bool) -> String {
    if ran { format!("{text} after the handler") } else { text }
}

pub(super) fn receives(nr: i32, arch: u32, args: &[u64; 6], address: Address, from: &str) -> String {
    let abi = if arch == Abi::I386.arch() {
        Abi::I386
    } else {
        Abi::X86_64
    };
    let args = args.map(|arg| arg.cast_signed().to_string()).join(", ");
    let name = calls::name(nr, abi);
    let place = match address {
        Address::Right => String::new(),
        Address::Wrong(address) => format!(" at {address:#x}"),
    };
    format!("{name}({args}) of {from}{place}")
}

pub(super) fn status(mode: &str, filters: &str, no_new_privs: &str) -> String {
    format!("mode {mode}, filters {filters}, no_new_privs {no_new_privs}")
}

/// A filter that a tracer got, by its place among those that were installed in the scenario.
pub(super) fn filter(number: Option<usize>, len: usize) -> String {
    match number {
        Some(number) => format!("filter {number} of {len} instructions"),
        None => format!("a strange filter of {len} instructions"),
    }
}

pub(super) fn instructions(count: i64) -> String {
    format!("{count} instructions")
}

pub(super) fn metadata(size: i64, flags: u64) -> String {
    format!("{size} bytes, flags {flags}")
}

pub(super) fn sizes(sizes: [u16; 3]) -> String {
    sizes.map(|size| size.to_string()).join(" ")
}
