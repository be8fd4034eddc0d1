//! The plain loop of `callproof-vm`, as an engine.

use callproof_vm::observe::Count;
use callproof_vm::{Chain, Filter, Machine, SeccompData};

use crate::engine::{Decision, Engine};

/// The plain loop, which needs no preparation.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'f> {
    chain: Chain<'f>,
    machine: Machine,
}

impl<'f> Reference<'f> {
    /// An engine for a chain, the oldest filter first.
    #[must_use]
    pub const fn new(filters: &'f [Filter<'f>], machine: Machine) -> Self {
        Self {
            chain: Chain::new(filters),
            machine,
        }
    }
}

impl Engine for Reference<'_> {
    fn decide(&self, call: &SeccompData) -> Decision {
        let mut count = Count::default();
        let verdict = self.chain.run_observed(call, self.machine, &mut count);
        Decision {
            verdict,
            insns: count.0,
        }
    }

    fn value(&self, call: &SeccompData) -> u32 {
        self.chain.run(call, self.machine).value
    }
}
