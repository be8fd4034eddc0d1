//! Medians, and how sure they are.

use serde::Serialize;

/// A median with a confidence interval that supposes nothing about how values are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// The median
    pub median: f64,
    /// The interval begins here
    pub low: f64,
    /// and ends here
    pub high: f64,
    /// The chance that such an interval has the true median in it, at least
    pub confidence: f64,
}

/// What is aimed at.
const CONFIDENCE: f64 = 0.95;

/// The median of some values. The interval is from the k-th smallest to the k-th largest, with the largest k for which a
/// fair coin tossed for each value says that it holds the median with the confidence that is aimed at.
pub(super) fn median(values: &[f64]) -> Interval {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let half = n / 2;
    let middle = if n % 2 == 1 {
        at(half)
    } else {
        f64::midpoint(at(half.saturating_sub(1)), at(half))
    };
    let (k, confidence) = rank(n);
    Interval {
        median: middle,
        low: at(k),
        high: at(n.saturating_sub(1).saturating_sub(k)),
        confidence,
    }
}

/// The median of the differences within rounds.
pub(super) fn paired(values: &[f64], base: &[f64]) -> Interval {
    let differences: Vec<f64> = values.iter().zip(base).map(|(value, base)| value - base).collect();
    median(&differences)
}

/// How many values may be left away at each end, and the confidence that remains.
fn rank(n: usize) -> (usize, f64) {
    let total = 2.0_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let (mut ways, mut beyond) = (1.0_f64, 0.0_f64);
    let mut best = (0, 1.0 - 2.0 / total.max(2.0));
    for k in 0..n / 2 {
        // The chance that at most k values lie on one side.
        beyond += ways / total;
        let confidence = 1.0 - 2.0 * beyond;
        if confidence < CONFIDENCE {
            break;
        }
        best = (k, confidence);
        ways = ways * ((n - k) as f64) / ((k + 1) as f64);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_sign_test() {
        // Tables of the sign test: of 31 values the 10th from each end, of 20 the 6th, of 6 the first.
        for (n, from_end) in [(31, 10), (20, 6), (6, 1)] {
            let (k, confidence) = rank(n);
            assert_eq!(k + 1, from_end, "{n}");
            assert!((0.95..1.0).contains(&confidence));
        }
        assert!(rank(5).1 < 0.95, "five values are not enough");
    }

    #[test]
    fn medians() {
        let values: Vec<f64> = (1..=31).rev().map(f64::from).collect();
        let found = median(&values);
        assert_eq!((found.median, found.low, found.high), (16.0, 10.0, 22.0));
        assert!((median(&[1.0, 2.0]).median - 1.5).abs() < 1e-12);
        assert_eq!(median(&[]).median, 0.0);
        let shifted: Vec<f64> = values.iter().map(|value| value + 3.0).collect();
        assert_eq!(paired(&shifted, &values).low, 3.0);
    }
}
