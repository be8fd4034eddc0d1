//! Decides what a seccomp filter does over every possible call.
//!
//! No sampling and no path limit: answers are exact for all 2^512 inputs, or [`Undecided`] with the limit named.
//!
//! ```
//! use callproof_verifier::{Limits, Set, Space, Subject, Verdicts, View};
//! use callproof_vm::{Filter, Insn, Machine};
//!
//! // Allow write (1) to descriptor 2 alone; anything else gets EPERM.
//! let filters = [Filter::load(vec![
//!     Insn::stmt(0x20, 0),
//!     Insn::jump(0x15, 1, 0, 3),
//!     Insn::stmt(0x20, 16),
//!     Insn::jump(0x15, 2, 0, 1),
//!     Insn::stmt(0x06, 0x7fff_0000),
//!     Insn::stmt(0x06, 0x0005_0001),
//! ])?];
//! let (machine, limits) = (Machine::default(), Limits::default());
//! let subject = Subject::new(&filters, machine, &limits)?;
//! let mut space = Space::new(machine, &[&subject], &limits);
//! let function = space.function(&subject, View::Value)?;
//!
//! // Nothing but write is permitted ...
//! let permitted = space.calls(&function, &Verdicts::permitted(machine.kernel))?;
//! let write = space.numbers(1, 1)?;
//! assert!(space.minus(permitted, write)?.is_empty());
//! // ... but the high half of the descriptor is not looked at: here is a call, replayed in the emulator.
//! let large = space.argument(0, callproof_verifier::Relation::Above, u64::MAX, u64::from(u32::MAX))?;
//! let set = space.and(permitted, large)?;
//! let witness = space.witness(set, &[(&subject, &function)])?.ok_or("no such call")?;
//! assert_eq!(witness.call.args[0], 0x1_0000_0002);
//! // No call costs more than five instructions.
//! let mut costs = space.costs(&subject)?;
//! let worst = space.worst_case(&subject, &mut costs, Set::ALL)?.ok_or("no call at all")?;
//! assert_eq!(worst.insns, 5);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! | step | where |
//! |---|---|
//! | a filter becomes a graph of tests on input words | [`Graph`], [`Value`], [`Test`] |
//! | graphs become canonical diagrams; equal functions are equal | [`Space`], [`Function`], [`Set`] |
//! | functions are compared, and differences shown by calls | [`Space::differ`], [`Space::less_severe`], [`Witness`] |
//! | instructions are counted, dead ones and hazards found | [`Space::costs`], [`Space::audit`] |
//! | a filter is explained | [`Space::regions`], [`Space::decision`] |
//! | claims are decided without diagrams, by a SAT solver | [`refute`] |
//! | proofs are written for the independent checker | [`prove`], [`refute`] |
//! | questions in the language of properties are answered | [`ask`], [`Session`] |
//!
//! Every call that is shown was replayed in the emulator; a disagreement is a [`Failure`], never an answer.

#![forbid(unsafe_code)]

mod audit;
mod compare;
mod cost;
mod decision;
mod diagram;
mod fault;
mod function;
mod graph;
mod limits;
mod live;
mod order;
mod proof;
mod query;
mod reach;
mod regions;
mod sat;
mod space;
mod subject;
mod table;
mod test;
mod value;
mod verdicts;
mod view;
mod witness;

pub use audit::{Audit, Hazard, HazardKind};
pub use cost::{Costs, WorstCase};
pub use decision::{Condition, Decision, Register, Width};
pub use function::Function;
pub use graph::{Edge, Graph, Kind, Node, NodeId};
pub use limits::{Engine, Engines, Limit, Limits, Undecided};
pub use proof::{Unprovable, prove};
pub use query::{
    Answer, AskError, CostBound, Counterexample, Finding, Outcome, Partial, Proof, Query, Session, Shown, Side, Tried,
    ask, cache_bound,
};
pub use regions::{Arches, Ranges, Region};
pub use sat::{Refutation, refute};
pub use space::{Set, Space};
pub use subject::Subject;
pub use test::{Relation, Test, WordTest};
pub use value::{Expr, Exprs, Field, Value, Word};
pub use verdicts::Verdicts;
pub use view::View;
pub use witness::{Disagreement, Failure, Known, Witness};
