//! A filter compiler with a bug of one's choice, to see that `callproof fuzz` finds it.
//!
//! ```text
//! canary_compiler --list
//! canary_compiler [--bug NAME] [--arch LIST] POLICY > FILTER
//! ```
//!
//! It reads a policy in callproof's own language (docs/PROPERTIES.md) and writes a raw filter. Without a bug every
//! filter is right: names and numbers are callproof's, and the code is made here, plainly.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks to whoever runs it"
)]

mod bug;
mod code;
mod emit;

use std::io::Write as _;
use std::process::ExitCode;

use callproof_policy::{Env, parse_abi_list, parse_policy};
use callproof_vm::Endian;

use bug::Bug;

/// What is asked on the command line.
#[derive(Default)]
struct Asked {
    bug: Option<Bug>,
    arch: Option<String>,
    policy: Option<String>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut asked = Asked::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => {
                Bug::ALL
                    .iter()
                    .for_each(|bug| println!("{:<18} {}", bug.name(), bug.about()));
                return ExitCode::SUCCESS;
            }
            "--bug" => match words.next().as_deref().map(Bug::from_name) {
                Some(Some(bug)) => asked.bug = Some(bug),
                _ => return refuse("`--bug` needs the name of a bug; `--list` has them"),
            },
            "--arch" => asked.arch = words.next(),
            _ => asked.policy = Some(word),
        }
    }
    match asked.filter() {
        Ok(bytes) => match std::io::stdout().write_all(&bytes) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&format!("cannot write the filter: {error}")),
        },
        Err(message) => refuse(&message),
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("canary_compiler: {message}");
    ExitCode::from(2)
}

impl Asked {
    fn filter(&self) -> Result<Vec<u8>, String> {
        let path = self.policy.as_deref().ok_or("name a file with a policy")?;
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        let policy = parse_policy(path, &text).map_err(|problems| problems.to_string())?;
        let env = match &self.arch {
            Some(list) => Env::new(parse_abi_list(list).map_err(|problems| problems.to_string())?),
            None => Env::default(),
        };
        let ground = policy
            .ground(&env)
            .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
        let program = code::compile(&ground, self.bug)?;
        Ok(program.iter().flat_map(|insn| insn.to_bytes(Endian::Little)).collect())
    }
}
