//! Findings that are known.

use std::path::Path;

use callproof::lint::Finding;
use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::input::read_file;

/// A file of known findings.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline {
    /// The version of this format
    version: u32,
    /// The findings, by rule and subject
    findings: Vec<Known>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    rule: String,
    subject: String,
    /// Why it may stay, for people to fill in
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

const VERSION: u32 = 1;

impl Baseline {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let bytes = read_file(path)?;
        let help = "`callproof lint --write-baseline FILE` writes one";
        let read: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::usage(format_args!("`{name}` is no baseline: {error}")).with_help(help))?;
        if read.version != VERSION {
            let message = format!(
                "`{name}` is a baseline of version {}, and {VERSION} is known",
                read.version
            );
            return Err(Failure::usage(message).with_help(help));
        }
        Ok(read)
    }

    pub(super) fn write(path: &Path, findings: &[Finding]) -> Result<()> {
        let known = |finding: &Finding| Known {
            rule: finding.rule.to_owned(),
            subject: finding.subject.clone(),
            reason: None,
        };
        let mut findings: Vec<Known> = findings.iter().map(known).collect();
        findings.sort();
        findings.dedup();
        let version = VERSION;
        let mut text = serde_json::to_string_pretty(&Self { version, findings }).map_err(Failure::bug)?;
        text.push('\n');
        std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
    }

    /// Why a finding is known, if it is.
    pub(super) fn reason(&self, finding: &Finding) -> Option<String> {
        let is = |known: &&Known| known.rule == finding.rule && known.subject == finding.subject;
        let known = self.findings.iter().find(is)?;
        Some(known.reason.clone().unwrap_or_else(|| "in the baseline".to_owned()))
    }
}
