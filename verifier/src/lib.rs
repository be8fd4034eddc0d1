//! Decides what a seccomp filter does over every possible call.
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
pub use limits::{Engine, Limit, Limits, Undecided};
pub use proof::{Unprovable, prove};
pub use query::{Answer, AskError, Counterexample, Finding, Outcome, Proof, Query, Session, Shown, Side, Tried, ask};
pub use regions::{Arches, Ranges, Region};
pub use sat::{Refutation, refute};
pub use space::{Set, Space};
pub use subject::Subject;
pub use test::{Relation, Test, WordTest};
pub use value::{Expr, Exprs, Field, Value, Word};
pub use verdicts::Verdicts;
pub use view::View;
pub use witness::{Disagreement, Failure, Known, Witness};
