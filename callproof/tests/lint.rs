//! Each rule: a filter that has the fault, and its twin that has not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use callproof::lint::{Finding, LintOptions, RULES, Report, Severity, lint};
use callproof::{Insn, Kernel, Options};
use callproof_abi::Abi;
use callproof_formats::{Format, ReadOptions};
use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, parse_policy};
use callproof_verifier::Limits;
use callproof_vm::{Chain, Endian, Filter, Machine};

fn options(abis: &[Abi]) -> LintOptions {
    let abis = abis.to_vec();
    LintOptions {
        options: Options {
            abis,
            ..Options::default()
        },
    }
}

fn compiled(abis: &[Abi], policy: &str) -> Vec<Insn> {
    let env = Env::new(AbiList::of(abis.iter().copied().map(AbiItem::Abi)));
    let policy = parse_policy("test", policy).unwrap().ground(&env).unwrap();
    callproof::compile(&policy, Machine::default(), ByteOrder::OfArch, &Limits::default()).unwrap()
}

fn assembled(text: &str) -> Vec<Insn> {
    let options = ReadOptions {
        format: Some(Format::Asm),
        endian: Endian::Little,
        abi: None,
        path: None,
    };
    options.read_all(text.as_bytes()).unwrap().remove(0).insns
}

/// The report, with every witness replayed apart from it.
fn linted(abis: &[Abi], programs: &[Vec<Insn>]) -> Report {
    let names: Vec<String> = (0..programs.len()).map(|number| number.to_string()).collect();
    let report = lint(&names, programs, &options(abis)).unwrap();
    let filters: Vec<Filter<'_>> = programs
        .iter()
        .map(|program| Filter::load(program.as_slice()).unwrap())
        .collect();
    for finding in &report.findings {
        assert!(
            !finding.witnesses.is_empty() || finding.proved,
            "{finding:?} shows nothing"
        );
        for (call, witness) in finding.calls.iter().zip(&finding.witnesses) {
            let machine = Machine {
                endian: Endian::of_audit_arch(call.arch),
                kernel: Kernel::LATEST,
                ..Machine::default()
            };
            assert_eq!(Chain::new(&filters).run(call, machine).value, witness.value);
        }
    }
    assert!(report.undecided.is_empty());
    report
}

fn of<'r>(report: &'r Report, rule: &str) -> Option<&'r Finding> {
    report.findings.iter().find(|finding| finding.rule == rule)
}

/// A policy has the fault, and another has not.
#[track_caller]
fn fault(rule: &str, severity: Severity, abis: &[Abi], bad: &str, good: &str) {
    let report = linted(abis, &[compiled(abis, bad)]);
    let found = of(&report, rule).unwrap_or_else(|| panic!("{rule} is silent about\n{bad}"));
    assert_eq!(found.severity, severity, "{found:?}");
    let report = linted(abis, &[compiled(abis, good)]);
    let found = report
        .findings
        .iter()
        .find(|finding| finding.rule == rule && finding.severity >= severity);
    assert!(found.is_none(), "{found:?}");
}

const X86: &[Abi] = &[Abi::X86_64];
const BOTH: &[Abi] = &[Abi::X86_64, Abi::I386];
use Severity::{Error, Info, Warning};

#[test]
fn architectures() {
    let blind = assembled("ld [0]\njeq #101, no, yes\nyes: ret #0x7fff0000\nno: ret #0x50001\n");
    assert_eq!(of(&linted(X86, &[blind]), "arch-unchecked").unwrap().severity, Error);
    fault(
        "arch-unchecked",
        Warning,
        X86,
        "default allow\nerrno(EPERM) ptrace on x86_64",
        "default kill\nallow * except ptrace on x86_64",
    );
    fault(
        "x32-open",
        Error,
        X86,
        "default kill\nallow * on x32\nallow read on x86_64",
        "default kill\nallow read on x86_64",
    );
    fault(
        "compat-open",
        Error,
        X86,
        "default kill\nallow read on x86_64\nallow read, ptrace on i386",
        "default kill\nallow read, ptrace on x86_64\nallow read, ptrace on i386",
    );
}

