//! Every real filter and chain of a corpus beside the checkout: decided, explained, proved, and held against the
//! emulator.
//!
//! The corpus is not part of the project: without it this test says so and passes. With `CALLPROOF_CORPUS_TABLE` set to
//! a path the table is written there; `docs/corpus.tsv` is that table, and `docs/VERIFICATION.md` reads it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::fmt::Write;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::Instant;

use callproof_abi::Abi;
use callproof_checker::{Claim, Part, Relation, View as Seen, check};
use callproof_testgen::{Caller, Harvest, Seed};
use callproof_verifier::{Decision, Limits, Refutation, Set, Space, Subject, View, prove, refute};
use callproof_vm::{Chain, Endian, Filter, Insn, Machine, SeccompData};
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

/// The ABIs that filters are explained for one by one, by their `arch` words; all others are treated together.
const ARCHES: [u32; 3] = [0xc000_003e, 0x4000_0003, 0xc000_00b7];

/// One row of the table.
#[derive(Default)]
struct Row {
    kind: &'static str,
    name: String,
    filters: usize,
    insns: usize,
    /// States of the symbolic pass
    states: usize,
    /// Nodes of the diagram
    nodes: usize,
    /// Groups of calls that the explanation tells apart
    regions: usize,
    /// Groups whose explanation lists values without saying when
    opaque: usize,
    /// Distinct values that the kernel is given
    values: usize,
    dead: usize,
    one_way: usize,
    hazards: usize,
    worst: u64,
    worst_call: String,
    /// Bytes of the accepted proof that the values are all there are, and of the one that no call costs more
    proofs: [Option<usize>; 2],
    /// What the first proof is: a diagram or a refutation
    engine: &'static str,
    calls: usize,
    function: Duration,
    rest: Duration,
}

