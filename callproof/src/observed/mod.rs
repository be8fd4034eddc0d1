//! What programs did, held against filters: denials explained, traces replayed.
//!
//! | to | see |
//! |---|---|
//! | know why something was denied | [`why`] |
//! | know what of a trace would be denied, and what of a filter it never uses | [`replay`] |
//! | know what the C library does when a call fails | [`fallback`] |

mod fallback;
mod group;
mod replay;
mod settle;
mod traced;
mod used;
mod why;

pub use fallback::{Fallback, fallback};
pub use group::{Answer, Group};
pub use replay::{OfCall, Replayed, replay};
pub use used::{Unused, Way};
pub use why::{Why, why};

pub(crate) use traced::{Traced, traced};
pub(crate) use used::Used;

use callproof_abi::Abi;
use callproof_engines::Kind;
use callproof_policy::ByteOrder;
use callproof_verifier::Limits;
use callproof_vm::{Filter, Machine};
use serde::Serialize;

/// A chain that calls are held against.
#[derive(Clone, Copy, Debug)]
pub struct Against<'f> {
    /// The filters, oldest first
    pub filters: &'f [Filter<'f>],
    /// The same filters with a number in the data of every return, which tells what gave the answer, if somebody has such
    pub marked: Option<&'f [Filter<'f>]>,
    /// The kernel
    pub machine: Machine,
    /// Which half of a register is which
    pub order: ByteOrder,
    /// The ABI of calls whose line does not tell it
    pub abi: Abi,
    /// How far the search for an answer about one call goes
    pub limits: &'f Limits,
    /// Who judges the calls of a trace: with [`Kind::Specialised`], calls whose decision does not depend on arguments are
    /// run once for each number
    pub engine: Kind,
}

/// Lines that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// How many
    pub count: u64,
    /// What is wrong with the first ones
    pub first: Vec<String>,
}

/// How many are told in full.
const TOLD: usize = 3;

impl Unread {
    pub(crate) fn add(&mut self, what: &dyn core::fmt::Display) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < TOLD {
            self.first.push(what.to_string());
        }
    }
}
