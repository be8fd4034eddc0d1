//! Does one edge stand for what others say it should? `docs/PROOFS.md` sections 5 and 6.
//!
//! Nothing here searches: each question follows the edges of the table down, and ends where two edges are the same.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::Rejected;
use crate::budget::Budget;
use crate::class::Classes;
use crate::diagram::{Diagram, Edge, YES};
use crate::value::{Bit, Field};

/// The diagram of a proof, and what a check of it may cost.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) diagram: Diagram,
    pub(crate) classes: Classes,
    pub(crate) budget: Budget,
    /// Questions that a switch has answered
    pub(crate) noted: BTreeSet<Vec<u32>>,
}

/// How many numbers the questions may have that switches note.
const MAX_NOTED: usize = 1 << 22;

/// Some values of a field, and where they lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) to: Edge,
}

/// Adds a range that is not empty, or lets the last one grow.
pub(crate) fn append(pieces: &mut Vec<Piece>, first: u32, last: u32, to: Edge) {
    match pieces.last_mut() {
        _ if first > last => {}
        Some(piece) if piece.to == to => piece.last = last,
        _ => pieces.push(Piece { first, last, to }),
    }
}

/// Pieces that cover all words: ranges that do not overlap, ascending, and one place for everything else.
pub(crate) fn spread(ranges: impl IntoIterator<Item = (u32, u32, Edge)>, otherwise: Edge) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut next = Some(0_u32);
    for (first, last, to) in ranges {
        if let (Some(start), Some(before)) = (next, first.checked_sub(1)) {
            append(&mut pieces, start, before, otherwise);
        }
        append(&mut pieces, first, last, to);
        next = last.checked_add(1);
    }
    if let Some(start) = next {
        append(&mut pieces, start, u32::MAX, otherwise);
    }
    pieces
}

/// Identical edges stand for identical functions.
pub(crate) fn same(one: Edge, other: Edge) -> Result<(), Rejected> {
    if one == other {
        Ok(())
    } else {
        Err(Rejected::wrong("a diagram is not what the instructions say"))
    }
}

impl Judge {
    /// Whether `edge` leads each value of the field where the pieces say. They cover all words, ascending.
    pub(crate) fn switch(&mut self, field: &Field, edge: Edge, pieces: &[Piece]) -> Result<(), Rejected> {
        self.noted.clear();
        self.cases(field, (0, 0), edge, pieces)
    }

    /// As [`switch`](Self::switch), for the values whose first `index` bits are those of `value`.
    fn cases(
        &mut self,
        field: &Field,
        (index, value): (u32, u32),
        edge: Edge,
        pieces: &[Piece],
    ) -> Result<(), Rejected> {
        self.budget.step()?;
        if let [piece] = pieces {
            let to = self.follow(field, (index, value), piece.to)?;
            return same(edge, to);
        }
        if index >= 32 {
            return Err(Rejected::wrong("a switch leads one value to two places"));
        }
        let bit = field.bit(index);
        if let Bit::Input { var, .. } = bit
            && (index == 0 || !field.is_whole())
            && let Some(top) = self.earlier(field, (index, value, var), edge, pieces)?
        {
            return self.aside(field, (index, value, top), edge, pieces);
        }
        let middle = value | 0x8000_0000_u32 >> index;
        let above = pieces.partition_point(|piece| piece.last < middle);
        let shared = pieces.get(above).is_some_and(|piece| piece.first < middle);
        let lower = pieces
            .get(..above.saturating_add(usize::from(shared)))
            .unwrap_or_default();
        let upper = pieces.get(above..).unwrap_or_default();
        let next = index.saturating_add(1);
        match bit {
            Bit::Const(false) => self.cases(field, (next, value), edge, lower),
            Bit::Const(true) => self.cases(field, (next, middle), edge, upper),
            Bit::Input { var, flip } => {
                let [clear, set] = self.diagram.split(edge, var);
                let (zero, one) = if flip { (set, clear) } else { (clear, set) };
                self.cases(field, (next, value), zero, lower)?;
                self.cases(field, (next, middle), one, upper)
            }
        }
    }

