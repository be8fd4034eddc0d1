//! The arena of canonical multi-terminal decision diagrams.
//!
//! Nodes are only ever added: a space is made for one question or a few and dropped as a whole. A leaf is a 32-bit
//! number; boolean functions use the leaves 0 and 1, which always exist.

use crate::diagram::{Diagram, key, op};
use crate::limits::{Engine, Limit, Limits, Meter, Undecided};
use crate::order::{Order, TERMINAL, Var};
use crate::table::{Cache, Found, Index, Map, mix};
use crate::test::WordTest;

/// A function in an [`Arena`]: the number of its node. Equal functions have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Ref(pub(crate) u32);

impl Ref {
    /// The boolean function that never holds, and the leaf 0
    pub(crate) const FALSE: Self = Self(0);
    /// The boolean function that always holds, and the leaf 1
    pub(crate) const TRUE: Self = Self(1);
}

/// A question and two ways on. A leaf has no question and its number in `low`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) var: Var,
    pub(crate) low: u32,
    pub(crate) high: u32,
}

const LOST: Node = Node {
    var: TERMINAL,
    low: 0,
    high: 0,
};

/// The nodes of all functions of one space.
#[derive(Clone, Debug)]
pub(crate) struct Arena {
    nodes: Vec<Node>,
    index: Index,
    results: Cache<u32>,
    /// For each node the operation that last changed its leaves, and the result; may be short
    mapped: Vec<(u32, u32)>,
    tests: Vec<WordTest>,
    test_index: Index,
    order: Order,
    meter: Meter,
    next_own: u32,
    most_nodes: usize,
}

impl Arena {
    pub(crate) fn new(order: Order, limits: &Limits) -> Self {
        // Lists double, and then half of them is empty. The index holds up to four slots a node, and the old one's two
        // while it grows.
        let bytes_per_node = 2 * (size_of::<Node>() + size_of::<(u32, u32)>()) as u64 + 6 * 4;
        // The cache takes up to a quarter.
        let by_bytes = usize::try_from(limits.bytes / 4 * 3 / bytes_per_node).unwrap_or(usize::MAX);
        let log_cache = (limits.bytes / 4 / size_of::<([u32; 4], u32)>() as u64)
            .max(256)
            .ilog2();
        let mut arena = Self {
            nodes: Vec::with_capacity(1 << 10),
            index: Index::new(11),
            results: Cache::new(log_cache.min(22)),
            mapped: Vec::new(),
            tests: Vec::new(),
            test_index: Index::new(3),
            order,
            meter: Meter::new(*limits, Engine::Diagram),
            next_own: op::OWN,
            most_nodes: by_bytes.min(limits.nodes as usize),
        };
        for number in [0, 1] {
            arena.nodes.push(Node {
                var: TERMINAL,
                low: number,
                high: 0,
            });
            if let Found::Free(slot) = arena.index.find(hash(TERMINAL, number, 0), |_| false) {
                arena.index.put(slot, number);
            }
        }
        arena
    }

    pub(crate) const fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    pub(crate) const fn limits(&self) -> &Limits {
        self.meter.limits()
    }

    /// Number of nodes, of all functions together.
    pub(crate) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes there may be.
    pub(crate) const fn room(&self) -> usize {
        self.most_nodes
    }

    /// Bytes of memory taken.
    pub(crate) const fn bytes(&self) -> u64 {
        let nodes = self.nodes.capacity() * size_of::<Node>() + self.mapped.capacity() * size_of::<(u32, u32)>();
        nodes as u64 + self.index.bytes() + self.results.bytes()
    }

    #[inline]
    pub(crate) fn node(&self, at: Ref) -> Node {
        self.nodes.get(at.0 as usize).copied().unwrap_or(LOST)
    }

    /// The number of a leaf, or `None` when the function still asks.
    pub(crate) fn leaf(&self, at: Ref) -> Option<u32> {
        let node = self.node(at);
        (node.var == TERMINAL).then_some(node.low)
    }

    /// The function that is always this number.
    pub(crate) fn constant(&mut self, number: u32) -> Result<Ref, Undecided> {
        match number {
            0 => Ok(Ref::FALSE),
            1 => Ok(Ref::TRUE),
            _ => self.unique(Node {
                var: TERMINAL,
                low: number,
                high: 0,
            }),
        }
    }

