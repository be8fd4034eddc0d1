//! The process that lives under a chain and times its calls.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use callproof_vm::length::MAX_INSNS_PER_PATH;
use callproof_vm::{Insn, SeccompData};

use super::gate;
use crate::native::{Abi, Gates, raw, ticks};
use crate::oracle::Failure;
use crate::sys::{Plain, Serve, Worker, errno, install, kill, sock_filter};

/// Calls that one process times.
pub(super) const CALLS: usize = 32;
/// Filters of one chain.
const FILTERS: usize = 256;
/// Calls made between two looks at the counter.
const GROUP: u32 = 32;
/// Such groups; their median counts.
const GROUPS: usize = 15;
/// Instructions of all filters: more do not fit on a thread.
const INSNS: usize = MAX_INSNS_PER_PATH as usize;

/// A chain that is installed, and the calls that are made under it. Without a chain nothing is installed.
#[derive(Clone, Debug)]
pub(super) struct Lap {
    pub(super) chain: Vec<Vec<Insn>>,
    pub(super) calls: Vec<SeccompData>,
}

impl Lap {
    /// Ticks of each call, in a new process.
    pub(super) fn run(&self, gates: Gates) -> Result<Vec<f64>, Failure> {
        let failed = |error: &std::io::Error| Failure::system("start a test process", error);
        let mut worker = Worker::<Track>::spawn().map_err(|error| failed(&error))?;
        self.write(worker.body(), gates)?;
        worker.ask().map_err(Failure::died)?;
        let track = worker.body();
        if track.error != 0 {
            return Err(Failure::System {
                what: track.step(),
                errno: track.error,
            });
        }
        let calls = track.ticks.iter_mut().take(self.calls.len());
        Ok(calls
            .map(|groups| {
                groups.sort_unstable();
                f64::from(groups.get(GROUPS / 2).copied().unwrap_or(0)) / f64::from(GROUP)
            })
            .collect())
    }

    fn write(&self, track: &mut Track, gates: Gates) -> Result<(), Failure> {
        let len = self.chain.iter().map(Vec::len).sum();
        if len > INSNS || self.chain.len() > FILTERS || self.calls.len() > CALLS {
            return Err(Failure::TooLong { len });
        }
        let insns = self.chain.iter().flatten();
        for (place, insn) in track.insns.iter_mut().zip(insns) {
            *place = raw(*insn);
        }
        for (place, program) in track.lens.iter_mut().zip(&self.chain) {
            *place = u16::try_from(program.len()).unwrap_or(0);
        }
        for (place, call) in track.calls.iter_mut().zip(&self.calls) {
            let [a, b, c, d, e, f] = call.args;
            let nr = u64::from(call.nr.cast_unsigned());
            place.regs = [nr, a, b, c, d, e, f];
            place.i386 = u64::from(gate(call) == Some(Abi::I386));
        }
        track.gates = gates.base;
        track.count = u32::try_from(self.calls.len()).unwrap_or(0);
        track.expected = if self.chain.is_empty() {
            libc::ENOSYS
        } else {
            libc::EPERM
        };
        Ok(())
    }
}

/// How long a tick is: the counter against the clock.
pub(super) struct Scale {
    start: Instant,
    ticks: u64,
}

impl Scale {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            ticks: ticks(),
        }
    }

    /// Nanoseconds of a tick since the start.
    pub(super) fn nanos_per_tick(&self) -> Result<f64, Failure> {
        let ticks = ticks().saturating_sub(self.ticks);
        let nanos = self.start.elapsed().as_nanos();
        if ticks == 0 || nanos == 0 {
            return Err(Failure::System {
                what: "read a counter of time",
                errno: libc::ENODATA,
            });
        }
        Ok(nanos as f64 / ticks as f64)
    }
}

