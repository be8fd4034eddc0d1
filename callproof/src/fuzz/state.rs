//! How far a campaign is, as a file: a campaign that was interrupted goes on where it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::setting::Setting;
use super::verdict::{Kind, Verdict};
use crate::error::Error;
use crate::source::read;

const FILE: &str = "state.json";
const VERSION: u32 = 1;

/// How many policies came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Filters that are proved to be their policies
    pub proved: u64,
    /// Neither proved nor shown to be wrong
    pub undecided: u64,
    /// Policies that the compiler refused
    pub declined: u64,
    /// Policies that cannot be written in the format that is offered
    pub unoffered: u64,
    /// Policies that the compiler gets wrong
    pub wrong: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        let count = match verdict {
            Verdict::Proved => &mut self.proved,
            Verdict::Undecided(_) => &mut self.undecided,
            Verdict::Declined => &mut self.declined,
            Verdict::Unoffered(_) => &mut self.unoffered,
            Verdict::Wrong(_) => &mut self.wrong,
        };
        *count = count.saturating_add(1);
    }

    /// All policies that were tried.
    #[must_use]
    pub fn all(&self) -> u64 {
        [self.proved, self.undecided, self.declined, self.unoffered, self.wrong]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// What is known of a finding: enough to tell whether another one is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) policy: String,
    pub(crate) folder: PathBuf,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    pub(crate) setting: Setting,
    pub(crate) seed: u64,
    /// All policies with smaller numbers are done
    pub(crate) next: u64,
    /// Others that are done
    pub(crate) ahead: BTreeSet<u64>,
    pub(crate) totals: Totals,
    pub(crate) findings: Vec<Known>,
}

impl State {
    fn new(setting: Setting, seed: u64) -> Self {
        Self {
            version: VERSION,
            setting,
            seed,
            next: 0,
            ahead: BTreeSet::new(),
            totals: Totals::default(),
            findings: Vec::new(),
        }
    }

    /// Whether nothing was tried yet.
    fn is_empty(&self) -> bool {
        self.totals.all() == 0 && self.findings.is_empty()
    }

    /// The state of a folder, or that of a campaign that begins; a seed that is not given is `fresh` then.
    pub(crate) fn open(out: &Path, setting: Setting, seed: Option<u64>, fresh: u64) -> Result<Self, Error> {
        let path = out.join(FILE);
        if !path.exists() {
            return Ok(Self::new(setting, seed.unwrap_or(fresh)));
        }
        let bytes = read(&path)?;
        let refused = |what: &dyn core::fmt::Display| {
            Error::input(what)
                .at(path.display())
                .help("name another folder with `--out`, or remove this one to begin anew")
        };
        let state: Self = serde_json::from_slice(&bytes)
            .map_err(|error| refused(&format_args!("not the state of a campaign: {error}")))?;
        if state.version != VERSION {
            return Err(refused(&format_args!(
                "the state has version {}, and {VERSION} is read",
                state.version
            )));
        }
        if state.is_empty() {
            // Of a compiler that could not be run, for example: nobody needs another folder for that.
            return Ok(Self::new(setting, seed.unwrap_or(fresh)));
        }
        if let Some((name, there, here)) = state.setting.difference(&setting) {
            return Err(refused(&format_args!(
                "this folder belongs to another campaign: its {name} is `{there}`, and here it is `{here}`"
            )));
        }
        match seed {
            Some(seed) if seed != state.seed => Err(refused(&format_args!(
                "this folder belongs to another campaign: its seed is {}, and here it is {seed}",
                state.seed
            ))),
            _ => Ok(state),
        }
    }

    /// Writes the file, all of it or nothing.
    pub(crate) fn save(&self, out: &Path) -> Result<(), Error> {
        fs::create_dir_all(out).map_err(|error| Error::io("make", out, &error))?;
        let (path, fresh) = (out.join(FILE), out.join("state.json.new"));
        let text = serde_json::to_string(self).unwrap_or_default();
        fs::write(&fresh, text).map_err(|error| Error::io("write", &fresh, &error))?;
        fs::rename(&fresh, &path).map_err(|error| Error::io("write", &path, &error))
    }

    /// Whether a policy is done.
    pub(crate) fn has(&self, number: u64) -> bool {
        number < self.next || self.ahead.contains(&number)
    }

    /// A policy is done.
    pub(crate) fn done(&mut self, number: u64, verdict: &Verdict) {
        self.totals.add(verdict);
        self.ahead.insert(number);
        while self.ahead.remove(&self.next) {
            self.next = self.next.saturating_add(1);
        }
    }
}
