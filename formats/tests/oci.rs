//! OCI profiles: what small ones come to, by each reading, and what is said of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyRead, Runtime, read_policy};
use callproof_policy::Env;
use callproof_vm::{Kernel, SeccompData};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const KILL_THREAD: u32 = 0;
const RUNTIMES: [Runtime; 3] = [Runtime::Spec, Runtime::Runc, Runtime::Crun];

fn options(runtime: Runtime) -> PolicyOptions<'static> {
    PolicyOptions {
        runtime,
        ..PolicyOptions::default()
    }
}

fn read(text: &str, options: &PolicyOptions<'_>) -> PolicyRead {
    let read = read_policy("test.json", text.as_bytes(), Some(PolicyFormat::Oci), options);
    read.unwrap_or_else(|problems| panic!("{:#?}", problems.problems))
}

fn problems(text: &str, options: &PolicyOptions<'_>) -> Vec<String> {
    let problems = read_policy("test.json", text.as_bytes(), None, options).unwrap_err();
    problems.problems.into_iter().map(|problem| problem.message).collect()
}

/// What a call by name gets; by number when it is one.
fn decide(read: &PolicyRead, abi: Abi, call: &str, args: [u64; 6]) -> u32 {
    let number = call.parse().unwrap_or_else(|_| abi.number(call).unwrap());
    let call = SeccompData::new(abi.audit_arch(), number.cast_signed(), args);
    assert_eq!(read.policies.len(), 1);
    read.policies[0].ground(&Env::default()).unwrap().decide(&call)
}

fn says(read: &PolicyRead, what: &str) -> bool {
    read.notes.iter().any(|note| note.message.contains(what))
}

/// A profile for x86_64 and i386 that refuses with EPERM, with these entries.
fn profile(syscalls: &str) -> String {
    format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [{syscalls}]}}"#
    )
}

fn allow(name: &str, args: &str) -> String {
    format!(r#"{{"names": ["{name}"], "action": "SCMP_ACT_ALLOW", "args": [{args}]}}"#)
}

fn arg(index: u8, op: &str, value: u64) -> String {
    format!(r#"{{"index": {index}, "value": {value}, "op": "SCMP_CMP_{op}"}}"#)
}

#[test]
fn each_operator_compares_unsigned() {
    for (op, hits) in [
        ("NE", [true, false, true]),
        ("LT", [true, false, false]),
        ("LE", [true, true, false]),
        ("EQ", [false, true, false]),
        ("GE", [false, true, true]),
        ("GT", [false, false, true]),
    ] {
        for runtime in RUNTIMES {
            let read = read(&profile(&allow("read", &arg(1, op, 0x1_0000_0005))), &options(runtime));
            let got = [0x1_0000_0004, 0x1_0000_0005, 0xffff_ffff_0000_0000]
                .map(|value| decide(&read, Abi::X86_64, "read", [0, value, 0, 0, 0, 0]) == ALLOW);
            assert_eq!(got, hits, "{op} {runtime:?}");
        }
    }
}

#[test]
fn a_mask_is_value_and_what_is_wanted_is_value_two() {
    let masked = r#"{"index": 0, "value": 12, "valueTwo": 6, "op": "SCMP_CMP_MASKED_EQ"}"#;
    let read = read(&profile(&allow("close", masked)), &options(Runtime::Runc));
    let got = [4, 5, 7, 8, 12, 0].map(|value| decide(&read, Abi::X86_64, "close", [value, 0, 0, 0, 0, 0]) == ALLOW);
    assert_eq!(got, [true, true, true, false, false, false]);
    assert!(says(&read, "bits of `valueTwo`"));
}

#[test]
fn every_action_has_its_value() {
    for (action, errno, value) in [
        ("KILL", "", KILL_THREAD),
        ("KILL_THREAD", "", KILL_THREAD),
        ("KILL_PROCESS", "", 0x8000_0000),
        ("TRAP", "", 0x0003_0000),
        ("ERRNO", "", EPERM),
        ("ERRNO", r#", "errnoRet": 38"#, ENOSYS),
        ("ERRNO", r#", "errno": "ENOSYS""#, ENOSYS),
        ("ERRNO", r#", "errno": "ENOSYS", "errnoRet": 1"#, ENOSYS),
        ("TRACE", r#", "errnoRet": 7"#, 0x7ff0_0007),
        ("TRACE", "", 0x7ff0_0001),
        ("LOG", "", 0x7ffc_0000),
        ("NOTIFY", "", 0x7fc0_0000),
    ] {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"name": "read", "action": "SCMP_ACT_{action}"{errno}}}]}}"#
        );
        for runtime in RUNTIMES {
            let read = read(&text, &options(runtime));
            assert_eq!(
                decide(&read, Abi::X86_64, "read", [0; 6]),
                value,
                "{action}{errno} {runtime:?}"
            );
            assert_eq!(decide(&read, Abi::X86_64, "write", [0; 6]), ALLOW);
        }
    }
}

