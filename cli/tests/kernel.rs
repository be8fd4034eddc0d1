//! Commands that ask the running kernel. Each skips, and says so, where the kernel cannot be asked.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

mod common;

use common::{Ran, run};
use serde_json::Value;

/// The run, unless this machine lacks something: then it has said what.
fn asked(args: &[&str]) -> Option<Ran> {
    let ran = run(args);
    if ran.code == 4 {
        println!("skipped: {}", ran.stderr.trim());
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        return None;
    }
    Some(ran)
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("callproof-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_kernel_agrees() {
    let Some(ran) = asked(&["kernel", "diff", "--programs=500", "--seed=1", "--format=json"]) else {
        return;
    };
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let answer = &document["answer"];
    assert_eq!(
        (answer["programs"].as_u64(), answer["seed"].as_u64()),
        (Some(500), Some(1))
    );
    assert!(answer["evaluations"].as_u64().unwrap() > 7000, "{answer}");
    assert_eq!(answer["mismatches"].as_array().unwrap().len(), 0);
    let chains = &answer["chains"];
    assert_eq!(
        (chains["compared"].as_u64(), chains["calls"].as_u64()),
        (Some(63), Some(378))
    );
    assert_eq!(chains["rooms"].as_u64(), Some(8), "{chains}");
}

/// With a shift rule that is not this machine's the emulator is wrong: that must be seen, made small and written down.
#[test]
fn a_wrong_emulator_is_found_out() {
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: the right shift rule is known for x86_64 only");
        return;
    }
    let folder = folder("mismatch");
    let out = format!("--out={}", folder.display());
    let Some(ran) = asked(&["kernel", "diff", "--programs=2000", "--seed=1", "--shift=arm8", &out]) else {
        return;
    };
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("mismatch: the kernel returns"), "{}", ran.stdout);
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let file = file.to_str().unwrap();
    assert_eq!(
        run(&["kernel", "vectors", "check", file]).code,
        0,
        "it is the kernel's answer"
    );
    assert_eq!(run(&["kernel", "vectors", "check", "--shift=arm8", file]).code, 5);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_recorded_can_be_replayed() {
    let folder = folder("record");
    let file = folder.join("vectors.jsonl");
    let file = file.to_str().unwrap();
    let Some(ran) = asked(&["kernel", "vectors", "record", "--programs=20", "-o", file]) else {
        return;
    };
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = run(&["kernel", "vectors", "check", "--format=json", file]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let replayed = &document["answer"]["files"][0];
    assert_eq!(ran.code, 0, "{replayed}");
    assert!(replayed["evaluations"].as_u64().unwrap() > 50, "{replayed}");
    // 20 programs, and two of them with a room that is enough and one that is not.
    assert_eq!(replayed["admissions"], 20 + 4);
    assert_eq!(replayed["outcomes"], 8);
    assert!(replayed["scenarios"].as_u64().unwrap() > 150, "{replayed}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_line_of_every_kind_that_no_kernel_said_is_a_mismatch() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = folder("forged");
    let file = folder.join("forged.jsonl");
    for (from, find, other, about) in [
        ("admission", "\"errno\":\"EINVAL\"", "\"errno\":\"ENOMEM\"", "errno"),
        ("admission", "\"ok\":0", "\"ok\":1", "admission"),
        ("chains", "\"trap 1\"", "\"trap 2\"", "outcome"),
        ("chains", "\"kill_thread\"", "\"kill_process\"", "outcome"),
        ("chains", "\"ok\":0,\"errno\":\"ENOMEM\"", "\"ok\":1", "room"),
        ("scenarios", "\"returns -7\"", "\"returns -8\"", "scenario"),
    ] {
        let text = std::fs::read_to_string(root.join(format!("vectors/{from}.jsonl"))).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains(find) && !line.contains("\"kernel\""))
            .unwrap();
        let mut forged = line.replacen(find, other, 1);
        if about == "admission" {
            forged = forged.replacen(",\"errno\":\"EINVAL\"", "", 1);
        }
        std::fs::write(&file, forged).unwrap();
        let ran = run(&["kernel", "vectors", "check", "--format=json", file.to_str().unwrap()]);
        assert_eq!(ran.code, 5, "{about}: {ran:?}");
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(
            document["answer"]["files"][0]["mismatches"][0]["about"], about,
            "{ran:?}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_recording_asks_only_for_what_is_wanted() {
    let asked_for = |kinds: &str| asked(&["kernel", "vectors", "record", "--programs=11", "--kinds", kinds]);
    let Some(ran) = asked_for("admission,room") else { return };
    let lines = |part: &str| ran.stdout.lines().filter(|line| line.contains(part)).count();
    assert_eq!((lines("ebpf_len"), lines("room"), lines("cases")), (11, 4, 0));
    assert_eq!(run(&["kernel", "vectors", "record", "--kinds=answers"]).code, 2);
}

#[test]
fn filters_of_a_command_are_recorded() {
    let program = env!("CARGO_BIN_EXE_callproof");
    let folder = folder("exec");
    let out = folder.to_str().unwrap();
    // Our own admission oracle is a program that installs filters.
    let line = [
        "dump",
        "--to=raw",
        "--out",
        out,
        "--exec",
        program,
        "kernel",
        "diff",
        "--programs=1",
        "--jobs=1",
    ];
    let Some(ran) = asked(&line) else { return };
    if ran.code == 1 {
        println!("skipped: no filter can be installed here");
        return;
    }
    assert_eq!(ran.code, 0, "{ran:?}");
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.ends_with("filter-000.bpf"), "{first}");
    assert_eq!(run(&["check", first]).code, 0);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_command_without_filters_is_told_from_one_that_does_not_start() {
    let Some(ran) = asked(&["dump", "--exec", "true"]) else {
        return;
    };
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (1, "error: `true` installed no filter\n")
    );
    assert_eq!(run(&["dump", "--exec", "/nonexistent"]).code, 2);
}

#[test]
fn a_process_without_filters_has_none() {
    let pid = std::process::id().to_string();
    let Some(ran) = asked(&["dump", "--pid", &pid]) else {
        return;
    };
    if ran.code == 0 {
        println!("skipped: this test runs under a filter");
        return;
    }
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(run(&["check", &format!("pid:{pid}")]).code, 1);
}

#[test]
fn the_demo_compares_itself_or_says_why_not() {
    let ran = run(&["demo", "--format=json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let live = &document["answer"]["live"];
    match live["compared"]["evaluations"].as_u64() {
        Some(evaluations) => assert_eq!(evaluations, 2000),
        None => println!("skipped: {}", live["skipped"]["why"]),
    }
}
