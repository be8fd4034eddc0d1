//! Many programs and calls, kernel against model.

mod chains;
mod report;

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use callproof_vm::length::charged_len;
use callproof_vm::{Filter, Insn, Machine, Outcome, SeccompData, combine};

use crate::admission::AdmissionOracle;
use crate::native::ChainOracle;
use crate::oracle::{Missing, Observes, Oracle, Question};
use chains::Comparer;

pub use chains::{ChainDisagreement, ChainMismatch, Chains};
pub use report::{Disagreement, Mismatch, Report};

/// What a campaign is about: programs, the calls they judge, and how to make a failing case smaller.
///
/// A case is made from its number alone, so that a campaign with the same source can be repeated by any number of jobs.
pub trait Source: Sync {
    /// Program `number`, which the kernel shall admit; it is evaluated when kernel and model agree that it does.
    fn program(&self, number: u64) -> Vec<Insn>;

    /// A program that the kernel may refuse, to compare admission alone.
    fn doubtful(&self, number: u64) -> Option<Vec<Insn>> {
        let _ = number;
        None
    }

    /// The calls that program `number` judges, `count` of them, for an oracle that observes so much.
    fn data(&self, number: u64, program: &[Insn], count: usize, observes: &Observes) -> Vec<SeccompData>;

    /// A chain of up to 64 filters that the kernel shall admit, oldest first, and the calls that it judges. Every filter
    /// must let `seccomp` pass for the next to be installed. The default gives none.
    fn chain(&self, number: u64, observes: &Observes) -> Option<(Vec<Vec<Insn>>, Vec<SeccompData>)> {
        let _ = (number, observes);
        None
    }

    /// A smaller case that still fails. The default leaves it as it is.
    fn shrink(
        &self,
        program: Vec<Insn>,
        data: SeccompData,
        fails: &mut dyn FnMut(&[Insn], &SeccompData) -> bool,
    ) -> (Vec<Insn>, SeccompData) {
        let _ = fails;
        (program, data)
    }
}

/// Whoever claims to know what the kernel does.
pub trait Model: Sync {
    /// Whether the kernel installs a program.
    fn admits(&self, program: &[Insn]) -> bool;

    /// The values that a program, which the kernel installs, returns for some calls.
    fn run(&self, program: &[Insn], data: &[SeccompData]) -> Vec<u32>;

    /// What a call shows when programs, which the kernel installs, judge it together, the oldest first.
    fn outcome(&self, chain: &[Vec<Insn>], call: &SeccompData) -> Outcome;

    /// What a program takes of the instructions that a thread has for all its filters, without the penalty.
    fn length(&self, program: &[Insn]) -> u32;
}

/// The emulator, as it models this machine.
impl Model for Machine {
    fn admits(&self, program: &[Insn]) -> bool {
        Filter::load_on(self.kernel, program).is_ok()
    }

    fn run(&self, program: &[Insn], data: &[SeccompData]) -> Vec<u32> {
        let filter = Filter::load_on(self.kernel, program);
        filter.map_or_else(
            |_| Vec::new(),
            |filter| data.iter().map(|call| filter.run(call, *self)).collect(),
        )
    }

    fn outcome(&self, chain: &[Vec<Insn>], call: &SeccompData) -> Outcome {
        let call = core::slice::from_ref(call);
        let values = chain.iter().map(|program| Model::run(self, program, call).pop());
        let newest_first = values.map(Option::unwrap_or_default).enumerate().rev();
        Outcome::of(&combine(newest_first, self.kernel))
    }

    fn length(&self, program: &[Insn]) -> u32 {
        charged_len(program, self.kernel)
    }
}

/// How large a campaign is.
#[derive(Clone, Debug)]
pub struct Plan<'s> {
    /// How many programs
    pub programs: u64,
    /// How many calls each judges
    pub data_per_program: usize,
    /// How many threads ask the kernel, each through children of its own
    pub jobs: NonZeroUsize,
    /// After so many programs with mismatches the campaign ends early
    pub most_mismatches: usize,
    /// When this is set the campaign ends early, within seconds
    pub stop: &'s AtomicBool,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Programs done with
    pub programs: u64,
    /// Programs wanted
    pub of: u64,
    /// Evaluations compared
    pub evaluations: u64,
    /// Mismatches found
    pub mismatches: u64,
}

/// How many programs a job takes at a time.
const STRIDE: u64 = 128;

