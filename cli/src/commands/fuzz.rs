//! `fuzz`: random policies through an external compiler.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use callproof::fuzz::{Compiler, Effort, Finding, Kind, Plan, Replayed, Report, Totals, Verdict, campaign, replay};
use callproof_abi::Abi;
use callproof_formats::Format;
use callproof_formats::policy::PolicyFormat;
use callproof_testgen::Seed;
use callproof_testgen::policy::{PolicyShape, policy};
use callproof_vm::Endian;
use serde::Serialize;

use super::diff::clock;
use crate::args;
use crate::error::Result;
use crate::exit::Exit;
use crate::render::{Pace, Progress};
use crate::report::{self, Case, Level};
use crate::settings::Settings;

/// What came of a campaign, or of a finding that was looked at again.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Fuzzed {
    Campaign(Box<Campaign>),
    Again(Again),
}

/// A campaign.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Campaign {
    pub(crate) compiler: String,
    pub(crate) offer: &'static str,
    pub(crate) seed: u64,
    /// Policies that were tried now
    pub(crate) now: Totals,
    /// Over all runs of the campaign
    pub(crate) all: Totals,
    pub(crate) findings: Vec<Told>,
    /// Policies whose fault was found before
    pub(crate) repeats: u64,
    /// Folders of findings of earlier runs
    pub(crate) earlier: Vec<PathBuf>,
    /// The first reason of each kind for which nothing was said
    pub(crate) undecided: Option<String>,
    pub(crate) unoffered: Option<String>,
    pub(crate) declined: Option<String>,
    pub(crate) out: PathBuf,
    pub(crate) seconds: f64,
}

/// A finding, with the line that shows it again.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) finding: Finding,
    pub(crate) replay: String,
}

/// A finding, looked at again.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Again {
    pub(crate) compiler: String,
    pub(crate) folder: PathBuf,
    /// What it was
    pub(crate) was: Kind,
    /// What it is now: `proved`, `undecided`, `declined`, `unoffered`, or a kind of fault
    pub(crate) is: &'static str,
    pub(crate) policy: String,
    pub(crate) lines: Vec<String>,
    /// The first part of what the compiler said
    pub(crate) stderr: String,
}

/// Runs a campaign, or a finding again.
pub(crate) fn run(
    fuzz: &args::Fuzz,
    writes: Option<Format>,
    settings: &Settings,
    progress: &Mutex<Progress>,
) -> Result<Fuzzed> {
    let options = callproof::Options {
        abis: settings.abis(),
        limits: fuzz.effort.limits(),
        ..settings.options()
    };
    if let Some(folder) = &fuzz.replay {
        let replayed = replay(folder, fuzz.compiler.as_deref(), &options)?;
        return Ok(Fuzzed::Again(Again::new(folder.clone(), replayed)));
    }
    let command = fuzz.compiler.as_deref().unwrap_or_default();
    let judged = callproof::fuzz::Fuzz {
        compiler: Compiler::parse(command, fuzz.deadline)?,
        offer: fuzz.offer,
        writes,
        options,
        only_arch: fuzz.only_arch,
        strict: fuzz.strict,
    };
    let plan = Plan {
        seed: fuzz.seed,
        fresh_seed: clock(),
        cases: fuzz.total(),
        time: fuzz.time.map(Duration::from_secs),
        jobs: jobs(fuzz.jobs),
        most_findings: (!fuzz.keep_going).then_some(fuzz.max_findings.into()),
        effort: Effort::default(),
        out: fuzz.out.clone(),
    };
    let shape = shape(fuzz.offer, &judged.options.abis);
    let begun = Instant::now();
    let watch = |report: &Report| {
        let pace = Pace {
            tried: report.now.all(),
            proved: report.now.proved,
            findings: report.findings.len(),
            elapsed: begun.elapsed(),
            cases: plan.cases,
            time: plan.time,
        };
        if let Ok(mut progress) = progress.lock() {
            progress.tell(pace.tried, || format!(", {}", pace.words()));
        }
    };
    let policy = |seed, number| policy(&mut Seed::new(seed, number), &shape);
    let report = campaign(&judged, &plan, &policy, &watch)?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Fuzzed::Campaign(Box::new(Campaign::new(
        &judged, plan.out, report, seconds,
    ))))
}

fn jobs(asked: Option<u16>) -> NonZeroUsize {
    let asked = asked.and_then(|jobs| NonZeroUsize::new(jobs.into()));
    let cores = || std::thread::available_parallelism().ok();
    asked.or_else(cores).unwrap_or(NonZeroUsize::MIN)
}

