//! What exact answers over all calls cost.
//!
//! `cargo bench -p callproof-benches --bench verifier`. Every figure starts from admitted filters and includes the
//! symbolic pass, except in the group `built`, which asks about a function that is there already.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    reason = "a filter that does not load, or a question left open, leaves nothing to measure"
)]

use core::hint::black_box;

use callproof_benches::{container_linear, container_tree, filters, planted};
use callproof_verifier::{Function, Graph, Limits, Set, Space, Subject, Verdicts, View};
use callproof_vm::{Filter, Insn, Machine};
use criterion::{Criterion, criterion_group, criterion_main};

type Loaded = [Filter<'static>; 1];

fn load(program: Vec<Insn>) -> Loaded {
    [Filter::load(program).expect("the kernel would install it")]
}

fn subject(filters: &Loaded) -> Subject<'_> {
    Subject::new(filters, Machine::default(), &Limits::default()).expect("within limits")
}

fn build(subject: &Subject<'_>) -> (Space, Function) {
    let mut space = Space::new(Machine::default(), &[subject], &Limits::default());
    let function = space.function(subject, View::Value).expect("within limits");
    (space, function)
}

fn exact_function(c: &mut Criterion) {
    let mut group = c.benchmark_group("exact_function");
    for (name, program) in filters() {
        let filters = load(program);
        group.bench_function(name, |b| b.iter(|| build(&subject(black_box(&filters)))));
        let [filter] = &filters;
        group.bench_function(format!("{name}/symbolic_pass"), |b| {
            b.iter(|| Graph::build(black_box(filter), Machine::default().shift, &Limits::default()));
        });
    }
    group.finish();
}

fn comparisons(c: &mut Criterion) {
    let (linear, tree, planted) = (load(container_linear()), load(container_tree()), load(planted()));
    let compare = |one: &Loaded, other: &Loaded| {
        let (one, other) = (subject(one), subject(other));
        let mut space = Space::new(Machine::default(), &[&one, &other], &Limits::default());
        let first = space.function(&one, View::Value).expect("within limits");
        let second = space.function(&other, View::Value).expect("within limits");
        space.differ((&one, &first), (&other, &second)).expect("within limits")
    };
    c.bench_function("linear_equals_tree", |b| {
        b.iter(|| assert!(compare(black_box(&linear), &tree).is_none()));
    });
    c.bench_function("witness_of_one_bit", |b| {
        b.iter(|| assert!(compare(black_box(&linear), &planted).is_some()));
    });
}

fn analyses(c: &mut Criterion) {
    let mut group = c.benchmark_group("from_filter");
    for (name, program) in filters() {
        let filters = load(program);
        group.bench_function(format!("{name}/worst_case"), |b| {
            b.iter(|| {
                let subject = subject(black_box(&filters));
                let mut space = Space::new(Machine::default(), &[&subject], &Limits::default());
                let mut costs = space.costs(&subject).expect("within limits");
                space.worst_case(&subject, &mut costs, Set::ALL).expect("within limits")
            });
        });
        group.bench_function(format!("{name}/policy_table"), |b| {
            b.iter(|| {
                let (mut space, function) = build(&subject(black_box(&filters)));
                let regions = space
                    .regions(&function, &[0xc000_003e, 0x4000_0003])
                    .expect("within limits");
                let decisions = regions
                    .iter()
                    .map(|region| space.decision(region).expect("within limits"));
                decisions.collect::<Vec<_>>()
            });
        });
        group.bench_function(format!("{name}/audit"), |b| {
            b.iter(|| {
                let subject = subject(black_box(&filters));
                let mut space = Space::new(Machine::default(), &[&subject], &Limits::default());
                space.audit(&subject, 0).expect("within limits")
            });
        });
    }
    group.finish();
}

fn built(c: &mut Criterion) {
    let filters = load(container_linear());
    let subject = subject(&filters);
    let (mut space, function) = build(&subject);
    let permitted = Verdicts::permitted(Machine::default().kernel);
    let mut group = c.benchmark_group("built");
    group.bench_function("permitted_set", |b| {
        b.iter(|| space.calls(&function, black_box(&permitted)).expect("within limits"));
    });
    let set = space.calls(&function, &permitted).expect("within limits");
    group.bench_function("default_deny_of_a_range", |b| {
        b.iter(|| {
            let allowed = space.numbers(0, 385).expect("within limits");
            assert!(space.minus(set, allowed).expect("within limits").is_empty());
        });
    });
    group.bench_function("witness", |b| {
        b.iter(|| {
            space
                .witness(black_box(set), &[(&subject, &function)])
                .expect("within limits")
        });
    });
    group.finish();
}

criterion_group!(benches, exact_function, comparisons, analyses, built);
criterion_main!(benches);
