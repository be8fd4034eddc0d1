//! What admission and evaluation cost.
//!
//! `cargo bench -p callproof-benches`. Every figure is per element: a call, an instruction. The instructions that one
//! evaluation executes on average are printed beside the name, since they explain the time.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    reason = "a filter that does not load leaves nothing to measure"
)]

use core::hint::black_box;

use callproof_benches::{calls, filters, of_length, unit_denylist};
use callproof_formats::batch::{Request, Response};
use callproof_vm::observe::Count;
use callproof_vm::{Chain, Filter, Machine};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn evaluate(c: &mut Criterion) {
    let (calls, machine) = (calls(), Machine::default());
    let mut group = c.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(calls.len() as u64));
    for (name, program) in filters() {
        let filter = Filter::load(program).expect("the kernel would install it");
        let mut count = Count::default();
        for call in &calls {
            filter.run_observed(call, machine, &mut count);
        }
        let per_call = count.0 / calls.len() as u64;
        group.bench_function(BenchmarkId::new(name, format!("{per_call}_insns_a_call")), |b| {
            b.iter(|| {
                for call in &calls {
                    black_box(filter.run(black_box(call), machine));
                }
            });
        });
    }
    group.finish();
}

fn chain(c: &mut Criterion) {
    let (calls, machine) = (calls(), Machine::default());
    let chain: Vec<Filter<'_>> = filters()
        .into_iter()
        .map(|(_, program)| Filter::load(program).expect("the kernel would install it"))
        .collect();
    let mut group = c.benchmark_group("chain");
    group.throughput(Throughput::Elements(calls.len() as u64));
    group.bench_function("all_five", |b| {
        b.iter(|| {
            for call in &calls {
                black_box(Chain::new(&chain).run(black_box(call), machine));
            }
        });
    });
    group.finish();
}

fn admit(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit");
    for insns in [10, 100, 1000, 4096] {
        let program = of_length(insns);
        group.throughput(Throughput::Elements(insns as u64));
        group.bench_function(BenchmarkId::from_parameter(insns), |b| {
            b.iter(|| black_box(Filter::load(black_box(program.as_slice())).is_ok()));
        });
    }
    group.finish();
}

/// A batch as the command answers it: a line of JSON read, the call decided by a filter that is already admitted, and
/// the answer written as a line.
fn batch(c: &mut Criterion) {
    let lines: Vec<String> = calls()
        .iter()
        .map(|call| {
            let (nr, args) = (call.nr, call.args);
            format!(r#"{{"filter": "060000000000ff7f", "arch": "x86_64", "nr": {nr}, "args": {args:?}}}"#)
        })
        .collect();
    let filter = [Filter::load(unit_denylist()).expect("the kernel would install it")];
    let mut answers = Vec::new();
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(lines.len() as u64));
    group.bench_function("unit_denylist", |b| {
        b.iter(|| {
            answers.clear();
            for line in &lines {
                let request = Request::parse(line).expect("a request");
                let mut count = Count::default();
                let verdict = Chain::new(&filter).run_observed(&request.data, Machine::default(), &mut count);
                Response::verdict(&verdict, count.0).write_line(&mut answers);
            }
            black_box(answers.len())
        });
    });
    group.finish();
}

criterion_group!(benches, evaluate, chain, admit, batch);
criterion_main!(benches);
