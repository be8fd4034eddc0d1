//! `kernel vectors check`: recorded answers of a kernel, replayed through the emulator.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use callproof_formats::call;
use callproof_formats::vectors::{EvalVector, ValidVector};
use callproof_vm::length::converted_len;
use callproof_vm::{Endian, Filter, Machine, SeccompData};
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
    pub(crate) mismatches: Vec<Mismatch>,
}

/// An answer that is not the emulator's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mismatch {
    /// `result`, `admission` or `length`
    pub(crate) about: &'static str,
    /// The line in the file, from 1
    pub(crate) line: usize,
    /// The call, when it is about a result
    pub(crate) call: Option<String>,
    pub(crate) kernel: u32,
    pub(crate) emulator: u32,
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
    if replayed.programs == 0 {
        return Err(Failure::usage(format_args!("`{name}` holds no vectors")).with_help(SHAPE));
    }
    Ok(replayed)
}

const SHAPE: &str =
    "a line is `{\"prog\": HEX, \"cases\": [[HEX, HEX], ...]}` or `{\"prog\": HEX, \"ok\": 0 or 1, \"ebpf_len\": N}`";

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
        // What the line is meant to be shows in a member that the other kind does not have.
        if text.contains("\"cases\"") {
            let vector = EvalVector::parse(text).map_err(|error| error.to_string())?;
            self.compare_results(&vector, number, settings);
        } else {
            let vector = ValidVector::parse(text).map_err(|error| error.to_string())?;
            self.compare_admission(&vector, number, settings);
        }
        self.programs = self.programs.saturating_add(1);
        Ok(())
    }

    fn compare_admission(&mut self, vector: &ValidVector, line: usize, settings: &Settings) {
        let accepted = Filter::load_on(settings.kernel, vector.program.as_slice()).is_ok();
        self.admissions = self.admissions.saturating_add(1);
        self.compare("admission", line, None, [vector.accepted.into(), accepted.into()]);
        if accepted && vector.accepted {
            self.compare("length", line, None, [vector.ebpf_len, converted_len(&vector.program)]);
        }
    }

    fn compare_results(&mut self, vector: &EvalVector, line: usize, settings: &Settings) {
        let Ok(filter) = Filter::load_on(settings.kernel, vector.program.as_slice()) else {
            // A program with results was installed.
            self.compare("admission", line, None, [1, 0]);
            return;
        };
        let machine = Machine {
            endian: Endian::Little,
            ..settings.machine_of(Endian::Little)
        };
        for (call, kernel) in &vector.cases {
            self.evaluations = self.evaluations.saturating_add(1);
            self.compare("result", line, Some(call), [*kernel, filter.run(call, machine)]);
        }
    }

    fn compare(&mut self, about: &'static str, line: usize, call: Option<&SeccompData>, [kernel, emulator]: [u32; 2]) {
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

impl Mismatch {
    pub(crate) fn sentence(&self) -> String {
        let Self { kernel, emulator, .. } = self;
        match (self.about, &self.call) {
            ("result", Some(data)) => {
                format!("kernel {kernel:#010x}, emulator {emulator:#010x}, for the record {data}")
            }
            ("admission", _) => {
                let says = |accepted: u32| if accepted == 0 { "refuses" } else { "installs" };
                format!(
                    "the kernel {} the program, the emulator {} it",
                    says(*kernel),
                    says(*emulator)
                )
            }
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
