//! Every real filter and chain of a corpus beside the checkout.
//!
//! The corpus is not part of the project: without it this test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::Instant;

use callproof_testgen::{Caller, Harvest, Seed};
use callproof_verifier::{Limits, Set, Space, Subject, View};
use callproof_vm::{Chain, Endian, Filter, Insn, Machine};
use serde_json::Value;

/// The sample of each filter; the full million is for whoever has the time: `CALLS=1000000`.
fn calls_each() -> usize {
    std::env::var("CALLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000)
}

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus of real filters beside the checkout");
    None
}

fn load(path: &Path) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap();
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    Filter::load(program).unwrap_or_else(|refused| panic!("{}: {refused}", path.display()))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One row of the table.
struct Row {
    name: String,
    insns: usize,
    states: usize,
    nodes: usize,
    worst: u64,
    dead: usize,
    function: Duration,
    rest: Duration,
}

fn examine(name: &str, filters: &[Filter<'_>], machine: Machine) -> Row {
    let limits = Limits::default();
    let started = Instant::now();
    let subject = Subject::new(filters, machine, &limits).unwrap();
    let mut space = Space::new(machine, &[&subject], &limits);
    let function = space
        .function(&subject, View::Value)
        .unwrap_or_else(|undecided| panic!("{name}: {undecided}"));
    let built = started.elapsed();
    let mut costs = space.costs(&subject).unwrap();
    let worst = space.worst_case(&subject, &mut costs, Set::ALL).unwrap().unwrap().insns;
    let audits = (0..filters.len()).map(|filter| space.audit(&subject, filter).unwrap().dead.len());
    let dead = audits.collect::<Vec<_>>().iter().sum();
    let arches = [0xc000_003e, 0x4000_0003, 0xc000_00b7];
    let regions = space.regions(&function, &arches).unwrap();
    for region in &regions {
        space.decision(region).unwrap();
    }
    let rest = started.elapsed() - built;
    let mut seed = Seed::new(31, name.len() as u64);
    let callers: Vec<_> = arches
        .into_iter()
        .map(|arch| Caller {
            arch,
            ip: 0x7000_0000_0000,
        })
        .chain([Caller::any(&mut seed)])
        .collect();
    let each = calls_each() / filters.len();
    for filter in filters {
        for call in Harvest::of(filter.program()).calls(&mut seed, each, &callers) {
            assert_eq!(
                space.value(&function, &call),
                Chain::new(filters).run(&call, machine).value,
                "{name}: {call:x?}"
            );
        }
    }
    Row {
        name: name.to_owned(),
        insns: filters.iter().map(|filter| filter.program().len()).sum(),
        states: subject.graphs().iter().map(|graph| graph.nodes().len()).sum(),
        nodes: space.size(&function),
        worst,
        dead,
        function: built,
        rest,
    }
}

fn print(rows: &mut [Row]) {
    rows.sort_by_key(|row| core::cmp::Reverse(row.function));
    println!(
        "{:60} {:>6} {:>6} {:>6} {:>6} {:>5} {:>10} {:>10}",
        "", "insns", "states", "nodes", "worst", "dead", "function", "the rest"
    );
    for row in rows.iter().take(25) {
        let Row {
            name,
            insns,
            states,
            nodes,
            worst,
            dead,
            function,
            rest,
        } = row;
        println!("{name:60} {insns:6} {states:6} {nodes:6} {worst:6} {dead:5} {function:10.1?} {rest:10.1?}");
    }
    let mut times: Vec<_> = rows.iter().map(|row| row.function).collect();
    times.sort_unstable();
    println!(
        "{} in all; exact function: median {:?}, worst {:?}",
        rows.len(),
        times[times.len() / 2],
        times.last().unwrap()
    );
}

#[test]
fn every_filter() {
    let Some(corpus) = corpus() else { return };
    let mut rows: Vec<Row> = lines(&corpus.join("meta.jsonl"))
        .iter()
        .map(|meta| {
            let name = meta["name"].as_str().unwrap();
            let endian = if name.contains("s390x") {
                Endian::Big
            } else {
                Endian::Little
            };
            let filters = [load(&corpus.join(meta["file"].as_str().unwrap()))];
            examine(
                name,
                &filters,
                Machine {
                    endian,
                    ..Machine::default()
                },
            )
        })
        .collect();
    print(&mut rows);
    assert_eq!(rows.len(), 353);
}

#[test]
fn every_chain() {
    let Some(corpus) = corpus() else { return };
    let mut rows: Vec<Row> = lines(&corpus.join("chains.jsonl"))
        .iter()
        .map(|chain| {
            let names = chain["filters"].as_array().unwrap().iter();
            let filters: Vec<_> = names
                .map(|name| load(&corpus.join(format!("bpf/{}.bpf", name.as_str().unwrap()))))
                .collect();
            examine(chain["unit"].as_str().unwrap(), &filters, Machine::default())
        })
        .collect();
    print(&mut rows);
    assert!(!rows.is_empty());
}
