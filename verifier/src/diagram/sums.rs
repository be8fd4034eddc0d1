//! Diagrams that count: edges carry numbers, and a function's value is the sum along the way.
//!
//! Adding a constant to a whole function costs nothing, which makes instruction counts of long filters small
//! (edge-valued decision diagrams: Lai and Sastry 1992).

use crate::diagram::{Arena, Diagram, Ref, key, op};
use crate::limits::{Limit, Limits, Undecided};
use crate::order::{Order, TERMINAL, Var};
use crate::table::{Cache, Found, Index, Map, mix};
use crate::test::WordTest;

/// A counting function: a number plus what its node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) base: i32,
    node: u32,
}

impl Sum {
    /// The function that is this number everywhere.
    pub(crate) const fn constant(base: i32) -> Self {
        Self { base, node: 0 }
    }

    /// The number of its node.
    pub(crate) const fn number(self) -> u32 {
        self.node
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    var: Var,
    low: u32,
    high: u32,
    /// What the way to `high` adds; the way to `low` adds nothing
    extra: i32,
}

const LEAF: Node = Node {
    var: TERMINAL,
    low: 0,
    high: 0,
    extra: 0,
};

/// The nodes of counting functions.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    nodes: Vec<Node>,
    index: Index,
    results: Cache<Sum>,
}

impl Counters {
    pub(crate) fn new(limits: &Limits) -> Self {
        let entry = size_of::<([u32; 4], Sum)>() as u64;
        let log_cache = (limits.bytes / 8 / entry).max(256).ilog2();
        Self {
            nodes: vec![LEAF],
            index: Index::new(10),
            results: Cache::new(log_cache.min(20)),
        }
    }
}

/// Which end of the values is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extreme {
    Least,
    Most,
}

impl Extreme {
    /// The one of two values that lies nearer to the end; `None` is no value.
    fn of(self, a: Option<i32>, b: Option<i32>) -> Option<i32> {
        match (self, a, b) {
            (_, one, None) | (_, None, one) => one,
            (Self::Least, Some(a), Some(b)) => Some(a.min(b)),
            (Self::Most, Some(a), Some(b)) => Some(a.max(b)),
        }
    }
}

/// Counting functions at work. Boolean functions, and the limits, are those of the arena beside.
#[derive(Debug)]
pub(crate) struct Sums<'a> {
    pub(crate) arena: &'a mut Arena,
    pub(crate) own: &'a mut Counters,
}

