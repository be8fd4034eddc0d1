//! Logs and traces held against filters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::fs::File;
use std::path::{Path, PathBuf};

use callproof::observed::{Against, Answer, Replayed, Way, Why, replay, why};
use callproof_abi::Abi;
use callproof_engines::Kind;
use callproof_formats::trace::{TraceOptions, read_trace};
use callproof_policy::ByteOrder;
use callproof_verifier::Limits;
use callproof_vm::{Chain, Endian, Filter, Insn, Machine};

const ALLOW: u32 = 0x7fff_0000;

/// Denies ptrace with EPERM and clone3 with ENOSYS, kills a socket whose family is above 2, and allows the rest.
fn program() -> Vec<Insn> {
    vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 101, 4, 0),
        Insn::jump(0x15, 435, 4, 0),
        Insn::jump(0x15, 41, 0, 4),
        Insn::stmt(0x20, 16),
        Insn::jump(0x25, 2, 3, 2),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0x0005_0026),
        Insn::stmt(0x06, ALLOW),
        Insn::stmt(0x06, 0x8000_0000),
    ]
}

fn against<'f>(filters: &'f [Filter<'f>], limits: &'f Limits) -> Against<'f> {
    Against {
        filters,
        marked: None,
        machine: Machine::default(),
        order: ByteOrder::OfArch,
        abi: Abi::X86_64,
        limits,
        engine: Kind::Specialised,
    }
}

fn explained(log: &str) -> Why {
    let program = program();
    let filters = [Filter::load(&program[..]).unwrap()];
    why(
        "log",
        log.as_bytes(),
        against(&filters, &Limits::default()),
        &mut |_| {},
    )
    .unwrap()
}

fn replayed(trace: &[u8]) -> Replayed {
    let program = program();
    let filters = [Filter::load(&program[..]).unwrap()];
    let limits = Limits::default();
    let [one, other] = [Kind::Reference, Kind::Specialised].map(|engine| {
        let against = Against {
            engine,
            ..against(&filters, &limits)
        };
        replay("trace", trace, against, &mut |_| {}).unwrap()
    });
    assert_eq!(one, other, "the engine makes no difference");
    other
}

#[test]
fn lines_that_are_treated_alike_are_one_group() {
    let found = explained(
        "ptrace(PTRACE_TRACEME) = -1 EPERM (Operation not permitted)\n\
         clone3(0x7000, 88) = -1 ENOSYS (Function not implemented)\n\
         ptrace(PTRACE_ATTACH, 7) = -1 EPERM (Operation not permitted)\n\
         read(3, 0x1000, 5) = 5\n\
         ptrace(PTRACE_ATTACH, 7) = 0\n",
    );
    assert_eq!(
        (found.calls, found.permitted, found.denied(), found.open()),
        (5, 1, 4, 0)
    );
    let groups: Vec<_> = found
        .groups
        .iter()
        .map(|group| (group.call.as_str(), group.line, group.count))
        .collect();
    assert_eq!(groups, [("ptrace", 1, 2), ("clone3", 2, 1), ("ptrace", 5, 1)]);
    assert_eq!(found.groups[0].contradiction, None);
    assert!(found.groups[1].next.as_deref().unwrap().contains("clone instead"));
    assert!(
        found.groups[2]
            .contradiction
            .as_deref()
            .unwrap()
            .contains("the call was made")
    );
}

#[test]
fn what_is_not_told_is_decided_for_every_value() {
    let audit =
        "type=SECCOMP msg=audit(1.2:3): pid=7 sig=31 arch=c000003e syscall=41 compat=0 ip=0x7f code=0x80000000\n";
    let found = explained(audit);
    let group = &found.groups[0];
    let Answer::Depends(verdicts) = &group.answer else {
        panic!("{:?}", group.answer)
    };
    assert!(
        verdicts.iter().any(|verdict| verdict == "allow") && verdicts.iter().any(|verdict| verdict == "kill_process")
    );
    assert_eq!(found.open(), 1);
    // One of the verdicts is the one that was logged.
    assert_eq!(group.contradiction, None);
    let wrong = explained(&audit.replace("code=0x80000000", "code=0x30000"));
    assert!(
        wrong.groups[0]
            .contradiction
            .as_deref()
            .unwrap()
            .contains("the log says trap")
    );
}

/// The answer of a filter about a socket of which only the number is known.
fn answer_of(program: &[Insn]) -> Answer {
    let log = "type=SECCOMP msg=audit(1.2:3): pid=7 sig=0 arch=c000003e syscall=41 compat=0 ip=0x7f code=0x7ffc0000\n";
    let filters = [Filter::load(program).unwrap()];
    let found = why(
        "log",
        log.as_bytes(),
        against(&filters, &Limits::default()),
        &mut |_| {},
    );
    found.unwrap().groups.swap_remove(0).answer
}

#[test]
fn a_denial_behind_many_verdicts_is_not_overlooked() {
    // Fifteen ways to log, and one to kill.
    let program = [
        Insn::stmt(0x20, 16),
        Insn::stmt(0x54, 15),
        Insn::jump(0x15, 15, 2, 0),
        Insn::stmt(0x44, 0x7ffc_0000),
        Insn::stmt(0x16, 0),
        Insn::stmt(0x06, 0x8000_0000),
    ];
    let Answer::Depends(verdicts) = answer_of(&program) else {
        panic!("only a part of the verdicts was looked at")
    };
    assert_eq!(verdicts.last().map(String::as_str), Some("another"));
}

