//! `kernel scenarios`

use clap::Args;

use super::examples;

/// `kernel scenarios`
#[derive(Args, Debug)]
#[command(after_help = examples::SCENARIOS)]
pub(crate) struct Scenarios {
    /// Files of scenarios [default: those that callproof brings along]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// Only scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    pub(crate) filter: Option<String>,
    /// Play scenarios for newer kernels too: what counts is whether the model of this kernel and the kernel differ alike
    #[arg(long)]
    pub(crate) any_release: bool,
    /// Print the names and play nothing
    #[arg(long)]
    pub(crate) list: bool,
}
