//! Building a graph: states are followed in the order of the program, each place and state once.

use callproof_vm::Insn;
use callproof_vm::isa::{Op, Src};

use crate::fault::{Fault, planted};
use crate::graph::state::{State, Stop, Symbols};
use crate::graph::{Edge, Graph, Kind, Node, NodeId, is_division};
use crate::limits::{Engine, Limit, Limits, Undecided};
use crate::live::{Live, liveness};
use crate::table::{Found, Index, mix};
use crate::test::{Relation, Test, WordTest, plain};
use crate::value::Value;

/// A graph under construction.
pub(super) struct Builder<'p> {
    program: &'p [Insn],
    /// Worked out once a state has anything to forget
    live: Vec<Live>,
    graph: Graph,
    /// The newest node at each instruction
    at_pc: Vec<Option<NodeId>>,
    /// For each node, an older one at the same instruction; may be short
    sibling: Vec<Option<NodeId>>,
    /// Finds nodes at instructions that have more than one
    index: Index,
    /// The newest return of a constant, and an index of all: one node stands for all returns of one constant
    last_return: Option<(u32, NodeId)>,
    returns: Index,
    most: u32,
    most_symbols: usize,
    /// Whether a return of a constant and a comparison of a whole word are seen without a symbolic run
    at_sight: bool,
}

const PENDING: Edge = Edge {
    to: NodeId(0),
    steps: 0,
};

impl<'p> Builder<'p> {
    pub(super) fn new(program: &'p [Insn], symbols: Symbols, limits: &Limits) -> Self {
        // About half of a filter's instructions are tests.
        let room = program.len() / 3 * 2;
        Self {
            program,
            live: Vec::new(),
            graph: Graph {
                nodes: Vec::with_capacity(room),
                order: Vec::with_capacity(room),
                root: PENDING,
                states: Vec::with_capacity(room),
                symbols,
            },
            at_pc: vec![None; program.len()],
            sibling: Vec::new(),
            index: Index::new(2),
            last_return: None,
            returns: Index::new(2),
            most: limits.states,
            most_symbols: most_symbols(limits),
            at_sight: true,
        }
    }

    /// Without the short cut for what real filters mostly consist of.
    #[cfg(test)]
    pub(super) const fn without_sight(mut self) -> Self {
        self.at_sight = false;
        self
    }

    pub(super) fn graph(mut self) -> Result<Graph, Undecided> {
        self.graph.root = self.arrive(0, &State::START)?;
        for pc in 0..self.program.len() {
            let mut next = self.at_pc.get(pc).copied().flatten();
            while let Some(node) = next {
                self.finish(node)?;
                next = self.sibling.get(node.index()).copied().flatten();
            }
        }
        Ok(self.graph)
    }

    /// Runs ahead to the next node, which may be there already.
    #[inline]
    fn arrive(&mut self, pc: usize, state: &State) -> Result<Edge, Undecided> {
        match self.at_sight(pc, state)? {
            Some(to) => Ok(Edge { to, steps: 0 }),
            None => self.run(pc, *state),
        }
    }

