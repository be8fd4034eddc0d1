//! The points of a filter that a proof makes claims about: where paths join, and where another word is tested.

use std::collections::HashSet;

use callproof_checker::Way;
use callproof_vm::isa::{Alu, Cond, Op, Src};
use callproof_vm::{Insn, Kernel};

use crate::cost::{cost_at_root, cost_build};
use crate::diagram::sums::{Sum, Sums};
use crate::diagram::{Arena, Build, Diagram, Leaves, Plan, Ref};
use crate::function::{at_root, returns, whole_build};
use crate::graph::{Edge, Graph, Kind, Node, NodeId, State, Visitor};
use crate::limits::{Limits, Undecided};
use crate::live::{A, Live, X, liveness};
use crate::proof::Unprovable;
use crate::proof::fields::{Stated, stated};
use crate::subject::Subject;
use crate::test::Test;
use crate::value::{Field, Value};
use crate::view::View;

/// A point as it is written.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) pc: u32,
    pub(super) state: Vec<(u32, Stated)>,
    pub(super) edge: (u32, i32),
}

/// A point whose function has no number yet.
#[derive(Clone, Debug)]
pub(super) struct At<E> {
    pc: u32,
    state: Vec<(u32, Stated)>,
    pub(super) edge: E,
}

/// A filter with its points.
#[derive(Clone, Debug)]
pub(super) struct Built<E> {
    pub(super) root: E,
    pub(super) edges: Vec<At<E>>,
    /// The constants that it returns
    pub(super) returned: Vec<u32>,
}

impl<E: Copy> Built<E> {
    pub(super) fn numbered(self, mut number: impl FnMut(E) -> (u32, i32)) -> Vec<Point> {
        let points = self.edges.into_iter();
        points
            .map(|At { pc, state, edge }| Point {
                pc,
                state,
                edge: number(edge),
            })
            .collect()
    }
}

/// A filter of a chain.
pub(super) struct Filter<'s> {
    graph: Graph,
    program: &'s [Insn],
    live: Vec<Live>,
    endian: callproof_vm::Endian,
}

impl<'s> Filter<'s> {
    /// The filters of a chain, oldest first.
    pub(super) fn all(subject: &'s Subject<'_>, limits: &Limits) -> Result<Vec<Self>, Undecided> {
        let machine = subject.machine();
        let one = |filter: &'s callproof_vm::Filter<'_>| {
            Ok(Self {
                graph: Graph::with_every_test(filter, machine.shift, limits)?,
                program: filter.program(),
                live: liveness(filter.program()),
                endian: machine.endian,
            })
        };
        subject.filters().iter().map(one).collect()
    }

    /// What the filter returns, from each point on.
    pub(super) fn values(&self, arena: &mut Arena, kernel: Kernel) -> Result<Built<Ref>, Unprovable> {
        let plan = self.plan()?;
        let build = whole_build(arena, &plan, View::Value, kernel)?;
        let constants = returns(&self.graph).filter_map(|(_, value)| match value {
            Value::Const(value) => Some(View::Value.stand_in(value, kernel)),
            _ => None,
        });
        let root = at_root(&self.graph, build.known());
        Ok(Built {
            root,
            returned: constants.collect(),
            edges: self.points(&plan, &build, root),
        })
    }

    /// What the filter costs, from each point on.
    pub(super) fn costs(&self, sums: &mut Sums<'_>) -> Result<Built<Sum>, Unprovable> {
        let plan = self.plan()?;
        let build = cost_build(sums, &plan)?;
        let root = cost_at_root(sums, &self.graph, build.known());
        Ok(Built {
            root,
            returned: Vec::new(),
            edges: self.points(&plan, &build, root),
        })
    }

