//! A chain or tree of comparisons of one word as what it is: a partition of that word's values.
//!
//! The partition is sorted once and its diagram built once, instead of one descent for each comparison.

use crate::diagram::Diagram;
use crate::limits::Undecided;
use crate::order::Lane;

/// The values `low..=high` of a word, and what happens for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<E> {
    pub(crate) low: u32,
    pub(crate) high: u32,
    pub(crate) edge: E,
}

/// A partition of a word's values under construction: ranges, and single values that are exceptions from them.
#[derive(Debug)]
pub(crate) struct Partition<E> {
    ranges: Vec<Piece<E>>,
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
        self.ranges.push(Piece { low, high, edge });
    }

    /// Of several exceptions for one value the first counts, as the first comparison of a chain does.
    pub(crate) fn except(&mut self, value: u32, edge: E) {
        let before = u32::try_from(self.exceptions.len()).unwrap_or(u32::MAX);
        self.exceptions.push((value, before, edge));
    }

    /// The pieces in order, neighbours with the same edge joined. The ranges must cover every value once.
    pub(crate) fn pieces(&mut self) -> &[Piece<E>] {
        self.ranges.sort_unstable_by_key(|range| range.low);
        self.exceptions
            .sort_unstable_by_key(|exception| (exception.0, exception.1));
        self.exceptions.dedup_by_key(|exception| exception.0);
        let mut exceptions = self.exceptions.iter().peekable();
        for range in &self.ranges {
            let mut from = Some(range.low);
            while let Some(&(value, _, edge)) = exceptions.next_if(|exception| exception.0 <= range.high) {
                if let (Some(low), Some(before)) = (from, value.checked_sub(1))
                    && low < value
                {
                    extend(
                        &mut self.pieces,
                        Piece {
                            low,
                            high: before,
                            edge: range.edge,
                        },
                    );
                }
                extend(
                    &mut self.pieces,
                    Piece {
                        low: value,
                        high: value,
                        edge,
                    },
                );
                from = value.checked_add(1);
            }
            if let Some(low) = from.filter(|low| *low <= range.high) {
                extend(
                    &mut self.pieces,
                    Piece {
                        low,
                        high: range.high,
                        edge: range.edge,
                    },
                );
            }
        }
        &self.pieces
    }
}

#[inline]
fn extend<E: Copy + Eq>(pieces: &mut Vec<Piece<E>>, next: Piece<E>) {
    match pieces.last_mut() {
        Some(last) if last.edge == next.edge => last.high = next.high,
        _ => pieces.push(next),
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
    trie(diagram, lane, 0, 0, pieces).map(Some)
}

/// The diagram for the values whose bits before `bit` are those of `prefix`.
fn trie<D: Diagram>(
    diagram: &mut D,
    lane: Lane,
    bit: u32,
    prefix: u32,
    pieces: &[Piece<D::Edge>],
) -> Result<D::Edge, Undecided> {
    diagram.step()?;
    let [first, rest @ ..] = pieces else {
        return Ok(diagram.zero());
    };
    if rest.is_empty() {
        return Ok(known_prefix(diagram, lane, bit, prefix, first.edge));
    }
    let middle = prefix | 0x8000_0000 >> (bit & 31);
    let below = match rest {
        // Often all but the last piece are small numbers.
        [.., before, last] if before.low < middle && last.low >= middle => rest.len(),
        _ => pieces.partition_point(|piece| piece.low < middle),
    };
    let (low, mut high) = pieces.split_at(below);
    // The last piece of the lower half may reach into the upper one.
    if low.last().is_some_and(|last| last.high >= middle) {
        high = pieces.get(below.saturating_sub(1)..).unwrap_or(high);
    }
    let next = bit.saturating_add(1);
    let low = trie(diagram, lane, next, prefix, low)?;
    let high = trie(diagram, lane, next, middle, high)?;
    diagram.join(lane.var(bit), low, high)
}

/// The function with the word's bits before `bit` known.
fn known_prefix<D: Diagram>(diagram: &D, lane: Lane, bit: u32, prefix: u32, mut edge: D::Edge) -> D::Edge {
    loop {
        let var = diagram.var(edge);
        let Some(asked) = var.checked_sub(lane.base).map(u32::from).filter(|asked| *asked < bit) else {
            return edge;
        };
        let (low, high) = diagram.split(edge, var);
        edge = if prefix << (asked & 31) >> 31 == 1 { high } else { low };
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
            .map(|piece| (piece.low, piece.high, piece.edge))
            .collect();
        assert_eq!(
            pieces,
            [
                (0, 0, 'z'),
                (1, 4, 'a'),
                (5, 5, 'x'),
                (6, 10, 'a'),
                (11, u32::MAX - 1, 'b'),
                (u32::MAX, u32::MAX, 'e')
            ]
        );
    }
}
