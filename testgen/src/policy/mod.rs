//! Policies as people write them, and calls that reach their rules.
//!
//! ```
//! use callproof_policy::Env;
//! use callproof_testgen::Seed;
//! use callproof_testgen::policy::{PolicyCalls, PolicyShape, policy};
//! let mut seed = Seed::new(1, 0);
//! let ground = policy(&mut seed, &PolicyShape::seccompiler()).ground(&Env::default()).unwrap();
//! let call = PolicyCalls::of(&ground).call(&mut seed);
//! let value = ground.decide(&call); // what a filter that was made of the policy has to return
//! # let _ = value;
//! ```

mod calls;
mod conditions;
mod make;
mod shape;

pub use calls::PolicyCalls;
pub use make::policy;
pub use shape::{Comparison, PolicyShape};
