//! callproof for C, and for every language that calls C.
//!
//! What stands in `include/callproof.h` is made from this crate; `docs/C_API.md` is its manual. Rust programs use the
//! crate `callproof`.
//!
//! | file | what it holds |
//! |---|---|
//! | `types` | what both sides of the border know: structs in the layout of C |
//! | `asked` | what each function answers, in safe Rust |
//! | `ffi` | the border: pointers become slices, panics become results. The only file with `unsafe` |
#![deny(unsafe_code)]

mod asked;
pub mod ffi;
mod types;

pub use types::{Outcome, RawCall, RawFilter, RawInsn, RawOptions, RawVerdict, RawWitness};
