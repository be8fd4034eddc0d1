//! `convert` from one format of policies to another, as scripts see it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{run, run_with};

const UNIT: &str = "[Service]\nSystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\nRestrictNamespaces=yes\n";

#[test]
fn nothing_is_written_unless_it_is_proved() {
    let room = tempfile::tempdir().unwrap();
    let out = room.path().join("out.json");
    let output = out.to_str().unwrap();
    fs::write(&out, "as before").unwrap();
    for (code, line) in [
        (1, vec!["--to=oci", "--runtime=runc", "cli/tests/cmd/listed.policy"]),
        (2, vec!["--to=oci", "cli/tests/cmd/small.policy"]),
        (2, vec!["--to=oci", "examples/web-server.bpf"]),
        (2, vec!["--to=oci", "cli/tests/cmd/wrong.policy"]),
    ] {
        let ran = run(&[&["convert", "--output", output], line.as_slice()].concat());
        assert_eq!(ran.code, code, "{line:?}: {ran:?}");
        assert_eq!(fs::read_to_string(&out).unwrap(), "as before", "{line:?}");
    }
    let ran = run(&["convert", "--output", output, "--to=oci", "cli/tests/cmd/listed.policy"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(fs::read_to_string(&out).unwrap().contains("SCMP_ACT_ERRNO"));
}

#[test]
fn standard_input_is_a_policy_too() {
    let text = "default kill_thread\nallow read on x86_64\n";
    let ran = run_with(&["convert", "-q", "--to=minijail", "-"], text.as_bytes());
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "@default kill-thread\nread: allow\n"),
        "{ran:?}"
    );
}

#[test]
fn a_unit_becomes_a_policy_for_each_filter() {
    let room = tempfile::tempdir().unwrap();
    let unit = room.path().join("u.service");
    fs::write(&unit, UNIT).unwrap();
    let unit = unit.to_str().unwrap();
    let one = run(&["convert", "--to=policy", unit]);
    assert!(one.code == 2 && one.stderr.contains("comes to"), "{one:?}");
    let folder = |to: &str| {
        let out = room.path().join(to);
        let ran = run(&["convert", "--to", to, "--out", out.to_str().unwrap(), unit]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut files: Vec<PathBuf> = fs::read_dir(out).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    let (filters, policies) = (folder("raw"), folder("policy"));
    assert!(filters.len() > 1 && filters.len() == policies.len());
    for (filter, policy) in filters.iter().zip(&policies) {
        let [filter, policy] = [filter, policy].map(|path| path.to_str().unwrap());
        let ran = run(&["equiv", "-q", filter, policy]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let refused = run(&["convert", "--to=kafel", "--out", room.path().to_str().unwrap(), unit]);
    assert!(
        refused.code == 2 && refused.stderr.contains("u.service#1"),
        "{refused:?}"
    );
}

/// Real policies: those that can be said in another format are the same when that text is read from its file.
#[test]
fn policies_of_the_corpus_stay_what_they_are() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let mut policies: Vec<String> = ["profiles", "minijail"]
        .iter()
        .filter_map(|folder| fs::read_dir(corpus.join(folder)).ok())
        .flatten()
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.display().to_string())
        .collect();
    policies.sort();
    if policies.is_empty() {
        println!("skipped: no corpus");
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let mut same = 0;
    for policy in &policies {
        for to in ["policy", "oci", "kafel", "minijail", "pfc"] {
            let ending = if to == "oci" {
                "json"
            } else if to == "minijail" {
                "policy"
            } else {
                to
            };
            let written = room.path().join(format!("written.{ending}"));
            let written = written.to_str().unwrap();
            let ran = run(&["convert", "-q", "--to", to, "--output", written, policy]);
            match ran.code {
                0 => {
                    let equal = run(&["equiv", "-q", policy, written]);
                    assert_eq!(equal.code, 0, "{policy} as {to}: {equal:?}");
                    same += 1;
                }
                code => assert_eq!(code, 2, "{policy} as {to}: {ran:?}"),
            }
        }
    }
    println!("{same} of {} conversions are the same", policies.len() * 5);
    assert!(same >= 20, "{same}");
}
