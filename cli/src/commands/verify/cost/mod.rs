//! `cost`: instructions of each call, exactly; what a trace costs; nanoseconds on this kernel.

mod gate;
mod load;
mod timed;

use std::path::Path;

use callproof::cost::{Asked, Bitmap, Costs};
use callproof_abi::Abi;
use callproof_formats::call::print;
use callproof_verifier::{Failure as Trouble, Limits};
use callproof_vm::length::converted_len;
use callproof_vm::{Chain, Filter, SeccompData};
use serde::Serialize;

pub(crate) use gate::{Gate, Outcome};
pub(crate) use load::Trace;
pub(crate) use timed::{Live, TimedCall};

use super::claims::Reached;
use super::explain::explain;
use super::sides;
use super::witness::{Witness, witness};
use crate::args;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, Loaded, admitted};
use crate::render::strip;
use crate::report::Report;
use crate::settings::Settings;

/// What calls cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    /// How long each is
    pub(crate) lengths: Vec<Length>,
    /// No call costs more: the longest path through the filters, whether or not some call takes it
    pub(crate) bound: Option<u64>,
    /// Whether the checker accepted a proof that no call costs less or more than is said of it
    pub(crate) proved: bool,
    pub(crate) abis: Vec<OfAbi>,
    /// What a trace costs; null when none was given
    pub(crate) trace: Option<Trace>,
    /// Nanoseconds on this kernel; null when that was not asked
    pub(crate) live: Option<Live>,
    /// What had to hold
    pub(crate) gates: Vec<Gate>,
    /// The limit that was reached; there are no ABIs then
    pub(crate) limit: Option<Reached>,
    /// Whether people want to see all calls
    #[serde(skip)]
    pub(crate) all: bool,
    /// The file that findings are about, if the chain is one
    #[serde(skip)]
    file: Option<String>,
}

/// How long a filter is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Length {
    /// Instructions as they are installed
    pub(crate) insns: usize,
    /// Instructions after the kernel's conversion
    pub(crate) converted: u32,
}

/// What the calls of one ABI cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfAbi {
    pub(crate) abi: &'static str,
    /// The most expensive call, numbers of no call included
    pub(crate) worst: Witness,
    /// The most expensive first
    pub(crate) calls: Vec<OfCall>,
}

/// What one call costs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfCall {
    pub(crate) name: &'static str,
    pub(crate) nr: u32,
    /// The most instructions, over all arguments
    pub(crate) insns: u64,
    /// A call that takes as many
    pub(crate) call: String,
    #[serde(skip)]
    pub(crate) made: SeccompData,
    /// The instructions of that call, by filter, oldest first
    pub(crate) by_filter: Vec<u64>,
    /// What the kernel executes for that call after conversion
    pub(crate) converted: u64,
    /// The fewest instructions, over all arguments
    pub(crate) least: u64,
    /// A call that takes as few
    pub(crate) least_call: String,
    /// Whether the kernel answers it without running a filter
    pub(crate) cached: bool,
    /// The same, and if not, what prevents it
    pub(crate) bitmap: Bitmap,
}

/// How many calls of each ABI people are shown unless they ask for all.
pub(crate) const SHOWN: usize = 10;

pub(crate) fn run(args: &args::Cost, input: &Input, settings: &Settings, quiet: bool) -> Result<Cost> {
    let filters = &args.decided.filters;
    let trace = args
        .trace
        .as_deref()
        .map(|typed| load::open(typed, filters))
        .transpose()?;
    let loaded = input.chain(filters)?;
    let chain = admitted(&loaded, settings)?;
    let limits = args.decided.effort.of_diagrams()?;
    let asked = Asked {
        filters: &chain,
        machine: settings.machine_of(settings.layout()),
        order: settings.byte_order(),
        limits: &limits,
    };
    let mut cost = Cost::new(&loaded, settings, args.all);
    match callproof::cost::costs(asked, &abis(&chain, settings, &limits)) {
        Ok(found) => cost.tell(&found, &chain, settings)?,
        Err(Trouble::Undecided(undecided)) => {
            cost.bound = Some(callproof::cost::bound(asked));
            cost.limit = Some(Reached::new(undecided, &limits));
        }
        Err(disagreement) => return Err(Failure::bug(disagreement)),
    }
    cost.trace = trace.map(|log| load::weigh(log, asked, settings, quiet)).transpose()?;
    if args.live {
        cost.live = Some(timed::time(args, &cost, &loaded, quiet)?);
    }
    if let Some(file) = &args.strip {
        draw(file, &cost)?;
    }
    cost.gates = gate::gates(args, &cost);
    Ok(cost)
}