    /// The node of an instruction that returns a constant or compares a whole word with one: most of them do. What a
    /// symbolic run would find there needs no run.
    #[inline]
    fn at_sight(&mut self, pc: usize, state: &State) -> Result<Option<NodeId>, Undecided> {
        let Some(insn) = self.program.get(pc).filter(|_| self.at_sight) else {
            return Ok(None);
        };
        match insn.op() {
            Some(Op::RetK) => self.constant(pc, insn.k).map(Some),
            Some(Op::Jump(cond, Src::K)) if insn.jt != insn.jf => {
                let Some((test, swapped)) = state.only_word().and_then(|word| plain(cond, word, insn.k)) else {
                    return Ok(None);
                };
                self.unique(pc, *state, undecided(Test::Word(test), swapped)).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn run(&mut self, pc: usize, state: State) -> Result<Edge, Undecided> {
        let arrival = self.graph.symbols.run(self.program, pc, state, &mut ());
        let kind = match arrival.stop {
            Stop::Return(Value::Const(value)) if !self.divides(arrival.pc) => {
                let to = self.constant(arrival.pc, value)?;
                return Ok(Edge {
                    to,
                    steps: arrival.steps,
                });
            }
            Stop::Return(value) => Kind::Return(value),
            Stop::Test(test, swapped) => undecided(test, swapped),
            Stop::Division => undecided(is_zero(arrival.state.x), false),
        };
        let state = self.keep(arrival.pc, arrival.state);
        let to = self.unique(arrival.pc, state, kind)?;
        Ok(Edge {
            to,
            steps: arrival.steps,
        })
    }

    /// A state without what nobody reads any more. A is read wherever a run stops.
    fn keep(&mut self, pc: usize, state: State) -> State {
        if state.x == Value::Const(0) && state.cells == 0 {
            return state;
        }
        if self.live.is_empty() {
            self.live = liveness(self.program);
        }
        let live = self.live.get(pc).copied().unwrap_or(0);
        self.graph.symbols.keep(state, live)
    }

    fn divides(&self, pc: usize) -> bool {
        self.program.get(pc).is_some_and(|insn| is_division(*insn))
    }

    /// The node that returns this constant.
    #[inline]
    fn constant(&mut self, pc: usize, value: u32) -> Result<NodeId, Undecided> {
        match self.last_return {
            Some((last, id)) if last == value => Ok(id),
            _ => self.another_constant(pc, value),
        }
    }

    fn another_constant(&mut self, pc: usize, value: u32) -> Result<NodeId, Undecided> {
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
    #[inline]
    fn unique(&mut self, pc: usize, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let Some(first) = self.at_pc.get(pc).copied().flatten() else {
            let id = self.push(pc, 1, state, kind)?;
            if let Some(newest) = self.at_pc.get_mut(pc) {
                *newest = Some(id);
            }
            return Ok(id);
        };
        if self.graph.state(first) == state || planted(Fault::ForgottenJoin) {
            return Ok(first);
        }
        self.older_or_new(pc, first, state, kind)
    }

    /// As [`unique`](Self::unique), where the newest node has another state.
    fn older_or_new(&mut self, pc: usize, newest: NodeId, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let graph = &self.graph;
        let same = |number: u32| {
            let id = NodeId(number);
            graph.node(id).is_some_and(|node| node.pc as usize == pc) && graph.state(id) == state
        };
        if let Found::At(number) = self.index.find(hash(pc, &state), same) {
            return Ok(NodeId(number));
        }
        let id = self.push(pc, 1, state, kind)?;
        if let Some(slot) = self.at_pc.get_mut(pc) {
            *slot = Some(id);
        }
        self.sibling.resize(self.graph.nodes.len(), None);
        if let Some(sibling) = self.sibling.get_mut(id.index()) {
            *sibling = Some(newest);
        }
        // The newest is compared with directly; whoever it displaces is found through the index.
        self.displaced(pc, newest);
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

    #[inline]
    fn push(&mut self, pc: usize, steps: u32, state: State, kind: Kind) -> Result<NodeId, Undecided> {
        let number = u32::try_from(self.graph.nodes.len()).unwrap_or(u32::MAX);
        // Expressions and memories are counted too: a long run can make them without a single test.
        if number >= self.most || self.graph.symbols.len() > self.most_symbols {
            return Err(self.full());
        }
        let pc = u32::try_from(pc).unwrap_or(u32::MAX);
        self.graph.nodes.push(Node { pc, steps, kind });
        self.graph.states.push(state);
        Ok(NodeId(number))
    }

    #[cold]
    fn full(&self) -> Undecided {
        let states = (self.most as usize).saturating_mul(4);
        let by_states = self.graph.nodes.len() >= self.most as usize || self.graph.symbols.len() > states;
        Undecided {
            engine: Engine::Graph,
            limit: if by_states { Limit::States } else { Limit::Bytes },
        }
    }

    /// Finds out where a node's two ways lead.
    fn finish(&mut self, id: NodeId) -> Result<(), Undecided> {
        let Some(&Node {
            pc,
            kind: Kind::Test { swapped, .. },
            ..
        }) = self.graph.node(id)
        else {
            return Ok(());
        };
        let insn = self.program.get(pc as usize).copied().unwrap_or_default();
        let after = |skip: u8| (pc as usize).saturating_add(1).saturating_add(usize::from(skip));
        let state = self.graph.state(id);
        let ways = if is_division(insn) {
            let exit = self.push(pc as usize, 0, state, Kind::Return(Value::Const(0)))?;
            let divided = self.graph.symbols.divided(state);
            (Edge { to: exit, steps: 0 }, self.arrive(after(0), &divided)?)
        } else {
            let taken = self.arrive(after(insn.jt), &state)?;
            let passed = self.arrive(after(insn.jf), &state)?;
            if swapped { (passed, taken) } else { (taken, passed) }
        };
        if let Some(Node {
            kind: Kind::Test { yes, no, .. },
            ..
        }) = self.graph.nodes.get_mut(id.index())
        {
            (*yes, *no) = ways;
        }
        self.graph.order.push(id);
        Ok(())
    }
}

/// How many expressions and scratch memories a filter may need: four for each state, within a quarter of the bytes.
fn most_symbols(limits: &Limits) -> usize {
    let by_bytes = limits.bytes / 4 / size_of::<[Value; 16]>() as u64;
    (limits.states as usize)
        .saturating_mul(4)
        .min(usize::try_from(by_bytes).unwrap_or(usize::MAX))
}

/// A test whose ways are not known yet.
const fn undecided(test: Test, swapped: bool) -> Kind {
    Kind::Test {
        test,
        yes: PENDING,
        no: PENDING,
        swapped,
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
