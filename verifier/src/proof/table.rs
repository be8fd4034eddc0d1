//! The node table of a proof: every function of a proof as rows that refer to rows before them.

use crate::diagram::sums::{Sum, Sums};
use crate::diagram::{Arena, Ref};
use crate::order::{TERMINAL, Var};
use crate::table::Map;

/// A row; `low` and `high` are numbers of this table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) var: Var,
    pub(super) low: u32,
    pub(super) high: u32,
    pub(super) weight: i32,
}

/// The rows, in the order in which they were found, and the classes of values.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// The values that are told apart, ascending
    pub(super) classes: Vec<u32>,
    pub(super) weighted: bool,
    booleans: Map<Ref, u32>,
    values: Map<Ref, u32>,
    sums: Map<u32, u32>,
}

/// Numbers of rows start here while the table grows: classes are numbered below.
pub(super) const ROWS: u32 = 1 << 31;

impl Table {
    pub(super) fn new(weighted: bool) -> Self {
        Self {
            rows: Vec::new(),
            classes: Vec::new(),
            weighted,
            booleans: Map::default(),
            values: Map::default(),
            sums: Map::default(),
        }
    }

    /// Makes a class of every value in these functions and of these.
    pub(super) fn classes(
        &mut self,
        arena: &Arena,
        edges: impl Iterator<Item = Ref>,
        returned: impl Iterator<Item = u32>,
    ) {
        let leaves = arena.reachable(edges).into_iter().filter_map(|at| arena.leaf(at));
        self.classes = leaves.chain(returned).collect();
        self.classes.sort_unstable();
        self.classes.dedup();
    }

    /// The number of a boolean function.
    pub(super) fn boolean(&mut self, arena: &Arena, at: Ref) -> u32 {
        let mut memo = core::mem::take(&mut self.booleans);
        let number = self.add(arena, at, &mut memo, |leaf| leaf);
        self.booleans = memo;
        number
    }

    /// The number of a function whose leaves are values.
    pub(super) fn value(&mut self, arena: &Arena, at: Ref) -> u32 {
        let mut memo = core::mem::take(&mut self.values);
        let classes = core::mem::take(&mut self.classes);
        let class = |leaf: u32| {
            let place = classes.binary_search(&leaf).unwrap_or(0);
            u32::try_from(place).unwrap_or(0).saturating_add(2)
        };
        let number = self.add(arena, at, &mut memo, class);
        (self.values, self.classes) = (memo, classes);
        number
    }

    fn add(&mut self, arena: &Arena, at: Ref, memo: &mut Map<Ref, u32>, leaf: impl Fn(u32) -> u32 + Copy) -> u32 {
        let node = arena.node(at);
        if node.var == TERMINAL {
            return leaf(node.low);
        }
        if let Some(number) = memo.get(&at) {
            return *number;
        }
        let low = self.add(arena, Ref(node.low), memo, leaf);
        let high = self.add(arena, Ref(node.high), memo, leaf);
        let number = self.push(Row {
            var: node.var,
            low,
            high,
            weight: 0,
        });
        memo.insert(at, number);
        number
    }

    /// The number of a counting function, and what is added to it.
    pub(super) fn sum(&mut self, sums: &Sums<'_>, at: Sum) -> (u32, i32) {
        (self.sum_node(sums, at), at.base)
    }

    fn sum_node(&mut self, sums: &Sums<'_>, at: Sum) -> u32 {
        let Some((var, low, high)) = sums.question(at) else {
            return 1;
        };
        if let Some(number) = self.sums.get(&at.number()) {
            return *number;
        }
        let weight = high.base.saturating_sub(low.base);
        let (low, high) = (self.sum_node(sums, low), self.sum_node(sums, high));
        let number = self.push(Row { var, low, high, weight });
        self.sums.insert(at.number(), number);
        number
    }

    fn push(&mut self, row: Row) -> u32 {
        let number = ROWS.saturating_add(u32::try_from(self.rows.len()).unwrap_or(0));
        self.rows.push(row);
        number
    }
}
