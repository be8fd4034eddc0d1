//! Policies that are written in a format and read back answer every call the same, or are refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof_abi::Abi;
use callproof_formats::policy::{
    PolicyFormat, PolicyOptions, PolicyText, PolicyWriteOptions, Runtime, read_policy, write_policy, write_policy_text,
};
use callproof_policy::{AbiItem, AbiList, Answer, Env, GroundPolicy, Policy, parse_policy};
use callproof_testgen::Seed;
use callproof_testgen::policy::{Comparison, PolicyCalls, PolicyShape, policy};
use callproof_vm::{Action, SeccompData};

fn ground(policy: &Policy) -> GroundPolicy {
    policy.ground(&Env::default()).unwrap()
}

fn read(text: &str, format: PolicyFormat, options: &PolicyOptions<'_>) -> Policy {
    match read_policy("written", text.as_bytes(), Some(format), options) {
        Ok(mut read) => {
            assert_eq!(read.policies.len(), 1);
            read.policies.pop().unwrap()
        }
        Err(problems) => panic!("{:?}\n{text}", problems.problems),
    }
}

/// Calls of both policies, and numbers and `arch` words that neither speaks of.
fn calls(policies: [&GroundPolicy; 2], seed: &mut Seed, count: u32) -> Vec<SeccompData> {
    let sources = policies.map(PolicyCalls::of);
    let mut calls: Vec<SeccompData> = (0..count)
        .flat_map(|_| sources.iter().map(|source| source.call(seed)).collect::<Vec<_>>())
        .collect();
    for abi in Abi::ALL {
        for number in [
            0,
            335,
            511,
            0x3fff_ffff,
            0x4000_0000,
            0x8000_0000,
            0xbfff_ffff,
            u32::MAX,
        ] {
            calls.push(SeccompData::new(abi.audit_arch(), number.cast_signed(), [0; 6]));
        }
    }
    calls.push(SeccompData::new(1, 0, [0; 6]));
    calls
}

/// Writes policies of a shape and reads them back. None may be refused.
fn round_trips(format: PolicyFormat, shape: &PolicyShape, policies: u64, runtimes: &[Runtime]) {
    let mut compared = 0_u64;
    for number in 0..policies {
        let mut seed = Seed::new(7, number);
        let made = policy(&mut seed, shape);
        let PolicyText { text, abis } = match write_policy_text(&made, format, &PolicyWriteOptions::default()) {
            Ok(written) => written,
            Err(problems) => panic!("{number}: {:?}\n{made}", problems.problems),
        };
        for &runtime in runtimes {
            let options = PolicyOptions {
                abis: abis.clone(),
                runtime,
                ..PolicyOptions::default()
            };
            let back = ground(&read(&text, format, &options));
            let made_ground = ground(&made);
            for call in calls([&made_ground, &back], &mut seed, 50) {
                let (expected, found) = (made_ground.decide(&call), back.decide(&call));
                assert_eq!(found, expected, "{number}: {runtime:?} {call:x?}\n{made}\n{text}");
                compared += 1;
            }
        }
    }
    assert!(compared > policies * 300, "{compared}");
}

#[test]
fn oci_profiles_mean_what_the_policy_does() {
    round_trips(PolicyFormat::Oci, &PolicyShape::oci(), 700, &[Runtime::Spec]);
}

#[test]
fn big_endian_profiles_too() {
    let shape = PolicyShape {
        abis: vec![Abi::S390x, Abi::S390, Abi::Ppc, Abi::Ppc64],
        ..PolicyShape::oci()
    };
    round_trips(PolicyFormat::Oci, &shape, 200, &[Runtime::Spec]);
}

#[test]
fn filters_of_seccompiler_mean_what_the_policy_does() {
    round_trips(
        PolicyFormat::Seccompiler,
        &PolicyShape::seccompiler(),
        1500,
        &[Runtime::Spec],
    );
}

/// Rules that give the default's answer take calls away from the rules behind them, which seccompiler has no words for.
#[test]
fn rules_of_seccompiler_can_have_exceptions() {
    let shape = PolicyShape {
        one_answer: false,
        answers: vec![Answer::new(Action::Allow), Answer::errno("EPERM")],
        defaults: vec![Answer::errno("EPERM")],
        comparisons: vec![Comparison::Eq, Comparison::Ne, Comparison::Le],
        most_rules: 5,
        most_tests: 2,
        long: 0,
        ..PolicyShape::seccompiler()
    };
    round_trips(PolicyFormat::Seccompiler, &shape, 700, &[Runtime::Spec]);
}

