//! Whether what is claimed holds between diagrams. `docs/PROOFS.md` section 6.

use crate::Rejected;
use crate::agree::Judge;
use crate::diagram::{Diagram, Edge, Extremes, NO, YES};
use crate::format::Relation;

/// A chain's function, with some bits of the input forced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View {
    root: Edge,
    /// For each word: which bits, and their values
    force: [(u32, u32); 16],
}

impl View {
    pub(crate) fn new(root: Edge, forced: &[(u8, u32, u32)]) -> Self {
        let mut force = [(0, 0); 16];
        for &(word, mask, value) in forced {
            if let Some(slot) = force.get_mut(usize::from(word)) {
                *slot = (mask, value);
            }
        }
        Self { root, force }
    }

    /// Follows an edge as long as it asks for a forced bit.
    fn resolve(&self, judge: &mut Judge, mut edge: Edge) -> Result<Edge, Rejected> {
        loop {
            judge.budget.step()?;
            let var = judge.diagram.var(edge);
            let bit = 0x8000_0000_u32 >> (var & 31);
            match self.force.get((var >> 5) as usize) {
                Some((mask, value)) if mask & bit != 0 => {
                    let [clear, set] = judge.diagram.split(edge, var);
                    edge = if value & bit == 0 { clear } else { set };
                }
                _ => return Ok(edge),
            }
        }
    }
}

/// Checks that the relation holds wherever the region does. `extremes` are those of each node.
pub(crate) fn check(
    judge: &mut Judge,
    relation: &Relation,
    region: Edge,
    (left, right): (&View, &View),
    extremes: &[Extremes],
) -> Result<(), Rejected> {
    judge.budget.begin();
    let walk = Walk {
        relation,
        left,
        right,
        extremes,
        reflexive: left.force == right.force && judge.classes.reflexive(relation),
    };
    walk.holds(judge, region, left.root, right.root)
}

struct Walk<'w> {
    relation: &'w Relation,
    left: &'w View,
    right: &'w View,
    extremes: &'w [Extremes],
    /// Whether the relation holds where both sides are the same function
    reflexive: bool,
}

impl Walk<'_> {
    fn holds(&self, judge: &mut Judge, region: Edge, left: Edge, right: Edge) -> Result<(), Rejected> {
        if region == NO || self.bounded(left) {
            return Ok(());
        }
        let left = self.left.resolve(judge, left)?;
        let right = self.right.resolve(judge, right)?;
        let question = [region.node, left.node, right.node, left.add.cast_unsigned(), 0];
        if self.reflexive && left == right || judge.budget.asked(question) {
            return Ok(());
        }
        let edges = [region, left, right];
        let top = edges.map(|edge| judge.diagram.var(edge));
        let top = top.into_iter().fold(u32::MAX, u32::min);
        if Diagram::is_terminal(top) {
            return self.outcome(judge, region, left, right);
        }
        let [[g0, g1], [l0, l1], [r0, r1]] = edges.map(|edge| judge.diagram.split(edge, top));
        self.holds(judge, g0, l0, r0)?;
        self.holds(judge, g1, l1, r1)
    }

    /// Whether this is a count that stays within its bound everywhere.
    fn bounded(&self, edge: Edge) -> bool {
        let Some(extremes) = self.extremes.get(edge.node as usize) else {
            return false;
        };
        match self.relation {
            Relation::Cost(bound) => i64::from(extremes.greatest.saturating_add(edge.add)) <= i64::from(*bound),
            Relation::CostAtLeast(bound) => i64::from(extremes.least.saturating_add(edge.add)) >= i64::from(*bound),
            _ => false,
        }
    }

    fn outcome(&self, judge: &Judge, region: Edge, left: Edge, right: Edge) -> Result<(), Rejected> {
        let holds = match self.relation {
            Relation::Cost(_) | Relation::CostAtLeast(_) => false,
            Relation::Never(_) => left == NO,
            _ => judge.classes.relate(self.relation, left, right),
        };
        if region == YES && holds {
            Ok(())
        } else {
            Err(Rejected::wrong(
                "what is claimed does not hold, or the classes do not tell",
            ))
        }
    }
}
