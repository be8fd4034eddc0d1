//! callproof's engines and everybody else's, over the same filters and calls in the same run.
//!
//! `cargo bench -p callproof-benches --bench interpreters`. What is raced against is in `benches/peers/`: a switch
//! interpreter in C, those of libpcap, of Go's `x/net/bpf` and of the crates `bpfvm` and `pktbaffle`, the simulator of
//! libseccomp, NetBSD's JIT, and the running kernel with its own, of which the time of a minimal filter is subtracted.
//!
//! All take turns, a round each. An entrant is timed after it returned the right value for every call. A peer that cannot
//! be made here is named and left out; one that does not know an instruction of a filter is left out there. Debian has
//! what is needed as `gcc`, `libpcap-dev`, `golang-go` and `golang-golang-x-net-dev`; the source of libseccomp and the
//! crates are fetched, and kept in `target/`.
//!
//! `--only NAME` takes filters of that name, and `--every` all of the corpus beside the checkout that name x86-64;
//! `--against PEER` takes peers of that name. `--json FILE` writes the figures down, `--markdown FILE` makes a table of
//! them, `--plot FILE` draws them, and `--from FILE` draws figures that were written down.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a filter there is nothing to measure, and the figures are printed"
)]

#[path = "race/build.rs"]
mod build;
#[path = "race/entrant.rs"]
mod entrant;
#[path = "race/peers.rs"]
mod peers;
#[path = "race/plot.rs"]
mod plot;
#[path = "race/report.rs"]
mod report;
#[path = "race/scenario.rs"]
mod scenario;
#[path = "race/timing.rs"]
mod timing;

use std::path::{Path, PathBuf};

use callproof_benches::option;
use callproof_engines::{Engine, Predecoded, Specialised};
use callproof_vm::{Filter, Machine, SeccompData};

use entrant::{Entrant, race};
use peers::Peer;
use report::Row;
use scenario::{Scenario, scenarios};

fn main() {
    if let Some(path) = file("--from") {
        return plot(&std::fs::read_to_string(path).expect("figures"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut peers = build::build(folder.path());
    let (every, against) = (flag("--every"), option("--against").unwrap_or_default());
    peers.retain(|peer| peer.name.contains(&against));
    let only = option("--only").unwrap_or_default();
    let mut rows = Vec::new();
    let all = if every { scenario::every() } else { scenarios() };
    for scenario in all.iter().filter(|scenario| scenario.name.contains(&only)) {
        let row = measure(scenario, &peers, folder.path());
        report::show(&row, rows.is_empty());
        rows.push(row);
    }
    report::show_steady(&rows);
    report::show_losses(&rows);
    if let Some(path) = file("--json") {
        std::fs::write(path, report::to_json(&rows)).expect("written");
    }
    if let Some(path) = file("--markdown") {
        std::fs::write(path, report::markdown(&rows)).expect("written");
    }
    plot(&report::to_json(&rows));
}

/// Draws figures, if asked to.
fn plot(json: &str) {
    if let Some(path) = file("--plot") {
        let rows: Vec<serde_json::Value> = serde_json::from_str(json).expect("figures");
        std::fs::write(path, plot::draw(&rows)).expect("written");
    }
}

fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// Cargo runs benches in the folder of their package; a file is meant from the folder of the project.
fn file(name: &str) -> Option<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    option(name).map(|path| project.join(path))
}

fn measure(scenario: &Scenario, peers: &[Peer], folder: &Path) -> Row {
    let filters = [Filter::load(scenario.program.clone()).expect("the kernel would install it")];
    let [filter] = &filters;
    let (calls, machine) = (scenario.calls.as_slice(), Machine::default());
    let (predecoded, specialised) = (Predecoded::new(&filters, machine), Specialised::new(&filters, machine));
    let sum = timing::checksum(calls, |call| filter.run(call, machine));
    let mut entrants = vec![
        by_hand(filter, calls),
        ours("specialised", &specialised, calls, sum),
        ours("predecoded", &predecoded, calls, sum),
        timed("reference", calls, move |call| filter.run(call, machine)),
    ];
    let files = peers::write(folder, &scenario.program, calls);
    entrants.extend(peers.iter().map(|peer| theirs(peer, &files, scenario, sum)));
    let executed: u64 = calls.iter().map(|call| specialised.decide(call).insns).sum();
    Row {
        scenario: scenario.name.clone(),
        insns: scenario.program.len(),
        executed: executed as f64 / calls.len() as f64,
        results: race(entrants),
    }
}

/// A round is asked for once and calls `run` directly, as a peer's does.
fn timed<'a>(name: &'static str, calls: &'a [SeccompData], run: impl Fn(&SeccompData) -> u32 + 'a) -> Entrant<'a> {
    Entrant {
        name,
        round: Box::new(move || Some(timing::round(calls, &run))),
    }
}

/// An engine. Engines combine, and so lose the data of ALLOW; no filter here has any.
fn ours<'a, E: Engine>(name: &'static str, engine: &'a E, calls: &'a [SeccompData], sum: u64) -> Entrant<'a> {
    let its = timing::checksum(calls, |call| engine.value(call));
    assert_eq!(its, sum, "the engine {name} returns other values");
    timed(name, calls, |call| engine.value(call))
}

/// What somebody would write who knows that this one filter looks at the number alone: one load. Where a filter looks at
/// arguments too, it returns other values.
fn by_hand<'a>(filter: &Filter<'_>, calls: &'a [SeccompData]) -> Entrant<'a> {
    let arch = calls.first().map_or(0, |call| call.arch);
    let value = |nr| filter.run(&SeccompData::new(arch, nr, [0; 6]), Machine::default());
    let table: Vec<u32> = (0..512).map(value).collect();
    timed("table by hand", calls, move |call| {
        let place = (call.nr.cast_unsigned() & 511) as usize;
        table.get(place).copied().unwrap_or(0)
    })
}

fn theirs(peer: &Peer, files: &[PathBuf; 2], scenario: &Scenario, sum: u64) -> Entrant<'static> {
    let left_out = |why| println!("{} is left out of {}: {why}", peer.name, scenario.name);
    let mut running = peer.start(files).map_err(left_out).ok();
    if let Some(running) = running.as_ref().filter(|_| peer.values) {
        assert_eq!(
            running.sum, sum,
            "{}: {} returns other values",
            scenario.name, peer.name
        );
    }
    Entrant {
        name: peer.name,
        round: Box::new(move || running.as_mut()?.round()),
    }
}