#[test]
fn policies_of_minijail_mean_what_the_policy_does() {
    round_trips(PolicyFormat::Minijail, &PolicyShape::minijail(), 700, &[Runtime::Spec]);
    let narrow = PolicyShape {
        abis: vec![Abi::I386, Abi::Arm, Abi::Mips],
        views: vec![callproof_policy::predicate::View::Lo],
        ..PolicyShape::minijail()
    };
    round_trips(PolicyFormat::Minijail, &narrow, 500, &[Runtime::Spec]);
}

/// Kafel has the names of the kernel's functions and refuses the usual ones (nsjail, x86_64).
#[test]
fn kafel_gets_the_names_that_it_knows() {
    let text = |abi: &str| {
        let policy = format!("default kill_thread\nallow stat, umount2(_, 1), read on {abi}\n");
        let policy = parse_policy("test", &policy).unwrap();
        write_policy(&policy, PolicyFormat::Kafel, &PolicyWriteOptions::default()).unwrap()
    };
    let wide = text("x86_64");
    assert!(wide.contains("newstat") && wide.contains("umount(a0"), "{wide}");
    assert!(!wide.contains(" stat") && !wide.contains("umount2"), "{wide}");
    let narrow = text("i386");
    assert!(
        narrow.contains("SYSCALL[106]") && narrow.contains("SYSCALL[52](a0") && narrow.contains("read"),
        "{narrow}"
    );
}

#[test]
fn policies_of_kafel_mean_what_the_policy_does() {
    round_trips(PolicyFormat::Kafel, &PolicyShape::kafel(), 700, &[Runtime::Spec]);
}

#[test]
fn pseudo_filter_code_means_what_the_policy_does() {
    round_trips(PolicyFormat::Pfc, &PolicyShape::libseccomp(), 700, &[Runtime::Spec]);
    let contradicting = PolicyShape {
        contradicting: true,
        repeated: true,
        ..PolicyShape::libseccomp()
    };
    round_trips(PolicyFormat::Pfc, &contradicting, 500, &[Runtime::Spec]);
}

#[test]
fn any_policy_is_refused_or_means_the_same() {
    for &format in PolicyFormat::ALL {
        let (mut written, mut refused) = (0, 0);
        for number in 0..400 {
            let mut seed = Seed::new(8, number);
            let shape = PolicyShape {
                most_abis: 1,
                most_rules: 2,
                long: 0,
                ..PolicyShape::default()
            };
            let made = policy(&mut seed, &shape);
            let Ok(PolicyText { text, abis }) = write_policy_text(&made, format, &PolicyWriteOptions::default()) else {
                refused += 1;
                continue;
            };
            written += 1;
            let options = PolicyOptions {
                abis,
                ..PolicyOptions::default()
            };
            let (made_ground, back) = (ground(&made), ground(&read(&text, format, &options)));
            for call in calls([&made_ground, &back], &mut seed, 50) {
                assert_eq!(
                    back.decide(&call),
                    made_ground.decide(&call),
                    "{format} {number}: {call:x?}\n{made}\n{text}"
                );
            }
        }
        assert_eq!(written == 0, format == PolicyFormat::Systemd, "{format}");
        assert_eq!(refused == 0, format == PolicyFormat::Policy, "{format}");
    }
}