#[test]
fn other_abis_kill_and_so_does_the_bit_of_x32() {
    for runtime in RUNTIMES {
        let read = read(&profile(&allow("read", "")), &options(runtime));
        assert_eq!(decide(&read, Abi::Aarch64, "read", [0; 6]), KILL_THREAD);
        assert_eq!(decide(&read, Abi::X32, "read", [0; 6]), KILL_THREAD);
        assert_eq!(decide(&read, Abi::I386, "read", [0; 6]), ALLOW);
        assert_eq!(decide(&read, Abi::X86_64, "4294967295", [0; 6]), EPERM);
        assert!(says(&read, "other ABIs than x86_64, i386"));
    }
    // libseccomp compares with bit 30 and takes all numbers above it for x32.
    let read = read(&profile(&allow("read", "")), &options(Runtime::Crun));
    assert_eq!(decide(&read, Abi::X86_64, "2147483648", [0; 6]), KILL_THREAD);
}

#[test]
fn a_repeated_argument_turns_all_into_any() {
    let args = [arg(0, "GE", 10), arg(0, "LE", 20), arg(1, "EQ", 7)].join(", ");
    let text = profile(&allow("read", &args));
    let calls = [[15, 7], [15, 0], [5, 7], [30, 0]];
    let got = |runtime| {
        let read = read(&text, &options(runtime));
        assert!(says(&read, "one of them is enough"));
        calls.map(|[a, b]| decide(&read, Abi::X86_64, "read", [a, b, 0, 0, 0, 0]) == ALLOW)
    };
    assert_eq!(got(Runtime::Spec), [true, false, false, false]);
    assert_eq!(got(Runtime::Runc), [true; 4]);
    assert_eq!(got(Runtime::Crun), [true; 4]);
}

#[test]
fn socketcall_hides_the_family() {
    let text = profile(&allow("socket", &arg(0, "EQ", 1)));
    let unix = [1, 0, 0, 0, 0, 0];
    for (runtime, through) in [(Runtime::Spec, EPERM), (Runtime::Runc, ALLOW), (Runtime::Crun, ALLOW)] {
        let read = read(&text, &options(runtime));
        assert_eq!(decide(&read, Abi::I386, "socket", unix), ALLOW);
        assert_eq!(decide(&read, Abi::I386, "socket", [2, 0, 0, 0, 0, 0]), EPERM);
        assert_eq!(decide(&read, Abi::I386, "socketcall", unix), through, "{runtime:?}");
        assert_eq!(decide(&read, Abi::I386, "socketcall", [2, 0, 0, 0, 0, 0]), EPERM);
        assert_eq!(says(&read, "`socketcall`"), runtime != Runtime::Spec);
    }
}

#[test]
fn of_a_carried_call_only_the_first_condition_is_lost() {
    let text = profile(&allow("socket", &[arg(0, "EQ", 2), arg(1, "EQ", 5)].join(", ")));
    let read = read(&text, &options(Runtime::Crun));
    let through = |second| decide(&read, Abi::I386, "socketcall", [1, second, 0, 0, 0, 0]);
    assert_eq!([through(5), through(6)], [ALLOW, EPERM]);
}

