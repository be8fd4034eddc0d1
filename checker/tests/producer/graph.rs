//! A filter as a graph of tests, by executing it on bits of the input.

use std::collections::{BTreeMap, HashMap};

use callproof_checker::{Machine, Set, Way};
use callproof_vm::isa::{Alu, Cond, Op as Code, Size, Src};
use callproof_vm::{Insn, ShiftByX};

use super::diagram::{Bit, Bits, Edge, Op, Table, constant_edge, terminal};
use super::truth;

/// What the diagrams are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Value,
    Cost,
    Never(Vec<(usize, Way)>),
}

/// A register: unknown, or its bits.
pub(crate) type Register = Option<Bits>;
pub(crate) type State = [Register; 18];

/// One point of a proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) pc: usize,
    pub(crate) state: State,
    pub(crate) edge: Edge,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Returned(u32),
    Happened,
    Node(usize),
}

#[derive(Clone, Debug)]
enum Kind {
    Test {
        bits: Bits,
        op: Op,
        k: u32,
        ways: [(Next, i32); 2],
    },
    Value(Bits),
}

#[derive(Clone, Debug)]
struct Node {
    pc: usize,
    state: State,
    kind: Kind,
}

pub(crate) struct Graph {
    nodes: Vec<Node>,
    start: (Next, i32),
    question: Question,
}

pub(crate) fn constant(k: u32) -> Bits {
    std::array::from_fn(|i| Bit::Const(k >> (31 - i) & 1 == 1))
}

pub(crate) fn word(word: u8, mask: u32) -> Bits {
    std::array::from_fn(|i| match mask >> (31 - i) & 1 {
        1 => Bit::Input(u32::from(word) * 32 + i as u32, false),
        _ => Bit::Const(false),
    })
}

fn as_constant(bits: &Bits) -> Option<u32> {
    bits.iter().try_fold(0, |value, bit| match bit {
        Bit::Const(bit) => Some(value << 1 | u32::from(*bit)),
        Bit::Input(..) => None,
    })
}

struct Builder<'b> {
    program: &'b [Insn],
    machine: &'b Machine,
    question: Question,
    nodes: Vec<Option<Node>>,
    known: HashMap<(usize, State), usize>,
}

impl Graph {
    pub(crate) fn of(program: &[Insn], machine: &Machine, question: Question) -> Option<Self> {
        let mut builder = Builder {
            program,
            machine,
            question,
            nodes: vec![],
            known: HashMap::new(),
        };
        let mut state = [None; 18];
        state[0] = Some(constant(0));
        state[1] = Some(constant(0));
        let start = builder.explore(0, state, 0)?;
        let question = builder.question;
        let nodes = builder.nodes.into_iter().collect::<Option<_>>()?;
        Some(Self { nodes, start, question })
    }

    /// Every value that is returned, or `None` if they are too many.
    pub(crate) fn returns(&self, machine: &Machine) -> Vec<Option<u32>> {
        let mut values = Vec::new();
        let mut add = |next: Next| {
            if let Next::Returned(value) = next {
                values.push(Some(truth::combine(&[value], machine)));
            }
        };
        add(self.start.0);
        for node in &self.nodes {
            match &node.kind {
                Kind::Test { ways, .. } => ways.iter().for_each(|way| add(way.0)),
                Kind::Value(_) => {}
            }
        }
        for node in &self.nodes {
            if let Kind::Value(bits) = &node.kind {
                let inputs: Vec<usize> = (0..32).filter(|&i| matches!(bits[i], Bit::Input(..))).collect();
                if inputs.len() > 6 {
                    return vec![None];
                }
                for choice in 0_u32..1 << inputs.len() {
                    let mut bits = *bits;
                    for (nth, &i) in inputs.iter().enumerate() {
                        bits[i] = Bit::Const(choice >> nth & 1 == 1);
                    }
                    values.push(as_constant(&bits).map(|value| truth::combine(&[value], machine)));
                }
            }
        }
        values
    }