/// Policies that can be said in a format, for these ABIs.
fn shape(offer: PolicyFormat, abis: &[Abi]) -> PolicyShape {
    let shape = match offer {
        PolicyFormat::Oci => PolicyShape::oci(),
        PolicyFormat::Seccompiler => PolicyShape::seccompiler(),
        PolicyFormat::Minijail => PolicyShape::minijail(),
        PolicyFormat::Kafel => PolicyShape::kafel(),
        PolicyFormat::Pfc => PolicyShape::libseccomp(),
        _ => PolicyShape {
            most_abis: u32::try_from(abis.len()).unwrap_or(u32::MAX),
            ..PolicyShape::default()
        },
    };
    let order = |abi: &Abi| Endian::of_audit_arch(abi.audit_arch());
    let abis = match (shape.most_abis, abis) {
        (1, [first, ..]) => vec![*first],
        // A filter of these has one byte order.
        (_, [first, ..]) if matches!(offer, PolicyFormat::Oci | PolicyFormat::Pfc) => {
            let alike = abis.iter().filter(|abi| order(abi) == order(first));
            alike.copied().collect()
        }
        _ => abis.to_vec(),
    };
    PolicyShape { abis, ..shape }
}

impl Campaign {
    fn new(fuzz: &callproof::fuzz::Fuzz, out: PathBuf, report: Report, seconds: f64) -> Self {
        let told = |finding: Finding| Told {
            replay: finding.replay_line(),
            finding,
        };
        Self {
            compiler: fuzz.compiler.command(),
            offer: fuzz.offer.name(),
            seed: report.seed,
            now: report.now,
            all: report.all,
            findings: report.findings.into_iter().map(told).collect(),
            repeats: report.repeats,
            earlier: report.earlier,
            undecided: report.undecided,
            unoffered: report.unoffered,
            declined: report.declined,
            out,
            seconds,
        }
    }

    /// How many findings the campaign has.
    pub(crate) fn count(&self) -> usize {
        self.findings.len().saturating_add(self.earlier.len())
    }

    fn exit(&self) -> Exit {
        match (self.count(), self.now) {
            (1.., _) => Exit::Finding,
            // Nothing is known of the compiler.
            (0, Totals { proved: 0, .. }) => Exit::Undecided,
            (0, _) => Exit::Success,
        }
    }

    fn cases(&self) -> Vec<Case> {
        let found = |told: &Told| report::Finding {
            level: Level::Error,
            rule: told.finding.kind.name(),
            message: told.finding.lines.join("\n"),
            file: Some(told.finding.folder.display().to_string()),
            line: None,
        };
        let name = format!(
            "{} policies of seed {} for {}",
            self.now.all(),
            self.seed,
            self.compiler
        );
        vec![Case::new(name, self.findings.iter().map(found).collect())]
    }
}

impl Again {
    fn new(folder: PathBuf, replayed: Replayed) -> Self {
        let (is, lines) = match replayed.tried.verdict {
            Verdict::Proved => ("proved", Vec::new()),
            Verdict::Undecided(why) => ("undecided", vec![why]),
            Verdict::Unoffered(why) => ("unoffered", vec![why]),
            Verdict::Declined => ("declined", Vec::new()),
            Verdict::Wrong(fault) => (fault.kind.name(), fault.lines()),
        };
        Self {
            compiler: replayed.compiler,
            folder,
            was: replayed.was,
            is,
            policy: replayed.tried.text,
            lines,
            stderr: replayed.tried.complaints,
        }
    }

    fn exit(&self) -> Exit {
        match self.is {
            "proved" | "declined" => Exit::Success,
            "undecided" | "unoffered" => Exit::Undecided,
            _ => Exit::Finding,
        }
    }

    fn cases(&self) -> Vec<Case> {
        let rule = Kind::ALL.iter().map(|kind| kind.name()).find(|name| *name == self.is);
        let found = rule.map(|rule| report::Finding {
            level: Level::Error,
            rule,
            message: self.lines.join("\n"),
            file: Some(self.folder.display().to_string()),
            line: None,
        });
        vec![Case::new(
            self.folder.display().to_string(),
            found.into_iter().collect(),
        )]
    }
}

impl Fuzzed {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Campaign(campaign) => campaign.exit(),
            Self::Again(again) => again.exit(),
        }
    }

    pub(crate) fn report(&self) -> report::Report {
        report::Report {
            suite: "fuzz",
            cases: match self {
                Self::Campaign(campaign) => campaign.cases(),
                Self::Again(again) => again.cases(),
            },
        }
    }
}
