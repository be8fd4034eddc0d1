//! `cost`

use std::path::PathBuf;

use clap::Args;

use super::verify::Decided;

/// `cost`
#[derive(Args, Debug)]
#[command(after_help = super::examples::COST)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) decided: Decided,
    /// Weigh calls by a trace (a path, or `-` for standard input): strace, strace -c, audit, journal, records, or one call a line
    #[arg(long, value_name = "TRACE")]
    pub(crate) trace: Option<String>,
    /// Fail when a call can cost more instructions than this
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<u64>,
    /// Fail when the calls of the trace cost more instructions than this on average
    #[arg(long, value_name = "N", requires = "trace", allow_negative_numbers = true, value_parser = super::values::mean)]
    pub(crate) max_mean: Option<f64>,
    /// Install the filters in child processes and measure how long the calls that are shown take on this kernel
    #[arg(long)]
    pub(crate) live: bool,
    /// Rounds of --live; intervals get narrower with more
    #[arg(long, value_name = "N", default_value_t = 31, requires = "live", value_parser = super::values::rounds())]
    pub(crate) rounds: u16,
    /// File to draw what each call costs in: a page if its name ends in `.html`, an SVG picture if in `.svg`
    #[arg(long, value_name = "FILE", value_parser = super::values::strip)]
    pub(crate) strip: Option<PathBuf>,
    /// Show all calls, not only the ten most expensive of each ABI
    #[arg(long)]
    pub(crate) all: bool,
}
