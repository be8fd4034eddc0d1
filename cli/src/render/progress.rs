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
    last: Instant,
    quiet: bool,
}

impl Progress {
    /// Nothing was done of `total` things called `what`, or of as many as time permits.
    pub(crate) fn new(what: &'static str, total: Option<u64>, quiet: bool) -> Self {
        let drawn = !quiet && io::stderr().is_terminal();
        Self {
            what,
            total,
            bar: drawn.then(|| bar(what, total)),
            last: Instant::now(),
            quiet,
        }
    }

    /// This many things are done.
    pub(crate) fn set(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if !self.quiet && self.last.elapsed() >= PAUSE {
            self.last = Instant::now();
            let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
            // Progress that nobody can read is no error.
            let _ = writeln!(io::stderr(), "{done}{total} {} done", self.what);
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
