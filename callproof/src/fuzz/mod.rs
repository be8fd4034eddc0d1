//! Filter compilers put to the test: policies through a compiler, each filter proved to be its policy or shown not to be.
//!
//! docs/FUZZING.md is the way from a compiler to a finding, by the command `callproof fuzz`, which is made of these parts.

mod campaign;
mod compiler;
mod finding;
mod judge;
mod lock;
mod setting;
mod shrink;
mod state;
mod verdict;

pub use campaign::{Plan, Report, campaign};
pub use compiler::Compiler;
pub use finding::{Finding, Replayed, replay};
pub use judge::{Fuzz, OFFERED, Tried};
pub use shrink::{Effort, shrink};
pub use state::Totals;
pub use verdict::{Fault, Kind, Verdict};
