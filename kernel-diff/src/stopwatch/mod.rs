//! How long filters take on this kernel: nanoseconds for each call, with a confidence interval, next to what a fitted
//! model predicts from counts.
//!
//! Nothing that is timed is executed. Every return of the newest filter is made to fail the call with EPERM, and every
//! return of the older ones to allow, so that each filter runs to its end, the constant-allow bitmap is out of play, and
//! no call happens. In each round every chain is installed in a new process on one processor, which makes each of its
//! calls some hundred times; the rounds interleave the chains with an unfiltered process that makes a call which does
//! not exist, and what a chain adds is the difference within a round. The processor has learnt the path of a call by
//! then: the first call of a kind takes longer.

mod child;
mod pace;
mod stats;

use callproof_vm::isa::Op;
use callproof_vm::observe::Converted;
use callproof_vm::{Action, Chain, Filter, Insn, Machine, SeccompData};

use crate::native::{Abi, Gates};
use crate::oracle::{Failure, Missing};
use crate::probe;
use child::{CALLS, Lap};
pub use pace::{Coefficient, Pace};
pub use stats::Interval;

/// A chain whose calls are timed.
#[derive(Clone, Debug)]
pub struct Job {
    /// The filters, oldest first
    pub chain: Vec<Vec<Insn>>,
    /// The calls, of x86_64, x32 or i386
    pub calls: Vec<SeccompData>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Times {
    /// Rounds that were measured
    pub rounds: usize,
    /// A call without a filter that fails because it does not exist, in nanoseconds: x86_64, and i386 if that was asked
    pub unfiltered: Vec<Interval>,
    /// What is fitted to filters of known lengths, in the same rounds
    pub pace: Pace,
    /// For each job, for each of its calls
    pub jobs: Vec<Vec<Timed>>,
}

/// One call under one chain.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// The call, with the instruction pointer it was made from
    pub call: SeccompData,
    /// What the filters add to it, in nanoseconds
    pub added: Interval,
    /// What the kernel executed for it
    pub counted: Converted,
    /// What the model says that the filters add, in nanoseconds
    pub predicted: f64,
}

/// Times calls.
#[derive(Debug)]
pub struct Stopwatch {
    gates: Gates,
    i386: bool,
}

/// A number that no ABI has a call for, and that no filter is asked about here.
const NO_CALL: i32 = 1023;
/// Calls that newer kernels let pass every filter: they are never made.
const BYPASSING: [i32; 2] = [335, 336];

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;

impl Stopwatch {
    /// Looks whether filters can be installed and calls be made here.
    ///
    /// # Errors
    /// [`Missing`] says what this machine lacks.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        probe::filters()?;
        Ok(Self {
            gates,
            i386: probe::i386().is_ok(),
        })
    }

    /// Whether a call can be timed here: one of x86_64, x32 or, where the kernel has it, i386, and none that passes every
    /// filter.
    #[must_use]
    pub fn can_make(&self, call: &SeccompData) -> bool {
        match gate(call) {
            Some(Abi::X86_64) => !BYPASSING.contains(&call.nr),
            Some(Abi::I386) => self.i386,
            None => false,
        }
    }

    /// Times the calls of all jobs, in as many rounds. `each` is told how many rounds are done.
    ///
    /// # Errors
    /// [`Failure`] when a call cannot be made here, a filter is refused, or the kernel cannot be asked.
    pub fn time(&self, jobs: &[Job], rounds: usize, each: &mut dyn FnMut(usize)) -> Result<Times, Failure> {
        let mut plan = self.known(jobs);
        let (known, first) = (plan.len(), plan.len());
        for job in jobs {
            for calls in job.calls.chunks(CALLS) {
                let calls = calls.iter().map(|call| self.placed(*call)).collect();
                plan.push(stubbed(&job.chain, calls)?);
            }
        }
        let mut ticks: Vec<Vec<Vec<f64>>> = plan.iter().map(|lap| vec![Vec::new(); lap.calls.len()]).collect();
        let scale = child::Scale::start();
        for round in 0..rounds {
            // Whoever goes first in one round goes last in another.
            for at in 0..plan.len() {
                let at = at.wrapping_add(round) % plan.len();
                let (Some(lap), Some(ticks)) = (plan.get(at), ticks.get_mut(at)) else {
                    continue;
                };
                for (into, took) in ticks.iter_mut().zip(lap.run(self.gates)?) {
                    into.push(took);
                }
            }
            each(round.saturating_add(1));
        }
        let nanos = scale.nanos_per_tick()?;
        for took in ticks.iter_mut().flatten().flatten() {
            *took *= nanos;
        }
        Ok(told(&plan, &ticks, known, jobs, first))
    }

    /// An unfiltered process, and chains of known lengths.
    fn known(&self, jobs: &[Job]) -> Vec<Lap> {
        let no_call = |abi: Abi| self.placed(SeccompData::new(abi.arch(), NO_CALL, [0; 6]));
        let mut calls = vec![no_call(Abi::X86_64)];
        let any_i386 = jobs
            .iter()
            .flat_map(|job| &job.calls)
            .any(|call| gate(call) == Some(Abi::I386));
        if any_i386 && self.i386 {
            calls.push(no_call(Abi::I386));
        }
        let mut laps = vec![Lap {
            chain: Vec::new(),
            calls: calls.clone(),
        }];
        laps.extend(pace::chains().into_iter().map(|chain| Lap {
            chain,
            calls: calls.clone(),
        }));
        laps
    }

    /// The call with the instruction pointer that it has when it is made here.
    fn placed(&self, call: SeccompData) -> SeccompData {
        SeccompData {
            instruction_pointer: gate(&call).map_or(0, |abi| self.gates.ip(abi, 0)),
            ..call
        }
    }
}

