//! The public bugs of `examples/bugs`: the fitting rule finds the broken filter, and its fixed twin is silent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use callproof::Options;
use callproof::lint::{Finding, LintOptions, Severity, lint, lint_policy};
use callproof_abi::Abi;
use callproof_abi::Abi::{Aarch64, I386, Ppc64, Ppc64le, S390x, X32, X86_64};

const X86: &[Abi] = &[X86_64];
const BIG: &[Abi] = &[X86_64, Ppc64le, S390x, Ppc64];

/// A broken file, its ABIs, the rule that fits, and a word that what is found is about.
const BROKEN: &[(&str, &[Abi], &str, &str)] = &[
    ("01-compare-halves/broken.bpfasm", X86, "torn-comparison", "ftruncate"),
    ("03-empty-tree/broken.bpfasm", X86, "one-verdict", "every call"),
    ("05-ioctl-high-half/broken.bpfasm", X86, "view-bypass", "ioctl"),
    ("06-always-true/broken.bpfasm", X86, "one-way-test", "instruction 7"),
    (
        "06-always-true/broken-forgotten.bpfasm",
        X86,
        "terminal-injection",
        "TIOCLINUX",
    ),
    (
        "07-new-calls/broken.policy",
        &[X86_64, I386, Aarch64],
        "group-gap",
        "move_mount",
    ),
    ("08-x32/broken.bpfasm", &[X86_64, X32], "x32-open", "x32"),
    ("09-arch-unchecked/broken.bpfasm", X86, "arch-unchecked", "other"),
    ("09-arch-unchecked/broken-unknown.bpfasm", X86, "compat-open", "i386"),
    ("10-far-jump/broken.bpfasm", X86, "dead-code", "instruction 268"),
    ("11-dead-group/broken.bpfasm", X86, "dead-code", "instruction 7"),
    ("12-empty-list/broken.bpfasm", X86, "one-verdict", "every call"),
    ("13-eperm-for-new-calls/broken.json", X86, "errno-fallback", "fallbacks"),
    ("14-garbage-high-half/broken.bpfasm", X86, "view-denies", "socket"),
    ("15-big-endian/broken.bpfasm", BIG, "view-denies", "ioctl on s390x"),
    (
        "16-numbers-of-other-abi/broken.bpfasm",
        &[X86_64, I386],
        "compat-open",
        "i386",
    ),
    ("17-shadowed-rule/broken.bpfasm", X86, "one-way-test", "instruction 5"),
    ("18-clone-mask/broken.json", X86, "namespace-gap", "clone"),
    (
        "20-forgotten-call/broken.bpfasm",
        &[X86_64, S390x],
        "group-gap",
        "pkey_mprotect",
    ),
    ("21-kill-thread/broken.bpfasm", X86, "kill-thread", "action"),
    (
        "22-and-or-by-runtime/broken.json",
        X86,
        "runtime-differs",
        "same argument",
    ),
    (
        "23-socketcall/broken.json",
        &[X86_64, I386],
        "multiplexed-open",
        "socketcall",
    ),
    ("24-low-half-only/broken.bpfasm", X86, "half-argument", "mmap"),
];

/// What is true of the fixed files as well: they repair one fault each.
const ALSO_TRUE: &[(&str, &[&str])] = &[
    ("05-ioctl-high-half", &["terminal-injection"]),
    (
        "07-new-calls",
        &["x32-open", "compat-open", "arch-unchecked", "namespace-gap"],
    ),
    ("08-x32", &["dangerous-pair"]),
    ("09-arch-unchecked", &["dangerous-pair"]),
    ("10-far-jump", &["dangerous-pair"]),
    ("15-big-endian", &["terminal-injection"]),
    ("16-numbers-of-other-abi", &["dangerous-pair"]),
    ("17-shadowed-rule", &["io-uring-open"]),
    ("18-clone-mask", &["errno-fallback"]),
    ("20-forgotten-call", &["namespace-gap"]),
    ("21-kill-thread", &["group-gap"]),
    ("22-and-or-by-runtime", &["errno-fallback"]),
];

fn findings(file: &str, abis: &[Abi]) -> Vec<Finding> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/bugs")
        .join(file);
    let options = LintOptions {
        options: Options {
            abis: abis.to_vec(),
            ..Options::default()
        },
    };
    let report = match lint_policy(&path, &options).unwrap() {
        Some(report) => report,
        None => {
            let filter = callproof::Filter::load(&path).unwrap();
            lint(&[file.to_owned()], filter.programs(), &options).unwrap()
        }
    };
    assert!(report.undecided.is_empty(), "{file}");
    report.findings
}

#[test]
fn the_fitting_rule_finds_each_bug_and_not_its_repair() {
    let mut wrong = Vec::new();
    for (file, abis, rule, about) in BROKEN {
        let fits = |finding: &Finding| finding.rule == *rule && finding.subject.contains(about);
        if !findings(file, abis).iter().any(fits) {
            wrong.push(format!("{rule} is silent about {file}"));
        }
        let (folder, name) = file.split_once('/').unwrap();
        let ending = name.rsplit('.').next().unwrap();
        let also = ALSO_TRUE.iter().find(|(of, _)| *of == folder);
        let mut unseen = also.map(|(_, rules)| rules.to_vec()).unwrap_or_default();
        for finding in findings(&format!("{folder}/fixed.{ending}"), abis) {
            unseen.retain(|rule| *rule != finding.rule);
            let is_known = also.is_some_and(|(_, rules)| rules.contains(&finding.rule));
            let repaired = fits(&finding) && finding.severity > Severity::Info;
            if repaired || (finding.severity > Severity::Info && !is_known) {
                wrong.push(format!("{folder}: {}: {}", finding.rule, finding.message));
            }
        }
        wrong.extend(
            unseen
                .iter()
                .map(|rule| format!("{folder}: {rule} is listed and not found")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