#[test]
fn arguments_that_one_abi_alone_permits() {
    fault(
        "compat-open",
        Warning,
        BOTH,
        "default kill\nallow socket(AF_UNIX) on x86_64\nallow socket on i386",
        "default kill\nallow socket(AF_UNIX)",
    );
}

#[test]
fn numbers() {
    fault(
        "unknown-allowed",
        Warning,
        X86,
        "default kill\nallow 0..=400 on x86_64",
        "default kill\nallow read, write on x86_64",
    );
    fault(
        "unknown-allowed",
        Info,
        X86,
        "default kill\nallow * except ptrace on x86_64",
        "default kill\nallow * on x86_64",
    );
    fault(
        "unknown-errno",
        Info,
        X86,
        "default errno(EPERM)\nallow read",
        "default errno(ENOSYS)\nallow read",
    );
    fault(
        "errno-fallback",
        Warning,
        X86,
        "default errno(EPERM)\nallow clone",
        "default errno(EPERM)\nallow clone\nerrno(ENOSYS) clone3",
    );
}

#[test]
fn arguments() {
    fault(
        "view-bypass",
        Error,
        X86,
        "default kill\nerrno(EPERM) ioctl(_, raw:TIOCSTI)\nallow ioctl",
        "default kill\nerrno(EPERM) ioctl(_, TIOCSTI)\nallow ioctl",
    );
    fault(
        "view-denies",
        Warning,
        X86,
        "default kill\nallow openat(raw:0xffffff9c)",
        "default kill\nallow openat(AT_FDCWD)",
    );
    fault(
        "view-denies",
        Info,
        X86,
        "default kill\nallow socket(raw:AF_UNIX)",
        "default kill\nallow socket(AF_UNIX)",
    );
    fault(
        "half-argument",
        Warning,
        X86,
        "default kill\nallow lseek(_, lo:5)",
        "default kill\nallow lseek(_, 5)",
    );
    fault(
        "pointer-compared",
        Warning,
        X86,
        "default kill\nallow write(1, 0x7000)",
        "default kill\nallow write(1, 0)",
    );
}

#[test]
fn single_bits_of_one_half_are_right() {
    let program = compiled(X86, "default kill\nallow lseek(_, lo:& 4)\nallow clone(lo:0x11)");
    assert!(of(&linted(X86, &[program]), "half-argument").is_none());
}

#[test]
fn groups() {
    let denying = |calls: &str| format!("default kill\nallow * except {calls} on x86_64");
    for (rule, bad, good) in [
        (
            "group-gap",
            "mount",
            "mount, move_mount, open_tree*, fs*, mount_setattr",
        ),
        ("group-gap", "execve", "execve, execveat"),
        ("dangerous-pair", "ptrace", "ptrace, process_vm_*, pidfd_getfd"),
        ("io-uring-open", "socket", "socket, io_uring_*"),
        (
            "namespace-gap",
            "unshare",
            "unshare, clone3, clone(clone_flags & 0x7e020080)",
        ),
        (
            "terminal-injection",
            "ioctl(_, TIOCSTI)",
            "ioctl(_, TIOCSTI | TIOCLINUX)",
        ),
    ] {
        fault(rule, Warning, X86, &denying(bad), &denying(good));
    }
    fault(
        "group-gap",
        Warning,
        X86,
        "default kill\nallow chmod(_, & 0o6000 == 0), fchmod(_, & 0o6000 == 0), fchmodat(_, _, & 0o6000 == 0), fchmodat2",
        "default kill\nallow chmod(_, & 0o6000 == 0), fchmod(_, & 0o6000 == 0), fchmodat(_, _, & 0o6000 == 0)",
    );
    let i386: &[Abi] = &[Abi::I386];
    fault(
        "multiplexed-open",
        Warning,
        i386,
        "default kill\nallow socket(AF_UNIX), socketcall",
        "default kill\nallow socket(AF_UNIX), socketcall(!1)",
    );
}

#[test]
fn a_list_of_what_is_permitted_has_no_gaps() {
    let program = compiled(
        X86,
        "default kill\nallow read, clone, move_mount, process_vm_writev, io_uring_*, execveat",
    );
    let report = linted(X86, &[program]);
    assert!(
        report.findings.iter().all(|finding| finding.severity == Info),
        "{report:?}"
    );
}

