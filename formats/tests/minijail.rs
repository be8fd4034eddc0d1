//! Policies of minijail: what small ones come to, by both readers, and what is said of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_abi::Abi;
use callproof_formats::policy::{Minijail, MinijailReader, PolicyFormat, PolicyOptions, PolicyRead, read_policy};
use callproof_policy::{Answer, Env};
use callproof_vm::{Action, SeccompData};

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0;
const ENOSYS: u32 = 0x0005_0026;

fn options(reader: MinijailReader) -> PolicyOptions<'static> {
    let minijail = Minijail {
        reader,
        ..Minijail::default()
    };
    PolicyOptions {
        minijail,
        ..PolicyOptions::default()
    }
}

fn compiler() -> PolicyOptions<'static> {
    options(MinijailReader::Compiler)
}

fn library() -> PolicyOptions<'static> {
    options(MinijailReader::Library)
}

fn read(text: &str, options: &PolicyOptions<'_>) -> PolicyRead {
    let read = read_policy("test.policy", text.as_bytes(), Some(PolicyFormat::Minijail), options);
    read.unwrap_or_else(|problems| panic!("{:#?}", problems.problems))
}

fn problems(text: &str, options: &PolicyOptions<'_>) -> Vec<String> {
    let problems = read_policy("test.policy", text.as_bytes(), None, options).unwrap_err();
    problems.problems.into_iter().map(|problem| problem.message).collect()
}

fn decide(read: &PolicyRead, abi: Abi, call: &str, args: [u64; 6]) -> u32 {
    let call = SeccompData::new(abi.audit_arch(), abi.number(call).unwrap().cast_signed(), args);
    read.policies[0].ground(&Env::default()).unwrap().decide(&call)
}

fn on_read(line: &str, first: u64, options: &PolicyOptions<'_>) -> u32 {
    decide(&read(line, options), Abi::X86_64, "read", [first, 0, 0, 0, 0, 0])
}

#[test]
fn each_operator_compares_whole_registers() {
    let values = [0, 4, 5, 6, 0x1_0000_0005];
    for (condition, hits) in [
        ("arg0 == 5", [false, false, true, false, false]),
        ("arg0 != 5", [true, true, false, true, true]),
        ("arg0 < 5", [true, true, false, false, false]),
        ("arg0 <= 5", [true, true, true, false, false]),
        ("arg0 > 5", [false, false, false, true, true]),
        ("arg0 >= 5", [false, false, true, true, true]),
        ("arg0 & 3", [false, false, true, true, true]),
        ("arg0 in 5", [true, true, true, false, false]),
        ("arg0 in ~1", [true, true, false, true, false]),
        ("arg0 == 4 || arg0 == 6", [false, true, false, true, false]),
        ("arg0 >= 4 && arg0 != 5 && arg0 < 7", [false, true, false, true, false]),
        ("arg0 == 1|4", [false, false, true, false, false]),
        ("arg0 == 0x5", [false, false, true, false, false]),
        ("arg0 == (1|4) || arg0 == 0x0", [true, false, true, false, false]),
        ("arg0 == 05", [false, false, true, false, false]),
        ("arg0 == ~0xfffffffffffffffa", [false, false, true, false, false]),
    ] {
        for options in [compiler(), library()] {
            let got = values.map(|value| on_read(&format!("read: {condition}"), value, &options) == ALLOW);
            assert_eq!(got, hits, "{condition}");
        }
    }
}