fn refusal(text: &str, format: PolicyFormat) -> String {
    let policy = parse_policy("test", text).unwrap();
    let problems = write_policy(&policy, format, &PolicyWriteOptions::default()).unwrap_err();
    let problem = problems.problems.first().unwrap();
    format!("{}\n{}", problem.message, problem.help.as_deref().unwrap_or_default())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn refusals_name_the_rule_and_the_reason() {
    use PolicyFormat::{Kafel, Minijail, Oci, Pfc, Seccompiler, Systemd};
    for (text, format, expected) in [
        (
            "default kill\nallow read on x86_64\nerrno(EPERM) write on x86_64\n",
            Seccompiler,
            "a third answer, errno(1)",
        ),
        (
            "default kill\nallow read on x86_64\nallow read on i386\n",
            Seccompiler,
            "rule 2, `allow read on i386`: calls of i386",
        ),
        (
            "default kill\nallow read on x86_64\nlog * on x86_64\n",
            Seccompiler,
            "`log * on x86_64, x32`",
        ),
        (
            "default kill\nallow 999 on x86_64\n",
            Seccompiler,
            "number 999 is no call of x86_64",
        ),
        (
            "default kill\nallow 1000..=2000 on x86_64\n",
            Seccompiler,
            "get different answers",
        ),
        (
            "default kill\nallow *(raw:1) on x86_64\n",
            Seccompiler,
            "tests arguments of numbers that are no call of x86_64",
        ),
        (
            "default kill_thread\nallow read(ip > 7) on x86_64\n",
            Kafel,
            "instruction pointer",
        ),
        (
            "default kill_thread\nallow read(hi:7) on i386\n",
            Minijail,
            "tests the high half of an argument",
        ),
        (
            "default kill_thread\nallow read on s390x\nallow read(lo:7) on s390x\nerrno write on x86_64\n",
            Oci,
            "byte order",
        ),
        ("default kill_thread\nallow read(lo:7) on s390x\n", Kafel, "big-endian"),
        (
            "default kill_thread\nallow read on x86_64\nerrno read on i386\n",
            Oci,
            "`read` gets other answers on x86_64 than on i386",
        ),
        (
            "default kill_thread\nerrno(EPERM) read on x86_64\nallow * on x86_64, x32\nlog write on i386\n",
            Minijail,
            "calls of i386",
        ),
        (
            "default kill_thread\nlog * on x86_64, x32\n",
            Minijail,
            "refuses a default that lets calls go on",
        ),
        (
            "default kill_thread\ntrap(7) read on x86_64\n",
            Pfc,
            "rule 1, `trap(7) read on x86_64`: pseudo filter code has no words for trap(7)",
        ),
        (
            "default kill\nnotify read on x86_64\n",
            Seccompiler,
            "no words for notify",
        ),
        ("default allow\nkill read on x86_64\nkill read on x32\n", Pfc, "x32"),
        ("default allow\nkill * on x86_64\n", Pfc, "numbers from 0x80000000"),
        ("default allow\n", Systemd, "units of systemd are not written"),
    ] {
        let found = refusal(text, format);
        assert!(found.contains(expected), "{format} {text}: {found}");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let tests: Vec<String> = (0..6).map(|n| format!("lo:> 0x5555555{n}")).collect();
    let text = format!(
        "default kill_thread\nallow read({}) on x86_64\nkill_thread * on x86_64\n",
        tests.join(", ")
    );
    assert!(refusal(&text, PolicyFormat::Minijail).contains("rule 1"));
    assert!(refusal(&text, PolicyFormat::Minijail).contains("more than 4096 tests"));
}

#[test]
fn what_other_abis_get_can_be_left_to_the_tool() {
    let policy = parse_policy(
        "test",
        "default errno(EPERM)\nallow read, write\nlog openat(_, _, raw:0)\n",
    )
    .unwrap();
    let native = AbiList::of([AbiItem::Abi(Abi::X86_64)]);
    for format in [PolicyFormat::Oci, PolicyFormat::Kafel, PolicyFormat::Pfc] {
        let mut options = PolicyWriteOptions {
            env: Env::new(native.clone()),
            ..PolicyWriteOptions::default()
        };
        // libseccomp gives others any answer that it is told, the other tools kill.
        assert_eq!(
            write_policy(&policy, format, &options).is_ok(),
            format == PolicyFormat::Pfc
        );
        options.abis = vec![Abi::X86_64];
        let text = write_policy(&policy, format, &options).unwrap();
        let back = ground(&read(&text, format, &PolicyOptions::default()));
        let made = policy.ground(&options.env).unwrap();
        let mut seed = Seed::new(9, 0);
        for call in calls([&made, &back], &mut seed, 500) {
            if Abi::from_call(call.arch, call.nr.cast_unsigned()) == Some(Abi::X86_64) {
                assert_eq!(back.decide(&call), made.decide(&call), "{format} {call:x?}\n{text}");
            }
        }
    }
}