/// What is shared. The process under the chain can make no call any more, not even to end: it says that it is done here,
/// and is killed.
#[repr(C)]
#[derive(Debug)]
struct Track {
    gates: u64,
    /// 1 when everything is measured or something went wrong
    done: AtomicU32,
    /// What was done last: see [`Track::step`]
    step: u32,
    error: i32,
    expected: i32,
    count: u32,
    lens: [u16; FILTERS],
    calls: [Made; CALLS],
    ticks: [[u32; GROUPS]; CALLS],
    insns: [sock_filter; INSNS],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Made {
    i386: u64,
    regs: [u64; 7],
}

// SAFETY: integers, atomic and not, and arrays of integers.
unsafe impl Plain for Track {}

const STEP_FORK: u32 = 1;
const STEP_INSTALL: u32 = 2;
const STEP_CALL: u32 = 3;

impl Track {
    const fn step(&self) -> &'static str {
        match self.step {
            STEP_FORK => "start a process to time calls in",
            STEP_INSTALL => "install a filter to time",
            _ => "time a call: it did not fail as the filter says",
        }
    }
}

impl Serve for Track {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        // SAFETY: the track is ours. The new process only makes system calls until the chain is installed, and from then
        // on touches nothing but the track, until it is killed.
        unsafe {
            (*this).step = STEP_FORK;
            let pid = libc::fork();
            match pid {
                -1 => (*this).error = errno(),
                0 => {
                    race(this);
                    (*this).done.store(1, Ordering::Release);
                    loop {
                        core::hint::spin_loop();
                    }
                }
                pid => {
                    let pause = libc::timespec {
                        tv_sec: 0,
                        tv_nsec: 200_000,
                    };
                    // The parent gives up on who makes no progress, so there is an end even if the process dies.
                    while (*this).done.load(Ordering::Acquire) == 0 {
                        libc::nanosleep(&raw const pause, core::ptr::null_mut());
                        if libc::waitpid(pid, core::ptr::null_mut(), libc::WNOHANG) != 0 {
                            (*this).error = libc::ECHILD;
                            return;
                        }
                    }
                    kill(pid);
                    libc::waitpid(pid, core::ptr::null_mut(), 0);
                }
            }
        }
        progress.fetch_add(1, Ordering::Relaxed);
    }
}

/// Installs the chain and times the calls.
///
/// # Safety
/// The process ends afterwards: it can make no system call any more.
unsafe fn race(this: *mut Track) {
    // SAFETY: the track is shared with processes that wait for `done`. The calls fail: without a chain because there is
    // no such call, under one because the parent had the emulator say so.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        stay();
        let mut insns = (&raw const (*this).insns).cast::<sock_filter>();
        for len in (*this).lens {
            if len == 0 {
                break;
            }
            (*this).step = STEP_INSTALL;
            let installed = install(0, insns, len);
            if installed != 0 {
                (*this).error = installed.wrapping_neg();
                return;
            }
            insns = insns.wrapping_add(len as usize);
        }
        (*this).step = STEP_CALL;
        let gates = Gates { base: (*this).gates };
        let (calls, times) = (&(*this).calls, &mut (*this).ticks);
        for group in 0..=GROUPS {
            for at in 0..(*this).count as usize {
                let (Some(made), Some(groups)) = (calls.get(at), times.get_mut(at)) else {
                    return;
                };
                let abi = if made.i386 == 1 { Abi::I386 } else { Abi::X86_64 };
                let regs = &raw const made.regs;
                let start = ticks();
                let mut answer = 0;
                for _ in 0..GROUP {
                    answer = gates.call(abi, 0, regs);
                }
                let took = ticks().wrapping_sub(start);
                if answer != i64::from((*this).expected).wrapping_neg() {
                    (*this).error = libc::EPROTO;
                    return;
                }
                // The first group warms up.
                if let Some(place) = group.checked_sub(1).and_then(|group| groups.get_mut(group)) {
                    *place = u32::try_from(took).unwrap_or(u32::MAX);
                }
            }
        }
    }
}

/// Keeps the process on one processor, the lowest that it may use, so that chains are compared on the same one.
fn stay() {
    // SAFETY: the sets are live values of the size that is told; failing is no harm.
    unsafe {
        let mut may = core::mem::zeroed::<libc::cpu_set_t>();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut may) != 0 {
            return;
        }
        for cpu in 0..libc::CPU_SETSIZE.cast_unsigned() as usize {
            if libc::CPU_ISSET(cpu, &may) {
                let mut one = core::mem::zeroed::<libc::cpu_set_t>();
                libc::CPU_SET(cpu, &mut one);
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const one);
                return;
            }
        }
    }
}
