//! `lint`: what is likely wrong with a filter.

mod allow;
mod baseline;

use std::path::Path;

use callproof::lint::{Finding, LintOptions, RULES, Report as Linted, Rule, Severity, Skipped, lint, lint_policy};
use callproof_vm::{Insn, SeccompData};
use serde::Serialize;

use self::allow::Allowed;
use self::baseline::Baseline;
use super::verify::live::{Live, Running};
use crate::args::{FailOn, Lint};
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, Loaded, admitted};
use crate::report::{self, Case, Level, Outcome, Report};
use crate::settings::Settings;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lints {
    /// What was looked at, oldest first
    pub(crate) filters: Vec<String>,
    /// What was found, the worst first
    pub(crate) findings: Vec<Told>,
    /// Findings that are not reported, because of a reason or a baseline
    pub(crate) suppressed: Vec<Suppressed>,
    /// Rules that a limit kept from being decided
    pub(crate) undecided: Vec<Skipped>,
    /// The rules, for `--list-rules`; empty otherwise
    pub(crate) rules: Vec<&'static Rule>,
    #[serde(skip)]
    fail_on: Severity,
    #[serde(skip)]
    is_file: bool,
}

/// A finding, with what its rule says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) finding: Finding,
    pub(crate) why: &'static str,
    pub(crate) fix: &'static str,
    pub(crate) page: String,
    /// What the running kernel says of each witness; empty when it was not asked
    pub(crate) live: Vec<Live>,
}

/// A finding that is not reported.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Suppressed {
    pub(crate) rule: &'static str,
    pub(crate) subject: String,
    pub(crate) reason: String,
}

pub(crate) fn run(args: &Lint, input: &Input, settings: &Settings) -> Result<Lints> {
    let fail_on = match args.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
    };
    if args.list_rules {
        return Ok(Lints {
            rules: RULES.iter().collect(),
            ..Lints::empty(fail_on)
        });
    }
    let allowed = Allowed::parse(&args.allow)?;
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let options = LintOptions {
        options: callproof::Options {
            limits: args.effort.limits(),
            ..settings.options()
        },
    };
    let (linted, loaded) = looked_at(args, input, settings, &options)?;
    if let Some(file) = &args.write_baseline {
        Baseline::write(file, &linted.findings)?;
    }
    let mut lints = Lints {
        filters: linted.filters,
        undecided: linted.undecided,
        is_file: args.filters.len() == 1 && args.filters.iter().all(|typed| Path::new(typed).is_file()),
        ..Lints::empty(fail_on)
    };
    let kept = |finding: &Finding| {
        let reason = allowed.reason(finding.rule);
        reason.or_else(|| baseline.as_ref().and_then(|baseline| baseline.reason(finding)))
    };
    let mut asked = args.live.then(|| Asked::new(loaded, settings));
    for finding in linted.findings {
        match kept(&finding) {
            Some(reason) => lints.suppressed.push(Suppressed {
                rule: finding.rule,
                subject: finding.subject,
                reason,
            }),
            None => lints.findings.push(Told::new(finding, asked.as_mut())?),
        }
    }
    Ok(lints)
}

/// The filters, or a policy made into filters, and what was found in them.
fn looked_at(
    args: &Lint,
    input: &Input,
    settings: &Settings,
    options: &LintOptions,
) -> Result<(Linted, Vec<Vec<Insn>>)> {
    if let [only] = args.filters.as_slice()
        && Path::new(only).is_file()
        && !input.is_told()
        && let Some(linted) = lint_policy(Path::new(only), options)?
    {
        // The running kernel alone needs the filters again.
        let compiled = match args.live {
            true => callproof::compile_file(Path::new(only), &options.options)?,
            false => None,
        };
        return Ok((linted, compiled.map(|made| made.programs.programs).unwrap_or_default()));
    }
    let loaded = input.chain(&args.filters)?;
    admitted(&loaded, settings)?;
    let (names, programs): (Vec<String>, Vec<Vec<Insn>>) = loaded
        .into_iter()
        .map(|Loaded { name, program, .. }| (name, program))
        .unzip();
    let linted = lint(&names, &programs, options)?;
    Ok((linted, programs))
}

