//! Proofs: nothing is said to hold before the checker accepted one.

use std::time::Instant;

use callproof_vm::{Endian, Filter, Insn};

use super::Session;
use super::answer::{Proof, Stop};
use super::replay::contradicted;
use super::statement::Stated;
use crate::limits::{Engines, Limits};
use crate::proof::{Unprovable, prove};
use crate::sat::{Refutation, refute};
use crate::subject::Subject;
use crate::witness::disagreement;

/// A proof of what the diagrams say is true, by diagrams if they can write it down, else by a refutation.
pub(super) fn proof(session: &Session<'_>, stated: &Stated<'_>, begun: Instant) -> Result<Proof, Stop> {
    let limits = session.limits().since(begun);
    if let Some(proof) = by_diagrams(session, stated, &limits) {
        return Ok(proof);
    }
    if limits.engines == Engines::Diagram {
        return Err(Stop::Unproved);
    }
    match by_sat(session, stated, &session.limits().since(begun))? {
        Decided::Holds(proof) => Ok(proof),
        Decided::Fails(_) if stated.stronger => Err(Stop::Unproved),
        // One engine says so and the other does not.
        Decided::Fails(call) => Err(disagreement(call, 0, 1).into()),
    }
}

fn by_diagrams(session: &Session<'_>, stated: &Stated<'_>, limits: &Limits) -> Option<Proof> {
    let machine = session.machine();
    let subjects: Vec<Subject<'_>> = stated
        .chains
        .iter()
        .map(|chain| Subject::unexplored(chain, machine))
        .collect();
    let file = prove(&subjects.iter().collect::<Vec<_>>(), &stated.claim, limits).ok()?;
    accepted(session, stated, file)
}

/// What the SAT engine says of a statement.
pub(super) enum Decided {
    /// It is true
    Holds(Proof),
    /// This call contradicts it in the emulator
    Fails(callproof_vm::SeccompData),
}

/// Has a statement decided by the SAT engine.
pub(super) fn by_sat(session: &Session<'_>, stated: &Stated<'_>, limits: &Limits) -> Result<Decided, Stop> {
    let chains: Vec<&[Filter<'_>]> = stated.chains.iter().map(AsRef::as_ref).collect();
    match refute(&chains, session.machine(), &stated.claim, limits) {
        Ok(Refutation::Holds(file)) => accepted(session, stated, file)
            .map(Decided::Holds)
            .ok_or(Stop::Unproved),
        Ok(Refutation::Fails(call)) => match contradicted(session, stated, &call) {
            Some(_) => Ok(Decided::Fails(call)),
            None => Err(disagreement(call, 1, 0).into()),
        },
        Err(Unprovable::Undecided(undecided)) => Err(undecided.into()),
        Err(Unprovable::Unsupported(_)) => Err(Stop::Unproved),
    }
}

/// A proof file as a proof, if the checker accepts it as one of this statement.
fn accepted(session: &Session<'_>, stated: &Stated<'_>, file: Vec<u8>) -> Option<Proof> {
    let machine = session.machine();
    let programs: Vec<Vec<Vec<u8>>> = stated
        .chains
        .iter()
        .map(|chain| chain.iter().map(|filter| bytes(filter, machine.endian)).collect())
        .collect();
    let chains: Vec<Vec<&[u8]>> = programs
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
    Proof::accepted(file, &stated.claim, machine, &chains).ok()
}

/// A program as it lies in memory.
fn bytes(filter: &Filter<'_>, endian: Endian) -> Vec<u8> {
    let insns = filter.program().iter();
    insns.flat_map(|insn: &Insn| insn.to_bytes(endian)).collect()
}
