//! Nanoseconds on this kernel.

use callproof_kernel_diff::{Interval, Job, Pace, Stopwatch, Timed};
use callproof_vm::SeccompData;
use serde::Serialize;

use super::{Cost, OfAbi, OfCall, SHOWN};
use crate::args;
use crate::commands::live::release;
use crate::error::{Failure, Result};
use crate::input::Loaded;
use crate::render::Progress;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Live {
    /// `uname -r`
    pub(crate) kernel: String,
    pub(crate) rounds: usize,
    /// A call without filters, in nanoseconds: (ABI, how long)
    pub(crate) unfiltered: Vec<(&'static str, Interval)>,
    /// What predictions are made of: nanoseconds, fitted in the same rounds
    pub(crate) pace: Pace,
    pub(crate) calls: Vec<TimedCall>,
    /// How far the predictions are off, for each ABI
    pub(crate) errors: Vec<(&'static str, Error)>,
    /// What was not measured, and why
    pub(crate) skipped: Vec<String>,
}

/// One call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TimedCall {
    pub(crate) abi: &'static str,
    pub(crate) name: &'static str,
    pub(crate) call: String,
    pub(crate) insns: u64,
    /// Executed instructions after conversion
    pub(crate) converted: u64,
    /// What the filters add to the call when they are run, in nanoseconds
    pub(crate) added: Interval,
    /// What was predicted from counts
    pub(crate) predicted: f64,
    /// Whether the bitmap answers the call, so that nothing of this is spent
    pub(crate) cached: bool,
}

/// How far predictions are off, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Error {
    /// In the middle
    pub(crate) median: f64,
    /// The same, of what was measured
    pub(crate) percent: f64,
    pub(crate) most: f64,
}

pub(super) fn time(args: &args::Cost, cost: &Cost, loaded: &[Loaded], quiet: bool) -> Result<Live> {
    let stopwatch = Stopwatch::new().map_err(|missing| {
        Failure::environment(format_args!("nothing can be measured here: {missing}"))
            .with_help("leave `--live` away; counts need no kernel")
    })?;
    let mut skipped = Vec::new();
    let mut calls: Vec<(&OfAbi, &OfCall)> = Vec::new();
    for of_abi in &cost.abis {
        let wanted = wanted(args, cost, of_abi);
        let possible = wanted.iter().filter(|call| stopwatch.can_make(&made(of_abi, call)));
        let possible: Vec<&OfCall> = possible.copied().collect();
        let left = wanted.len().saturating_sub(possible.len());
        if left > 0 {
            skipped.push(format!("{left} calls of {}, which cannot be made here", of_abi.abi));
        }
        calls.extend(possible.into_iter().map(|call| (of_abi, call)));
    }
    let job = Job {
        chain: loaded.iter().map(|one| one.program.clone()).collect(),
        calls: calls.iter().map(|(of_abi, call)| made(of_abi, call)).collect(),
    };
    let rounds = usize::from(args.rounds);
    let mut progress = Progress::new("rounds", Some(args.rounds.into()), quiet);
    let times = stopwatch
        .time(&[job], rounds, &mut |round| {
            progress.set(u64::try_from(round).unwrap_or(u64::MAX));
        })
        .map_err(|failure| Failure::environment(format_args!("the kernel could not be asked: {failure}")))?;
    let timed: Vec<TimedCall> = calls
        .iter()
        .zip(times.jobs.iter().flatten())
        .map(|((of_abi, call), timed)| TimedCall::new(of_abi, call, timed))
        .collect();
    Ok(Live {
        kernel: release(),
        rounds: times.rounds,
        unfiltered: ["x86_64", "i386"].into_iter().zip(times.unfiltered).collect(),
        pace: times.pace,
        errors: errors(&timed),
        calls: timed,
        skipped,
    })
}

/// The calls that people are shown: the most expensive, and those that cost most in the trace.
fn wanted<'c>(args: &args::Cost, cost: &'c Cost, of_abi: &'c OfAbi) -> Vec<&'c OfCall> {
    let shown = if args.all { usize::MAX } else { SHOWN };
    let loads = cost
        .trace
        .iter()
        .flat_map(|trace| trace.weighed.by_call.iter().take(shown));
    let called: Vec<u32> = loads
        .filter(|load| load.abi == Some(of_abi.abi))
        .map(|load| load.nr)
        .collect();
    let calls = of_abi.calls.iter().enumerate();
    calls
        .filter(|(at, call)| *at < shown || called.contains(&call.nr))
        .map(|(_, call)| call)
        .collect()
}

/// The call as it can be made: registers of 32 bits have no more.
fn made(of_abi: &OfAbi, call: &OfCall) -> SeccompData {
    let args = if of_abi.abi == "i386" {
        call.made.args.map(|arg| arg & 0xffff_ffff)
    } else {
        call.made.args
    };
    SeccompData { args, ..call.made }
}

impl TimedCall {
    fn new(of_abi: &OfAbi, call: &OfCall, timed: &Timed) -> Self {
        Self {
            abi: of_abi.abi,
            name: call.name,
            call: call.call.clone(),
            insns: call.insns,
            converted: timed.counted.insns,
            added: timed.added,
            predicted: timed.predicted,
            cached: call.cached,
        }
    }
}

fn errors(timed: &[TimedCall]) -> Vec<(&'static str, Error)> {
    let by_abi = timed.chunk_by(|a, b| a.abi == b.abi);
    by_abi
        .filter_map(|calls| Some((calls.first()?.abi, error(calls)?)))
        .collect()
}

fn error(timed: &[TimedCall]) -> Option<Error> {
    let mut off: Vec<(f64, f64)> = timed
        .iter()
        .map(|call| {
            let off = (call.predicted - call.added.median).abs();
            (off, 100.0 * off / call.added.median.max(1.0))
        })
        .collect();
    off.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut percent: Vec<f64> = off.iter().map(|(_, percent)| *percent).collect();
    percent.sort_by(f64::total_cmp);
    Some(Error {
        median: off.get(off.len() / 2)?.0,
        percent: *percent.get(percent.len() / 2)?,
        most: off.last()?.0,
    })
}
