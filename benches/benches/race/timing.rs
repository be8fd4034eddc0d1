//! Time of one evaluation, as the peers in C measure it. Peers in Rust are compiled with this very file.

use core::hint::black_box;

use rustix::time::{ClockId, clock_gettime};

/// How long a round lasts, at least.
const ROUND_NS: f64 = 20e6;

/// How many evaluations lie between two looks at the clock, at least. A look takes longer than some evaluations.
const BETWEEN: usize = 10_000;

/// A sum over what `run` returns, in which every value has a weight of its own.
pub(crate) fn checksum<T>(records: &[T], mut run: impl FnMut(&T) -> u32) -> u64 {
    (1_u64..).zip(records).fold(0, |sum: u64, (place, record)| {
        sum.wrapping_add(u64::from(run(record)).wrapping_mul(place))
    })
}

/// Nanoseconds that `run` takes for a record, over one round.
pub(crate) fn round<T>(records: &[T], mut run: impl FnMut(&T) -> u32) -> f64 {
    let passes = BETWEEN.div_ceil(records.len().max(1));
    let (start, mut done) = (now(), 0_usize);
    loop {
        for _ in 0..passes {
            for record in records {
                black_box(run(record));
            }
        }
        done += passes * records.len();
        let passed = now() - start;
        if passed >= ROUND_NS {
            return passed / done as f64;
        }
    }
}

/// Nanoseconds for which this thread has run. What others take of the processor meanwhile is not in it.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
