//! Errors: drawn on a terminal, plain in a pipe, JSON when asked for.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::style::{BAD, NAME, paint};
use crate::error::Failure;

/// Prints an error. JSON goes to standard output, where a program looks for its one document; all else to standard error.
pub(crate) fn print(failure: &Failure, json: bool) {
    // An error about an error has nowhere to go.
    let _ = if json {
        writeln!(io::stdout(), "{}", failure.to_json())
    } else {
        let mut stderr = AutoStream::auto(io::stderr().lock());
        write!(stderr, "{}", text(failure, io::stderr().is_terminal()))
    };
}

fn text(failure: &Failure, drawn: bool) -> String {
    if drawn && failure.has_quote() {
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode());
        if handler.render_report(&mut text, failure).is_ok() {
            return text;
        }
    }
    plain(failure)
}

fn plain(failure: &Failure) -> String {
    let mut text = format!("{}: {failure}\n", paint(BAD, "error"));
    if let Some(place) = failure.place() {
        text.push_str(&format!("  {} {place}\n", paint(NAME, "at:")));
    }
    if let Some(help) = failure.advice() {
        text.push_str(&format!("  {} {help}\n", paint(NAME, "help:")));
    }
    text
}

/// Says that callproof itself went wrong.
pub(crate) fn bug(what: &str) {
    let _ = writeln!(
        io::stderr(),
        "callproof has a bug and cannot go on: {what}\n\
         Please report it, with the command line and its input."
    );
}
