//! What can go wrong for a user: what, where, and what to do about it.

use core::fmt;
use std::io;
use std::path::Path;

use callproof_formats::ReadError;
use miette::{Diagnostic, LabeledSpan, SourceCode};
use serde::Serialize;

use crate::exit::Exit;
use crate::words::harmless;

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    message: String,
    place: Option<String>,
    help: Option<String>,
    broken_pipe: bool,
    /// The reader's own error, with the text in which it lies
    reader: Option<ReadError>,
}

pub(crate) type Result<T> = core::result::Result<T, Failure>;

impl Failure {
    fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self(Box::new(Parts {
            exit,
            message: harmless(&message.to_string()),
            place: None,
            help: None,
            broken_pipe: false,
            reader: None,
        }))
    }

    /// The command line or an input cannot be understood or read.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A kernel, a feature of it or a privilege is missing.
    pub(crate) fn environment(message: impl fmt::Display) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// A file could not be read or written.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("cannot {doing} `{}`: {}", path.display(), reason(error));
        Self::usage(message).with_help(advice(error))
    }

    /// Says where: a file, a line, an argument.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place = Some(harmless(&place.to_string()));
        self
    }

    /// Says what to do.
    pub(crate) fn with_help(mut self, help: impl fmt::Display) -> Self {
        self.0.help = Some(harmless(&help.to_string()));
        self
    }

    /// An input of this name that is no filter.
    pub(crate) fn unreadable(name: &str, error: ReadError) -> Self {
        let place = match error.position() {
            Some(position) => format!("{name}:{position}"),
            None => name.to_owned(),
        };
        let help = error.help().map(|help| harmless(&help.to_string()));
        let mut failure = Self::usage(&error).at(place);
        failure.0.help = help;
        failure.0.reader = error.position().is_some().then(|| error.named(name));
        failure
    }

    /// Standard input could not be read.
    pub(crate) fn read(error: &io::Error) -> Self {
        Self::usage(format_args!("cannot read the input: {}", reason(error)))
    }

    /// Standard output could not be written.
    pub(crate) fn write(error: &io::Error) -> Self {
        let mut failure = Self::usage(format_args!("cannot write the answer: {}", reason(error)));
        failure.0.broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }

    /// What was asked for cannot be had, and the answer says why: the kernel would not install a filter, or what was made
    /// is not what it was made of.
    pub(crate) fn finding(message: impl fmt::Display) -> Self {
        Self::new(Exit::Finding, message)
    }

    /// A limit was reached.
    pub(crate) fn undecided(message: impl fmt::Display) -> Self {
        Self::new(Exit::Undecided, message)
    }

    /// The emulator and a kernel do not say the same.
    pub(crate) fn disagreement(message: impl fmt::Display) -> Self {
        Self::new(Exit::Disagreement, message)
    }

    /// Something that must not happen.
    pub(crate) fn bug(message: impl fmt::Display) -> Self {
        Self::new(Exit::Bug, message)
    }

    /// Whether it is only that the reader of our output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.0.broken_pipe
    }

    /// Whether there is text to draw the error into.
    pub(crate) fn has_quote(&self) -> bool {
        self.0.reader.is_some()
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The stable form of an error: see docs/CLI.md.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            exit: u8,
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            message: &'a str,
            #[serde(rename = "where")]
            place: Option<&'a str>,
            help: Option<&'a str>,
        }
        let error = Body {
            message: &self.0.message,
            place: self.place(),
            help: self.advice(),
        };
        let exit = self.0.exit as u8;
        serde_json::to_string(&Document { exit, error }).unwrap_or_default()
    }

    pub(crate) fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    pub(crate) fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl From<callproof::Error> for Failure {
    fn from(error: callproof::Error) -> Self {
        let exit = match error.kind {
            callproof::ErrorKind::Input => Exit::Usage,
            callproof::ErrorKind::Refused => Exit::Finding,
            callproof::ErrorKind::Undecided => Exit::Undecided,
            callproof::ErrorKind::Bug => Exit::Bug,
        };
        let mut failure = Self::new(exit, error.message);
        failure.0.place = error.place.as_deref().map(harmless);
        failure.0.help = error.help.as_deref().map(harmless);
        failure
    }
}

/// What the system said, without the error number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "check the permissions of the file and of the folders above it",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "check that the path names a file that can be read or written",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl core::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.reader.as_ref()?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.reader.as_ref()?.labels()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_to_do() {
        let failure = Failure::usage("odd digit").at("f.hex:1:3").with_help("add one");
        assert_eq!(
            failure.to_json(),
            r#"{"exit":2,"error":{"message":"odd digit","where":"f.hex:1:3","help":"add one"}}"#
        );
    }
}
