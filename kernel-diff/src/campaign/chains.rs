//! Chains in a campaign: which result the kernel keeps of several, and how many filters fit on one thread.

use core::ops::Range;
use std::collections::BTreeMap;

use callproof_vm::length::FILTER_PENALTY;
use callproof_vm::{Insn, Outcome, SeccompData};

use super::report::{add_counts, count};
use super::{Model, Source};
use crate::native::ChainOracle;
use crate::oracle::{Failure, Missing, Oracle as _};
use crate::room::fitting;

/// One number of so many has a chain. Each costs a process, and one more for every call that kills.
const CHAIN_EVERY: u64 = 8;
/// One chain of so many is measured. That costs two processes which fill their chains to the brim.
const ROOM_EVERY: u64 = 8;

/// What a campaign compared of chains, and what it found.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// Why no chain was compared, if none could be
    pub missing: Option<Missing>,
    /// Chains whose outcomes were compared
    pub chains: u64,
    /// Calls whose outcome was compared
    pub calls: u64,
    /// Chains by how many filters they have
    pub by_filters: BTreeMap<usize, u64>,
    /// Calls by what the kernel showed
    pub by_outcome: BTreeMap<&'static str, u64>,
    /// Chains of which was compared how much room they need, to one instruction
    pub rooms: u64,
    /// What kernel and model disagree about, at most one for each chain, the smallest numbers first
    pub mismatches: Vec<ChainMismatch>,
}

/// One disagreement about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainMismatch {
    /// Number of the chain in the campaign
    pub number: u64,
    /// The filters, oldest first, made as few and small as the source was able to
    pub chain: Vec<Vec<Insn>>,
    /// The filters as they were made
    pub original: Vec<Vec<Insn>>,
    /// About what they disagree
    pub kind: ChainDisagreement,
}

/// About what kernel and model disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainDisagreement {
    /// What a call shows
    Outcome {
        /// The call
        data: SeccompData,
        /// What the kernel showed
        kernel: Outcome,
        /// What would show if the model were right
        model: Outcome,
    },
    /// How many of the filters a thread may install
    Room {
        /// Converted instructions that the thread had room for
        room: u32,
        /// How many the kernel installed
        kernel: usize,
        /// How many the model says
        model: usize,
    },
}

/// Compares chains, for one job.
pub(super) struct Comparer<'c, S: ?Sized, M: ?Sized> {
    pub(super) source: &'c S,
    pub(super) model: &'c M,
    pub(super) oracle: ChainOracle,
}

