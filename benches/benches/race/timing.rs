//! Time of one evaluation, as the peers in C measure it: the median of some rounds.

use core::hint::black_box;
use std::time::Instant;

use callproof_vm::SeccompData;

const ROUNDS: usize = 15;
const ROUND_NS: f64 = 20e6;

/// Nanoseconds that `run` takes for a call, and the checksum over what it returns.
pub(crate) fn race(calls: &[SeccompData], run: impl Fn(&SeccompData) -> u32) -> (f64, u64) {
    let sum = (1_u64..).zip(calls).fold(0_u64, |sum, (place, call)| {
        sum.wrapping_add(u64::from(run(call)).wrapping_mul(place))
    });
    let rounds = (0..ROUNDS).map(|_| {
        let (start, mut done) = (Instant::now(), 0_usize);
        loop {
            for call in calls {
                black_box(run(call));
            }
            done += calls.len();
            let passed = start.elapsed().as_nanos() as f64;
            if passed >= ROUND_NS {
                return passed / done as f64;
            }
        }
    });
    (median(rounds.collect()), sum)
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