    #[inline]
    fn unique(&mut self, node: Node) -> Result<Ref, Undecided> {
        let nodes = &self.nodes;
        let same = |number: u32| {
            nodes
                .get(number as usize)
                .is_some_and(|have| have.low == node.low && have.high == node.high && have.var == node.var)
        };
        match self.index.find(hash(node.var, node.low, node.high), same) {
            Found::At(number) => Ok(Ref(number)),
            Found::Free(slot) => {
                let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
                if self.nodes.len() >= self.most_nodes {
                    return Err(self.full());
                }
                self.nodes.push(node);
                if self.index.put(slot, number) {
                    let nodes = &self.nodes;
                    self.index.grow(|number| {
                        nodes
                            .get(number as usize)
                            .map_or(0, |node| hash(node.var, node.low, node.high))
                    });
                }
                Ok(Ref(number))
            }
        }
    }

    #[cold]
    const fn full(&self) -> Undecided {
        let limit = if self.nodes.len() >= self.limits().nodes as usize {
            Limit::Nodes
        } else {
            Limit::Bytes
        };
        self.meter.stop(limit)
    }

    /// A number under which results of a caller's own operation can be remembered.
    pub(crate) fn own_op(&mut self) -> u32 {
        self.next_own = self.next_own.saturating_add(1);
        if self.next_own == op::OWN_CHOICE {
            // All numbers are used up. Nothing that is remembered may answer for one that is used again.
            self.results.clear();
            self.mapped.clear();
            self.next_own = op::OWN;
        }
        self.next_own
    }

    /// `combine` of two functions' leaves, everywhere. `op` names the operation.
    pub(crate) fn apply(
        &mut self,
        op: u32,
        a: Ref,
        b: Ref,
        combine: &mut impl FnMut(u32, u32) -> u32,
    ) -> Result<Ref, Undecided> {
        self.meter.step()?;
        let (top_a, top_b) = (self.node(a), self.node(b));
        let top = top_a.var.min(top_b.var);
        if top == TERMINAL {
            return self.constant(combine(top_a.low, top_b.low));
        }
        if let Some(result) = self.results.get(key(op, a.0, b.0, 0)) {
            return Ok(Ref(result));
        }
        let ((a0, a1), (b0, b1)) = (self.split(a, top), self.split(b, top));
        let low = self.apply(op, a0, b0, combine)?;
        let high = self.apply(op, a1, b1, combine)?;
        let result = self.join(top, low, high)?;
        self.results.put(key(op, a.0, b.0, 0), result.0);
        Ok(result)
    }

    /// `change` of a function's leaves, everywhere. `op` names the operation, and is used for nothing else.
    pub(crate) fn map(&mut self, op: u32, at: Ref, change: &mut impl FnMut(u32) -> u32) -> Result<Ref, Undecided> {
        self.meter.step()?;
        let node = self.node(at);
        if node.var == TERMINAL {
            return self.constant(change(node.low));
        }
        match self.mapped.get(at.0 as usize) {
            Some(&(last, result)) if last == op => return Ok(Ref(result)),
            _ => {}
        }
        let low = self.map(op, Ref(node.low), change)?;
        let high = self.map(op, Ref(node.high), change)?;
        let result = self.join(node.var, low, high)?;
        if self.mapped.len() <= at.0 as usize {
            self.mapped.resize(self.nodes.len(), (0, 0));
        }
        if let Some(slot) = self.mapped.get_mut(at.0 as usize) {
            *slot = (op, result.0);
        }
        Ok(result)
    }

    pub(crate) fn and(&mut self, a: Ref, b: Ref) -> Result<Ref, Undecided> {
        match (a, b) {
            (Ref::FALSE, _) | (_, Ref::FALSE) => Ok(Ref::FALSE),
            (Ref::TRUE, other) | (other, Ref::TRUE) => Ok(other),
            _ if a == b => Ok(a),
            _ => self.choose(a.max(b), a.min(b), Ref::FALSE),
        }
    }

    pub(crate) fn or(&mut self, a: Ref, b: Ref) -> Result<Ref, Undecided> {
        match (a, b) {
            (Ref::TRUE, _) | (_, Ref::TRUE) => Ok(Ref::TRUE),
            (Ref::FALSE, other) | (other, Ref::FALSE) => Ok(other),
            _ if a == b => Ok(a),
            _ => self.choose(a.max(b), Ref::TRUE, a.min(b)),
        }
    }

    pub(crate) fn not(&mut self, a: Ref) -> Result<Ref, Undecided> {
        match a {
            Ref::FALSE => Ok(Ref::TRUE),
            Ref::TRUE => Ok(Ref::FALSE),
            _ => self.choose(a, Ref::FALSE, Ref::TRUE),
        }
    }

    pub(crate) fn xor(&mut self, a: Ref, b: Ref) -> Result<Ref, Undecided> {
        if a == b {
            return Ok(Ref::FALSE);
        }
        let not_b = self.not(b)?;
        self.choose(a, not_b, b)
    }

