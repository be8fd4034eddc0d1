//! Policies that are cut, twisted, endless or meaningless: they are refused or read, and never panic.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use core::cell::Cell;

use callproof_abi::Abi;
use callproof_formats::policy::{
    MAX_POLICY_BYTES, Minijail, MinijailReader, PolicyFormat, PolicyOptions, Runtime, detect_policy, read_policy,
};
use callproof_policy::Env;
use proptest::prelude::*;

const OCI: &str = r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "archMap": [{"architecture":
  "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
  "syscalls": [{"names": ["read", "socket", "clone3"], "action": "SCMP_ACT_ALLOW"}, {"name": "ioctl", "action":
  "SCMP_ACT_ERRNO", "errnoRet": 22, "errno": "EINVAL", "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_NE"},
  {"index": 1, "value": 4294967295, "valueTwo": 5, "op": "SCMP_CMP_MASKED_EQ"}], "includes": {"caps": ["CAP_SYS_ADMIN"],
  "arches": ["amd64"], "minKernel": "4.8"}, "excludes": {}}]}"#;
const SECCOMPILER: &str = r#"{"vmm": {"default_action": "trap", "filter_action": {"errno": 1}, "filter": [{"syscall":
  "ioctl", "args": [{"index": 1, "type": "dword", "op": {"masked_eq": 4}, "val": 7, "comment": "x"}, {"index": 2, "type":
  "qword", "op": "ge", "val": 18446744073709551615}]}, {"syscall": "read"}]}}"#;
const MINIJAIL: &str = "@default trap\n{ read, write[arch=x86_64] }: { arg0 == ~(1|0x2) && arg1 in ~PROT_EXEC; return EPERM, \
  allow }\n@include ./x\nopen: return ENOENT # no\nprctl: arg0 == PR_SET_NAME || \\\n arg0 & -1\n";

fn formats() -> [(PolicyFormat, &'static str); 3] {
    [
        (PolicyFormat::Oci, OCI),
        (PolicyFormat::Seccompiler, SECCOMPILER),
        (PolicyFormat::Minijail, MINIJAIL),
    ]
}

/// Reads a text in every way, and grounds what comes out.
fn every_way(format: Option<PolicyFormat>, bytes: &[u8]) {
    for runtime in [Runtime::Spec, Runtime::Runc, Runtime::Crun, Runtime::Firecracker] {
        let reader = if runtime == Runtime::Runc {
            MinijailReader::Library
        } else {
            MinijailReader::Compiler
        };
        let options = PolicyOptions {
            runtime,
            minijail: Minijail {
                reader,
                ..Minijail::default()
            },
            include: &|_| Ok("close: 1".to_owned()),
            ..PolicyOptions::default()
        };
        match read_policy("hostile", bytes, format, &options) {
            Ok(read) => {
                for policy in &read.policies {
                    drop(policy.ground(&Env::default()));
                }
            }
            Err(problems) => {
                assert!(!problems.problems.is_empty());
                assert!(problems.problems.len() <= 50);
                drop(format!("{:?}", miette::Report::new(problems)));
            }
        }
    }
}

#[test]
fn the_texts_themselves_are_read() {
    for (format, text) in formats() {
        let include = |_: &str| Ok("close: 1".to_owned());
        let options = PolicyOptions {
            include: &include,
            abis: vec![Abi::X86_64],
            ..PolicyOptions::default()
        };
        let read = read_policy("seed", text.as_bytes(), Some(format), &options);
        assert!(read.is_ok(), "{format}: {read:?}");
        assert_eq!(detect_policy("seed", text).ok(), Some(format));
    }
}

#[test]
fn every_beginning_is_refused_or_read() {
    for (format, text) in formats() {
        for end in 0..text.len() {
            every_way(Some(format), &text.as_bytes()[..end]);
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    for (format, text) in formats() {
        for bad in [
            &b"\0"[..],
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            "\u{feff}".as_bytes(),
            "\u{1f980}".as_bytes(),
        ] {
            for at in [0, 5, text.len() / 2, text.len()] {
                let mut bytes = text.as_bytes().to_vec();
                bytes.splice(at..at, bad.iter().copied());
                every_way(Some(format), &bytes);
                every_way(None, &bytes);
            }
        }
    }
    let problems = read_policy("x", b"ab\xff", None, &PolicyOptions::default()).unwrap_err();
    assert_eq!(problems.problems[0].message, "byte 2 is not text");
}

#[test]
fn nesting_without_end() {
    for open in ["[", "{\"a\":", "{\"syscalls\":[", "read: arg0 == ((((", "{{{{", "~"] {
        let text = open.repeat(100_000 / open.len());
        for format in [
            None,
            Some(PolicyFormat::Oci),
            Some(PolicyFormat::Seccompiler),
            Some(PolicyFormat::Minijail),
        ] {
            every_way(format, text.as_bytes());
        }
    }
    let deep = format!("read: arg0 == {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    every_way(Some(PolicyFormat::Minijail), deep.as_bytes());
    let deep = format!("{{\"defaultAction\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    every_way(Some(PolicyFormat::Oci), deep.as_bytes());
}

#[test]
fn texts_that_are_too_long() {
    let long = " ".repeat(MAX_POLICY_BYTES + 1);
    let problems = read_policy("x", long.as_bytes(), None, &PolicyOptions::default()).unwrap_err();
    assert!(problems.problems[0].message.ends_with("at most 1048576 are read"));
}

/// A megabyte of what costs most is still read or refused within seconds.
#[test]
fn texts_that_cost_much() {
    let entry = r#"{"name":"read","action":"SCMP_ACT_LOG","args":[{"index":1,"value":@,"op":"SCMP_CMP_GT"}]},"#;
    let other = entry.replace("LOG", "TRAP").replace("GT", "LT");
    let mut text = String::from(r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":["#);
    for value in 0..500 {
        let entry = if value % 2 == 0 { entry } else { &other };
        text += &entry.replace('@', &(value * 7_919 % 4_001).to_string());
    }
    text.pop();
    text += "]}";
    every_way(Some(PolicyFormat::Oci), text.as_bytes());
    let names: String = (0..60_000).map(|n| format!("x{n}: 1\n")).collect();
    every_way(Some(PolicyFormat::Minijail), names.as_bytes());
    let names: Vec<String> = (0..60_000).map(|n| format!("\"x{n}\"")).collect();
    let text = format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{}],"action":"SCMP_ACT_LOG"}}]}}"#,
        names.join(",")
    );
    every_way(Some(PolicyFormat::Oci), text.as_bytes());
    let lines = "read: arg0 == 1; return EPERM\n".repeat(30_000);
    every_way(Some(PolicyFormat::Minijail), lines.as_bytes());
    let clauses = "arg0 == 1 || ".repeat(50_000);
    every_way(
        Some(PolicyFormat::Minijail),
        format!("read: {clauses}arg0 == 1").as_bytes(),
    );
}

