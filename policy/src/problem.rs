//! What is wrong with a text, where, and what to do.

use miette::{Diagnostic, NamedSource};
use thiserror::Error;

use crate::span::Span;

/// One thing that is wrong at one place of a text.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong, as a lower-case fragment
    pub message: String,
    /// What to do about it
    #[help]
    pub help: Option<String>,
    /// Where it is; `0..0` for a value that came from no text
    #[label("here")]
    pub span: Span,
}

impl Problem {
    /// A problem at a place.
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self {
            message: message.into(),
            help: None,
            span,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with one text; `miette` renders it with the lines concerned.
#[derive(Debug, Error, Diagnostic)]
#[error("{} in {name}", match problems.len() { 1 => "1 problem".to_owned(), n => format!("{n} problems") })]
pub struct Problems {
    /// What the text is called
    name: String,
    #[source_code]
    text: NamedSource<String>,
    /// The problems, in the order of the text
    #[related]
    pub problems: Vec<Problem>,
}

impl Problems {
    /// The problems of a text; `name` is its file name, or `<command line>` and the like.
    pub fn new(name: impl Into<String>, text: impl Into<String>, problems: Vec<Problem>) -> Self {
        let name = name.into();
        Self {
            text: NamedSource::new(&name, text.into()),
            name,
            problems,
        }
    }
}
