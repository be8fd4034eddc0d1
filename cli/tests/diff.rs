//! `diff` against the emulator: every change, its direction, and the figures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod common;
mod small;

use std::collections::{BTreeMap, BTreeSet};

use callproof_abi::Abi;
use callproof_testgen::{Caller, Harvest, Seed, Shape, program_of};
use callproof_vm::{Filter, SeccompData};
use common::run;
use serde_json::Value;
use small::{ABIS, arguments, filter, hex, numbers, permits, verdict};

fn answer(line: &[&str]) -> (i32, Value) {
    let ran = run(&[&["diff", "--format=json", "--quiet"], line].concat());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (ran.code, document["answer"].clone())
}

fn has(change: &Value, number: u32) -> bool {
    let ranges = change["numbers"].as_array().unwrap();
    let within = |range: &Value| (range[0].as_u64().unwrap()..=range[1].as_u64().unwrap()).contains(&u64::from(number));
    ranges.iter().any(within)
}

/// Number, left, right, direction, whether permission changes.
type Row = (u32, String, String, String, bool);

fn listed(answer: &Value, abi: Abi, numbers: &[(u32, bool)]) -> BTreeSet<Row> {
    let changes = answer["changes"].as_array().unwrap();
    let of_abi = changes.iter().filter(|change| change["abi"] == abi.name());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = of_abi.flat_map(|change| {
        let row = |number| {
            (
                number,
                text(&change["left"]),
                text(&change["right"]),
                text(&change["change"]),
                change["permission"].as_bool().unwrap(),
            )
        };
        numbers
            .iter()
            .filter(|(number, _)| has(change, *number))
            .map(move |(number, _)| row(*number))
    });
    rows.collect()
}

/// The kernel compares actions as signed numbers: the smaller is the more severe.
fn direction(left: u32, right: u32) -> &'static str {
    let rank = |value: u32| (value & 0xffff_0000).cast_signed();
    match (permits(left), permits(right)) {
        (false, true) => "looser",
        (true, false) => "tighter",
        _ if rank(left) < rank(right) => "looser",
        _ if rank(left) > rank(right) => "tighter",
        _ => "otherwise",
    }
}

#[test]
fn changes_are_those_of_every_call() {
    let arguments = arguments();
    let mut directions: BTreeMap<String, usize> = BTreeMap::new();
    for case in 0..14 {
        let a = filter(&mut Seed::new(73, case));
        // Half of the pairs differ in little, as two versions of a filter do.
        let b = if case % 2 == 0 {
            filter(&mut Seed::new(74, case))
        } else {
            let mut changed = a.clone();
            let at = changed
                .iter()
                .rposition(|insn| insn.code == 0x06 && insn.k == 0x7fff_0000)
                .unwrap_or(0);
            if changed[at].code == 0x06 {
                changed[at].k = 0x0005_0026;
            }
            changed
        };
        let (code, found) = answer(&["--arch=x86_64,x32,i386,aarch64", &hex(&a), &hex(&b)]);
        let (a, b) = ([Filter::load(a).unwrap()], [Filter::load(b).unwrap()]);
        let mut any = false;
        for abi in ABIS {
            let numbers = numbers(abi);
            let mut rows: BTreeSet<Row> = BTreeSet::new();
            let mut counts: BTreeMap<&str, (BTreeSet<u32>, BTreeSet<u32>)> = BTreeMap::new();
            for (number, is_call) in &numbers {
                for args in &arguments {
                    let call = SeccompData::new(abi.audit_arch(), number.cast_signed(), *args);
                    let ((left, left_name), (right, right_name)) = (verdict(&a, &call), verdict(&b, &call));
                    if left_name != right_name {
                        let (direction, permission) = (direction(left, right), permits(left) != permits(right));
                        rows.insert((*number, left_name, right_name, direction.to_owned(), permission));
                        if *is_call {
                            let (calls, permitted) = counts.entry(direction).or_default();
                            calls.insert(*number);
                            if permission {
                                permitted.insert(*number);
                            }
                        }
                    }
                }
            }
            any |= !rows.is_empty();
            assert_eq!(listed(&found, abi, &numbers), rows, "case {case} on {abi}");
            let summary = found["summary"]
                .as_array()
                .unwrap()
                .iter()
                .find(|of| of["abi"] == abi.name());
            for direction in ["looser", "tighter", "otherwise"] {
                let count = |what: &str| summary.map_or(0, |summary| summary[direction][what].as_u64().unwrap());
                let (calls, permitted) = counts.remove(direction).unwrap_or_default();
                assert_eq!(
                    count("calls"),
                    u64::try_from(calls.len()).unwrap(),
                    "case {case} on {abi}"
                );
                assert_eq!(
                    count("permission"),
                    u64::try_from(permitted.len()).unwrap(),
                    "case {case} on {abi}"
                );
                *directions.entry(direction.to_owned()).or_default() += calls.len();
            }
        }
        assert_eq!(code, i32::from(any), "case {case}");
        shown(&found, case);
    }
    assert!(directions.values().all(|count| *count > 4), "{directions:?}");
}

