//! Every real filter and chain of a corpus beside the checkout: linted, and every call that a finding shows replayed.
//!
//! The corpus is not part of the project: without it this test says so and passes. `LINT_TABLE=FILE` writes every
//! finding to a file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use callproof::lint::{LintOptions, Report, lint};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus of real filters beside the checkout");
    None
}

fn load(path: &Path) -> Vec<Insn> {
    let bytes = std::fs::read(path).unwrap();
    let insns = bytes.as_chunks::<8>().0.iter();
    insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the emulator says, computed apart from the linter.
fn replay(programs: &[Vec<Insn>], report: &Report, name: &str) {
    let filters: Vec<Filter<'_>> = programs
        .iter()
        .map(|program| Filter::load(program.as_slice()).unwrap())
        .collect();
    for finding in &report.findings {
        assert_eq!(finding.witnesses.len(), finding.calls.len());
        for (call, witness) in finding.calls.iter().zip(&finding.witnesses) {
            let machine = Machine {
                endian: Endian::of_audit_arch(call.arch),
                kernel: Kernel::LATEST,
                ..Machine::default()
            };
            let verdict = Chain::new(&filters).run(call, machine);
            assert_eq!(
                verdict.value, witness.value,
                "{name}: {}: {}",
                finding.rule, witness.call
            );
        }
    }
}

#[test]
fn every_finding_about_a_real_filter_replays() {
    let Some(corpus) = corpus() else { return };
    let begun = Instant::now();
    let mut jobs: Vec<(String, Vec<String>)> = lines(&corpus.join("meta.jsonl"))
        .iter()
        .map(|meta| {
            let name = meta["name"].as_str().unwrap().to_owned();
            (name.clone(), vec![name])
        })
        .collect();
    for (number, chain) in (1..).zip(lines(&corpus.join("chains.jsonl"))) {
        let names = chain["filters"].as_array().unwrap().iter();
        let names = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        jobs.push((format!("chain {number} {}", chain["unit"].as_str().unwrap()), names));
    }
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut undecided: BTreeMap<String, usize> = BTreeMap::new();
    let (mut table, mut loud) = (String::new(), 0_usize);
    for (name, files) in &jobs {
        let programs: Vec<Vec<Insn>> = files
            .iter()
            .map(|file| load(&corpus.join(format!("bpf/{file}.bpf"))))
            .collect();
        let started = Instant::now();
        let report = lint(files, &programs, &LintOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        replay(&programs, &report, name);
        let _ = writeln!(table, "# {name} {:?}", started.elapsed());
        for finding in &report.findings {
            *counts
                .entry((finding.rule.to_owned(), finding.severity.name().to_owned()))
                .or_default() += 1;
            loud += usize::from(finding.severity > callproof::lint::Severity::Info);
            let shown: Vec<String> = finding
                .witnesses
                .iter()
                .map(|witness| format!("{} = {}", witness.call, witness.verdict))
                .collect();
            let _ = writeln!(
                table,
                "{name}\t{}\t{}\t{}\t{}",
                finding.severity.name(),
                finding.rule,
                finding.message,
                shown.join(" ;; ")
            );
        }
        for skipped in &report.undecided {
            *undecided.entry(skipped.rule.to_owned()).or_default() += 1;
            let _ = writeln!(table, "{name}\tundecided\t{}\t{}", skipped.rule, skipped.reason);
        }
    }
    if let Some(path) = std::env::var_os("LINT_TABLE") {
        std::fs::write(path, table).unwrap();
    }
    println!("{} filters and chains in {:?}", jobs.len(), begun.elapsed());
    for ((rule, severity), count) in &counts {
        println!("{rule:20} {severity:8} {count}");
    }
    for (rule, count) in &undecided {
        println!("{rule:20} undecided {count}");
    }
    // A linter that finds nothing in hundreds of filters, or the same in all of them, looks at nothing.
    assert!(loud > 0 && counts.len() > 5);
}