/// The running kernel, and the filters that it is asked about.
struct Asked {
    running: Running,
    programs: Vec<Vec<Insn>>,
    settings: Settings,
}

impl Asked {
    fn new(programs: Vec<Vec<Insn>>, settings: &Settings) -> Self {
        Self {
            running: Running::new(),
            programs,
            settings: settings.clone(),
        }
    }

    fn ask(&mut self, call: &SeccompData, value: u32) -> Result<Live> {
        let load = |program: &'_ Vec<Insn>| {
            callproof_vm::Filter::load_on(self.settings.kernel, program.clone()).map_err(Failure::finding)
        };
        let filters = self.programs.iter().map(load).collect::<Result<Vec<_>>>()?;
        Ok(self.running.ask(&filters, call, value, &self.settings))
    }
}

impl Told {
    fn new(finding: Finding, asked: Option<&mut Asked>) -> Result<Self> {
        let rule = finding.rule();
        let mut live = Vec::new();
        if let Some(asked) = asked {
            for (call, witness) in finding.calls.iter().zip(&finding.witnesses) {
                live.push(asked.ask(call, witness.value)?);
            }
        }
        Ok(Self {
            why: rule.map_or("", |rule| rule.why),
            fix: rule.map_or("", |rule| rule.fix),
            page: rule.map(Rule::page).unwrap_or_default(),
            live,
            finding,
        })
    }
}

impl Lints {
    fn empty(fail_on: Severity) -> Self {
        Self {
            filters: Vec::new(),
            findings: Vec::new(),
            suppressed: Vec::new(),
            undecided: Vec::new(),
            rules: Vec::new(),
            fail_on,
            is_file: false,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        let disagrees = |told: &Told| told.live.iter().any(Live::disagrees);
        if self.findings.iter().any(disagrees) {
            Exit::Disagreement
        } else if self.findings.iter().any(|told| told.finding.severity >= self.fail_on) {
            Exit::Finding
        } else if !self.undecided.is_empty() {
            Exit::Undecided
        } else {
            Exit::Success
        }
    }

    pub(crate) fn report(&self) -> Report {
        let findings: Vec<_> = self.findings.iter().map(|told| self.reported(told)).collect();
        let fails = self.findings.iter().any(|told| told.finding.severity >= self.fail_on);
        let outcome = match (self.findings.is_empty(), fails) {
            (true, _) => Outcome::Passed,
            (false, true) => Outcome::Failed(findings),
            (false, false) => Outcome::Noted(findings),
        };
        let mut cases = vec![Case {
            name: self.filters.join(", "),
            outcome,
        }];
        let skipped = self.undecided.iter();
        cases.extend(skipped.map(|skipped| Case::skipped(skipped.rule, format!("undecided: {}", skipped.reason))));
        Report { suite: "lint", cases }
    }

    fn reported(&self, told: &Told) -> report::Finding {
        let finding = &told.finding;
        let shown: Vec<String> = finding
            .witnesses
            .iter()
            .map(|witness| format!("{} gets {}", witness.call, witness.verdict))
            .collect();
        let witness = if shown.is_empty() {
            String::new()
        } else {
            format!(" ({})", shown.join("; "))
        };
        let place = finding.place.as_ref();
        let own = self.filters.first().filter(|_| self.is_file).cloned();
        report::Finding {
            level: match finding.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Info => Level::Note,
            },
            rule: finding.rule,
            message: format!("{}{witness}. {}; see {}", finding.message, told.fix, told.page),
            file: place.map(|place| place.file.clone()).or(own),
            line: place.map(|place| place.line),
        }
    }
}
