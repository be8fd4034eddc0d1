//! Which ways through a filter some call takes.
//!
//! The graph is cut where paths meet. A piece between two cuts is a tree, and one diagram says for every call that
//! enters it at which leaf it comes out; leaves are numbered so that those behind any edge are neighbours. What enters
//! a piece is known once all pieces before it are done.

use crate::diagram::{Arena, Build, Diagram, Leaves, Plan, Ref};
use crate::graph::{Edge, Graph, NodeId};
use crate::limits::Undecided;
use crate::test::Test;

/// Which edges of a filter's graph some call takes.
#[derive(Debug)]
pub(crate) struct Reach<'p, 'g> {
    plan: &'p Plan<'g>,
    /// For each node, the leaves behind its two edges: (when the test holds, when not), as ranges
    leaves: Vec<[(u32, u32); 2]>,
    /// For each node, the node at which its piece begins
    piece: Vec<u32>,
    /// For the nodes at which pieces begin, the leaf at which each call comes out; [`OUTSIDE`] for calls that never
    /// get there
    exits: Vec<Ref>,
    /// For each node, whether some call takes its edges
    taken: Vec<[bool; 2]>,
}

/// The leaf of calls that never enter a piece.
const OUTSIDE: u32 = u32::MAX;

impl<'p, 'g> Reach<'p, 'g> {
    pub(crate) fn new(arena: &mut Arena, plan: &'p Plan<'g>) -> Result<Self, Undecided> {
        let count = plan.graph.nodes().len();
        let mut reach = Self {
            plan,
            leaves: vec![[(0, 0); 2]; count],
            piece: vec![0; count],
            exits: vec![Ref::FALSE; count],
            taken: vec![[false; 2]; count],
        };
        let mut entering = vec![Ref::FALSE; count];
        let root = plan.graph.root().to;
        if let Some(all) = entering.get_mut(root.index()) {
            *all = Ref::TRUE;
        }
        let mut build = Build::new(arena, plan);
        for &id in plan.graph.order() {
            let entering_here = entering.get(id.index()).copied().unwrap_or(Ref::FALSE);
            if (id == root || plan.is_join(id)) && entering_here != Ref::FALSE {
                reach.piece(arena, &mut build, id, entering_here, &mut entering)?;
            }
        }
        Ok(reach)
    }

