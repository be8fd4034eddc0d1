//! The public bugs of `examples/bugs`: each broken filter fails its cases with a call that shows the bug, its fixed
//! twin passes them, and docs/BUGS.md has the command for each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a panic in a test is a failing test"
)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callproof_abi::Abi;
use callproof_formats::cases::{CaseFile, Subject, read_cases};
use callproof_formats::policy::{PolicyOptions, read_policy};
use callproof_formats::{ReadOptions, call};
use callproof_policy::{AbiItem, AbiList, ByteOrder};
use callproof_vm::{Chain, Endian, Filter, Insn, Machine};
use common::run;
use serde_json::Value;

/// A broken filter, how the case begins that finds it, and how the call begins that shows it; no call where a claim
/// about the program shows none, or where any call would do.
const ROWS: &[(&str, &str, &str)] = &[
    ("01-compare-halves/broken.bpfasm", "equiv", "ftruncate(0, 0x"),
    ("02-shared-block/broken.bpfasm", "equiv", "socketpair(1, 3,"),
    ("03-empty-tree/broken.bpfasm", "allow 0..=0x3fffffff", "read("),
    ("04-and-as-or/broken.bpfasm", "equiv", "socket("),
    (
        "05-ioctl-high-half/broken.bpfasm",
        "deny ioctl(_, TIOCSTI)",
        "ioctl(0, 0x100005412,",
    ),
    (
        "06-always-true/broken.bpfasm",
        "deny ioctl(_, TIOCSTI)",
        "ioctl(0, 0x5412,",
    ),
    ("06-always-true/broken.bpfasm", "no dead code", ""),
    (
        "06-always-true/broken-forgotten.bpfasm",
        "deny ioctl(_, TIOCLINUX)",
        "ioctl(0, 0x541c,",
    ),
    ("07-new-calls/broken.policy", "deny @mount", "open_tree("),
    ("07-new-calls/broken.policy", "errno(ENOSYS) clone3", "clone3("),
    ("08-x32/broken.bpfasm", "x32 <= x86_64", "ptrace("),
    ("09-arch-unchecked/broken.bpfasm", "unknown arch killed", ""),
    ("09-arch-unchecked/broken.bpfasm", "deny ptrace", "ptrace("),
    ("09-arch-unchecked/broken-unknown.bpfasm", "unknown arch killed", ""),
    ("10-far-jump/broken.bpfasm", "equiv", ""),
    ("10-far-jump/broken.bpfasm", "deny ptrace", "ptrace("),
    ("11-dead-group/broken.bpfasm", "no dead code", ""),
    ("11-dead-group/broken.bpfasm", "allow futex, mmap", "mmap("),
    ("12-empty-list/broken.bpfasm", "trap *", "read("),
    ("13-eperm-for-new-calls/broken.json", "errno(ENOSYS) clone3", "clone3("),
    (
        "13-eperm-for-new-calls/broken.json",
        "errno(ENOSYS) @new-since(5.9)",
        "",
    ),
    ("14-garbage-high-half/broken.bpfasm", "same kernel view", "socket("),
    (
        "14-garbage-high-half/broken.bpfasm",
        "allow socket(AF_UNIX)",
        "socket(0x100000001,",
    ),
    (
        "15-big-endian/broken.bpfasm",
        "deny ioctl(_, TIOCSTI) on s390x",
        "ioctl(0, 0x5412,",
    ),
    ("15-big-endian/broken.bpfasm", "equiv", "ioctl("),
    ("16-numbers-of-other-abi/broken.bpfasm", "deny ptrace", "ptrace("),
    ("16-numbers-of-other-abi/broken.bpfasm", "equiv", ""),
    ("17-shadowed-rule/broken.bpfasm", "no dead code", ""),
    ("17-shadowed-rule/broken.bpfasm", "errno(EAFNOSUPPORT)", "socket(0x26,"),
    (
        "18-clone-mask/broken.json",
        "deny clone(clone_flags & CLONE_NEWCGROUP)",
        "clone(0x2000000,",
    ),
    (
        "19-union-without-conditions/broken.json",
        "subset-of first.json",
        "personality(",
    ),
    (
        "20-forgotten-call/broken.bpfasm",
        "deny mprotect",
        "pkey_mprotect(0, 0, 4,",
    ),
    (
        "20-forgotten-call/broken-order.bpfasm",
        "deny clone",
        "clone(0, 0x10000000,",
    ),
    ("21-kill-thread/broken.bpfasm", "kill execve", "fork("),
    ("22-and-or-by-runtime/broken.json", "deny clone", "clone("),
    ("23-socketcall/broken.json", "deny socketcall(1)", "socketcall(1,"),
    (
        "23-socketcall/broken-unnamed.json",
        "deny socketcall(1)",
        "socketcall(1,",
    ),
    ("24-low-half-only/broken.bpfasm", "whole arguments", "mmap("),
    ("24-low-half-only/broken.bpfasm", "deny mmap(!0)", "mmap(0x100000000,"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of a folder, sorted by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The names of the bugs.
fn bugs() -> Vec<String> {
    names(&root().join("examples/bugs"))
}

/// Every broken filter, as ROWS has them.
fn broken() -> BTreeSet<String> {
    let of = |bug: String| {
        let files = names(&root().join("examples/bugs").join(&bug)).into_iter();
        let broken = files.filter(|file| file.starts_with("broken"));
        broken.map(move |file| format!("{bug}/{file}")).collect::<Vec<_>>()
    };
    bugs().into_iter().flat_map(of).collect()
}

/// The cases of a bug, as a path from the root.
fn cases_of(file: &str) -> String {
    let bug = file.split('/').next().unwrap();
    format!("examples/bugs/{bug}/cases.calls")
}

fn case_file(path: &str) -> CaseFile {
    let bytes = std::fs::read(root().join(path)).unwrap();
    read_cases(path, &bytes).unwrap()
}

/// What the cases of a bug test unless told otherwise, as a path from the root.
fn fixed(file: &str) -> String {
    let cases = cases_of(file);
    let folder = cases.strip_suffix("cases.calls").unwrap();
    match case_file(&cases).header.subject.unwrap() {
        Subject::Filters(files) => format!("{folder}{}", files.join(" ")),
        Subject::Policy(file) => format!("{folder}{file}"),
    }
}

/// The program of a file: an assembled one, or that of a policy, by the words in the head of the case file.
fn program(path: &str, cases: &CaseFile) -> Vec<Insn> {
    let bytes = std::fs::read(root().join(path)).unwrap();
    if path.ends_with(".bpfasm") {
        let read = ReadOptions {
            path: Some(path),
            ..ReadOptions::default()
        };
        return read.read_all(&bytes).unwrap().remove(0).insns;
    }
    let env = cases.header.env(&AbiList::of([AbiItem::Any]));
    let abi = |item: &AbiItem| match item {
        AbiItem::Abi(abi) => Some(*abi),
        _ => None,
    };
    let options = PolicyOptions {
        abis: env.abis.items.iter().filter_map(abi).collect(),
        runtime: cases.header.runtime.unwrap_or_default(),
        ..PolicyOptions::default()
    };
    let read = read_policy(path, &bytes, None, &options).unwrap();
    let policy = read.policies[0].ground(&env).unwrap();
    let limits = callproof_verifier::Limits::default();
    callproof::compile(&policy, Machine::default(), ByteOrder::OfArch, &limits).unwrap()
}

/// What the emulator makes of a call in words.
fn value(program: &[Insn], text: &str) -> u32 {
    let data = call::parse(text, Abi::X86_64).unwrap();
    let machine = Machine {
        endian: Endian::of_audit_arch(data.arch),
        ..Machine::default()
    };
    Chain::new(&[Filter::load(program).unwrap()]).run(&data, machine).value
}

/// The cases of a broken filter, as the command reports them in JSON.
fn report(file: &str) -> Vec<Value> {
    let broken = format!("examples/bugs/{file}");
    let ran = run(&["test", "--filter", &broken, &cases_of(file), "--format", "json"]);
    assert_eq!(ran.code, 1, "{file}: {ran:?}");
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    answer["answer"]["files"][0]["cases"].as_array().unwrap().clone()
}

/// A case as it reads, with one blank where the file has several.
fn text(case: &Value) -> String {
    let words = case["case"].as_str().unwrap().split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

/// The calls that a case shows, and the values that the filter gives them, by its report.
fn shown(case: &Value) -> Vec<(String, u32)> {
    let all = case["shown"].as_array().unwrap().iter();
    let own = all.filter(|exhibit| exhibit["of"] == "the filter");
    own.map(|exhibit| {
        let value = u32::try_from(exhibit["value"].as_u64().unwrap()).unwrap();
        (exhibit["call"].as_str().unwrap().to_owned(), value)
    })
    .collect()
}

#[test]
fn there_are_24_and_each_broken_filter_is_expected_to_fail() {
    let bugs = bugs();
    assert_eq!(bugs.len(), 24, "{bugs:?}");
    for (number, bug) in (1..).zip(&bugs) {
        assert!(bug.starts_with(&format!("{number:02}-")), "{bug}");
        let fixed = fixed(bug);
        assert!(fixed.starts_with(&format!("examples/bugs/{bug}/fixed.")), "{fixed}");
    }
    let listed: BTreeSet<String> = ROWS.iter().map(|(file, _, _)| (*file).to_owned()).collect();
    assert_eq!(broken(), listed);
}

#[test]
fn each_is_found_by_its_check_with_a_call_that_shows_it() {
    for file in broken() {
        let cases = case_file(&cases_of(&file));
        let of_broken = program(&format!("examples/bugs/{file}"), &cases);
        let of_fixed = program(&fixed(&file), &cases);
        let report = report(&file);
        for case in &report {
            for (call, told) in shown(case) {
                assert_eq!(value(&of_broken, &call), told, "{file}: {call}");
            }
        }
        for (_, begins, call) in ROWS.iter().filter(|(row, _, _)| *row == file) {
            let failed = |case: &&Value| case["outcome"] == "failed" && text(case).starts_with(begins);
            let case = report.iter().find(failed);
            let case = case.unwrap_or_else(|| panic!("{file}: `{begins}` does not fail: {report:?}"));
            let shown = shown(case);
            assert!(
                !shown.is_empty() || *begins == "no dead code",
                "{file}: `{begins}` shows no call"
            );
            // `whole arguments` shows two calls that differ in the low half, and rightly get different verdicts.
            let mended = |text: &str, told| *begins == "whole arguments" || value(&of_fixed, text) != told;
            let telling = |(text, told): &(String, u32)| text.starts_with(call) && mended(text, *told);
            assert!(
                shown.is_empty() || shown.iter().any(telling),
                "{file}: `{begins}` shows no `{call}` that is treated otherwise when fixed: {shown:?}"
            );
        }
    }
}

#[test]
fn the_page_has_the_command_for_each_and_it_does_what_the_page_says() {
    let page = std::fs::read_to_string(root().join("docs/BUGS.md")).unwrap();
    let commands: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`'))
        .filter(|code| code.starts_with("callproof test "))
        .map(|code| code.split(' ').skip(1).collect())
        .collect();
    let mut found = BTreeSet::new();
    for command in &commands {
        let ran = run(command);
        let expected = i32::from(command.contains(&"--filter"));
        assert_eq!(ran.code, expected, "{command:?}: {}{}", ran.stdout, ran.stderr);
        found.insert(command.join(" "));
    }
    for file in broken() {
        let command = format!("test --filter examples/bugs/{file} {}", cases_of(&file));
        assert!(found.contains(&command), "docs/BUGS.md lacks `{command}`");
    }
    for bug in bugs() {
        let command = format!("test {}", cases_of(&bug));
        assert!(found.contains(&command), "docs/BUGS.md lacks `{command}`");
        let number = bug.split('-').next().unwrap().trim_start_matches('0');
        let row = format!("| {number} |");
        assert!(page.matches(&row).count() >= 2, "docs/BUGS.md says nothing of {bug}");
    }
}

/// The same profile means two things: what holds as its text reads fails as runc and crun read it.
#[test]
fn runtimes_read_two_conditions_on_one_argument_differently() {
    let folder = "examples/bugs/22-and-or-by-runtime";
    let broken = format!("{folder}/broken.json");
    for (cases, expected) in [("spec.calls", 0), ("crun.calls", 1), ("cases.calls", 1)] {
        let ran = run(&["test", "--filter", &broken, &format!("{folder}/{cases}")]);
        assert_eq!(ran.code, expected, "{cases}: {}{}", ran.stdout, ran.stderr);
    }
    let expectations = |cases: &str| case_file(&format!("{folder}/{cases}")).cases;
    let texts = |cases: &str| -> Vec<String> { expectations(cases).iter().map(|case| case.text.clone()).collect() };
    assert_eq!(texts("spec.calls"), texts("cases.calls"));
    assert_eq!(texts("crun.calls"), texts("cases.calls"));
}
