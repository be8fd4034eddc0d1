//! Tests of seccomp filters, over every possible call.
//!
//! An expectation such as `deny socket(!AF_UNIX)` is not tried on some calls: it is decided for every value of every
//! register, and when it does not hold there is a call that shows it, replayed in an emulator of the kernel.
//!
//! ```
//! use callproof::{Filter, assert_allows, assert_denies};
//!
//! let filter = Filter::load("../examples/web-server.bpf")?.on("x86_64, i386")?;
//! assert_allows!(filter, "read(_, _, _)", "openat(_, _, flags & O_ACCMODE == O_RDONLY)");
//! assert_denies!(filter, "ptrace", "clone(clone_flags & CLONE_NEWUSER)");
//! filter.expect("errno(ENOSYS) clone3");
//! # Ok::<(), callproof::Error>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | assert in a test of one's own | [`Filter`], [`assert_denies!`], [`assert_allows!`], [`assert_subset!`], [`assert_equivalent!`] |
//! | have one test for each line of a case file | [`cases!`] |
//! | run case files and get what came of them as data | [`mod@cases`] |
//! | find what is likely wrong with a filter | [`mod@lint`] |
//! | test a compiler: hold what it made against its policy, or two filters against each other | [`assert_compiles_to!`], [`mod@relate`] |
//! | count what calls cost | [`mod@cost`] |
//! | fuzz a compiler, an optimiser or an emulator of filters | [`mod@judge`] |
//! | make a filter of a policy | [`compile`](fn@compile), [`compile_file`] |
//! | write a policy in another format, and prove that it means the same | [`Compiled::rewritten`] |
//!
//! The language of expectations is in `docs/PROPERTIES.md`, case files are in `docs/CASES.md`.
#![forbid(unsafe_code)]

pub mod cases;
mod compile;
pub mod cost;
mod equality;
mod error;
mod exhibit;
mod filter;
pub mod fuzz;
pub mod harness;
pub mod judge;
pub mod lint;
mod macros;
mod nearest;
pub mod observed;
mod options;
mod origin;
mod programs;
pub mod relate;
mod rewrite;
mod source;

pub use compile::compile;
pub use error::{Error, ErrorKind};
pub use filter::Filter;
pub use options::Options;
pub use origin::{Origin, Traced};
pub use programs::{Compiled, Programs, compile_file, compile_text, policies};
pub use rewrite::Rewritten;
pub use source::Policies;

pub use callproof_vm::{Insn, Kernel};
