//! `explain` against the emulator, over every call number.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod common;
mod small;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use callproof_abi::Abi;
use callproof_policy::{AbiItem, AbiList, Env, parse_policy};
use callproof_testgen::Seed;
use callproof_vm::{Chain, Filter, Insn, Machine, SeccompData};
use common::run;
use serde_json::Value;
use small::{ABIS, arguments, filter, hex, numbers, permits, verdict};

fn answer(line: &[&str]) -> Value {
    let ran = run(&[&["explain", "--format=json", "--quiet"], line].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    document["answer"].clone()
}

fn of_abi(list: &Value, abi: Abi) -> &Value {
    let all = list.as_array().unwrap();
    all.iter().find(|one| one["abi"] == abi.name()).unwrap()
}

/// The verdicts that the sections list for a number.
fn listed(section: &Value, number: u32) -> BTreeSet<String> {
    fn leaves(tree: &Value, found: &mut BTreeSet<String>) {
        if let Some(verdict) = tree["verdict"].as_str() {
            found.insert(verdict.to_owned());
        }
        for case in tree["split"]["cases"].as_array().into_iter().flatten() {
            leaves(&case["then"], found);
        }
    }
    let mut found = BTreeSet::new();
    for rule in section["rules"].as_array().unwrap() {
        let ranges = rule["numbers"].as_array().unwrap();
        let has =
            |range: &Value| (range[0].as_u64().unwrap()..=range[1].as_u64().unwrap()).contains(&u64::from(number));
        if ranges.iter().any(has) {
            leaves(&rule["then"], &mut found);
        }
    }
    found
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    all: u64,
    freely: u64,
    conditional: u64,
}

#[test]
fn numbers_are_those_of_every_call() {
    let arguments = arguments();
    let mut conditional = 0;
    for case in 0..24 {
        let program = filter(&mut Seed::new(71, case));
        let filters = [Filter::load(program.clone()).unwrap()];
        let explained = answer(&["--arch=x86_64,x32,i386,aarch64", &hex(&program)]);
        for abi in ABIS {
            let section = of_abi(&explained["sections"], abi);
            let surface = of_abi(&explained["surfaces"], abi);
            let mut calls = Counted::default();
            let mut actions: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for (number, is_call) in numbers(abi) {
                let verdicts: BTreeSet<(u32, String)> = arguments
                    .iter()
                    .map(|args| {
                        verdict(
                            &filters,
                            &SeccompData::new(abi.audit_arch(), number.cast_signed(), *args),
                        )
                    })
                    .collect();
                let names: BTreeSet<String> = verdicts.iter().map(|(_, name)| name.clone()).collect();
                assert_eq!(listed(section, number), names, "case {case}, {number:#x} on {abi}");
                if !is_call {
                    continue;
                }
                let permitted = verdicts.iter().filter(|(value, _)| permits(*value)).count();
                calls.all += 1;
                calls.freely += u64::from(permitted == verdicts.len());
                calls.conditional += u64::from(permitted > 0 && permitted < verdicts.len());
                let of_call: BTreeSet<&str> = names.iter().map(|name| name.split('(').next().unwrap()).collect();
                for action in &of_call {
                    let (always, sometimes) = actions.entry((*action).to_owned()).or_default();
                    *(if of_call.len() == 1 { always } else { sometimes }) += 1;
                }
            }
            conditional += calls.conditional;
            let count = |name: &str| surface["calls"][name].as_u64().unwrap();
            let found = Counted {
                all: count("all"),
                freely: count("freely"),
                conditional: count("conditional"),
            };
            assert_eq!(found, calls, "case {case} on {abi}");
            assert_eq!(count("reachable"), calls.freely + calls.conditional);
            let listed: BTreeMap<String, (u64, u64)> = surface["actions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|of| {
                    let count = |name: &str| of[name].as_u64().unwrap();
                    (
                        of["action"].as_str().unwrap().to_owned(),
                        (count("always"), count("sometimes")),
                    )
                })
                .collect();
            assert_eq!(listed, actions, "case {case} on {abi}");
        }
    }
    assert!(
        conditional > 20,
        "{conditional} calls with conditions are too few to mean anything"
    );
}

