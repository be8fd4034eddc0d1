//! `cargo run -p xtask -- COMMAND`: chores of this workspace that are no part of the product.

#![forbid(unsafe_code)]

mod tables;
mod tidy;

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
    /// Checks the house rules: arrows, unsafe code, licences, leftovers, links, fresh tables.
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Tables(args) => tables::run(&args),
        Command::Tidy => tidy::run(),
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
