//! From a filter's graph to a diagram, from the returns backwards.

use crate::diagram::switch::{Partition, switch};
use crate::diagram::{Diagram, Words, word};
use crate::graph::{Edge, Graph, Kind, Node, NodeId};
use crate::limits::Undecided;
use crate::test::{Relation, Test, WordTest};

/// Which nodes of a graph get a diagram of their own: all but those that only carry on a comparison of one word.
#[derive(Debug)]
pub(crate) struct Plan<'g> {
    pub(crate) graph: &'g Graph,
    roles: Vec<Role>,
}

/// What a node is to the nodes before it.
#[derive(Clone, Copy, Debug)]
struct Role {
    /// The word that its test compares as a whole, or [`NO_WORD`]
    compares: u8,
    entered: bool,
    /// More than one edge leads to it
    join: bool,
    /// It gets a diagram of its own
    head: bool,
}

const NO_WORD: u8 = u8::MAX;

impl Role {
    const fn of(node: &Node, apart: bool) -> Self {
        let compares = match node.kind {
            Kind::Test {
                test: Test::Word(test), ..
            } if test.mask == u32::MAX && !apart => test.word,
            _ => NO_WORD,
        };
        Self {
            compares,
            entered: false,
            join: false,
            head: false,
        }
    }

    /// One more edge leads here, from a node that compares this word.
    const fn enter(&mut self, compares: u8) {
        self.join |= self.entered;
        self.head |= self.entered || compares != self.compares || compares == NO_WORD;
        self.entered = true;
    }
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

    /// A plan in which some nodes are never part of a comparison of one word. The list may be short.
    pub(crate) fn with_apart(graph: &'g Graph, apart: Vec<bool>) -> Self {
        let apart = apart.into_iter().chain(core::iter::repeat(false));
        let roles = graph.nodes().iter().zip(apart);
        let mut plan = Self {
            graph,
            roles: roles.map(|(node, apart)| Role::of(node, apart)).collect(),
        };
        for (number, node) in graph.nodes().iter().enumerate() {
            if let Kind::Test { yes, no, .. } = node.kind {
                let compares = plan.roles.get(number).map_or(NO_WORD, |role| role.compares);
                for edge in [yes, no] {
                    if let Some(role) = plan.roles.get_mut(edge.to.index()) {
                        role.enter(compares);
                    }
                }
            }
        }
        if let Some(role) = plan.roles.get_mut(graph.root().to.index()) {
            role.head = true;
        }
        plan
    }

    fn role(&self, id: NodeId) -> Option<Role> {
        self.roles.get(id.index()).copied()
    }

    /// Whether more than one edge leads to this node.
    pub(crate) fn is_join(&self, id: NodeId) -> bool {
        self.role(id).is_some_and(|role| role.join)
    }

    pub(crate) fn is_head(&self, id: NodeId) -> bool {
        self.role(id).is_none_or(|role| role.head)
    }

    /// A node's test with its two edges: (when it holds, when not). `None` for a return.
    #[inline]
    pub(crate) fn test(&self, id: NodeId) -> Option<(Test, [Edge; 2])> {
        match self.graph.node(id)?.kind {
            Kind::Test { test, yes, no, .. } => Some((test, [yes, no])),
            Kind::Return(_) => None,
        }
    }

    /// The node as one that compares a word, if it does.
    #[inline]
    fn comparing(&self, id: NodeId) -> Option<Member> {
        match (self.role(id)?.compares, self.graph.node(id)?.kind) {
            (NO_WORD, _) => None,
            (
                _,
                Kind::Test {
                    test: Test::Word(test),
                    yes,
                    no,
                    ..
                },
            ) => Some(Member {
                id,
                test,
                edges: [yes, no],
            }),
            _ => None,
        }
    }

    /// The node as one that carries on a comparison of this word, if it does.
    #[inline]
    fn member(&self, id: NodeId, word: u8) -> Option<Member> {
        let role = self.role(id)?;
        if role.head || role.compares != word {
            return None;
        }
        self.comparing(id)
    }
}

/// A node that compares one word, with its edges: (when the test holds, when not).
#[derive(Clone, Copy, Debug)]
struct Member {
    id: NodeId,
    test: WordTest,
    edges: [Edge; 2],
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
        if let Some(head) = self.plan.comparing(id) {
            let word = head.test.word;
            self.collect(diagram, leaves, head)?;
            if let Some(edge) = switch(diagram, word, self.partition.pieces())? {
                self.set(id, edge);
                return Ok(());
            }
            for member in self.members(id, word).into_iter().rev() {
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
    fn collect(&mut self, diagram: &mut D, leaves: &mut impl Leaves<D>, head: Member) -> Result<(), Undecided> {
        self.partition.clear();
        let all = Range {
            low: 0,
            high: u32::MAX,
            steps: 1,
        };
        let mut next = Some((head, all));
        while let Some((member, range)) = next {
            let (way, range) = self.branch(diagram, leaves, &member, range)?;
            next = self.next_member(diagram, leaves, member.test.word, (way, range))?;
        }
        Ok(())
    }

    /// The next node that carries on a comparison, on this way or one that waits. Ways that end are parts of the
    /// partition.
    #[inline]
    fn next_member(
        &mut self,
        diagram: &mut D,
        leaves: &mut impl Leaves<D>,
        word: u8,
        (mut way, mut range): (Way, Range),
    ) -> Result<Option<(Member, Range)>, Undecided> {
        loop {
            if let Some(member) = self.plan.member(way.edge.to, word) {
                return Ok(Some((member, range.after(way.edge))));
            }
            let worth = leaves.edge(diagram, way.from, way.held, way.edge, &self.known)?;
            self.partition
                .range(range.low, range.high, diagram.plus(worth, range.steps));
            match self.waiting.pop() {
                Some(waiting) => (way, range) = waiting,
                None => return Ok(None),
            }
        }
    }

    /// One comparison of a partition: the way on to follow next. Another way may wait, an exception be noted.
    #[inline]
    fn branch(
        &mut self,
        diagram: &mut D,
        leaves: &mut impl Leaves<D>,
        member: &Member,
        range: Range,
    ) -> Result<(Way, Range), Undecided> {
        let Member {
            id,
            test,
            edges: [yes, no],
        } = *member;
        let (yes, no) = (Way::new(id, true, yes), Way::new(id, false, no));
        let value = test.value;
        match test.relation {
            Relation::Above if range.low > value => Ok((yes, range)),
            Relation::Above if range.high <= value => Ok((no, range)),
            Relation::Above => {
                let above = Range {
                    low: value.saturating_add(1),
                    ..range
                };
                // The lower part goes first, so that pieces are found in order.
                self.waiting.push((yes, above));
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
        while let Some(member) = self.plan.member(way.edge.to, test.word) {
            steps = steps.saturating_add(way.edge.steps).saturating_add(1);
            let held = member.test.holds(test.value);
            let [yes, no] = member.edges;
            way = Way::new(member.id, held, if held { yes } else { no });
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

impl Way {
    const fn new(from: NodeId, held: bool, edge: Edge) -> Self {
        Self { from, held, edge }
    }
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
