//! Printing: the only folder that writes to a screen or a file.

mod changes;
mod github;
mod human;
mod json;
mod junit;
mod markdown;
mod pace;
mod problem;
mod progress;
mod pull_request;
mod sarif;
pub(crate) mod strip;
mod style;
mod tap;
mod written;

use std::io::{self, Write};
use std::path::Path;

use anstream::AutoStream;

pub(crate) use pace::Pace;
pub(crate) use problem::{bug, note, print as problem};
pub(crate) use progress::Progress;

use crate::args::{Output, Style};
use crate::commands::Answer;
use crate::commands::written::Target;
use crate::error::{Failure, Result};

/// How and where an answer is printed.
#[derive(Debug)]
pub(crate) struct Printer {
    outputs: Vec<Output>,
    quiet: bool,
}

impl Printer {
    /// Prints for people unless the outputs say otherwise.
    pub(crate) fn new(mut outputs: Vec<Output>, quiet: bool) -> Result<Self> {
        let to_stdout = outputs.iter().filter(|output| output.file.is_none()).count();
        if to_stdout > 1 {
            return Err(Failure::usage("two formats cannot share standard output")
                .with_help("send all but one of them to a file: `--format json=FILE`"));
        }
        if to_stdout == 0 {
            outputs.push(Output {
                style: Style::Human,
                file: None,
            });
        }
        Ok(Self { outputs, quiet })
    }

    /// Whether errors are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        self.outputs
            .iter()
            .any(|output| output.style == Style::Json && output.file.is_none())
    }

    /// Prints an answer in every way that was asked for.
    pub(crate) fn print(&self, answer: &Answer) -> Result<()> {
        self.refuse_unsuitable(answer)?;
        match answer {
            Answer::Written(made) => written::to_files(made)?,
            Answer::Diff(diff) => written::mismatches(&diff.mismatches)?,
            Answer::Tests(tests) => written::coverage(tests)?,
            Answer::Guests(guests) => written::guests(guests)?,
            _ => {}
        }
        for output in &self.outputs {
            match &output.file {
                Some(file) => print_to_file(file, answer, output.style)?,
                None => self.print_to_stdout(answer, output.style)?,
            }
        }
        Ok(())
    }

    fn print_to_stdout(&self, answer: &Answer, style: Style) -> Result<()> {
        match (answer, style) {
            (Answer::Written(made), Style::Human) if made.target == Target::Stdout => return written::to_stdout(made),
            (_, Style::Human) if self.quiet => return Ok(()),
            _ => {}
        }
        let mut out = stdout();
        let printed = out.write_all(text(answer, style).as_bytes()).and_then(|()| out.flush());
        printed.map_err(|error| Failure::write(&error))
    }

    /// A format for findings needs a command that finds something.
    fn refuse_unsuitable(&self, answer: &Answer) -> Result<()> {
        let plain = |style| matches!(style, Style::Human | Style::Json);
        if answer.report().is_some() || self.outputs.iter().all(|output| plain(output.style)) {
            return Ok(());
        }
        let command = answer.command();
        Err(Failure::usage(format_args!(
            "`{command}` has no list of findings to print in this format"
        ))
        .with_help("use `--format human` or `--format json`"))
    }
}

/// Standard output, which loses colours where they are not wanted.
pub(crate) fn stdout() -> impl Write {
    io::BufWriter::new(AutoStream::auto(io::stdout().lock()))
}

/// Sets when to use colours, for everything that is printed.
pub(crate) fn set_color(choice: anstream::ColorChoice) {
    choice.write_global();
}

fn print_to_file(file: &Path, answer: &Answer, style: Style) -> Result<()> {
    let text = anstream::adapter::strip_str(&text(answer, style)).to_string();
    std::fs::write(file, text).map_err(|error| Failure::io("write", file, &error))
}

fn text(answer: &Answer, style: Style) -> String {
    let report = || answer.report().unwrap_or_default();
    if let (Answer::Guests(guests), Style::Markdown) = (answer, style) {
        return markdown::guests(guests);
    }
    match style {
        Style::Human => human::text(answer),
        Style::Json => json::text(answer),
        Style::Junit => junit::render(&report()),
        Style::Sarif => sarif::render(&report()),
        Style::Github => github::render(&report()),
        Style::Tap => tap::render(&report()),
        Style::Markdown => match answer {
            Answer::Differences(differences) => pull_request::render(differences),
            _ => markdown::render(&report()),
        },
    }
}

/// A report with one case of each kind and awkward characters.
#[cfg(test)]
fn sample() -> crate::report::Report {
    use crate::report::{Case, Finding, Level, Report};
    let finding = |rule, message: &str, file: Option<&str>, line| Finding {
        level: Level::Error,
        rule,
        message: message.to_owned(),
        file: file.map(str::to_owned),
        line,
    };
    Report {
        suite: "check",
        cases: vec![
            Case::new("good.bpf", Vec::new()),
            Case::new(
                "bad.bpf",
                vec![
                    finding("load-offset", "a <bad> \"load\", 100%", Some("a b/bad.bpf"), Some(7)),
                    finding("no-final-return", "two\nlines", None, None),
                ],
            ),
            Case::skipped("live", "no | kernel"),
        ],
    }
}
