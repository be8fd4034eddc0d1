//! Case files from beginning to end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use callproof::cases::{CaseResult, Outcome, Report, run_file};
use callproof::{Error, ErrorKind, Filter, Insn, Options};
use callproof_abi::Abi;
use callproof_formats::call;
use callproof_vm::{Machine, Verdict};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn run_text(name: &str, text: &str, options: &Options) -> Result<Report, Error> {
    let path = folder(name).join("test.calls");
    std::fs::write(&path, text.replace("EXAMPLES", EXAMPLES)).unwrap();
    run_file(&path, options)
}

fn outcomes(name: &str, text: &str) -> Vec<CaseResult> {
    run_text(name, text, &Options::default()).unwrap().cases
}

fn refusal(name: &str, text: &str) -> String {
    run_text(name, text, &Options::default()).unwrap_err().to_string()
}

const HEAD: &str = "---\nfilter = \"EXAMPLES/web-server.bpf\"\narches = [\"x86_64\", \"i386\", \"aarch64\"]\n---\n";

/// What the emulator says of a call in words.
fn decide(text: &str) -> Verdict {
    let bytes = std::fs::read(format!("{EXAMPLES}/web-server.bpf")).unwrap();
    let program = callproof_formats::read(&bytes, None, callproof_vm::Endian::Little).unwrap();
    let filters = [callproof_vm::Filter::load(program.insns).unwrap()];
    let data = call::parse(text, Abi::X86_64).unwrap();
    callproof_vm::Chain::new(&filters).run(&data, Machine::default())
}

#[test]
fn each_outcome_is_told() {
    let cases = "deny ptrace\nallow ptrace\ndeny open on aarch64\nxfail allow ptrace # one\nxfail deny ptrace # two\n";
    let found: Vec<Outcome> = outcomes("each", &format!("{HEAD}{cases}"))
        .iter()
        .map(|result| result.outcome)
        .collect();
    use Outcome::{ExpectedFailure, Failed, Passed, Skipped, UnexpectedPass};
    assert_eq!(found, [Passed, Failed, Skipped, ExpectedFailure, UnexpectedPass]);
}

#[test]
fn an_abi_without_the_call_is_told_and_does_not_pass() {
    let results = outcomes("absent", &format!("{HEAD}deny open, clone3\n"));
    assert_eq!(results[0].outcome, Outcome::Passed);
    let skipped: Vec<(&str, &str)> = results[0]
        .skipped
        .iter()
        .map(|skip| (&*skip.abi, &*skip.call))
        .collect();
    assert_eq!(skipped, [("aarch64", "open")]);
}

#[test]
fn what_is_shown_is_what_the_emulator_does() {
    let cases = "allow *\ndeny *\nallow socket\ndeny openat\ndeny mmap on x86_64\nallow clone\nerrno(EPERM) socket\n";
    let results = outcomes("shown", &format!("{HEAD}{cases}"));
    let mut near = 0;
    for result in &results {
        assert_eq!(result.outcome, Outcome::Failed, "{result:?}");
        let shown = &result.shown[0];
        let permitted = decide(&shown.call).action.permits();
        assert_eq!(decide(&shown.call).value, shown.value);
        assert!(
            !shown.path.is_empty() && shown.deciding.last().unwrap().contains("ret"),
            "{shown:?}"
        );
        if let Some(nearest) = &shown.nearest {
            near += 1;
            assert_ne!(decide(&nearest.call).action.permits(), permitted, "{nearest:?}");
            assert_eq!(nearest.differs.len(), 1, "{nearest:?}");
        }
    }
    assert!(near >= 4, "{near}");
}

#[test]
fn a_limit_is_no_pass() {
    let mut options = Options::default();
    options.limits.nodes = 100;
    let report = run_text("limit", &format!("{HEAD}deny ptrace\nsnapshot s\n"), &options).unwrap();
    assert!(
        report.cases.iter().all(|result| result.outcome == Outcome::Undecided),
        "{report:?}"
    );
}

