//! The `callproof` command.
//!
//! The way of a request: [`args`] says what was typed, [`settings`] what it means, a file of [`commands`] returns an
//! answer as a value, and [`render`] prints it. Nothing but [`render`] prints, and nothing but this file ends the process.

#![forbid(unsafe_code)]

mod app;
mod args;
mod call;
mod commands;
mod day;
mod error;
mod exit;
mod input;
mod lines;
mod render;
mod report;
mod settings;
mod words;

fn main() -> std::process::ExitCode {
    app::main().into()
}
