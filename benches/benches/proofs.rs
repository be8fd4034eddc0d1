//! How large proofs are, and what it takes to check them.
//!
//! `cargo bench -p callproof-benches --bench proofs`. A check starts from the bytes of proof and filter.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a proof there is nothing to measure; the size of one is a figure too"
)]

use core::hint::black_box;

use callproof_benches::proofs::{bytes, cost, default_deny, equal, proof};
use callproof_benches::{container_linear, container_tree};
use callproof_checker::{Claim, check};
use callproof_vm::{Filter, Insn};
use criterion::{Criterion, criterion_group, criterion_main};

/// Prints the size of the proof, and measures its check.
fn measure(c: &mut Criterion, name: &str, claim: &Claim, programs: &[Vec<Insn>]) {
    let load = |program: &Vec<Insn>| [Filter::load(program.clone()).expect("the kernel would install it")];
    let filters: Vec<_> = programs.iter().map(load).collect();
    let file = proof(claim, &filters).expect("within limits");
    let programs: Vec<Vec<u8>> = programs.iter().map(|program| bytes(program)).collect();
    let chains: Vec<[&[u8]; 1]> = programs.iter().map(|program| [program.as_slice()]).collect();
    let chains: Vec<&[&[u8]]> = chains.iter().map(|chain| chain.as_slice()).collect();
    println!("{name}: a proof of {} bytes", file.len());
    let mut group = c.benchmark_group("check_proof");
    group.bench_function(name, |b| {
        b.iter(|| check(black_box(&file), &chains).expect("accepted"));
    });
    group.finish();
}

fn checks(c: &mut Criterion) {
    let (linear, tree) = (container_linear(), container_tree());
    measure(
        c,
        "default_deny/linear",
        &default_deny(),
        core::slice::from_ref(&linear),
    );
    measure(c, "default_deny/tree", &default_deny(), core::slice::from_ref(&tree));
    measure(c, "cost/linear", &cost(600), core::slice::from_ref(&linear));
    measure(c, "linear_equals_tree", &equal(), &[linear, tree]);
}

criterion_group!(benches, checks);
criterion_main!(benches);