#[test]
fn a_call_that_every_verdict_denies_is_denied() {
    let program = [
        Insn::stmt(0x20, 16),
        Insn::jump(0x15, 2, 0, 1),
        Insn::stmt(0x06, 0x8000_0000),
        Insn::stmt(0x06, 0x0005_0001),
    ];
    assert!(matches!(answer_of(&program), Answer::Denied(verdicts) if verdicts.contains(" or ")));
}

#[test]
fn logs_contradict_filters_only_when_they_do() {
    let contradicts = |log: &str| {
        explained(log)
            .groups
            .first()
            .is_some_and(|group| group.contradiction.is_some())
    };
    assert!(contradicts("getpid() = -1 EPERM (Operation not permitted)\n"));
    assert!(!contradicts(
        "openat(AT_FDCWD, 0x1000, O_RDONLY) = -1 ENOENT (No such file or directory)\n"
    ));
    assert!(!contradicts(
        "ptrace(PTRACE_TRACEME) = -1 EPERM (Operation not permitted)\n"
    ));
    assert!(contradicts("ptrace(PTRACE_TRACEME) = -1 EACCES (Permission denied)\n"));
    assert!(contradicts(
        "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_syscall=__NR_ptrace, si_arch=AUDIT_ARCH_X86_64} ---\n"
    ));
    assert!(!contradicts(
        "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_syscall=__NR_socket, si_arch=AUDIT_ARCH_X86_64} ---\n"
    ));
}

#[test]
fn the_nearest_permitted_call_is_shown() {
    let found = explained("socket(AF_PACKET, SOCK_RAW, 0) = -1 EPERM (Operation not permitted)\n");
    let nearest = found.groups[0].shown[0].nearest.as_ref().unwrap();
    assert_eq!((nearest.is, nearest.verdict.as_str()), ("allowed", "allow"));
}

#[test]
fn nothing_to_read_is_an_error() {
    let program = program();
    let filters = [Filter::load(&program[..]).unwrap()];
    let limits = Limits::default();
    for log in ["", "hello\n", "{}", "type=SYSCALL", "\0", "audit("] {
        let found = why("log", log.as_bytes(), against(&filters, &limits), &mut |_| {});
        assert!(found.is_err(), "{log}");
        assert!(
            replay("log", log.as_bytes(), against(&filters, &limits), &mut |_| {}).is_err(),
            "{log}"
        );
    }
}

#[test]
fn unread_lines_are_counted() {
    let found = replayed(b"read(3, 0x1000, 5) = 5\nread(3\n??\nptrace(PTRACE_TRACEME) = 0\n");
    assert_eq!((found.calls, found.unread.count), (2, 2));
    assert!(found.unread.first[0].starts_with("line 2"), "{:?}", found.unread);
}

#[test]
fn costs_and_unused_parts_are_those_of_the_emulator() {
    let found = replayed(b"read(3, 0x1000, 5) = 5\nread(3, 0x1000, 5) = 5\nclone3(0x7000, 88) = -1 ENOSYS (x)\n");
    assert_eq!((found.measured, found.insns, found.worst), (3, 5 + 5 + 4, 5));
    let costs: Vec<_> = found
        .by_call
        .iter()
        .map(|call| (call.call.as_str(), call.count, call.insns))
        .collect();
    assert_eq!(costs, [("read", 2, 10), ("clone3", 1, 4)]);
    let unused: Vec<_> = found.unused.iter().map(|unused| (unused.pc, unused.way)).collect();
    assert_eq!(
        unused,
        [
            (1, Way::True),
            (3, Way::True),
            (5, Way::Test),
            (6, Way::Return),
            (9, Way::Return)
        ]
    );
}

/// Every trace of the corpus, counted by a plain loop.
#[test]
fn real_traces_are_counted_as_a_loop_counts() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/traces");
    let Ok(folder) = std::fs::read_dir(&corpus) else {
        println!("skipped: no corpus");
        return;
    };
    let program = program();
    let filters = [Filter::load(&program[..]).unwrap()];
    let limits = Limits::default();
    let traces: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    for path in traces
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "gz"))
    {
        let found = replay(
            "trace",
            File::open(path).unwrap(),
            against(&filters, &limits),
            &mut |_| {},
        )
        .unwrap();
        let (mut calls, mut denied) = (0, 0);
        for call in read_trace(File::open(path).unwrap(), &TraceOptions::default()).unwrap() {
            let verdict = Chain::new(&filters).run(&call.unwrap().data().unwrap(), Machine::default());
            calls += 1;
            denied += u64::from(!verdict.action.permits());
        }
        assert_eq!(
            (found.calls, found.count_denied()),
            (calls, denied),
            "{}",
            path.display()
        );
        assert!(found.open.is_empty() && found.measured == calls);
    }
}

/// Real traces under real filters give the same report, whoever judges.
#[test]
fn the_engine_makes_no_difference_to_real_traces() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if !corpus.join("traces").exists() {
        println!("skipped: no corpus");
        return;
    }
    let limits = Limits::default();
    for name in ["podman-crun-deb13", "man-db-deb13.1", "firecracker-x86_64-vmm"] {
        let bytes = std::fs::read(corpus.join("bpf").join(format!("{name}.bpf"))).unwrap();
        let insns = bytes.as_chunks::<8>().0.iter();
        let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
        let filters = [Filter::load(program).unwrap()];
        for trace in ["redis", "i386-gcc"] {
            let [one, other] = [Kind::Reference, Kind::Specialised].map(|engine| {
                let file = File::open(corpus.join("traces").join(format!("{trace}.sd.gz"))).unwrap();
                let against = Against {
                    engine,
                    ..against(&filters, &limits)
                };
                replay(trace, file, against, &mut |_| {}).unwrap()
            });
            assert!(one == other, "{name} {trace}");
        }
    }
}
