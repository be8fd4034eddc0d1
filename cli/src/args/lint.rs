//! `lint`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Effort, examples};

/// `lint`
#[derive(Args, Debug)]
#[command(after_help = examples::LINT)]
pub(crate) struct Lint {
    /// Path, `-`, `hex:DIGITS` or `pid:N`; several are one chain, oldest first. One file with a policy is compiled
    #[arg(value_name = "FILTER", required_unless_present = "list_rules")]
    pub(crate) filters: Vec<String>,
    /// Do not report findings of a rule, for this reason (repeatable)
    #[arg(long, value_name = "RULE=REASON")]
    pub(crate) allow: Vec<String>,
    /// Do not report the findings that this file has
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what is found to a file for --baseline
    #[arg(long, value_name = "FILE")]
    pub(crate) write_baseline: Option<PathBuf>,
    /// The least severity that makes the command fail
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(crate) fail_on: FailOn,
    /// Ask the running kernel about every call that is shown, too
    #[arg(long)]
    pub(crate) live: bool,
    /// List the rules
    #[arg(long, conflicts_with_all = ["filters", "allow", "baseline", "write_baseline", "live"])]
    pub(crate) list_rules: bool,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

/// `--fail-on`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
}