impl Sums<'_> {
    fn node(&self, number: u32) -> Node {
        self.own.nodes.get(number as usize).copied().unwrap_or(LEAF)
    }

    /// The sum of two functions.
    pub(crate) fn add(&mut self, a: Sum, b: Sum) -> Result<Sum, Undecided> {
        self.step()?;
        let base = a.base.saturating_add(b.base);
        let (a, b) = (Sum { base: 0, ..a }, Sum { base: 0, ..b });
        let top = self.var(a).min(self.var(b));
        if top == TERMINAL {
            return Ok(Sum::constant(base));
        }
        if let Some(sum) = self.recall(op::ADD, a, b) {
            return Ok(Sum {
                base: base.saturating_add(sum.base),
                ..sum
            });
        }
        let ((a0, a1), (b0, b1)) = (self.split(a, top), self.split(b, top));
        let low = self.add(a0, b0)?;
        let high = self.add(a1, b1)?;
        let sum = self.join(top, low, high)?;
        self.remember(op::ADD, a, b, sum);
        Ok(Sum {
            base: base.saturating_add(sum.base),
            ..sum
        })
    }

    /// The value at one end where a boolean function holds, and an input that has it; `None` when it holds nowhere.
    pub(crate) fn extreme(
        &mut self,
        of: Sum,
        within: Ref,
        end: Extreme,
    ) -> Result<Option<(i32, [u32; 16])>, Undecided> {
        let mut memo = Memo::default();
        let Some(best) = self.extreme_from(of.node, within, end, &mut memo)? else {
            return Ok(None);
        };
        let mut words = [0; 16];
        let (mut node, mut within) = (of.node, within);
        let mut left = best;
        while node != 0 || within != Ref::TRUE {
            let ((s0, s1), (w0, w1), top) = self.both(node, within);
            let low = self.known(s0, w0, &memo);
            // The lower half first, so that bits which do not matter stay 0.
            if low == Some(left) {
                (node, within) = (s0.node, w0);
                left = left.saturating_sub(s0.base);
            } else {
                self.arena.order().set(top, &mut words);
                (node, within) = (s1.node, w1);
                left = left.saturating_sub(s1.base);
            }
        }
        Ok(Some((best.saturating_add(of.base), words)))
    }

    fn both(&self, node: u32, within: Ref) -> ((Sum, Sum), (Ref, Ref), Var) {
        let sum = Sum { base: 0, node };
        let top = self.var(sum).min(self.arena.var(within));
        (self.split(sum, top), self.arena.split(within, top), top)
    }

    fn known(&self, sum: Sum, within: Ref, memo: &Memo) -> Option<i32> {
        match (sum.node, within) {
            (_, Ref::FALSE) => None,
            (0, _) => Some(sum.base),
            (node, _) => memo
                .get(&(node, within))
                .copied()
                .flatten()
                .map(|best| best.saturating_add(sum.base)),
        }
    }

    fn extreme_from(
        &mut self,
        node: u32,
        within: Ref,
        end: Extreme,
        memo: &mut Memo,
    ) -> Result<Option<i32>, Undecided> {
        self.step()?;
        if within == Ref::FALSE {
            return Ok(None);
        }
        if node == 0 {
            return Ok(Some(0));
        }
        if let Some(best) = memo.get(&(node, within)) {
            return Ok(*best);
        }
        let ((s0, s1), (w0, w1), _) = self.both(node, within);
        let plus = |best: Option<i32>, sum: Sum| best.map(|best| best.saturating_add(sum.base));
        let low = plus(self.extreme_from(s0.node, w0, end, memo)?, s0);
        let high = plus(self.extreme_from(s1.node, w1, end, memo)?, s1);
        let best = end.of(low, high);
        // An entry takes as much as a few nodes of the arena, and both share the limits.
        if memo.len().saturating_mul(2) > self.arena.room() {
            return Err(self.arena.meter().stop(Limit::Nodes));
        }
        memo.insert((node, within), best);
        Ok(best)
    }

    /// The first question of a function with what follows both answers; `None` when it asks nothing.
    pub(crate) fn question(&self, of: Sum) -> Option<(Var, Sum, Sum)> {
        let var = self.var(of);
        let (low, high) = self.split(of, var);
        (var != TERMINAL).then_some((var, low, high))
    }

    /// The value for an input.
    pub(crate) fn evaluate(&self, of: Sum, words: &[u32; 16]) -> i32 {
        let mut at = of;
        loop {
            let var = self.var(at);
            if var == TERMINAL {
                return at.base;
            }
            let (low, high) = self.split(at, var);
            at = if self.arena.order().is_set(var, words) {
                high
            } else {
                low
            };
        }
    }
}

type Memo = Map<(u32, Ref), Option<i32>>;