/// How a call is made.
fn gate(call: &SeccompData) -> Option<Abi> {
    [Abi::X86_64, Abi::I386].into_iter().find(|abi| abi.arch() == call.arch)
}

/// A chain that lets no call happen, whatever the filters return, and runs through all of them for each.
fn stubbed(chain: &[Vec<Insn>], calls: Vec<SeccompData>) -> Result<Lap, Failure> {
    let newest = chain.len().saturating_sub(1);
    let stub = |(at, program): (usize, &Vec<Insn>)| {
        let value = if at == newest { EPERM } else { ALLOW };
        let changed = program.iter().map(|insn| match insn.op() {
            Some(Op::RetK | Op::RetA) => Insn::stmt(0x06, value),
            _ => *insn,
        });
        changed.collect::<Vec<Insn>>()
    };
    let chain: Vec<Vec<Insn>> = chain.iter().enumerate().map(stub).collect();
    let lap = Lap { chain, calls };
    lap.check()?;
    Ok(lap)
}

impl Lap {
    /// Whether the emulator says that every call fails, and none is one that passes every filter.
    fn check(&self) -> Result<(), Failure> {
        let refused = Failure::Refused { errno: libc::EINVAL };
        let filters = self.chain.iter().map(|program| Filter::load(program.as_slice()));
        let filters: Vec<Filter<'_>> = filters.collect::<Result<_, _>>().map_err(|_| refused.clone())?;
        let machine = probe::machine();
        for call in &self.calls {
            let verdict = Chain::new(&filters).run(call, machine);
            let passes = gate(call) == Some(Abi::X86_64) && BYPASSING.contains(&call.nr);
            if passes || filters.is_empty() || verdict.action != Action::Errno {
                return Err(Failure::System {
                    what: "time a call that a filter does not fail",
                    errno: libc::EINVAL,
                });
            }
        }
        Ok(())
    }

    fn counted(&self, call: &SeccompData, machine: Machine) -> Converted {
        let filters = self
            .chain
            .iter()
            .filter_map(|program| Filter::load(program.as_slice()).ok());
        let filters: Vec<Filter<'_>> = filters.collect();
        let mut counted = Converted::default();
        Chain::new(&filters).run_observed(call, machine, &mut counted);
        counted
    }
}

/// What the times say.
fn told(plan: &[Lap], ticks: &[Vec<Vec<f64>>], known: usize, jobs: &[Job], first: usize) -> Times {
    let machine = probe::machine();
    let nothing = Vec::new();
    let unfiltered = ticks.first().unwrap_or(&nothing);
    let of_abi = |call: &SeccompData| {
        let at = usize::from(gate(call) == Some(Abi::I386));
        unfiltered.get(at).map_or(&[][..], Vec::as_slice)
    };
    let added = |call: &SeccompData, took: &[f64]| stats::paired(took, of_abi(call));
    let laps = plan.iter().zip(ticks);
    let points = laps.clone().take(known).skip(1).filter_map(|(lap, took)| {
        let (call, took) = (lap.calls.first()?, took.first()?);
        Some((lap.counted(call, machine), added(call, took)))
    });
    let pace = Pace::fit(&points.collect::<Vec<_>>());
    let mut timed = laps.skip(first).flat_map(|(lap, ticks)| {
        lap.calls.iter().zip(ticks).map(|(call, took)| {
            let counted = lap.counted(call, machine);
            Timed {
                call: *call,
                added: added(call, took),
                counted,
                predicted: pace.predict(&counted),
            }
        })
    });
    Times {
        rounds: unfiltered.first().map_or(0, Vec::len),
        unfiltered: unfiltered.iter().map(|took| stats::median(took)).collect(),
        jobs: jobs
            .iter()
            .map(|job| timed.by_ref().take(job.calls.len()).collect())
            .collect(),
        pace,
    }
}
