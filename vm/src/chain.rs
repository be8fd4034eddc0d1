//! The filters of one thread, judging together.

use crate::admit::Filter;
use crate::data::SeccompData;
use crate::kernel::Machine;
use crate::length::{OverBudget, check_chain};
use crate::observe::Observer;
use crate::verdict::{Verdict, combine};

/// The filters installed on one thread, oldest first. Every filter judges every call.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'c> {
    filters: &'c [Filter<'c>],
}

impl<'c> Chain<'c> {
    /// A chain of filters, the oldest first.
    #[must_use]
    pub const fn new(filters: &'c [Filter<'c>]) -> Self {
        Self { filters }
    }

    /// The filters, oldest first.
    #[must_use]
    pub const fn filters(&self) -> &'c [Filter<'c>] {
        self.filters
    }

    /// Decides about a call.
    #[must_use]
    pub fn run(&self, call: &SeccompData, machine: Machine) -> Verdict {
        self.run_observed(call, machine, &mut ())
    }

    /// As [`run`](Self::run), watched by an observer. Filters run newest first.
    pub fn run_observed(&self, call: &SeccompData, machine: Machine, observer: &mut impl Observer) -> Verdict {
        let words = call.words(machine.endian);
        let values = self.filters.iter().enumerate().rev().map(|(index, filter)| {
            observer.filter(index);
            (index, filter.run_words(&words, machine.shift, observer))
        });
        combine(values, machine.kernel)
    }

    /// Whether one thread may hold all these filters, installed one after the other.
    ///
    /// # Errors
    /// The number of the first filter that does not fit, and by how much: the kernel answers `ENOMEM` to it.
    pub fn check_budget(&self, machine: Machine) -> Result<(), (usize, OverBudget)> {
        check_chain(self.filters.iter().map(|filter| filter.charged_len(machine.kernel)))
    }
}
