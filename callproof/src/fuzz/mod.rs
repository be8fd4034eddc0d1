//! Filter compilers put to the test: policies through a compiler, each filter proved to be its policy or shown not to be.
//!
//! docs/FUZZING.md is the way from a compiler to a finding, by the command `callproof fuzz`, which is made of these parts.

mod compiler;
mod judge;
mod random;
mod shrink;
mod verdict;

pub use compiler::Compiler;
pub use judge::{Fuzz, Tried};
pub use random::random_policy;
pub use shrink::{Effort, shrink};
pub use verdict::{Fault, Kind, Verdict};
