//! What cases exercise is what enumerating their calls shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use callproof::Options;
use callproof::cases::{Coverage, coverage};
use callproof_formats::{Format, WriteOptions, write};
use callproof_testgen::{Choose as _, Seed};
use callproof_vm::observe::{Next, Observer, Step};
use callproof_vm::{Filter, Insn, Machine, SeccompData};

/// Calls that programs tell apart: `read` to `fstat`, with three bits of the first argument.
const CALLS: [&str; 6] = ["read", "write", "open", "close", "stat", "fstat"];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program of tests of the number and of bits of the first argument, with returns between them.
fn program(seed: &mut Seed) -> Vec<Insn> {
    let length = 6 + seed.below(14);
    let mut insns = vec![Insn::stmt(0x20, 0)];
    for at in 0..length {
        let left = length - at;
        let jump = |seed: &mut Seed| u8::try_from(seed.below(left.min(4))).unwrap();
        let (jt, jf) = (jump(seed), jump(seed));
        insns.push(match seed.below(6) {
            0 => Insn::stmt(0x20, 16),
            1 => Insn::stmt(0x20, 0),
            2 => Insn::stmt(0x06, 0x7fff_0000),
            3 => Insn::jump(0x45, 1 << seed.below(3), jt, jf),
            _ => Insn::jump(0x15, seed.below(6), jt, jf),
        });
    }
    insns.push(Insn::stmt(0x06, 0x0005_0001));
    insns
}

#[derive(Default)]
struct Went(BTreeSet<(usize, Option<bool>)>);

impl Observer for Went {
    fn step(&mut self, step: &Step) {
        match step.next {
            Next::Return(_) => self.0.insert((step.pc, None)),
            Next::Pc(next) if step.insn.jt != step.insn.jf => self
                .0
                .insert((step.pc, Some(next == step.pc + 1 + usize::from(step.insn.jt)))),
            Next::Pc(_) => false,
        };
    }
}

/// Everything that calls of a number do, whatever their first argument.
fn went(filter: &Filter<'_>, nr: i32) -> Went {
    let mut went = Went::default();
    for bits in 0..8 {
        let call = SeccompData::new(0xc000_003e, nr, [bits, 0, 0, 0, 0, 0]);
        filter.run_observed(&call, Machine::default(), &mut went);
    }
    went
}

fn covered(folder: &Path, insns: &[Insn], cases: &str) -> Coverage {
    fs::write(
        folder.join("f.bpf"),
        write(insns, Format::Raw, &WriteOptions::default()),
    )
    .unwrap();
    let path = folder.join("f.calls");
    fs::write(
        &path,
        format!("---\nfilter = \"f.bpf\"\narches = [\"x86_64\"]\n---\n{cases}"),
    )
    .unwrap();
    coverage(&path, &Options::default()).unwrap()
}

#[test]
fn hits_are_those_of_enumeration() {
    let folder = folder("hits");
    let (mut hit, mut missed) = (0, 0);
    for number in 0..150 {
        let mut seed = Seed::new(3, number);
        let insns = program(&mut seed);
        let filter = Filter::load(&insns[..]).unwrap();
        let asked: Vec<usize> = (0..CALLS.len()).filter(|_| seed.one_in(2)).collect();
        let cases: String = asked.iter().map(|nr| format!("allow {}\n", CALLS[*nr])).collect();
        let found = covered(&folder, &insns, &format!("{cases}equiv f.bpf\n"));
        assert_eq!((found.counted, found.uncounted), (asked.len(), 1));
        let each: Vec<Went> = asked
            .iter()
            .map(|nr| went(&filter, i32::try_from(*nr).unwrap()))
            .collect();
        for (_, spot) in found.spots() {
            let expected = each.iter().filter(|went| went.0.contains(&(spot.pc, spot.met))).count();
            assert_eq!(
                spot.hits,
                u64::try_from(expected).unwrap(),
                "case {number}: {spot:?}\n{cases}"
            );
            assert!(spot.reachable || spot.hits == 0, "{spot:?}");
            // What is missing is shown by a call that goes there.
            assert_eq!(spot.missing.is_some(), spot.reachable && spot.hits == 0, "{spot:?}");
            *(if spot.hits > 0 { &mut hit } else { &mut missed }) += 1;
        }
    }
    assert!(hit > 300 && missed > 300, "{hit} {missed}");
}

#[test]
fn unreachable_parts_are_told_apart() {
    let insns = [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 0, 2),
        Insn::jump(0x15, 0, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0),
    ];
    let found = covered(&folder("dead"), &insns, "allow read\n");
    let dead: Vec<_> = found
        .spots()
        .filter(|(_, spot)| !spot.reachable)
        .map(|(_, spot)| (spot.pc, spot.met))
        .collect();
    assert_eq!(dead, [(2, Some(false)), (5, None)]);
    assert_eq!((found.exercised, found.reachable), (3, 5));
    assert!((found.percent() - 60.0).abs() < 0.01);
    // What cannot be reached is not in lcov's file either.
    assert!(
        found.lcov().contains("BRF:3\n") && found.lcov().contains("LF:2\n"),
        "{}",
        found.lcov()
    );
}

/// What a case does not speak of is named as a case would name it.
#[test]
fn the_missing_call_is_a_case() {
    let insns = [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 101, 0, 1),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0x7fff_0000),
    ];
    let folder = folder("copied");
    let missing = |cases: &str| {
        let found = covered(&folder, &insns, cases);
        let spot = found
            .spots()
            .find(|(_, spot)| spot.hits == 0)
            .map(|(_, spot)| spot.clone());
        spot.and_then(|spot| spot.missing)
    };
    let call = missing("allow read\n").unwrap();
    assert!(call.starts_with("ptrace(") && call.ends_with(" on x86_64"), "{call}");
    assert_eq!(missing(&format!("allow read\ndeny {call}\n")), None);
}

/// What a limit kept open is no finding.
#[test]
fn limits_are_told() {
    let folder = folder("limits");
    let insns = [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x0005_0001),
    ];
    assert!(covered(&folder, &insns, "allow read\n").is_whole());
    let mut options = Options::default();
    options.limits.states = 1;
    assert!(!coverage(&folder.join("f.calls"), &options).unwrap().is_whole());
}

#[test]
fn lcov_has_a_record_for_each_filter() {
    let insns = [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x0005_0001),
    ];
    let found = covered(&folder("lcov"), &insns, "allow read\nallow read(raw:1)\n");
    let text = found.lcov();
    let (head, body) = text.split_once("SF:").unwrap();
    assert_eq!(head, "TN:\n");
    let lines: Vec<&str> = body.lines().skip(1).collect();
    let expected = "BRDA:2,0,0,2 BRDA:2,0,1,0 BRF:2 BRH:1 DA:3,2 DA:4,0 LF:2 LH:1 end_of_record";
    assert_eq!(lines.join(" "), expected);
}

/// A call of a trace exercises nothing when the filter reads what the trace does not tell.
#[test]
fn unknown_ways_of_a_trace_are_not_counted() {
    let folder = folder("trace");
    let insns = [
        Insn::stmt(0x20, 24),
        Insn::jump(0x45, 1, 0, 1),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0x7fff_0000),
    ];
    let hits = |line: &str| -> u64 {
        fs::write(folder.join("t.strace"), line).unwrap();
        let found = covered(&folder, &insns, "replay t.strace expect allow\n");
        found.spots().map(|(_, spot)| spot.hits).sum()
    };
    assert_eq!(hits("read(3, 0x1000, 3) = 3\n"), 2);
    assert_eq!(hits("read(3, \"abc\", 3) = 3\n"), 0);
}
