//! What questions are about: the filters of one thread on one machine.

use callproof_vm::{Chain, Filter, Machine, SeccompData, Verdict};

use crate::graph::Graph;
use crate::limits::{Limits, Undecided};

/// The filters of one thread, oldest first, after the symbolic pass.
#[derive(Clone, Debug)]
pub struct Subject<'f> {
    filters: &'f [Filter<'f>],
    graphs: Vec<Graph>,
    machine: Machine,
}

impl<'f> Subject<'f> {
    /// Runs filters symbolically.
    ///
    /// # Errors
    /// [`Undecided`] when one of them has more states than the limits allow.
    pub fn new(filters: &'f [Filter<'f>], machine: Machine, limits: &Limits) -> Result<Self, Undecided> {
        let graphs = filters.iter().map(|filter| Graph::build(filter, machine.shift, limits));
        Ok(Self {
            filters,
            graphs: graphs.collect::<Result<_, _>>()?,
            machine,
        })
    }

    /// Filters without their graphs, for engines that need none.
    pub(crate) const fn unexplored(filters: &'f [Filter<'f>], machine: Machine) -> Self {
        let graphs = Vec::new();
        Self {
            filters,
            graphs,
            machine,
        }
    }

    /// The filters, oldest first.
    #[must_use]
    pub const fn filters(&self) -> &'f [Filter<'f>] {
        self.filters
    }

    /// Their graphs, in the same order.
    #[must_use]
    pub fn graphs(&self) -> &[Graph] {
        &self.graphs
    }

    /// The machine they run on.
    #[must_use]
    pub const fn machine(&self) -> Machine {
        self.machine
    }

    /// What the emulator says about a call.
    #[must_use]
    pub fn run(&self, call: &SeccompData) -> Verdict {
        Chain::new(self.filters).run(call, self.machine)
    }
}
