//! What a policy's text does not say.

use callproof_formats::policy::{Runtime, capability};
use clap::Args;

/// Options of every command that reads policies; in case files they are said in the head, and the command line wins.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Policy options")]
pub(crate) struct PolicyArgs {
    /// Whose reading of an OCI profile (spec, runc or crun) or of a file of seccompiler (spec or firecracker) [default: spec]
    #[arg(long, global = true, value_name = "RUNTIME")]
    pub(crate) runtime: Option<Runtime>,
    /// Capabilities that the process has, such as `CAP_SYS_ADMIN,CAP_KILL`; `none` for none [default: none]
    #[arg(long, global = true, value_name = "LIST", value_delimiter = ',')]
    pub(crate) caps: Vec<CapArg>,
    /// Which of several filters in one policy file; `FILE#NAME` says it for one file
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) select: Option<String>,
}

impl PolicyArgs {
    /// The capabilities, if anything was said about them.
    pub(crate) fn caps(&self) -> Option<Vec<String>> {
        let named = self.caps.iter().filter_map(|cap| cap.0).map(str::to_owned);
        (!self.caps.is_empty()).then(|| named.collect())
    }
}

/// One item of `--caps`: a capability, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CapArg(Option<&'static str>);

impl core::str::FromStr for CapArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        capability(text).map(|name| Self(Some(name)))
    }
}
