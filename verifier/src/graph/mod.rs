//! The symbolic pass: an admitted filter as a graph of tests on the input words.
//!
//! A node stands for everything that can happen from one instruction on with one state of the live registers and
//! cells, so that paths which meet again share what follows. Between nodes everything is known: straight code and
//! tests of constants only lengthen an edge. Division by X becomes a test of X against 0.

mod build;
mod state;

use callproof_vm::isa::{Alu, Op, Src};
use callproof_vm::{Filter, Insn, ShiftByX};

use crate::limits::{Limits, Undecided};
use crate::test::Test;
use crate::value::{Exprs, Value};
use build::Builder;
pub(crate) use state::{State, Symbols, Visitor};

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
        Builder::new(filter.program(), symbols, limits).graph()
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

    /// Bytes of memory that the graph takes.
    pub(crate) fn bytes(&self) -> u64 {
        let each = size_of::<Node>() + size_of::<State>() + size_of::<NodeId>();
        let nodes = self.nodes.capacity().saturating_mul(each) as u64;
        nodes.saturating_add(self.symbols.bytes())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;

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

    #[test]
    fn what_is_seen_at_sight_is_what_a_run_finds() {
        use callproof_testgen::{Seed, program};
        let mut nodes = 0;
        for case in 0..20_000 {
            let filter = Filter::load(program(&mut Seed::new(17, case))).unwrap();
            for folds in [true, false] {
                let builder = || {
                    Builder::new(
                        filter.program(),
                        Symbols::new(ShiftByX::Masked, folds),
                        &Limits::default(),
                    )
                };
                let (Ok(seen), Ok(run)) = (builder().graph(), builder().without_sight().graph()) else {
                    continue;
                };
                assert_eq!(seen.nodes, run.nodes, "case {case}");
                assert_eq!(
                    (seen.order, seen.root, seen.states),
                    (run.order, run.root, run.states),
                    "case {case}"
                );
                nodes += run.nodes.len();
            }
        }
        assert!(nodes > 100_000, "{nodes}");
    }
}