    pub(crate) const fn graph(&self) -> &'g Graph {
        self.plan.graph
    }

    /// A node's test with its two edges: (when it holds, when not).
    pub(crate) fn test(&self, id: NodeId) -> Option<(Test, [Edge; 2])> {
        self.plan.test(id)
    }

    /// Whether some call takes an edge.
    pub(crate) fn is_taken(&self, from: NodeId, held: bool) -> bool {
        self.taken
            .get(from.index())
            .is_some_and(|[yes, no]| if held { *yes } else { *no })
    }

    /// The calls that take an edge.
    pub(crate) fn taking(&self, arena: &mut Arena, from: NodeId, held: bool) -> Result<Ref, Undecided> {
        let (first, end) = self.leaves_behind(from, held);
        let piece = self.piece.get(from.index()).copied().unwrap_or(0);
        let exits = self.exits.get(piece as usize).copied().unwrap_or(Ref::FALSE);
        if !self.is_taken(from, held) {
            return Ok(Ref::FALSE);
        }
        let op = arena.own_op();
        arena.map(op, exits, &mut |leaf| u32::from(first <= leaf && leaf < end))
    }

    fn leaves_behind(&self, from: NodeId, held: bool) -> (u32, u32) {
        let [yes, no] = self.leaves.get(from.index()).copied().unwrap_or_default();
        if held { yes } else { no }
    }

    /// Works out one piece, and what it lets into those behind it.
    fn piece(
        &mut self,
        arena: &mut Arena,
        build: &mut Build<'_, '_, Arena>,
        head: NodeId,
        entering: Ref,
        entered: &mut [Ref],
    ) -> Result<(), Undecided> {
        let (nodes, joins) = self.number(head);
        for id in nodes.iter().rev() {
            build.node(arena, &mut Exits(self), *id)?;
        }
        let all = build.known().get(head.index()).copied().unwrap_or(Ref::FALSE);
        let outside = arena.constant(OUTSIDE)?;
        let exits = arena.choose(entering, all, outside)?;
        if let Some(slot) = self.exits.get_mut(head.index()) {
            *slot = exits;
        }
        let mut used = arena.leaves(exits);
        used.sort_unstable();
        for id in &nodes {
            let taken = [true, false].map(|held| {
                let (first, end) = self.leaves_behind(*id, held);
                let next = used.partition_point(|leaf| *leaf < first);
                used.get(next).is_some_and(|leaf| *leaf < end)
            });
            if let Some(slot) = self.taken.get_mut(id.index()) {
                *slot = taken;
            }
        }
        for (target, mut numbers) in joins {
            numbers.retain(|number| used.binary_search(number).is_ok());
            let op = arena.own_op();
            let coming = arena.map(op, exits, &mut |leaf| u32::from(numbers.binary_search(&leaf).is_ok()))?;
            let slot = entered.get(target.index()).copied().unwrap_or(Ref::FALSE);
            let all = arena.or(slot, coming)?;
            if let Some(slot) = entered.get_mut(target.index()) {
                *slot = all;
            }
        }
        Ok(())
    }

    /// Numbers the leaves of a piece. Gives its nodes, each before those it leads to, and for each test at which
    /// another piece begins the leaves that lead there, in order.
    fn number(&mut self, head: NodeId) -> (Vec<NodeId>, Vec<(NodeId, Vec<u32>)>) {
        let mut nodes = Vec::new();
        let mut joins: std::collections::BTreeMap<NodeId, Vec<u32>> = std::collections::BTreeMap::new();
        let mut next = 0_u32;
        let mut waiting: Vec<(NodeId, bool, Edge)> = Vec::new();
        let mut visit = Some(head);
        loop {
            if let Some(id) = visit.take() {
                nodes.push(id);
                if let Some(piece) = self.piece.get_mut(id.index()) {
                    *piece = head.0;
                }
                if let Some((_, [yes, no])) = self.plan.test(id) {
                    waiting.extend([(id, false, no), (id, true, yes)]);
                }
            }
            let Some((from, held, edge)) = waiting.pop() else { break };
            let begin = next;
            if self.is_cut(edge.to) {
                if self.plan.test(edge.to).is_some() {
                    joins.entry(edge.to).or_default().push(next);
                }
                next = next.saturating_add(1);
            } else {
                visit = Some(edge.to);
            }
            self.set_leaves(from, held, (begin, next));
        }
        self.close(&nodes);
        (nodes, joins.into_iter().collect())
    }

    /// So far the ranges of edges within the piece are empty: they end where the ranges of the node behind end.
    fn close(&mut self, nodes: &[NodeId]) {
        for id in nodes.iter().rev() {
            let Some((_, edges)) = self.plan.test(*id) else {
                continue;
            };
            for (held, edge) in [true, false].into_iter().zip(edges) {
                if !self.is_cut(edge.to) {
                    let [(first, _), (_, last)] = self.leaves.get(edge.to.index()).copied().unwrap_or_default();
                    self.set_leaves(*id, held, (first, last));
                }
            }
        }
    }

    fn set_leaves(&mut self, from: NodeId, held: bool, range: (u32, u32)) {
        if let Some([yes, no]) = self.leaves.get_mut(from.index()) {
            *(if held { yes } else { no }) = range;
        }
    }

    /// Whether a piece ends before this node: it returns, or more than one edge leads to it.
    fn is_cut(&self, to: NodeId) -> bool {
        self.plan.is_join(to) || self.plan.test(to).is_none()
    }
}

/// Edges out of a piece are worth their number.
struct Exits<'r, 'p, 'g>(&'r Reach<'p, 'g>);

impl Leaves<Arena> for Exits<'_, '_, '_> {
    fn edge(
        &mut self,
        arena: &mut Arena,
        from: NodeId,
        held: bool,
        edge: Edge,
        known: &[Ref],
    ) -> Result<Ref, Undecided> {
        if self.0.is_cut(edge.to) {
            return arena.constant(self.0.leaves_behind(from, held).0);
        }
        Ok(known.get(edge.to.index()).copied().unwrap_or(Ref::FALSE))
    }
}
