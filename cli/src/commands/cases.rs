//! `test`: case files.

use std::path::PathBuf;

use callproof::cases::{CaseResult, Mutants, Outcome, Report as OfFile, Survivor, mutants, run_file};
use serde::Serialize;

use crate::args::Test;
use crate::error::Result;
use crate::exit::Exit;
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// What came of case files.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tests {
    pub(crate) files: Vec<OfFile>,
    /// What changed filters came to, a file each; null when nobody asked
    pub(crate) mutants: Option<Vec<Mutants>>,
}

pub(crate) fn run(test: &Test, settings: &Settings) -> Result<Tests> {
    let options = callproof::Options {
        filters: test.filter.clone(),
        bless: test.bless,
        limits: test.effort.limits(),
        ..settings.options()
    };
    let files = test.files.iter().map(|path| run_file(path, &options));
    let files: Vec<OfFile> = files.collect::<core::result::Result<_, _>>()?;
    let changed = |(path, file): (&PathBuf, &OfFile)| mutants(path, &options, file);
    let mutants = test
        .mutants
        .then(|| {
            test.files
                .iter()
                .zip(&files)
                .map(changed)
                .collect::<core::result::Result<_, _>>()
        })
        .transpose()?;
    Ok(Tests { files, mutants })
}

impl Tests {
    /// How many cases ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.files.iter().map(|file| file.count(outcome)).sum()
    }

    /// One case that fails decides; then one that is undecided; skipped cases alone are no success.
    pub(crate) fn exit(&self) -> Exit {
        let any = |outcome| self.count(outcome) > 0;
        if any(Outcome::Failed) || any(Outcome::UnexpectedPass) || self.survivors().next().is_some() {
            Exit::Finding
        } else if any(Outcome::Undecided) {
            Exit::Undecided
        } else if any(Outcome::Passed) || any(Outcome::ExpectedFailure) {
            Exit::Success
        } else {
            Exit::Usage
        }
    }

    /// Changes that no case notices, with the case files.
    pub(crate) fn survivors(&self) -> impl Iterator<Item = (&str, &Survivor)> {
        let files = self.mutants.iter().flatten();
        files.flat_map(|file| file.survivors.iter().map(move |one| (file.file.as_str(), one)))
    }

    pub(crate) fn report(&self) -> Report {
        let cases = self.files.iter().flat_map(|file| {
            let of_file = move |case| cases(&file.file, case);
            file.cases.iter().flat_map(of_file)
        });
        Report {
            suite: "test",
            cases: cases.chain(self.survivors().map(survivor)).collect(),
        }
    }
}

fn survivor((file, one): (&str, &Survivor)) -> Case {
    let finding = Finding {
        level: Level::Error,
        rule: "mutant",
        message: format!(
            "no case notices `{}` in place of `{}`: see {}",
            one.became, one.was, one.call
        ),
        file: Some(file.to_owned()),
        line: None,
    };
    Case::new(
        format!("{file}: instruction {} of {}", one.pc, one.filter),
        vec![finding],
    )
}

/// A case, and one more for each ABI that does not have what it names.
fn cases(file: &str, result: &CaseResult) -> Vec<Case> {
    let name = format!("{file}:{}: {}", result.line, result.case);
    let details = || result.details().join("\n");
    let mut cases = vec![match result.outcome {
        Outcome::Passed | Outcome::ExpectedFailure => Case::new(name.clone(), Vec::new()),
        Outcome::Skipped => Case::skipped(name.clone(), result.reason.clone()),
        Outcome::Undecided => Case::skipped(name.clone(), format!("undecided: {}", result.reason)),
        Outcome::Failed | Outcome::UnexpectedPass => Case::new(
            name.clone(),
            vec![Finding {
                level: Level::Error,
                rule: "case",
                message: details(),
                file: Some(file.to_owned()),
                line: (result.line > 0).then_some(result.line),
            }],
        ),
    }];
    if result.outcome != Outcome::Skipped {
        let absent = result.skipped.iter().map(|skip| {
            let name = format!("{name} [{} on {}]", skip.call, skip.abi);
            Case::skipped(name, "the ABI has no such call")
        });
        cases.extend(absent);
    }
    cases
}
