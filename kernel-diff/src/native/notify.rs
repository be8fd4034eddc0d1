//! The oracle that sees what `seccomp_data` the kernel builds for a call.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::time::Instant;

use callproof_vm::{Endian, Insn, SeccompData};

use super::gate::{Abi, Gates};
use super::instrument::guard;
use super::plan::BYPASSING;
use super::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Sight};
use crate::sys::{FLAG_NEW_LISTENER, Plain, Ringing, Serve, Worker, errno, install, kill, reap, sock_filter};

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// `syscall`; with bit 30 of the number set it is a call of x32
    Syscall,
    /// `int 0x80`, from 64-bit code and with 64-bit registers
    Int80,
}

/// A call and what the kernel made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notified {
    /// What was put into the registers, and where the call was made
    pub made: SeccompData,
    /// What a supervisor was told about it
    pub seen: SeccompData,
}

/// Sees the whole `seccomp_data` of calls, through user notification (Linux 5.0): the inputs of filters, not their results.
///
/// A child installs a filter that notifies about every call through a gate, and supervises a child of its own that makes
/// them. No call is ever carried out.
#[derive(Debug)]
pub struct NotifyOracle {
    gates: Gates,
    i386: bool,
    x32: bool,
}

/// Most calls that one child supervises.
const CALLS: usize = 4096;
const USER_NOTIF: u32 = 0x7fc0_0000;
/// `SECCOMP_IOCTL_NOTIF_RECV`
const RECV: libc::c_ulong = 0xc050_2100;
/// `SECCOMP_IOCTL_NOTIF_SEND`
const SEND: libc::c_ulong = 0xc018_2101;
/// How long a call may take to be notified about
const PATIENCE: Duration = Duration::from_secs(2);
const POLL_MILLISECONDS: libc::c_int = 100;
/// How long a killed process may take to be gone
const BURIAL: Duration = Duration::from_secs(5);

impl NotifyOracle {
    /// Looks whether calls can be supervised here.
    ///
    /// # Errors
    /// [`Missing`] when they cannot.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        let mut oracle = Self {
            gates,
            i386: crate::probe::i386().is_ok(),
            x32: false,
        };
        oracle
            .notified(&[(Entry::Syscall, 39, [0; 6])])
            .map_err(|failure| match failure {
                Failure::Refused { errno } => Missing::Filters { errno },
                failure => Missing::Basic(failure),
            })?;
        Ok(oracle)
    }

    /// Whether `int 0x80` makes calls here.
    #[must_use]
    pub const fn has_i386(&self) -> bool {
        self.i386
    }

    /// Whether the kernel carries out calls of x32, known once something was asked. It builds `seccomp_data` for their
    /// numbers in any case.
    #[must_use]
    pub const fn has_x32(&self) -> bool {
        self.x32
    }

    /// Makes calls and tells what the kernel built for each. Calls that pass every filter (335 and 336 by `syscall`) and,
    /// without IA32 emulation, calls by `int 0x80` are left out.
    ///
    /// # Errors
    /// [`Failure`] when the kernel could not be asked.
    pub fn notified(&mut self, calls: &[(Entry, i32, [u64; 6])]) -> Result<Vec<Notified>, Failure> {
        let possible = |&&(entry, nr, _): &&(Entry, i32, [u64; 6])| match entry {
            Entry::Syscall => !BYPASSING.contains(&nr),
            Entry::Int80 => self.i386,
        };
        let calls: Vec<_> = calls.iter().filter(possible).copied().collect();
        let mut all = Vec::with_capacity(calls.len());
        for some in calls.chunks(CALLS) {
            all.extend(self.ask_some(some)?);
        }
        Ok(all)
    }

    fn ask_some(&mut self, calls: &[(Entry, i32, [u64; 6])]) -> Result<Vec<Notified>, Failure> {
        let failed = |error: &std::io::Error| Failure::system("start a test process", error);
        let mut worker = Worker::<Watched>::spawn().map_err(|error| failed(&error))?;
        let body = worker.body();
        body.gates = self.gates.base;
        let mut filter = guard(self.gates);
        filter.push(Insn::stmt(0x06, USER_NOTIF));
        body.len = u16::try_from(filter.len()).unwrap_or(0);
        for (place, insn) in body.filter.iter_mut().zip(filter) {
            *place = raw(insn);
        }
        for (place, &(entry, nr, [a, b, c, d, e, f])) in body.calls.iter_mut().zip(calls) {
            place.regs = [u64::from(nr.cast_unsigned()), a, b, c, d, e, f];
            place.i386 = u32::from(entry == Entry::Int80);
        }
        body.wanted = u32::try_from(calls.len().min(CALLS)).unwrap_or(0);
        worker.ask().map_err(Failure::died)?;
        let body = worker.body();
        self.x32 = body.x32 != 0;
        match (body.error, body.stage) {
            (0, _) => {}
            (errno, STAGE_INSTALL) => return Err(Failure::Refused { errno }),
            (errno, _) => {
                return Err(Failure::System {
                    what: "supervise a test process",
                    errno,
                });
            }
        }
        let seen = body.calls.iter().take(calls.len());
        let pair = |(&(entry, nr, args), call): (&(Entry, i32, [u64; 6]), &Watch)| {
            let abi = if entry == Entry::Int80 { Abi::I386 } else { Abi::X86_64 };
            Notified {
                made: SeccompData {
                    instruction_pointer: self.gates.ip(abi, 0),
                    ..SeccompData::new(abi.arch(), nr, args)
                },
                seen: SeccompData::from_words(call.seen, Endian::NATIVE),
            }
        };
        Ok(calls.iter().zip(seen).map(pair).collect())
    }
}

