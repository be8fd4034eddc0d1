//! The symbolic pass: an admitted filter as a graph of tests on the input words.
//!
//! A node stands for everything that can happen from one instruction on with one state of the live registers and
//! cells, so that paths which meet again share what follows. Between nodes everything is known: straight code and
//! tests of constants only lengthen an edge. Division by X becomes a test of X against 0.

mod state;

use callproof_vm::isa::{Alu, Op, Src};
use callproof_vm::{Filter, Insn, ShiftByX};

use crate::fault::{Fault, planted};
use crate::limits::{Engine, Limit, Limits, Undecided};
use crate::live::{Live, liveness};
use crate::table::{Found, Index, mix};
use crate::test::{Relation, Test, WordTest};
use crate::value::{Exprs, Value};
pub(crate) use state::{State, Stop, Symbols, Visitor};

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The place of the node in [`Graph::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it leads
    pub to: NodeId,
    /// Instructions executed on it, without those of the nodes at its ends
    pub steps: u32,
}

/// What happens at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The filter returns this value. One node stands for all returns of one constant
    Return(Value),
    /// The filter goes one of two ways
    Test {
        /// What decides
        test: Test,
        /// The way when the test holds
        yes: Edge,
        /// The way when it does not
        no: Edge,
        /// Whether the instruction's own test is the opposite of this one, so that `yes` is its `jf`
        swapped: bool,
    },
}

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The instruction; of several that return one constant the first that was found
    pub pc: u32,
    /// Instructions executed here: 1, or 0 for the exit of a division by zero, which its test has counted
    pub steps: u32,
    /// What happens
    pub kind: Kind,
}

/// A filter as a graph of tests.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    /// The tests, every one before those it leads to
    order: Vec<NodeId>,
    root: Edge,
    states: Vec<State>,
    symbols: Symbols,
}

impl Graph {
    /// Runs a filter symbolically.
    ///
    /// # Errors
    /// [`Undecided`] when the filter has more states than the limits allow.
    pub fn build(filter: &Filter<'_>, shift: ShiftByX, limits: &Limits) -> Result<Self, Undecided> {
        Self::from_symbols(filter, Symbols::new(shift, true), limits)
    }

    /// As [`build`](Self::build), but with a node for every test of words, even if all words pass it.
    pub(crate) fn with_every_test(filter: &Filter<'_>, shift: ShiftByX, limits: &Limits) -> Result<Self, Undecided> {
        Self::from_symbols(filter, Symbols::new(shift, false), limits)
    }

    fn from_symbols(filter: &Filter<'_>, symbols: Symbols, limits: &Limits) -> Result<Self, Undecided> {
        let mut builder = Builder::new(filter.program(), symbols, limits);
        builder.graph.root = builder.arrive(0, State::START)?;
        for pc in 0..builder.program.len() {
            let mut next = builder.at_pc.get(pc).copied().flatten();
            while let Some(node) = next {
                builder.finish(node)?;
                next = builder.sibling.get(node.index()).copied().flatten();
            }
        }
        Ok(builder.graph)
    }

    /// The nodes; a [`NodeId`] is a place in this list.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    /// The nodes that test, each before the nodes it leads to.
    #[must_use]
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// Where the filter starts.
    #[must_use]
    pub const fn root(&self) -> Edge {
        self.root
    }

    /// The expressions that tests and returns refer to.
    #[must_use]
    pub const fn exprs(&self) -> &Exprs {
        &self.symbols.exprs
    }

    /// For each test or return that looks at two or more words at once, those words, one bit each.
    pub(crate) fn relations(&self) -> impl Iterator<Item = u16> + '_ {
        let words = |value| self.symbols.exprs.words(value);
        let of = move |node: &Node| match node.kind {
            Kind::Return(value) => words(value),
            Kind::Test {
                test: Test::Wide { left, right, .. },
                ..
            } => words(left) | words(right),
            Kind::Test { .. } => 0,
        };
        self.nodes.iter().map(of).filter(|words| words.count_ones() > 1)
    }

    pub(crate) const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    pub(crate) fn state(&self, id: NodeId) -> State {
        self.states.get(id.index()).copied().unwrap_or(State::START)
    }

    /// Where the edges of a test begin: (when it holds, when not), as (instruction, state).
    pub(crate) fn branches(&self, id: NodeId, program: &[Insn], symbols: &mut Symbols) -> [(usize, State); 2] {
        let state = self.state(id);
        let pc = self.node(id).map_or(0, |node| node.pc as usize);
        let insn = program.get(pc).copied().unwrap_or_default();
        let after = |skip: u8| pc.saturating_add(1).saturating_add(usize::from(skip));
        if is_division(insn) {
            let divided = symbols.divided(state);
            return [(pc, state), (after(0), divided)];
        }
        let swapped = matches!(
            self.node(id),
            Some(Node {
                kind: Kind::Test { swapped: true, .. },
                ..
            })
        );
        let (yes, no) = if swapped {
            (insn.jf, insn.jt)
        } else {
            (insn.jt, insn.jf)
        };
        [(after(yes), state), (after(no), state)]
    }
}

pub(crate) fn is_division(insn: Insn) -> bool {
    insn.op() == Some(Op::Alu(Alu::Div, Src::X))
}

struct Builder<'p> {
    program: &'p [Insn],
    live: Vec<Live>,
    graph: Graph,
    /// The newest node at each instruction
    at_pc: Vec<Option<NodeId>>,
    /// For each node, an older one at the same instruction
    sibling: Vec<Option<NodeId>>,
    /// Finds nodes at instructions that have more than one
    index: Index,
    /// The newest return of a constant, and an index of all: one node stands for all returns of one constant
    last_return: Option<(u32, NodeId)>,
    returns: Index,
    most: u32,
}

const PENDING: Edge = Edge {
    to: NodeId(0),
    steps: 0,
};

impl<'p> Builder<'p> {
    fn new(program: &'p [Insn], symbols: Symbols, limits: &Limits) -> Self {
        let room = program.len();
        Self {
            program,
            live: liveness(program),
            graph: Graph {
                nodes: Vec::with_capacity(room),
                order: Vec::with_capacity(room),
                root: PENDING,
                states: Vec::with_capacity(room),
                symbols,
            },
            at_pc: vec![None; room],
            sibling: Vec::with_capacity(room),
            index: Index::new(4),
            last_return: None,
            returns: Index::new(4),
            most: limits.states,
        }
    }

    /// Runs ahead to the next node, which may be there already.
    fn arrive(&mut self, pc: usize, state: State) -> Result<Edge, Undecided> {
        let arrival = self.graph.symbols.run(self.program, pc, state, &mut ());
        if let Stop::Return(Value::Const(value)) = arrival.stop
            && !self.divides(arrival.pc)
        {
            let to = self.constant(arrival.pc, value)?;
            return Ok(Edge {
                to,
                steps: arrival.steps,
            });
        }
        let kind = match arrival.stop {
            Stop::Return(value) => Kind::Return(value),
            Stop::Test(test, swapped) => Kind::Test {
                test,
                yes: PENDING,
                no: PENDING,
                swapped,
            },
            Stop::Division => Kind::Test {
                test: is_zero(arrival.state.x),
                yes: PENDING,
                no: PENDING,
                swapped: false,
            },
        };
        let live = self.live.get(arrival.pc).copied().unwrap_or(0);
        let state = self.graph.symbols.keep(arrival.state, live);
        let to = self.unique(arrival.pc, state, kind)?;
        Ok(Edge {
            to,
            steps: arrival.steps,
        })
    }

    fn divides(&self, pc: usize) -> bool {
        self.program.get(pc).is_some_and(|insn| is_division(*insn))
    }

    /// The node that returns this constant.
    #[inline]
    fn constant(&mut self, pc: usize, value: u32) -> Result<NodeId, Undecided> {
        if let Some((last, id)) = self.last_return
            && last == value
        {
            return Ok(id);
        }
        let graph = &self.graph;
        let same = |number: u32| {
            let node = graph.node(NodeId(number));
            node.is_some_and(|node| node.kind == Kind::Return(Value::Const(value)))
        };
        let id = match self.returns.find(mix([value, 0, 0]), same) {
            Found::At(number) => NodeId(number),
            Found::Free(slot) => {
                let id = self.push(pc, 1, State::START, Kind::Return(Value::Const(value)))?;
                if self.returns.put(slot, id.0) {
                    let graph = &self.graph;
                    self.returns
                        .grow(|number| match graph.node(NodeId(number)).map(|node| node.kind) {
                            Some(Kind::Return(Value::Const(value))) => mix([value, 0, 0]),
                            _ => 0,
                        });
                }
                id
            }
        };
        self.last_return = Some((value, id));
        Ok(id)
    }

    /// The node at this place with this state.
    fn unique(&mut self, pc: usize, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let Some(first) = self.at_pc.get(pc).copied().flatten() else {
            return self.add(pc, state, kind);
        };
        if self.graph.state(first) == state || planted(Fault::ForgottenJoin) {
            return Ok(first);
        }
        let graph = &self.graph;
        let same = |number: u32| {
            let id = NodeId(number);
            graph.node(id).is_some_and(|node| node.pc as usize == pc) && graph.state(id) == state
        };
        match self.index.find(hash(pc, &state), same) {
            Found::At(number) => Ok(NodeId(number)),
            Found::Free(_) => self.add(pc, state, kind),
        }
    }

    fn add(&mut self, pc: usize, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let id = self.push(pc, 1, state, kind)?;
        let older = self.at_pc.get_mut(pc).and_then(|newest| newest.replace(id));
        if let Some(sibling) = self.sibling.get_mut(id.index()) {
            *sibling = older;
        }
        // The newest is compared with directly; whoever it displaces is found through the index.
        if let Some(older) = older {
            self.displaced(pc, older);
        }
        Ok(id)
    }

    fn displaced(&mut self, pc: usize, older: NodeId) {
        let state = self.graph.state(older);
        if let Found::Free(slot) = self.index.find(hash(pc, &state), |_| false)
            && self.index.put(slot, older.0)
        {
            let graph = &self.graph;
            self.index.grow(|number| {
                let id = NodeId(number);
                hash(graph.node(id).map_or(0, |node| node.pc as usize), &graph.state(id))
            });
        }
    }

    fn push(&mut self, pc: usize, steps: u32, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let number = u32::try_from(self.graph.nodes.len()).unwrap_or(u32::MAX);
        // Expressions and memories are counted too: a long run can make them without a single test.
        if number >= self.most || self.graph.symbols.len() > (self.most as usize).saturating_mul(4) {
            return Err(Undecided {
                engine: Engine::Graph,
                limit: Limit::States,
            });
        }
        let pc = u32::try_from(pc).unwrap_or(u32::MAX);
        self.graph.nodes.push(Node { pc, steps, kind });
        self.graph.states.push(state);
        self.sibling.push(None);
        Ok(NodeId(number))
    }

    /// Finds out where a node's two ways lead.
    fn finish(&mut self, id: NodeId) -> Result<(), Undecided> {
        let Some(&Node {
            pc,
            kind: Kind::Test { test, swapped, .. },
            steps,
        }) = self.graph.node(id)
        else {
            return Ok(());
        };
        let insn = self.program.get(pc as usize).copied().unwrap_or_default();
        let after = |skip: u8| (pc as usize).saturating_add(1).saturating_add(usize::from(skip));
        let state = self.graph.state(id);
        let (yes, no) = if is_division(insn) {
            let exit = self.push(pc as usize, 0, state, Kind::Return(Value::Const(0)))?;
            let divided = self.graph.symbols.divided(state);
            (Edge { to: exit, steps: 0 }, self.arrive(after(0), divided)?)
        } else {
            let taken = self.arrive(after(insn.jt), state)?;
            let passed = self.arrive(after(insn.jf), state)?;
            if swapped { (passed, taken) } else { (taken, passed) }
        };
        if let Some(node) = self.graph.nodes.get_mut(id.index()) {
            *node = Node {
                pc,
                steps,
                kind: Kind::Test { test, yes, no, swapped },
            };
        }
        self.graph.order.push(id);
        Ok(())
    }
}

/// `value == 0`, for a value that is not constant.
fn is_zero(value: Value) -> Test {
    match value {
        Value::Field(field) => Test::Word(WordTest {
            word: field.word.number(),
            relation: Relation::Equal,
            mask: field.mask,
            value: 0,
        }),
        _ => Test::Wide {
            relation: Relation::Equal,
            left: value,
            right: Value::Const(0),
        },
    }
}

fn hash(pc: usize, state: &State) -> u64 {
    let part = |value: Value| match value {
        Value::Const(k) => k,
        Value::Field(field) => {
            u32::from(field.word.number()) << 8 ^ u32::from(field.shift.cast_unsigned()) ^ field.mask
        }
        Value::Derived(number) => number ^ 0x8000_0000,
    };
    let pc = u32::try_from(pc).unwrap_or(u32::MAX);
    mix([pc ^ state.cells.rotate_left(12), part(state.a), part(state.x)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(program: &[Insn]) -> Graph {
        let filter = Filter::load(program).unwrap();
        Graph::build(&filter, ShiftByX::Masked, &Limits::default()).unwrap()
    }

    #[test]
    fn paths_that_meet_share_what_follows() {
        let mut program = Vec::new();
        for argument in 0..100 {
            program.extend([
                Insn::stmt(0x20, 16 + argument % 12 * 4),
                Insn::jump(0x15, argument, 0, 1),
                Insn::stmt(0x00, 1),
            ]);
        }
        program.push(Insn::stmt(0x06, 0x7fff_0000));
        assert_eq!(graph(&program).nodes().len(), 101);
    }

    #[test]
    fn straight_code_and_known_tests_are_steps_of_an_edge() {
        let program = [
            Insn::stmt(0x00, 5),
            Insn::jump(0x15, 5, 1, 0),
            Insn::stmt(0x06, 0),
            Insn::stmt(0x20, 0),
            Insn::jump(0x45, 4, 0, 1),
            Insn::stmt(0x06, 1),
            Insn::stmt(0x16, 0),
        ];
        let graph = graph(&program);
        assert_eq!(graph.root().steps, 3);
        let Kind::Test {
            test: Test::Word(test),
            yes,
            swapped,
            ..
        } = graph.nodes()[graph.root().to.index()].kind
        else {
            panic!("a test of a word");
        };
        assert_eq!((test.mask, test.value, swapped), (4, 0, true));
        assert!(matches!(
            graph.nodes()[yes.to.index()].kind,
            Kind::Return(Value::Field(_))
        ));
        assert_eq!(graph.nodes().len(), 3, "the first return is not reachable");
    }

    #[test]
    fn division_by_x_tests_x() {
        let program = [
            Insn::stmt(0x20, 0),
            Insn::stmt(0x07, 0),
            Insn::stmt(0x3c, 0),
            Insn::stmt(0x16, 0),
        ];
        let graph = graph(&program);
        let Kind::Test { yes, no, .. } = graph.nodes()[0].kind else {
            panic!("a test")
        };
        assert_eq!(
            graph.nodes()[yes.to.index()],
            Node {
                pc: 2,
                steps: 0,
                kind: Kind::Return(Value::Const(0))
            }
        );
        assert_eq!(graph.nodes()[no.to.index()].pc, 3);
        assert_eq!(graph.relations().count(), 0);
    }

    #[test]
    fn states_are_limited() {
        let mut program = vec![Insn::stmt(0x00, 0), Insn::stmt(0x02, 0)];
        for bit in 0..24 {
            program.extend([
                Insn::stmt(0x20, 16),
                Insn::jump(0x45, 1 << bit, 0, 3),
                Insn::stmt(0x60, 0),
                Insn::stmt(0x04, 1 << bit),
                Insn::stmt(0x02, 0),
            ]);
        }
        program.extend([Insn::stmt(0x60, 0), Insn::stmt(0x16, 0)]);
        let filter = Filter::load(program).unwrap();
        let undecided = Graph::build(&filter, ShiftByX::Masked, &Limits::default()).unwrap_err();
        assert_eq!(undecided.limit, Limit::States);
    }
}
