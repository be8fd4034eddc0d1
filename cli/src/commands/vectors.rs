//! `kernel vectors check`: recorded answers of a kernel, replayed through the emulator.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use callproof_vm::length::converted_len;
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};
use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::hex;
use crate::lines::{Line, Lines, MAX_LINE};
use crate::report::{Case, Finding, Report};
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
    /// The hex digits of the record, when it is about a result
    pub(crate) data: Option<String>,
    pub(crate) kernel: u32,
    pub(crate) emulator: u32,
}

/// One line of either kind of file. Unknown members may say where it was recorded.
#[derive(Debug, Deserialize)]
struct Vector<'l> {
    prog: &'l str,
    cases: Option<Vec<(&'l str, &'l str)>>,
    ok: Option<u8>,
    ebpf_len: Option<u32>,
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

const SHAPE: &str = "a line is `{\"prog\": HEX, \"cases\": [[HEX, HEX], ...]}` or `{\"prog\": HEX, \"ok\": 0 or 1}`";

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
        let vector: Vector<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let program = hex::program(vector.prog, Endian::Little).map_err(|why| format!("`prog`: {why}"))?;
        if vector.cases.is_none() && vector.ok.is_none() {
            return Err("it has neither `cases` nor `ok`".to_owned());
        }
        self.programs = self.programs.saturating_add(1);
        self.compare_admission(&vector, &program, number, settings);
        self.compare_results(vector.cases.as_deref().unwrap_or_default(), &program, number, settings)
    }

    fn compare_admission(&mut self, vector: &Vector<'_>, program: &[Insn], line: usize, settings: &Settings) {
        let accepted = Filter::load_on(settings.kernel, program).is_ok();
        // A program with results was installed.
        let kernel = vector.ok.map_or(1, u32::from);
        if vector.ok.is_some() {
            self.admissions = self.admissions.saturating_add(1);
        }
        self.compare("admission", line, None, [kernel, u32::from(accepted)]);
        if let (Some(length), true) = (vector.ebpf_len, accepted) {
            self.compare("length", line, None, [length, converted_len(program)]);
        }
    }

    fn compare_results(
        &mut self,
        cases: &[(&str, &str)],
        program: &[Insn],
        line: usize,
        settings: &Settings,
    ) -> core::result::Result<(), String> {
        let Ok(filter) = Filter::load_on(settings.kernel, program) else {
            return Ok(());
        };
        let machine = Machine {
            endian: Endian::Little,
            ..settings.machine_of(Endian::Little)
        };
        for (data, result) in cases {
            let bytes = hex::bytes(data).map_err(|why| format!("record: {why}"))?;
            let record: &[u8; SeccompData::SIZE] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| format!("a record has {} bytes, not 64", bytes.len()))?;
            let kernel =
                u32::from_str_radix(result, 16).map_err(|_| format!("`{result}` is not a 32-bit result in hex"))?;
            let emulator = filter.run(&SeccompData::from_bytes(record, Endian::Little), machine);
            self.evaluations = self.evaluations.saturating_add(1);
            self.compare("result", line, Some(data), [kernel, emulator]);
        }
        Ok(())
    }

    fn compare(&mut self, about: &'static str, line: usize, data: Option<&str>, [kernel, emulator]: [u32; 2]) {
        if kernel != emulator {
            self.mismatches.push(Mismatch {
                about,
                line,
                data: data.map(str::to_owned),
                kernel,
                emulator,
            });
        }
    }
}

impl Mismatch {
    pub(crate) fn sentence(&self) -> String {
        let Self { kernel, emulator, .. } = self;
        match (self.about, &self.data) {
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
