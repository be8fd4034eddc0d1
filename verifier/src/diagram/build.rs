//! From a filter's graph to a diagram, from the returns backwards.

use crate::diagram::switch::{Partition, switch};
use crate::diagram::{Diagram, Words, word};
use crate::graph::{Edge, Graph, Kind, NodeId};
use crate::limits::Undecided;
use crate::test::{Relation, Test, WordTest};

/// Which nodes of a graph get a diagram of their own: all but those that only carry on a comparison of one word.
#[derive(Debug)]
pub(crate) struct Plan<'g> {
    pub(crate) graph: &'g Graph,
    /// Nodes that are never part of a comparison of one word; may be short
    apart: Vec<bool>,
    /// Nodes that more than one edge leads to
    joins: Vec<bool>,
    heads: Vec<bool>,
}

/// What an edge of the graph is worth: where a construction differs from others.
pub(crate) trait Leaves<D: Diagram> {
    /// The function behind an edge, the test at whose start held or not. `known` has those of the nodes done so far.
    fn edge(
        &mut self,
        diagram: &mut D,
        from: NodeId,
        held: bool,
        edge: Edge,
        known: &[D::Edge],
    ) -> Result<D::Edge, Undecided>;
}

impl<'g> Plan<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        Self::with_apart(graph, Vec::new())
    }

    /// A plan in which some nodes, given by their numbers, are never part of a comparison of one word.
    pub(crate) fn with_apart(graph: &'g Graph, apart: Vec<bool>) -> Self {
        let count = graph.nodes().len();
        let mut plan = Self {
            graph,
            apart,
            joins: vec![false; count],
            heads: vec![false; count],
        };
        let mut entered = vec![false; count];
        for &id in graph.order() {
            let Some((test, [yes, no])) = plan.test(id) else {
                continue;
            };
            let word = plan.comparing(id, &test).map(|test| test.word);
            for edge in [yes, no] {
                let to = edge.to.index();
                let again = entered
                    .get_mut(to)
                    .is_some_and(|entered| core::mem::replace(entered, true));
                let goes_on = word.is_some() && plan.switchable(edge.to).map(|test| test.word) == word;
                if again && let Some(join) = plan.joins.get_mut(to) {
                    *join = true;
                }
                if (again || !goes_on)
                    && let Some(head) = plan.heads.get_mut(to)
                {
                    *head = true;
                }
            }
        }
        if let Some(head) = plan.heads.get_mut(graph.root().to.index()) {
            *head = true;
        }
        plan
    }

    /// Whether more than one edge leads to this node.
    pub(crate) fn is_join(&self, id: NodeId) -> bool {
        self.joins.get(id.index()).copied().unwrap_or(false)
    }

    pub(crate) fn is_head(&self, id: NodeId) -> bool {
        self.heads.get(id.index()).copied().unwrap_or(true)
    }

    /// A node's test with its two edges: (when it holds, when not). `None` for a return.
    #[inline]
    pub(crate) fn test(&self, id: NodeId) -> Option<(Test, [Edge; 2])> {
        match self.graph.node(id)?.kind {
            Kind::Test { test, yes, no, .. } => Some((test, [yes, no])),
            Kind::Return(_) => None,
        }
    }

    #[inline]
    fn switchable(&self, id: NodeId) -> Option<WordTest> {
        self.comparing(id, &self.test(id)?.0)
    }

    /// The test of a node, if that compares one word.
    #[inline]
    fn comparing(&self, id: NodeId, test: &Test) -> Option<WordTest> {
        match test {
            Test::Word(test) if test.mask == u32::MAX && !self.is_apart(id) => Some(*test),
            _ => None,
        }
    }

    #[inline]
    fn is_apart(&self, id: NodeId) -> bool {
        self.apart.get(id.index()).copied().unwrap_or(false)
    }

    /// The test of a node that carries on a comparison of this word.
    #[inline]
    fn member(&self, id: NodeId, word: u8) -> Option<(WordTest, [Edge; 2])> {
        if self.is_head(id) {
            return None;
        }
        let (test, edges) = self.test(id)?;
        let test = self.comparing(id, &test).filter(|test| test.word == word)?;
        Some((test, edges))
    }
}

