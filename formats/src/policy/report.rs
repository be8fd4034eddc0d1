//! What a reader has to say: problems and notes, neither without bound.

use callproof_policy::{Problem, Span};

use super::{Note, TOLD};

/// How many notes of one text are kept.
const NOTES: usize = 1000;

/// Problems and notes, gathered while reading.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

impl Report {
    /// Tells a problem; those beyond the fiftieth are dropped.
    pub(super) fn problem(&mut self, message: impl Into<String>, span: Span) {
        self.push(Problem::new(message, span));
    }

    /// Tells a problem with its advice.
    pub(super) fn push(&mut self, problem: Problem) {
        if self.open() {
            self.problems.push(problem);
        }
    }

    /// Whether another problem would be told, so that searching for a better name is worth its time.
    pub(super) const fn open(&self) -> bool {
        self.problems.len() < TOLD
    }

    /// Whether a problem was told.
    pub(super) const fn failed(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(super) fn note(&mut self, message: impl Into<String>, span: Span) {
        self.push_note(Note::new(message, span));
    }

    /// A note about a place of which tools make different filters.
    pub(super) fn note_by_runtime(&mut self, message: impl Into<String>, span: Span) {
        self.push_note(Note::by_runtime(message, span));
    }

    /// A note about a name that no call has.
    pub(super) fn note_unknown_name(&mut self, message: impl Into<String>, span: Span) {
        self.push_note(Note::unknown_name(message, span));
    }

    fn push_note(&mut self, note: Note) {
        if self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    /// Says that there is no such `name` at a place (` on x86_64`), with the nearest of what there is.
    pub(super) fn unknown<'c>(
        &mut self,
        what: &str,
        name: &str,
        place: &str,
        span: Span,
        known: impl Iterator<Item = &'c str> + Clone,
    ) {
        if !self.open() {
            return;
        }
        let shown = crate::text::shown(name);
        let message = match crate::text::nearest(name, known.clone()) {
            Some(near) => format!("unknown {what} `{shown}`{place}; did you mean `{near}`?"),
            None => format!("unknown {what} `{shown}`{place}"),
        };
        let problem = Problem::new(message, span);
        let known: Vec<&str> = known.take(20).collect();
        self.push(if known.len() < 20 {
            problem.help(format!("known are {}", known.join(", ")))
        } else {
            problem
        });
    }

    /// The value with the notes, or the problems.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<Note>), Vec<Problem>> {
        match value {
            Some(value) if self.problems.is_empty() => Ok((value, self.notes)),
            _ => Err(self.problems),
        }
    }
}
