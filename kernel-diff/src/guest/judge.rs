//! From programs and calls to jobs for a guest, and from its answers to agreement.

use core::ops::Range;
use std::collections::BTreeMap;

use callproof_vm::{Endian, Insn, Machine, SeccompData, ShiftByX};

use super::facts::Facts;
use super::jobs::{Answer, Call, Job, MOST_CALLS, Outcome, Via};
use super::tell::{pins, telling};
use crate::campaign::{Case, Disagreement, Mismatch, Model, Report, Source};
use crate::native::instrument::{CHUNKS, Pins, answer, placed};
use crate::oracle::{Failure, Observes};

/// A call number that no kernel has, for calls whose own number is withheld.
const HARMLESS: u32 = 0x3ff;

/// Of so many x86_64 calls of a guest with x32, one is made as an x32 call.
const X32_EVERY: usize = 8;

const X32_BIT: i32 = 0x4000_0000;

const SIGSYS: u16 = 31;

/// Programs that a guest shall judge.
#[derive(Debug, Default)]
pub(super) struct Questions {
    asked: Vec<Asked>,
    pub(super) jobs: Vec<Job>,
}

/// A program, its calls, and which jobs tell what the kernel does with it.
#[derive(Debug)]
struct Asked {
    case: Case,
    /// The job that installs it
    admission: usize,
    groups: Vec<Group>,
    /// Calls that are made just so, nothing being replaced
    real: Vec<usize>,
}

/// Calls that the same three filters judge.
#[derive(Debug)]
struct Group {
    members: Vec<usize>,
    jobs: Option<Range<usize>>,
}

/// How many results hang on a rule that differs between machines: where they agree, the rule was put to the test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decisive {
    /// By how a shift by X of 32 and more is made
    pub shift: u64,
    /// By where the halves of an argument lie
    pub endian: u64,
}

impl Decisive {
    fn count(&mut self, program: &[Insn], data: &[SeccompData], model: &Machine, expected: &[u32]) {
        let differing = |others: &[Machine]| {
            let runs: Vec<_> = others.iter().map(|other| Model::run(other, program, data)).collect();
            let differs = |index: usize, value: &u32| runs.iter().any(|run| run.get(index) != Some(value));
            let indices = expected
                .iter()
                .enumerate()
                .filter(|(index, value)| differs(*index, value));
            indices.count() as u64
        };
        let shifts = ShiftByX::ALL.map(|shift| Machine { shift, ..*model });
        let endians = [Endian::Little, Endian::Big].map(|endian| Machine { endian, ..*model });
        self.shift = self.shift.saturating_add(differing(&shifts));
        self.endian = self.endian.saturating_add(differing(&endians));
    }

    /// Adds another count.
    pub(super) const fn add(&mut self, other: Self) {
        self.shift = self.shift.saturating_add(other.shift);
        self.endian = self.endian.saturating_add(other.endian);
    }
}

/// What a comparison found.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) report: Report,
    pub(super) decisive: Decisive,
    pub(super) recorded: Vec<Recorded>,
}

/// What a guest answered about a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The program
    pub program: Vec<Insn>,
    /// Calls that were made just so, and what the filter returned
    pub cases: Vec<(SeccompData, u32)>,
    /// The errno that refused it
    pub refused: Option<u16>,
}

/// What a guest can be shown.
pub(super) fn observes(facts: &Facts, arches: &'static [u32], withheld: &'static [i32]) -> Observes {
    let pointer = |gate: super::tell::Gate| (gate.arch, gate.ip);
    Observes {
        seccomp: true,
        arches: match facts.i386 {
            Some(_) => arches,
            None => arches.get(..1).unwrap_or(arches),
        },
        instruction_pointers: [pointer(facts.native), pointer(facts.i386.unwrap_or(facts.native))],
        replaced_numbers: withheld,
        longest: callproof_vm::length::MAX_INSNS.saturating_sub(4),
    }
}

