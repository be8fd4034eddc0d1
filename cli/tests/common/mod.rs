//! Runs the command as a user would, from the root of the repository.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What one run printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command that is about to run.
pub fn callproof(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callproof"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command.args(args).current_dir(root).env("NO_COLOR", "1");
    command
}

/// Runs the command.
#[allow(dead_code, reason = "not every file of tests needs it")]
pub fn run(args: &[&str]) -> Ran {
    callproof(args).stdin(Stdio::null()).output().unwrap().into()
}

/// Runs the command with some standard input.
#[allow(dead_code, reason = "not every file of tests feeds the command")]
pub fn run_with(args: &[&str], input: &[u8]) -> Ran {
    let mut command = callproof(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that refuses its input may close it early.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output.into()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
