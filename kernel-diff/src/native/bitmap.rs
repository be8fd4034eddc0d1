//! The oracle that sees by time which calls the kernel allows without running a filter.

use core::sync::atomic::AtomicU64;

use callproof_vm::Insn;
use callproof_vm::length::MAX_INSNS;

use super::gate::{Abi, Gates};
use super::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Sight};
use crate::sys::{Plain, Serve, Worker, install, sock_filter};

/// What the times of a call say, and how surely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Whether the filter runs or is skipped
    pub verdict: Cached,
    /// In how many rounds the call was as fast as one that is known to be skipped
    pub fast: u32,
    /// Rounds in which the two known programs could be told apart
    pub rounds: u32,
    /// The chance that a coin would be so one-sided: what the verdict may be wrong by, were rounds independent
    pub chance: f64,
}

/// Whether the kernel's bitmap holds a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cached {
    /// It does: the filter is not run
    Yes,
    /// It does not: the filter is run
    No,
    /// The times do not say
    Undecided,
}

/// Sees the constant-allow bitmap (Linux 5.11), which changes nothing but the time that a call takes.
///
/// In front of the program stand thousands of instructions that the kernel's prediction can follow and that change
/// nothing, so that running the filter shows. In each round three new children make the call: under a program that is known
/// to be in the bitmap, under one that is known not to be, and under the program in question. The call counts for the
/// one whose time is nearer, in proportion. The verdict needs a one-sidedness that a coin shows once in a million times.
#[derive(Debug)]
pub struct BitmapOracle {
    gates: Gates,
}

/// Rounds for a verdict. At least 21 that agree are needed for one in a million.
const ROUNDS: u32 = 48;
const CHANCE: f64 = 1e-6;
/// Calls made and timed together; the fastest of some groups counts, since nothing makes a call faster than it is.
const GROUP: u32 = 24;
const GROUPS: u32 = 8;
/// Instructions in front: the first loads the number, the last clears A.
const PADDING: usize = 3000;
const ALLOW: u32 = 0x7fff_0000;
/// x86_64 calls without effect and arguments: `getpid`, `getuid`, `getgid`, `geteuid`, `getegid`, `getppid`, `getpgrp`, `gettid`
const HARMLESS: [i32; 8] = [39, 102, 104, 107, 108, 110, 111, 186];

impl BitmapOracle {
    /// Looks whether the two known programs differ here.
    ///
    /// # Errors
    /// [`Missing`] when filters cannot be installed, or times tell nothing: no bitmap, or too much noise.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        let oracle = Self { gates };
        let timing = oracle.time(&[Insn::stmt(0x06, ALLOW)], 39).map_err(Missing::Basic)?;
        if timing.verdict == Cached::Yes {
            Ok(oracle)
        } else {
            Err(Missing::Basic(Failure::System {
                what: "tell by time whether a filter is run",
                errno: libc::ENODATA,
            }))
        }
    }

    /// The calls that may be asked about: they have no effect, so they can be made a thousand times.
    #[must_use]
    pub const fn numbers() -> &'static [i32] {
        &HARMLESS
    }

    /// Whether the kernel skips the program for a call of x86_64.
    ///
    /// # Errors
    /// [`Failure`] when the number is none of [`numbers`](Self::numbers), the program is too long, or the kernel could
    /// not be asked.
    pub fn time(&self, program: &[Insn], nr: i32) -> Result<Timing, Failure> {
        if !HARMLESS.contains(&nr) {
            return Err(Failure::System {
                what: "time a call that may have an effect",
                errno: libc::EINVAL,
            });
        }
        let known_fast = [Insn::stmt(0x06, ALLOW)];
        // The prediction does not follow `or`.
        let known_slow = [Insn::stmt(0x44, 0), Insn::stmt(0x06, ALLOW)];
        let (mut fast, mut rounds) = (0_u32, 0_u32);
        for _ in 0..ROUNDS {
            let [low, asked, high] =
                [&known_fast[..], program, &known_slow[..]].map(|program| self.sample(program, nr));
            let [low, asked, high] = [low?, asked?, high?];
            if high > low.saturating_mul(2) {
                rounds = rounds.saturating_add(1);
                let nearer = u128::from(asked).pow(2) < u128::from(low).saturating_mul(high.into());
                fast = fast.saturating_add(nearer.into());
            }
        }
        Ok(judged(fast, rounds))
    }

    /// The least ticks that a group of calls takes in a new child.
    fn sample(&self, program: &[Insn], nr: i32) -> Result<u64, Failure> {
        if program.len().saturating_add(PADDING) > MAX_INSNS {
            return Err(Failure::TooLong { len: program.len() });
        }
        let failed = |error: &std::io::Error| Failure::system("start a test process", error);
        let mut worker = Worker::<Timed>::spawn().map_err(|error| failed(&error))?;
        let body = worker.body();
        let padding = (0..PADDING).map(|at| match at {
            0 => Insn::stmt(0x20, 0),
            at if at == PADDING.saturating_sub(1) => Insn::stmt(0x54, 0),
            _ => Insn::stmt(0x54, u32::MAX),
        });
        for (place, insn) in body.insns.iter_mut().zip(padding.chain(program.iter().copied())) {
            *place = raw(insn);
        }
        body.len = u16::try_from(program.len().saturating_add(PADDING)).unwrap_or(0);
        body.gates = self.gates.base;
        body.nr = u64::from(nr.cast_unsigned());
        // Under the program, the child can hardly answer: what it measured is in the memory when it dies.
        let end = worker.ask();
        let Timed { error, best, .. } = *worker.body();
        match (error, best, end) {
            (0, 0, end) => Err(end.err().map_or(Failure::Strange { register: 0 }, Failure::died)),
            (0, best, _) => Ok(best),
            (errno, ..) => Err(Failure::Refused { errno }),
        }
    }
}

