//! What questions are about: the filters of one thread on one machine.

use std::time::Instant;

use callproof_vm::{Chain, Filter, Machine, SeccompData, Verdict};

use crate::graph::Graph;
use crate::limits::{Engine, Limit, Limits, Undecided};

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
    /// [`Undecided`] when one of them has more states than the limits allow, or all together take more time than
    /// those or more than a quarter of their bytes.
    pub fn new(filters: &'f [Filter<'f>], machine: Machine, limits: &Limits) -> Result<Self, Undecided> {
        let deadline = Instant::now().checked_add(limits.time);
        let mut graphs = Vec::with_capacity(filters.len());
        let mut bytes = 0_u64;
        for filter in filters {
            let graph = Graph::build(filter, machine.shift, limits)?;
            bytes = bytes.saturating_add(graph.bytes());
            graphs.push(graph);
            let limit = if bytes > limits.bytes / 4 {
                Limit::Bytes
            } else if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                Limit::Time
            } else {
                continue;
            };
            return Err(Undecided {
                engine: Engine::Graph,
                limit,
            });
        }
        Ok(Self {
            filters,
            graphs,
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
