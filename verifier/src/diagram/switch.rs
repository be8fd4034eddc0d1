//! A chain or tree of comparisons of one word as what it is: a partition of that word's values.
//!
//! The partition is sorted once and its diagram built once, instead of one descent for each comparison.

use crate::diagram::Diagram;
use crate::limits::Undecided;
use crate::order::Lane;

/// The values from `from` up to `end`, which is not one of them, and what happens for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<E> {
    from: u64,
    end: u64,
    edge: E,
}

/// A partition of a word's values under construction: ranges, and single values that are exceptions from them.
#[derive(Debug)]
pub(crate) struct Partition<E> {
    /// (lowest value, highest value, what happens)
    ranges: Vec<(u32, u32, E)>,
    /// (value, how many were noted before, what happens)
    exceptions: Vec<(u32, u32, E)>,
    pieces: Vec<Piece<E>>,
}

impl<E: Copy + Eq> Partition<E> {
    pub(crate) const fn new() -> Self {
        Self {
            ranges: Vec::new(),
            exceptions: Vec::new(),
            pieces: Vec::new(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        self.exceptions.clear();
        self.pieces.clear();
    }

    pub(crate) fn range(&mut self, low: u32, high: u32, edge: E) {
        self.ranges.push((low, high, edge));
    }

    /// Of several exceptions for one value the first counts, as the first comparison of a chain does.
    pub(crate) fn except(&mut self, value: u32, edge: E) {
        let before = u32::try_from(self.exceptions.len()).unwrap_or(u32::MAX);
        self.exceptions.push((value, before, edge));
    }

    /// The pieces in order, neighbours with the same edge joined. The ranges must cover every value once.
    pub(crate) fn pieces(&mut self) -> &[Piece<E>] {
        self.ranges.sort_unstable_by_key(|range| range.0);
        self.exceptions
            .sort_unstable_by_key(|(value, before, _)| u64::from(*value) << 32 | u64::from(*before));
        let mut exceptions = self.exceptions.iter().peekable();
        for &(low, high, edge) in &self.ranges {
            let mut from = u64::from(low);
            while let Some(&(value, _, own)) = exceptions.next_if(|exception| exception.0 <= high) {
                let value = u64::from(value);
                // A value that comes again was decided the first time.
                if value >= from {
                    extend(&mut self.pieces, from, value, edge);
                    from = value.saturating_add(1);
                    extend(&mut self.pieces, value, from, own);
                }
            }
            extend(&mut self.pieces, from, u64::from(high).saturating_add(1), edge);
        }
        &self.pieces
    }
}

/// One more piece, which may be empty.
#[inline]
fn extend<E: Copy + Eq>(pieces: &mut Vec<Piece<E>>, from: u64, end: u64, edge: E) {
    if from < end {
        match pieces.last_mut() {
            Some(last) if last.edge == edge => last.end = end,
            _ => pieces.push(Piece { from, end, edge }),
        }
    }
}

/// The diagram of a partition of a word's values, or `None` when a piece asks a bit that stands before or between the
/// word's own: such pieces are not independent of each other's questions.
pub(crate) fn switch<D: Diagram>(
    diagram: &mut D,
    word: u8,
    pieces: &[Piece<D::Edge>],
) -> Result<Option<D::Edge>, Undecided> {
    let lane = diagram.order().lane(word);
    let first_free = if lane.stride == 1 {
        lane.base
    } else {
        lane.last().saturating_add(1)
    };
    if pieces.iter().any(|piece| diagram.var(piece.edge) < first_free) {
        return Ok(None);
    }
    let mut halves = Halves(Vec::with_capacity(33));
    for &Piece { mut from, end, edge } in pieces {
        // Blocks as large as the place they start at and the values that are left allow.
        while from < end {
            let level = from.trailing_zeros().min(end.saturating_sub(from).ilog2());
            let edge = known_prefix(diagram, lane, level, from, edge);
            halves.put(diagram, lane, level, edge)?;
            from = from.saturating_add(1 << level);
        }
    }
    Ok(halves.0.first().map(|(_, edge)| *edge))
}

/// Blocks of 2^level values, lower halves that wait for their upper ones: large ones first, no two of one level.
///
/// They are put together like the digits of a number that is counted up: the upper half is carried with the lower one.
#[derive(Debug)]
struct Halves<E>(Vec<(u32, E)>);

impl<E: Copy + Eq> Halves<E> {
    /// The next block: the values follow those of the block before.
    #[inline]
    fn put<D: Diagram<Edge = E>>(
        &mut self,
        diagram: &mut D,
        lane: Lane,
        mut level: u32,
        mut edge: E,
    ) -> Result<(), Undecided> {
        diagram.step()?;
        while let Some((_, low)) = self.0.pop_if(|(waiting, _)| *waiting == level) {
            // Both halves agree on the bits before this one.
            edge = diagram.join(lane.var(31_u32.saturating_sub(level)), low, edge)?;
            level = level.saturating_add(1);
        }
        self.0.push((level, edge));
        Ok(())
    }
}

/// The function where a word is one of the 2^level values from `from` on.
#[inline]
fn known_prefix<D: Diagram>(diagram: &D, lane: Lane, level: u32, from: u64, mut edge: D::Edge) -> D::Edge {
    loop {
        let var = diagram.var(edge);
        let asked = u32::from(var.saturating_sub(lane.base));
        let place = 31_u32.saturating_sub(asked);
        if asked > 31 || place < level {
            return edge;
        }
        let (low, high) = diagram.split(edge, var);
        edge = if from >> place & 1 == 1 { high } else { low };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_cut_ranges_and_the_first_counts() {
        let mut partition = Partition::new();
        partition.range(10, u32::MAX, 'b');
        partition.range(0, 9, 'a');
        for (value, edge) in [(5, 'x'), (5, 'y'), (0, 'z'), (u32::MAX, 'e'), (10, 'a'), (9, 'a')] {
            partition.except(value, edge);
        }
        let pieces: Vec<_> = partition
            .pieces()
            .iter()
            .map(|piece| (piece.from, piece.end - 1, piece.edge))
            .collect();
        assert_eq!(
            pieces,
            [
                (0, 0, 'z'),
                (1, 4, 'a'),
                (5, 5, 'x'),
                (6, 10, 'a'),
                (11, u64::from(u32::MAX) - 1, 'b'),
                (u64::from(u32::MAX), u64::from(u32::MAX), 'e')
            ]
        );
    }
}