impl Diagram for Sums<'_> {
    type Edge = Sum;

    fn order(&self) -> &Order {
        self.arena.order()
    }

    #[inline]
    fn step(&mut self) -> Result<(), Undecided> {
        self.arena.step()
    }

    #[inline]
    fn var(&self, edge: Sum) -> Var {
        self.node(edge.node).var
    }

    #[inline]
    fn split(&self, edge: Sum, var: Var) -> (Sum, Sum) {
        let node = self.node(edge.node);
        if node.var != var {
            return (edge, edge);
        }
        let high = edge.base.saturating_add(node.extra);
        (
            Sum {
                base: edge.base,
                node: node.low,
            },
            Sum {
                base: high,
                node: node.high,
            },
        )
    }

    #[inline]
    fn join(&mut self, var: Var, low: Sum, high: Sum) -> Result<Sum, Undecided> {
        if low == high {
            return Ok(low);
        }
        let node = Node {
            var,
            low: low.node,
            high: high.node,
            extra: high.base.saturating_sub(low.base),
        };
        let nodes = &self.own.nodes;
        let number = match self
            .own
            .index
            .find(hash(&node), |number| nodes.get(number as usize) == Some(&node))
        {
            Found::At(number) => number,
            Found::Free(slot) => {
                let number = u32::try_from(self.own.nodes.len()).unwrap_or(u32::MAX);
                // Each is twice as large as a node of the arena, and both share the limits.
                if self.own.nodes.len().saturating_mul(2) > self.arena.room() {
                    return Err(self.arena.meter().stop(Limit::Nodes));
                }
                self.own.nodes.push(node);
                if self.own.index.put(slot, number) {
                    let nodes = &self.own.nodes;
                    self.own.index.grow(|number| nodes.get(number as usize).map_or(0, hash));
                }
                number
            }
        };
        Ok(Sum {
            base: low.base,
            node: number,
        })
    }

    fn zero(&self) -> Sum {
        Sum::constant(0)
    }

    #[inline]
    fn plus(&self, edge: Sum, steps: u32) -> Sum {
        Sum {
            base: edge.base.saturating_add_unsigned(steps),
            ..edge
        }
    }

    fn choose(&mut self, holds: Ref, yes: Sum, no: Sum) -> Result<Sum, Undecided> {
        self.step()?;
        if yes == no || holds == Ref::TRUE {
            return Ok(yes);
        }
        if holds == Ref::FALSE {
            return Ok(no);
        }
        // Only the difference of the two bases matters: results are kept for `no` starting at 0.
        let key = key(
            op::OWN_CHOICE | holds.0,
            yes.node,
            no.node,
            yes.base.wrapping_sub(no.base).cast_unsigned(),
        );
        if let Some(result) = self.own.results.get(key) {
            return Ok(Sum {
                base: result.base.saturating_add(no.base),
                ..result
            });
        }
        let top = self.arena.var(holds).min(self.var(yes)).min(self.var(no));
        let (h0, h1) = self.arena.split(holds, top);
        let ((y0, y1), (n0, n1)) = (self.split(yes, top), self.split(no, top));
        let low = self.choose(h0, y0, n0)?;
        let high = self.choose(h1, y1, n1)?;
        let result = self.join(top, low, high)?;
        self.own.results.put(
            key,
            Sum {
                base: result.base.saturating_sub(no.base),
                ..result
            },
        );
        Ok(result)
    }

    fn recall(&self, op: u32, a: Sum, b: Sum) -> Option<Sum> {
        let difference = a.base.wrapping_sub(b.base).cast_unsigned();
        let result = self.own.results.get(key(op, a.node, b.node, difference))?;
        Some(Sum {
            base: result.base.saturating_add(b.base),
            ..result
        })
    }

    fn remember(&mut self, op: u32, a: Sum, b: Sum, result: Sum) {
        let difference = a.base.wrapping_sub(b.base).cast_unsigned();
        let relative = Sum {
            base: result.base.saturating_sub(b.base),
            ..result
        };
        self.own.results.put(key(op, a.node, b.node, difference), relative);
    }

    fn op_of(&mut self, test: &WordTest) -> u32 {
        self.arena.op_of(test)
    }

    fn sets(&mut self) -> &mut Arena {
        self.arena
    }
}

fn hash(node: &Node) -> u64 {
    mix([
        node.low ^ u32::from(node.var) << 20,
        node.high,
        node.extra.cast_unsigned(),
    ])
}
