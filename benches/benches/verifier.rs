//! What exact answers over all calls cost.
//!
//! `cargo bench -p callproof-benches --bench verifier`. Every figure starts from admitted filters and includes the
//! symbolic pass, unless its name says "built".

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    reason = "a filter that does not load, or a question left open, leaves nothing to measure"
)]

use core::hint::black_box;

use callproof_benches::{container_linear, container_tree, filters};
use callproof_verifier::{Graph, Limits, Space, Subject, View};
use callproof_vm::{Filter, Insn, Machine};
use criterion::{Criterion, criterion_group, criterion_main};

fn load(program: Vec<Insn>) -> [Filter<'static>; 1] {
    [Filter::load(program).expect("the kernel would install it")]
}

fn function(c: &mut Criterion) {
    let (machine, limits) = (Machine::default(), Limits::default());
    let mut group = c.benchmark_group("exact_function");
    for (name, program) in filters() {
        let filters = load(program);
        group.bench_function(name, |b| {
            b.iter(|| {
                let subject = Subject::new(black_box(&filters), machine, &limits).expect("within limits");
                let mut space = Space::new(machine, &[&subject], &limits);
                space.function(&subject, View::Value).expect("within limits")
            });
        });
        group.bench_function(format!("{name}/symbolic_pass"), |b| {
            b.iter(|| Graph::build(black_box(&filters[0]), machine.shift, &limits));
        });
    }
    group.finish();
}

fn equality(c: &mut Criterion) {
    let (machine, limits) = (Machine::default(), Limits::default());
    let (linear, tree) = (load(container_linear()), load(container_tree()));
    c.bench_function("linear_equals_tree", |b| {
        b.iter(|| {
            let linear = Subject::new(black_box(&linear), machine, &limits).expect("within limits");
            let tree = Subject::new(black_box(&tree), machine, &limits).expect("within limits");
            let mut space = Space::new(machine, &[&linear, &tree], &limits);
            let linear = space.function(&linear, View::Value).expect("within limits");
            assert_eq!(linear, space.function(&tree, View::Value).expect("within limits"));
        });
    });
}

criterion_group!(benches, function, equality);
criterion_main!(benches);