impl<S: Source + ?Sized, M: Model + ?Sized> Comparer<'_, S, M> {
    /// Compares the chains of some numbers. `failed` is told of what could not be compared.
    pub(super) fn compare(&mut self, numbers: Range<u64>, failed: &mut dyn FnMut(Failure)) -> Chains {
        let mut chains = Chains::default();
        let observes = self.oracle.observes();
        for number in numbers.filter(|number| number.is_multiple_of(CHAIN_EVERY)) {
            let Some((chain, data)) = self.source.chain(number, &observes) else {
                continue;
            };
            let found = self.outcomes(&chain, &data, &mut chains);
            let found = match found {
                Ok(None) if number.is_multiple_of(CHAIN_EVERY * ROOM_EVERY) => self.room(&chain, &mut chains),
                found => found,
            };
            match found {
                Ok(None) => {}
                Ok(Some(kind)) => chains.mismatches.push(ChainMismatch {
                    number,
                    original: chain.clone(),
                    chain,
                    kind,
                }),
                Err(failure) => failed(failure),
            }
        }
        chains
    }

    fn outcomes(
        &mut self,
        chain: &[Vec<Insn>],
        data: &[SeccompData],
        chains: &mut Chains,
    ) -> Result<Option<ChainDisagreement>, Failure> {
        let kernel = self.oracle.outcomes(chain, data)?;
        count(&mut chains.by_filters, chain.len());
        chains.chains = chains.chains.saturating_add(1);
        chains.calls = chains.calls.saturating_add(kernel.len() as u64);
        let mut found = None;
        for (data, kernel) in data.iter().zip(kernel) {
            count(&mut chains.by_outcome, kind(kernel));
            let model = ChainOracle::shown(self.model.outcome(chain, data));
            if kernel != model && found.is_none() {
                found = Some(ChainDisagreement::Outcome {
                    data: *data,
                    kernel,
                    model,
                });
            }
        }
        Ok(found)
    }

    /// Compares whether the chain fits the room that the model says it needs, and nothing less.
    fn room(&self, chain: &[Vec<Insn>], chains: &mut Chains) -> Result<Option<ChainDisagreement>, Failure> {
        let found = room(self.model, chain)?;
        chains.rooms = chains.rooms.saturating_add(1);
        Ok(found)
    }

    /// Leaves away and makes smaller what is not needed for the disagreement.
    pub(super) fn shrink(&mut self, mismatch: &mut ChainMismatch) {
        let mut at = 0;
        while at < mismatch.chain.len() {
            let mut fewer = mismatch.chain.clone();
            fewer.remove(at);
            if !self.keep_if_wrong(mismatch, fewer) {
                at = at.saturating_add(1);
            }
        }
        for at in 0..mismatch.chain.len() {
            let Some(program) = mismatch.chain.get(at).cloned() else {
                continue;
            };
            let data = match mismatch.kind {
                ChainDisagreement::Outcome { data, .. } => data,
                ChainDisagreement::Room { .. } => SeccompData::default(),
            };
            let source = self.source;
            source.shrink(program, data, &mut |program, _| {
                let mut smaller = mismatch.chain.clone();
                if let Some(place) = smaller.get_mut(at) {
                    program.clone_into(place);
                }
                self.keep_if_wrong(mismatch, smaller)
            });
        }
    }

    /// Takes another chain for a mismatch if kernel and model disagree about that as well. Whether they do.
    fn keep_if_wrong(&mut self, mismatch: &mut ChainMismatch, chain: Vec<Vec<Insn>>) -> bool {
        if chain.is_empty() || !chain.iter().all(|program| self.model.admits(program)) {
            return false;
        }
        let found = match mismatch.kind {
            ChainDisagreement::Outcome { data, .. } => self.outcomes(&chain, &[data], &mut Chains::default()),
            ChainDisagreement::Room { .. } => room(self.model, &chain),
        };
        let Ok(Some(kind)) = found else { return false };
        (mismatch.chain, mismatch.kind) = (chain, kind);
        true
    }
}

/// Asks the kernel whether a chain needs just the room that the model says.
fn room<M: Model + ?Sized>(model: &M, chain: &[Vec<Insn>]) -> Result<Option<ChainDisagreement>, Failure> {
    let programs: Vec<&[Insn]> = chain.iter().map(Vec::as_slice).collect();
    let lengths = programs.iter().map(|program| model.length(program));
    // The newest filter takes its length alone: the penalty is charged to those below it.
    let needed = lengths.fold(0, |sum: u32, len| {
        sum.saturating_add(len).saturating_add(FILTER_PENALTY)
    });
    let needed = needed.saturating_sub(FILTER_PENALTY);
    for (room, model) in [
        (needed, chain.len()),
        (needed.saturating_sub(1), chain.len().saturating_sub(1)),
    ] {
        let kernel = fitting(&programs, room)?;
        if kernel != model {
            return Ok(Some(ChainDisagreement::Room { room, kernel, model }));
        }
    }
    Ok(None)
}

impl Chains {
    pub(super) fn add(&mut self, other: Self) {
        for (mine, others) in [
            (&mut self.chains, other.chains),
            (&mut self.calls, other.calls),
            (&mut self.rooms, other.rooms),
        ] {
            *mine = mine.saturating_add(others);
        }
        add_counts(&mut self.by_filters, other.by_filters);
        add_counts(&mut self.by_outcome, other.by_outcome);
        self.mismatches.extend(other.mismatches);
    }
}

/// A word for statistics. The oracle of a campaign sees no more than these.
const fn kind(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Runs => "runs",
        Outcome::Errno(_) | Outcome::Trace(_) => "errno",
        Outcome::Trap(_) => "trap",
        Outcome::KillThread | Outcome::KillProcess => "killed",
    }
}