impl Questions {
    /// Adds the jobs for some programs of a source.
    pub(super) fn generate(
        &mut self,
        source: &dyn Source,
        numbers: Range<u64>,
        calls: usize,
        (facts, observes): (&Facts, &Observes),
        model: &Machine,
    ) {
        for number in numbers {
            if let Some(program) = source.doubtful(number) {
                self.ask(
                    Case {
                        number,
                        program,
                        data: Vec::new(),
                    },
                    facts,
                    observes,
                );
            }
            let program = source.program(number);
            let data = if model.admits(&program) {
                source.data(number, &program, calls.min(MOST_CALLS), observes)
            } else {
                Vec::new()
            };
            self.ask(Case { number, program, data }, facts, observes);
        }
    }

    /// Adds the jobs for a program and its calls.
    pub(super) fn ask(&mut self, mut case: Case, facts: &Facts, observes: &Observes) {
        fit(&mut case.data, facts);
        let admission = self.jobs.len();
        self.jobs.push(Job {
            programs: vec![case.program.clone()],
            calls: Vec::new(),
        });
        let groups = self.groups(&case, facts, observes);
        let real = case.data.iter().enumerate();
        let real = real.filter(|(_, data)| is_real(data, facts, observes));
        let real = real.map(|(index, _)| index).collect();
        self.asked.push(Asked {
            case,
            admission,
            groups,
            real,
        });
    }

    fn groups(&mut self, case: &Case, facts: &Facts, observes: &Observes) -> Vec<Group> {
        let mut groups: BTreeMap<Pins, Vec<usize>> = BTreeMap::new();
        for (index, data) in case.data.iter().enumerate() {
            let (via, gate) = facts.gate(data.arch);
            let pins = pins(&case.program, data, gate, !withheld(data.nr, via, facts, observes));
            groups.entry(pins).or_default().push(index);
        }
        let mut group = |(pins, members): (Pins, Vec<usize>)| {
            let calls = members.iter().filter_map(|index| case.data.get(*index));
            let calls: Vec<Call> = calls.map(|data| call(data, facts, observes)).collect();
            let parts = (0..CHUNKS).map(|chunk| telling(&case.program, pins, facts.endian, chunk));
            let first = self.jobs.len();
            let jobs = parts.collect::<Option<Vec<_>>>().map(|parts| {
                let job = |program| Job {
                    programs: vec![program],
                    calls: calls.clone(),
                };
                self.jobs.extend(parts.into_iter().map(job));
                first..self.jobs.len()
            });
            Group { members, jobs }
        };
        groups.into_iter().map(&mut group).collect()
    }

    /// Compares a guest's answers with the model, and keeps what was asked without constants.
    pub(super) fn compare(&self, answers: &[Answer], model: &Machine, observes: &Observes) -> Compared {
        let mut report = Report {
            oracle: "guest",
            ..Report::default()
        };
        let (mut recorded, mut decisive) = (Vec::new(), Decisive::default());
        for asked in &self.asked {
            if asked.case.data.is_empty() {
                recorded.extend(asked.admission(answers));
            }
            if !asked.agrees_on_admission(answers, model, &mut report) {
                continue;
            }
            match asked.values(answers) {
                Ok(values) => {
                    report.programs = report.programs.saturating_add(u64::from(!values.is_empty()));
                    let expected = model.run(&asked.case.program, &asked.case.data);
                    report.compare(&asked.case, &values, &expected, observes);
                    decisive.count(&asked.case.program, &asked.case.data, model, &expected);
                    recorded.extend(asked.recorded(&values));
                }
                Err(failure) => report.skip(failure),
            }
        }
        Compared {
            report,
            decisive,
            recorded,
        }
    }
}

impl Asked {
    fn agrees_on_admission(&self, answers: &[Answer], model: &Machine, report: &mut Report) -> bool {
        let Some(answer) = answers.get(self.admission) else {
            return false;
        };
        let kernel = answer.refused.is_none();
        let count = if kernel {
            &mut report.admitted
        } else {
            &mut report.refused
        };
        *count = count.saturating_add(1);
        let model = model.admits(&self.case.program);
        if kernel != model {
            report.mismatches.push(Mismatch {
                number: self.case.number,
                program: self.case.program.clone(),
                original: self.case.program.clone(),
                kind: Disagreement::Admission { kernel, model },
            });
        }
        kernel && model
    }

