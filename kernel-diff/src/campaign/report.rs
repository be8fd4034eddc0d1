//! What a campaign found, and how it is made small.

use core::time::Duration;
use std::collections::BTreeMap;

use callproof_vm::{Action, Insn, Kernel, SeccompData};

use super::{Case, Chains, Model, Source};
use crate::admission::AdmissionOracle;
use crate::oracle::{Failure, Missing, Observes, Oracle};

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
    /// Chains of filters
    pub chains: Chains,
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

impl Report {
    /// How many disagreements there are.
    #[must_use]
    pub const fn found(&self) -> usize {
        self.mismatches.len().saturating_add(self.chains.mismatches.len())
    }

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
        self.chains.add(other.chains);
    }

    /// Makes the mismatches smaller, as long as kernel and model still disagree in the same way.
    pub(super) fn shrink<O: Oracle, S: Source + ?Sized, M: Model + ?Sized>(
        &mut self,
        source: &S,
        model: &M,
        oracle: &mut O,
    ) {
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

pub(super) fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

pub(super) fn add_counts<K: Ord>(counts: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
    for (key, more) in others {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(more);
    }
}