fn examine(name: &str, filters: &[Filter<'_>], machine: Machine) -> Row {
    let limits = Limits::default();
    let build = || {
        let subject = Subject::new(filters, machine, &limits).unwrap();
        let mut space = Space::new(machine, &[&subject], &limits);
        let function = space.function(&subject, View::Value);
        let function = function.unwrap_or_else(|undecided| panic!("{name}: {undecided}"));
        (subject, space, function)
    };
    let built = median(|| drop(build()));
    let started = Instant::now();
    let (subject, mut space, function) = build();
    let mut row = Row {
        kind: if filters.len() == 1 { "filter" } else { "chain" },
        name: name.to_owned(),
        filters: filters.len(),
        insns: filters.iter().map(|filter| filter.program().len()).sum(),
        states: subject.graphs().iter().map(|graph| graph.nodes().len()).sum(),
        nodes: space.size(&function),
        function: built,
        ..Row::default()
    };
    let mut costs = space.costs(&subject).unwrap();
    let worst = space.worst_case(&subject, &mut costs, Set::ALL).unwrap().unwrap();
    (row.worst, row.worst_call) = (worst.insns, named(&worst.call));
    for filter in 0..filters.len() {
        let audit = space.audit(&subject, filter).unwrap();
        row.dead += audit.dead.len();
        row.one_way += audit.one_way.len();
        row.hazards += audit.hazards.len();
    }
    let regions = space.regions(&function, &ARCHES).unwrap();
    row.regions = regions.len();
    let decisions = regions.iter().map(|region| space.decision(region).unwrap());
    row.opaque = decisions.filter(is_opaque).count();
    row.rest = started.elapsed().saturating_sub(built);
    let mut values = space.values(&function).unwrap();
    values.sort_unstable();
    row.values = values.len();
    let ranges = values.iter().map(|value| (*value, *value)).collect();
    let worst = u32::try_from(worst.insns).unwrap();
    let (values, cost) = (Relation::Within(joined(ranges)), Relation::Cost(worst));
    row.engine = "diagram";
    row.proofs = [&values, &cost].map(|relation| proved(&subject, relation, by_diagram));
    if row.proofs[0].is_none() {
        row.engine = "refutation";
        row.proofs[0] = proved(&subject, &values, by_refutation);
    }
    row.calls = sample(name, filters, machine, |call| space.value(&function, call));
    row
}

/// The median time of seven runs.
fn median(run: impl Fn()) -> Duration {
    let mut times = [Duration::ZERO; 7].map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    times.sort_unstable();
    times[3]
}

/// Ranges that do not touch.
fn joined(ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(from) => *end = to,
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// A call by name and number.
fn named(call: &SeccompData) -> String {
    let number = call.nr.cast_unsigned();
    match Abi::from_call(call.arch, number) {
        None => format!("arch {:#x} {number}", call.arch),
        Some(abi) => format!("{abi} {}", abi.syscall_name(number).unwrap_or(&format!("{number:#x}"))),
    }
}

fn is_opaque(decision: &Decision) -> bool {
    match decision {
        Decision::Value(_) => false,
        Decision::Split { cases, .. } => cases.iter().any(|(_, inner)| is_opaque(inner)),
        Decision::Opaque(_) => true,
    }
}

type Prover = fn(&Subject<'_>, &Claim) -> Option<Vec<u8>>;

fn by_diagram(subject: &Subject<'_>, claim: &Claim) -> Option<Vec<u8>> {
    prove(&[subject], claim, &Limits::default()).ok()
}

fn by_refutation(subject: &Subject<'_>, claim: &Claim) -> Option<Vec<u8>> {
    match refute(&[subject.filters()], subject.machine(), claim, &Limits::default()) {
        Ok(Refutation::Holds(file)) => Some(file),
        _ => None,
    }
}

/// The size of a proof that the checker accepted for this claim about every call.
fn proved(subject: &Subject<'_>, relation: &Relation, prover: Prover) -> Option<usize> {
    let view = Seen {
        chain: 0,
        force: Vec::new(),
    };
    let claim = Claim {
        region: Vec::new(),
        parts: vec![Part {
            within: 1,
            views: vec![view],
            relation: relation.clone(),
        }],
    };
    let file = prover(subject, &claim)?;
    let endian = subject.machine().endian;
    let bytes = |filter: &Filter<'_>| -> Vec<u8> {
        let insns = filter.program().iter();
        insns.flat_map(|insn| insn.to_bytes(endian)).collect()
    };
    let programs: Vec<Vec<u8>> = subject.filters().iter().map(bytes).collect();
    let chain: Vec<&[u8]> = programs.iter().map(Vec::as_slice).collect();
    let accepted = check(&file, &[&chain]).unwrap_or_else(|rejected| panic!("{rejected}"));
    assert_eq!(accepted.claim, claim);
    Some(file.len())
}

/// Compares with the emulator on calls that lean on the constants of each filter; says on how many.
fn sample(name: &str, filters: &[Filter<'_>], machine: Machine, value: impl Fn(&SeccompData) -> u32) -> usize {
    const AT_ONCE: usize = 50_000;
    let each = calls_each().div_ceil(filters.len());
    let mut compared = 0;
    for (place, filter) in filters.iter().enumerate() {
        let harvest = Harvest::of(filter.program());
        for from in (0..each).step_by(AT_ONCE) {
            let mut seed = Seed::new(31 + place as u64, (name.len() + from) as u64);
            let callers = ARCHES.map(|arch| Caller {
                arch,
                ip: 0x7000_0000_0000,
            });
            let callers: Vec<_> = callers.into_iter().chain([Caller::any(&mut seed)]).collect();
            for call in harvest.calls(&mut seed, AT_ONCE.min(each - from), &callers) {
                let expected = Chain::new(filters).run(&call, machine).value;
                assert_eq!(value(&call), expected, "{name}: {call:x?}");
                compared += 1;
            }
        }
    }
    compared
}

/// Who makes filters like this one.
fn family(name: &str) -> &'static str {
    const FAMILIES: [(&str, &[&str]); 8] = [
        ("systemd", &["systemd"]),
        (
            "container engines",
            &["oci", "podman", "containerd", "charliecloud", "gvisor"],
        ),
        ("crosvm, minijail", &["crosvm", "minijail"]),
        ("firecracker", &["firecracker"]),
        ("android", &["android"]),
        (
            "firejail, flatpak, snapd",
            &["firejail", "flatpak", "snapd", "gnome", "loupe", "webkitgtk"],
        ),
        ("nsjail, kafel", &["nsjail", "kafel"]),
        ("programs of their own", &[]),
    ];
    let of = |family: &&(&str, &[&str])| family.1.iter().any(|prefix| name.starts_with(prefix));
    FAMILIES.iter().find(of).unwrap_or(&FAMILIES[7]).0
}

const COLUMNS: &str = "kind\tfamily\tname\tfilters\tinsns\tstates\tnodes\tregions\tvalues\tdead\tone_way\thazards\t\
worst_insns\tworst_call\tproof\tvalue_proof_bytes\tcost_proof_bytes\tfunction_us\trest_us\n";

impl Row {
    fn tsv(&self) -> String {
        let bytes = |proof: Option<usize>| proof.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let cells = [
            self.kind.to_owned(),
            family(&self.name).to_owned(),
            self.name.clone(),
            self.filters.to_string(),
            self.insns.to_string(),
            self.states.to_string(),
            self.nodes.to_string(),
            self.regions.to_string(),
            self.values.to_string(),
            self.dead.to_string(),
            self.one_way.to_string(),
            self.hazards.to_string(),
            self.worst.to_string(),
            self.worst_call.clone(),
            self.engine.to_owned(),
            bytes(self.proofs[0]),
            bytes(self.proofs[1]),
            self.function.as_micros().to_string(),
            self.rest.as_micros().to_string(),
        ];
        cells.join("\t") + "\n"
    }
}

/// What the table comes to, for one family.
fn total(name: &str, rows: &[&Row]) -> String {
    let sum = |value: fn(&Row) -> usize| rows.iter().map(|row| value(row)).sum::<usize>();
    let most = |value: fn(&Row) -> usize| rows.iter().map(|row| value(row)).max().unwrap_or(0);
    let mut times: Vec<_> = rows.iter().map(|row| row.function).collect();
    times.sort_unstable();
    let with = |value: fn(&Row) -> usize| rows.iter().filter(|row| value(row) > 0).count();
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:?} | {:?} |\n",
        rows.len(),
        sum(|row| row.insns),
        most(|row| row.insns),
        most(|row| row.nodes),
        with(|row| row.dead),
        with(|row| row.one_way),
        with(|row| row.hazards),
        rows.iter().map(|row| row.worst).max().unwrap_or(0),
        sum(|row| usize::from(row.proofs[0].is_some())),
        sum(|row| usize::from(row.proofs[1].is_some())),
        times[times.len() / 2],
        times[times.len() - 1],
    )
}

