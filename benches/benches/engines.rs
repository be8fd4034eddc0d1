//! What each engine takes: by shape of filter, and to be made.
//!
//! `cargo bench -p callproof-benches --bench engines`. Every figure is per call unless it is per engine made. A bare look-up
//! in a table written by hand stands beside them. The command `--bench interpreters` has ratios to others, and `--bench
//! scaling` has series of lengths and of numbers of calls.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    reason = "a filter that does not load leaves nothing to measure"
)]

use core::hint::black_box;
use core::time::Duration;

use callproof_benches::{
    calls, container_linear, container_tree, filters, longest_of_equalities, longest_of_masks, longest_of_ranges,
    of_length, tests_that_join,
};
use callproof_engines::{Engine, Kind, Predecoded, Specialised};
use callproof_vm::{Filter, Insn, Machine, SeccompData};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

type Loaded = [Filter<'static>; 1];

fn load(program: Vec<Insn>) -> Loaded {
    [Filter::load(program).expect("the kernel would install it")]
}

/// Judges every call once.
fn judge(engine: &dyn Engine, calls: &[SeccompData]) {
    for call in calls {
        black_box(engine.value(black_box(call)));
    }
}

/// Filters in the shapes of real ones, and the hardest ones that a kernel takes.
fn shapes(c: &mut Criterion) {
    let worst = [
        ("4096_equality_tests", longest_of_equalities()),
        ("4096_range_tests", longest_of_ranges()),
        ("4096_masked_tests", longest_of_masks()),
        ("1000_tests_that_join", tests_that_join(1000)),
    ];
    for (name, program) in filters().into_iter().chain(worst) {
        let (filters, calls) = (load(program), calls());
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(calls.len() as u64));
        for kind in Kind::ALL {
            let engine = kind.build(&filters, Machine::default());
            group.bench_function(kind.name(), |b| b.iter(|| judge(&*engine, &calls)));
        }
        group.finish();
    }
}

fn table_by_hand(c: &mut Criterion) {
    let ([filter], calls) = (load(container_linear()), calls());
    let value = |nr| filter.run(&SeccompData::new(0xc000_003e, nr, [0; 6]), Machine::default());
    let table: Vec<u32> = (0..512).map(value).collect();
    let mut group = c.benchmark_group("container_linear");
    group.throughput(Throughput::Elements(calls.len() as u64));
    group.bench_function("table_by_hand", |b| {
        b.iter(|| {
            for call in &calls {
                black_box(table.get(black_box(call).nr.cast_unsigned() as usize & 511));
            }
        });
    });
    group.finish();
}

/// What it takes to make an engine.
fn made(c: &mut Criterion) {
    let all = [
        ("container_linear", container_linear()),
        ("container_tree", container_tree()),
        ("1000_insns", of_length(1000)),
        ("4096_equality_tests", longest_of_equalities()),
        ("4096_masked_tests", longest_of_masks()),
    ];
    let mut group = c.benchmark_group("made");
    for (name, program) in all {
        let filters = load(program);
        group.bench_function(BenchmarkId::new("predecoded", name), |b| {
            b.iter(|| Predecoded::new(black_box(&filters), Machine::default()));
        });
        group.bench_function(BenchmarkId::new("specialised", name), |b| {
            b.iter(|| Specialised::new(black_box(&filters), Machine::default()));
        });
    }
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
}

criterion_group! {
    name = benches;
    config = short();
    targets = shapes, table_by_hand, made
}
criterion_main!(benches);
