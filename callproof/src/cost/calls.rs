//! The fewest and the most instructions of each call, over all arguments.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_verifier::{Answer, AskError, CostBound, Failure, Session, Shown};
use callproof_vm::observe::{Converted, Observer, Step};
use callproof_vm::{Chain, Filter};

use super::{Asked, Bitmap};
use crate::exhibit::machine_of;

/// What the calls of some ABIs cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// No call costs more: the longest path through the filters, whether or not some call takes it
    pub bound: u64,
    /// Each ABI that has calls
    pub abis: Vec<OfAbi>,
    /// Whether the checker accepted a proof that no call costs less than `least` or more than `most` says, and no number
    /// more than `worst`
    pub proved: bool,
}

/// What the calls of one ABI cost.
#[derive(Clone, Debug, PartialEq)]
pub struct OfAbi {
    /// The ABI
    pub abi: Abi,
    /// The most expensive call, numbers of no call included
    pub worst: Shown,
    /// Each call, in the order of numbers
    pub calls: Vec<OfCall>,
}

/// What one call costs.
#[derive(Clone, Debug, PartialEq)]
pub struct OfCall {
    /// The name
    pub name: &'static str,
    /// The number that a filter sees
    pub nr: u32,
    /// A call of the fewest instructions, replayed
    pub least: Shown,
    /// A call of the most instructions, replayed
    pub most: Shown,
    /// The instructions of `most`, by filter, oldest first
    pub by_filter: Vec<u64>,
    /// What the kernel executes for `most` after conversion
    pub converted: Converted,
    /// Whether any filter is run at all
    pub bitmap: Bitmap,
}

/// Counts the calls of some ABIs: exactly, over all arguments.
///
/// # Errors
/// [`Failure`] when a limit is reached, or when the emulator counts differently.
pub fn costs(asked: Asked<'_>, abis: &[Abi]) -> Result<Costs, Failure> {
    let mut session = Session::new(asked.filters, Vec::new(), asked.machine, asked.order, asked.limits);
    let mut counted = Vec::new();
    for abi in abis {
        session.space().restart();
        counted.extend(of_abi(&mut session, *abi, asked)?);
    }
    let bound = session.subject().longest_path();
    let proved = proved(&mut session, &counted)?;
    Ok(Costs {
        bound,
        abis: counted,
        proved,
    })
}

/// The longest path through the filters: no call costs more.
#[must_use]
pub fn bound(asked: Asked<'_>) -> u64 {
    Session::new(asked.filters, Vec::new(), asked.machine, asked.order, asked.limits)
        .subject()
        .longest_path()
}

fn of_abi(session: &mut Session<'_>, abi: Abi, asked: Asked<'_>) -> Result<Option<OfAbi>, Failure> {
    let every = session.calls_of_abi(abi)?;
    let Some(worst) = session.worst_case(every)? else {
        return Ok(None);
    };
    let mut calls = Vec::new();
    for call in abi.syscalls() {
        let space = session.space();
        let of_number = space.numbers(call.number, call.number)?;
        let within = space.and(every, of_number)?;
        let (least, most) = (session.best_case(within)?, session.worst_case(within)?);
        let (Some(least), Some(most)) = (least, most) else {
            continue;
        };
        let (by_filter, converted) = run(asked, &most);
        calls.push(OfCall {
            name: call.name,
            nr: call.number,
            bitmap: Bitmap::of(asked, abi, call.number),
            least,
            most,
            by_filter,
            converted,
        });
    }
    Ok(Some(OfAbi { abi, worst, calls }))
}

/// What a call executes in each filter, and after conversion.
fn run(asked: Asked<'_>, shown: &Shown) -> (Vec<u64>, Converted) {
    let mut watch = (ByFilter::new(asked.filters), Converted::default());
    let machine = machine_of(&shown.call, asked.machine, asked.order);
    Chain::new(asked.filters).run_observed(&shown.call, machine, &mut watch);
    (watch.0.counts, watch.1)
}

/// One proof of all that is claimed.
fn proved(session: &mut Session<'_>, abis: &[OfAbi]) -> Result<bool, Failure> {
    let narrow = |insns: u64| u32::try_from(insns).unwrap_or(u32::MAX);
    let mut bounds = Vec::new();
    for of_abi in abis {
        let abi = of_abi.abi;
        bounds.push(CostBound {
            abi,
            numbers: None,
            at_least: 0,
            at_most: narrow(of_abi.worst.insns),
        });
        let mut alike: BTreeMap<(u64, u64), Vec<u32>> = BTreeMap::new();
        for call in &of_abi.calls {
            let costs = (call.least.insns, call.most.insns);
            alike.entry(costs).or_default().push(call.nr);
        }
        bounds.extend(alike.into_iter().map(|((least, most), numbers)| CostBound {
            abi,
            numbers: Some(numbers),
            at_least: narrow(least),
            at_most: narrow(most),
        }));
    }
    match session.prove_costs(&bounds) {
        Ok(answer) => Ok(matches!(answer, Answer::Holds { proof: Some(_), .. })),
        Err(AskError::Disagreement(disagreement)) => Err(Failure::Disagreement(disagreement)),
        Err(AskError::Problems(_)) => Ok(false),
    }
}

/// Counts instructions by filter.
struct ByFilter {
    at: usize,
    counts: Vec<u64>,
}

impl ByFilter {
    fn new(filters: &[Filter<'_>]) -> Self {
        Self {
            at: 0,
            counts: vec![0; filters.len()],
        }
    }
}

impl Observer for ByFilter {
    fn filter(&mut self, index: usize) {
        self.at = index;
    }

    fn step(&mut self, _: &Step) {
        if let Some(count) = self.counts.get_mut(self.at) {
            *count = count.saturating_add(1);
        }
    }
}
