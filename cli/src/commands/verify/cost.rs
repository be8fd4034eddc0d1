//! `cost`: exact worst cases, and what the kernel's bitmap answers.

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Env, Predicate, parse_predicate};
use callproof_verifier::{Failure as Trouble, Limits, Session, Set, Shown};
use callproof_vm::{Chain, Filter, Gate};
use serde::Serialize;

use super::claims::Reached;
use super::explain::explain;
use super::sides;
use super::witness::{Witness, witness};
use crate::args::Decided;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, admitted};
use crate::settings::Settings;

/// What calls cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    /// No call costs more: the longest path through the filters, whether or not some call takes it
    pub(crate) bound: Option<u64>,
    pub(crate) abis: Vec<OfAbi>,
    /// The limit that was reached; there are no ABIs then
    pub(crate) limit: Option<Reached>,
}

/// What the calls of one ABI cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OfAbi {
    pub(crate) abi: &'static str,
    /// The most expensive call, numbers of no call included
    pub(crate) worst: Witness,
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
    /// Whether the kernel answers it without running a filter
    pub(crate) cached: bool,
}

pub(crate) fn run(args: &Decided, input: &Input, settings: &Settings) -> Result<Cost> {
    let loaded = input.chain(&args.filters)?;
    let chain = admitted(&loaded, settings)?;
    let mut cost = Cost {
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        bound: None,
        abis: Vec::new(),
        limit: None,
    };
    let machine = settings.machine_of(settings.layout());
    let limits = args.effort.of_diagrams()?;
    let mut session = Session::new(&chain, Vec::new(), machine, settings.byte_order(), &limits);
    cost.bound = Some(session.subject().longest_path());
    let name = cost.filters.join(",");
    for abi in abis(&chain, settings, &limits) {
        match of_abi(&mut session, abi, &chain, &name, settings) {
            Ok(Ok(of_abi)) => cost.abis.extend(of_abi),
            Ok(Err(Trouble::Undecided(undecided))) => {
                cost.limit = Some(Reached::new(undecided, &limits));
                break;
            }
            Ok(Err(disagreement)) => return Err(Failure::bug(disagreement)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(cost)
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

type Found<T> = core::result::Result<T, Trouble>;

fn of_abi(
    session: &mut Session<'_>,
    abi: Abi,
    chain: &[Filter<'_>],
    name: &str,
    settings: &Settings,
) -> Result<Found<Option<OfAbi>>> {
    let worst = match measure(session, abi, settings) {
        Ok(Some(worst)) => worst,
        Ok(None) => return Ok(Ok(None)),
        Err(trouble) => return Ok(Err(trouble)),
    };
    let (worst, calls) = worst;
    let worst = witness(&worst, name, Some(&Chain::new(chain)), settings)?;
    Ok(Ok(Some(OfAbi {
        abi: abi.name(),
        worst,
        calls,
    })))
}

fn measure(session: &mut Session<'_>, abi: Abi, settings: &Settings) -> Found<Option<(Shown, Vec<OfCall>)>> {
    let everything = every_call(session, abi, settings)?;
    let cached = if settings.kernel.has(Gate::Bitmap) {
        session.cached(abi, settings.kernel)?
    } else {
        Set::EMPTY
    };
    let Some(worst) = session.worst_case(everything)? else {
        return Ok(None);
    };
    let mut calls = Vec::new();
    for call in abi.syscalls() {
        let space = session.space();
        let of_number = space.numbers(call.number, call.number)?;
        let within = space.and(everything, of_number)?;
        let uncached = space.minus(within, cached)?;
        if let Some(shown) = session.worst_case(within)? {
            calls.push(OfCall {
                name: call.name,
                nr: call.number,
                insns: shown.insns,
                call: callproof_formats::call::print(&shown.call),
                cached: uncached.is_empty(),
            });
        }
    }
    calls.sort_by(|a, b| b.insns.cmp(&a.insns).then(a.nr.cmp(&b.nr)));
    Ok(Some((worst, calls)))
}

/// Every call of an ABI.
fn every_call(session: &mut Session<'_>, abi: Abi, settings: &Settings) -> Found<Set> {
    let env = Env::new(AbiList::of([AbiItem::Abi(abi)]));
    let all: Option<Predicate> = parse_predicate("*").ok();
    let grounded = all.and_then(|all| all.ground(&env).ok());
    match grounded {
        Some(grounded) => Ok(session.space().region(&grounded.region(settings.byte_order()))?),
        None => Ok(Set::EMPTY),
    }
}

impl Cost {
    pub(crate) const fn exit(&self) -> Exit {
        if self.limit.is_some() {
            Exit::Undecided
        } else {
            Exit::Success
        }
    }
}
