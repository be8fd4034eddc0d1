//! Exit codes and answers in JSON, as scripts see them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

mod common;

use std::io::Read as _;
use std::process::Stdio;

use common::{callproof, run, run_with};
use serde_json::Value;

const ALLOW: &str = "hex:060000000000ff7f";
const DENY: &str = "hex:0600000001000500";
const REFUSED: &str = "hex:2000000002000000";

#[test]
fn codes_are_the_contract() {
    for (code, line) in [
        (0, vec!["check", ALLOW]),
        (1, vec!["check", REFUSED]),
        (1, vec!["check", ALLOW, REFUSED]),
        (2, vec!["check", "examples/nothing"]),
        (2, vec!["check"]),
        (2, vec![]),
        (0, vec!["--help"]),
        (0, vec!["--version"]),
        (0, vec!["eval", ALLOW, "read"]),
        (0, vec!["eval", "hex:060000000000fc7f", "read"]),
        (1, vec!["eval", DENY, "read"]),
        (1, vec!["eval", "hex:060000000000f07f", "read"]),
        (1, vec!["eval", "--arch=all", DENY, "read"]),
        (1, vec!["eval", REFUSED, "read"]),
        (2, vec!["eval", ALLOW, "raed"]),
        (0, vec!["eval", "--arch=x86_64", DENY, "335"]),
        (1, vec!["eval", "--arch=x86_64", "--kernel=6.12", DENY, "335"]),
        (0, vec!["eval", "--batch", "examples/requests.jsonl"]),
        (0, vec!["kernel", "vectors", "check", "vectors/valid.jsonl"]),
        (
            5,
            vec!["kernel", "vectors", "check", "vectors/valid.jsonl", "--kernel=3.9"],
        ),
        (
            5,
            vec!["kernel", "vectors", "check", "vectors/eval.jsonl", "--shift=arm8"],
        ),
        (2, vec!["kernel", "vectors", "check", "vectors/README.md"]),
        (0, vec!["why", "read(3, 0x1000, 5) = 5", ALLOW]),
        (
            1,
            vec!["why", "read(3, 0x1000, 5) = -1 EPERM (Operation not permitted)", DENY],
        ),
        (
            1,
            vec!["why", "examples/web-server.audit.log", "examples/web-server.bpf"],
        ),
        (2, vec!["why", "examples/nothing.log", ALLOW]),
        (2, vec!["why", "type=SECCOMP", ALLOW]),
        (2, vec!["why", "-", "-"]),
        (2, vec!["why", "read(3) = 5"]),
        (1, vec!["why", "read(3, 0x1000, 5) = 5", REFUSED]),
        (0, vec!["replay", "examples/web-server.trace", ALLOW]),
        (1, vec!["replay", "examples/web-server.trace", DENY]),
        (2, vec!["replay", "examples", ALLOW]),
        (2, vec!["replay", "examples/nothing.log", ALLOW]),
        (2, vec!["replay", "read(3)", ALLOW]),
        (0, vec!["completions", "bash"]),
        (0, vec!["man"]),
        (2, vec!["dump", "--pid", "2147483647"]),
    ] {
        let ran = run(&line);
        assert_eq!(ran.code, code, "{line:?}: {ran:?}");
        if code == 2 {
            assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{line:?}: {ran:?}");
        }
    }
}

/// Which members an answer has is a promise.
#[test]
fn answers_have_their_members() {
    for (line, members) in [
        (vec!["check", ALLOW], vec!["accepted", "budget", "filters", "kernel"]),
        (
            vec!["eval", ALLOW, "read"],
            vec!["call", "decisions", "filters", "kernel", "skipped"],
        ),
        (vec!["disasm", ALLOW], vec!["filters"]),
        (vec!["convert", "--to=c", ALLOW], vec!["products"]),
        (vec!["kernel", "vectors", "check", "vectors/valid.jsonl"], vec!["files"]),
        (vec!["demo"], vec!["arches", "check", "decisions", "live", "traced"]),
    ] {
        let ran = run(&[&line[..], &["--format=json"]].concat());
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["exit"], ran.code);
        assert!(
            line.join(" ").starts_with(document["command"].as_str().unwrap()),
            "{line:?}"
        );
        assert_eq!(keys(&document["answer"]), members, "{line:?}");
        assert_eq!(ran.stdout.matches('\n').count(), 1, "one line");
    }
}

