//! What was found.

use callproof_verifier::Shown;
use callproof_vm::{Machine, SeccompData};
use serde::Serialize;

use super::lens::{Found, Lens};
use super::rules::{RULES, Rule, Severity};
use crate::cases::exhibit::Exhibit;

/// Something that is likely wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule
    pub rule: &'static str,
    /// How much it matters here
    pub severity: Severity,
    /// What it is about, in words that stay the same when the filter changes elsewhere: `ioctl, argument 1, on x86_64`
    pub subject: String,
    /// What is wrong
    pub message: String,
    /// Calls that show it, each replayed in the emulator; none when a proof or the text of a policy shows it
    pub witnesses: Vec<Exhibit>,
    /// Whether the independent checker accepted a proof of it
    pub proved: bool,
    /// Where a policy says so
    pub place: Option<Place>,
    /// The same calls, as they are made
    #[serde(skip)]
    pub calls: Vec<SeccompData>,
}

/// A line of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file
    pub file: String,
    /// The line, from 1
    pub line: usize,
}

/// A rule that a limit kept from being decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The rule
    pub rule: &'static str,
    /// The limit
    pub reason: String,
}

/// What came of looking at a chain.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The filters, oldest first
    pub filters: Vec<String>,
    /// What was found, the worst first
    pub findings: Vec<Finding>,
    /// What a limit kept from being decided
    pub undecided: Vec<Skipped>,
}

impl Report {
    pub(super) fn new(names: &[String]) -> Self {
        Self {
            filters: names.to_vec(),
            ..Self::default()
        }
    }

    /// The worst first, then in the order of the rules.
    pub(super) fn sort(&mut self) {
        let place = |finding: &Finding| RULES.iter().position(|rule| rule.id == finding.rule);
        self.findings
            .sort_by_key(|finding| (core::cmp::Reverse(finding.severity), place(finding)));
    }
}

impl Finding {
    /// A finding of a rule, as bad as the rule says.
    pub(super) fn new(rule: &'static str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Rule::named(rule).map_or(Severity::Warning, |rule| rule.severity),
            subject: subject.into(),
            message: message.into(),
            witnesses: Vec::new(),
            proved: false,
            place: None,
            calls: Vec::new(),
        }
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Option<&'static Rule> {
        Rule::named(self.rule)
    }

    /// The same with calls that show it.
    pub(super) fn showing(mut self, lens: &Lens<'_>, shown: &[Shown]) -> Self {
        for one in shown {
            let endian = lens.order.of(one.call.arch);
            let machine = Machine { endian, ..lens.machine };
            self.witnesses
                .push(Exhibit::new(one, "the filter", Some(lens.filters), machine));
            self.calls.push(one.call);
        }
        self
    }

    /// Adds it to what was found, if calls show it: nothing is told without a witness.
    pub(super) fn shown_in(self, found: &mut Vec<Self>) -> Found<()> {
        if !self.witnesses.is_empty() {
            found.push(self);
        }
        Ok(())
    }
}

/// Names for a message: the first few, and how many more.
pub(super) fn listed<N: AsRef<str>>(names: &[N]) -> String {
    const TOLD: usize = 8;
    let told: Vec<&str> = names.iter().take(TOLD).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(told.len());
    match more {
        0 => told.join(", "),
        _ => format!("{} and {more} more", told.join(", ")),
    }
}
