//! What is fuzzed: functions from any bytes to nothing, which panic when callproof is wrong.
//!
//! The programs in `fuzz_targets/` hand libFuzzer's bytes to one of them; the tests of this crate hand them the bytes in
//! `corpus/`. `README.md` tells how to run them.

#![forbid(unsafe_code)]
#![allow(clippy::panic, reason = "a fuzz target speaks by panicking")]

use core::time::Duration;

use callproof_verifier::Limits;

mod choices;
mod emulator;
mod language;
mod proofs;
mod tasks;
mod text;
mod watched;

pub use choices::{policy_filter, witnesses, written};
pub use emulator::{admission, canary, engines};
pub use language::{cases, compiled, policies};
pub use proofs::{claims, proofs};
pub use tasks::tasks;
pub use text::{batch, filters, round_trip, traces};
pub use watched::watched;

/// A function that panics when something is wrong.
pub type Target = fn(&[u8]);

/// Every target by name, without the one that must fail.
pub const TARGETS: &[(&str, Target)] = &[
    ("admission", admission),
    ("engines", engines),
    ("watched", watched),
    ("tasks", tasks),
    ("filters", filters),
    ("round_trip", round_trip),
    ("batch", batch),
    ("cases", cases),
    ("policies", policies),
    ("compiled", compiled),
    ("traces", traces),
    ("proofs", proofs),
    ("claims", claims),
    ("policy_filter", policy_filter),
    ("written", written),
    ("witnesses", witnesses),
];

/// A fuzzer wants many answers rather than hard ones.
fn limits() -> Limits {
    Limits {
        nodes: 20_000,
        steps: 1_000_000,
        gates: 1 << 13,
        conflicts: 500,
        time: Duration::from_millis(200),
        ..Limits::default()
    }
}

/// The first byte as a number, and the others.
fn head(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

/// One of a list.
fn one<T: Copy>(items: &[T], number: u8) -> Option<T> {
    let at = usize::from(number).checked_rem(items.len())?;
    items.get(at).copied()
}