/// Numbers that no call has, and architectures that nobody knows.
#[test]
fn what_is_no_call_is_counted_too() {
    // Allows 600 on every architecture but s390x, and everything there.
    let text = "hex:2000000004000000150002001600008020000000000000001500000158020000060000000000ff7f0600000000000000";
    let all = answer(&[text]);
    let others = all["surfaces"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(others["abi"], Value::Null);
    assert_eq!(others["numbers"]["reachable"], 1);
    assert_eq!(others["numbers"]["all"], 1_u64 << 32);
    let s390x = of_abi(&all["surfaces"], Abi::S390x);
    assert_eq!(s390x["numbers"]["freely"], s390x["numbers"]["all"], "{s390x}");
    let here = answer(&["--arch=x86_64", text]);
    assert_eq!(here["surfaces"][0]["numbers"]["reachable"], 1);
    assert_eq!(here["surfaces"][0]["calls"]["reachable"], 0);
}

#[test]
fn the_byte_order_of_other_architectures_is_told() {
    // The word at offset 16 is the low half of the first argument, or the high one.
    let all = answer(&["hex:200000001000000015000001010000000600000001000500060000000000ff7f"]);
    let others = all["surfaces"].as_array().unwrap().last().unwrap().clone();
    let groups = others["groups"].as_array().unwrap();
    let whens: Vec<&str> = groups.iter().map(|group| group["when"][0].as_str().unwrap()).collect();
    assert_eq!(whens.len(), 4, "{whens:?}");
    assert!(
        whens
            .iter()
            .any(|when| when.starts_with("the machine is big-endian and high half of args[0] is 0x1"))
    );
}

/// A file in a folder of its own.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("callproof-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The places that give an answer to a call, by the origins.
fn places(origins: &Value, abi: Abi, name: &str) -> BTreeSet<String> {
    let section = of_abi(&origins["sections"], abi);
    let entries = section["entries"].as_array().unwrap();
    let has = |entry: &&Value, list: &str| entry[list].as_array().unwrap().iter().any(|call| call == name);
    let with = entries
        .iter()
        .filter(|entry| has(entry, "always") || has(entry, "sometimes"));
    with.map(|entry| entry["place"].as_str().unwrap().to_owned()).collect()
}

const RULES: &str = "default errno(EPERM)
allow read, write on x86_64, i386
errno(EACCES) openat(_, _, flags & 1) on x86_64, i386
allow openat on x86_64
log write, openat, socket(1) on x86_64, i386
allow socket(1 | 2) on x86_64
kill socket on i386
";

#[test]
fn the_line_is_that_of_the_first_rule() {
    let path = file("rules.policy", RULES);
    let name = path.display().to_string();
    let explained = answer(&["--arch=x86_64,i386", "--origin", &name]);
    let env = Env::new(AbiList::of([AbiItem::Abi(Abi::X86_64), AbiItem::Abi(Abi::I386)]));
    let policy = parse_policy("rules", RULES).unwrap();
    let rules: Vec<_> = policy
        .rules
        .iter()
        .map(|rule| rule.calls.ground(&env).unwrap())
        .collect();
    for abi in [Abi::X86_64, Abi::I386] {
        for call in ["read", "write", "openat", "socket"] {
            let number = abi.syscall_named(call).unwrap().number;
            let mut lines = BTreeSet::new();
            for first in 0..4 {
                for flags in 0..4 {
                    let made = SeccompData::new(abi.audit_arch(), number.cast_signed(), [first, 0, flags, 0, 0, 0]);
                    let rule = rules.iter().position(|rule| rule.holds_for(&made));
                    lines.insert(format!("{name}:{}", rule.map_or(1, |rule| rule + 2)));
                }
            }
            let mut found = places(&explained["origins"], abi, call);
            // What the default answers is told of every other number, and of this one where arguments decide.
            if call == "openat" && abi == Abi::I386 {
                assert!(!found.contains(&format!("{name}:1")), "{found:?}");
            }
            assert_eq!(found.len(), lines.len(), "{call} on {abi}: {found:?} {lines:?}");
            found.retain(|place| !lines.contains(place));
            assert!(found.is_empty(), "{call} on {abi}: {found:?}, not {lines:?}");
        }
    }
    assert_eq!(explained["origins"]["departures"], Value::Array(Vec::new()));
}

/// The return that decides is the one that the emulator reaches.
#[test]
fn the_instruction_is_the_one_that_returns() {
    let arguments = arguments();
    for case in 0..8 {
        let program = filter(&mut Seed::new(72, case));
        let changed = changed(&program);
        let explained = answer(&["--arch=x86_64", "--origin", &hex(&program)]);
        let section = of_abi(&explained["origins"]["sections"], Abi::X86_64);
        let rest: BTreeSet<&str> = section["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["rest"] == true)
            .map(|entry| entry["place"].as_str().unwrap())
            .collect();
        for (number, _) in numbers(Abi::X86_64) {
            let Some(name) = Abi::X86_64.syscall_name(number) else {
                continue;
            };
            let found = places(&explained["origins"], Abi::X86_64, name);
            let mut reached = BTreeSet::new();
            for args in &arguments {
                let call = SeccompData::new(Abi::X86_64.audit_arch(), number.cast_signed(), *args);
                reached.insert(last(&changed, &call));
            }
            let ends = |places: &BTreeSet<String>| {
                places
                    .iter()
                    .map(|place| place.rsplit(' ').next().unwrap().parse().unwrap())
                    .collect::<BTreeSet<usize>>()
            };
            if found.is_empty() {
                assert_eq!(reached.len(), rest.len(), "case {case}: {name}");
            } else {
                assert_eq!(ends(&found), reached, "case {case}: {name}");
            }
        }
    }
}

/// Returned by no filter of these tests.
const OTHER: u32 = 0x0003_1234;

/// For each return of a program, the filter in which that alone returns something else.
fn changed(program: &[Insn]) -> Vec<(usize, Filter<'static>)> {
    let returns = program.iter().enumerate().filter(|(_, insn)| insn.code == 0x06);
    let change = |(pc, _): (usize, &Insn)| {
        let mut changed = program.to_vec();
        changed[pc].k = OTHER;
        (pc, Filter::load(changed).unwrap())
    };
    returns.map(change).collect()
}

/// The instruction at which a call returns.
fn last(changed: &[(usize, Filter<'_>)], call: &SeccompData) -> usize {
    let reached = |(_, filter): &&(usize, Filter<'_>)| filter.run(call, Machine::default()) == OTHER;
    changed.iter().find(reached).unwrap().0
}

/// Of a chain the newest of the most severe filters decides; what all permit none decides.
#[test]
fn the_filter_is_the_one_that_decides() {
    let arguments = arguments();
    let mut told = 0;
    for case in 0..6 {
        let programs = [filter(&mut Seed::new(76, case)), filter(&mut Seed::new(77, case))];
        let (typed, changed) = (
            programs.clone().map(|program| hex(&program)),
            programs.clone().map(|one| changed(&one)),
        );
        let filters = programs.map(|program| Filter::load(program).unwrap());
        let explained = answer(&["--arch=x86_64", "--origin", &typed[0], &typed[1]]);
        for (number, _) in numbers(Abi::X86_64) {
            let Some(name) = Abi::X86_64.syscall_name(number) else {
                continue;
            };
            let found = places(&explained["origins"], Abi::X86_64, name);
            if found.is_empty() {
                continue;
            }
            let reached: BTreeSet<String> = arguments
                .iter()
                .map(|args| {
                    let call = SeccompData::new(Abi::X86_64.audit_arch(), number.cast_signed(), *args);
                    match Chain::new(&filters).run(&call, Machine::default()).filter {
                        None => "every filter".to_owned(),
                        Some(filter) => {
                            let head: String = typed[filter].chars().take(40).collect();
                            let pc = last(&changed[filter], &call);
                            format!("{head}... (filter {filter}), instruction {pc}")
                        }
                    }
                })
                .collect();
            assert_eq!(found, reached, "case {case}: {name}");
            told += 1;
        }
    }
    assert!(told > 20, "{told} calls are too few to mean anything");
}

#[test]
fn departures_have_places() {
    let text = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  "syscalls": [
    {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["kill"], "action": "SCMP_ACT_ERRNO"},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
      {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}
    ]}
  ]
}"#;
    let path = file("profile.json", text);
    let name = path.display().to_string();
    let explained = answer(&["--arch=x86_64", "--runtime=runc", "--origin", &name]);
    let departures = explained["origins"]["departures"].as_array().unwrap();
    let told = |line: u32, words: &str| {
        let start = format!("{name}:{line}: ");
        let found = departures.iter().map(|note| note.as_str().unwrap());
        found
            .filter(|note| note.starts_with(&start))
            .any(|note| note.contains(words))
    };
    assert!(told(5, "`no_such_call` is no system call"), "{departures:?}");
    assert!(told(6, "drops this rule"), "{departures:?}");
    assert!(told(7, "one of them is enough, not all"), "{departures:?}");
    assert!(told(7, "`socketcall`"), "{departures:?}");
    assert!(told(1, "ENOSYS"), "{departures:?}");
    assert!(told(1, "low halves"), "{departures:?}");
    assert_eq!(
        places(&explained["origins"], Abi::X86_64, "read"),
        BTreeSet::from([format!("{name}:5")])
    );
}

#[test]
fn a_computed_value_has_no_one_origin() {
    let explained = answer(&["--origin", "hex:200000000000000054000000010000001600000000000000"]);
    let missing = explained["origins"]["missing"].as_str().unwrap_or_default();
    assert!(missing.contains("computes what it returns"), "{explained}");
}
