//! What the Linux kernel does with a seccomp filter.
//!
//! ```
//! use callproof_vm::{Action, Chain, Filter, Insn, Machine, SeccompData};
//!
//! // Deny getpid (39) on x86-64 with EPERM, allow the rest.
//! let program = vec![
//!     Insn::stmt(0x20, 0),
//!     Insn::jump(0x15, 39, 0, 1),
//!     Insn::stmt(0x06, 0x0005_0001),
//!     Insn::stmt(0x06, 0x7fff_0000),
//! ];
//! let filter = Filter::load(program)?;
//! let call = SeccompData::new(0xc000_003e, 39, [0; 6]);
//! let verdict = Chain::new(&[filter]).run(&call, Machine::default());
//! assert_eq!(verdict.action, Action::Errno);
//! assert_eq!(verdict.data(), 1);
//! # Ok::<(), callproof_vm::Rejected>(())
//! ```
//!
//! The way through the crate is the way of a filter through the kernel:
//!
//! | step | where |
//! |---|---|
//! | bytes become instructions | [`Insn`], [`isa`] |
//! | the kernel admits a program, or names every rule it breaks | [`Filter::load`], [`Rule`], [`length`] |
//! | an admitted filter judges a call | [`Filter::run`], [`observe`] |
//! | the filters of one thread are combined | [`Chain`], [`Verdict`], [`Action`] |
//! | or are not asked at all | [`bitmap`] |
//! | the caller observes something | [`effect`], [`Outcome`] |
//! | a call that installs a filter succeeds or not | [`install`] |
//! | threads share chains, tracers and supervisors answer | `task` (needs the `alloc` feature) |
//!
//! Nothing here reads a file, asks a kernel or knows a system call's name. Evaluation never allocates; without the
//! `alloc` feature nothing does. A filter sees registers and never the memory they point to, so neither does this crate.
//!
//! Every rule comes from experiments on Linux 6.18 for x86-64 and from reading older releases; what depends on a
//! release is a [`Gate`], and what depends on the machine is a field of [`Machine`].

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test is a failing test")
)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg_attr(
    not(feature = "alloc"),
    expect(
        clippy::needless_borrow,
        reason = "a borrowed store is a reference already, an owning one is not"
    )
)]
mod admit;
pub mod bitmap;
mod chain;
mod data;
pub mod effect;
mod errno;
mod eval;
mod insn;
pub mod install;
pub mod isa;
mod kernel;
pub mod length;
pub mod observe;
mod outcome;
#[cfg(feature = "alloc")]
pub mod task;
mod verdict;

pub use admit::{Filter, Rejected, Rule, Store, Violation};
pub use chain::Chain;
pub use data::{Endian, SeccompData};
pub use errno::Errno;
pub use insn::{Insn, InsnAt};
pub use kernel::{Evidence, Gate, Kernel, Machine, NotARelease, ShiftByX};
pub use outcome::{NoOutcome, Outcome};
pub use verdict::{Action, Verdict, combine};