/// Compares kernel and model on many cases.
///
/// `open` makes the evaluating oracle of each job; admission is compared when this machine can. `progress` is called now
/// and then, from any job.
///
/// # Errors
/// [`Missing`] when the oracle cannot be had. What goes wrong later is counted in [`Report::skipped`].
pub fn campaign<O: Oracle, S: Source + ?Sized, M: Model + ?Sized>(
    plan: &Plan<'_>,
    source: &S,
    model: &M,
    open: &(dyn Fn() -> Result<O, Missing> + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, Missing> {
    let start = Instant::now();
    let (next, total) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let admission_missing = AdmissionOracle::new().err();
    let chains_missing = ChainOracle::new().err();
    let comparer = || {
        let oracle = ChainOracle::new().ok()?;
        Some(Comparer { source, model, oracle })
    };
    let job = || -> Result<(), Missing> {
        let mut job = Job {
            source,
            model,
            oracle: open()?,
            admission: AdmissionOracle::new().ok(),
            chains: comparer(),
            count: plan.data_per_program,
        };
        loop {
            let first = next.fetch_add(STRIDE, Ordering::Relaxed);
            if first >= plan.programs || plan.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let some = job.compare(first..first.saturating_add(STRIDE).min(plan.programs));
            let Ok(mut total) = total.lock() else { return Ok(()) };
            total.add(some);
            progress(Progress {
                programs: total.programs,
                of: plan.programs,
                evaluations: total.evaluations,
                mismatches: total.found() as u64,
            });
            if total.found() >= plan.most_mismatches {
                next.store(plan.programs, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..plan.jobs.get()).map(|_| scope.spawn(job)).collect();
        let ended = jobs
            .into_iter()
            .map(|job| job.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.fold(Ok(()), Result::and)
    })?;
    let mut report = total.into_inner().unwrap_or_default();
    report.mismatches.sort_by_key(|mismatch| mismatch.number);
    report.mismatches.truncate(plan.most_mismatches.max(1));
    report.shrink(source, model, &mut open()?);
    report.chains.mismatches.sort_by_key(|mismatch| mismatch.number);
    report.chains.mismatches.truncate(plan.most_mismatches.max(1));
    if let Some(mut comparer) = comparer() {
        let mismatches = report.chains.mismatches.iter_mut();
        mismatches.for_each(|mismatch| comparer.shrink(mismatch));
    }
    report.admission_missing = admission_missing;
    report.chains.missing = chains_missing;
    report.elapsed = start.elapsed();
    Ok(report)
}

/// What one thread works with.
struct Job<'c, O, S: ?Sized, M: ?Sized> {
    source: &'c S,
    model: &'c M,
    oracle: O,
    admission: Option<AdmissionOracle>,
    chains: Option<Comparer<'c, S, M>>,
    count: usize,
}

/// A program that kernel and model admit, and what it shall be asked.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) number: u64,
    pub(crate) program: Vec<Insn>,
    pub(crate) data: Vec<SeccompData>,
}

impl Case {
    fn question(&self) -> Question<'_> {
        Question {
            program: &self.program,
            data: &self.data,
        }
    }
}

impl<O: Oracle, S: Source + ?Sized, M: Model + ?Sized> Job<'_, O, S, M> {
    fn compare(&mut self, numbers: core::ops::Range<u64>) -> Report {
        let mut report = Report {
            oracle: self.oracle.name(),
            programs: numbers.end.saturating_sub(numbers.start),
            ..Report::default()
        };
        let doubtful = numbers
            .clone()
            .filter_map(|number| Some((number, self.source.doubtful(number)?)));
        let doubtful: Vec<_> = doubtful.collect();
        let chains = self
            .chains
            .as_mut()
            .map(|chains| chains.compare(numbers.clone(), &mut |failure| report.skip(failure)));
        report.chains = chains.unwrap_or_default();
        let programs: Vec<_> = numbers.map(|number| (number, self.source.program(number))).collect();
        self.compare_admission(doubtful, &mut report);
        let admitted = self.compare_admission(programs, &mut report);
        self.compare_values(admitted, &mut report);
        report
    }

    /// Gives the programs that kernel and model admit.
    fn compare_admission(&mut self, programs: Vec<(u64, Vec<Insn>)>, report: &mut Report) -> Vec<(u64, Vec<Insn>)> {
        let asked: Vec<&[Insn]> = programs.iter().map(|(_, program)| program.as_slice()).collect();
        let answers = self.admission.as_mut().map(|oracle| oracle.admits_all(&asked));
        let mut answers = answers.map(Vec::into_iter);
        let mut admitted = Vec::new();
        for (number, program) in programs {
            let model = self.model.admits(&program);
            let kernel = match answers.as_mut().map(Iterator::next) {
                Some(Some(Ok(kernel))) => kernel,
                Some(Some(Err(failure))) => {
                    report.skip(failure);
                    continue;
                }
                // Nobody to ask: the model is believed.
                None | Some(None) => {
                    if model {
                        admitted.push((number, program));
                    }
                    continue;
                }
            };
            let count = if kernel {
                &mut report.admitted
            } else {
                &mut report.refused
            };
            *count = count.saturating_add(1);
            match (kernel, model) {
                (true, true) => admitted.push((number, program)),
                (false, false) => {}
                _ => report.mismatches.push(Mismatch {
                    number,
                    original: program.clone(),
                    program,
                    kind: Disagreement::Admission { kernel, model },
                }),
            }
        }
        admitted
    }

    fn compare_values(&mut self, programs: Vec<(u64, Vec<Insn>)>, report: &mut Report) {
        let observes = self.oracle.observes();
        let cases = programs.into_iter().map(|(number, program)| {
            let data = self.source.data(number, &program, self.count, &observes);
            Case { number, program, data }
        });
        let cases: Vec<Case> = cases.collect();
        let questions: Vec<Question<'_>> = cases.iter().map(Case::question).collect();
        for (case, answer) in cases.iter().zip(self.oracle.evaluate_all(&questions)) {
            match answer {
                Ok(values) => report.compare(case, &values, &self.model.run(&case.program, &case.data), &observes),
                Err(failure) => report.skip(failure),
            }
        }
    }
}