/// Draws what each call costs.
fn draw(file: &Path, cost: &Cost) -> Result<()> {
    let page = file.extension().is_some_and(|ending| ending == "html");
    let text = if page { strip::html(cost) } else { strip::svg(cost) };
    std::fs::write(file, text).map_err(|error| Failure::io("write", file, &error))
}

/// The ABIs asked for, or those that the filters tell from the rest.
fn abis(chain: &[Filter<'_>], settings: &Settings, limits: &Limits) -> Vec<Abi> {
    if let Some(given) = settings.abis_given() {
        return given.to_vec();
    }
    let explained = explain(chain, settings, limits).unwrap_or_default();
    let named = explained.iter().filter_map(|section| Abi::from_name(section.abi?).ok());
    let named: Vec<Abi> = named.collect();
    if named.is_empty() { settings.abis() } else { named }
}

impl Cost {
    fn new(loaded: &[Loaded], settings: &Settings, all: bool) -> Self {
        let file = match loaded {
            [one] if one.is_file => Some(one.name.clone()),
            _ => None,
        };
        Self {
            kernel: settings.kernel.to_string(),
            filters: sides::names(loaded),
            lengths: loaded
                .iter()
                .map(|one| Length {
                    insns: one.program.len(),
                    converted: converted_len(&one.program),
                })
                .collect(),
            bound: None,
            proved: false,
            abis: Vec::new(),
            trace: None,
            live: None,
            gates: Vec::new(),
            limit: None,
            all,
            file,
        }
    }

    fn tell(&mut self, found: &Costs, chain: &[Filter<'_>], settings: &Settings) -> Result<()> {
        self.bound = Some(found.bound);
        self.proved = found.proved;
        let name = self.filters.join(",");
        for of_abi in &found.abis {
            let mut calls: Vec<OfCall> = of_abi.calls.iter().map(OfCall::new).collect();
            calls.sort_by(|a, b| b.insns.cmp(&a.insns).then(a.nr.cmp(&b.nr)));
            self.abis.push(OfAbi {
                abi: of_abi.abi.name(),
                worst: witness(&of_abi.worst, &name, Some(&Chain::new(chain)), settings)?,
                calls,
            });
        }
        Ok(())
    }

    pub(crate) fn exit(&self) -> Exit {
        let any = |outcome| self.gates.iter().any(|gate| gate.outcome == outcome);
        if any(Outcome::Failed) {
            Exit::Finding
        } else if self.limit.is_some() || any(Outcome::Undecided) {
            Exit::Undecided
        } else {
            Exit::Success
        }
    }

    /// The gates as findings; `None` when nothing had to hold.
    pub(crate) fn report(&self) -> Option<Report> {
        (!self.gates.is_empty()).then(|| gate::report(&self.gates, self.file.as_deref()))
    }
}

impl OfCall {
    fn new(call: &callproof::cost::OfCall) -> Self {
        Self {
            name: call.name,
            nr: call.nr,
            insns: call.most.insns,
            call: print(&call.most.call),
            made: call.most.call,
            by_filter: call.by_filter.clone(),
            converted: call.converted.insns,
            least: call.least.insns,
            least_call: print(&call.least.call),
            cached: call.bitmap.skips(),
            bitmap: call.bitmap.clone(),
        }
    }
}
