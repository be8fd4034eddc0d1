//! Units of systemd: what is read, against the filters that systemd loaded for the same directives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

#[path = "support/captured.rs"]
mod captured;
mod support;

use std::path::Path;

use callproof_abi::Abi;
use callproof_formats::policy::{PolicyFormat, PolicyOptions, PolicyRead, read_policy};
use callproof_vm::SeccompData;
use support::{calls, corpus, differences, filter, ground};

fn read(text: &str) -> Result<PolicyRead, Vec<String>> {
    read_policy(
        "test.service",
        text.as_bytes(),
        Some(PolicyFormat::Systemd),
        &PolicyOptions::default(),
    )
    .map_err(|problems| problems.problems.iter().map(ToString::to_string).collect())
}

/// The filters of a unit with the place of each in its chain.
fn captured(corpus: &Path, unit: &str) -> Vec<(usize, String)> {
    let prefix = format!("systemd252-{unit}-deb12");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(corpus.join("bpf")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".bpf").to_owned();
        if let Some(rest) = name.strip_prefix(&prefix) {
            found.push((rest.trim_start_matches('.').parse().unwrap_or(0), name));
        }
    }
    found
}

#[test]
fn means_what_systemd_loads() {
    let Some(corpus) = corpus() else { return };
    let (mut compared, mut wrong) = (0, Vec::new());
    for (unit, text) in captured::SYSTEMD {
        let policies = read(text).unwrap().policies;
        for (place, name) in captured(&corpus, unit) {
            let filter = filter(&corpus, &name);
            let mut calls = calls(&[&filter], &[Abi::X86_64, Abi::X32, Abi::I386], 20_000, 3);
            calls.retain(|call| {
                let nr = call.nr.cast_unsigned();
                let name = Abi::from_call(call.arch, nr).and_then(|abi| abi.syscall_name(nr));
                !captured::UNKNOWN_TO_LIBSECCOMP.contains(&name.unwrap_or_default())
            });
            let found = differences(&policies[place], &filter, &calls);
            compared += 1;
            if !found.is_empty() {
                wrong.push(format!("{name}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
    println!("{compared} filters of systemd 252 agree on 20000 calls each");
    assert!(compared > 25, "{compared}");
}

#[test]
fn address_families_of_packaged_units() {
    let Some(corpus) = corpus() else { return };
    for (name, families) in captured::FAMILIES {
        let filter = filter(&corpus, &format!("systemd252-{name}"));
        let policies = read(&format!("[Service]\nRestrictAddressFamilies={families}\n"))
            .unwrap()
            .policies;
        assert_eq!(policies.len(), 2, "x32 and x86_64");
        let calls = calls(&[&filter], &[Abi::X86_64, Abi::X32, Abi::I386], 20_000, 5);
        let same = policies
            .iter()
            .filter(|policy| differences(policy, &filter, &calls).is_empty())
            .count();
        assert_eq!(same, 1, "{name}");
    }
}

/// What the filter of the native ABI, the last one, says to a call.
fn native(text: &str, name: &str, args: [u64; 6]) -> u32 {
    let policies = read(text).unwrap_or_else(|told| panic!("{text}: {told:?}")).policies;
    let nr = Abi::X86_64.number(name).unwrap().cast_signed();
    ground(policies.last().unwrap()).decide(&SeccompData::new(Abi::X86_64.audit_arch(), nr, args))
}

#[test]
fn lines_add_up() {
    const ALLOW: u32 = 0x7fff_0000;
    let text = "[Unit]\nSystemCallFilter=~read\n[Service]\n; no\nSystemCallFilter=~mount:ENOENT @clock \\\n  # not this\n   reboot:kill\n\
                SystemCallFilter=settimeofday\nSystemCallErrorNumber=13\n";
    for (name, expected) in [
        ("read", ALLOW),
        ("mount", 0x0005_0002),
        ("adjtimex", 0x0005_000d),
        ("reboot", 0x8000_0000),
        ("settimeofday", ALLOW),
    ] {
        assert_eq!(native(text, name, [0; 6]), expected, "{name}");
    }
    let allowed = "SystemCallFilter=read @chown\nSystemCallFilter=~fchown write:5 execve";
    for (name, expected) in [
        ("read", ALLOW),
        ("chown", ALLOW),
        ("futex", ALLOW),
        ("fchown", 0x8000_0000),
        ("execve", 0x8000_0000),
        ("write", 0x0005_0005),
        ("close", 0x8000_0000),
    ] {
        assert_eq!(native(allowed, name, [0; 6]), expected, "{name}");
    }
    assert_eq!(
        native(
            "SystemCallFilter=~read\nSystemCallFilter=\nSystemCallFilter=~write",
            "read",
            [0; 6]
        ),
        ALLOW
    );
    assert_eq!(native("SystemCallLog=read", "read", [0; 6]), 0x7ffc_0000);
    assert_eq!(native("SystemCallLog=~read", "write", [0; 6]), 0x7ffc_0000);
    assert_eq!(
        native("RestrictRealtime=yes", "sched_setscheduler", [0, 2, 0, 0, 0, 0]),
        0x0005_0001
    );
    assert_eq!(
        native("RestrictRealtime=yes", "sched_setscheduler", [0, 3, 0, 0, 0, 0]),
        ALLOW
    );
    let namespaces = "RestrictNamespaces=net user\nRestrictNamespaces=~net";
    assert_eq!(native(namespaces, "unshare", [0x4000_0000, 0, 0, 0, 0, 0]), 0x0005_0001);
    assert_eq!(native(namespaces, "unshare", [0x1000_0000, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(native(namespaces, "setns", [0; 6]), 0x0005_0001);
    assert_eq!(
        native("RestrictAddressFamilies=~AF_PACKET", "socket", [17, 0, 0, 0, 0, 0]),
        0x0005_0061
    );
}

#[test]
fn all_of_a_unit_in_order() {
    let read = read(
        "SystemCallFilter=read\nRestrictAddressFamilies=AF_UNIX\nSystemCallArchitectures=native\nSystemCallFilters=x\n",
    )
    .unwrap();
    assert_eq!(read.policies.len(), 2 + 1 + 3);
    assert_eq!(read.notes.len(), 2, "{:?}", read.notes);
    assert!(read.notes[0].message.contains("did you mean `SystemCallFilter=`?"));
}

#[test]
fn mistakes_are_told_all_at_once() {
    let text = "SystemCallFilter=~@sytem-service raed read:EPRM read:5000\nSystemCallArchitectures=x86_64\n\
                SystemCallErrorNumber=ENOPE\nRestrictAddressFamilies=AF_UNX\nRestrictNamespaces=nett\nRestrictRealtime=maybe\nLockPersonality=yes no\n";
    let told = read(text).unwrap_err().join("\n");
    for expected in [
        "`@sytem-service` is no group of systemd 252; did you mean `@system-service`?",
        "`raed` is no system call; did you mean `read`?",
        "`EPRM` is no error name; did you mean `EPERM`?",
        "5000 is no error",
        "`x86_64` is no architecture of systemd; did you mean `x86-64`?",
        "`ENOPE` is no error name",
        "`AF_UNX` is no address family; did you mean `AF_UNIX`?",
        "`nett` is no kind of namespace; did you mean `net`?",
        "`maybe` is no boolean",
        "one word is expected",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
    assert!(
        read(&format!("SystemCallFilter={}", "@known ".repeat(140_000))).unwrap_err()[0]
            .contains("more than 10000 words")
    );
    let many = format!("RestrictAddressFamilies={}", "AF_X ".repeat(9_000));
    assert_eq!(read(&many).unwrap_err().len(), 50);
    assert!(read("[Service]\nExecStart=/bin/true").unwrap_err()[0].contains("no directive that becomes a filter"));
}
