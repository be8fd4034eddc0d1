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

use callproof_benches::{
    container_linear, container_tree, filters, longest_of_equalities, longest_of_masks, longest_of_ranges, planted,
    tests_that_join,
};
use callproof_verifier::{Function, Graph, Limits, Set, Space, Subject, Verdicts, View};
use callproof_vm::{Filter, Insn, Machine, SeccompData};
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

/// Filters as long as the kernel takes, and one with more paths than anybody could follow.
fn large(c: &mut Criterion) {
    let mut group = c.benchmark_group("large");
    for (name, program) in [
        ("4096_equality_tests", longest_of_equalities()),
        ("4096_range_tests", longest_of_ranges()),
        ("4096_masked_tests", longest_of_masks()),
        ("1000_tests_that_join", tests_that_join(1000)),
    ] {
        let filters = load(program);
        group.bench_function(name, |b| b.iter(|| build(&subject(black_box(&filters)))));
    }
    group.finish();
}

/// Whether nothing but the lowest 385 numbers is permitted.
fn denies_by_default(space: &mut Space, function: &Function) -> bool {
    let permitted = Verdicts::permitted(Machine::default().kernel);
    let set = space.calls(function, &permitted).expect("within limits");
    let known = space.numbers(0, 384).expect("within limits");
    space.minus(set, known).expect("within limits").is_empty()
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
        if name.starts_with("container") {
            group.bench_function(format!("{name}/default_deny"), |b| {
                b.iter(|| {
                    let (mut space, function) = build(&subject(black_box(&filters)));
                    assert!(denies_by_default(&mut space, &function));
                });
            });
        }
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

/// Further questions about a function that is there, in one space: what that remembers of the round before helps. For
/// first questions take the difference between `from_filter` and `exact_function`.
fn built(c: &mut Criterion) {
    let filters = load(container_linear());
    let subject = subject(&filters);
    let (mut space, function) = build(&subject);
    let permitted = Verdicts::permitted(Machine::default().kernel);
    let set = space.calls(&function, &permitted).expect("within limits");
    let mut group = c.benchmark_group("built");
    let mut ask = |name: &str, ask: &dyn Fn(&mut Space)| {
        group.bench_function(name, |b| {
            b.iter(|| {
                space.restart();
                ask(&mut space);
            });
        });
    };
    ask("permitted_set", &|space| {
        black_box(space.calls(&function, black_box(&permitted)).expect("within limits"));
    });
    ask("default_deny", &|space| {
        assert!(denies_by_default(space, black_box(&function)));
    });
    ask("value_of_a_call", &|space| {
        let call = SeccompData::new(0xc000_003e, 59, [0; 6]);
        black_box(space.value(&function, black_box(&call)));
    });
    ask("witness_of_a_permitted_call", &|space| {
        let witness = space.witness(black_box(set), &[(&subject, &function)]);
        assert!(witness.expect("within limits").is_some());
    });
    group.finish();
}

criterion_group!(benches, exact_function, large, comparisons, analyses, built);
criterion_main!(benches);
