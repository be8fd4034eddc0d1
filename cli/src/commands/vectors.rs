//! `kernel vectors check`: recorded answers of a kernel, replayed through the emulator.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use callproof_formats::call;
use callproof_formats::vectors::{ChainVector, EvalVector, RoomVector, ValidVector, Vector};
use callproof_kernel_diff::scenario::{self, Model, Played, Runner as _};
use callproof_vm::length::converted_len;
use callproof_vm::{Chain, Endian, Errno, Filter, Insn, Machine, Outcome, Rejected, SeccompData};
use serde::Serialize;

use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::lines::{Line, Lines, MAX_LINE};
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// What became of the files.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Vectors {
    pub(crate) files: Vec<Replayed>,
}

/// One file.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Replayed {
    pub(crate) file: String,
    pub(crate) programs: usize,
    /// Results that were compared
    pub(crate) evaluations: usize,
    /// Programs whose admission was compared
    pub(crate) admissions: usize,
    /// Calls under chains whose outcome was compared
    pub(crate) outcomes: usize,
    /// Scenarios that were played to their end
    pub(crate) scenarios: usize,
    pub(crate) mismatches: Vec<Mismatch>,
    /// The machine that the file says it was recorded on
    #[serde(skip)]
    model: Option<Machine>,
}

/// An answer that is not the emulator's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mismatch {
    /// `result`, `admission`, `errno`, `length`, `room`, `outcome` or `scenario`
    pub(crate) about: &'static str,
    /// The line in the file, from 1
    pub(crate) line: usize,
    /// The call, when it is about a result or an outcome; the name of a scenario
    pub(crate) call: Option<String>,
    pub(crate) kernel: Said,
    pub(crate) emulator: Said,
}

/// What one of them says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Said {
    Number(u32),
    Text(String),
}

/// Replays files.
pub(crate) fn run(files: &[String], settings: &Settings) -> Result<Vectors> {
    let files = files.iter().map(|name| {
        if name == "-" {
            return replay(name, io::stdin().lock(), settings);
        }
        let path = Path::new(name);
        let file = File::open(path).map_err(|error| Failure::io("read", path, &error))?;
        replay(name, file, settings)
    });
    Ok(Vectors {
        files: files.collect::<Result<_>>()?,
    })
}

fn replay(name: &str, input: impl Read, settings: &Settings) -> Result<Replayed> {
    let mut replayed = Replayed {
        file: name.to_owned(),
        ..Replayed::default()
    };
    let mut lines = Lines::new(input);
    let mut number = 0_usize;
    loop {
        let batch = lines
            .next_batch()
            .map_err(|error| Failure::io("read", Path::new(name), &error))?;
        if batch.is_empty() {
            break;
        }
        for line in &batch {
            number = number.saturating_add(1);
            replayed
                .replay_line(line, number, settings)
                .map_err(|why| unreadable(name, number, &why))?;
        }
    }
    if replayed.programs == 0 && replayed.scenarios == 0 {
        return Err(Failure::usage(format_args!("`{name}` holds no vectors")).with_help(SHAPE));
    }
    Ok(replayed)
}

const SHAPE: &str =
    "a line is an object with `prog` and `cases`, `prog` and `ok`, `chain`, `scenario` or `kernel`: docs/VECTORS.md";

fn unreadable(name: &str, line: usize, why: &str) -> Failure {
    Failure::usage(format_args!("not a line of vectors: {why}"))
        .at(format_args!("{name}:{line}"))
        .with_help(SHAPE)
}

impl Replayed {
    fn replay_line(&mut self, line: &Line<'_>, number: usize, settings: &Settings) -> core::result::Result<(), String> {
        let Line::Whole(bytes) = line else {
            return Err(format!("it is longer than {MAX_LINE} bytes"));
        };
        let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let vector = Vector::parse(text).map_err(|error| error.to_string())?;
        let machine = self.machine(settings);
        match vector {
            Vector::Kernel(recording) => {
                self.model = Some(recording.model().ok_or("its `kernel` has a word that means nothing")?);
                return Ok(());
            }
            Vector::Eval(vector) => self.compare_results(&vector, number, machine),
            Vector::Valid(vector) => self.compare_admission(&vector, number, machine),
            Vector::Room(vector) => self.compare_room(&vector, number, machine),
            Vector::Chain(vector) => self.compare_chain(&vector, number, machine),
            Vector::Scenario(text) => return self.play(&text, number, machine),
            _ => return Err("this version does not know its kind".to_owned()),
        }
        self.programs = self.programs.saturating_add(1);
        Ok(())
    }

    fn machine(&self, settings: &Settings) -> Machine {
        let usual = Machine {
            endian: Endian::Little,
            ..settings.machine_of(Endian::Little)
        };
        self.model.unwrap_or(usual)
    }

    fn compare_admission(&mut self, vector: &ValidVector, line: usize, machine: Machine) {
        let accepted = Filter::load_on(machine.kernel, vector.program.as_slice()).is_ok();
        self.admissions = self.admissions.saturating_add(1);
        self.compare("admission", line, None, [vector.accepted, accepted].map(Said::admits));
        if accepted && vector.accepted {
            let lengths = [vector.ebpf_len, converted_len(&vector.program)];
            self.compare("length", line, None, lengths.map(Said::Number));
        }
        if !accepted && let Some(errno) = &vector.errno {
            self.compare("errno", line, None, [errno, Errno::EINVAL.name()].map(Said::text));
        }
    }

