//! `kernel diff`: random programs and calls, through the emulator and the running kernel.

mod chains;

use core::fmt::Display;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use callproof_abi::Abi;
use callproof_formats::call;
use callproof_formats::vectors::{EvalVector, ValidVector};
use callproof_kernel_diff::{Disagreement, Mismatch, NativeOracle, Plan, Report, campaign};
use callproof_vm::length::converted_len;
use callproof_vm::{Endian, Errno, Insn, Machine};
use serde::Serialize;

pub(crate) use chains::Chains;

use super::campaign::Generated;
use super::live::release;
use crate::args;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::render::Progress;
use crate::report::{self, Case, Finding, Level};
use crate::settings::Settings;

/// After so many programs with mismatches a campaign ends: they have one cause, or few.
const MOST_MISMATCHES: usize = 3;

/// What a campaign found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diff {
    /// Release of the kernel that was asked
    pub(crate) kernel: String,
    pub(crate) seed: u64,
    pub(crate) programs: u64,
    /// Admissions that were compared, by what the kernel did
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    /// Results that were compared
    pub(crate) evaluations: u64,
    /// Results by action
    pub(crate) by_action: BTreeMap<&'static str, u64>,
    /// Results by ABI; `replaced` where a constant took the place of the architecture word
    pub(crate) by_arch: BTreeMap<&'static str, u64>,
    /// Different opcodes in the programs
    pub(crate) opcodes: usize,
    /// Programs that could not be compared, by reason
    pub(crate) skipped: BTreeMap<&'static str, u64>,
    /// Why admission was not compared; the emulator was believed then
    pub(crate) admission_missing: Option<String>,
    /// What went wrong with programs that should have been compared: the campaign has a hole
    pub(crate) failures: Vec<String>,
    pub(crate) mismatches: Vec<Found>,
    /// Several filters on one thread
    pub(crate) chains: Chains,
    /// The seconds it took
    pub(crate) seconds: f64,
}

/// One disagreement, made small.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) message: String,
    /// The program in bpf_asm words; empty when it is about a chain
    pub(crate) program: Vec<String>,
    /// The programs of a chain, oldest first
    pub(crate) chain: Vec<Vec<String>>,
    /// The file of vectors that holds it
    pub(crate) file: PathBuf,
    /// What the file holds. Empty when no vector can say it: there is no file then
    #[serde(skip)]
    pub(crate) vector: String,
}

/// Runs a campaign.
pub(crate) fn run(diff: &args::Diff, settings: &Settings, progress: &Mutex<Progress>) -> Result<Diff> {
    let seed = diff.seed.unwrap_or_else(clock);
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let deadline = diff.time.map(Duration::from_secs);
    let plan = Plan {
        programs: diff.total().unwrap_or(u64::MAX),
        data_per_program: usize::try_from(diff.evals).unwrap_or(usize::MAX),
        jobs: jobs(diff.jobs),
        most_mismatches: MOST_MISMATCHES,
        stop: &stop,
    };
    let watch = |at: callproof_kernel_diff::Progress| {
        if deadline.is_some_and(|deadline| start.elapsed() >= deadline) {
            stop.store(true, Ordering::Relaxed);
        }
        if let Ok(mut progress) = progress.lock() {
            progress.set(at.programs);
        }
    };
    let machine = Machine {
        endian: Endian::NATIVE,
        ..settings.machine_of(Endian::NATIVE)
    };
    let report = campaign(&plan, &Generated { seed }, &machine, &NativeOracle::new, &watch).map_err(|missing| {
        Failure::environment(missing)
            .with_help("`callproof kernel vectors check` needs no kernel: it replays recorded answers")
    })?;
    if let Some((kind, failure)) = report.failures.iter().find(|_| report.evaluations == 0) {
        return Err(Failure::environment(format_args!(
            "no program could be compared: {failure} ({kind})"
        )));
    }
    Ok(Diff::new(&report, seed, &diff.out))
}

/// A seed that is another one next time.
pub(super) fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs())
}

