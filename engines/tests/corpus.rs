//! Every engine against the plain loop on the filters, chains and traces of a corpus beside the checkout.
//!
//! The corpus is not part of the project: without it these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::path::{Path, PathBuf};

use callproof_engines::{Kind, Specialised};
use callproof_testgen::{Caller, Harvest, Seed};
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};

const ARCHES: [u32; 4] = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0];

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

fn load(path: &Path) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap();
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    Filter::load(program).unwrap()
}

/// Calls of every number that has one, with arguments that reach the branches of the filters.
fn calls(filters: &[Filter<'_>], seed: &mut Seed, each: usize) -> Vec<SeccompData> {
    let numbers = (-1..520).chain(0x4000_0000..0x4000_0230).step_by(each);
    let harvests: Vec<Harvest> = filters.iter().map(|filter| Harvest::of(filter.program())).collect();
    let mut calls = Vec::new();
    for nr in numbers {
        for (arch, harvest) in ARCHES.into_iter().zip(harvests.iter().cycle()) {
            calls.push(SeccompData {
                nr,
                arch,
                ..harvest.call(seed, Caller { arch, ip: 0 })
            });
            calls.push(harvest.call(seed, Caller { arch, ip: 0 }));
        }
    }
    calls
}

fn agree(name: &str, filters: &[Filter<'_>], calls: &[SeccompData]) {
    let engines = Kind::ALL.map(|kind| kind.build(filters, Machine::default()));
    for call in calls {
        let [reference, predecoded, specialised] = engines.each_ref().map(|engine| engine.decide(call));
        assert_eq!(predecoded, reference, "{name} {call:x?}");
        assert_eq!(specialised, reference, "{name} {call:x?}");
    }
}

#[test]
fn filters() {
    let Some(corpus) = corpus() else { return };
    let (mut count, mut whole, mut memory) = (0, 0, 0);
    for entry in std::fs::read_dir(corpus.join("bpf")).unwrap() {
        let path = entry.unwrap().path();
        let filters = [load(&path)];
        let mut seed = Seed::new(7, count);
        agree(&path.display().to_string(), &filters, &calls(&filters, &mut seed, 1));
        let shape = Specialised::new(&filters, Machine::default()).shape();
        whole += shape.whole;
        memory = memory.max(shape.memory);
        count += 1;
    }
    println!("{count} filters, {whole} numbers without a table, at most {memory} bytes");
    assert_eq!(count, 353);
    assert_eq!(whole, 0, "no limit is reached by real filters");
}

#[test]
fn chains() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("chains.jsonl")).unwrap();
    let mut memory = 0;
    for (number, line) in text.lines().enumerate() {
        let chain: serde_json::Value = serde_json::from_str(line).unwrap();
        let names = chain["filters"].as_array().unwrap().iter();
        let filters: Vec<_> = names
            .map(|name| load(&corpus.join(format!("bpf/{}.bpf", name.as_str().unwrap()))))
            .collect();
        let mut seed = Seed::new(8, number as u64);
        agree(line, &filters, &calls(&filters, &mut seed, 3));
        let shape = Specialised::new(&filters, Machine::default()).shape();
        assert_eq!(shape.whole, 0, "{line}");
        memory = memory.max(shape.memory);
    }
    println!("at most {memory} bytes");
}
