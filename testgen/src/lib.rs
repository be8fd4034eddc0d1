//! Programs and calls to test seccomp emulators, verifiers and filter compilers with.
//!
//! | wanted | made by |
//! |---|---|
//! | a program that the kernel installs | [`program()`], or [`program_of`] a certain [`Shape`] |
//! | a program that the kernel may well refuse | [`near_valid`] |
//! | a program laid out as compilers of policies lay them out | [`realistic()`] |
//! | calls that reach the branches of a program | [`Harvest`] |
//! | a value that a filter may return | [`action_word`] |
//! | a policy, and calls that reach its rules | [`policy`](mod@policy) |
//! | the smallest case that still fails | [`shrink()`] |
//! | what a run exercised, as a table | [`Statistics`] |
//! | a second opinion, if wished a wrong one | [`mod@reference`] |
//!
//! With the features `arbitrary` and `proptest` there are the modules `arbitrary` and `strategies`: the same as values
//! and strategies of these crates.
//!
//! Every generator draws from a [`Choose`]: [`Seed`] for a reproducible stream of cases, [`Bytes`] for fuzzers and
//! property tests that change and shrink the bytes behind a case. Equal choices give equal cases, on every machine and
//! in every release with the same major and minor number.
//!
//! ```
//! use callproof_testgen::{Harvest, Seed, Caller, program};
//! use callproof_vm::{Filter, Machine};
//! let mut seed = Seed::new(1, 0);
//! let program = program(&mut seed);
//! let call = Harvest::of(&program).call(&mut seed, Caller { arch: 0xc000_003e, ip: 0 });
//! let value = Filter::load(&program).unwrap().run(&call, Machine::default());
//! # let _ = value;
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "arbitrary")]
pub mod arbitrary;
mod choose;
pub mod compare;
mod constants;
mod data;
mod mutate;
pub mod policy;
mod program;
mod realistic;
pub mod reference;
mod shrink;
mod statistics;
#[cfg(feature = "proptest")]
pub mod strategies;

pub use choose::{Bytes, Choose, Seed};
pub use constants::{action_word, constant};
pub use data::{Caller, Harvest};
pub use mutate::near_valid;
pub use program::{Shape, program, program_of};
pub use realistic::realistic;
pub use shrink::{Case, shrink};
pub use statistics::Statistics;