    /// Whether any of this happens, from each point on: ways at instructions.
    pub(super) fn never(&self, arena: &mut Arena, asked: &[(usize, Way)]) -> Result<Built<Ref>, Unprovable> {
        let shifts = |&(pc, way): &(usize, Way)| {
            let op = self.program.get(pc).and_then(|insn| insn.op());
            way != Way::Reached && matches!(op, Some(Op::Alu(Alu::Lsh | Alu::Rsh, Src::X)))
        };
        if asked.iter().any(shifts) {
            return Err(Unprovable::Unsupported("claims about shifts by X are not written yet"));
        }
        let asked: HashSet<_> = asked.iter().copied().collect();
        let mut happens = Happens::new(self, &asked);
        let plan = self.plan_without(|id| happens.near(id))?;
        let mut build = Build::new(arena, &plan);
        for (id, value) in returns(&self.graph) {
            let own = self.graph.node(id).filter(|_| !matches!(value, Value::Const(_)));
            let happens = own.is_some_and(|node| asked.contains(&(node.pc as usize, Way::Reached)));
            build.set(id, if happens { Ref::TRUE } else { Ref::FALSE });
        }
        build.all(arena, &mut happens)?;
        let root = if happens.at_once {
            Ref::TRUE
        } else {
            at_root(&self.graph, build.known())
        };
        Ok(Built {
            root,
            returned: Vec::new(),
            edges: self.points(&plan, &build, root),
        })
    }

    /// A plan whose comparisons of one word are those that a checker follows too.
    fn plan(&self) -> Result<Plan<'_>, Unprovable> {
        self.plan_without(|_| false)
    }

    /// As [`plan`](Self::plan), with points at some more nodes and behind them.
    fn plan_without(&self, apart_too: impl Fn(NodeId) -> bool) -> Result<Plan<'_>, Unprovable> {
        let mut apart = vec![true; self.graph.nodes().len()];
        for &id in self.graph.order() {
            if let Some(Kind::Test {
                test: Test::Wide { .. },
                ..
            }) = self.graph.node(id).map(|node| node.kind)
            {
                return Err(Unprovable::Unsupported("a test is not of bits of one word"));
            }
            if let Some(apart) = apart.get_mut(id.index()) {
                *apart = !self.compares_a_word(id) || apart_too(id);
            }
        }
        Ok(Plan::with_apart(&self.graph, apart))
    }

    fn compares_a_word(&self, id: NodeId) -> bool {
        let state = self.graph.state(id);
        let insn = self.graph.node(id).and_then(|node| self.program.get(node.pc as usize));
        let constant = match insn.and_then(|insn| insn.op()) {
            Some(Op::Jump(Cond::Jset, _)) => false,
            Some(Op::Jump(_, Src::K)) => true,
            Some(Op::Jump(_, Src::X)) => matches!(state.x, Value::Const(_)),
            _ => false,
        };
        constant
            && matches!(
                state.a,
                Value::Field(Field {
                    shift: 0,
                    mask: u32::MAX,
                    ..
                })
            )
    }

    /// The points, in the order of their instructions.
    fn points<D: Diagram>(&self, plan: &Plan<'_>, build: &Build<'_, '_, D>, root: D::Edge) -> Vec<At<D::Edge>> {
        let known = |id: NodeId| build.known().get(id.index()).copied().unwrap_or(root);
        let heads = self.graph.order().iter().copied().filter(|id| plan.is_head(*id));
        let computed = returns(&self.graph)
            .filter(|(_, value)| !matches!(value, Value::Const(_)))
            .map(|(id, _)| id);
        let mut nodes: Vec<NodeId> = heads.chain(computed).chain(build.singled().iter().copied()).collect();
        let pc = |id: &NodeId| self.graph.node(*id).map_or(0, |node| node.pc);
        nodes.sort_by_key(pc);
        nodes.dedup();
        let mut points: Vec<_> = nodes
            .iter()
            .map(|id| At {
                pc: pc(id),
                state: self.stated(pc(id), self.graph.state(*id)),
                edge: known(*id),
            })
            .collect();
        if points.first().is_none_or(|point| point.pc != 0) {
            let state = self.stated(0, State::START);
            points.insert(
                0,
                At {
                    pc: 0,
                    state,
                    edge: root,
                },
            );
        }
        points
    }

    /// The live registers of a state that a proof can speak about.
    fn stated(&self, pc: u32, state: State) -> Vec<(u32, Stated)> {
        let live = self.live.get(pc as usize).copied().unwrap_or(0);
        let symbols = self.graph.symbols();
        let registers = [(A, state.a), (X, state.x)].into_iter().zip(0_u32..);
        let cells = symbols
            .all_cells(state.cells)
            .into_iter()
            .zip(2_u32..)
            .map(|(value, bit)| ((1 << bit, value), bit));
        let held = registers.chain(cells).filter(|((bit, _), _)| live & bit != 0);
        held.filter_map(|((_, value), bit)| Some((bit, stated(value, &symbols.exprs, self.endian)?)))
            .collect()
    }
}

