//! A table of unique nodes, built by brute recursion.

use std::collections::HashMap;

/// A comparison of unsigned words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Gt,
    Ge,
    Set,
}

impl Op {
    pub(crate) fn holds(self, a: u32, b: u32) -> bool {
        match self {
            Self::Eq => a == b,
            Self::Gt => a > b,
            Self::Ge => a >= b,
            Self::Set => a & b != 0,
        }
    }
}

/// One bit of a register: a constant, or a bit of the input, perhaps flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bit {
    Const(bool),
    Input(u32, bool),
}

/// Thirty-two bits, the most significant first.
pub(crate) type Bits = [Bit; 32];

/// A node and what is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub(crate) add: i32,
    pub(crate) id: u32,
}

/// Terminals have the numbers below this; nodes the numbers from it on.
pub(crate) const NODES: u32 = 1 << 20;

pub(crate) const fn terminal(number: u32) -> u32 {
    number
}

pub(crate) const fn constant_edge(class: usize) -> Edge {
    Edge {
        add: 0,
        id: class as u32 + 2,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) var: u32,
    pub(crate) low: u32,
    pub(crate) high: u32,
    pub(crate) weight: i32,
}

#[derive(Clone, Default)]
pub(crate) struct Table {
    pub(crate) nodes: Vec<Node>,
    unique: HashMap<Node, u32>,
}

impl Table {
    pub(crate) fn var(&self, id: u32) -> u32 {
        if id < NODES {
            512
        } else {
            self.nodes[(id - NODES) as usize].var
        }
    }

    pub(crate) fn split(&self, edge: Edge, var: u32) -> [Edge; 2] {
        if self.var(edge.id) != var {
            return [edge, edge];
        }
        let node = self.nodes[(edge.id - NODES) as usize];
        [
            Edge { id: node.low, ..edge },
            Edge {
                id: node.high,
                add: edge.add + node.weight,
            },
        ]
    }

    pub(crate) fn make(&mut self, var: u32, low: Edge, high: Edge) -> Edge {
        if low == high {
            return low;
        }
        let node = Node {
            var,
            low: low.id,
            high: high.id,
            weight: high.add - low.add,
        };
        let next = NODES + self.nodes.len() as u32;
        let id = *self.unique.entry(node).or_insert(next);
        if id == next {
            self.nodes.push(node);
        }
        Edge { add: low.add, id }
    }

    /// The diagram of `bits op k`, with terminals 0 and 1.
    pub(crate) fn test(&mut self, bits: &Bits, op: Op, k: u32) -> Edge {
        self.test_from(bits, op, k, 0, 0)
    }

    fn test_from(&mut self, bits: &Bits, op: Op, k: u32, index: usize, sofar: u32) -> Edge {
        // Settled by the leading bits, whatever follows?
        let open = u32::MAX.checked_shr(index as u32).unwrap_or(0);
        let known = !open;
        let settled = match op {
            Op::Eq => (sofar ^ k) & known != 0,
            Op::Gt | Op::Ge => (sofar ^ k) & known != 0,
            Op::Set => sofar & k != 0 || k & open == 0,
        };
        if settled || index == 32 {
            let holds = match op {
                Op::Eq => sofar == k,
                Op::Gt => sofar & known > k & known,
                Op::Ge => sofar & known >= k & known,
                Op::Set => sofar & k != 0,
            };
            return Edge {
                add: 0,
                id: u32::from(holds),
            };
        }
        let with = |bit: bool| sofar | u32::from(bit) << (31 - index);
        match bits[index] {
            Bit::Const(bit) => self.test_from(bits, op, k, index + 1, with(bit)),
            Bit::Input(var, flip) => {
                let clear = self.test_from(bits, op, k, index + 1, with(flip));
                let set = self.test_from(bits, op, k, index + 1, with(!flip));
                self.make(var, clear, set)
            }
        }
    }

    pub(crate) fn ite(&mut self, test: Edge, yes: Edge, no: Edge) -> Edge {
        self.ite_memo(test, yes, no, &mut HashMap::new())
    }

    fn ite_memo(&mut self, test: Edge, yes: Edge, no: Edge, memo: &mut HashMap<[Edge; 3], Edge>) -> Edge {
        if test.id < 2 {
            return if test.id == 1 { yes } else { no };
        }
        if let Some(&known) = memo.get(&[test, yes, no]) {
            return known;
        }
        let var = self.var(test.id).min(self.var(yes.id)).min(self.var(no.id));
        let [t, y, n] = [test, yes, no].map(|edge| self.split(edge, var));
        let low = self.ite_memo(t[0], y[0], n[0], memo);
        let high = self.ite_memo(t[1], y[1], n[1], memo);
        let made = self.make(var, low, high);
        memo.insert([test, yes, no], made);
        made
    }

    pub(crate) fn apply(&mut self, a: Edge, b: Edge, at_terminals: &mut dyn FnMut(Edge, Edge) -> Edge) -> Edge {
        self.apply_memo(a, b, at_terminals, &mut HashMap::new())
    }

    fn apply_memo(
        &mut self,
        a: Edge,
        b: Edge,
        at_terminals: &mut dyn FnMut(Edge, Edge) -> Edge,
        memo: &mut HashMap<[Edge; 2], Edge>,
    ) -> Edge {
        if let Some(&known) = memo.get(&[a, b]) {
            return known;
        }
        let var = self.var(a.id).min(self.var(b.id));
        let made = if var == 512 {
            at_terminals(a, b)
        } else {
            let [x, y] = [a, b].map(|edge| self.split(edge, var));
            let low = self.apply_memo(x[0], y[0], at_terminals, memo);
            let high = self.apply_memo(x[1], y[1], at_terminals, memo);
            self.make(var, low, high)
        };
        memo.insert([a, b], made);
        made
    }

    /// The value of the bits, as the class that holds it.
    pub(crate) fn classify(&mut self, bits: &Bits, class: &dyn Fn(u32, u32) -> Option<usize>) -> Option<Edge> {
        self.classify_from(bits, class, 0, 0)
    }

    fn classify_from(
        &mut self,
        bits: &Bits,
        class: &dyn Fn(u32, u32) -> Option<usize>,
        index: usize,
        sofar: u32,
    ) -> Option<Edge> {
        let bounds = |wanted: bool| {
            (index..32).fold(sofar, |value, i| {
                let bit = match bits[i] {
                    Bit::Const(bit) => bit,
                    Bit::Input(..) => wanted,
                };
                value | u32::from(bit) << (31 - i)
            })
        };
        if let Some(class) = class(bounds(false), bounds(true)) {
            return Some(constant_edge(class));
        }
        if index == 32 {
            return None;
        }
        let with = |bit: bool| sofar | u32::from(bit) << (31 - index);
        match bits[index] {
            Bit::Const(bit) => self.classify_from(bits, class, index + 1, with(bit)),
            Bit::Input(var, flip) => {
                let clear = self.classify_from(bits, class, index + 1, with(flip))?;
                let set = self.classify_from(bits, class, index + 1, with(!flip))?;
                Some(self.make(var, clear, set))
            }
        }
    }

    /// What an edge stands for at an input, given as words in the variable order.
    pub(crate) fn eval(&self, mut edge: Edge, input: &[u32; 16]) -> Edge {
        while edge.id >= NODES {
            let var = self.var(edge.id);
            let bit = input[(var / 32) as usize] >> (31 - var % 32) & 1;
            edge = self.split(edge, var)[bit as usize];
        }
        edge
    }
}
