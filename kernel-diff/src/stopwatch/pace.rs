//! What calls take, from what they execute: fitted to chains of known lengths in the same rounds as what is predicted.

use callproof_vm::Insn;
use callproof_vm::observe::Converted;
use serde::Serialize;

use super::stats::Interval;
use super::{ALLOW, EPERM};

/// Nanoseconds from counts: a sum of four parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pace {
    /// Any filter at all
    pub entry: Coefficient,
    /// Each filter
    pub filter: Coefficient,
    /// Each executed instruction, after conversion
    pub insn: Coefficient,
    /// Each jump that does not fall through, besides
    pub taken: Coefficient,
    /// How far the chains it is fitted to lie from it, typically: the root of the mean square, in nanoseconds
    pub residual: f64,
}

/// A part of the sum, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Coefficient {
    /// The value
    pub value: f64,
    /// Its standard error
    pub error: f64,
}

const PARTS: usize = 4;
type Row = [f64; PARTS];

impl Pace {
    /// What filters add to a call that executes this.
    #[must_use]
    pub fn predict(&self, counted: &Converted) -> f64 {
        let parts = [self.entry, self.filter, self.insn, self.taken];
        row(counted)
            .iter()
            .zip(parts)
            .map(|(count, part)| count * part.value)
            .sum()
    }

    /// Fits by least squares, each point weighed by how surely it was measured.
    pub(super) fn fit(points: &[(Converted, Interval)]) -> Self {
        let weight = |took: &Interval| 1.0 / ((took.high - took.low) / 4.0).max(LEAST_SPREAD).powi(2);
        let (mut normal, mut right) = ([[0.0; PARTS]; PARTS], [0.0; PARTS]);
        for (counted, took) in points {
            let (row, weight) = (row(counted), weight(took));
            for ((line, right), a) in normal.iter_mut().zip(&mut right).zip(row) {
                *right += weight * a * took.median;
                for (cell, b) in line.iter_mut().zip(row) {
                    *cell += weight * a * b;
                }
            }
        }
        let Some(inverse) = inverse(normal) else {
            return Self::default();
        };
        let values = inverse.map(|line| line.iter().zip(right).map(|(a, b)| a * b).sum::<f64>());
        let off = |(counted, took): &(Converted, Interval)| {
            let predicted: f64 = row(counted)
                .iter()
                .zip(values)
                .map(|(count, value)| count * value)
                .sum();
            (took.median - predicted).powi(2)
        };
        let squares: f64 = points.iter().map(off).sum();
        let weighed: f64 = points.iter().map(|point| weight(&point.1) * off(point)).sum();
        let free = points.len().saturating_sub(PARTS).max(1) as f64;
        let mut parts = [Coefficient::default(); PARTS];
        for (at, (part, value)) in parts.iter_mut().zip(values).enumerate() {
            let variance = inverse.get(at).and_then(|line| line.get(at)).copied().unwrap_or(0.0);
            *part = Coefficient {
                value,
                error: (variance * weighed / free).max(0.0).sqrt(),
            };
        }
        let [entry, filter, insn, taken] = parts;
        Self {
            entry,
            filter,
            insn,
            taken,
            residual: (squares / points.len().max(1) as f64).sqrt(),
        }
    }
}

/// Nobody measures more exactly than this, in nanoseconds.
const LEAST_SPREAD: f64 = 0.2;

fn row(counted: &Converted) -> Row {
    // Counts of one call stay far below 2^53.
    [1.0, counted.filters as f64, counted.insns as f64, counted.taken as f64]
}

/// The inverse by elimination with pivots; `None` of what has none.
fn inverse(mut of: [Row; PARTS]) -> Option<[Row; PARTS]> {
    let mut result = [[0.0; PARTS]; PARTS];
    for (at, line) in result.iter_mut().enumerate() {
        *line.get_mut(at)? = 1.0;
    }
    for at in 0..PARTS {
        let size = |line: usize| {
            of.get(line)
                .and_then(|line| line.get(at))
                .map_or(0.0, |cell| cell.abs())
        };
        let pivot = (at..PARTS).max_by(|a, b| size(*a).total_cmp(&size(*b)))?;
        if size(pivot) < 1e-12 {
            return None;
        }
        of.swap(at, pivot);
        result.swap(at, pivot);
        let by = *of.get(at)?.get(at)?;
        for lines in [&mut of, &mut result] {
            lines.get_mut(at)?.iter_mut().for_each(|cell| *cell /= by);
        }
        let (pivot_of, pivot_result) = (*of.get(at)?, *result.get(at)?);
        for line in (0..PARTS).filter(|line| *line != at) {
            let times = *of.get(line)?.get(at)?;
            subtract(of.get_mut(line)?, &pivot_of, times);
            subtract(result.get_mut(line)?, &pivot_result, times);
        }
    }
    Some(result)
}

