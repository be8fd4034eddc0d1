//! `cargo run -p xtask -- COMMAND`: chores of this workspace that are no part of the product.

mod tables;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of this workspace.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Regenerates the tables of callproof-abi, or checks that the committed ones are fresh.
    Tables(tables::Args),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Tables(args) => tables::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where a failed chore is reported")]
fn complain(error: &str) {
    eprintln!("xtask: {error}");
}