#[test]
fn halves_are_compared_on_32_bit_machines() {
    let options = PolicyOptions {
        abis: vec![Abi::Arm],
        ..compiler()
    };
    let read = read("read: arg0 == -1", &options);
    assert_eq!(decide(&read, Abi::Arm, "read", [0x5_ffff_ffff, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(decide(&read, Abi::Arm, "read", [0; 6]), KILL);
    assert_eq!(
        problems("read: arg0 == 0x100000000", &options),
        ["`0x100000000` does not fit a register"]
    );
}

#[test]
fn a_return_behind_a_condition_is_for_opposite_calls() {
    let line = "read: arg0 == 5; return ENOSYS";
    assert_eq!(
        [on_read(line, 5, &compiler()), on_read(line, 6, &compiler())],
        [ENOSYS, KILL]
    );
    assert_eq!(
        [on_read(line, 5, &library()), on_read(line, 6, &library())],
        [ALLOW, ENOSYS]
    );
    for options in [compiler(), library()] {
        let read = read(line, &options);
        assert!(
            read.notes.iter().any(|note| note.message.contains("the condition")),
            "{:?}",
            read.notes
        );
    }
}

#[test]
fn every_action_has_its_value() {
    for (action, value) in [
        ("1", ALLOW),
        ("allow", ALLOW),
        ("kill", KILL),
        ("kill-thread", KILL),
        ("kill-process", 0x8000_0000),
        ("trap", 0x0003_0000),
        ("trace", 0x7ff0_0000),
        ("log", 0x7ffc_0000),
        ("user-notify", 0x7fc0_0000),
        ("return 38", ENOSYS),
        ("return ENOSYS", ENOSYS),
    ] {
        assert_eq!(on_read(&format!("read: {action}"), 0, &compiler()), value, "{action}");
    }
}

#[test]
fn lists_of_calls_and_of_filters() {
    let text = "{ read, write[arch=x86_64], open[arch=arm64] }: { arg0 == 1; return 1, arg0 == 2; return 2, allow }";
    let read = read(text, &compiler());
    for call in ["read", "write"] {
        let got = [1, 2, 3].map(|first| decide(&read, Abi::X86_64, call, [first, 0, 0, 0, 0, 0]));
        assert_eq!(got, [0x0005_0001, 0x0005_0002, ALLOW], "{call}");
    }
    assert_eq!(decide(&read, Abi::X86_64, "open", [0; 6]), KILL);
}

#[test]
fn what_no_line_has_gets_the_default() {
    let text = "@default trap\nread: 1\n";
    assert_eq!(
        decide(&read(text, &compiler()), Abi::X86_64, "write", [0; 6]),
        0x0003_0000
    );
    let minijail = Minijail {
        kill_process: true,
        ..Minijail::default()
    };
    let options = PolicyOptions {
        minijail,
        ..PolicyOptions::default()
    };
    assert_eq!(
        decide(&read("read: 1", &options), Abi::X86_64, "write", [0; 6]),
        0x8000_0000
    );
    assert_eq!(
        decide(&read(text, &options), Abi::Aarch64, "write", [0; 6]),
        0x8000_0000
    );
    let minijail = Minijail {
        default: Some(Answer::new(Action::Log)),
        ..Minijail::default()
    };
    let options = PolicyOptions {
        minijail,
        ..PolicyOptions::default()
    };
    assert_eq!(decide(&read(text, &options), Abi::X86_64, "write", [0; 6]), 0x7ffc_0000);
    let deny = read("@denylist\nbpf: return EPERM", &compiler());
    assert_eq!(decide(&deny, Abi::X86_64, "bpf", [0; 6]), 0x0005_0001);
    assert_eq!(decide(&deny, Abi::X86_64, "read", [0; 6]), ALLOW);
}

#[test]
fn files_are_included_and_their_problems_placed() {
    let include = |path: &str| match path {
        "./more/a" => Ok("@include ./b\nwrite: 1".to_owned()),
        "./more/b" => Ok("close: 1".to_owned()),
        "./wrong" => Ok("read: 1\nraed: 1".to_owned()),
        "./self" => Ok("@include ./self".to_owned()),
        other => Err(format!("no {other}")),
    };
    let options = PolicyOptions {
        include: &include,
        ..compiler()
    };
    let read = read("@include ./more/a\nread: 1\n@frequency ./whatever", &options);
    for call in ["read", "write", "close"] {
        assert_eq!(decide(&read, Abi::X86_64, call, [0; 6]), ALLOW, "{call}");
    }
    assert_eq!(
        problems("@include ./none", &options),
        ["`./none` is not included: no ./none"]
    );
    let wrong = problems("@include ./self", &options);
    assert!(wrong[0].ends_with("files include files more than 10 deep"), "{wrong:?}");
    assert_eq!(
        problems("@include ./wrong", &options),
        ["unknown system call `raed` on x86_64; did you mean `read`?"]
    );
    let deep = PolicyOptions {
        include: &include,
        ..library()
    };
    assert!(problems("@include ./more/a", &deep)[0].contains("more than 1 deep"));
}

#[test]
fn a_call_has_one_last_word() {
    assert_eq!(
        problems("read: 1\nread: arg0 == 1", &compiler()),
        ["`read` already has an action without a condition"]
    );
    let both = "read: arg0 == 1\nread: arg0 == 2";
    assert_eq!(
        [on_read(both, 1, &compiler()), on_read(both, 2, &compiler())],
        [ALLOW; 2]
    );
    assert_eq!(problems(both, &library()), ["a second line for `read`"]);
}

#[test]
fn what_is_wrong_is_told_all_at_once() {
    let text = "raed: 1\nread: arg6 == 1\nwrite: arg0 = 1\nopen: arg0 == O_RDNOLY\nclose: arg0 ==\nfstat: { 1\n\
                stat: return 70000\nlstat: allow 1\n@defualt kill\n@default allow\nexit: arg0 == 1 ||\nexit_group 1\n";
    insta::assert_debug_snapshot!(problems(text, &compiler()));
    assert_eq!(problems("read: 1 $", &compiler()), ["`$` has no meaning here"]);
}
