//! `kernel scenarios`: little stories about threads, tracers and supervisors, on the task model and on the kernel.

use std::fs;
use std::path::Path;

use callproof_kernel_diff::scenario::{self, Played, Runner, Running, SHIPPED, Scenario};
use serde::{Deserialize, Serialize};

use crate::args::Scenarios as Args;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::report::{Case, Finding, Report};

/// Larger files are no stories.
const MAX_FILE: u64 = 4 << 20;

/// What became of the scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scenarios {
    /// The release of the kernel; none when the scenarios are only listed
    pub(crate) kernel: Option<String>,
    pub(crate) scenarios: Vec<Told>,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) name: String,
    /// How it went; none when it is only listed
    pub(crate) outcome: Option<Outcome>,
}

/// How a scenario went on both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) model: Seen,
    pub(crate) kernel: Seen,
    /// With `--any-release`: both saw the same, which is not what the scenario says
    pub(crate) alike: bool,
}

/// How a scenario went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "result")]
pub(crate) enum Seen {
    Agreed,
    Differed {
        line: usize,
        expected: String,
        seen: String,
    },
    Skipped {
        why: String,
    },
    Failed {
        why: String,
    },
}

impl Outcome {
    /// Whether one saw something that the other did not. When both see the same, it is the scenario that is wrong.
    fn disagree(&self) -> bool {
        let differed = |seen: &Seen| matches!(seen, Seen::Differed { .. });
        let skipped = |seen: &Seen| matches!(seen, Seen::Skipped { .. });
        (differed(&self.model) || differed(&self.kernel))
            && self.model != self.kernel
            && !skipped(&self.model)
            && !skipped(&self.kernel)
    }
}

impl From<Played> for Seen {
    fn from(played: Played) -> Self {
        match played {
            Played::Agreed => Self::Agreed,
            Played::Differed { line, expected, seen } => Self::Differed { line, expected, seen },
            Played::Skipped(why) => Self::Skipped { why },
            Played::Failed(why) => Self::Failed { why },
        }
    }
}

/// Plays the scenarios of files, or those that callproof brings along.
pub(crate) fn run(args: &Args) -> Result<Scenarios> {
    let mut wanted = Vec::new();
    for (file, text) in texts(&args.files)? {
        let scenarios = scenario::read(&text).map_err(|mistake| {
            Failure::usage(&mistake.message)
                .at(format_args!("{file}:{}", mistake.line))
                .with_help("docs/SCENARIOS.md has the language of scenarios")
        })?;
        wanted.extend(scenarios.into_iter().map(|scenario| (file.clone(), scenario)));
    }
    if wanted.is_empty() {
        return Err(
            Failure::usage("the files hold no scenario").with_help("docs/SCENARIOS.md has the language of scenarios")
        );
    }
    if let Some(part) = &args.filter {
        wanted.retain(|(_, scenario)| scenario.name.contains(part.as_str()));
    }
    if wanted.is_empty() {
        return Err(Failure::usage("there is no such scenario").with_help("`--list` without `--filter` has the names"));
    }
    if args.list {
        let scenarios = wanted
            .iter()
            .map(|(file, scenario)| told(file, scenario, None))
            .collect();
        return Ok(Scenarios {
            kernel: None,
            scenarios,
        });
    }
    play(&wanted, args.any_release)
}

fn texts(files: &[String]) -> Result<Vec<(String, String)>> {
    if files.is_empty() {
        let shipped = SHIPPED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        return Ok(shipped.collect());
    }
    let read = |name: &String| {
        let path = Path::new(name);
        let unreadable = |error: &std::io::Error| Failure::io("read", path, error);
        let size = fs::metadata(path).map_err(|error| unreadable(&error))?.len();
        if size > MAX_FILE {
            return Err(Failure::usage(format_args!(
                "`{name}` has more than 4 MiB: it is no file of scenarios"
            )));
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        Ok((name.clone(), text))
    };
    files.iter().map(read).collect()
}

fn play(wanted: &[(String, Scenario)], any_release: bool) -> Result<Scenarios> {
    let mut running = Running::new()
        .map_err(|missing| Failure::environment(format_args!("no scenario can be played on this kernel: {missing}")))?;
    if any_release {
        running = running.for_any_release();
    }
    let mut model = running.model();
    let both = |(file, scenario): &(String, Scenario)| {
        let (model, kernel) = (Seen::from(model.play(scenario)), Seen::from(running.play(scenario)));
        let alike = any_release && model == kernel && matches!(kernel, Seen::Differed { .. });
        let outcome = Outcome { model, kernel, alike };
        told(file, scenario, Some(outcome))
    };
    let scenarios = wanted.iter().map(both).collect();
    Ok(Scenarios {
        kernel: Some(running.kernel().to_string()),
        scenarios,
    })
}

fn told(file: &str, scenario: &Scenario, outcome: Option<Outcome>) -> Told {
    Told {
        file: file.to_owned(),
        line: scenario.line,
        name: scenario.name.clone(),
        outcome,
    }
}

impl Told {
    /// What went wrong, and the line where it did.
    pub(crate) fn findings(&self) -> Vec<(&'static str, usize, String)> {
        let Some(outcome) = self.outcome.as_ref().filter(|outcome| !outcome.alike) else {
            return Vec::new();
        };
        let about = [("kernel", &outcome.kernel), ("model", &outcome.model)];
        let wrong = about.into_iter().filter_map(|(who, seen)| match seen {
            Seen::Differed { line, expected, seen } => Some((
                who,
                *line,
                format!("the {who} shows `{seen}`, the scenario says `{expected}`"),
            )),
            Seen::Failed { why } => Some((who, self.line, format!("the {who} could not be asked: {why}"))),
            Seen::Agreed | Seen::Skipped { .. } => None,
        });
        wrong.collect()
    }

    /// Why it was not played on the kernel.
    pub(crate) fn skipped(&self) -> Option<&str> {
        match &self.outcome.as_ref()?.kernel {
            Seen::Skipped { why } => Some(why),
            _ => None,
        }
    }

    fn case(&self) -> Case {
        let finding = |(who, line, message)| Finding {
            level: crate::report::Level::Error,
            rule: who,
            message,
            file: Some(self.file.clone()),
            line: Some(line),
        };
        let findings: Vec<Finding> = self.findings().into_iter().map(finding).collect();
        match self.skipped() {
            Some(why) if findings.is_empty() => Case::skipped(self.name.clone(), why),
            _ => Case::new(self.name.clone(), findings),
        }
    }
}

impl Scenarios {
    pub(crate) fn exit(&self) -> Exit {
        let outcomes = || self.scenarios.iter().filter_map(|told| told.outcome.as_ref());
        let failed = |seen: &Seen| matches!(seen, Seen::Failed { .. });
        let all_skipped = self.scenarios.iter().all(|told| told.skipped().is_some());
        if outcomes().any(Outcome::disagree) {
            Exit::Disagreement
        } else if outcomes().any(|outcome| failed(&outcome.model) || failed(&outcome.kernel)) || all_skipped {
            Exit::Environment
        } else if self.scenarios.iter().any(|told| !told.findings().is_empty()) {
            Exit::Finding
        } else {
            Exit::Success
        }
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            suite: "kernel scenarios",
            cases: self.scenarios.iter().map(Told::case).collect(),
        }
    }
}
