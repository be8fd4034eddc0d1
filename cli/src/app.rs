//! From the command line to an exit code.

use core::panic::UnwindSafe;
use std::ffi::OsString;
use std::panic;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::commands;
use crate::error::Failure;
use crate::exit::Exit;
use crate::render::{self, Printer};

/// Runs the command that the process was started with.
pub(crate) fn main() -> Exit {
    panic::set_hook(Box::new(|info| render::bug(&info.to_string())));
    guarded(|| run(std::env::args_os().collect()))
}

/// A panic is a bug of ours and has a code of its own. Those of other threads reach the one that waits for them.
fn guarded(run: impl FnOnce() -> Exit + UnwindSafe) -> Exit {
    panic::catch_unwind(run).unwrap_or(Exit::Bug)
}

fn run(line: Vec<OsString>) -> Exit {
    let json = wants_json(&line);
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, json),
    };
    render::set_color(cli.global.color.into());
    let printer = match Printer::new(cli.global.format.clone(), cli.global.quiet) {
        Ok(printer) => printer,
        Err(failure) => return fail(&failure, json),
    };
    let printed = commands::run(cli).and_then(|answer| {
        let exit = answer.exit();
        match printer.print(&answer) {
            // Whoever read our output has seen enough. What was found stays true.
            Err(failure) if failure.is_broken_pipe() => Ok(exit),
            printed => printed.map(|()| exit),
        }
    });
    printed.unwrap_or_else(|failure| fail(&failure, printer.json()))
}

fn fail(failure: &Failure, json: bool) -> Exit {
    if failure.is_broken_pipe() {
        return Exit::Success;
    }
    render::problem(failure, json);
    failure.exit()
}

/// Help and versions are no errors; everything else that clap says is a usage error.
fn refuse(error: &clap::Error, json: bool) -> Exit {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !asked_for {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        render::problem(&Failure::usage(message).with_help("see `callproof --help`"), true);
    } else {
        // Nobody is left to tell when standard error is gone.
        let _ = error.print();
    }
    if asked_for { Exit::Success } else { Exit::Usage }
}

/// Whether errors are wanted as JSON, even when the line cannot be parsed.
fn wants_json(line: &[OsString]) -> bool {
    let follows = |pair: &[OsString]| matches!(pair, [option, value] if option == "--format" && value == "json");
    line.iter().any(|word| word == "--format=json") || line.windows(2).any(follows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug() {
        assert_eq!(guarded(|| panic!("on purpose")), Exit::Bug);
        assert_eq!(guarded(|| Exit::Finding), Exit::Finding);
    }

    #[test]
    fn json_is_wanted_when_it_was_asked_for() {
        let wants = |line: &[&str]| wants_json(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(wants(&["callproof", "--format=json", "x"]));
        assert!(wants(&["callproof", "x", "--format", "json"]));
        assert!(!wants(&["callproof", "json", "--format=json=file", "--format"]));
    }
}
