//! Judges for fuzz targets and property tests of whatever makes, changes or runs filters.
//!
//! | held against each other | by |
//! |---|---|
//! | a filter and the policy that it was made of | [`Judge::policy`], proved |
//! | a filter and what an optimiser made of it | [`Judge::same`], proved |
//! | a policy and another way to say it | [`Judge::policies`], proved |
//! | a policy and what a format of another tool makes of it | [`Judge::written`], proved |
//! | another emulator and this one | [`engine`], on the calls given |
//! | what another loader installs and what the kernel does | [`admission`] |
//! | a program and what is read back of it, in every format | [`round_trips`] |
//!
//! A fuzz target for a compiler of policies, with the generators of `callproof-testgen`:
//!
//! ```
//! use callproof::judge::Judge;
//! use callproof_policy::{CompileOptions, Env, GroundPolicy, compile};
//! use callproof_testgen::{Bytes, policy::{PolicyShape, policy}};
//!
//! // The compiler under test: yours.
//! fn compiler(policy: &GroundPolicy) -> Option<Vec<callproof::Insn>> {
//!     compile(policy, &CompileOptions::default()).ok()
//! }
//!
//! fn target(bytes: &[u8]) {
//!     let policy = policy(&mut Bytes::new(bytes), &PolicyShape::seccompiler());
//!     let ground = policy.ground(&Env::default()).expect("generated policies can be grounded");
//!     let Some(filter) = compiler(&ground) else { return };
//!     if let Err(wrong) = Judge::default().policy(&filter, &ground) {
//!         panic!("{policy}{wrong}");
//!     }
//! }
//! target(&[5, 200, 3, 90, 77, 12, 255, 1, 60]);
//! ```

mod proof;
mod replay;

use core::fmt;

use callproof_vm::SeccompData;

pub use proof::Judge;
pub use replay::{admission, engine, round_trips};

/// What a judge found that finds nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is undecided is not proved"]
pub enum Agreement {
    /// Both sides answer every call the same: the checker accepted a proof
    Proved,
    /// A limit was reached before there was an answer
    Undecided(String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What it is, as a lower-case fragment
    pub message: String,
    /// A call that shows it, replayed in the emulator
    pub call: Option<SeccompData>,
    /// What the two sides answer to it, in the order of the judge's arguments
    pub answers: Option<[u32; 2]>,
}

impl Disagreement {
    fn new(message: impl fmt::Display) -> Box<Self> {
        Box::new(Self {
            message: message.to_string(),
            call: None,
            answers: None,
        })
    }

    fn shown(message: &str, call: SeccompData, answers: [u32; 2]) -> Box<Self> {
        Box::new(Self {
            message: message.to_owned(),
            call: Some(call),
            answers: Some(answers),
        })
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(call) = &self.call {
            write!(f, ": see {}", callproof_formats::call::print(call))?;
        }
        match self.answers {
            Some([left, right]) => write!(f, ", which gets {left:#010x} and should get {right:#010x}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Disagreement {}
