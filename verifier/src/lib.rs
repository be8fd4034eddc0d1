//! Decides what a seccomp filter does over every possible call.
#![forbid(unsafe_code)]

mod graph;
mod limits;
mod live;
mod table;
mod test;
mod value;

pub use graph::{Edge, Graph, Kind, Node, NodeId};
pub use limits::{Engine, Limit, Limits, Undecided};
pub use test::{Relation, Test, WordTest};
pub use value::{Expr, Exprs, Field, Value};