fn jobs(asked: Option<u16>) -> NonZeroUsize {
    let asked = asked.and_then(|jobs| NonZeroUsize::new(jobs.into()));
    asked
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}

impl Diff {
    fn new(report: &Report, seed: u64, folder: &Path) -> Self {
        let arch = |arch: &Option<u32>| arch.and_then(Abi::from_audit_arch).map_or("replaced", Abi::name);
        let found = |mismatch: &Mismatch| Found::new(mismatch, seed, folder);
        let chains = report.chains.mismatches.iter();
        let chains = chains.map(|mismatch| chains::found(mismatch, seed, folder));
        Self {
            seed,
            programs: report.programs,
            admitted: report.admitted,
            refused: report.refused,
            evaluations: report.evaluations,
            by_action: report.by_action.clone(),
            by_arch: report.by_arch.iter().map(|(key, count)| (arch(key), *count)).collect(),
            opcodes: report.by_opcode.len(),
            skipped: report.skipped.clone(),
            admission_missing: report.admission_missing.as_ref().map(ToString::to_string),
            failures: report.failures.values().map(ToString::to_string).collect(),
            mismatches: report.mismatches.iter().map(found).chain(chains).collect(),
            chains: Chains::new(report),
            seconds: report.elapsed.as_secs_f64(),
            kernel: release(),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match (self.mismatches.is_empty(), self.failures.is_empty()) {
            (false, _) => Exit::Disagreement,
            (true, false) => Exit::Environment,
            (true, true) => Exit::Success,
        }
    }

    pub(crate) fn report(&self) -> report::Report {
        let finding = |found: &Found| Finding {
            level: Level::Error,
            rule: "disagreement",
            message: format!("{}: {}", found.message, found.words()),
            file: Some(found.file.display().to_string()),
            line: Some(1),
        };
        let name = format!(
            "{} programs of seed {} on Linux {}",
            self.programs, self.seed, self.kernel
        );
        report::Report {
            suite: "kernel diff",
            cases: vec![Case::new(name, self.mismatches.iter().map(finding).collect())],
        }
    }
}

impl Found {
    /// The program, or the programs of the chain, on one line.
    pub(super) fn words(&self) -> String {
        let programs = self.chain.iter().chain([&self.program]);
        let programs = programs.filter(|program| !program.is_empty());
        let words: Vec<String> = programs.map(|program| program.join("; ")).collect();
        words.join(" | ")
    }

    pub(super) fn new(mismatch: &Mismatch, seed: impl Display, folder: &Path) -> Self {
        let program = mismatch.program.clone();
        let listing = listing(&program);
        let (message, vector) = match mismatch.kind {
            Disagreement::Admission { kernel, model } => {
                let says = |admits: bool| if admits { "installs" } else { "refuses" };
                let message = format!(
                    "the kernel {} this program, the emulator {} it",
                    says(kernel),
                    says(model)
                );
                (message, valid_vector(program, kernel).to_line())
            }
            Disagreement::Value { data, kernel, model } => {
                let call = call::print(&data);
                let message = format!("the kernel returns {kernel:#010x}, the emulator {model:#010x} for {call}");
                let cases = vec![(data, kernel)];
                (message, EvalVector { program, cases }.to_line())
            }
        };
        Self {
            message,
            program: listing,
            chain: Vec::new(),
            file: folder.join(format!("mismatch-{seed}-{}.jsonl", mismatch.number)),
            vector: format!("{vector}\n"),
        }
    }
}

/// A program in bpf_asm words.
fn listing(program: &[Insn]) -> Vec<String> {
    let insns = program.iter().enumerate();
    insns.map(|(pc, insn)| insn.at(pc).to_string()).collect()
}

/// An admission as vectors hold it. The length is the emulator's: the kernel does not tell it.
pub(super) fn valid_vector(program: Vec<Insn>, accepted: bool) -> ValidVector {
    let ebpf_len = converted_len(&program);
    ValidVector {
        program,
        accepted,
        ebpf_len,
        // The oracle takes EINVAL, and nothing else, for a refusal.
        errno: (!accepted).then(|| Errno::EINVAL.name().to_owned()),
    }
}
