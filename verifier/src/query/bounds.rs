//! Bounds on what calls cost, many at a time, in one proof.

use std::time::Instant;

use callproof_abi::Abi;
use callproof_checker::Part;
use callproof_policy::{AbiItem, AbiList, Env, Problem, Region, parse_predicate};

use super::Session;
use super::answer::{Answer, AskError, Partial, Proof, Stop, Tried};
use super::proving;
use super::regions::{NEVER, Regions};
use super::statement::{Stated, among, costs};
use crate::limits::Undecided;
use crate::space::Set;

/// Some calls of an ABI cost no less and no more than this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostBound {
    /// The ABI
    pub abi: Abi,
    /// The numbers of the calls; `None` is every number that is one of the ABI, of a call or of none
    pub numbers: Option<Vec<u32>>,
    /// Executed instructions, over all filters: no fewer
    pub at_least: u32,
    /// No more
    pub at_most: u32,
}

impl Session<'_> {
    /// Proves bounds on costs in one proof, whatever the arguments: what the checker accepts takes not much more for
    /// many bounds than for one.
    ///
    /// Says nothing about bounds that are false: those are [undecided](Answer::Undecided), unproved.
    ///
    /// # Errors
    /// When the emulator contradicts the verifier.
    pub fn prove_costs(&mut self, bounds: &[CostBound]) -> Result<Answer, AskError> {
        self.space().restart();
        let undecided = |limits, known| Ok(Answer::Undecided(Tried { limits, known }));
        match self.costs_proved(bounds, Instant::now()) {
            Ok(None) => Ok(Answer::Vacuous),
            Ok(proof) => Ok(Answer::Holds {
                proof,
                shown: Vec::new(),
            }),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Undecided(limit)) => undecided(vec![limit], None),
            Err(Stop::Unproved) => undecided(Vec::new(), Some(Partial::Unproved)),
        }
    }

    fn costs_proved(&self, bounds: &[CostBound], begun: Instant) -> Result<Option<Proof>, Stop> {
        let mut regions = Regions::new(self.machine().endian);
        let mut parts: Vec<Part> = Vec::new();
        for bound in bounds {
            let mut calls = every_call(bound.abi)?.region(self.order);
            if let Some(numbers) = &bound.numbers {
                calls = Region::all([calls, among(0, numbers)]);
            }
            let within = regions.add(&calls);
            if within != NEVER {
                parts.extend(costs(within, bound.at_least, bound.at_most));
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let stated = Stated::about(self.filters(), regions, parts);
        proving::proof(self, &stated, begun).map(Some)
    }

    /// All calls of an ABI: every number that it could have, and every value of the arguments.
    ///
    /// # Errors
    /// [`Undecided`] at a limit.
    pub fn calls_of_abi(&mut self, abi: Abi) -> Result<Set, Undecided> {
        match every_call(abi) {
            Ok(grounded) => self.asked(&grounded),
            Err(_) => Ok(Set::EMPTY),
        }
    }
}

fn every_call(abi: Abi) -> Result<callproof_policy::Grounded, Vec<Problem>> {
    let all = parse_predicate("*").map_err(|problems| problems.problems)?;
    all.ground(&Env::new(AbiList::of([AbiItem::Abi(abi)])))
}