    /// The function of the filter, and the points of its proof.
    pub(crate) fn points(
        &self,
        table: &mut Table,
        classes: &[Set],
        machine: &Machine,
        sparse: bool,
    ) -> (Edge, Vec<Point>) {
        // A node's successors have greater pcs.
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|&node| std::cmp::Reverse(self.nodes[node].pc));
        let mut edges: BTreeMap<usize, Edge> = BTreeMap::new();
        let class = |first: u32, last: u32| {
            let found = truth::class(first, classes, machine)?;
            // Enough for a test: check the ends and let each class be one range.
            let allow = truth::combine(&[first], machine) == truth::combine(&[last], machine);
            let one = classes[found].iter().any(|&(start, end)| start <= first && last <= end);
            ((first == last) || allow && first >> 16 == last >> 16 || one).then_some(found)
        };
        for &node in &order {
            let made = match &self.nodes[node].kind {
                Kind::Value(bits) => table.classify(bits, &class).unwrap(),
                Kind::Test { bits, op, k, ways } => {
                    let test = table.test(bits, *op, *k);
                    let [yes, no] = [0, 1].map(|way| self.edge(ways[way], &edges, classes, machine));
                    table.ite(test, yes, no)
                }
            };
            edges.insert(node, made);
        }
        let root = self.edge(self.start, &edges, classes, machine);
        let dropped = if sparse { self.continued(table, &edges) } else { vec![] };
        let mut points = vec![];
        for (&node, &edge) in &edges {
            if !dropped.contains(&node) {
                let Node { pc, state, .. } = self.nodes[node];
                points.push(Point { pc, state, edge });
            }
        }
        points.sort_by_key(|point| point.pc);
        let mut state = [None; 18];
        state[0] = Some(constant(0));
        state[1] = Some(constant(0));
        points.insert(
            0,
            Point {
                pc: 0,
                state,
                edge: root,
            },
        );
        (root, points)
    }

    fn edge(&self, way: (Next, i32), edges: &BTreeMap<usize, Edge>, classes: &[Set], machine: &Machine) -> Edge {
        let cost = if self.question == Question::Cost { way.1 } else { 0 };
        let edge = match (way.0, &self.question) {
            (Next::Node(node), _) => edges[&node],
            (Next::Happened, _) | (Next::Returned(_), Question::Cost) => Edge {
                add: 0,
                id: terminal(1),
            },
            (Next::Returned(_), Question::Never(..)) => Edge {
                add: 0,
                id: terminal(0),
            },
            (Next::Returned(value), Question::Value) => constant_edge(truth::class(value, classes, machine).unwrap()),
        };
        Edge {
            add: edge.add + cost,
            ..edge
        }
    }

    /// Nodes that continue a switch: tests of the same bits, reached from one test only.
    fn continued(&self, table: &Table, edges: &BTreeMap<usize, Edge>) -> Vec<usize> {
        let mut parents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Kind::Test { ways, .. } = &node.kind {
                for (next, _) in ways {
                    if let Next::Node(child) = next {
                        parents.entry(*child).or_default().push(number);
                    }
                }
            }
        }
        let first = |bits: &Bits| {
            bits.iter().find_map(|bit| match bit {
                Bit::Input(var, _) => Some(*var),
                Bit::Const(_) => None,
            })
        };
        let whole = |bits: &Bits| bits.iter().all(|bit| matches!(bit, Bit::Input(_, false)));
        let fits = |node: &Node| match &node.kind {
            Kind::Test { bits, op, ways, .. } if *op != Op::Set && whole(bits) => {
                ways.iter().all(|(next, _)| match next {
                    Next::Node(child) => table.var(edges[child].id) >= first(bits).unwrap(),
                    Next::Returned(_) | Next::Happened => true,
                })
            }
            _ => false,
        };
        let same = |a: &Node, b: &Node| match (&a.kind, &b.kind) {
            (Kind::Test { bits: a, .. }, Kind::Test { bits: b, .. }) => a == b,
            _ => false,
        };
        let one = |node: usize| parents.get(&node).filter(|p| p.len() == 1).map(|p| p[0]);
        (0..self.nodes.len())
            .filter(|&node| {
                one(node).is_some_and(|parent| {
                    let (node, parent) = (&self.nodes[node], &self.nodes[parent]);
                    same(node, parent) && fits(node) && fits(parent)
                })
            })
            .collect()
    }
}