    /// What the filter returned for each call.
    fn values(&self, answers: &[Answer]) -> Result<Vec<u32>, Failure> {
        let mut values = vec![0; self.case.data.len()];
        for group in &self.groups {
            let too_long = || Failure::TooLong {
                len: self.case.program.len(),
            };
            let jobs = group.jobs.clone().ok_or_else(too_long)?;
            let answers = answers.get(jobs).unwrap_or_default();
            for (place, member) in group.members.iter().enumerate() {
                if let Some(value) = values.get_mut(*member) {
                    *value = joined(answers, place)?;
                }
            }
        }
        Ok(values)
    }

    fn recorded(&self, values: &[u32]) -> Option<Recorded> {
        let real = self.real.iter();
        let cases: Vec<_> = real
            .filter_map(|index| Some((*self.case.data.get(*index)?, *values.get(*index)?)))
            .collect();
        (!cases.is_empty()).then(|| Recorded {
            program: self.case.program.clone(),
            cases,
            refused: None,
        })
    }

    /// A program that was only to be installed.
    fn admission(&self, answers: &[Answer]) -> Option<Recorded> {
        let answer = answers.get(self.admission)?;
        Some(Recorded {
            program: self.case.program.clone(),
            cases: Vec::new(),
            refused: answer.refused.map(|(_, errno)| errno),
        })
    }
}

/// A result from its three parts.
fn joined(answers: &[Answer], place: usize) -> Result<u32, Failure> {
    let (mut value, mut killed) = (0, 0);
    for (chunk, told) in (0..CHUNKS).zip(answers) {
        if let Some((_, errno)) = told.refused {
            return Err(Failure::Refused { errno: errno.into() });
        }
        let register = match told.outcomes.get(place) {
            Some(Outcome::Error(errno)) => -i64::from(*errno),
            Some(Outcome::Value(value)) => i64::from(*value),
            // A division by zero leaves the program before it can tell: the filter has returned 0.
            Some(Outcome::Died(SIGSYS)) => {
                killed += 1;
                continue;
            }
            Some(Outcome::Died(signal)) => {
                return Err(Failure::Died {
                    how: format!("died of signal {signal}"),
                });
            }
            Some(Outcome::Trapped(_) | Outcome::NotMade) | None => {
                return Err(Failure::Died {
                    how: "was stopped without an answer".to_owned(),
                });
            }
        };
        value |= placed(answer(register).ok_or(Failure::Strange { register })?, chunk);
    }
    match killed {
        0 => Ok(value),
        CHUNKS => Ok(0),
        _ => Err(Failure::Died {
            how: "was killed by some parts of a filter only".to_owned(),
        }),
    }
}

/// Makes calls such as the guest can have them.
fn fit(data: &mut [SeccompData], facts: &Facts) {
    for (index, data) in data.iter_mut().enumerate() {
        let (via, gate) = facts.gate(data.arch);
        if facts.is_narrow(via) {
            data.args = data.args.map(|arg| arg & 0xffff_ffff);
        }
        if facts.x32 && data.arch == gate.arch && via == Via::Native && index.is_multiple_of(X32_EVERY) {
            data.nr |= X32_BIT;
        }
    }
}

/// Whether the kernel sees this call as it is.
fn is_real(data: &SeccompData, facts: &Facts, observes: &Observes) -> bool {
    let (via, gate) = facts.gate(data.arch);
    (data.arch, data.instruction_pointer) == (gate.arch, gate.ip) && !withheld(data.nr, via, facts, observes)
}

/// Whether no call can be made with this number: the kernel would not show it to the filter.
fn withheld(nr: i32, via: Via, facts: &Facts, observes: &Observes) -> bool {
    let kept = nr.cast_unsigned() & facts.number_mask == nr.cast_unsigned();
    via == Via::Native && (!kept || observes.replaced_numbers.contains(&nr))
}

fn call(data: &SeccompData, facts: &Facts, observes: &Observes) -> Call {
    let (via, _) = facts.gate(data.arch);
    let nr = if withheld(data.nr, via, facts, observes) {
        HARMLESS
    } else {
        data.nr.cast_unsigned()
    };
    Call {
        via,
        nr,
        args: data.args,
    }
}

#[cfg(test)]
mod tests;
