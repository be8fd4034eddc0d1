//! The commands that decide about every possible call.

use std::path::PathBuf;

use clap::Args;

use super::{Effort, examples};

/// `prove`
#[derive(Args, Debug)]
#[command(after_help = examples::PROVE)]
pub(crate) struct Prove {
    /// The filter; several joined by commas are one chain, oldest first
    #[arg(value_name = "FILTER")]
    pub(crate) filter: String,
    /// Claims: a file of properties, or the text of some, such as `deny ptrace`
    #[arg(value_name = "PROPERTY", required_unless_present = "policy")]
    pub(crate) properties: Vec<String>,
    /// File with the policy that the filter must be, for every call: short for `self equals "FILE"`
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<String>,
    /// File to write the proof of a single claim to
    #[arg(long, value_name = "FILE")]
    pub(crate) proof_out: Option<PathBuf>,
    /// Ask the running kernel about every call that is shown, too
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

impl Prove {
    /// The claims, that about the policy among them.
    pub(crate) fn with_policy(mut self) -> Self {
        if let Some(policy) = self.policy.take() {
            let path = policy.replace('\\', "\\\\").replace('"', "\\\"");
            self.properties.push(format!("self equals \"{path}\""));
        }
        self
    }
}

/// `test`
#[derive(Args, Debug)]
#[command(after_help = examples::TEST)]
pub(crate) struct Test {
    /// Case files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Filter to test instead of the one that the files name; several are one chain, oldest first
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Change each test and each return of the filter in turn, and tell which changes no case notices
    #[arg(long, conflicts_with = "bless")]
    pub(crate) mutants: bool,
    /// Tell which ways of tests and which returns of the filter no case exercises
    #[arg(long, conflicts_with = "bless")]
    pub(crate) coverage: bool,
    /// File to write that to, too: lcov's format if its name ends in `.info`, else JSON
    #[arg(long, value_name = "FILE", requires = "coverage")]
    pub(crate) coverage_out: Option<PathBuf>,
    /// Fail when less than this many percent are exercised
    #[arg(long, value_name = "PERCENT", requires = "coverage", value_parser = super::values::percent())]
    pub(crate) min_coverage: Option<u8>,
    /// Write snapshots that differ anew
    #[arg(long)]
    pub(crate) bless: bool,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

impl Test {
    /// How often a file is gone through, all together.
    pub(crate) fn steps(&self) -> u64 {
        let times = 1_u64 + u64::from(self.mutants) + u64::from(self.coverage);
        times.saturating_mul(u64::try_from(self.files.len()).unwrap_or(u64::MAX))
    }
}

/// `equiv`, `diff`
#[derive(Args, Debug)]
#[command(after_help = examples::COMPARE)]
pub(crate) struct Pair {
    /// The one side: a filter; several joined by commas are one chain, oldest first
    #[arg(value_name = "A")]
    pub(crate) left: String,
    /// The other side
    #[arg(value_name = "B")]
    pub(crate) right: String,
    /// Ask the running kernel about every call that is shown, too
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

/// `subset`
#[derive(Args, Debug)]
#[command(after_help = examples::SUBSET)]
pub(crate) struct Subset {
    /// The side that must not permit more: a filter; several joined by commas are one chain, oldest first
    #[arg(value_name = "A")]
    pub(crate) left: String,
    /// The side it is held against
    #[arg(long, value_name = "B")]
    pub(crate) of: String,
    /// Compare only what is permitted (allow or log), not how severe denials are
    #[arg(long)]
    pub(crate) allowed_only: bool,
    /// Ask the running kernel about every call that is shown, too
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

/// `explain`
#[derive(Args, Debug)]
#[command(after_help = examples::EXPLAIN)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) decided: Decided,
    /// Tell for each answer the line of the policy or the instruction that gives it, and where the policy is not what its
    /// text seems to say
    #[arg(long)]
    pub(crate) origin: bool,
}

/// `explain`, `cost`
#[derive(Args, Debug)]
pub(crate) struct Decided {
    /// Path of a filter or a policy, `-`, `hex:DIGITS` or `pid:N`; several are one chain, oldest first
    #[arg(value_name = "FILTER", required = true)]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

/// `check-proof`
#[derive(Args, Debug)]
#[command(after_help = examples::CHECK_PROOF)]
pub(crate) struct CheckProof {
    /// The proof file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The filters of its one or two chains; several filters joined by commas are one chain, oldest first
    #[arg(value_name = "FILTER", required = true, num_args = 1..=2)]
    pub(crate) chains: Vec<String>,
}
