//! What it takes to run a case file: 200 cases over three ABIs.
//!
//! `cargo bench -p callproof-benches --bench cases`. Every case is decided for all calls it speaks of, and proved.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a filter there is nothing to measure; its length is a figure too"
)]

use core::fmt::Write as _;
use std::path::Path;

use callproof::cases::{Outcome, coverage, run, run_file};
use callproof::{Options, Programs};
use callproof_abi::Abi;
use callproof_formats::cases::{CaseFile, read_cases};
use callproof_formats::{Format, WriteOptions, write};
use callproof_vm::Insn;
use criterion::{Criterion, criterion_group, criterion_main};

/// Calls that all three ABIs have, as in a container's profile.
const CALLS: &str = "read write close fstat lseek mprotect munmap brk rt_sigaction rt_sigprocmask ioctl pread64 pwrite64 \
    readv writev sched_yield mremap msync mincore madvise shmget shmat shmctl dup nanosleep getitimer setitimer getpid \
    socket connect sendto sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt \
    clone execve exit wait4 kill uname semget semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync \
    truncate ftruncate getcwd chdir fchdir fchmod fchown umask gettimeofday getrusage sysinfo times getpgid setpgid \
    getppid setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid setfsuid setfsgid getsid \
    capget capset rt_sigpending rt_sigqueueinfo rt_sigsuspend sigaltstack statfs fstatfs getpriority setpriority \
    sched_setparam sched_getparam sched_setscheduler sched_getscheduler mlock munlock mlockall munlockall prctl \
    setrlimit sync gettid readahead setxattr lsetxattr fsetxattr getxattr futex sched_setaffinity epoll_ctl \
    set_tid_address timer_create timer_settime timer_gettime timer_delete clock_gettime clock_nanosleep exit_group \
    tgkill waitid inotify_add_watch openat mkdirat fchownat unlinkat linkat symlinkat readlinkat fchmodat faccessat \
    pselect6 ppoll splice tee sync_file_range vmsplice utimensat epoll_pwait timerfd_create fallocate timerfd_settime \
    accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev prlimit64 sendmmsg getrandom \
    memfd_create execveat membarrier copy_file_range statx openat2 close_range";

/// Calls that are allowed when the low 12 bits of their third argument are 0, and denied otherwise.
const MASKED: &str = "mlockall munlockall personality setpriority getpriority sched_setscheduler flock timerfd_create \
    eventfd2 epoll_create1 inotify_init1 memfd_create getrandom membarrier statx openat2 close_range splice tee dup3";

/// A filter as libseccomp writes one: a section for each ABI, in it one number after the other, each with its own end.
fn program(abis: &[Abi]) -> Vec<Insn> {
    const ALLOW: u32 = 0x7fff_0000;
    let (eperm, enosys, family) = (0x0005_0001, 0x0005_0026, 0x0005_0061);
    let ret = |value| Insn::stmt(0x06, value);
    let mut insns = vec![Insn::stmt(0x20, 4)];
    for abi in abis {
        let number = |name: &str| abi.number(name).ok();
        let mut section = vec![Insn::stmt(0x20, 0)];
        section.extend(
            number("clone3")
                .map(|nr| [Insn::jump(0x15, nr, 0, 1), ret(enosys)])
                .into_iter()
                .flatten(),
        );
        for name in CALLS.split_whitespace() {
            let Some(nr) = number(name) else { continue };
            let arguments = match name {
                "clone" => vec![
                    Insn::stmt(0x20, 16),
                    Insn::jump(0x45, 0x1000_0000, 0, 1),
                    ret(eperm),
                    ret(ALLOW),
                ],
                "socket" => vec![
                    Insn::stmt(0x20, 16),
                    Insn::jump(0x15, 1, 1, 0),
                    Insn::jump(0x15, 2, 0, 1),
                    ret(ALLOW),
                    ret(family),
                ],
                _ if MASKED.split_whitespace().any(|masked| masked == name) => {
                    vec![
                        Insn::stmt(0x20, 32),
                        Insn::jump(0x45, 0xfff, 0, 1),
                        ret(eperm),
                        ret(ALLOW),
                    ]
                }
                _ => vec![ret(ALLOW)],
            };
            let past = u8::try_from(arguments.len()).expect("a few");
            section.push(Insn::jump(0x15, nr, 0, past));
            section.extend(arguments);
        }
        section.push(ret(eperm));
        let past = u32::try_from(section.len()).expect("short");
        insns.extend([Insn::jump(0x15, abi.audit_arch(), 1, 0), Insn::stmt(0x05, past)]);
        insns.extend(section);
    }
    insns.push(ret(0x8000_0000));
    insns
}

