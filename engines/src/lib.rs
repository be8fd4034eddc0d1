//! Fast evaluation of filter chains, held against the plain loop of `callproof-vm`.
//!
//! | engine | what it does first | for |
//! |---|---|---|
//! | [`Reference`] | nothing | a few calls, and to hold the others against |
//! | [`Predecoded`] | decodes each instruction once and joins those that go together | thousands of calls |
//! | [`Specialised`] | works out what every call number gets, as far as no argument is tested | millions of calls |
//!
//! All of them give the same [`Decision`] for every call on the machine they were made for: verdict, deciding filter and
//! the number of executed instructions. [`Kind::for_calls`] chooses by the number of calls, [`Adaptive`] while they come in,
//! and [`batch`] judges slices on all cores.
//!
//! ```
//! use callproof_engines::{Engine, Specialised};
//! use callproof_vm::{Action, Filter, Insn, Machine, SeccompData};
//!
//! let program = vec![
//!     Insn::stmt(0x20, 0),
//!     Insn::jump(0x15, 39, 0, 1),
//!     Insn::stmt(0x06, 0x0005_0001),
//!     Insn::stmt(0x06, 0x7fff_0000),
//! ];
//! let engine = Specialised::new(&[Filter::load(program)?], Machine::default());
//! let decision = engine.decide(&SeccompData::new(0xc000_003e, 39, [0; 6]));
//! assert_eq!((decision.verdict.action, decision.insns), (Action::Errno, 3));
//! # Ok::<(), callproof_vm::Rejected>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )
)]

mod adaptive;
pub mod batch;
mod engine;
mod place;
mod predecoded;
mod ranges;
mod reference;
mod specialised;
mod test;

pub use adaptive::Adaptive;
pub use engine::{Decision, Engine, Kind, UnknownKind};
pub use predecoded::Predecoded;
pub use reference::Reference;
pub use specialised::{Shape, Specialised};
