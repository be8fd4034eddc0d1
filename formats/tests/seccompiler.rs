//! Filters of seccompiler and Firecracker: what small ones come to, and what is said of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyRead, Runtime, read_policy};
use callproof_policy::Env;
use callproof_vm::SeccompData;

const ALLOW: u32 = 0x7fff_0000;
const TRAP: u32 = 0x0003_0000;

fn options(runtime: Runtime) -> PolicyOptions<'static> {
    PolicyOptions {
        runtime,
        ..PolicyOptions::default()
    }
}

fn read(text: &str, options: &PolicyOptions<'_>) -> PolicyRead {
    let read = read_policy("test.json", text.as_bytes(), None, options);
    read.unwrap_or_else(|problems| panic!("{:#?}", problems.problems))
}

fn problems(text: &str, options: &PolicyOptions<'_>) -> Vec<String> {
    let problems = read_policy("test.json", text.as_bytes(), Some(PolicyFormat::Seccompiler), options).unwrap_err();
    problems.problems.into_iter().map(|problem| problem.message).collect()
}

fn decide(read: &PolicyRead, abi: Abi, number: u32, args: [u64; 6]) -> u32 {
    let call = SeccompData::new(abi.audit_arch(), number.cast_signed(), args);
    read.policies[0].ground(&Env::default()).unwrap().decide(&call)
}

