//! Sets of values as sorted ranges, and what each range leads to.

/// Values side by side, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Takes the values of a range out of sorted ranges.
pub(crate) fn cut(values: &mut Vec<Range>, range: Range) -> Vec<Range> {
    // Where the range begins and ends; a range of values that lies across is divided there.
    let begin = divide(values, range.first);
    let end = match range.last.checked_add(1) {
        Some(next) => divide(values, next),
        None => values.len(),
    };
    values.drain(begin..end).collect()
}

/// The number of the first range of values at or above a value, after dividing the one that it lies in.
fn divide(values: &mut Vec<Range>, at: u64) -> usize {
    let place = values.partition_point(|range| range.last < at);
    if let Some(range) = values.get_mut(place).filter(|range| range.first < at) {
        let upper = Range { first: at, ..*range };
        range.last = at.wrapping_sub(1);
        values.insert(place.saturating_add(1), upper);
        return place.saturating_add(1);
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first, last }
    }

    #[test]
    fn values_are_cut() {
        let mut values = vec![range(0, 9), range(20, u64::MAX)];
        assert_eq!(cut(&mut values, range(5, 5)), [range(5, 5)]);
        assert_eq!(values, [range(0, 4), range(6, 9), range(20, u64::MAX)]);
        assert_eq!(cut(&mut values, range(8, u64::MAX)), [range(8, 9), range(20, u64::MAX)]);
        assert_eq!(cut(&mut values, range(10, 11)), []);
        assert_eq!(cut(&mut values, range(0, 0)), [range(0, 0)]);
        assert_eq!(values, [range(1, 4), range(6, 7)]);
    }
}