/// A construction under way.
#[derive(Debug)]
pub(crate) struct Build<'p, 'g, D: Diagram> {
    plan: &'p Plan<'g>,
    words: Words,
    /// The function of each node done so far
    known: Vec<D::Edge>,
    /// Nodes that carry on a comparison and have a function of their own all the same
    singled: Vec<NodeId>,
    partition: Partition<D::Edge>,
    /// Parts of a partition that are still to be followed
    waiting: Vec<(Way, Range)>,
}

impl<'p, 'g, D: Diagram> Build<'p, 'g, D> {
    pub(crate) fn new(diagram: &D, plan: &'p Plan<'g>) -> Self {
        Self {
            plan,
            words: Words::new(plan.graph),
            known: vec![diagram.zero(); plan.graph.nodes().len()],
            singled: Vec::new(),
            partition: Partition::new(),
            waiting: Vec::new(),
        }
    }

    /// Says what a node's function is.
    pub(crate) fn set(&mut self, id: NodeId, edge: D::Edge) {
        if let Some(known) = self.known.get_mut(id.index()) {
            *known = edge;
        }
    }

    /// Nodes that carry on a comparison and have a function of their own all the same.
    pub(crate) fn singled(&self) -> &[NodeId] {
        &self.singled
    }

    pub(crate) fn known(&self) -> &[D::Edge] {
        &self.known
    }

    /// Works out the functions of all nodes of the plan that need one, last ones first.
    pub(crate) fn all(&mut self, diagram: &mut D, leaves: &mut impl Leaves<D>) -> Result<(), Undecided> {
        let graph = self.plan.graph;
        graph
            .order()
            .iter()
            .rev()
            .try_for_each(|&id| self.node(diagram, leaves, id))
    }

    /// Works out the function of a node whose successors' functions are known.
    pub(crate) fn node(&mut self, diagram: &mut D, leaves: &mut impl Leaves<D>, id: NodeId) -> Result<(), Undecided> {
        if !self.plan.is_head(id) {
            return Ok(());
        }
        let Some((test, _)) = self.plan.test(id) else {
            return Ok(());
        };
        if let Some(first) = self.plan.comparing(id, &test) {
            self.collect(diagram, leaves, id, first)?;
            if let Some(edge) = switch(diagram, first.word, self.partition.pieces())? {
                self.set(id, edge);
                return Ok(());
            }
            for member in self.members(id, first.word).into_iter().rev() {
                self.single(diagram, leaves, member)?;
                self.singled.push(member);
            }
        }
        self.single(diagram, leaves, id)
    }

    /// Works out a node's function by its own test alone.
    fn single(&mut self, diagram: &mut D, leaves: &mut impl Leaves<D>, id: NodeId) -> Result<(), Undecided> {
        let Some((test, [yes, no])) = self.plan.test(id) else {
            return Ok(());
        };
        let yes = leaves.edge(diagram, id, true, yes, &self.known)?;
        let no = leaves.edge(diagram, id, false, no, &self.known)?;
        let edge = match test {
            _ if yes == no => yes,
            Test::Word(test) => word::test(diagram, &test, yes, no)?,
            Test::Wide { relation, left, right } => {
                let holds = self.words.compare(diagram.sets(), relation, left, right)?;
                diagram.choose(holds, yes, no)?
            }
        };
        let own = self.plan.graph.node(id).map_or(0, |node| node.steps);
        let edge = diagram.plus(edge, own);
        self.set(id, edge);
        Ok(())
    }