fn print(rows: &[Row]) {
    let mut text =
        "| | filters | insns | longest | nodes | dead code | one way | hazards | worst case | values proved | cost proved | median | \
                    slowest |\n"
            .to_owned();
    let mut families: Vec<&str> = rows.iter().map(|row| family(&row.name)).collect();
    families.sort_unstable();
    families.dedup();
    for name in families {
        let own: Vec<_> = rows.iter().filter(|row| family(&row.name) == name).collect();
        text += &total(name, &own);
    }
    text += &total("all", &rows.iter().collect::<Vec<_>>());
    let opaque = rows.iter().filter(|row| row.opaque > 0).count();
    let calls: usize = rows.iter().map(|row| row.calls).sum();
    let rest = rows.iter().map(|row| row.rest).max().unwrap_or_default();
    writeln!(
        text,
        "{opaque} not wholly explained; everything else about one: at most {rest:?}; {calls} calls compared"
    )
    .unwrap();
    println!("{text}");
    for row in rows
        .iter()
        .filter(|row| row.opaque > 0 || row.hazards > 0 || row.proofs.contains(&None))
    {
        print!("notable: {}", row.tsv());
    }
}

#[test]
fn every_filter_and_chain() {
    let Some(corpus) = corpus() else { return };
    let mut rows = Vec::new();
    for meta in lines(&corpus.join("meta.jsonl")) {
        let name = meta["name"].as_str().unwrap();
        let big = name.contains("s390x");
        let endian = if big { Endian::Big } else { Endian::Little };
        let machine = Machine {
            endian,
            ..Machine::default()
        };
        let filters = [load(&corpus.join(meta["file"].as_str().unwrap()))];
        rows.push(examine(name, &filters, machine));
    }
    print(&rows);
    let mut chains = Vec::new();
    for chain in lines(&corpus.join("chains.jsonl")) {
        let names = chain["filters"].as_array().unwrap().iter();
        let filters: Vec<_> = names
            .map(|name| load(&corpus.join(format!("bpf/{}.bpf", name.as_str().unwrap()))))
            .collect();
        chains.push(examine(chain["unit"].as_str().unwrap(), &filters, Machine::default()));
    }
    print(&chains);
    assert_eq!((rows.len(), chains.len()), (353, 24));
    rows.append(&mut chains);
    if let Ok(path) = std::env::var("CALLPROOF_CORPUS_TABLE") {
        let text: String = rows.iter().map(Row::tsv).collect();
        std::fs::write(path, COLUMNS.to_owned() + &text).unwrap();
    }
}
