//! How many instructions a call costs: exactly, over all calls.

use callproof_vm::SeccompData;
use callproof_vm::observe::Count;

use crate::diagram::sums::{Counters, Extreme, Sum, Sums};
use crate::diagram::{Build, Diagram, Plan};
use crate::function::{Straight, returns};
use crate::graph::{Graph, Kind};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::subject::Subject;
use crate::witness::{Failure, disagreement};

/// The instruction count of every call, over all filters of a chain. Belongs to the space it was made in.
#[derive(Clone, Debug)]
pub struct Costs {
    counters: Counters,
    total: Sum,
}

/// The most, or the fewest, instructions that a call of some set costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorstCase {
    /// Executed instructions, over all filters
    pub insns: u64,
    /// A call that costs as many, replayed in the emulator
    pub call: SeccompData,
}

impl Space {
    /// The instruction count of every call.
    ///
    /// # Errors
    /// [`Undecided`] at a limit; [`Subject::longest_path`] is then still a bound.
    pub fn costs(&mut self, subject: &Subject<'_>) -> Result<Costs, Undecided> {
        let mut counters = Counters::new(self.arena.limits());
        let mut total = Sum::constant(0);
        let mut sums = Sums {
            arena: &mut self.arena,
            own: &mut counters,
        };
        for graph in subject.graphs() {
            let one = of_filter(&mut sums, graph)?;
            total = sums.add(total, one)?;
        }
        Ok(Costs { counters, total })
    }

    /// The most instructions that a call of a set costs; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator counts differently.
    pub fn worst_case(
        &mut self,
        subject: &Subject<'_>,
        costs: &mut Costs,
        within: Set,
    ) -> Result<Option<WorstCase>, Failure> {
        self.extreme_case(subject, costs, within, Extreme::Most)
    }

    /// The fewest instructions that a call of a set costs; `None` when the set is empty.
    ///
    /// # Errors
    /// [`Failure`] when a limit is reached or the emulator counts differently.
    pub fn best_case(
        &mut self,
        subject: &Subject<'_>,
        costs: &mut Costs,
        within: Set,
    ) -> Result<Option<WorstCase>, Failure> {
        self.extreme_case(subject, costs, within, Extreme::Least)
    }

    fn extreme_case(
        &mut self,
        subject: &Subject<'_>,
        costs: &mut Costs,
        within: Set,
        end: Extreme,
    ) -> Result<Option<WorstCase>, Failure> {
        let mut sums = Sums {
            arena: &mut self.arena,
            own: &mut costs.counters,
        };
        let Some((insns, words)) = sums.extreme(costs.total, within.0, end)? else {
            return Ok(None);
        };
        let insns = u64::from(insns.unsigned_abs());
        let call = SeccompData::from_words(words, self.machine().endian);
        let observed = subject.count(&call);
        if observed != insns {
            return Err(disagreement(call, insns, observed));
        }
        Ok(Some(WorstCase { insns, call }))
    }

    /// The instruction count of one call, by the diagram.
    #[must_use]
    pub fn cost(&mut self, costs: &mut Costs, call: &SeccompData) -> u64 {
        let words = call.words(self.machine().endian);
        let sums = Sums {
            arena: &mut self.arena,
            own: &mut costs.counters,
        };
        u64::from(sums.evaluate(costs.total, &words).unsigned_abs())
    }
}

fn of_filter(sums: &mut Sums<'_>, graph: &Graph) -> Result<Sum, Undecided> {
    let plan = Plan::new(graph);
    let build = cost_build(sums, &plan)?;
    Ok(cost_at_root(sums, graph, build.known()))
}

/// The instruction counts from each node of a filter on.
pub(crate) fn cost_build<'p, 'g, 'a>(
    sums: &mut Sums<'a>,
    plan: &'p Plan<'g>,
) -> Result<Build<'p, 'g, Sums<'a>>, Undecided> {
    let mut build = Build::new(sums, plan);
    for (id, _) in returns(plan.graph) {
        let own = plan.graph.node(id).map_or(0, |node| node.steps);
        build.set(id, sums.plus(Sum::constant(0), own));
    }
    build.all(sums, &mut Straight)?;
    Ok(build)
}

/// The instruction count of a whole filter.
pub(crate) fn cost_at_root(sums: &Sums<'_>, graph: &Graph, known: &[Sum]) -> Sum {
    let root = graph.root();
    let from_root = known.get(root.to.index()).copied().unwrap_or_default();
    sums.plus(from_root, root.steps)
}

impl Subject<'_> {
    /// The instructions that the emulator executes for a call, over all filters.
    #[must_use]
    pub fn count(&self, call: &SeccompData) -> u64 {
        let mut count = Count::default();
        callproof_vm::Chain::new(self.filters()).run_observed(call, self.machine(), &mut count);
        count.0
    }

    /// The length of the longest path through the filters' graphs: no call costs more, but perhaps none costs as much.
    #[must_use]
    pub fn longest_path(&self) -> u64 {
        if self.graphs().is_empty() {
            // Jumps go forward only.
            return self.filters().iter().map(|filter| filter.program().len() as u64).sum();
        }
        self.graphs().iter().map(longest).sum()
    }
}

fn longest(graph: &Graph) -> u64 {
    let mut from: Vec<u64> = graph.nodes().iter().map(|node| u64::from(node.steps)).collect();
    let behind = |from: &[u64], edge: crate::graph::Edge| {
        let end = from.get(edge.to.index()).copied().unwrap_or(0);
        end.saturating_add(u64::from(edge.steps))
    };
    for id in graph.order().iter().rev() {
        if let Some(Kind::Test { yes, no, .. }) = graph.node(*id).map(|node| node.kind) {
            let longer = behind(&from, yes).max(behind(&from, no)).saturating_add(1);
            if let Some(slot) = from.get_mut(id.index()) {
                *slot = longer;
            }
        }
    }
    behind(&from, graph.root())
}
