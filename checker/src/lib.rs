//! Checks proofs about seccomp filters.
//!
//! A proof file says what it claims, for all inputs, and why; `docs/PROOFS.md` defines it byte by byte. [`check`]
//! takes the file and the filters, decodes the filters itself, and either accepts the claim or says what is wrong.
//! It believes nothing that the file says. Nobody who only trusts this crate needs to trust what found the proof.
//!
//! The way through the crate:
//!
//! | step | where |
//! |---|---|
//! | bytes become numbers | `bytes` |
//! | the head of the file: what is claimed | [`statement`], [`Statement`] |
//! | the bytes of a filter become instructions | `program` |
//! | registers become bits of input words | `value` |
//! | a table of nodes, and sets of values at its ends | `diagram`, `class` |
//! | from each point of a filter to the next ones | `points`, `run`, `switch` |
//! | does an edge stand for what the instructions say? | `agree` |
//! | does the claim hold for the edges? | `claim`, `relation` |
//! | or: what would make the claim false, as clauses | `circuit`, [`formula`](crate::formula()) |
//! | and a derivation of the empty clause from them | `refutation` |
//! | all of this in bounded time and memory | `budget` |

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]

extern crate alloc;

mod agree;
mod budget;
mod bytes;
mod circuit;
mod claim;
mod class;
mod diagram;
mod format;
mod formula;
mod points;
mod program;
mod refutation;
mod rejected;
mod relation;
mod run;
mod switch;
mod value;

use alloc::vec::Vec;

pub use circuit::Literal;
pub use format::{Claim, Event, Machine, Part, Region, Relation, Set, Shift, Statement, View, Way, statement};
pub use formula::Formula;
pub use rejected::{Kind, Rejected};

use bytes::Reader;
use format::Method;

/// Accepts the claim of a proof file about filters, or says why not.
///
/// `chains` holds the filters, as arrays of 8-byte `struct sock_filter` in the byte order of the machine that the file
/// names: one or two chains, each oldest filter first. What was accepted is returned; whether that is what one wanted
/// to know is for the caller to compare.
///
/// # Errors
/// The file is unreadable, does not show its claim for these filters, cannot speak about what they do, or takes more
/// than 1,000,000 steps and 1,000 for each byte of file and filters.
pub fn check(file: &[u8], chains: &[&[&[u8]]]) -> Result<Statement, Rejected> {
    let r = &mut Reader::new(file);
    let (method, statement) = format::head(r)?;
    let programs = programs(&statement, chains)?;
    let filters = chains.iter().flat_map(|chain| chain.iter());
    let bytes = filters.fold(file.len(), |sum, filter| sum.saturating_add(filter.len()));
    match method {
        Method::Diagram => claim::check(r, &statement, &programs, bytes)?,
        Method::Refutation => refutation::check(r, &Formula::new(&statement, &programs)?, bytes)?,
    }
    Ok(statement)
}

/// What would make a statement false about these filters, as the clauses that a refutation refutes.
///
/// # Errors
/// The filters do not have the shape of the statement or are none, or the claim cannot be refuted this way.
pub fn formula(statement: &Statement, chains: &[&[&[u8]]]) -> Result<Formula, Rejected> {
    Formula::new(statement, &programs(statement, chains)?)
}

/// Decodes the filters, if there are as many and as long ones as stated.
fn programs(statement: &Statement, chains: &[&[&[u8]]]) -> Result<Vec<Vec<Vec<program::Insn>>>, Rejected> {
    let given = chains.iter().map(|chain| chain.len());
    if !given.eq(statement.shape.iter().map(Vec::len)) {
        return Err(Rejected::wrong("the proof is about another number of filters"));
    }
    let mut programs = Vec::new();
    for (chain, lengths) in chains.iter().zip(&statement.shape) {
        let filters = chain.iter().zip(lengths);
        let decoded = filters.map(|(filter, &length)| program::decode(filter, length, &statement.machine));
        programs.push(decoded.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(programs)
}