    /// The leaf for an input.
    pub(crate) fn evaluate(&self, mut at: Ref, words: &[u32; 16]) -> u32 {
        loop {
            let node = self.node(at);
            if node.var == TERMINAL {
                return node.low;
            }
            at = Ref(if self.order.is_set(node.var, words) {
                node.high
            } else {
                node.low
            });
        }
    }

    /// Where a value given by its bits has these bits under a mask.
    pub(crate) fn matches(&mut self, bits: &[Ref; 32], mask: u32, value: u32) -> Result<Ref, Undecided> {
        let mut all = Ref::TRUE;
        for (place, bit) in (0_u32..).zip(bits) {
            all = match (mask >> (place & 31) & 1, value >> (place & 31) & 1) {
                (0, _) => all,
                (_, 0) => self.choose(*bit, Ref::FALSE, all)?,
                _ => self.and(*bit, all)?,
            };
        }
        Ok(all)
    }

    /// The input that satisfies a boolean function and is the smallest in the order of bits.
    pub(crate) fn smallest(&self, mut at: Ref) -> Option<[u32; 16]> {
        let mut words = [0; 16];
        if at == Ref::FALSE {
            return None;
        }
        loop {
            let node = self.node(at);
            if node.var == TERMINAL {
                return Some(words);
            }
            if Ref(node.low) == Ref::FALSE {
                self.order.set(node.var, &mut words);
                at = Ref(node.high);
            } else {
                at = Ref(node.low);
            }
        }
    }

    /// A function with the bits of the first word in the order known.
    pub(crate) fn descend(&self, mut at: Ref, word: u8, value: u32) -> Ref {
        let last = self.order.lane(word).last();
        loop {
            let node = self.node(at);
            if node.var > last {
                return at;
            }
            let set = value << (node.var & 31) >> 31 == 1;
            at = Ref(if set { node.high } else { node.low });
        }
    }

    /// A function where a word is known. `op` names the operation.
    pub(crate) fn restrict(&mut self, op: u32, at: Ref, word: u8, value: u32) -> Result<Ref, Undecided> {
        self.meter.step()?;
        let node = self.node(at);
        if node.var > self.order.lane(word).last() {
            return Ok(at);
        }
        if let Some(result) = self.results.get(key(op, at.0, 0, 3)) {
            return Ok(Ref(result));
        }
        let result = match self.order.bit(node.var) {
            Some((own, bit)) if own == word => {
                let set = value << (bit & 31) >> 31 == 1;
                self.restrict(op, Ref(if set { node.high } else { node.low }), word, value)?
            }
            _ => {
                let low = self.restrict(op, Ref(node.low), word, value)?;
                let high = self.restrict(op, Ref(node.high), word, value)?;
                self.join(node.var, low, high)?
            }
        };
        self.results.put(key(op, at.0, 0, 3), result.0);
        Ok(result)
    }

    /// An input on which two different functions differ, with small words.
    pub(crate) fn first_difference(&self, mut a: Ref, mut b: Ref) -> [u32; 16] {
        let mut words = [0; 16];
        loop {
            let top = self.var(a).min(self.var(b));
            if top == TERMINAL {
                return words;
            }
            let ((a0, a1), (b0, b1)) = (self.split(a, top), self.split(b, top));
            if a0 == b0 {
                self.order.set(top, &mut words);
                (a, b) = (a1, b1);
            } else {
                (a, b) = (a0, b0);
            }
        }
    }

    /// The share of inputs that satisfy a boolean function.
    pub(crate) fn share(&self, of: Ref) -> f64 {
        let mut shares: Map<Ref, f64> = Map::default();
        let mut all = self.reachable([of]);
        // A node's successors ask later bits: from the bottom up.
        all.sort_unstable_by_key(|at| core::cmp::Reverse(self.node(*at).var));
        for at in all {
            let node = self.node(at);
            let share = if node.var == TERMINAL {
                f64::from(u8::from(at == Ref::TRUE))
            } else {
                let of = |child| shares.get(&Ref(child)).copied().unwrap_or(0.0);
                (of(node.low) + of(node.high)) / 2.0
            };
            shares.insert(at, share);
        }
        shares.get(&of).copied().unwrap_or(0.0)
    }

    /// Every node of a function, each once, the function's own first.
    pub(crate) fn reachable(&self, roots: impl IntoIterator<Item = Ref>) -> Vec<Ref> {
        let mut seen: Map<Ref, ()> = Map::default();
        let mut found = Vec::new();
        let mut waiting: Vec<Ref> = roots.into_iter().collect();
        while let Some(at) = waiting.pop() {
            if seen.insert(at, ()).is_some() {
                continue;
            }
            found.push(at);
            let node = self.node(at);
            if node.var != TERMINAL {
                waiting.extend([Ref(node.high), Ref(node.low)]);
            }
        }
        found
    }