#[test]
fn chains() {
    let (closed, open) = (
        compiled(X86, "default kill\nallow read"),
        compiled(X86, "default kill\nallow read, seccomp"),
    );
    let severity = |chain: &[Vec<Insn>]| of(&linted(X86, chain), "self-lock").map(|found| found.severity);
    assert_eq!(severity(&[closed.clone(), open.clone()]), Some(Warning));
    assert_eq!(severity(&[open.clone(), closed]), Some(Info));
    assert_eq!(severity(&[open]), None);
}

#[test]
fn instructions() {
    fault(
        "kill-thread",
        Info,
        X86,
        "default kill\nkill_thread ptrace\nallow read",
        "default kill\nallow read",
    );
    let text = |op: &str, x: &str| {
        format!("ld [0]\nand #{x}\ntax\nld #4\n{op} x\njeq #1, a, b\na: ret #0x7fff0000\nb: ret #0x50001\n")
    };
    for (rule, bad, good) in [
        ("wide-shift", text("lsh", "63"), text("lsh", "31")),
        ("zero-division", text("div", "7"), "ret #0x7fff0000".to_owned()),
    ] {
        assert!(of(&linted(X86, &[assembled(&bad)]), rule).is_some(), "{rule}");
        assert!(of(&linted(X86, &[assembled(&good)]), rule).is_none(), "{rule}");
    }
    let dead = assembled("ld [0]\njge #5, a, b\na: jge #4, b, c\nb: ret #0x7fff0000\nc: ret #0x50001\n");
    let report = linted(X86, &[dead]);
    for rule in ["dead-code", "one-way-test"] {
        assert!(of(&report, rule).is_some_and(|found| found.proved), "{rule}");
    }
    let live = assembled("ld [0]\njge #5, a, b\na: ret #0x7fff0000\nb: ret #0x50001\n");
    assert!(of(&linted(X86, &[live]), "dead-code").is_none());
}