/// Where something happens.
struct Happens {
    /// On the way into the filter
    at_once: bool,
    /// For each node, whether on its ways out: (when its test holds, when not)
    ways: Vec<[bool; 2]>,
}

impl Happens {
    fn new(filter: &Filter<'_>, asked: &HashSet<(usize, Way)>) -> Self {
        let graph = &filter.graph;
        let mut symbols = graph.symbols().clone();
        let mut along = |start: usize, state: State| {
            let mut watch = Watch { asked, seen: false };
            let end = symbols.run(filter.program, start, state, &mut watch).pc;
            watch.seen || asked.contains(&(end, Way::Reached))
        };
        let at_once = along(0, State::START);
        let mut happens = Self {
            at_once,
            ways: vec![[false; 2]; graph.nodes().len()],
        };
        let mut symbols = graph.symbols().clone();
        for &id in graph.order() {
            let [yes, no] = graph.branches(id, filter.program, &mut symbols);
            let ways = [(true, yes), (false, no)].map(|(held, (start, state))| {
                // The way out of a division by zero executes nothing more.
                let leaves = graph.node(id).is_some_and(|node| node.pc as usize == start);
                graph.node(id).is_some_and(|node| taken(node, held, asked)) || (!leaves && along(start, state))
            });
            if let Some(slot) = happens.ways.get_mut(id.index()) {
                *slot = ways;
            }
        }
        happens
    }

    /// Whether it happens on one of the ways out of a node.
    fn near(&self, id: NodeId) -> bool {
        self.ways.get(id.index()).is_some_and(|[yes, no]| *yes || *no)
    }
}

/// Whether going on from the node this way is one of the ways in question.
fn taken(node: &Node, held: bool, asked: &HashSet<(usize, Way)>) -> bool {
    let swapped = matches!(node.kind, Kind::Test { swapped: true, .. });
    let way = if held == swapped { Way::No } else { Way::Yes };
    [Way::Reached, way]
        .iter()
        .any(|way| asked.contains(&(node.pc as usize, *way)))
}

/// Sees whether something happens on a straight way.
struct Watch<'a> {
    asked: &'a HashSet<(usize, Way)>,
    seen: bool,
}

impl Visitor for Watch<'_> {
    fn visit(&mut self, pc: usize, _: &State, known: Option<bool>) {
        let way = known.map(|known| if known { Way::Yes } else { Way::No });
        self.seen |= [Some(Way::Reached), way]
            .into_iter()
            .flatten()
            .any(|way| self.asked.contains(&(pc, way)));
    }
}

impl Leaves<Arena> for Happens {
    fn edge(&mut self, _: &mut Arena, from: NodeId, held: bool, edge: Edge, known: &[Ref]) -> Result<Ref, Undecided> {
        let happens = self
            .ways
            .get(from.index())
            .is_some_and(|[yes, no]| if held { *yes } else { *no });
        if happens {
            return Ok(Ref::TRUE);
        }
        Ok(known.get(edge.to.index()).copied().unwrap_or(Ref::FALSE))
    }
}
