//! What each engine takes for filters of growing length and for growing numbers of calls.
//!
//! `cargo bench -p callproof-benches --bench scaling`. Every call executes the whole filter, on all cores, and lies in memory
//! as a record. Printed are tables for a Markdown page: nanoseconds of processor time a call, of all cores together, the median
//! of some rounds, all of whose values have to be right. `-- --most N` stops at N calls. Ten million records take 640 MB.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a filter there is nothing to measure, and the figures are printed"
)]

use core::hint::black_box;

use callproof_benches::{X86_64, of_length, option};
use callproof_engines::{Engine, Kind, batch};
use callproof_vm::{Endian, Filter, Machine, SeccompData};
use rustix::time::{ClockId, clock_gettime};

const INSNS: [usize; 4] = [10, 100, 1000, 4096];

/// A round repeats a batch for so long, at least.
const ROUND_NS: f64 = 20e6;

/// How many calls lie between two looks at the clock, at least. A look takes longer than some calls.
const BETWEEN: usize = 1000;

/// There are so many rounds, or as many as fit into this time.
const ROUNDS: usize = 15;
const PATIENCE_NS: f64 = 2e9;

fn main() {
    let most = option("--most").map_or(10_000_000, |most| most.parse().expect("a number of calls"));
    let counts: Vec<usize> = (0..)
        .map(|power| 10_usize.pow(power))
        .take_while(|count| *count <= most)
        .collect();
    let call = SeccompData::new(X86_64, 1, [0; 6]);
    let records = vec![call.to_bytes(Endian::NATIVE); most];
    for kind in Kind::ALL {
        println!("| {kind}: instructions | {} |", columns(&counts, thousands));
        println!("|---|{}", "--:|".repeat(counts.len()));
        for insns in INSNS {
            let filters = [Filter::load(of_length(insns)).expect("the kernel would install it")];
            let engine = kind.build(&filters, Machine::default());
            let [filter] = &filters;
            let value = filter.run(&call, Machine::default());
            let times = columns(&counts, |count| {
                let batch = records.get(..count).unwrap_or(&records);
                format!("{:.1}", measure(&*engine, batch, value))
            });
            println!("| {insns} | {times} |");
        }
        println!();
    }
}

fn columns(counts: &[usize], cell: impl Fn(usize) -> String) -> String {
    let cells: Vec<String> = counts.iter().map(|count| cell(*count)).collect();
    cells.join(" | ")
}

/// 10,000
fn thousands(count: usize) -> String {
    let digits = count.to_string().into_bytes();
    let groups: Vec<&str> = digits
        .rchunks(3)
        .rev()
        .filter_map(|group| str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

/// Nanoseconds that a call takes in a batch. Each has to return `value`.
fn measure(engine: &dyn Engine, records: &[[u8; 64]], value: u32) -> f64 {
    let mut values = vec![!value; records.len()];
    let mut judge = || batch::values_of_records(engine, black_box(records), Endian::NATIVE, &mut values);
    let (started, mut times) = (now(), Vec::new());
    while times.len() < ROUNDS && (times.is_empty() || now() - started < PATIENCE_NS) {
        times.push(round(&mut judge, BETWEEN.div_ceil(records.len())));
    }
    assert!(
        values.iter().all(|its| *its == value),
        "an engine returned other values"
    );
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN) / records.len() as f64
}

/// Nanoseconds that one batch takes, over one round of some batches between two looks at the clock.
fn round(mut judge: impl FnMut(), batches: usize) -> f64 {
    let (start, mut done) = (now(), 0.0);
    loop {
        for _ in 0..batches {
            judge();
            done += 1.0;
        }
        let passed = now() - start;
        if passed >= ROUND_NS {
            return passed / done;
        }
    }
}

/// Nanoseconds for which this process has run, on all cores together.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
