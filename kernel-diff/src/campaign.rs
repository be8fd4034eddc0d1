//! Many programs and calls, kernel against model.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use callproof_vm::{Action, Filter, Insn, Kernel, Machine, SeccompData};

use crate::admission::AdmissionOracle;
use crate::oracle::{Failure, Missing, Observes, Oracle, Question};

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

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Name of the oracle that evaluated
    pub oracle: &'static str,
    /// Why admission was not compared, if it was not. The model was believed then
    pub admission_missing: Option<Missing>,
    /// Programs made to be admitted and evaluated, so far as the campaign got
    pub programs: u64,
    /// Admissions compared that the kernel granted, doubtful programs included
    pub admitted: u64,
    /// Admissions compared that the kernel refused
    pub refused: u64,
    /// Results compared
    pub evaluations: u64,
    /// Results by the kernel's action, as the newest kernel reads them
    pub by_action: BTreeMap<&'static str, u64>,
    /// Results by the audit architecture of the call that was made, `None` where a constant took its place
    pub by_arch: BTreeMap<Option<u32>, u64>,
    /// How many evaluated programs have an opcode
    pub by_opcode: BTreeMap<u16, u64>,
    /// Calls whose number is replaced by a constant because the kernel lets it pass every filter
    pub replaced_numbers: u64,
    /// Programs that could not be asked about, by the kind of reason: see [`Failure::kind`]
    pub skipped: BTreeMap<&'static str, u64>,
    /// One failure of every kind that was no mere lack of room. Where there are any, the campaign has a hole
    pub failures: BTreeMap<&'static str, Failure>,
    /// What kernel and model disagree about, at most one for each program, the smallest numbers first
    pub mismatches: Vec<Mismatch>,
    /// How long it took
    pub elapsed: Duration,
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the program in the campaign
    pub number: u64,
    /// The program, made as small as the source was able to
    pub program: Vec<Insn>,
    /// The program as it was made
    pub original: Vec<Insn>,
    /// About what they disagree
    pub kind: Disagreement,
}

/// About what kernel and model disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Whether the program is installed
    Admission {
        /// What the kernel does
        kernel: bool,
        /// What the model says
        model: bool,
    },
    /// What the program returns
    Value {
        /// The call
        data: SeccompData,
        /// What the kernel's filter returned
        kernel: u32,
        /// What the model says
        model: u32,
    },
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
    let job = || -> Result<(), Missing> {
        let mut job = Job {
            source,
            model,
            oracle: open()?,
            admission: AdmissionOracle::new().ok(),
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
                mismatches: total.mismatches.len() as u64,
            });
            if total.mismatches.len() >= plan.most_mismatches {
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
    report.admission_missing = admission_missing;
    report.elapsed = start.elapsed();
    Ok(report)
}

/// What one thread works with.
struct Job<'c, O, S: ?Sized, M: ?Sized> {
    source: &'c S,
    model: &'c M,
    oracle: O,
    admission: Option<AdmissionOracle>,
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

impl Report {
    pub(crate) fn skip(&mut self, failure: Failure) {
        count(&mut self.skipped, failure.kind());
        if !failure.is_unobservable() {
            self.failures.entry(failure.kind()).or_insert(failure);
        }
    }

    pub(crate) fn compare(&mut self, case: &Case, kernel: &[u32], model: &[u32], observes: &Observes) {
        for (index, (data, &kernel)) in case.data.iter().zip(kernel).enumerate() {
            self.evaluations = self.evaluations.saturating_add(1);
            count(&mut self.by_action, Action::of(kernel, Kernel::LATEST).name());
            count(
                &mut self.by_arch,
                Some(data.arch).filter(|arch| observes.arches.contains(arch)),
            );
            if observes.replaces(data) {
                self.replaced_numbers = self.replaced_numbers.saturating_add(1);
            }
            // A model that gives no value disagrees.
            let model = model.get(index).copied().unwrap_or(!kernel);
            let known = self
                .mismatches
                .last()
                .is_some_and(|mismatch| mismatch.number == case.number);
            if kernel != model && !known {
                self.mismatches.push(Mismatch {
                    number: case.number,
                    program: case.program.clone(),
                    original: case.program.clone(),
                    kind: Disagreement::Value {
                        data: *data,
                        kernel,
                        model,
                    },
                });
            }
        }
        let mut opcodes: Vec<u16> = case.program.iter().map(|insn| insn.code).collect();
        opcodes.sort_unstable();
        opcodes.dedup();
        opcodes.into_iter().for_each(|code| count(&mut self.by_opcode, code));
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.oracle = other.oracle;
        for (mine, others) in [
            (&mut self.programs, other.programs),
            (&mut self.admitted, other.admitted),
            (&mut self.refused, other.refused),
            (&mut self.evaluations, other.evaluations),
            (&mut self.replaced_numbers, other.replaced_numbers),
        ] {
            *mine = mine.saturating_add(others);
        }
        add_counts(&mut self.by_action, other.by_action);
        add_counts(&mut self.by_arch, other.by_arch);
        add_counts(&mut self.by_opcode, other.by_opcode);
        add_counts(&mut self.skipped, other.skipped);
        self.failures.extend(other.failures);
        self.mismatches.extend(other.mismatches);
    }

    /// Makes the mismatches smaller, as long as kernel and model still disagree in the same way.
    fn shrink<O: Oracle, S: Source + ?Sized, M: Model + ?Sized>(&mut self, source: &S, model: &M, oracle: &mut O) {
        let mut admission = AdmissionOracle::new().ok();
        for mismatch in &mut self.mismatches {
            let mut admits = |program: &[Insn]| admission.as_mut().map(|oracle| oracle.admits(program));
            let program = mismatch.original.clone();
            match &mut mismatch.kind {
                Disagreement::Admission { kernel, .. } => {
                    let mut fails = |program: &[Insn], _: &SeccompData| {
                        model.admits(program) != *kernel && admits(program) == Some(Ok(*kernel))
                    };
                    mismatch.program = source.shrink(program, SeccompData::default(), &mut fails).0;
                }
                Disagreement::Value {
                    data,
                    kernel,
                    model: said,
                } => {
                    let mut ask = |program: &[Insn], data: &SeccompData| {
                        let installed = model.admits(program) && matches!(admits(program), None | Some(Ok(true)));
                        let kernel = installed.then(|| oracle.evaluate(program, &[*data]).ok()?.pop())??;
                        Some((kernel, model.run(program, &[*data]).pop()?))
                    };
                    let mut fails = |program: &[Insn], data: &SeccompData| {
                        ask(program, data).is_some_and(|(kernel, model)| kernel != model)
                    };
                    (mismatch.program, *data) = source.shrink(program, *data, &mut fails);
                    if let Some(values) = ask(&mismatch.program, data) {
                        (*kernel, *said) = values;
                    }
                }
            }
        }
    }
}

impl Observes {
    fn replaces(&self, data: &SeccompData) -> bool {
        // i386 has its own numbers: only calls that are made as x86_64 calls could pass.
        let [native, ..] = self.arches else { return false };
        let other = self
            .arches
            .iter()
            .skip(1)
            .any(|arch| *arch == data.arch && arch != native);
        !other && self.replaced_numbers.contains(&data.nr)
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn add_counts<K: Ord>(counts: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
    for (key, more) in others {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(more);
    }
}