fn subtract(from: &mut Row, line: &Row, times: f64) {
    for (cell, other) in from.iter_mut().zip(line) {
        *cell -= times * other;
    }
}

/// Lengths of the chains that are measured to fit a model.
const LENGTHS: [u16; 3] = [50, 200, 600];
const FILTERS: [usize; 3] = [2, 8, 20];

/// Chains that fail every call: the shortest, long ones whose jumps fall through, long ones whose jumps are taken, and
/// several of the shortest.
pub(super) fn chains() -> Vec<Vec<Vec<Insn>>> {
    let ret = |value| vec![Insn::stmt(0x06, value)];
    let mut chains = vec![vec![ret(EPERM)]];
    for length in LENGTHS {
        // Each test has a distance, for otherwise it would be none; the number is never so large.
        let mut straight = vec![Insn::stmt(0x20, 0)];
        let tests = (0..length).map(|at| Insn::jump(0x15, 0x7000_0000 + u32::from(at), 1, 0));
        straight.extend(tests);
        straight.extend([ret(EPERM), ret(EPERM)].concat());
        chains.push(vec![straight]);
        let mut taken = vec![Insn::stmt(0x20, 0)];
        for at in 0..length {
            taken.push(Insn::jump(0x15, 0x7000_0000 + u32::from(at), 0, 1));
            taken.extend(ret(EPERM));
        }
        taken.extend(ret(EPERM));
        chains.push(vec![taken]);
    }
    for filters in FILTERS {
        let mut chain = vec![ret(ALLOW); filters.saturating_sub(1)];
        chain.push(ret(EPERM));
        chains.push(chain);
    }
    chains
}

#[cfg(test)]
mod tests {
    use callproof_vm::{Action, Chain, Filter, Machine, SeccompData};

    use super::*;

    fn exact(filters: u64, insns: u64, taken: u64) -> (Converted, Interval) {
        let counted = Converted { insns, taken, filters };
        let median = 40.0 + 6.0 * filters as f64 + 0.25 * insns as f64 + 0.5 * taken as f64;
        let interval = Interval {
            median,
            low: median - 1.0,
            high: median + 1.0,
            confidence: 0.95,
        };
        (counted, interval)
    }

    #[test]
    fn a_fit_finds_what_was_put_in() {
        let long = (1..6).map(|times| exact(1, 100 * times, 9 * times * times));
        let mut points: Vec<_> = long.collect();
        points.extend([exact(1, 5, 0), exact(9, 45, 0), exact(3, 90, 9)]);
        let pace = Pace::fit(&points);
        let parts = [pace.entry, pace.filter, pace.insn, pace.taken].map(|part| part.value);
        for (found, put) in parts.iter().zip([40.0, 6.0, 0.25, 0.5]) {
            assert!((found - put).abs() < 1e-6, "{pace:?}");
        }
        assert!(pace.residual < 1e-6);
        let (counted, took) = exact(2, 77, 11);
        assert!((pace.predict(&counted) - took.median).abs() < 1e-6);
        // A wrong point shows in the errors.
        points[2].1.median += 50.0;
        assert!(Pace::fit(&points).residual > 5.0);
    }

    #[test]
    fn what_cannot_be_told_apart_gives_no_model() {
        let points = [exact(1, 5, 0), exact(1, 5, 0)];
        assert_eq!(Pace::fit(&points), Pace::default());
    }

    #[test]
    fn known_chains_fail_every_call_and_differ_in_what_they_execute() {
        let call = SeccompData::new(0xc000_003e, 1023, [0; 6]);
        let counts = chains().into_iter().map(|chain| {
            let filters: Vec<_> = chain.iter().map(|one| Filter::load(one.as_slice()).unwrap()).collect();
            let mut counted = Converted::default();
            let verdict = Chain::new(&filters).run_observed(&call, Machine::default(), &mut counted);
            assert_eq!(verdict.action, Action::Errno);
            (counted.filters, counted.insns, counted.taken)
        });
        let counts: Vec<_> = counts.collect();
        assert_eq!(counts[..3], [(1, 5, 0), (1, 56, 0), (1, 56, 50)]);
        assert_eq!(counts.last(), Some(&(20, 100, 0)));
    }
}
