//! `kernel vectors record`: what the running kernel answers to generated programs.

use callproof_formats::recording::{Recording, endian_name, shift_name};
use callproof_formats::vectors::{ChainVector, EvalVector, RoomVector};
use callproof_kernel_diff::scenario::{self, Played, Runner as _, Running, SHIPPED};
use callproof_kernel_diff::{AdmissionOracle, Missing, NativeOracle, Oracle as _, Source as _, fits};
use callproof_vm::length::{MAX_INSNS_PER_PATH, converted_len};
use callproof_vm::{Errno, SeccompData};

use super::campaign::Generated;
use super::chains;
use super::diff::valid_vector;
use super::written::{Product, Target, Written};
use crate::args::{Record, RecordKind};
use crate::day::today;
use crate::error::{Failure, Result};
use crate::render::Progress;

/// Questions that take the kernel a process each are asked about one program of so many.
const SELDOM: u64 = 10;
/// Most filters of a chain, and calls for it.
const FILTERS_OF_CHAIN: u32 = 5;
const CALLS_OF_CHAIN: usize = 4;

/// Records: for each program the results of one that is installed and the admission of one that may not be; for some
/// what they need in a chain, and what is seen of several; and the scenarios once.
pub(crate) fn run(record: Record, progress: &mut Progress) -> Result<Written> {
    let mut recorder = Recorder::new(&record)?;
    for number in 0..record.programs {
        recorder.results(number);
        recorder.admission(number);
        if number % SELDOM == 0 {
            recorder.room(number);
            recorder.chain(number)?;
        }
        progress.set(number);
    }
    recorder.scenarios()?;
    Ok(Written {
        command: "kernel vectors record",
        target: Target::file(record.output),
        products: vec![Product::text(format!("vectors-{}.jsonl", record.seed), recorder.text)],
    })
}

/// Whom to ask, and what they said so far. Who is not there is not asked.
struct Recorder {
    source: Generated,
    /// Calls for each program
    evals: usize,
    native: Option<NativeOracle>,
    admission: Option<AdmissionOracle>,
    room: bool,
    chains: Option<Running>,
    scenarios: Option<Running>,
    text: String,
}

impl Recorder {
    fn new(record: &Record) -> Result<Self> {
        let asked = |kind| record.kinds.is_empty() || record.kinds.contains(&kind);
        let mut text = String::new();
        push(&mut text, &recording(record.seed).to_line());
        Ok(Self {
            source: Generated { seed: record.seed },
            evals: usize::try_from(record.evals).unwrap_or(usize::MAX),
            native: get(asked(RecordKind::Results), NativeOracle::new)?,
            admission: get(asked(RecordKind::Admission), AdmissionOracle::new)?,
            room: asked(RecordKind::Room),
            chains: get(asked(RecordKind::Chains), Running::new)?,
            scenarios: get(asked(RecordKind::Scenarios), Running::new)?,
            text,
        })
    }

    fn results(&mut self, number: u64) {
        let Some(native) = &mut self.native else { return };
        let program = self.source.program(number);
        // The record is made with real calls: other callers would be recorded as constants.
        let calls = self.source.data(number, &program, self.evals, &native.observes());
        let calls: Vec<SeccompData> = calls.into_iter().filter(|call| is_real(call, native)).collect();
        if let Ok(values) = native.evaluate(&program, &calls) {
            let cases = calls.into_iter().zip(values).collect();
            push(&mut self.text, &EvalVector { program, cases }.to_line());
        }
    }

    fn admission(&mut self, number: u64) {
        let Some(oracle) = &mut self.admission else { return };
        if let Some(doubtful) = self.source.doubtful(number)
            && let Ok(admitted) = oracle.admits(&doubtful)
        {
            push(&mut self.text, &valid_vector(doubtful, admitted).to_line());
        }
    }

    /// The room that the emulator says it needs, and one instruction less: the kernel answers, whatever it is.
    fn room(&mut self, number: u64) {
        if !self.room {
            return;
        }
        let program = self.source.program(number);
        let needs = converted_len(&program);
        for room in [needs, needs.saturating_sub(1)] {
            // A program that the kernel has no chain for has no line.
            let Ok(accepted) = fits(&program, room.min(MAX_INSNS_PER_PATH)) else {
                continue;
            };
            let vector = RoomVector {
                program: program.clone(),
                room,
                accepted,
                errno: (!accepted).then(|| Errno::ENOMEM.name().to_owned()),
            };
            push(&mut self.text, &vector.to_line());
        }
    }

    fn chain(&mut self, number: u64) -> Result<()> {
        let Some(running) = &mut self.chains else { return Ok(()) };
        let (programs, calls) = chains::generated(self.source.seed, number, FILTERS_OF_CHAIN, CALLS_OF_CHAIN);
        let mut cases = Vec::new();
        for call in calls {
            let outcome = running.outcome(&programs, &call);
            let outcome =
                outcome.map_err(|why| Failure::environment(format_args!("a chain could not be seen: {why}")))?;
            cases.push((call, outcome));
        }
        push(&mut self.text, &ChainVector { programs, cases }.to_line());
        Ok(())
    }

    /// Scenarios that the kernel plays as they say. One that it plays otherwise has no place among its answers, and is
    /// told.
    fn scenarios(&mut self) -> Result<()> {
        let Some(running) = &mut self.scenarios else {
            return Ok(());
        };
        for (file, text) in SHIPPED {
            for (scenario, json) in scenario::to_json(text).map_err(Failure::bug)? {
                match running.play(&scenario) {
                    Played::Agreed => push(&mut self.text, &format!("{{\"scenario\":{json}}}")),
                    Played::Skipped(_) => {}
                    Played::Differed { line, expected, seen } => {
                        let message = format_args!("the kernel shows `{seen}`, the scenario says `{expected}`");
                        return Err(Failure::disagreement(message)
                            .at(format_args!("{file}:{line}"))
                            .with_help("`callproof kernel scenarios` shows all; `--kinds` leaves them out"));
                    }
                    Played::Failed(why) => {
                        return Err(Failure::environment(why).at(format_args!("{file}:{}", scenario.line)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Somebody to ask, if wanted.
fn get<T>(wanted: bool, new: impl FnOnce() -> core::result::Result<T, Missing>) -> Result<Option<T>> {
    let got = wanted.then(new).transpose();
    got.map_err(|missing| {
        Failure::environment(missing)
            .with_help("run it on a kernel that lets processes install filters, or name other `--kinds`")
    })
}

/// Who answers: the kernel that runs.
fn recording(seed: u64) -> Recording {
    let told = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let engine = match told("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Ok("0") => "interpreter",
        Ok(_) => "jit",
        // Only root may read it.
        Err(_) => "unknown",
    };
    let model = callproof_kernel_diff::machine();
    Recording {
        release: told("/proc/sys/kernel/osrelease").unwrap_or_default(),
        machine: std::env::consts::ARCH.to_owned(),
        engine: engine.to_owned(),
        endian: endian_name(model.endian).to_owned(),
        shift: shift_name(model.shift).to_owned(),
        package: None,
        version: None,
        sha256: None,
        date: today(),
        seed,
    }
}

/// Whether the kernel itself sees this call, number, architecture and instruction pointer alike.
fn is_real(call: &SeccompData, oracle: &NativeOracle) -> bool {
    let observes = oracle.observes();
    let from = (call.arch, call.instruction_pointer);
    observes.arches.contains(&call.arch)
        && observes.instruction_pointers.contains(&from)
        && !observes.replaced_numbers.contains(&call.nr)
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
