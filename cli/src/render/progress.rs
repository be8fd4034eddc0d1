//! Progress on standard error: a bar on a terminal, a line now and then elsewhere, nothing when quiet.

use core::time::Duration;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is printed where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

/// How far something is.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    total: Option<u64>,
    /// Drawn on a terminal only
    bar: Option<ProgressBar>,
    lines: Lines,
    quiet: bool,
}

/// When lines are due.
#[derive(Debug)]
struct Lines {
    last: Instant,
}

impl Lines {
    /// Whether a line is due, which is then taken as printed.
    fn due(&mut self, now: Instant) -> bool {
        let due = now.duration_since(self.last) >= PAUSE;
        if due {
            self.last = now;
        }
        due
    }
}

impl Progress {
    /// Nothing was done of `total` things called `what`, or of as many as time permits.
    pub(crate) fn new(what: &'static str, total: Option<u64>, quiet: bool) -> Self {
        let drawn = !quiet && io::stderr().is_terminal();
        Self {
            what,
            total,
            bar: drawn.then(|| bar(what, total)),
            lines: Lines { last: Instant::now() },
            quiet,
        }
    }

    /// This many things are done.
    pub(crate) fn set(&mut self, done: u64) {
        self.tell(done, || " done".to_owned());
    }

    /// The same, and what else there is to say of it on a line of its own.
    pub(crate) fn tell(&mut self, done: u64, words: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if !self.quiet && self.lines.due(Instant::now()) {
            let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            // Progress that nobody can read is no error.
            let _ = writeln!(io::stderr(), "{done}{total} {}{}", self.what, words());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    let template = match total {
        Some(_) => format!("{{wide_bar}} {{pos}} of {{len}} {what}, {{per_sec}}, {{eta}} left"),
        None => format!("{{spinner}} {{pos}} {what}, {{per_sec}}, {{elapsed}}"),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_ten_seconds_apart() {
        let begun = Instant::now();
        let mut lines = Lines { last: begun };
        let mut due = |milliseconds| lines.due(begun + Duration::from_millis(milliseconds));
        let times = [0, 9_999, 10_000, 10_001, 19_999, 25_000, 34_999, 35_000];
        let wanted = [false, false, true, false, false, true, false, true];
        assert_eq!(times.map(&mut due), wanted);
    }
}
