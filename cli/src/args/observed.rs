//! The commands that read what programs did.

use clap::Args;

use super::{Effort, EngineChoice, examples};

/// `why`
#[derive(Args, Debug)]
#[command(after_help = examples::WHY)]
pub(crate) struct Why {
    /// A log (a path, or `-` for standard input), or the text of one line of it
    #[arg(value_name = "LOG", allow_hyphen_values = true)]
    pub(crate) log: String,
    /// Path, `hex:DIGITS` or `pid:N`; several are one chain, oldest first
    #[arg(value_name = "FILTER", required = true)]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) effort: Effort,
}

/// `replay`
#[derive(Args, Debug)]
#[command(after_help = examples::REPLAY)]
pub(crate) struct Replay {
    /// A trace (a path, or `-` for standard input): strace, strace -c, audit, journal, records, or one call a line
    #[arg(value_name = "TRACE")]
    pub(crate) trace: String,
    /// Path, `hex:DIGITS` or `pid:N`; several are one chain, oldest first
    #[arg(value_name = "FILTER", required = true)]
    pub(crate) filters: Vec<String>,
    /// Who judges calls: `reference` runs the filters for each one, `specialised` once for each number whose verdict does
    /// not depend on arguments [default: specialised]
    #[arg(long, value_name = "ENGINE", value_enum, hide_possible_values = true)]
    pub(crate) judge: Option<EngineChoice>,
    #[command(flatten)]
    pub(crate) effort: Effort,
}