/// One filter that traps, and allows what these rules have.
fn filter(rules: &str) -> String {
    format!(r#"{{"vmm": {{"mismatch_action": "trap", "match_action": "allow", "filter": [{rules}]}}}}"#)
}

fn rule(op: &str, width: &str, val: u64) -> String {
    format!(r#"{{"syscall": "read", "args": [{{"index": 1, "type": "{width}", "op": {op}, "val": {val}}}]}}"#)
}

const VALUES: [u64; 5] = [4, 5, 6, 0x1_0000_0005, 0x1_0000_0004];

fn hits(op: &str, width: &str, runtime: Runtime) -> [bool; 5] {
    let read = read(&filter(&rule(op, width, 5)), &options(runtime));
    VALUES.map(|value| decide(&read, Abi::X86_64, 0, [0, value, 0, 0, 0, 0]) == ALLOW)
}

#[test]
fn each_operator_compares_the_width_that_is_written() {
    for (op, dword, qword) in [
        (
            "\"eq\"",
            [false, true, false, true, false],
            [false, true, false, false, false],
        ),
        (
            "\"ne\"",
            [true, false, true, false, true],
            [true, false, true, true, true],
        ),
        (
            "\"lt\"",
            [true, false, false, false, true],
            [true, false, false, false, false],
        ),
        (
            "\"le\"",
            [true, true, false, true, true],
            [true, true, false, false, false],
        ),
        (
            "\"gt\"",
            [false, false, true, false, false],
            [false, false, true, true, true],
        ),
        (
            "\"ge\"",
            [false, true, true, true, false],
            [false, true, true, true, true],
        ),
        (
            "{\"masked_eq\": 4294967297}",
            [false, true, false, true, false],
            [false, true, false, false, false],
        ),
        (
            "{\"masked_eq\": 1}",
            [false, true, false, true, false],
            [false, true, false, true, false],
        ),
    ] {
        assert_eq!(hits(op, "dword", Runtime::Spec), dword, "{op} dword");
        assert_eq!(hits(op, "qword", Runtime::Spec), qword, "{op} qword");
        assert_eq!(hits(op, "qword", Runtime::Firecracker), qword, "{op} qword");
    }
    // libseccomp has no 32-bit comparison but by a mask.
    assert_eq!(
        hits("\"eq\"", "dword", Runtime::Firecracker),
        hits("\"eq\"", "dword", Runtime::Spec)
    );
    assert_eq!(
        hits("\"ge\"", "dword", Runtime::Firecracker),
        hits("\"ge\"", "qword", Runtime::Spec)
    );
}

#[test]
fn every_action_is_read_by_both_generations_of_names() {
    for (action, value) in [
        (r#""allow""#, ALLOW),
        (r#"{"errno": 38}"#, 0x0005_0026),
        (r#""kill_thread""#, 0),
        (r#""kill_process""#, 0x8000_0000),
        (r#""log""#, 0x7ffc_0000),
        (r#"{"trace": 5}"#, 0x7ff0_0005),
    ] {
        for [matched, other] in [["match_action", "mismatch_action"], ["filter_action", "default_action"]] {
            let text =
                format!(r#"{{"a": {{"{other}": "trap", "{matched}": {action}, "filter": [{{"syscall": "read"}}]}}}}"#);
            let read = read(&text, &PolicyOptions::default());
            assert_eq!(decide(&read, Abi::X86_64, 0, [0; 6]), value, "{action}");
            assert_eq!(decide(&read, Abi::X86_64, 1, [0; 6]), TRAP);
        }
    }
}

#[test]
fn other_machines_die_and_x32_depends_on_the_compiler() {
    let text = filter(r#"{"syscall": "read"}"#);
    let plain = read(&text, &options(Runtime::Spec));
    assert_eq!(decide(&plain, Abi::Aarch64, 63, [0; 6]), 0x8000_0000);
    assert_eq!(decide(&plain, Abi::X32, 0x4000_0000, [0; 6]), TRAP);
    let firecracker = read(&text, &options(Runtime::Firecracker));
    assert_eq!(decide(&firecracker, Abi::Aarch64, 63, [0; 6]), 0);
    assert_eq!(decide(&firecracker, Abi::X32, 0x4000_0000, [0; 6]), 0);
}

#[test]
fn a_rule_without_conditions_has_no_effect_beside_one_with_conditions() {
    let text = filter(&format!("{}, {{\"syscall\": \"read\"}}", rule("\"eq\"", "dword", 5)));
    let plain = read(&text, &options(Runtime::Spec));
    assert_eq!(decide(&plain, Abi::X86_64, 0, [0; 6]), TRAP);
    assert!(
        plain
            .notes
            .iter()
            .any(|note| note.message.contains("has no effect beside"))
    );
    assert_eq!(
        decide(&read(&text, &options(Runtime::Firecracker)), Abi::X86_64, 0, [0; 6]),
        ALLOW
    );
}

#[test]
fn one_of_several_filters_is_chosen_by_name() {
    let text = r#"{"a": {"default_action": "trap", "filter_action": "allow", "filter": []},
                   "b": {"default_action": "log", "filter_action": "allow", "filter": []}}"#;
    let select = |name: &str| PolicyOptions {
        select: Some(name.to_owned()),
        ..PolicyOptions::default()
    };
    assert_eq!(decide(&read(text, &select("b")), Abi::X86_64, 0, [0; 6]), 0x7ffc_0000);
    assert_eq!(
        problems(text, &PolicyOptions::default()),
        ["the file has 2 filters, and none is chosen"]
    );
    assert_eq!(problems(text, &select("other")), ["there is no filter `other`"]);
    assert_eq!(
        problems(text, &select("bb")),
        ["there is no filter `bb`; did you mean `b`?"]
    );
}

#[test]
fn what_is_wrong_is_told_all_at_once() {
    let text = r#"{"a": {"default_action": "alow", "match_action": {"errno": "x"}, "filter": [
        {"syscal": "read"}, {"syscall": "raed"},
        {"syscall": "read", "args": [{"index": 9, "type": "word", "op": "equal", "val": 1, "coment": ""}]},
        {"syscall": "read", "args": []}]}}"#;
    insta::assert_debug_snapshot!(problems(text, &PolicyOptions::default()));
    let same = r#"{"a": {"default_action": "allow", "filter_action": "allow", "filter": []}}"#;
    assert_eq!(
        problems(same, &PolicyOptions::default()),
        ["both actions are the same, and such a filter is refused"]
    );
    let arm = PolicyOptions {
        abis: vec![Abi::Aarch64],
        ..PolicyOptions::default()
    };
    assert_eq!(
        problems(&filter(r#"{"syscall": "stat"}"#), &arm)[0],
        "unknown system call `stat` on aarch64; did you mean `fstat`?"
    );
}
