//! Compilers with planted bugs, and hostile ones, through campaigns.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests panic when they fail, and tell how long things took"
)]

mod bugs;
mod campaigns;

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use callproof::Options;
use callproof::fuzz::{Compiler, Fuzz};
use callproof_abi::Abi;
use callproof_formats::policy::PolicyFormat;
use callproof_policy::Policy;
use callproof_testgen::Seed;
use callproof_testgen::policy::{PolicyShape, policy};

const ABIS: [Abi; 4] = [Abi::X86_64, Abi::I386, Abi::X32, Abi::S390x];

/// The compiler with bugs, built where this test was.
fn canary() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--package",
                "callproof",
                "--example",
                "canary_compiler",
            ])
            .status();
        assert!(built.unwrap().success());
        let mut path: PathBuf = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.join("examples/canary_compiler").to_str().unwrap().to_owned()
    })
}

/// The command of the compiler with a bug, or without one.
fn command(bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!("--bug {bug} ")).unwrap_or_default();
    format!("{} {bug}--arch {{arch}} {{policy}}", canary())
}

fn fuzz(command: &str, deadline: u64) -> Fuzz {
    Fuzz {
        compiler: Compiler::parse(command, Duration::from_millis(deadline)).unwrap(),
        offer: PolicyFormat::Policy,
        writes: None,
        options: Options {
            abis: ABIS.to_vec(),
            ..Options::default()
        },
        only_arch: false,
        strict: false,
    }
}

/// A policy for some of the ABIs.
fn random_policy(seed: u64, number: u64) -> Policy {
    let shape = PolicyShape {
        abis: ABIS.to_vec(),
        most_abis: 4,
        ..PolicyShape::default()
    };
    policy(&mut Seed::new(seed, number), &shape)
}
