//! Errors: drawn on a terminal, plain in a pipe, JSON when asked for.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::style::{BAD, NAME, paint};
use crate::error::Failure;
use crate::words::one_line;

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

/// Says something on standard error that is no part of the answer.
pub(crate) fn note(about: &str, what: &str) {
    let mut stderr = AutoStream::auto(io::stderr().lock());
    // Who cannot be told misses nothing that the answer needs.
    let _ = writeln!(
        stderr,
        "{} {}: {}",
        paint(NAME, "note:"),
        one_line(about),
        one_line(what)
    );
}

fn text(failure: &Failure, drawn: bool) -> String {
    let picture = (drawn && failure.has_quote()).then(|| picture(failure)).flatten();
    picture.unwrap_or_else(|| plain(failure))
}

/// The error drawn into the text where it lies; `None` when that text holds anything that a terminal would obey.
fn picture(failure: &Failure) -> Option<String> {
    let draw = |theme| {
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme);
        handler.render_report(&mut text, failure).ok().map(|()| text)
    };
    // Without colours of ours, every control character is somebody else's.
    let bare = draw(GraphicalTheme::unicode_nocolor())?;
    let harmless = bare.chars().all(|c| !c.is_control() || c == '\n');
    harmless.then(|| draw(GraphicalTheme::unicode())).flatten()
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

#[cfg(test)]
mod tests {
    use callproof_formats::{Format, ReadOptions};

    use super::*;

    fn drawn(source: &str) -> String {
        let options = ReadOptions {
            format: Some(Format::Asm),
            ..ReadOptions::default()
        };
        let error = options.read(source.as_bytes()).unwrap_err();
        text(&Failure::unreadable("filter", error), true)
    }

    #[test]
    fn a_text_that_would_move_the_cursor_is_not_drawn() {
        let honest = drawn("ld [4]\nfoo #1\n");
        assert!(honest.contains('╭') && honest.contains("foo"), "{honest}");
        let hostile = drawn("ld [4]\n\u{1b}]0;title\u{7} #1\n");
        assert!(!hostile.contains('╭') && !hostile.contains("\u{1b}]0"), "{hostile}");
        assert!(hostile.contains("u{1b}"), "{hostile}");
    }
}
