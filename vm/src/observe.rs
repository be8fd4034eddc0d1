//! Watching a filter run: traces, counts, words read, coverage.
//!
//! An [`Observer`] is told every step. The unit observer `()` watches nothing and costs nothing; a pair watches both.

use crate::insn::Insn;
use crate::isa::{Op, Size};
use crate::length::{MAX_INSNS, PROLOGUE, executed};

/// One executed instruction and the state it left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the instruction
    pub pc: usize,
    /// The instruction
    pub insn: Insn,
    /// The accumulator after it
    pub a: u32,
    /// The index register after it
    pub x: u32,
    /// Where it leads
    pub next: Next,
}

/// Where an instruction leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To the instruction of this number
    Pc(usize),
    /// Out of the filter, with this value
    Return(u32),
}

/// Someone who watches a filter run.
pub trait Observer {
    /// A filter of a chain begins; 0 is the oldest. A filter that runs alone does not announce itself.
    fn filter(&mut self, index: usize) {
        let _ = index;
    }

    /// An instruction was executed.
    fn step(&mut self, step: &Step);
}

impl Observer for () {
    #[inline(always)]
    fn step(&mut self, _: &Step) {}
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn filter(&mut self, index: usize) {
        (**self).filter(index);
    }

    fn step(&mut self, step: &Step) {
        (**self).step(step);
    }
}

impl<O: Observer, P: Observer> Observer for (O, P) {
    fn filter(&mut self, index: usize) {
        self.0.filter(index);
        self.1.filter(index);
    }

    fn step(&mut self, step: &Step) {
        self.0.step(step);
        self.1.step(step);
    }
}

/// Counts executed instructions, over all filters of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub u64);

impl Observer for Count {
    fn step(&mut self, _: &Step) {
        self.0 = self.0.saturating_add(1);
    }
}

/// Counts what the kernel executes after conversion, without a JIT's own changes: instructions and taken jumps of the
/// eBPF programs that a chain becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Executed eBPF instructions, the prologues of the filters included
    pub insns: u64,
    /// Those of them that are jumps which do not fall through
    pub taken: u64,
    /// Filters that began
    pub filters: u64,
}

impl Observer for Converted {
    fn filter(&mut self, _: usize) {
        self.filters = self.filters.saturating_add(1);
        self.insns = self.insns.saturating_add(PROLOGUE.into());
    }

    fn step(&mut self, step: &Step) {
        let ran = executed(step);
        self.insns = self.insns.saturating_add(ran.insns.into());
        self.taken = self.taken.saturating_add(ran.taken.into());
    }
}

/// Collects which of the sixteen words of `seccomp_data` were read, one bit each: bit 0 is `nr`, bit 1 `arch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordsRead(pub u16);

impl Observer for WordsRead {
    fn step(&mut self, step: &Step) {
        if step.insn.op() == Some(Op::LdAbs(Size::Word)) {
            self.0 |= 1_u16.checked_shl(step.insn.k / 4).unwrap_or(0);
        }
    }
}

/// Collects which instructions of one filter were executed, over any number of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage([u64; MAX_INSNS / 64]);

impl Coverage {
    /// Whether the instruction of this number was ever executed.
    #[must_use]
    pub fn contains(&self, pc: usize) -> bool {
        self.0.get(pc / 64).is_some_and(|bits| bits >> (pc % 64) & 1 == 1)
    }

    /// How many different instructions were executed.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().fold(0, |sum, bits| sum.saturating_add(bits.count_ones()))
    }
}

impl Default for Coverage {
    fn default() -> Self {
        Self([0; MAX_INSNS / 64])
    }
}

impl Observer for Coverage {
    fn step(&mut self, step: &Step) {
        if let Some(bits) = self.0.get_mut(step.pc / 64) {
            *bits |= 1 << (step.pc % 64);
        }
    }
}

/// Keeps every step, with the number of the filter it belongs to.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    filter: usize,
    /// (number of the filter, step) in the order of execution; the kernel runs the newest filter first
    pub steps: alloc::vec::Vec<(usize, Step)>,
}

#[cfg(feature = "alloc")]
impl Observer for Trace {
    fn filter(&mut self, index: usize) {
        self.filter = index;
    }

    fn step(&mut self, step: &Step) {
        self.steps.push((self.filter, *step));
    }
}