#[test]
fn halves_are_compared_on_x32() {
    let text = profile(&allow("read", &arg(0, "EQ", 5))).replace("SCMP_ARCH_X86\"", "SCMP_ARCH_X32\"");
    let high = [0x1_0000_0005, 0, 0, 0, 0, 0];
    for (runtime, x32) in [(Runtime::Spec, EPERM), (Runtime::Runc, ALLOW)] {
        let read = read(&text, &options(runtime));
        assert_eq!(decide(&read, Abi::X86_64, "read", high), EPERM);
        assert_eq!(decide(&read, Abi::X32, "read", high), x32);
    }
}

#[test]
fn halves_are_compared_where_words_have_32_bits() {
    let text = profile(&allow("read", &arg(0, "EQ", 5)));
    let high = [0x1_0000_0005, 0, 0, 0, 0, 0];
    for (runtime, i386) in [(Runtime::Spec, EPERM), (Runtime::Crun, ALLOW)] {
        let read = read(&text, &options(runtime));
        assert_eq!(decide(&read, Abi::X86_64, "read", high), EPERM);
        assert_eq!(decide(&read, Abi::I386, "read", high), i386);
    }
}

#[test]
fn runc_answers_enosys_beyond_what_the_profile_names() {
    let text = profile(&[allow("read", ""), allow("openat", "")].join(", "));
    let with = |runtime, abi, number: &str| decide(&read(&text, &options(runtime)), abi, number, [0; 6]);
    // openat is 257 on x86_64 and 295 on i386.
    assert_eq!(with(Runtime::Runc, Abi::X86_64, "257"), ALLOW);
    assert_eq!(with(Runtime::Runc, Abi::X86_64, "256"), EPERM);
    assert_eq!(with(Runtime::Runc, Abi::X86_64, "258"), ENOSYS);
    assert_eq!(with(Runtime::Runc, Abi::X86_64, "4294967295"), EPERM);
    assert_eq!(with(Runtime::Runc, Abi::I386, "295"), ALLOW);
    assert_eq!(with(Runtime::Runc, Abi::I386, "296"), ENOSYS);
    assert_eq!(with(Runtime::Crun, Abi::X86_64, "258"), EPERM);
    // With x32 bit 30 tells which largest number counts, and -1 has it.
    let x32 = text.replace("SCMP_ARCH_X86\"", "SCMP_ARCH_X32\"");
    let x32 = read(&x32, &options(Runtime::Runc));
    assert_eq!(decide(&x32, Abi::X86_64, "4294967295", [0; 6]), ENOSYS);
    assert_eq!(decide(&x32, Abi::X32, "1073742081", [0; 6]), ALLOW);
    assert_eq!(decide(&x32, Abi::X32, "1073742082", [0; 6]), ENOSYS);
    let permissive = text.replace("\"SCMP_ACT_ERRNO\"", "\"SCMP_ACT_LOG\"");
    assert_eq!(
        decide(&read(&permissive, &options(Runtime::Runc)), Abi::X86_64, "258", [0; 6]),
        0x7ffc_0000
    );
}

#[test]
fn a_rule_without_conditions_takes_the_place_of_others() {
    let trap = r#"{"names": ["read"], "action": "SCMP_ACT_TRAP"}"#;
    let some = allow("read", &arg(0, "EQ", 1));
    for text in [format!("{some}, {trap}"), format!("{trap}, {some}")] {
        for runtime in [Runtime::Runc, Runtime::Crun] {
            let read = read(&profile(&text), &options(runtime));
            assert_eq!(decide(&read, Abi::X86_64, "read", [1, 0, 0, 0, 0, 0]), 0x0003_0000);
            assert!(says(&read, "two rules for `read`"));
        }
    }
    let read = read(&profile(&format!("{some}, {trap}")), &options(Runtime::Spec));
    assert_eq!(decide(&read, Abi::X86_64, "read", [1, 0, 0, 0, 0, 0]), ALLOW);
}