    /// The nodes below a head that carry on its comparison, each before those it leads to.
    fn members(&self, head: NodeId, word: u8) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut waiting = vec![head];
        while let Some(id) = waiting.pop() {
            let Some((_, edges)) = self.plan.test(id) else { continue };
            if id != head {
                found.push(id);
            }
            waiting.extend(
                edges
                    .map(|edge| edge.to)
                    .into_iter()
                    .filter(|to| self.plan.member(*to, word).is_some()),
            );
        }
        found
    }

    /// The partition of a word's values that a head and the nodes which carry on its comparison make.
    fn collect(
        &mut self,
        diagram: &mut D,
        leaves: &mut impl Leaves<D>,
        head: NodeId,
        first: WordTest,
    ) -> Result<(), Undecided> {
        self.partition.clear();
        let Some((_, edges)) = self.plan.test(head) else {
            return Ok(());
        };
        let all = Range {
            low: 0,
            high: u32::MAX,
            steps: 1,
        };
        let mut next = Some(self.branch(diagram, leaves, head, first, edges, all)?);
        while let Some((way, range)) = next.take().or_else(|| self.waiting.pop()) {
            if let Some((test, edges)) = self.plan.member(way.edge.to, first.word) {
                let range = range.after(way.edge);
                next = Some(self.branch(diagram, leaves, way.edge.to, test, edges, range)?);
            } else {
                let worth = leaves.edge(diagram, way.from, way.held, way.edge, &self.known)?;
                self.partition
                    .range(range.low, range.high, diagram.plus(worth, range.steps));
            }
        }
        Ok(())
    }

    /// One comparison of a partition: the way on to follow next. Another way may wait, an exception be noted.
    #[inline]
    fn branch(
        &mut self,
        diagram: &mut D,
        leaves: &mut impl Leaves<D>,
        from: NodeId,
        test: WordTest,
        [yes, no]: [Edge; 2],
        range: Range,
    ) -> Result<(Way, Range), Undecided> {
        let (yes, no) = (
            Way {
                from,
                held: true,
                edge: yes,
            },
            Way {
                from,
                held: false,
                edge: no,
            },
        );
        let value = test.value;
        match test.relation {
            Relation::Above if range.low > value => Ok((yes, range)),
            Relation::Above if range.high <= value => Ok((no, range)),
            Relation::Above => {
                // The lower part goes first, so that pieces are found in order.
                self.waiting.push((
                    yes,
                    Range {
                        low: value.saturating_add(1),
                        ..range
                    },
                ));
                Ok((no, Range { high: value, ..range }))
            }
            Relation::Equal if value < range.low || value > range.high => Ok((no, range)),
            Relation::Equal => {
                let edge = self.exactly(diagram, leaves, yes, test, range.steps)?;
                self.partition.except(value, edge);
                Ok((no, range))
            }
        }
    }

    /// What a way taken for the value of a test for equality is worth.
    #[inline]
    fn exactly(
        &self,
        diagram: &mut D,
        leaves: &mut impl Leaves<D>,
        mut way: Way,
        test: WordTest,
        mut steps: u32,
    ) -> Result<D::Edge, Undecided> {
        while let Some((next, [yes, no])) = self.plan.member(way.edge.to, test.word) {
            steps = steps.saturating_add(way.edge.steps).saturating_add(1);
            let held = next.holds(test.value);
            way = Way {
                from: way.edge.to,
                held,
                edge: if held { yes } else { no },
            };
        }
        let worth = leaves.edge(diagram, way.from, way.held, way.edge, &self.known)?;
        Ok(diagram.plus(worth, steps))
    }
}

/// An edge out of a node whose test held or not.
#[derive(Clone, Copy, Debug)]
struct Way {
    from: NodeId,
    held: bool,
    edge: Edge,
}

/// The values of a word for which a way is taken, and the instructions until there.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: u32,
    high: u32,
    steps: u32,
}

impl Range {
    /// Behind an edge and the test at its end.
    const fn after(self, edge: Edge) -> Self {
        let steps = self.steps.saturating_add(edge.steps).saturating_add(1);
        Self { steps, ..self }
    }
}
