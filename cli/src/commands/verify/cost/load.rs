//! What a trace costs.

use callproof::cost::{Asked, Saving, Weighed, savings};
use serde::Serialize;

use crate::commands::observed::Log;
use crate::error::Result;
use crate::render::Progress;
use crate::settings::{Settings, host_abi};

/// What a trace costs, and what other layouts of the filters would save.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trace {
    /// What it is called
    pub(crate) name: String,
    /// Instructions of a call on average: no fewer, no more
    pub(crate) mean: [f64; 2],
    pub(crate) savings: Vec<Saving>,
    #[serde(flatten)]
    pub(crate) weighed: Weighed,
}

pub(super) fn open(typed: &str, filters: &[String]) -> Result<Log> {
    Log::open(typed, filters, false)
}

pub(super) fn weigh(log: Log, asked: Asked<'_>, settings: &Settings, quiet: bool) -> Result<Trace> {
    let mut progress = Progress::new("calls", None, quiet);
    let native = settings.abis().first().copied().unwrap_or_else(host_abi);
    let weighed = callproof::cost::weigh(&log.name, log.input, asked, native, &mut |calls| progress.set(calls))?;
    let (least, most) = weighed.insns.mean(weighed.calls);
    Ok(Trace {
        name: log.name,
        mean: [least, most],
        savings: savings(asked, &weighed)?,
        weighed,
    })
}