/// Each change has a call that shows it, and what is not listed is proved to be equal.
fn shown(found: &Value, case: u64) {
    for change in found["changes"].as_array().unwrap() {
        let witness = &change["witness"];
        assert_eq!(
            (&witness["left"], &witness["right"]),
            (&change["left"], &change["right"]),
            "case {case}"
        );
        assert!(witness["call"].as_str().unwrap().contains("arch="), "case {case}");
    }
    assert_eq!(found["unclaimed"], Value::Null, "case {case}");
    for claim in found["outside"].as_array().unwrap() {
        let (answer, proved) = (claim["answer"].as_str().unwrap(), claim["proved"].as_bool().unwrap());
        assert!(
            answer == "holds" && proved || answer == "skipped",
            "case {case}: {claim}"
        );
    }
}

/// Random programs, with calls that reach their branches.
#[test]
fn no_difference_is_missing() {
    let mut differing = 0;
    for case in 0..24 {
        let mut seed = Seed::new(75, case);
        let shape = if case % 2 == 0 { Shape::Policy } else { Shape::Mixed };
        let programs = [program_of(shape, 30, &mut seed), program_of(shape, 30, &mut seed)];
        let (code, found) = answer(&["--arch=x86_64,i386", &hex(&programs[0]), &hex(&programs[1])]);
        if code == 3 || !found["limit"].is_null() {
            continue;
        }
        let [a, b] = programs.map(|program| [Filter::load(program).unwrap()]);
        for abi in [Abi::X86_64, Abi::I386] {
            let caller = Caller {
                arch: abi.audit_arch(),
                ip: 0,
            };
            for call in Harvest::of(a[0].program()).calls(&mut seed, 200, &[caller]) {
                let number = call.nr.cast_unsigned();
                if Abi::from_call(call.arch, number) != Some(abi) {
                    continue;
                }
                let ((_, left), (_, right)) = (named(&a, &call), named(&b, &call));
                let listed = listed(&found, abi, &[(number, true)]);
                // Unknown actions kill alike.
                let same = left == right || [&left, &right].iter().all(|name| name.starts_with("unknown"));
                let told = listed.iter().any(|row| row.1 == left && row.2 == right);
                assert!(
                    same || told,
                    "case {case}: {call:x?} gets {left} -> {right}, not {listed:?}"
                );
                differing += usize::from(!same);
            }
        }
    }
    assert!(differing > 200, "{differing} differences are too few to mean anything");
}

/// As [`verdict`], for values that no filter returns on purpose too.
fn named(filter: &[Filter<'_>], call: &SeccompData) -> (u32, String) {
    use callproof_vm::{Action, Chain, Kernel, Machine};
    let value = Chain::new(filter).run(call, Machine::default()).value;
    match Action::of(value, Kernel::LATEST) {
        Action::Unknown => (value, format!("unknown action {value:#010x}")),
        Action::Errno => {
            let name = callproof_abi::errno_name(Abi::X86_64, (value & 0xffff).min(4095));
            let data = value & 0xffff;
            (
                value,
                name.map_or_else(|| format!("errno({data})"), |name| format!("errno({name})")),
            )
        }
        _ => verdict(filter, call),
    }
}

/// Two byte orders, each with its own order of the verdicts: which pair is which must not be mixed up.
#[test]
fn pairs_keep_their_verdicts_in_both_byte_orders() {
    let text = "ld [4]\njeq #0xc000003e, go\njeq #0x80000016, go\nret #0x7fff0000\ngo: ld [0]\njeq #1, one\n\
                ret #0x7fff0000\none: ld [16]\njeq #1, e1\nld [20]\njeq #1, e2\nret #0x7fff0000\ne1: ret #0x50001\n\
                e2: ret #0x50002\n";
    let path = std::env::temp_dir().join(format!("callproof-diff-{}.bpfasm", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let (code, found) = answer(&["hex:060000000000ff7f", &path.display().to_string()]);
    assert_eq!(code, 1);
    let changes = found["changes"].as_array().unwrap();
    let shown: BTreeSet<(String, &str)> = changes
        .iter()
        .map(|change| {
            (
                change["witness"]["call"].as_str().unwrap().to_owned(),
                change["right"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("exit(0x100000000) arch=s390x", "errno(EPERM)"),
        ("exit(1) arch=s390x", "errno(ENOENT)"),
        ("write(0x100000000, 0, 0) arch=x86_64", "errno(ENOENT)"),
        ("write(1, 0, 0) arch=x86_64", "errno(EPERM)"),
    ];
    let expected = expected.map(|(call, verdict)| (call.to_owned(), verdict));
    assert_eq!(shown, BTreeSet::from(expected));
    shown_and_proved(&found);
}

fn shown_and_proved(found: &Value) {
    shown(found, 0);
    assert_eq!(found["outside"].as_array().unwrap().len(), 5);
}