#[test]
fn rules_with_the_default_action_are_dropped() {
    let refuse = r#"{"names": ["read"], "action": "SCMP_ACT_ERRNO"}"#;
    let text = profile(&format!("{refuse}, {}", allow("read", "")));
    for (runtime, value) in [(Runtime::Spec, EPERM), (Runtime::Runc, ALLOW), (Runtime::Crun, ALLOW)] {
        let read = read(&text, &options(runtime));
        assert_eq!(decide(&read, Abi::X86_64, "read", [0; 6]), value);
        assert_eq!(says(&read, "drops this rule"), runtime != Runtime::Spec);
    }
}

/// Conditions of an entry, the capabilities and kernel of a process on x86_64, and whether the entry is in force.
#[rustfmt::skip] // one row a case
const CONDITIONS: &[(&str, &[&str], Kernel, bool)] = &[
    (r#""includes": {"caps": ["CAP_A", "CAP_B"]}"#, &["CAP_A"], Kernel::LATEST, false),
    (r#""includes": {"caps": ["CAP_A", "CAP_B"]}"#, &["CAP_A", "CAP_B"], Kernel::LATEST, true),
    (r#""excludes": {"caps": ["CAP_A", "CAP_B"]}"#, &["CAP_B"], Kernel::LATEST, false),
    (r#""excludes": {"caps": ["CAP_A", "CAP_B"]}"#, &[], Kernel::LATEST, true),
    (r#""includes": {"arches": ["arm64", "amd64"]}"#, &[], Kernel::LATEST, true),
    (r#""includes": {"arches": ["arm64"]}"#, &[], Kernel::LATEST, false),
    (r#""excludes": {"arches": ["amd64"]}"#, &[], Kernel::LATEST, false),
    (r#""includes": {"minKernel": "4.8"}"#, &[], Kernel::new(4, 7), false),
    (r#""includes": {"minKernel": "4.8"}"#, &[], Kernel::new(4, 8), true),
    (r#""excludes": {"minKernel": "4.8"}"#, &[], Kernel::new(4, 8), false),
];

#[test]
fn entries_have_conditions_on_the_process() {
    for (conditions, caps, kernel, there) in CONDITIONS {
        let text = profile(&format!(
            r#"{{"names": ["mount"], "action": "SCMP_ACT_ALLOW", {conditions}}}"#
        ));
        let options = PolicyOptions {
            caps: caps.iter().map(|cap| (*cap).to_owned()).collect(),
            kernel: *kernel,
            ..PolicyOptions::default()
        };
        let value = decide(&read(&text, &options), Abi::X86_64, "mount", [0; 6]);
        assert_eq!(value == ALLOW, *there, "{conditions}");
    }
}

#[test]
fn the_machine_chooses_its_entry_of_arch_map() {
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#;
    let machine = |abi| PolicyOptions {
        abis: vec![abi],
        ..PolicyOptions::default()
    };
    let on = |machine: &PolicyOptions<'_>, abi| decide(&read(text, machine), abi, "read", [0; 6]);
    assert_eq!(on(&machine(Abi::Aarch64), Abi::Arm), ALLOW);
    assert_eq!(on(&machine(Abi::Aarch64), Abi::X86_64), KILL_THREAD);
    assert_eq!(on(&PolicyOptions::default(), Abi::I386), ALLOW);
    assert_eq!(on(&machine(Abi::Riscv64), Abi::Riscv64), ALLOW);
}

#[test]
fn the_profile_of_a_container_is_found_in_its_configuration() {
    let text = format!(
        r#"{{"ociVersion": "1.0", "linux": {{"seccomp": {}}}}}"#,
        profile(&allow("read", ""))
    );
    let read = read(&text, &options(Runtime::Crun));
    assert_eq!(decide(&read, Abi::X86_64, "read", [0; 6]), ALLOW);
}

#[test]
fn a_name_that_nobody_knows_is_left_out_and_told() {
    let text = profile(&format!("{}, {}", allow("raed", ""), allow("read", "")));
    for runtime in RUNTIMES {
        let read = read(&text, &options(runtime));
        assert!(says(&read, "`raed` is no system call"));
        let note = read.notes.iter().find(|note| note.message.contains("raed")).unwrap();
        assert_eq!(text.get(note.span.start..note.span.end), Some("\"raed\""));
    }
}

#[test]
fn what_is_wrong_is_told_all_at_once_and_by_name() {
    let text = r#"{"defaultActoin": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_46"], "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALOW"},
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": -1, "op": "SCMP_CMP_EQ"}]},
        {"action": "SCMP_ACT_ALLOW", "errno": "EPREM"}]}"#;
    insta::assert_debug_snapshot!(problems(text, &PolicyOptions::default()));
}

#[test]
fn runtimes_refuse_what_they_cannot_do() {
    let runc = options(Runtime::Runc);
    let notify = |name: &str| profile(&format!(r#"{{"names": ["{name}"], "action": "SCMP_ACT_NOTIFY"}}"#));
    assert_eq!(
        problems(&notify("write"), &runc),
        ["runc refuses `SCMP_ACT_NOTIFY` for `write`"]
    );
    read(&notify("read"), &runc);
    let errno = profile(r#"{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}"#);
    assert_eq!(
        problems(&errno, &options(Runtime::Crun)),
        ["`SCMP_ACT_ALLOW` has no error, and crun refuses it"]
    );
    assert!(says(&read(&errno, &runc), "the number is ignored"));
    // The same condition with two answers.
    let trap = allow("read", &arg(0, "EQ", 1)).replace("ALLOW", "TRAP");
    let both = profile(&format!("{}, {trap}", allow("read", &arg(0, "EQ", 1))));
    assert!(problems(&both, &runc)[0].contains("libseccomp refuses the two together"));
    let orders = r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]}"#;
    assert!(problems(orders, &runc)[0].contains("differ in byte order"));
}

#[test]
fn json_that_is_none_is_told_with_its_place() {
    let problems = read_policy("a.json", b"{\"defaultAction\": \n  x}", None, &PolicyOptions::default()).unwrap_err();
    assert_eq!(problems.problems[0].message, "this is not JSON: expected value");
    assert_eq!(problems.problems[0].span.start, 21);
}

const LOG: u32 = 0x7ffc_0000;
const TRAP: u32 = 0x0003_0000;

/// Index, operator and value.
type Condition = (u8, &'static str, u64);

/// Two conditions on `read` with the answers LOG and TRAP, and what filters of libseccomp 2.5.4 said to calls with the
/// first two arguments 7 and 3, 6 and 3, 8 and 0, 7 and 0.
#[rustfmt::skip] // one row a case
const RECORDED: &[(Condition, Condition, [u32; 4])] = &[
    ((0, "GT", 1), (0, "GT", 5), [TRAP, TRAP, TRAP, TRAP]),
    ((0, "EQ", 7), (1, "EQ", 3), [TRAP, TRAP, EPERM, LOG]),
    ((1, "EQ", 3), (0, "EQ", 7), [LOG, LOG, EPERM, TRAP]),
    ((0, "GE", 2), (0, "EQ", 7), [TRAP, LOG, LOG, TRAP]),
    ((0, "LE", 9), (0, "LE", 7), [TRAP, TRAP, LOG, TRAP]),
];

#[test]
fn which_of_two_rules_counts_is_for_libseccomp_to_say() {
    for (log, trap, recorded) in RECORDED {
        let entry =
            |(index, op, value): &Condition, action| allow("read", &arg(*index, op, *value)).replace("ALLOW", action);
        let (log, trap) = (entry(log, "LOG"), entry(trap, "TRAP"));
        for text in [format!("{log}, {trap}"), format!("{trap}, {log}")] {
            let read = read(&profile(&text), &options(Runtime::Crun));
            let calls = [[7, 3], [6, 3], [8, 0], [7, 0]];
            let got = calls.map(|[a, b]| decide(&read, Abi::X86_64, "read", [a, b, 0, 0, 0, 0]));
            assert_eq!(got, *recorded, "{text}");
            assert!(says(&read, "libseccomp's tree"));
        }
    }
}