fn of_text(text: &str, file: &str) -> Report {
    let folder = std::env::temp_dir().join(format!("callproof-lint-{}-{file}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(file);
    std::fs::write(&path, text).unwrap();
    let report = callproof::lint::lint_policy(&path, &options(X86)).unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    report
}

#[test]
fn texts() {
    let text = "default kill\nallow read, write\nallow read\nerrno(EPERM) write\nallow ioctl\nkill ioctl(_, TIOCSTI)\n";
    let report = of_text(text, "a.policy");
    for (rule, line) in [("duplicate-rule", 3), ("contradictory-rule", 4), ("shadowed-rule", 6)] {
        let found: Vec<_> = report.findings.iter().filter(|finding| finding.rule == rule).collect();
        assert_eq!(found.len(), 1, "{rule} {found:?}");
        assert_eq!(found[0].place.as_ref().unwrap().line, line, "{rule}");
    }
    let right = of_text(
        "default kill\nkill ioctl(_, TIOCSTI)\nallow read, write, ioctl\n",
        "b.policy",
    );
    assert!(
        right.findings.iter().all(|finding| finding.place.is_none()),
        "{right:?}"
    );
}

#[test]
fn names_that_no_call_has() {
    let profile = |name: &str| {
        format!(
            "{{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"architectures\": [\"SCMP_ARCH_X86_64\"], \"syscalls\": [\n\
             {{\"names\": [\"read\",\n\"{name}\"], \"action\": \"SCMP_ACT_ALLOW\"}}]}}"
        )
    };
    let report = of_text(&profile("wriet"), "a.json");
    let found = of(&report, "unknown-name").unwrap();
    assert_eq!((found.severity, found.place.as_ref().unwrap().line), (Warning, 3));
    assert!(of(&of_text(&profile("write"), "b.json"), "unknown-name").is_none());
}

#[test]
fn a_limit_is_told() {
    let mut options = options(X86);
    options.options.limits.nodes = 8;
    options.options.limits.conflicts = 1;
    let program = compiled(X86, "default kill\nallow socket(AF_UNIX), read");
    let report = lint(&["a".to_owned()], &[program], &options).unwrap();
    assert!(!report.undecided.is_empty());
}

#[test]
fn the_example_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/web-server.bpf");
    let filter = callproof::Filter::load(path).unwrap();
    let report = lint(&["web-server".to_owned()], filter.programs(), &LintOptions::default()).unwrap();
    assert!(
        report.findings.iter().all(|finding| finding.severity == Info),
        "{report:?}"
    );
}

#[test]
fn findings_are_of_rules() {
    let program = compiled(X86, "default kill\nallow * except mount, ptrace on x86_64");
    for finding in linted(X86, &[program]).findings {
        assert!(
            RULES
                .iter()
                .any(|rule| rule.id == finding.rule && finding.severity <= rule.severity)
        );
    }
}

#[test]
fn filters_that_decide_nothing() {
    let severity = |text: &str| of(&linted(X86, &[assembled(text)]), "one-verdict").map(|found| found.severity);
    assert_eq!(severity("ret #0x7fff0000\n"), Some(Warning));
    assert_eq!(severity("ret #0x80000000\n"), Some(Info));
    assert_eq!(severity("ret #0x7ffc0000\n"), None);
    assert_eq!(
        severity("ld [0]\njeq #1, a, b\na: ret #0x7fff0000\nb: ret #0x50001\n"),
        None
    );
}

#[test]
fn numbers_whose_halves_are_compared_apart() {
    let text = |high: &str| {
        format!(
            "ld [4]\njne #0xc000003e, b\nld [0]\njne #77, b\nld [28]\n{high}\n\
             low: ld [24]\njge #0x1000, b, a\na: ret #0x7fff0000\nb: ret #0x50001\n"
        )
    };
    let found = |high: &str| of(&linted(X86, &[assembled(&text(high))]), "torn-comparison").is_some();
    assert!(found("jge #1, low, a"));
    assert!(!found("jgt #1, b\njeq #1, low, a"));
    // Tests of bits and of equal values are not by size.
    assert!(!found("jset #0x10, low, a"));
    assert!(!found("jeq #1, low, a"));
    assert!(!found("jeq #0xffffffff, low, b"));
}

#[test]
fn flags_that_were_forgotten() {
    let clone = |flags: &str| format!("default kill\nallow read, clone(clone_flags & ({flags}) == 0)");
    let all = "CLONE_NEWUSER|CLONE_NEWNS|CLONE_NEWNET|CLONE_NEWPID|CLONE_NEWIPC|CLONE_NEWUTS";
    fault(
        "namespace-gap",
        Warning,
        X86,
        &clone(all),
        &clone(&format!("{all}|CLONE_NEWCGROUP")),
    );
    fault(
        "namespace-gap",
        Warning,
        X86,
        "default kill\nallow clone(clone_flags & CLONE_NEWUSER == 0), clone(clone_flags & CLONE_NEWNS == 0)",
        &clone("CLONE_NEWUSER|CLONE_NEWNS"),
    );
    let exec = "prot & PROT_EXEC == 0";
    fault(
        "group-gap",
        Warning,
        X86,
        &format!("default kill\nallow mprotect({exec}), pkey_mprotect"),
        &format!("default kill\nallow mprotect({exec}), pkey_mprotect({exec})"),
    );
}

#[test]
fn profiles_that_runtimes_read_differently() {
    let profile = |args: &str| {
        format!(
            "{{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"architectures\": [\"SCMP_ARCH_X86_64\"], \"syscalls\": [\n\
             {{\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [{args}]}}]}}"
        )
    };
    let mask =
        |bit: u32| format!("{{\"index\": 0, \"value\": {bit}, \"valueTwo\": 0, \"op\": \"SCMP_CMP_MASKED_EQ\"}}");
    let two = of_text(&profile(&format!("{}, {}", mask(4), mask(8))), "two.json");
    let found = of(&two, "runtime-differs").unwrap();
    assert_eq!((found.severity, found.place.as_ref().unwrap().line), (Warning, 2));
    assert!(of(&of_text(&profile(&mask(12)), "one.json"), "runtime-differs").is_none());
}
