//! `cost` as a command: its answer held against itself, pictures, and predictions against this kernel.
//!
//! With `CALLPROOF_COST_TABLE` set to a path, every fourth filter of a corpus beside the checkout is measured and the
//! table is written there; `docs/cost.tsv` is that table, and `docs/COST.md` reads it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    dead_code,
    reason = "a test fails by panicking and may speak"
)]

mod common;

use core::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn run(args: &[&str]) -> (i32, String, String) {
    let common::Ran { code, stdout, stderr } = common::run(args);
    (code, stdout, stderr)
}

fn answer(args: &[&str]) -> (i32, Value) {
    let mut all = vec!["cost", "--format", "json"];
    all.extend(args);
    let (code, out, err) = run(&all);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    (code, document["answer"].clone())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn a_chain_costs_the_sum_of_its_filters() {
    let (one, other) = ("examples/web-server.bpf", "examples/log-ptrace.hex");
    let calls = |filters: &[&str]| {
        let mut args = vec!["--arch", "x86_64"];
        args.extend(filters);
        let (code, answer) = answer(&args);
        assert_eq!((code, &answer["proved"]), (0, &Value::Bool(true)));
        list(&answer["abis"][0]["calls"]).to_vec()
    };
    let chain = calls(&[one, other]);
    let [first, second] = [calls(&[one]), calls(&[other])];
    let find =
        |calls: &[Value], name: &Value| calls.iter().find(|call| call["name"] == *name).unwrap()["insns"].clone();
    for call in &chain {
        let parts: u64 = list(&call["by_filter"]).iter().map(|part| part.as_u64().unwrap()).sum();
        assert_eq!(parts, call["insns"].as_u64().unwrap());
        // Neither filter looks at arguments in the other's way: the worst of both meet in one call.
        let sum = [&first, &second]
            .map(|calls| find(calls, &call["name"]).as_u64().unwrap())
            .iter()
            .sum::<u64>();
        assert_eq!(sum, parts, "{call}");
    }
}

#[test]
fn gates_are_findings() {
    let filter = "examples/web-server.bpf";
    let code = |args: &[&str]| {
        let mut all = vec!["--arch", "x86_64", filter];
        all.extend(args);
        answer(&all).0
    };
    assert_eq!(code(&["--max", "28"]), 0);
    assert_eq!(code(&["--max", "27"]), 1);
    let trace = ["--trace", "examples/web-server.trace"];
    assert_eq!(code(&[trace[0], trace[1], "--max-mean", "16.5"]), 0);
    assert_eq!(code(&[trace[0], trace[1], "--max-mean", "16.4"]), 1);
    let (code, out, _) = run(&["cost", "--arch", "x86_64", filter, "--max", "27", "--format", "github"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("::error") && out.contains("calls cost more than 27: open 28"),
        "{out}"
    );
    // An interval that has the limit in it is undecided.
    let table = tempfile::NamedTempFile::new().unwrap();
    let rows = "% time     seconds  usecs/call     calls    errors syscall\n 90.00    0.000001           1        10           socket\n";
    std::fs::write(table.path(), rows).unwrap();
    let path = table.path().to_str().unwrap();
    let mean = |most| answer(&["--arch", "x86_64", "--trace", path, "--max-mean", most, filter]);
    let (code, answer) = mean("19");
    assert_eq!(code, 3, "{}", answer["trace"]["mean"]);
    assert_eq!(mean("1000").0, 0);
    assert_eq!(mean("2").0, 1);
}

#[test]
fn pictures_have_every_call() {
    let folder = tempfile::tempdir().unwrap();
    for (name, begins) in [("cost.svg", "<svg "), ("cost.html", "<!doctype html>")] {
        let file = folder.path().join(name);
        let path = file.to_str().unwrap();
        let (code, ..) = run(&[
            "cost",
            "-q",
            "--arch",
            "x86_64",
            "--strip",
            path,
            "examples/web-server.bpf",
        ]);
        assert_eq!(code, 0);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(begins));
        let (_, answer) = answer(&["--arch", "x86_64", "examples/web-server.bpf"]);
        for call in list(&answer["abis"][0]["calls"]) {
            let (name, nr) = (call["name"].as_str().unwrap(), call["nr"].as_u64().unwrap());
            assert!(text.contains(&format!("<title>{name} ({nr}): ")), "{name}");
        }
    }
}

/// What was measured of one filter.
struct Measured {
    name: String,
    /// (instructions, converted, added, low, high, predicted)
    calls: Vec<[f64; 6]>,
}

fn measure(filter: &str, rounds: &str) -> Option<Measured> {
    let (code, answer) = answer(&["--arch", "x86_64", "--live", "--all", "--rounds", rounds, filter]);
    if code == 4 {
        println!("skipped: {filter}: this kernel cannot be measured");
        return None;
    }
    assert_eq!(code, 0, "{filter}");
    let number = |value: &Value| value.as_f64().unwrap();
    let call = |call: &Value| {
        let added = &call["added"];
        [
            &call["insns"],
            &call["converted"],
            &added["median"],
            &added["low"],
            &added["high"],
            &call["predicted"],
        ]
        .map(number)
    };
    Some(Measured {
        name: Path::new(filter).file_stem().unwrap().to_str().unwrap().to_owned(),
        calls: list(&answer["live"]["calls"]).iter().map(call).collect(),
    })
}

#[test]
fn this_kernel_is_measured() {
    let (code, out, err) = run(&[
        "cost",
        "--live",
        "--rounds",
        "6",
        "--arch",
        "x86_64",
        "examples/log-ptrace.hex",
    ]);
    if code == 4 {
        println!("skipped: {err}");
        return;
    }
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("ADDED NS") && out.contains("predictions are off by"),
        "{out}"
    );
    let measured = measure("examples/log-ptrace.hex", "6").unwrap();
    assert!(measured.calls.len() > 300);
    for [_, _, added, low, high, _] in measured.calls {
        assert!(low <= added && added <= high && added > 0.0, "{low} {added} {high}");
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[test]
fn predictions_against_a_corpus() {
    let corpus = root().join("../shared/corpus/bpf");
    let Ok(table) = std::env::var("CALLPROOF_COST_TABLE") else {
        println!("skipped: CALLPROOF_COST_TABLE is not set");
        return;
    };
    if !corpus.exists() {
        println!("skipped: no corpus");
        return;
    }
    let mut paths: Vec<PathBuf> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut text = "filter\tcall\tinsns\tconverted\tadded\tlow\thigh\tpredicted\n".to_owned();
    let (mut off, mut percent, mut within) = (Vec::new(), Vec::new(), 0);
    let mut filters = 0;
    for path in paths.iter().step_by(4) {
        let Some(measured) = measure(path.to_str().unwrap(), "15") else {
            return;
        };
        filters += 1;
        for [_, _, added, low, high, predicted] in &measured.calls {
            off.push((predicted - added).abs());
            percent.push(100.0 * (predicted - added).abs() / added);
            within += u32::from(low <= predicted && predicted <= high);
        }
        // The most expensive call and the cheapest.
        let ends = [("most", measured.calls.first()), ("least", measured.calls.last())];
        for (which, [insns, converted, added, low, high, predicted]) in
            ends.into_iter().filter_map(|(which, call)| Some((which, call?)))
        {
            writeln!(
                text,
                "{}\t{which}\t{insns}\t{converted}\t{added:.1}\t{low:.1}\t{high:.1}\t{predicted:.1}",
                measured.name
            )
            .unwrap();
        }
    }
    let (off, percent) = (sorted(off), sorted(percent));
    let at = |values: &[f64], share: usize| values[(values.len() - 1) * share / 100];
    println!(
        "{filters} filters, {} calls: off by {:.1} ns ({:.1}%) in the middle, {:.1} ns ({:.1}%) for 90 of 100, {:.1} ns ({:.1}%) at most; {within} within the interval",
        off.len(),
        at(&off, 50),
        at(&percent, 50),
        at(&off, 90),
        at(&percent, 90),
        at(&off, 100),
        at(&percent, 100)
    );
    std::fs::write(table, text).unwrap();
}
