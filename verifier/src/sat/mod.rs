//! Decides claims by bit-blasting and a SAT solver, for filters whose functions have no small diagrams.

mod blast;
mod circuit;
mod derive;
mod solve;

use callproof_checker::Claim;
use callproof_vm::{Filter, Machine, SeccompData};

use crate::limits::Limits;
use crate::order::row;
use crate::proof::{self, Unprovable};
use circuit::Circuit;
use solve::Answer;

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refutation {
    /// No call shows the claim false; the bytes of a proof, for the checker to accept
    Holds(Vec<u8>),
    /// This call shows the claim false, or would, if the views of the claim force nothing. The caller replays it
    Fails(SeccompData),
}

/// Decides a claim about one or two chains, each with its oldest filter first, on a machine, whatever the filters compute.
///
/// # Errors
/// [`Unprovable`] when a limit on time, conflicts or memory is reached.
pub fn refute(
    chains: &[&[Filter<'_>]],
    machine: Machine,
    claim: &Claim,
    limits: &Limits,
) -> Result<Refutation, Unprovable> {
    let statement = proof::statement(chains, machine, claim);
    let mut circuit = Circuit::new(limits);
    let goal = blast::goal(&mut circuit, chains, machine, claim, statement.machine.shift)?;
    let clauses = solve::clauses(&circuit, goal, limits)?;
    let variables = circuit.variables();
    drop(circuit);
    match solve::solve(&clauses, variables, limits)? {
        Answer::Input(words) => {
            let mut in_memory = [0; 16];
            for (word, place) in words.into_iter().zip(row(machine.endian)) {
                if let Some(slot) = in_memory.get_mut(usize::from(place)) {
                    *slot = word;
                }
            }
            Ok(Refutation::Fails(SeccompData::from_words(in_memory, machine.endian)))
        }
        Answer::None(learnt) => {
            let steps = derive::derive(&clauses, &learnt, variables, limits)?;
            let steps = steps.ok_or(Unprovable::Unsupported("the solver's reasons do not add up"))?;
            let steps: Vec<_> = steps.into_iter().map(|step| (step.literals, step.hints)).collect();
            let given = u32::try_from(clauses.len()).unwrap_or(u32::MAX);
            Ok(Refutation::Holds(proof::refutation(&statement, given, &steps)))
        }
    }
}
