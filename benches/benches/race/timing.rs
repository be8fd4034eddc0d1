//! Time of one evaluation, as the peers in C measure it. Peers in Rust are compiled with this very file.

use core::hint::black_box;
use std::time::Instant;

/// How long a round lasts, at least.
const ROUND_NS: f64 = 20e6;

/// A sum over what `run` returns, in which every value has a weight of its own.
pub(crate) fn checksum<T>(records: &[T], mut run: impl FnMut(&T) -> u32) -> u64 {
    (1_u64..).zip(records).fold(0, |sum: u64, (place, record)| {
        sum.wrapping_add(u64::from(run(record)).wrapping_mul(place))
    })
}

/// Nanoseconds that `run` takes for a record, over one round.
pub(crate) fn round<T>(records: &[T], mut run: impl FnMut(&T) -> u32) -> f64 {
    let (start, mut done) = (Instant::now(), 0_usize);
    loop {
        for record in records {
            black_box(run(record));
        }
        done += records.len();
        let passed = start.elapsed().as_nanos() as f64;
        if passed >= ROUND_NS {
            return passed / done as f64;
        }
    }
}
