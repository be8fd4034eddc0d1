//! callproof's engines and everybody else's, over the same filters and calls in the same run.
//!
//! `cargo bench -p callproof-benches --bench interpreters`. What is raced against is in `benches/peers/`: a switch
//! interpreter in C, those of libpcap and of Go's `x/net/bpf`, and the running kernel with its JIT, of which the time of a
//! minimal filter is subtracted. A peer that cannot be built here is named and left out. With `--json FILE` the figures
//! are written down, and with `--plot FILE` drawn; `--from FILE` takes figures that were written down. Debian has what is
//! needed as `gcc`, `libpcap-dev`, `golang-go` and `golang-golang-x-net-dev`.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a filter there is nothing to measure, and the figures are printed"
)]

#[path = "race/peers.rs"]
mod peers;
#[path = "race/plot.rs"]
mod plot;
#[path = "race/scenario.rs"]
mod scenario;
#[path = "race/timing.rs"]
mod timing;

use std::collections::BTreeMap;
use std::path::Path;

use callproof_engines::{Engine, Predecoded, Specialised};
use callproof_vm::{Filter, Machine, SeccompData};

use peers::Peer;
use scenario::{Scenario, scenarios};
use timing::race;

/// A time for each entrant, and how many instructions the filter has and a call executes.
struct Row {
    scenario: String,
    insns: usize,
    executed: f64,
    times: Vec<(&'static str, Option<f64>)>,
}

fn main() {
    if let Some(path) = option("--from") {
        return plot(&std::fs::read_to_string(path).expect("figures"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let peers = peers::build(folder.path());
    let only = option("--only");
    let mut rows = Vec::new();
    for scenario in scenarios() {
        if only.as_ref().is_some_and(|only| !scenario.name.contains(only.as_str())) {
            continue;
        }
        let row = measure(&scenario, &peers, folder.path());
        show(&row, rows.is_empty());
        rows.push(row);
    }
    let json = to_json(&rows);
    if let Some(path) = option("--json") {
        std::fs::write(path, &json).expect("written");
    }
    plot(&json);
}

/// Draws figures, if asked to.
fn plot(json: &str) {
    if let Some(path) = option("--plot") {
        let rows: Vec<serde_json::Value> = serde_json::from_str(json).expect("figures");
        std::fs::write(path, plot::draw(&rows)).expect("written");
    }
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn measure(scenario: &Scenario, peers: &[Peer], folder: &Path) -> Row {
    let filters = [Filter::load(scenario.program.clone()).expect("the kernel would install it")];
    let [filter] = &filters;
    let (calls, machine) = (&scenario.calls, Machine::default());
    let (predecoded, specialised) = (Predecoded::new(&filters, machine), Specialised::new(&filters, machine));
    let table = by_hand(filter, calls);
    let (reference, sum) = race(calls, |call| filter.run(call, machine));
    let mut times = vec![
        (
            "table by hand",
            Some(
                race(calls, |call| {
                    table
                        .get((call.nr.cast_unsigned() & 511) as usize)
                        .copied()
                        .unwrap_or(0)
                })
                .0,
            ),
        ),
        ("specialised", Some(ours(&specialised, calls, sum))),
        ("predecoded", Some(ours(&predecoded, calls, sum))),
        ("reference", Some(reference)),
    ];
    let files = peers::write(folder, &scenario.program, calls);
    for peer in peers {
        let result = peer.run(&files);
        if let Some((_, its)) = result.filter(|_| peer.values) {
            assert_eq!(its, sum, "{} of {}", scenario.name, peer.name);
        }
        times.push((peer.name, result.map(|(time, _)| time)));
    }
    let executed: u64 = calls.iter().map(|call| specialised.decide(call).insns).sum();
    Row {
        scenario: scenario.name.clone(),
        insns: scenario.program.len(),
        executed: executed as f64 / calls.len() as f64,
        times,
    }
}

/// The time of an engine. Engines combine, and so lose the data of ALLOW; no filter here has any.
fn ours<E: Engine>(engine: &E, calls: &[SeccompData], sum: u64) -> f64 {
    let (time, its) = race(calls, |call| engine.value(call));
    assert_eq!(its, sum, "an engine returned other values");
    time
}

/// What somebody would write who knows that this one filter looks at the number alone: one load.
fn by_hand(filter: &Filter<'_>, calls: &[SeccompData]) -> Vec<u32> {
    let arch = calls.first().map_or(0, |call| call.arch);
    let value = |nr| filter.run(&SeccompData::new(arch, nr, [0; 6]), Machine::default());
    (0..512).map(value).collect()
}

fn show(row: &Row, first: bool) {
    if first {
        print!("{:34} {:>6} {:>6}", "nanoseconds a call", "insns", "exec");
        row.times.iter().for_each(|(name, _)| print!(" {name:>13}"));
        println!();
    }
    print!("{:34} {:>6} {:>6.1}", row.scenario, row.insns, row.executed);
    for (_, time) in &row.times {
        match time {
            Some(time) => print!(" {time:>13.2}"),
            None => print!(" {:>13}", "-"),
        }
    }
    println!();
}

fn to_json(rows: &[Row]) -> String {
    let all: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            let times: BTreeMap<&str, Option<f64>> = row.times.iter().copied().collect();
            serde_json::json!({
                "scenario": row.scenario,
                "insns": row.insns,
                "executed": row.executed,
                "ns": times,
            })
        })
        .collect();
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
