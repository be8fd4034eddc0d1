//! `dump`: filters that are installed, or get installed.

use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::io;
use std::process::Command;

use callproof_formats::Format;
use callproof_kernel_diff::{CaptureError, Captured, Limits, Outcome, dump, exec};
use callproof_vm::Insn;

use super::convert::written_as;
use super::written::{Product, Target, Written};
use crate::args::Dump;
use crate::error::{Failure, Result};
use crate::input::Loaded;
use crate::settings::Settings;
use crate::words::one_line;

/// How long a process may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// Captures filters, oldest first.
pub(crate) fn run(dump: Dump, settings: &Settings) -> Result<Written> {
    let found = match (&dump.pid, &dump.exec) {
        (Some(pid), _) => of_pid(*pid)?,
        (None, command) => of_command(command.as_deref().unwrap_or_default())?,
    };
    let mark = comment(dump.to);
    if mark.is_none() && dump.out.is_none() && found.len() > 1 {
        let message = format!(
            "{} filters in the format {} cannot be told apart in one stream",
            found.len(),
            dump.to
        );
        return Err(
            Failure::usage(message).with_help("write a file for each with `--out DIR`, or choose another `--to`")
        );
    }
    let product = |(place, filter): (usize, &Found)| Product {
        about: Some(filter.about.clone()),
        heading: mark.map(|mark| format!("{mark} filter {place}: {}", filter.about)),
        ..written_as(
            &format!("filter-{place:03}"),
            &filter.program,
            dump.to,
            dump.annotate,
            settings,
        )
    };
    Ok(Written {
        command: "dump",
        products: found.iter().enumerate().map(product).collect(),
        target: Target::folder(dump.out),
    })
}

/// The filters of a process as a chain: the FILTER `pid:N`.
pub(crate) fn of_process(pid: &str) -> Result<Vec<Loaded>> {
    let number = pid.parse().map_err(|_| {
        Failure::usage(format_args!("`{pid}` is not a process")).with_help("write a number, as in `pid:1234`")
    })?;
    let loaded = |(place, found): (usize, Found)| Loaded {
        name: format!("pid:{number}#{place}"),
        format: Format::Raw.name(),
        program: found.program,
        policy: None,
        is_file: false,
        first_line: None,
    };
    Ok(of_pid(number)?.into_iter().enumerate().map(loaded).collect())
}

/// A captured filter.
struct Found {
    program: Vec<Insn>,
    /// Who has it
    about: String,
}

fn of_pid(pid: i32) -> Result<Vec<Found>> {
    let dumped = dump(pid, STOP).map_err(|error| refused(&error))?;
    let about = dumped
        .exe
        .map_or_else(|| format!("process {pid}"), |exe| one_line(&exe.to_string_lossy()));
    let found = |filter: callproof_kernel_diff::DumpedFilter| Found {
        program: filter.program,
        about: about.clone(),
    };
    Ok(dumped.filters.into_iter().map(found).collect())
}

fn of_command(line: &[String]) -> Result<Vec<Found>> {
    let Some((program, arguments)) = line.split_first() else {
        return Err(Failure::usage("`--exec` needs a command"));
    };
    let mut command = Command::new(program);
    // Standard output is for filters.
    command.args(arguments).stdout(io::stderr());
    let limits = Limits {
        deadline: None,
        cancel: &AtomicBool::new(false),
    };
    let recording = exec(command, limits).map_err(|error| refused(&error))?;
    let installed = recording
        .captured
        .into_iter()
        .filter(|captured| matches!(captured.outcome, Outcome::Installed | Outcome::Listener(_)));
    let found: Vec<Found> = installed.map(found).collect::<Result<_>>()?;
    if found.is_empty() {
        return Err(Failure::finding(format_args!("`{program}` installed no filter")));
    }
    Ok(found)
}

fn found(captured: Captured) -> Result<Found> {
    let who = captured
        .exe
        .map_or_else(|| "?".to_owned(), |exe| one_line(&exe.to_string_lossy()));
    let about = format!("{who}, thread {}", captured.tid);
    match captured.program {
        Ok(program) => Ok(Found { program, about }),
        // Leaving it out would make the others look like all there is.
        Err(errno) => Err(Failure::environment(format_args!(
            "a filter was installed by {about}, and its program could not be read (error {errno})"
        ))
        .with_help("run it again, or read the filters of the running process with `--pid`")),
    }
}

/// What begins a comment in a format that has comments.
const fn comment(format: Format) -> Option<&'static str> {
    match format {
        Format::Raw | Format::Decimal | Format::DecimalLine | Format::Strace => None,
        Format::Asm => Some(";"),
        Format::C => Some("//"),
        _ => Some("#"),
    }
}

/// Which of the codes for trouble fits: a privilege is missing, or the process is the wrong one.
fn refused(error: &CaptureError) -> Failure {
    match error {
        CaptureError::NoProcess(_) | CaptureError::Gone(_) | CaptureError::Start { .. } => Failure::usage(error),
        CaptureError::NoFilters(_) | CaptureError::Strict(_) => Failure::finding(error),
        _ => Failure::environment(error),
    }
}