impl Oracle for BitmapOracle {
    fn name(&self) -> &'static str {
        "bitmap"
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Skipped]
    }

    fn observes(&self) -> Observes {
        let here = (Abi::X86_64.arch(), self.gates.ip(Abi::X86_64, 0));
        Observes {
            arches: &[0xc000_003e],
            instruction_pointers: [here; 2],
            longest: MAX_INSNS.saturating_sub(PADDING),
            ..Observes::NO_CALLS
        }
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Skipped { program, nr } => self.time(program, nr).map(Answer::Skipped),
            other => Err(other.unseen()),
        }
    }
}

/// The verdict of a sign test.
fn judged(fast: u32, rounds: u32) -> Timing {
    let slow = rounds.saturating_sub(fast);
    let chance = tail(rounds, fast.max(slow));
    let verdict = match (chance <= CHANCE, fast > slow) {
        (false, _) => Cached::Undecided,
        (true, true) => Cached::Yes,
        (true, false) => Cached::No,
    };
    Timing {
        verdict,
        fast,
        rounds,
        chance,
    }
}

/// The chance that at least `heads` of `n` tosses fall on one and the same side: both sides count.
fn tail(n: u32, heads: u32) -> f64 {
    let (mut ways, mut sum) = (1.0_f64, 0.0_f64);
    for k in 0..=n {
        if k >= heads {
            sum += ways;
        }
        ways = ways * f64::from(n.saturating_sub(k)) / f64::from(k.saturating_add(1));
    }
    (2.0 * sum / 2.0_f64.powi(i32::try_from(n).unwrap_or(i32::MAX))).min(1.0)
}

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
struct Timed {
    gates: u64,
    nr: u64,
    best: u64,
    error: i32,
    len: u16,
    insns: [sock_filter; MAX_INSNS],
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Timed {}

impl Serve for Timed {
    unsafe fn serve(this: *mut Self, _: &AtomicU64) {
        // SAFETY: the body is ours, and this process ends under what it installs. The call has no effect.
        unsafe {
            let installed = install(0, (&raw const (*this).insns).cast(), (*this).len);
            if installed != 0 {
                (*this).error = installed.wrapping_neg();
                return;
            }
            let (gates, regs) = (Gates { base: (*this).gates }, [(*this).nr, 0, 0, 0, 0, 0, 0]);
            let mut best = u64::MAX;
            for _ in 0..GROUPS {
                let start = ticks();
                for _ in 0..GROUP {
                    gates.call(Abi::X86_64, 0, &raw const regs);
                }
                best = best.min(ticks().wrapping_sub(start));
            }
            (&raw mut (*this).best).write_volatile(best);
        }
    }
}

/// The processor's counter: reading it is no system call, which the filter might answer.
#[cfg(target_arch = "x86_64")]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction, and it changes nothing.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn ticks() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_one_sidedness() {
        assert_eq!(judged(48, 48).verdict, Cached::Yes);
        assert_eq!(judged(0, 48).verdict, Cached::No);
        assert_eq!(judged(24, 48).verdict, Cached::Undecided);
        assert_eq!(judged(0, 0).verdict, Cached::Undecided);
        assert_eq!(judged(20, 20).verdict, Cached::Undecided);
        assert_eq!(judged(21, 21).verdict, Cached::Yes);
        assert!((tail(4, 4) - 0.125).abs() < 1e-12);
        assert!((tail(3, 0) - 1.0).abs() < 1e-12);
    }
}
