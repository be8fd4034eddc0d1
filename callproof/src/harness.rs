//! One test for each case of case files: what stands behind [`cases!`](crate::cases!).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use callproof_formats::cases::read_cases;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases::{CaseResult, Outcome, Report, run_file, run_line};
use crate::error::Error;
use crate::filter::complaint;
use crate::options::Options;
use crate::source::read;

/// Runs the cases of the files that the patterns mean, below a folder.
#[must_use]
pub fn main(folder: &str, patterns: &[&str]) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for pattern in patterns {
        match files(Path::new(folder), pattern) {
            Ok(files) => trials.extend(files.iter().flat_map(|path| of_file(path, arguments.exact))),
            Err(error) => trials.push(failing(pattern, &error)),
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The tests of a file. All of them share one run of it, which the first that is wanted starts; when a runner wants
/// `one` in a process of its own, nothing but its case is run.
fn of_file(path: &Path, one: bool) -> Vec<Trial> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shared = Arc::new(Shared {
        path: path.to_owned(),
        report: OnceLock::new(),
    });
    let titles = match titles(path) {
        Ok(titles) => titles,
        Err(error) => return vec![failing(&name, &error)],
    };
    let trial = |(index, (line, title)): (usize, (Option<usize>, String))| {
        let shared = Arc::clone(&shared);
        let alone = line.filter(|_| one);
        Trial::ignorable_test(format!("{name}:{title}"), move || match alone {
            Some(line) => shared.alone(line),
            None => shared.outcome(index),
        })
    };
    titles.into_iter().enumerate().map(trial).collect()
}

/// What the cases of a file are called, in the order of its report, with the lines that they stand on.
fn titles(path: &Path) -> Result<Vec<(Option<usize>, String)>, Error> {
    let bytes = read(path)?;
    let name = path.display().to_string();
    let file = read_cases(&name, &bytes).map_err(|problems| Error::problems(&name, &bytes, &problems))?;
    let budget = &file.header.budget;
    let mut titles = Vec::new();
    titles.extend(budget.worst.map(|_| (None, "head worst cost".to_owned())));
    titles.extend(budget.mean.map(|_| (None, "head mean cost".to_owned())));
    titles.extend(file.cases.iter().map(|case| {
        let words: Vec<&str> = case.text.split_whitespace().collect();
        (Some(case.line), format!("{} {}", case.line, words.join(" ")))
    }));
    if titles.is_empty() {
        return Err(Error::input("the file has no cases")
            .at(name)
            .help("write one case a line"));
    }
    Ok(titles)
}

struct Shared {
    path: PathBuf,
    report: OnceLock<Result<Report, Error>>,
}

impl Shared {
    fn alone(&self, line: usize) -> Result<libtest_mimic::Completion, Failed> {
        let report =
            run_line(&self.path, line, &Options::default()).map_err(|error| Failed::from(error.to_string()))?;
        let result = report
            .cases
            .first()
            .ok_or_else(|| Failed::from("the case was not run"))?;
        completed(result, &report)
    }

    fn outcome(&self, index: usize) -> Result<libtest_mimic::Completion, Failed> {
        let report = self.report.get_or_init(|| run_file(&self.path, &Options::default()));
        let report = report.as_ref().map_err(|error| Failed::from(error.to_string()))?;
        let result = report
            .cases
            .get(index)
            .ok_or_else(|| Failed::from("the case was not run"))?;
        completed(result, report)
    }
}

fn completed(result: &CaseResult, report: &Report) -> Result<libtest_mimic::Completion, Failed> {
    match result.outcome {
        Outcome::Passed | Outcome::ExpectedFailure => Ok(libtest_mimic::Completion::Completed),
        Outcome::Skipped => Ok(libtest_mimic::Completion::ignored_with(result.reason.clone())),
        Outcome::Failed | Outcome::UnexpectedPass | Outcome::Undecided => {
            Err(complaint(result, &report.filters).into())
        }
    }
}

fn failing(name: &str, error: &Error) -> Trial {
    let text = error.to_string();
    Trial::test(name.to_owned(), move || Err(Failed::from(text)))
}

/// The files that a pattern means, in the order of the alphabet.
fn files(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let whole = folder.join(pattern);
    let (parent, last) = (whole.parent().unwrap_or(folder), whole.file_name().unwrap_or_default());
    let last = last.to_string_lossy();
    if !last.contains('*') {
        return Ok(vec![whole.clone()]);
    }
    let listed = std::fs::read_dir(parent).map_err(|error| Error::io("read", parent, &error))?;
    let mut found = BTreeMap::new();
    for entry in listed.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if fits(&last, &name) {
            found.insert(name, entry.path());
        }
    }
    if found.is_empty() {
        let help = "patterns count from the folder of the package";
        return Err(Error::input(format_args!("no file is called `{pattern}`")).help(help));
    }
    Ok(found.into_values().collect())
}

/// Whether a name fits a pattern in which `*` stands for any letters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(first) else {
        return false;
    };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.into_iter()
        .any(|at| name.get(at..).is_some_and(|name| fits(rest, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_files() {
        assert!(fits("*.calls", "a.calls") && fits("a*b*", "axbx") && !fits("*.calls", "a.call"));
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        assert_eq!(files(&examples, "web-*.calls").unwrap().len(), 1);
        assert!(files(&examples, "*.nothing").is_err());
        assert_eq!(files(&examples, "not-there.calls").unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_failing_test() {
        assert_eq!(of_file(Path::new("/does/not/exist.calls"), false).len(), 1);
    }
}