/// Lists of calls times lists of conditions, which are short to write and long to work out.
#[test]
fn texts_that_multiply() {
    let calls: Vec<&str> = Abi::X86_64.syscalls().map(|call| call.name).collect();
    let line = format!(
        "{{ {} }}: {}arg0 == 1",
        calls.join(", "),
        "arg0 == 1 || ".repeat(50_000)
    );
    every_way(Some(PolicyFormat::Minijail), line.as_bytes());
    let names = "\"read\",".repeat(50_000);
    let args = r#"{"index":1,"op":"SCMP_CMP_GT"},"#.repeat(10_000);
    let text = format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{}],"action":"SCMP_ACT_LOG","args":[{}]}}]}}"#,
        names.trim_end_matches(','),
        args.trim_end_matches(',')
    );
    every_way(Some(PolicyFormat::Oci), text.as_bytes());
    // Each condition doubles the tree.
    let args: Vec<String> = (0..6)
        .map(|index| format!(r#"{{"index":{index},"value":@,"op":"SCMP_CMP_GT"}}"#))
        .collect();
    let entry = format!(r#"{{"name":"read","action":"SCMP_ACT_?","args":[{}]}}"#, args.join(","));
    let entries: Vec<String> = (0..1_000)
        .map(|value| {
            entry
                .replace('@', &value.to_string())
                .replace('?', if value % 2 == 0 { "LOG" } else { "TRAP" })
        })
        .collect();
    for many in [400, 1_000] {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]}}"#,
            entries[..many].join(",")
        );
        every_way(Some(PolicyFormat::Oci), text.as_bytes());
    }
}

#[test]
fn a_file_that_includes_itself_often() {
    let count = Cell::new(0);
    let include = |_: &str| {
        count.set(count.get() + 1);
        Ok("@include ./x\n".repeat(1_000))
    };
    let options = PolicyOptions {
        include: &include,
        ..PolicyOptions::default()
    };
    let read = read_policy("x.policy", b"@include ./x", Some(PolicyFormat::Minijail), &options);
    assert!(read.is_err());
    assert!(count.get() <= 100, "{}", count.get());
}

/// Pieces that mean something in one of the formats, so that twisted texts get far.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("],".to_owned()),
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("1e400".to_owned()),
        Just("\\u0000".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("SCMP_ACT_NOTIFY".to_owned()),
        Just("\"SCMP_ARCH_S390X\"".to_owned()),
        Just("socketcall".to_owned()),
        Just("@denylist\n".to_owned()),
        Just("\\\n".to_owned()),
        Just("arg99999999999999999999 == ~~1".to_owned()),
        Just("0xffffffffffffffffff".to_owned()),
        Just("kill@group[arch=x,y;z=w]".to_owned()),
        any::<char>().prop_map(String::from),
        "[ -~]{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn twisted_texts_do_not_panic(
        which in 0..3_usize,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..20_usize, piece()), 1..6),
        detect in any::<bool>(),
    ) {
        let (format, text) = formats()[which];
        let mut bytes = text.as_bytes().to_vec();
        for (at, removed, added) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, added.bytes());
        }
        every_way((!detect).then_some(format), &bytes);
    }

    #[test]
    fn any_text_does_not_panic(text in "\\PC{0,200}") {
        every_way(None, text.as_bytes());
        for (format, _) in formats() {
            every_way(Some(format), text.as_bytes());
        }
    }
}