#[test]
fn one_bit_anywhere_is_seen_by_a_snapshot() {
    let bytes = std::fs::read(format!("{EXAMPLES}/web-server.bpf")).unwrap();
    let program = callproof_formats::read(&bytes, None, callproof_vm::Endian::Little)
        .unwrap()
        .insns;
    let folder = folder("snapshot");
    let path = folder.join("s.calls");
    std::fs::write(
        &path,
        "---\nfilter = \"f.hex\"\narches = [\"x86_64\", \"i386\", \"aarch64\"]\n---\nsnapshot s.txt\n",
    )
    .unwrap();
    let run = |program: &[Insn], bless: bool| {
        let options = callproof_formats::WriteOptions::default();
        let hex = callproof_formats::write(program, callproof_formats::Format::Hex, &options);
        std::fs::write(folder.join("f.hex"), hex).unwrap();
        let options = Options {
            bless,
            ..Options::default()
        };
        run_file(&path, &options).unwrap().cases[0].clone()
    };
    assert_eq!(run(&program, false).outcome, Outcome::Failed, "there is none yet");
    assert_eq!(run(&program, true).outcome, Outcome::Passed);
    assert_eq!(run(&program, false).outcome, Outcome::Passed);
    let mut seen = 0;
    for at in (0..program.len()).filter(|at| program[*at].code == 0x15) {
        let mut wrong = program.clone();
        wrong[at].k ^= 1;
        let result = run(&wrong, false);
        seen += usize::from(result.outcome == Outcome::Failed && result.reason.contains("\n- "));
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn policies_and_chains_are_tested_too() {
    let policy = "---\npolicy = \"EXAMPLES/web-server.policy\"\narches = [\"x86_64\", \"i386\", \"aarch64\"]\n---\nequiv EXAMPLES/web-server.bpf on x86_64, i386, aarch64\ndeny ptrace\n";
    assert!(
        outcomes("policy", policy)
            .iter()
            .all(|result| result.outcome == Outcome::Passed)
    );
    let chain = "---\nfilter = [\"EXAMPLES/no-new-files.c\", \"EXAMPLES/log-ptrace.hex\"]\narches = [\"x86_64\"]\n---\nlog ptrace\ndeny creat\nequiv EXAMPLES/no-new-files.c\n";
    let results = outcomes("chain", chain);
    let found: Vec<Outcome> = results.iter().map(|result| result.outcome).collect();
    assert_eq!(found, [Outcome::Passed, Outcome::Passed, Outcome::Failed]);
}

#[test]
fn budgets_are_exact() {
    let text = |worst: u32, mean: f64| {
        format!(
            "---\nfilter = \"EXAMPLES/log-ptrace.hex\"\narches = [\"x86_64\"]\n[cost]\nworst = {worst}\nmean = {mean}\n\
             [cost.workload]\nread = 3\nptrace = 1\n---\n"
        )
    };
    let all = |name, text: &str| {
        outcomes(name, text)
            .iter()
            .map(|result| result.outcome)
            .collect::<Vec<_>>()
    };
    let results = outcomes("mean", &text(99, 99.0));
    let mean: f64 = results[1]
        .reason
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap();
    assert_eq!(all("enough", &text(99, mean)), [Outcome::Passed, Outcome::Passed]);
    assert_eq!(all("less", &text(2, mean - 0.01)), [Outcome::Failed, Outcome::Failed]);
}

#[test]
fn traces_are_replayed() {
    let folder = folder("replay");
    std::fs::write(folder.join("t"), "# a trace\nread(0, 0, 0)\n\nptrace(0, 0, 0, 0)\n").unwrap();
    let path = folder.join("r.calls");
    let text = format!("{HEAD}replay t expect allow\nreplay t expect allow|errno(EPERM)\n");
    std::fs::write(&path, text.replace("EXAMPLES", EXAMPLES)).unwrap();
    let results = run_file(&path, &Options::default()).unwrap().cases;
    assert_eq!(results[0].outcome, Outcome::Failed);
    assert!(results[0].reason.starts_with("1 of 2 calls"), "{}", results[0].reason);
    assert!(results[0].reason.ends_with("line 4"), "{}", results[0].reason);
    assert_eq!(results[1].outcome, Outcome::Passed);
    std::fs::write(folder.join("t"), "read(0, 0, 0)\nraed(0)\n").unwrap();
    let error = run_file(&path, &Options::default()).unwrap_err();
    assert!(error.place.as_deref().unwrap().ends_with("t:2"), "{error}");
}

/// What comes of `replay t expect ...` with these bytes as the trace.
fn replayed(name: &str, trace: &[u8], expect: &str) -> Result<(Outcome, String), Error> {
    let folder = folder(name);
    std::fs::write(folder.join("t"), trace).unwrap();
    let path = folder.join("r.calls");
    let text = format!("{HEAD}replay t expect {expect}\n");
    std::fs::write(&path, text.replace("EXAMPLES", EXAMPLES)).unwrap();
    let results = run_file(&path, &Options::default())?.cases;
    Ok((results[0].outcome, results[0].reason.clone()))
}

#[test]
fn logs_of_tracers_are_replayed() {
    let strace =
        b"read(3, \"x\", 1) = 1\nopenat(AT_FDCWD, \"/x\", O_RDONLY) = 3\nptrace(PTRACE_TRACEME) = -1 EPERM (x)\n";
    let (outcome, reason) = replayed("strace", strace, "allow").unwrap();
    assert_eq!(outcome, Outcome::Failed, "{reason}");
    assert!(reason.starts_with("1 of 3") && reason.ends_with("line 3"), "{reason}");
    let (outcome, reason) = replayed("strace-both", strace, "allow|errno(EPERM)").unwrap();
    assert_eq!(outcome, Outcome::Passed, "{reason}");
    let audit = b"type=SECCOMP msg=audit(1.2:3): pid=1 sig=0 arch=c000003e syscall=41 compat=0 ip=0x7 code=0x50061\n";
    let (outcome, reason) = replayed("audit", audit, "allow").unwrap();
    assert_eq!(
        outcome,
        Outcome::Undecided,
        "the verdict depends on a register: {reason}"
    );
    let mut record = [0; 64];
    record[..8].copy_from_slice(&[101, 0, 0, 0, 0x3e, 0, 0, 0xc0]);
    let (outcome, reason) = replayed("records", &record, "allow").unwrap();
    assert_eq!(outcome, Outcome::Failed, "{reason}");
}

#[test]
fn wrong_traces_are_told() {
    let wrong = |name, trace: &[u8]| replayed(name, trace, "allow").unwrap_err().to_string();
    assert!(wrong("half", &[0; 63]).contains("63 bytes"));
    assert!(wrong("bytes", b"\xff\xfe").contains("not recognised"));
    assert!(wrong("line", b"read(0) = 1\n!!!(\n").contains("line 2"));
    assert!(wrong("none", b"# nothing\n").contains("no calls"));
}

/// A text, a part of where its problem is, and a part of what it is.
type Refused<'t> = (&'t str, &'t str, &'t str, &'t str);

const WRONG_HEADS: &[Refused<'_>] = &[
    ("empty", "", "test.calls", "does not say what is tested"),
    ("nothing", HEAD, "test.calls", "has no cases"),
    ("open", "---\nfilter = \"f\"\n", "test.calls:1:1", "not closed"),
    (
        "key",
        "---\nfiler = \"f\"\n---\ndeny read\n",
        "test.calls:2:1",
        "unknown field `filer`",
    ),
    ("toml", "---\nfilter = \n---\ndeny read\n", "test.calls:2", ""),
    (
        "both",
        "---\nfilter = \"f\"\npolicy = \"p\"\n---\n",
        "test.calls:3:10",
        "a filter and a policy",
    ),
    (
        "arch",
        "---\narches = [\"x86\", \"x68_64\"]\n---\n",
        "test.calls:2:",
        "x68_64",
    ),
    (
        "kernel",
        "---\nkernel = \"six\"\n---\n",
        "test.calls:2:10",
        "no kernel release",
    ),
    (
        "runtime",
        "---\nruntime = \"rnuc\"\n---\n",
        "test.calls:2:11",
        "no runtime",
    ),
    ("set", "---\n[sets]\na = [\"7..\"]\n---\n", "test.calls:3:5", ""),
    (
        "mean",
        "---\n[cost]\nmean = 4\n---\n",
        "test.calls:2",
        "need each other",
    ),
    (
        "weight",
        "---\n[cost]\nmean = 4\n[cost.workload]\nread = -1\n---\n",
        "test.calls:5:8",
        "above 0",
    ),
];

/// What stands behind [`HEAD`].
const WRONG_CASES: &[Refused<'_>] = &[
    ("verdict", "\n  alow read\n", "test.calls:6:3", "did you mean `allow`"),
    ("call", "deny raed\n", "test.calls:5:6", "did you mean `read`"),
    ("constant", "deny socket(AF_UNIXX)\n", "test.calls:5:13", "AF_UNIX"),
    ("errno", "errno(EPREM) read\n", "test.calls:5:7", "EPERM"),
    ("unnamed", "deny @nope\n", "test.calls:5:6", "no set is called"),
    ("since", "deny @new-since(six)\n", "test.calls:5:6", "name a release"),
    ("reason", "xfail deny read\n", "test.calls:5:1", "needs a reason"),
    ("file", "equiv not-there.bpf\n", "", "cannot read"),
    ("folder", "equiv EXAMPLES\n", "", "cannot read"),
    ("expect", "replay f\n", "test.calls:5:9", "expected `expect`"),
];

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let check = |name: &str, text: &str, place: &str, message: &str| {
        let error = refusal(name, text);
        assert!(error.contains(place) && error.contains(message), "{name}: {error}");
    };
    for (name, text, place, message) in WRONG_HEADS {
        check(name, text, place, message);
    }
    for (name, text, place, message) in WRONG_CASES {
        check(name, &format!("{HEAD}{text}"), place, message);
    }
}

#[test]
fn a_mistake_in_a_filter_is_told_as_one() {
    let folder = folder("mistake");
    // The comment alone would pass for the beginning of a policy.
    std::fs::write(
        folder.join("f.bpfasm"),
        "; `socket`: none\n        ld [4]\n        jne #1, a, b\n",
    )
    .unwrap();
    let path = folder.join("test.calls");
    std::fs::write(&path, "---\nfilter = \"f.bpfasm\"\n---\ndeny socket\n").unwrap();
    let error = run_file(&path, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("expected an instruction or a label"), "{error}");
    assert!(error.contains("f.bpfasm:3:18"), "{error}");
}

#[test]
fn a_filter_that_no_kernel_takes_is_refused() {
    let text = "---\nfilter = \"EXAMPLES/refused.bpfasm\"\n---\ndeny read\n";
    let error = run_text("refused", text, &Options::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.help.unwrap().contains("callproof check"));
    let empty = "---\npolicy = \"/dev/null\"\n---\ndeny read\n";
    let error = refusal("empty-policy", empty);
    assert!(error.contains("/dev/null: the file is empty"), "{error}");
    let filter = "---\npolicy = \"EXAMPLES/web-server.bpf\"\n---\ndeny read\n";
    assert!(refusal("filter-policy", filter).contains("compiled filter"));
    let text = "---\npolicy = \"long.policy\"\narches = [\"x86_64\"]\n---\ndeny read\n";
    let folder = folder("long");
    let many: String = (0..3000).map(|number| format!("trap({number}) {number}\n")).collect();
    std::fs::write(folder.join("long.policy"), format!("default kill\n{many}")).unwrap();
    std::fs::write(folder.join("long.calls"), text).unwrap();
    let error = run_file(&folder.join("long.calls"), &Options::default()).unwrap_err();
    assert!(
        error.to_string().contains("instructions, and a filter can have 4096"),
        "{error}"
    );
}

#[test]
fn an_assertion_tells_what_the_command_tells() {
    let filter = Filter::load(format!("{EXAMPLES}/web-server.bpf"))
        .unwrap()
        .on("x86_64")
        .unwrap();
    callproof::assert_denies!(filter, "ptrace", "@keyring, @module");
    callproof::assert_allows!(filter, "read", "openat(flags & O_ACCMODE == O_RDONLY)");
    callproof::assert_subset!(filter, format!("{EXAMPLES}/web-server.policy"));
    callproof::assert_equivalent!(&filter, format!("{EXAMPLES}/web-server.bpfasm"));
    filter.expect_cost("read", 60);
    let panicked = std::panic::catch_unwind(|| filter.expect_denies("socket")).unwrap_err();
    let text = panicked.downcast_ref::<String>().unwrap();
    for part in [
        "failed: deny socket",
        "expected deny",
        "socket(1, 0, 0) arch=x86_64",
        "path 0-1",
        "nearest denied call",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (wrong, part) in [
        ("deny", "expected a call"),
        ("", "nothing is expected"),
        ("deny open_by_nobody", "unknown system call"),
    ] {
        let panicked = std::panic::catch_unwind(|| filter.expect(wrong)).unwrap_err();
        assert!(panicked.downcast_ref::<String>().unwrap().contains(part), "{wrong}");
    }
    assert!(Filter::load("not-there").is_err());
    assert!(filter.on("x68").is_err());
}

#[test]
fn changes_that_no_case_notices_are_told() {
    use callproof::cases::mutants;
    let folder = folder("mutants");
    let path = folder.join("m.calls");
    let counted = |cases: &str| {
        let head = "---\nfilter = \"EXAMPLES/log-ptrace.hex\"\narches = [\"x86_64\"]\n---\n";
        std::fs::write(&path, format!("{head}{cases}").replace("EXAMPLES", EXAMPLES)).unwrap();
        let report = run_file(&path, &Options::default()).unwrap();
        mutants(&path, &Options::default(), &report).unwrap()
    };
    // Two tests and two returns, each changed once: whoever asks for everything sees everything.
    let all = counted("log ptrace\nallow * except ptrace\nallow * on other\n");
    assert_eq!((all.noticed, all.survivors.len(), all.equivalent), (4, 0, 0), "{all:?}");
    let some = counted("log ptrace\n");
    assert_eq!((some.noticed, some.survivors.len()), (3, 1), "{some:?}");
    let one = &some.survivors[0];
    assert_eq!((one.pc, one.was.as_str()), (4, "ret #0x7fff0000"), "{one:?}");
    assert!(!one.call.starts_with("ptrace("), "{one:?}");
    // What is reached by no call cannot be noticed.
    let dead = "ld [0]\njeq #1, a, b\na: ret #0x7fff0000\nb: ret #0\nret #0\n";
    std::fs::write(folder.join("dead.bpfasm"), dead).unwrap();
    std::fs::write(&path, "---\nfilter = \"dead.bpfasm\"\n---\nequiv dead.bpfasm\n").unwrap();
    let report = run_file(&path, &Options::default()).unwrap();
    let dead = mutants(&path, &Options::default(), &report).unwrap();
    assert_eq!(
        (dead.noticed, dead.survivors.len(), dead.equivalent),
        (3, 0, 1),
        "{dead:?}"
    );
}