    /// A program is charged what is left of the chain's budget, and no more.
    fn compare_room(&mut self, vector: &RoomVector, line: usize, machine: Machine) {
        let filter = Filter::load_on(machine.kernel, vector.program.as_slice());
        let says = match &filter {
            Err(_) => Err(Errno::EINVAL),
            Ok(filter) if filter.charged_len(machine.kernel) > vector.room => Err(Errno::ENOMEM),
            Ok(_) => Ok(()),
        };
        self.admissions = self.admissions.saturating_add(1);
        self.compare("room", line, None, [vector.accepted, says.is_ok()].map(Said::admits));
        if let (Err(says), Some(errno)) = (says, &vector.errno) {
            self.compare("errno", line, None, [errno, says.name()].map(Said::text));
        }
    }

    fn compare_results(&mut self, vector: &EvalVector, line: usize, machine: Machine) {
        let Ok(filter) = Filter::load_on(machine.kernel, vector.program.as_slice()) else {
            // A program with results was installed.
            self.compare("admission", line, None, [true, false].map(Said::admits));
            return;
        };
        for (call, kernel) in &vector.cases {
            self.evaluations = self.evaluations.saturating_add(1);
            let results = [*kernel, filter.run(call, machine)];
            self.compare("result", line, Some(call), results.map(Said::Number));
        }
    }

    fn compare_chain(&mut self, vector: &ChainVector, line: usize, machine: Machine) {
        let load = |program: &Vec<Insn>| Filter::load_on(machine.kernel, program.clone());
        let filters: core::result::Result<Vec<_>, Rejected<'_>> = vector.programs.iter().map(load).collect();
        let Ok(filters) = filters else {
            self.compare("admission", line, None, [true, false].map(Said::admits));
            return;
        };
        for (call, kernel) in &vector.cases {
            self.outcomes = self.outcomes.saturating_add(1);
            let emulator = Outcome::of(&Chain::new(&filters).run(call, machine));
            self.compare("outcome", line, Some(call), [*kernel, emulator].map(Said::text));
        }
    }

    /// A scenario that expects what a kernel showed, on the task model.
    fn play(&mut self, text: &str, line: usize, machine: Machine) -> core::result::Result<(), String> {
        let scenario = scenario::read_json(text).map_err(|mistake| mistake.message)?;
        match Model::new(machine.kernel).play(&scenario) {
            Played::Agreed => {}
            Played::Differed { expected, seen, .. } => self.mismatches.push(Mismatch {
                about: "scenario",
                line,
                call: Some(scenario.name),
                kernel: Said::Text(expected),
                emulator: Said::Text(seen),
            }),
            Played::Skipped(why) => return Err(format!("the scenario {why}, and this kernel is older")),
            Played::Failed(why) => return Err(why),
        }
        self.scenarios = self.scenarios.saturating_add(1);
        Ok(())
    }

    fn compare(&mut self, about: &'static str, line: usize, call: Option<&SeccompData>, [kernel, emulator]: [Said; 2]) {
        if kernel != emulator {
            self.mismatches.push(Mismatch {
                about,
                line,
                call: call.map(call::print),
                kernel,
                emulator,
            });
        }
    }
}

impl Said {
    fn text(text: impl core::fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    fn admits(accepted: bool) -> Self {
        Self::Text(if accepted { "installs" } else { "refuses" }.to_owned())
    }
}

impl core::fmt::Display for Said {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Mismatch {
    pub(crate) fn sentence(&self) -> String {
        let Self { kernel, emulator, .. } = self;
        match (self.about, &self.call, kernel, emulator) {
            ("result", Some(call), Said::Number(kernel), Said::Number(emulator)) => {
                format!("kernel {kernel:#010x}, emulator {emulator:#010x}, for the record {call}")
            }
            ("outcome", Some(call), ..) => format!("kernel `{kernel}`, emulator `{emulator}`, for the record {call}"),
            ("scenario", Some(name), ..) => {
                format!("kernel `{kernel}`, task model `{emulator}`, in the scenario \"{name}\"")
            }
            ("admission" | "room", ..) => format!("the kernel {kernel} the program, the emulator {emulator} it"),
            ("errno", ..) => format!("the kernel answers {kernel}, the emulator {emulator}"),
            _ => format!("the kernel counts {kernel} converted instructions, the emulator {emulator}"),
        }
    }
}

impl Vectors {
    pub(crate) fn exit(&self) -> Exit {
        if self.files.iter().all(|file| file.mismatches.is_empty()) {
            Exit::Success
        } else {
            Exit::Disagreement
        }
    }

    pub(crate) fn report(&self) -> Report {
        let finding = |file: &Replayed, mismatch: &Mismatch| Finding {
            level: Level::Error,
            rule: mismatch.about,
            message: mismatch.sentence(),
            file: (file.file != "-").then(|| file.file.clone()),
            line: Some(mismatch.line),
        };
        let case = |file: &Replayed| {
            let findings = file.mismatches.iter().map(|mismatch| finding(file, mismatch)).collect();
            Case::new(file.file.clone(), findings)
        };
        Report {
            suite: "kernel vectors check",
            cases: self.files.iter().map(case).collect(),
        }
    }
}