impl Oracle for NotifyOracle {
    fn name(&self) -> &'static str {
        "notify"
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Records]
    }

    fn observes(&self) -> Observes {
        let [x86_64, i386] = [Abi::X86_64, Abi::I386].map(|abi| (abi.arch(), self.gates.ip(abi, 0)));
        Observes {
            arches: if self.i386 {
                &[0xc000_003e, 0x4000_0003]
            } else {
                &[0xc000_003e]
            },
            instruction_pointers: [x86_64, if self.i386 { i386 } else { x86_64 }],
            replaced_numbers: &BYPASSING,
            ..Observes::NO_CALLS
        }
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Records(calls) => self.notified(calls).map(Answer::Records),
            other => Err(other.unseen()),
        }
    }
}

/// The filter is about to be installed.
const STAGE_INSTALL: u32 = 0;
/// Calls are supervised.
const STAGE_WATCH: u32 = 1;

/// One call and the words that a supervisor was told.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Watch {
    regs: [u64; 7],
    seen: [u32; 16],
    i386: u32,
    pad: u32,
}

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
struct Watched {
    gates: u64,
    stage: u32,
    error: i32,
    wanted: u32,
    x32: u32,
    len: u16,
    filter: [sock_filter; 16],
    calls: [Watch; CALLS],
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Watched {}

/// `struct seccomp_notif`
#[repr(C)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    data: [u32; 16],
}

/// `struct seccomp_notif_resp`
#[repr(C)]
struct Response {
    id: u64,
    val: i64,
    error: i32,
    flags: u32,
}

impl Serve for Watched {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        // SAFETY: the body is ours. `getpid` of x32 changes nothing; every call behind the filter is answered by us.
        unsafe {
            let gates = Gates { base: (*this).gates };
            let x32_getpid = [0x4000_0027, 0, 0, 0, 0, 0, 0];
            (*this).x32 = u32::from(gates.call(Abi::X86_64, 0, &raw const x32_getpid) > 0);
            (*this).stage = STAGE_INSTALL;
            let listener = install(FLAG_NEW_LISTENER, (&raw const (*this).filter).cast(), (*this).len);
            if listener < 0 {
                (*this).error = listener.wrapping_neg();
                return;
            }
            (*this).stage = STAGE_WATCH;
            let child = libc::fork();
            match child {
                -1 => (*this).error = errno(),
                0 => make_calls(this, gates, listener),
                child => {
                    (*this).error = supervise(this, listener, progress);
                    kill(child);
                    if let Err(errno) = reap(child, BURIAL) {
                        (*this).error = errno;
                    }
                }
            }
            libc::close(listener);
        }
    }
}

/// Makes every call; each waits for the supervisor, and fails when there is none any more.
///
/// # Safety
/// In a forked child that lives under the notifying filter. The calls are readable.
unsafe fn make_calls(this: *const Watched, gates: Gates, listener: i32) -> ! {
    // SAFETY: the child ends with its supervisor, holds no listener of its own, and only reads the calls.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        libc::close(listener);
        for at in 0..(*this).wanted as usize {
            let call = (&raw const (*this).calls).cast::<Watch>().wrapping_add(at);
            let abi = if (*call).i386 == 0 { Abi::X86_64 } else { Abi::I386 };
            gates.call(abi, 0, &raw const (*call).regs);
        }
        libc::_exit(0)
    }
}

/// Writes down what each call looks like and answers it with 0. Gives 0 or an errno.
///
/// # Safety
/// `this` is ours, but for the registers, which nobody changes.
unsafe fn supervise(this: *mut Watched, listener: i32, progress: &AtomicU64) -> i32 {
    // Of whoever dies or is interrupted between the two, a notification may vanish: `receive` must not block for ever.
    let _ringing = match Ringing::start() {
        Ok(ringing) => ringing,
        Err(errno) => return errno,
    };
    // SAFETY: the kernel fills and reads live structures of the layout that each request wants.
    unsafe {
        for at in 0..(*this).wanted as usize {
            let told = match receive(listener) {
                Ok(told) => told,
                Err(errno) => return errno,
            };
            let call = (&raw mut (*this).calls).cast::<Watch>().wrapping_add(at);
            (*call).seen = told.data;
            let answer = Response {
                id: told.id,
                val: 0,
                error: 0,
                flags: 0,
            };
            while libc::ioctl(listener, SEND, &raw const answer) != 0 {
                if errno() != libc::EINTR {
                    return errno();
                }
            }
            progress.fetch_add(1, Ordering::Relaxed);
        }
    }
    0
}

/// The next notification, or an errno: `ECHILD` when nobody is left to notify about, `ETIMEDOUT` when none came in time.
fn receive(listener: i32) -> Result<Notification, i32> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mut ready = libc::pollfd {
            fd: listener,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live structure is given, and the other is filled; zeroes are a value of it, and asked for.
        let received = unsafe {
            match libc::poll(&raw mut ready, 1, POLL_MILLISECONDS) {
                0 => continue,
                1 if ready.revents & libc::POLLIN == 0 => return Err(libc::ECHILD),
                1 => {
                    let mut told = core::mem::zeroed::<Notification>();
                    (libc::ioctl(listener, RECV, &raw mut told) == 0).then_some(told)
                }
                _ => None,
            }
        };
        match received {
            Some(told) => return Ok(told),
            // ENOENT: the notification was withdrawn meanwhile.
            None if [libc::EINTR, libc::ENOENT].contains(&errno()) => {}
            None => return Err(errno()),
        }
    }
    Err(libc::ETIMEDOUT)
}