/// Two hundred lines: one a call, and some about arguments and groups.
fn cases(abis: &[Abi]) -> String {
    let list = abis
        .iter()
        .map(|abi| format!("\"{abi}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = format!("---\narches = [{list}]\n---\n");
    let plain = CALLS
        .split_whitespace()
        .filter(|call| !matches!(*call, "clone" | "socket"));
    let mut lines: Vec<String> = plain
        .map(|call| {
            let masked = MASKED.split_whitespace().any(|masked| masked == call);
            format!("allow {call}{}", if masked { "(_, _, raw: & 0xfff == 0)" } else { "" })
        })
        .collect();
    for family in ["AF_UNIX", "AF_INET"] {
        lines.push(format!("allow socket(raw:{family})"));
    }
    lines.push("deny socket(!(AF_UNIX|AF_INET))".to_owned());
    lines.push("deny clone(clone_flags & CLONE_NEWUSER)".to_owned());
    lines.push("errno(ENOSYS) clone3".to_owned());
    for set in [
        "@io_uring",
        "@mount",
        "@module",
        "@kexec",
        "@keyring",
        "@bpf",
        "@swap",
        "@perf",
        "@new-since(6.6)",
    ] {
        lines.push(format!("deny {set}"));
    }
    for call in [
        "ptrace",
        "reboot",
        "acct",
        "kcmp",
        "userfaultfd",
        "setns",
        "unshare",
        "syslog",
        "bpf",
        "quotactl",
    ] {
        lines.push(format!("errno(EPERM) {call}"));
    }
    while lines.len() < 200 {
        lines.push(format!("allow lseek(raw:{}, _, SEEK_SET)", lines.len()));
    }
    for line in lines.iter().take(200) {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn bench(c: &mut Criterion) {
    let abis = [Abi::X86_64, Abi::I386, Abi::Aarch64];
    let insns = program(&abis);
    let text = cases(&abis);
    let file: CaseFile = read_cases("bench.calls", text.as_bytes()).expect("cases");
    println!(
        "{} cases over {} ABIs on a filter of {} instructions",
        file.cases.len(),
        abis.len(),
        insns.len()
    );
    let programs = Programs {
        names: vec!["bench".to_owned()],
        programs: vec![insns.clone()],
        notes: Vec::new(),
    };
    let options = Options::default();
    let report = run(("bench.calls", &text), &file, Path::new(""), &programs, &options).expect("it runs");
    assert_eq!(
        report.count(Outcome::Passed),
        200,
        "{:?}",
        report.cases.iter().find(|case| case.outcome != Outcome::Passed)
    );

    let folder = std::env::temp_dir().join(format!("callproof-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("bench.calls");
    std::fs::write(
        folder.join("bench.bpf"),
        write(&insns, Format::Raw, &WriteOptions::default()),
    )
    .expect("written");
    std::fs::write(&path, text.replacen("---\n", "---\nfilter = \"bench.bpf\"\n", 1)).expect("written");
    let mut group = c.benchmark_group("cases");
    group.sample_size(10);
    group.bench_function("200_on_3_abis", |b| {
        b.iter(|| run_file(&path, &options).expect("it runs"));
    });
    group.bench_function("coverage", |b| b.iter(|| coverage(&path, &options).expect("it runs")));
    group.finish();
    // What cannot be removed is left to whoever clears temporary files.
    if std::env::var_os("KEEP").is_none() {
        let _ = std::fs::remove_dir_all(&folder);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