#[test]
fn decisions_have_their_members() {
    let ran = run(&[
        "eval",
        "--format=json",
        "--trace",
        "--arch=x86_64",
        DENY,
        "openat(-100)",
    ]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let decision = &document["answer"]["decisions"][0];
    let members = [
        "action",
        "allowed",
        "arch",
        "args",
        "audit_arch",
        "bypass",
        "data",
        "effect",
        "filter",
        "insns",
        "ip",
        "name",
        "nr",
        "path",
        "trace",
        "value",
        "verdict",
        "words",
    ];
    assert_eq!(keys(decision), members);
    assert_eq!(decision["args"][0], 0xffff_ff9c_u32);
    assert_eq!(
        (decision["value"].clone(), decision["verdict"].clone()),
        (0x0005_0001.into(), "errno(EPERM)".into())
    );
    let step = ["a", "filter", "instruction", "next", "pc", "reads", "returns", "x"];
    assert_eq!(keys(&decision["trace"][0]), step);
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn errors_are_json_when_asked_for() {
    for line in [
        vec!["check", "examples/nothing"],
        vec!["eval", ALLOW, "raed()"],
        vec!["nonsense"],
        vec!["check"],
    ] {
        let ran = run(&[&line[..], &["--format", "json"]].concat());
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, document["exit"].as_i64()), (2, Some(2)), "{line:?}");
        assert_eq!(keys(&document["error"]), ["help", "message", "where"]);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn filters_come_from_standard_input_too() {
    let ran = run_with(&["check", "-"], &[6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("standard input: accepted\n"), "{}", ran.stdout);
    let ran = run_with(&["eval", DENY, "-", "read"], b"ret #0x7fff0000\n");
    assert_eq!(ran.code, 1, "{ran:?}");
}

/// Nothing that can be fed in makes it panic, hang or take endless memory.
#[test]
fn hostile_input_is_refused() {
    let long_line = vec![b'a'; 3 << 20];
    let deep = b"(".repeat(1 << 20);
    let inputs: [&[u8]; 10] = [
        b"",
        b"\0",
        b"\xff\xfe\x00",
        b"6",
        b"{\"x\":",
        &[0; 9],
        &[b' '; 4096],
        b"1,6 0 0 99999999999",
        &long_line,
        &deep,
    ];
    let formats = [
        "raw",
        "hex",
        "decimal",
        "decimal-line",
        "c",
        "asm",
        "seccomp-tools",
        "libseccomp",
        "strace",
    ];
    for input in inputs {
        let ran = run_with(&["check", "-"], input);
        assert!(matches!(ran.code, 1 | 2), "{ran:?}");
        for format in formats {
            let ran = run_with(&["check", "--input-format", format, "-"], input);
            assert!(matches!(ran.code, 1 | 2), "{format}: {ran:?}");
        }
    }
    for call in [
        "((((((((((",
        "read(\"",
        "\u{1F980}",
        "read(1 << 99999)",
        &"9".repeat(10_000),
        "read(,,,,)",
    ] {
        let ran = run(&["eval", ALLOW, call]);
        assert!(matches!(ran.code, 0..=2), "{call}: {ran:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut input = String::new();
    for _ in 0..20_000 {
        input.push_str("{\"filter\":\"060000000000ff7f\",\"arch\":\"x86_64\",\"nr\":0}\n");
    }
    let path = std::env::temp_dir().join(format!("callproof-{}-pipe.jsonl", std::process::id()));
    std::fs::write(&path, input).unwrap();
    for line in [
        vec!["eval", "--batch", path.to_str().unwrap()],
        vec!["man"],
        vec!["disasm", "examples/web-server.bpf"],
    ] {
        let mut command = callproof(&line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), errors.as_str()),
            (Some(0), ""),
            "{line:?}"
        );
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn every_format_is_given_for_findings() {
    for (format, begins) in [
        ("human", "hex:"),
        ("json", "{\"command\":\"check\""),
        ("junit", "<?xml"),
        ("sarif", "{\n"),
        ("github", "::error "),
        ("tap", "TAP version 14\n"),
        ("markdown", "### callproof check"),
    ] {
        let ran = run(&["check", "--format", format, REFUSED]);
        assert_eq!(ran.code, 1);
        assert!(ran.stdout.starts_with(begins), "{format}: {}", ran.stdout);
        for line in [
            vec!["eval", DENY, "read"],
            vec!["kernel", "vectors", "check", "vectors/valid.jsonl"],
            vec!["demo"],
        ] {
            let ran = run(&[&line[..], &["--format", format]].concat());
            assert!(
                matches!(ran.code, 0 | 1) && !ran.stdout.is_empty(),
                "{format} {line:?}: {ran:?}"
            );
        }
    }
}

#[test]
fn one_answer_can_go_to_several_places() {
    let path = std::env::temp_dir().join(format!("callproof-{}-answer.json", std::process::id()));
    let ran = run(&["check", "--format", &format!("json={}", path.display()), ALLOW]);
    assert!(ran.stdout.starts_with("hex:060000000000ff7f: accepted"));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(document["answer"]["accepted"], true);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn colours_are_there_when_asked_for_and_never_in_pipes() {
    let plain = callproof(&["check", ALLOW]).env_remove("NO_COLOR").output().unwrap();
    assert!(!plain.stdout.contains(&0x1b));
    let forced = run(&["check", "--color=always", ALLOW]);
    assert!(forced.stdout.contains("\u{1b}["));
}

#[test]
fn the_assembled_example_is_what_its_source_says() {
    let ran = run(&["asm", "--to=hex", "examples/web-server.bpfasm"]);
    let raw = run(&["convert", "--to=hex", "examples/web-server.bpf"]);
    assert_eq!((ran.code, ran.stdout), (0, raw.stdout));
}

#[test]
fn pages_and_scripts_are_made_for_every_command() {
    let folder = std::env::temp_dir().join(format!("callproof-{}-man", std::process::id()));
    let ran = run(&["man", "--out", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 0);
    for page in [
        "callproof",
        "callproof-check",
        "callproof-eval",
        "callproof-kernel-vectors-check",
    ] {
        let page = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("disasm"), "{shell}");
    }
}