    /// The leaves of a function, each once.
    pub(crate) fn leaves(&self, of: Ref) -> Vec<u32> {
        let all = self.reachable([of]);
        all.into_iter().filter_map(|at| self.leaf(at)).collect()
    }
}

impl Diagram for Arena {
    type Edge = Ref;

    fn order(&self) -> &Order {
        &self.order
    }

    #[inline]
    fn step(&mut self) -> Result<(), Undecided> {
        self.meter.step()
    }

    #[inline]
    fn var(&self, edge: Ref) -> Var {
        self.node(edge).var
    }

    #[inline]
    fn split(&self, edge: Ref, var: Var) -> (Ref, Ref) {
        let node = self.node(edge);
        if node.var == var {
            (Ref(node.low), Ref(node.high))
        } else {
            (edge, edge)
        }
    }

    #[inline]
    fn join(&mut self, var: Var, low: Ref, high: Ref) -> Result<Ref, Undecided> {
        if low == high {
            return Ok(low);
        }
        self.unique(Node {
            var,
            low: low.0,
            high: high.0,
        })
    }

    fn zero(&self) -> Ref {
        Ref::FALSE
    }

    #[inline]
    fn plus(&self, edge: Ref, _: u32) -> Ref {
        edge
    }

    fn choose(&mut self, holds: Ref, yes: Ref, no: Ref) -> Result<Ref, Undecided> {
        self.meter.step()?;
        if yes == no || holds == Ref::TRUE {
            return Ok(yes);
        }
        if holds == Ref::FALSE {
            return Ok(no);
        }
        if (yes, no) == (Ref::TRUE, Ref::FALSE) {
            return Ok(holds);
        }
        let key = key(op::CHOOSE, holds.0, yes.0, no.0);
        if let Some(result) = self.results.get(key) {
            return Ok(Ref(result));
        }
        let top = self.var(holds).min(self.var(yes)).min(self.var(no));
        let ((h0, h1), (y0, y1), (n0, n1)) = (self.split(holds, top), self.split(yes, top), self.split(no, top));
        let low = self.choose(h0, y0, n0)?;
        let high = self.choose(h1, y1, n1)?;
        let result = self.join(top, low, high)?;
        self.results.put(key, result.0);
        Ok(result)
    }

    #[inline]
    fn recall(&self, op: u32, a: Ref, b: Ref) -> Option<Ref> {
        self.results.get(key(op, a.0, b.0, 2)).map(Ref)
    }

    #[inline]
    fn remember(&mut self, op: u32, a: Ref, b: Ref, result: Ref) {
        self.results.put(key(op, a.0, b.0, 2), result.0);
    }

    fn op_of(&mut self, test: &WordTest) -> u32 {
        let tests = &self.tests;
        let number = match self
            .test_index
            .find(hash_test(test), |number| tests.get(number as usize) == Some(test))
        {
            Found::At(number) => number,
            Found::Free(slot) => {
                let number = u32::try_from(self.tests.len()).unwrap_or(u32::MAX);
                self.tests.push(*test);
                if self.test_index.put(slot, number) {
                    let tests = &self.tests;
                    self.test_index
                        .grow(|number| tests.get(number as usize).map_or(0, hash_test));
                }
                number
            }
        };
        op::TEST | number << 5
    }

    fn sets(&mut self) -> &mut Arena {
        self
    }
}

#[inline]
fn hash(var: Var, low: u32, high: u32) -> u64 {
    mix([low, high, u32::from(var)])
}

fn hash_test(test: &WordTest) -> u64 {
    mix([test.mask, test.value, u32::from(test.word) << 1 | test.relation as u32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_vm::Endian;

    #[test]
    fn numbers_of_operations_start_again_with_nothing_remembered() {
        let mut arena = Arena::new(Order::new(Endian::Little, []), &Limits::default());
        let at = arena.join(7, Ref::FALSE, Ref::TRUE).unwrap();
        let flipped = |arena: &mut Arena| {
            let op = arena.own_op();
            (op, arena.map(op, at, &mut |leaf| 1 - leaf).unwrap())
        };
        let (first, not) = flipped(&mut arena);
        assert_ne!(at, not);
        arena.next_own = op::OWN_CHOICE - 1;
        let _ = flipped(&mut arena);
        let again = arena.own_op();
        assert_eq!(first, again);
        assert_eq!(arena.map(again, at, &mut |leaf| leaf), Ok(at));
    }
}