    /// The least variable before `var` that somebody asks for, and that is none of the bits known.
    ///
    /// Of a whole word all bits before `var` are known, but for those of earlier words, which are out of the way from
    /// its first bit on.
    fn earlier(
        &mut self,
        field: &Field,
        (index, value, var): (u32, u32, u32),
        edge: Edge,
        pieces: &[Piece],
    ) -> Result<Option<u32>, Rejected> {
        let mut top = self.diagram.var(edge);
        for piece in pieces {
            let to = self.follow(field, (index, value), piece.to)?;
            top = top.min(self.diagram.var(to));
        }
        Ok(Some(top).filter(|top| *top < var))
    }

    /// Splits everything on a variable that is none of the field's.
    fn aside(
        &mut self,
        field: &Field,
        (index, value, top): (u32, u32, u32),
        edge: Edge,
        pieces: &[Piece],
    ) -> Result<(), Rejected> {
        let numbers = |edge: Edge| [edge.node, edge.add.cast_unsigned()];
        let to = pieces.iter().flat_map(|piece| numbers(piece.to));
        let question: Vec<u32> = [index, value].into_iter().chain(numbers(edge)).chain(to).collect();
        if self.noted.contains(&question) {
            return Ok(());
        }
        let mut halves = [Vec::new(), Vec::new()];
        for piece in pieces {
            let to = self.follow(field, (index, value), piece.to)?;
            for (half, to) in halves.iter_mut().zip(self.diagram.split(to, top)) {
                append(half, piece.first, piece.last, to);
            }
        }
        for (half, edge) in halves.iter().zip(self.diagram.split(edge, top)) {
            self.cases(field, (index, value), edge, half)?;
        }
        if self.noted.len().saturating_mul(question.len()) < MAX_NOTED {
            self.noted.insert(question);
        }
        Ok(())
    }

    /// Follows an edge as long as it asks for one of the first `index` bits of the field, which are those of `value`.
    fn follow(&mut self, field: &Field, (index, value): (u32, u32), mut edge: Edge) -> Result<Edge, Rejected> {
        loop {
            self.budget.step()?;
            let var = self.diagram.var(edge);
            let Some(at) = field.index(var).filter(|at| *at < index) else {
                return Ok(edge);
            };
            let (Bit::Input { flip, .. }, bit) = (field.bit(at), value >> 31_u32.saturating_sub(at) & 1 == 1) else {
                return Ok(edge);
            };
            let [clear, set] = self.diagram.split(edge, var);
            edge = if bit == flip { clear } else { set };
        }
    }

    /// Whether `edge` is what an older and a newer filter decide together.
    pub(crate) fn combined(&mut self, edge: Edge, older: Edge, newer: Edge) -> Result<(), Rejected> {
        self.budget.begin();
        self.combination([edge, older, newer])
    }

    fn combination(&mut self, edges: [Edge; 3]) -> Result<(), Rejected> {
        self.budget.step()?;
        let [edge, older, newer] = edges;
        let slack = edge.add.wrapping_sub(older.add).wrapping_sub(newer.add);
        let question = [edge.node, older.node, newer.node, slack.cast_unsigned(), 0];
        if self.budget.asked(question) {
            return Ok(());
        }
        let top = edges.map(|edge| self.diagram.var(edge));
        let top = top.into_iter().fold(u32::MAX, u32::min);
        if Diagram::is_terminal(top) {
            return self.outcome(edges);
        }
        let [[e0, e1], [o0, o1], [n0, n1]] = edges.map(|edge| self.diagram.split(edge, top));
        self.combination([e0, o0, n0])?;
        self.combination([e1, o1, n1])
    }

    /// At terminals: instructions add up, of values one wins.
    fn outcome(&self, [edge, older, newer]: [Edge; 3]) -> Result<(), Rejected> {
        let right = if self.classes.len() == 0 {
            let counts = [edge, older, newer].map(|edge| edge.node) == [YES.node; 3];
            counts && edge.add == older.add.saturating_add(newer.add)
        } else {
            self.classes.combine(older, newer) == Some(edge)
        };
        if right {
            Ok(())
        } else {
            Err(Rejected::wrong(
                "the filters of a chain do not combine to this, or the classes do not tell",
            ))
        }
    }
}
