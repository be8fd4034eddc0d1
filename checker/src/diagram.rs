//! Decision diagrams over the 512 bits of the input. `docs/PROOFS.md` section 4.

use alloc::vec::Vec;

use crate::Rejected;
use crate::bytes::Reader;

/// The terminal *no*.
pub(crate) const NO: Edge = Edge { node: 0, add: 0 };
/// The terminal *yes*.
pub(crate) const YES: Edge = Edge { node: 1, add: 0 };
/// What a terminal has instead of a variable: more than every variable.
const TERMINAL: u32 = 512;
const MAX_NODES: usize = 1 << 23;
/// More than any filter executes; sums over a path of 512 nodes stay far from the largest number.
const MAX_NUMBER: u32 = 1 << 16;

/// A function of the input: what a node stands for, plus a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) node: u32,
    pub(crate) add: i32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    var: u32,
    low: u32,
    high: u32,
    /// Added if the bit is set
    weight: i32,
}

/// A table of nodes. Children have smaller numbers and greater variables.
#[derive(Debug)]
pub(crate) struct Diagram {
    nodes: Vec<Node>,
    terminals: usize,
    weighted: bool,
}

impl Edge {
    pub(crate) const fn plus(self, number: i32) -> Self {
        Self {
            node: self.node,
            add: self.add.saturating_add(number),
        }
    }
}

/// The numbers that are reached from a node, which counts from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extremes {
    pub(crate) greatest: i32,
    pub(crate) least: i32,
}

impl Diagram {
    pub(crate) fn read(r: &mut Reader<'_>, classes: usize, weighted: bool) -> Result<Self, Rejected> {
        let terminal = Node {
            var: TERMINAL,
            low: 0,
            high: 0,
            weight: 0,
        };
        let nodes = alloc::vec![terminal; classes.max(2)];
        let terminals = nodes.len();
        let mut diagram = Self {
            nodes,
            terminals,
            weighted,
        };
        for _ in 0..r.count()? {
            let var = r.nat()?;
            for _ in 0..r.count()? {
                let node = diagram.node(r, var)?;
                diagram.nodes.push(node);
            }
            if diagram.nodes.len() > MAX_NODES {
                return Err(r.unreadable("there are more than 8,388,608 nodes"));
            }
        }
        Ok(diagram)
    }

    fn node(&self, r: &mut Reader<'_>, var: u32) -> Result<Node, Rejected> {
        let (low, high) = (self.child(r, var)?, self.child(r, var)?);
        let weight = self.number(r)?;
        Ok(Node { var, low, high, weight })
    }

    fn child(&self, r: &mut Reader<'_>, var: u32) -> Result<u32, Rejected> {
        let code = r.nat()?;
        // Not a terminal by the long way round, so that each child has one spelling.
        let place = match (code as usize).checked_sub(self.terminals) {
            None => Some(code as usize),
            Some(back) => self
                .nodes
                .len()
                .checked_sub(back.saturating_add(1))
                .filter(|&place| place >= self.terminals),
        };
        let child = place.filter(|&place| self.nodes.get(place).is_some_and(|node| var < node.var));
        let child = child.and_then(|place| u32::try_from(place).ok());
        child.ok_or_else(|| r.unreadable("a node has a child that does not exist or asks for an earlier variable"))
    }

    /// A weight or offset, which only weighted diagrams have.
    fn number(&self, r: &mut Reader<'_>) -> Result<i32, Rejected> {
        let number = if self.weighted { r.int()? } else { 0 };
        if number.unsigned_abs() < MAX_NUMBER {
            Ok(number)
        } else {
            Err(r.unreadable("a number is larger than any filter executes"))
        }
    }

    /// A node as the file refers to it from outside, without an offset.
    pub(crate) fn root(&self, r: &mut Reader<'_>) -> Result<Edge, Rejected> {
        let node = r.nat()?;
        if (node as usize) < self.nodes.len() {
            Ok(Edge { node, add: 0 })
        } else {
            Err(r.unreadable("a node that does not exist is referred to"))
        }
    }

    pub(crate) fn edge(&self, r: &mut Reader<'_>) -> Result<Edge, Rejected> {
        let root = self.root(r)?;
        Ok(root.plus(self.number(r)?))
    }

    pub(crate) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// For each node the numbers that are reached from it, at most and at least.
    pub(crate) fn extremes(&self) -> Vec<Extremes> {
        let mut known: Vec<Extremes> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let of = |child: u32| known.get(child as usize).copied().unwrap_or_default();
            let (low, high) = (of(node.low), of(node.high));
            known.push(Extremes {
                greatest: low.greatest.max(high.greatest.saturating_add(node.weight)),
                least: low.least.min(high.least.saturating_add(node.weight)),
            });
        }
        known
    }

    /// The least variable an edge asks for; 512 if it is a terminal.
    pub(crate) fn var(&self, edge: Edge) -> u32 {
        self.nodes.get(edge.node as usize).map_or(TERMINAL, |node| node.var)
    }

    /// The edges for both values of a variable, none less than which the edge asks for.
    pub(crate) fn split(&self, edge: Edge, var: u32) -> [Edge; 2] {
        match self.nodes.get(edge.node as usize) {
            Some(node) if node.var == var => {
                let to = |node| Edge { node, add: edge.add };
                [to(node.low), to(node.high).plus(node.weight)]
            }
            _ => [edge, edge],
        }
    }

    pub(crate) const fn is_terminal(var: u32) -> bool {
        var == TERMINAL
    }
}
