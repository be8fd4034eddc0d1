//! `fuzz` as it is typed.

use core::time::Duration;
use std::path::PathBuf;

use callproof::fuzz::OFFERED;
use callproof_formats::policy::PolicyFormat;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, value_parser};

use super::{Effort, effort, examples, values};

/// `fuzz`
#[derive(Args, Debug)]
#[command(
    after_help = examples::FUZZ,
    override_usage = "callproof fuzz [OPTIONS] --compiler CMD\n       callproof fuzz [OPTIONS] --replay DIR"
)]
pub(crate) struct Fuzz {
    /// Command of the compiler, split into words as a shell does
    ///
    /// `{policy}` stands for the path of the policy, `{out}` for the path of the filter, `{arch}` for the ABIs of
    /// --arch. Without `{policy}` the policy is its standard input, without `{out}` the filter its standard output.
    #[arg(long, value_name = "CMD", required_unless_present = "replay")]
    pub(crate) compiler: Option<String>,
    /// Look at a finding again, with the compiler that it was found in or that of --compiler
    #[arg(long, value_name = "DIR")]
    pub(crate) replay: Option<PathBuf>,
    /// Format in which the compiler reads policies
    #[arg(long, value_name = "FORMAT", default_value = "policy", value_parser = offered())]
    pub(crate) offer: PolicyFormat,
    /// Hold filters to their policies on the ABIs of --arch alone, whatever they say elsewhere
    #[arg(long)]
    pub(crate) only_arch: bool,
    /// A policy that the compiler refuses with an error is a finding too
    #[arg(long)]
    pub(crate) strict: bool,
    /// How many policies to try now [default: 1000, no limit with --time]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) cases: Option<u64>,
    /// Begin no more policies after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) time: Option<u64>,
    /// Where the stream of policies starts; equal seeds give equal policies [default: that of the folder, or from the
    /// clock]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Threads, and so compilers at a time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = values::jobs())]
    pub(crate) jobs: Option<u16>,
    /// How long one run of the compiler may take, such as `10s` or `500ms`
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = deadline)]
    pub(crate) deadline: Duration,
    /// End after this many findings
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u16).range(1..))]
    pub(crate) max_findings: u16,
    /// Do not end because of findings
    #[arg(long, conflicts_with = "max_findings")]
    pub(crate) keep_going: bool,
    /// Folder for findings and the state; a campaign whose state is there goes on
    #[arg(long, value_name = "DIR", default_value = "callproof-fuzz")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

impl Fuzz {
    /// How many policies, unless only time ends the campaign.
    pub(crate) fn total(&self) -> Option<u64> {
        const USUAL: u64 = 1000;
        self.cases.or(self.time.is_none().then_some(USUAL))
    }
}

fn offered() -> impl TypedValueParser<Value = PolicyFormat> {
    let names = OFFERED.iter().map(|format| format.name());
    PossibleValuesParser::new(names).map(|name| PolicyFormat::from_name(&name).unwrap_or(PolicyFormat::Policy))
}

fn deadline(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write `10s` or `500ms`");
    match effort::milliseconds(text).ok_or_else(wrong)? {
        0 => Err("no compiler ends in no time; write `10s` or `500ms`".to_owned()),
        milliseconds => Ok(Duration::from_millis(milliseconds)),
    }
}
