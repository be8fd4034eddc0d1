//! Whether what is claimed holds between diagrams. `docs/PROOFS.md` section 6.

use crate::Rejected;
use crate::agree::Judge;
use crate::diagram::{Diagram, Edge, NO, YES};
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

/// Checks that the relation holds wherever the region does.
pub(crate) fn check(
    judge: &mut Judge,
    relation: &Relation,
    region: Edge,
    left: &View,
    right: &View,
) -> Result<(), Rejected> {
    judge.budget.begin();
    if let Relation::Cost(bound) = *relation {
        let most = greatest(judge, left, region, left.root)?;
        let most = most.map_or(0, |most| i64::from(most).saturating_add(i64::from(left.root.add)));
        return confirm(
            most <= i64::from(bound),
            "the filters may execute more instructions than claimed",
        );
    }
    let mut walk = Walk {
        relation,
        left,
        right,
        reflexive: left.force == right.force && judge.classes.reflexive(relation),
    };
    walk.holds(judge, region, left.root, right.root)
}

fn confirm(holds: bool, what: &'static str) -> Result<(), Rejected> {
    if holds { Ok(()) } else { Err(Rejected::wrong(what)) }
}

/// The greatest number of a function within a region, without what is added at its edge; nothing if the region is empty.
fn greatest(judge: &mut Judge, view: &View, region: Edge, edge: Edge) -> Result<Option<i32>, Rejected> {
    const NOTHING: i32 = i32::MIN;
    let bare = Edge { add: 0, ..edge };
    let resolved = view.resolve(judge, bare)?;
    let question = [region.node, edge.node, 0, 0, 0, 0];
    if region == NO {
        return Ok(None);
    }
    if let Some(most) = judge.budget.recall(question) {
        return Ok((most != NOTHING).then_some(most));
    }
    let top = judge.diagram.var(region).min(judge.diagram.var(resolved));
    if Diagram::is_terminal(top) {
        confirm(
            region == YES && resolved.node == YES.node,
            "the region or the count ends nowhere",
        )?;
        return Ok(Some(resolved.add));
    }
    let regions = judge.diagram.split(region, top);
    let edges = judge.diagram.split(resolved, top);
    let mut most = None;
    for (region, edge) in regions.into_iter().zip(edges) {
        let found = greatest(judge, view, region, edge)?;
        most = most.max(found.map(|found| found.saturating_add(edge.add)));
    }
    judge.budget.note(question, most.unwrap_or(NOTHING));
    Ok(most)
}

struct Walk<'w> {
    relation: &'w Relation,
    left: &'w View,
    right: &'w View,
    /// Whether the relation holds where both sides are the same function
    reflexive: bool,
}

impl Walk<'_> {
    fn holds(&mut self, judge: &mut Judge, region: Edge, left: Edge, right: Edge) -> Result<(), Rejected> {
        let left = self.left.resolve(judge, left)?;
        let right = self.right.resolve(judge, right)?;
        let settled = region == NO || (self.reflexive && left == right);
        if settled || judge.budget.asked([region.node, left.node, right.node, 0, 0, 0]) {
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

    fn outcome(&self, judge: &Judge, region: Edge, left: Edge, right: Edge) -> Result<(), Rejected> {
        let holds = if matches!(self.relation, Relation::Never(_)) {
            left == NO
        } else {
            let classes = judge.diagram.class(left).zip(judge.diagram.class(right));
            classes.is_some_and(|(left, right)| judge.classes.relate(self.relation, left, right))
        };
        confirm(
            region == YES && holds,
            "what is claimed does not hold, or the classes do not tell",
        )
    }
}
