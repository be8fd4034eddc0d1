//! What was found, as a folder: policy, filter, witness, explanation, and what it takes to see it again.

use std::fs;
use std::path::{Path, PathBuf};

use callproof_formats::{MAX_BYTES, ReadOptions};
use callproof_policy::Policy;
use serde::{Deserialize, Serialize};

use super::judge::{Fuzz, Tried};
use super::setting::Setting;
use super::verdict::{Fault, Kind, Verdict};
use crate::error::Error;
use crate::options::Options;
use crate::source::read;

/// The file that tells how to see it again.
const ABOUT: &str = "finding.json";
/// The version of that file.
const VERSION: u32 = 1;

/// How often a compiler runs where it may write something else each time.
const UNSTEADY_RUNS: usize = 8;

/// A policy that a compiler gets wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of fault it is
    pub kind: Kind,
    /// The folder
    pub folder: PathBuf,
    /// The number of the policy that it began with
    pub number: u64,
    /// Rules of the policy now
    pub rules: usize,
    /// Rules of the policy that it began with
    pub rules_before: usize,
    /// The policy as it was offered
    pub policy: String,
    /// The fault in lines, with the call that shows it
    pub lines: Vec<String>,
}

/// The file of a finding.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    version: u32,
    kind: Kind,
    message: String,
    /// The call that shows it, and the values that filter and policy give it
    witness: Option<Witness>,
    seed: u64,
    number: u64,
    /// The file of the policy
    policy: String,
    /// The file of what the compiler wrote, if it wrote anything
    filter: Option<String>,
    setting: Setting,
}

#[derive(Debug, Serialize, Deserialize)]
struct Witness {
    call: String,
    filter: String,
    policy: Option<String>,
}

/// A policy before and after it was made small.
pub(crate) struct Shrunk<'s> {
    pub(crate) before: &'s Policy,
    pub(crate) after: &'s Policy,
    pub(crate) tried: &'s Tried,
    pub(crate) fault: &'s Fault,
}

impl Finding {
    /// Writes a finding into a folder of its own below `out`.
    pub(crate) fn write(out: &Path, fuzz: &Fuzz, seed: u64, number: u64, found: &Shrunk<'_>) -> Result<Self, Error> {
        let folder = free_folder(out, found.fault.kind)?;
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|error| Error::io("write", &path, &error))
        };
        let ending = fuzz.offer.extension();
        let policy = format!("policy.{ending}");
        put(&policy, found.tried.text.as_bytes())?;
        if let Ok(before) = fuzz.written(found.before) {
            put(&format!("before.{ending}"), before.as_bytes())?;
        }
        let filter = (!found.tried.output.is_empty()).then(|| filter_name(fuzz, &found.tried.output));
        if let Some(name) = &filter {
            put(name, &found.tried.output)?;
        }
        if !found.tried.complaints.is_empty() {
            put("stderr.txt", found.tried.complaints.as_bytes())?;
        }
        let finding = Self {
            kind: found.fault.kind,
            number,
            rules: found.after.rules.len(),
            rules_before: found.before.rules.len(),
            policy: found.tried.text.clone(),
            lines: found.fault.lines(),
            folder: folder.clone(),
        };
        put(
            "explanation.txt",
            finding.explanation(seed, &found.tried.complaints).as_bytes(),
        )?;
        let about = About {
            version: VERSION,
            kind: finding.kind,
            message: found.fault.message.clone(),
            witness: witness(found.fault),
            seed,
            number,
            policy,
            filter,
            setting: Setting::of(fuzz),
        };
        let text = serde_json::to_string_pretty(&about).unwrap_or_default();
        put(ABOUT, format!("{text}\n").as_bytes())?;
        Ok(finding)
    }

    /// The line that shows it again.
    #[must_use]
    pub fn replay_line(&self) -> String {
        let folder = self.folder.to_string_lossy();
        let quoted = shlex::try_quote(&folder).map_or_else(|_| folder.to_string(), |quoted| quoted.into_owned());
        format!("callproof fuzz --replay {quoted}")
    }

    fn explanation(&self, seed: u64, complaints: &str) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&format!(
            "\nThe policy, {} of {} rules of policy {} of seed {seed}:\n\n",
            self.rules, self.rules_before, self.number
        ));
        for line in self.policy.lines() {
            text.push_str(&format!("  {line}\n"));
        }
        if !complaints.is_empty() {
            text.push_str("\nThe compiler said:\n\n");
            complaints
                .lines()
                .take(20)
                .for_each(|line| text.push_str(&format!("  {line}\n")));
        }
        text.push_str(&format!("\nAgain:\n\n  {}\n", self.replay_line()));
        text
    }
}

