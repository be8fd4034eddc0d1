//! `kernel diff --vm`, as far as it goes without a guest: none is booted here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a panic in a test is a failing test"
)]

mod common;

use common::run;
use serde_json::Value;
use std::process::Command;

#[test]
fn the_list_names_every_guest_and_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = format!("--cache={}", folder.path().display());
    let ran = run(&["kernel", "diff", "--vm=list", &cache, "--format=json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let guests = document["answer"]["guests"].as_array().unwrap();
    assert!(guests.len() >= 8, "{guests:?}");
    for guest in guests {
        assert!(guest["kernel"].is_null(), "nothing was fetched: {guest}");
        assert_eq!(
            guest["missing"].as_array().unwrap().is_empty(),
            guest["install"].is_null()
        );
    }
}

#[test]
fn the_list_shows_what_was_fetched_and_how_to_ask_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = folder.path().join("kernels");
    for (name, version) in [
        ("bookworm-amd64-cloud-amd64", "6.1.176-1"),
        ("bookworm-amd64-cloud-amd64@6.1.27-1", "6.1.27-1"),
        ("bookworm-amd64-other", "6.1.1-1"),
    ] {
        std::fs::create_dir_all(kernels.join(name)).unwrap();
        let package = format!("linux-image-of-{version}\n{version}\nabcd\nef01\n");
        std::fs::write(kernels.join(name).join("package"), package).unwrap();
    }
    let cache = format!("--cache={}", folder.path().display());
    let ran = run(&["kernel", "diff", "--vm=list", &cache, "--format=json"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let guests = document["answer"]["guests"].as_array().unwrap();
    let guest = guests.iter().find(|guest| guest["name"] == "debian-12-amd64").unwrap();
    let fetched = guest["fetched"].as_array().unwrap();
    let names: Vec<_> = fetched.iter().map(|kernel| kernel["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["debian-12-amd64", "debian-12-amd64=6.1.27-1"]);
    assert_eq!(fetched[1]["sha256"], "abcd");
    let ran = run(&["kernel", "diff", "--vm=list", &cache]);
    assert!(
        ran.stdout.contains("debian-12-amd64=6.1.27-1") && ran.stdout.contains("abcd"),
        "{ran:?}"
    );
}

#[test]
fn a_missing_program_is_named_with_the_command_that_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_callproof"))
        .args(["kernel", "diff", "--vm=debian-s390x", "--programs=1"])
        .env("PATH", folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(4), "{ran:?}");
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(
        said.contains("qemu-system-s390x") && said.contains("apt-get install"),
        "{said}"
    );
    assert!(said.contains("gcc-s390x-linux-gnu"), "{said}");
    assert_eq!(
        folder.path().read_dir().unwrap().count(),
        0,
        "nothing is written before"
    );
}

#[test]
fn a_guest_that_there_is_not_is_a_usage_error() {
    let ran = run(&["kernel", "diff", "--vm=debian-vax"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("no guest `debian-vax`") && ran.stderr.contains("debian-s390x"),
        "{ran:?}"
    );
    let near = run(&["kernel", "diff", "--vm=debian-s390"]);
    assert!(near.stderr.contains("did you mean `debian-s390x`?"), "{near:?}");
    for wrong in ["--vm=all=6.1", "--vm=list=6.1", "--vm=debian-s390x="] {
        let ran = run(&["kernel", "diff", wrong]);
        assert!(ran.code == 2 && ran.stderr.contains("version"), "{wrong}: {ran:?}");
    }
    assert_eq!(run(&["kernel", "diff", "--vm=all", "--time=5"]).code, 2);
    assert_eq!(run(&["kernel", "diff", "--record=x"]).code, 2);
}

#[test]
fn recorded_answers_are_replayed_on_the_machine_that_they_name() {
    let file = "vectors/vm/debian-armhf-jit.jsonl";
    let ran = run(&["kernel", "vectors", "check", file, "--format=json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(document["answer"]["files"][0]["evaluations"].as_u64().unwrap() > 100);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (from, to, code) in [
        ("\"shift\":\"arm8\"", "\"shift\":\"masked\"", 5),
        ("\"endian\":\"little\"", "\"endian\":\"big\"", 5),
        ("\"shift\":\"arm8\"", "\"shift\":\"arm9\"", 2),
        ("\"release\"", "\"relief\"", 2),
    ] {
        let other = folder.path().join("other.jsonl");
        std::fs::write(&other, text.replacen(from, to, 1)).unwrap();
        let ran = run(&["kernel", "vectors", "check", other.to_str().unwrap()]);
        assert_eq!(ran.code, code, "{to}: {ran:?}");
    }
}