impl Builder<'_> {
    /// Executes until the input decides or the filter returns; counts instructions.
    fn explore(&mut self, mut pc: usize, mut state: State, mut count: i32) -> Option<(Next, i32)> {
        let question = self.question.clone();
        let asked = |at: usize, wanted: Way| matches!(&question, Question::Never(all) if all.contains(&(at, wanted)));
        loop {
            if asked(pc, Way::Reached) {
                return Some((Next::Happened, count));
            }
            let insn = self.program[pc];
            let (a, x, k) = (state[0], state[1], insn.k);
            let op = insn.op()?;
            let scratch = k as usize + 2;
            let mut branch = None;
            match op {
                Code::LdImm => state[0] = Some(constant(k)),
                Code::LdxImm => state[1] = Some(constant(k)),
                Code::LdAbs(Size::Word) => state[0] = Some(load(k, self.machine)),
                Code::LdLen => state[0] = Some(constant(64)),
                Code::LdxLen => state[1] = Some(constant(64)),
                Code::LdMem => state[0] = state[scratch],
                Code::LdxMem => state[1] = state[scratch],
                Code::St => state[scratch] = a,
                Code::Stx => state[scratch] = x,
                Code::Tax => state[1] = a,
                Code::Txa => state[0] = x,
                Code::Neg => state[0] = a.and_then(|a| as_constant(&a)).map(|a| constant(a.wrapping_neg())),
                Code::Ja => {
                    pc += k as usize;
                }
                Code::RetK => return Some((Next::Returned(k), count + 1)),
                Code::RetA => {
                    if self.question != Question::Value {
                        return Some((Next::Returned(0), count + 1));
                    }
                    return match as_constant(&a?) {
                        Some(value) => Some((Next::Returned(value), count + 1)),
                        None => Some((self.intern(pc, state, |_| Some(Kind::Value(a?)))?, count)),
                    };
                }
                Code::Jump(cond, src) => {
                    let op = match cond {
                        Cond::Jeq => Op::Eq,
                        Cond::Jgt => Op::Gt,
                        Cond::Jge => Op::Ge,
                        Cond::Jset => Op::Set,
                    };
                    let other = if src == Src::K { Some(constant(k)) } else { x };
                    let [yes, no] = [insn.jt, insn.jf].map(|jump| pc + 1 + usize::from(jump));
                    if insn.jt == insn.jf && !asked(pc, Way::Yes) && !asked(pc, Way::No) {
                        pc += usize::from(insn.jt);
                    } else {
                        branch = Some((op, a, other, Some(yes), no));
                    }
                }
                Code::Alu(Alu::Div, Src::X) => {
                    state[0] = arithmetic(Alu::Div, a, x, self.machine);
                    branch = Some((Op::Eq, x, Some(constant(0)), None, pc + 1));
                }
                Code::Alu(alu, src) => {
                    let other = if src == Src::K { Some(constant(k)) } else { x };
                    state[0] = arithmetic(alu, a, other, self.machine);
                    let shift = matches!(alu, Alu::Lsh | Alu::Rsh) && src == Src::X;
                    if shift && (asked(pc, Way::Yes) || asked(pc, Way::No)) {
                        branch = Some((Op::Ge, x, Some(constant(32)), Some(pc + 1), pc + 1));
                    }
                }
                _ => return None,
            }
            if let Some((op, left, right, yes, no)) = branch {
                let (left, right) = (left?, right?);
                let before = {
                    // The point stands before the instruction.
                    let mut before = state;
                    before[0] = a;
                    before
                };
                let way = |to: Option<usize>, holds: bool| {
                    let wanted = if holds { Way::Yes } else { Way::No };
                    if asked(pc, wanted) {
                        Err(Next::Happened)
                    } else {
                        to.ok_or(Next::Returned(0))
                    }
                };
                let ways = [way(yes, true), way(Some(no), false)];
                if let (Some(l), Some(r)) = (as_constant(&left), as_constant(&right)) {
                    match ways[usize::from(!op.holds(l, r))] {
                        Ok(to) => pc = to,
                        Err(next) => return Some((next, count + 1)),
                    }
                    count += 1;
                    continue;
                }
                let next = self.intern(pc, before, |builder| {
                    let mut follow = |way: Result<usize, Next>| match way {
                        Ok(to) => builder.explore(to, state, 1),
                        Err(next) => Some((next, 1)),
                    };
                    let [yes, no] = [follow(ways[0])?, follow(ways[1])?];
                    Some(match (as_constant(&left), as_constant(&right)) {
                        (None, Some(k)) => Kind::Test {
                            bits: left,
                            op,
                            k,
                            ways: [yes, no],
                        },
                        (Some(k), None) => {
                            let (op, ways) = match op {
                                Op::Eq | Op::Set => (op, [yes, no]),
                                Op::Gt => (Op::Ge, [no, yes]),
                                Op::Ge => (Op::Gt, [no, yes]),
                            };
                            Kind::Test {
                                bits: right,
                                op,
                                k,
                                ways,
                            }
                        }
                        _ => return None,
                    })
                })?;
                return Some((next, count));
            }
            pc += 1;
            count += 1;
        }
    }

    fn intern(&mut self, pc: usize, state: State, kind: impl FnOnce(&mut Self) -> Option<Kind>) -> Option<Next> {
        if let Some(&node) = self.known.get(&(pc, state)) {
            return Some(Next::Node(node));
        }
        // Paths multiply; small filters are enough.
        if self.nodes.len() > 2_000 {
            return None;
        }
        let node = self.nodes.len();
        self.nodes.push(None);
        self.known.insert((pc, state), node);
        let kind = kind(self)?;
        self.nodes[node] = Some(Node { pc, state, kind });
        Some(Next::Node(node))
    }
}