/// A finding, looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What kind of fault it was
    pub was: Kind,
    /// The command that was run
    pub compiler: String,
    /// What came of it now
    pub tried: Tried,
}

impl Replayed {
    /// Whether the same kind of fault is still there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(&self.tried.verdict, Verdict::Wrong(fault) if fault.kind == self.was)
    }
}

/// Looks at a finding again: with the compiler that it was found in, or with another one. Limits are those of `options`;
/// everything else is as it was.
///
/// # Errors
/// When the folder is no finding, or as for [`Fuzz::policy`].
pub fn replay(folder: &Path, compiler: Option<&str>, options: &Options) -> Result<Replayed, Error> {
    let path = folder.join(ABOUT);
    let help = "name the folder of a finding, such as `callproof-fuzz/001-differs`";
    let bytes = read(&path).map_err(|error| error.help(help))?;
    let place = path.display();
    let not_one = |error: &dyn core::fmt::Display| {
        Error::input(format_args!("not a finding: {error}"))
            .at(&place)
            .help("name a folder that `callproof fuzz` wrote for a finding")
    };
    let about: About = serde_json::from_slice(&bytes).map_err(|error| not_one(&error))?;
    if about.version != VERSION {
        return Err(not_one(&format_args!(
            "its version is {}, and {VERSION} is read",
            about.version
        )));
    }
    let mut fuzz = about.setting.fuzz(options).map_err(|error| error.at(&place))?;
    if let Some(command) = compiler {
        fuzz.compiler = super::Compiler::parse(command, fuzz.compiler.deadline)?;
    }
    let policy = folder.join(&about.policy);
    let text = String::from_utf8(read(&policy)?).map_err(|_| Error::input("not UTF-8 text").at(policy.display()))?;
    Ok(Replayed {
        was: about.kind,
        compiler: fuzz.compiler.command(),
        tried: fuzz.text(text, runs(about.kind))?,
    })
}

/// How often the compiler runs for a fault to show.
pub(crate) const fn runs(kind: Kind) -> usize {
    match kind {
        Kind::Unsteady => UNSTEADY_RUNS,
        _ => 1,
    }
}

fn witness(fault: &Fault) -> Option<Witness> {
    let filter = fault.shown.first()?;
    Some(Witness {
        call: filter.call.clone(),
        filter: filter.verdict.clone(),
        policy: fault.shown.get(1).map(|shown| shown.verdict.clone()),
    })
}

/// Makes `out/001-differs`, or the first number that is free.
fn free_folder(out: &Path, kind: Kind) -> Result<PathBuf, Error> {
    fs::create_dir_all(out).map_err(|error| Error::io("make", out, &error))?;
    let names = fs::read_dir(out).map_err(|error| Error::io("read", out, &error))?;
    let numbers = names.filter_map(|entry| entry.ok()?.file_name().to_str()?.split('-').next()?.parse::<u32>().ok());
    let number = numbers.max().unwrap_or(0).saturating_add(1);
    let folder = out.join(format!("{number:03}-{kind}"));
    fs::create_dir(&folder).map_err(|error| Error::io("make", &folder, &error))?;
    Ok(folder)
}

/// What the file of a filter is called, by its format.
fn filter_name(fuzz: &Fuzz, output: &[u8]) -> String {
    let options = ReadOptions {
        format: fuzz.writes,
        ..ReadOptions::default()
    };
    let few = output.get(..output.len().min(MAX_BYTES)).unwrap_or_default();
    let format = options.read_all(few).ok().and_then(|read| Some(read.first()?.format));
    let ending = format.and_then(|format| format.extensions().first().copied());
    ending.map_or_else(|| "output".to_owned(), |ending| format!("filter.{ending}"))
}
