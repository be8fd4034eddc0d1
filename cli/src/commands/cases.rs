//! `test`: case files.

use std::path::PathBuf;

use callproof::cases::{
    CaseResult, Coverage, Mutants, Outcome, Report as OfFile, Survivor, coverage, mutants, run_file,
};
use serde::Serialize;

use crate::args::Test;
use crate::error::Result;
use crate::exit::Exit;
use crate::render::Progress;
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// What came of case files.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tests {
    pub(crate) files: Vec<OfFile>,
    /// What changed filters came to, a file each; null when nobody asked
    pub(crate) mutants: Option<Vec<Mutants>>,
    /// What of the filters the cases exercise, a file each; null when nobody asked
    pub(crate) coverage: Option<Vec<Coverage>>,
    /// A file to write that to
    #[serde(skip)]
    pub(crate) coverage_out: Option<PathBuf>,
    /// The least that must be exercised, in percent
    #[serde(skip)]
    pub(crate) min_coverage: Option<u8>,
}

pub(crate) fn run(test: &Test, settings: &Settings, progress: &mut Progress) -> Result<Tests> {
    let options = callproof::Options {
        filters: test.filter.clone(),
        bless: test.bless,
        limits: test.effort.limits(),
        ..settings.options()
    };
    let mut done = 0;
    let mut files: Vec<OfFile> = Vec::new();
    for path in &test.files {
        files.push(run_file(path, &options)?);
        done = tick(done, progress);
    }
    let mut tests = Tests {
        files,
        mutants: test.mutants.then(Vec::new),
        coverage: test.coverage.then(Vec::new),
        coverage_out: test.coverage_out.clone(),
        min_coverage: test.min_coverage,
    };
    for (path, file) in test.files.iter().zip(&tests.files) {
        if let Some(all) = &mut tests.mutants {
            all.push(mutants(path, &options, file)?);
            done = tick(done, progress);
        }
        if let Some(all) = &mut tests.coverage {
            all.push(coverage(path, &options)?);
            done = tick(done, progress);
        }
    }
    Ok(tests)
}

fn tick(done: u64, progress: &mut Progress) -> u64 {
    let done = done.saturating_add(1);
    progress.set(done);
    done
}

impl Tests {
    /// How many cases ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.files.iter().map(|file| file.count(outcome)).sum()
    }

    /// One case that fails decides; then one that is undecided; skipped cases alone are no success.
    pub(crate) fn exit(&self) -> Exit {
        let any = |outcome| self.count(outcome) > 0;
        if any(Outcome::Failed)
            || any(Outcome::UnexpectedPass)
            || self.survivors().next().is_some()
            || self.too_little().is_some()
        {
            Exit::Finding
        } else if any(Outcome::Undecided) || self.coverage.iter().flatten().any(|coverage| !coverage.is_whole()) {
            Exit::Undecided
        } else if any(Outcome::Passed) || any(Outcome::ExpectedFailure) {
            Exit::Success
        } else {
            Exit::Usage
        }
    }

    /// The least part that a file exercises, in percent, if that is not enough.
    pub(crate) fn too_little(&self) -> Option<f64> {
        let whole = self.coverage.iter().flatten().filter(|coverage| coverage.is_whole());
        let least = whole.map(Coverage::percent).reduce(f64::min)?;
        self.min_coverage
            .filter(|wanted| least < f64::from(*wanted))
            .map(|_| least)
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
            cases: cases
                .chain(self.survivors().map(survivor))
                .chain(self.uncovered())
                .collect(),
        }
    }
}

impl Tests {
    /// A case of its own for the coverage that was asked for.
    fn uncovered(&self) -> Option<Case> {
        let wanted = self.min_coverage?;
        let finding = self.too_little().map(|least| Finding {
            level: Level::Error,
            rule: "coverage",
            message: format!("the cases exercise {least:.1}% of what calls can reach, and {wanted}% are wanted"),
            file: None,
            line: None,
        });
        Some(Case::new(
            format!("coverage of at least {wanted}%"),
            finding.into_iter().collect(),
        ))
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