fn load(offset: u32, machine: &Machine) -> Bits {
    // Names each word by where a call with only that word set shows up.
    let slot = (0..16_u8).find(|&slot| {
        let mut input = [0; 16];
        input[usize::from(slot)] = 1;
        truth::call(&input).words(truth::endian(machine))[offset as usize / 4] == 1
    });
    word(slot.unwrap(), u32::MAX)
}

fn arithmetic(alu: Alu, a: Register, b: Register, machine: &Machine) -> Register {
    let (a, b) = (a?, b?);
    let commutes = matches!(alu, Alu::And | Alu::Or | Alu::Xor | Alu::Add | Alu::Mul);
    let (a, k) = match (as_constant(&a), as_constant(&b)) {
        (Some(a), Some(b)) => return Some(constant(compute(alu, a, b, truth::shift_rule(machine)))),
        (None, Some(k)) => (a, k),
        (Some(k), None) if commutes => (b, k),
        _ => return None,
    };
    let bit = |i: usize| k >> (31 - i) & 1 == 1;
    let per_bit = |f: &dyn Fn(usize) -> Bit| Some(std::array::from_fn(f));
    let moved = |by: i32| {
        per_bit(&|i| {
            let from = i as i32 + by;
            if (0..32).contains(&from) {
                a[from as usize]
            } else {
                Bit::Const(false)
            }
        })
    };
    let shift = |sign: i32| match truth::shift_rule(machine).count(k) {
        Some(count) => moved(sign * count as i32),
        None => Some(constant(0)),
    };
    match alu {
        Alu::And => per_bit(&|i| if bit(i) { a[i] } else { Bit::Const(false) }),
        Alu::Or => per_bit(&|i| if bit(i) { Bit::Const(true) } else { a[i] }),
        Alu::Xor => per_bit(&|i| match a[i] {
            Bit::Const(b) => Bit::Const(b != bit(i)),
            Bit::Input(var, flip) => Bit::Input(var, flip != bit(i)),
        }),
        Alu::Lsh => shift(1),
        Alu::Rsh => shift(-1),
        Alu::Add | Alu::Sub if k == 0 => Some(a),
        Alu::Mul if k.is_power_of_two() => moved(k.trailing_zeros() as i32),
        Alu::Div if k.is_power_of_two() => moved(-(k.trailing_zeros() as i32)),
        _ => None,
    }
}

fn compute(alu: Alu, a: u32, b: u32, shift: ShiftByX) -> u32 {
    match alu {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b).unwrap_or(0),
        Alu::And => a & b,
        Alu::Or => a | b,
        Alu::Xor => a ^ b,
        Alu::Lsh => shift.count(b).map_or(0, |count| a << count),
        Alu::Rsh => shift.count(b).map_or(0, |count| a >> count),
        Alu::Mod => unreachable!(),
    }
}
