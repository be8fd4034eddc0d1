//! Decision diagrams over the input bits, and how a filter's graph becomes one.
//!
//! Two kinds share the code that builds them: [`Arena`], whose leaves are 32-bit values, and
//! [`Sums`](sums::Sums), whose edges carry instruction counts.

mod arena;
mod bits;
mod build;
pub(crate) mod sums;
mod switch;
pub(crate) mod word;

use core::fmt::Debug;

use crate::limits::Undecided;
use crate::order::{Order, Var};
use crate::table::Key;
use crate::test::WordTest;
pub(crate) use arena::{Arena, Ref};
pub(crate) use bits::{Bits, Words, above, boolean};
pub(crate) use build::{Build, Leaves, Plan};
pub(crate) use switch::{Partition, switch};

/// A canonical diagram: equal functions have equal edges.
pub(crate) trait Diagram {
    /// A function.
    type Edge: Copy + Eq + Debug;

    fn order(&self) -> &Order;
    /// One more step of work.
    fn step(&mut self) -> Result<(), Undecided>;
    /// The first bit the function asks for; [`TERMINAL`](crate::order::TERMINAL) when none.
    fn var(&self, edge: Self::Edge) -> Var;
    /// The function when a bit is 0 and when it is 1; the bit is not behind the one it asks first.
    fn split(&self, edge: Self::Edge, var: Var) -> (Self::Edge, Self::Edge);
    /// The function that asks a bit and goes on with one of two that ask later bits.
    fn join(&mut self, var: Var, low: Self::Edge, high: Self::Edge) -> Result<Self::Edge, Undecided>;
    /// The function that is 0 everywhere.
    fn zero(&self) -> Self::Edge;
    /// The function plus a number of instructions, where those are counted.
    fn plus(&self, edge: Self::Edge, steps: u32) -> Self::Edge;
    /// `yes` where the boolean function holds, `no` elsewhere.
    fn choose(&mut self, holds: Ref, yes: Self::Edge, no: Self::Edge) -> Result<Self::Edge, Undecided>;
    /// A remembered result of an operation on two functions.
    fn recall(&self, op: u32, a: Self::Edge, b: Self::Edge) -> Option<Self::Edge>;
    /// Remembers it.
    fn remember(&mut self, op: u32, a: Self::Edge, b: Self::Edge, result: Self::Edge);
    /// A number for this test, the same for the same test, that [`recall`](Self::recall) can use with a bit number.
    fn op_of(&mut self, test: &WordTest) -> u32;
    /// The arena that boolean functions live in.
    fn sets(&mut self) -> &mut Arena;
}

/// Operations that results are remembered for.
pub(crate) mod op {
    pub(crate) const CHOOSE: u32 = 0;
    pub(crate) const ADD: u32 = 3;
    /// First of the numbers that stand for one use of an operation with its own meaning
    pub(crate) const OWN: u32 = 16;
    /// Added to a boolean function's number, where that stands for the operation
    pub(crate) const OWN_CHOICE: u32 = 1 << 30;
    /// First of the numbers that stand for a bit of a word test
    pub(crate) const TEST: u32 = 1 << 31;
}

/// What a cache entry is found by.
pub(crate) const fn key(op: u32, a: u32, b: u32, c: u32) -> Key {
    [op, a, b, c]
}
