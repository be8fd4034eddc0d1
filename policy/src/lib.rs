//! What is being claimed of a seccomp filter: predicates, policies and properties, in one language.
//!
//! ```
//! use callproof_abi::Abi;
//! use callproof_policy::{Env, parse_predicate};
//! use callproof_vm::SeccompData;
//!
//! let calls = parse_predicate("openat(_, _, flags & O_ACCMODE == O_RDONLY) on x86_64")?;
//! let calls = calls.ground(&Env::default()).expect("names that x86_64 has");
//! let open = |flags| SeccompData::new(Abi::X86_64.audit_arch(), 257, [0, 0, flags, 0, 0, 0]);
//! assert!(calls.holds_for(&open(0o2000000)));
//! assert!(!calls.holds_for(&open(1)));
//! # Ok::<(), callproof_policy::Problems>(())
//! ```
//!
//! The way of a claim through the crate:
//!
//! | step | from | to |
//! |---|---|---|
//! | read | text | [`Predicate`], [`VerdictSet`], [`PropertyFile`]: trees as they are written |
//! | ground | names | [`Grounded`]: numbers for each ABI, and which calls an ABI does not have |
//! | lower | 64-bit fields | [`Region`]: tests on the 32-bit words that filters load |
//!
//! [`Condition::holds_for`](Formula::holds_for) is the exact meaning; lowering keeps it. Everything prints, and what is
//! printed reads back as the same value. A [`Policy`] is ordered rules over the same predicates, and [`compile`] makes a
//! filter of one.
//!
//! The language is described for its users in `docs/PROPERTIES.md`.
#![forbid(unsafe_code)]

mod builtin;
mod compile;
mod condition;
mod formula;
mod ground;
mod names;
mod parse;
pub mod predicate;
mod print;
mod problem;
pub mod property;
mod region;
mod rules;
mod sets;
mod span;
mod verdict_set;
mod view;

pub use builtin::BUILT_IN_SETS;
pub use compile::{CompileError, CompileOptions, compile};
pub use condition::{Compare, Condition, Field, Test};
pub use formula::Formula;
pub use ground::{Absent, ByteOrder, Cell, Grounded, Part};
pub use parse::{
    VERDICT_LINE_HELP, VERDICT_WORDS, VerdictLine, parse_abi_list, parse_call_pattern, parse_claim,
    parse_compared_calls, parse_policy, parse_predicate, parse_properties, parse_verdict_line, parse_verdict_set,
};
pub use predicate::{AbiItem, AbiList, CallPattern, Predicate, Selector};
pub use problem::{Problem, Problems};
pub use property::{Claim, Item, Property, PropertyFile};
pub use region::{Region, WordTest};
pub use rules::{Answer, CellRules, Data, GroundPolicy, Policy, Rule};
pub use sets::{Env, Member, Sets};
pub use span::Span;
pub use verdict_set::{ErrnoValue, Outcomes, VerdictKind, VerdictSet};
pub use view::{Pairs, kernel_reads, pairs};
