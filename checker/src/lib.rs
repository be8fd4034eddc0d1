//! Checks proofs about seccomp filters.
//!
//! A proof file says what it claims and why; `docs/PROOFS.md` defines it byte by byte.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]

extern crate alloc;

mod bytes;
mod format;
mod rejected;

pub use format::{Claim, Machine, Op, Region, Relation, Set, Shift, Statement, View, Way, statement};
pub use rejected::{Kind, Rejected};
