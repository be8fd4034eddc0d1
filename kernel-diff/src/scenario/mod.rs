//! Scenarios: what threads, tracers and supervisors see, on the task model and on the running kernel.
//!
//! A file tells little stories as data: who installs which filters, who calls what, and what is to be seen after every
//! step. A [`Runner`] plays them: [`Model`] on the task model of `callproof-vm`, [`Running`] on the kernel, in child
//! processes. Both must see what the file says, word for word. `docs/SCENARIOS.md` has the language.

#[cfg(target_os = "linux")]
pub(crate) mod abroad;
mod calls;
#[cfg(target_os = "linux")]
mod chain;
mod fault;
#[cfg(target_os = "linux")]
mod live;
mod lower;
mod model;
mod raw;
mod recorded;
mod rules;
mod shipped;
mod step;
mod words;

use core::ops::Range;

pub use fault::Fault;
#[cfg(target_os = "linux")]
pub use live::Running;
pub use model::Model;
pub use recorded::{read_json, to_json};
pub use shipped::SHIPPED;
pub use step::{Need, Scenario};

/// Something that plays scenarios.
pub trait Runner {
    /// Plays a scenario to its end, or to the first step that shows something else than it should.
    fn play(&mut self, scenario: &Scenario) -> Played;
}

/// How a scenario went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// Every step showed what it should
    Agreed,
    /// A step showed something else
    Differed {
        /// The step's line in its file, from 1
        line: usize,
        /// What should be seen
        expected: String,
        /// What was seen
        seen: String,
    },
    /// It was not played, and why
    Skipped(String),
    /// It could not be played to its end, and why
    Failed(String),
}

/// A mistake in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Mistake {
    /// What is wrong
    pub message: String,
    /// Where, from 1
    pub line: usize,
    /// Where, as bytes of the file
    pub span: Range<usize>,
}

/// Reads a file of scenarios.
///
/// # Errors
/// [`Mistake`]: the first one.
pub fn read(text: &str) -> Result<Vec<Scenario>, Mistake> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| ends.partition_point(|end| *end < at).saturating_add(1);
    let mistake = |(message, span): lower::Located| Mistake {
        message,
        line: line(span.start),
        span,
    };
    let file: raw::RawFile = toml::from_str(text)
        .map_err(|error| mistake((error.message().to_owned(), error.span().unwrap_or_default())))?;
    let scenarios = file.scenario.into_iter().map(|raw| lower::scenario(raw, &line));
    scenarios.collect::<Result<_, _>>().map_err(mistake)
}
