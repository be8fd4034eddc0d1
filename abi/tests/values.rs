//! Errors, signals and constants against linux-raw-sys and against facts known from elsewhere.

mod common;

use std::collections::BTreeMap;

use callproof_abi::{
    Abi, constant, constants, errno_name, errno_number, internal_errno_name, multiplexed, multiplexer, signal_name,
    signal_number,
};

/// Constants that linux-raw-sys (headers of 6.17) has otherwise, and why.
fn their_own(abi: Abi, name: &str) -> bool {
    match name {
        "FUTEX_CMD_MASK" | "PKEY_ACCESS_MASK" => true, // flags were added since
        // mips redefines these after the generic header, and only the first definition was kept
        "SI_ASYNCIO" | "SI_MESGQ" | "SI_TIMER" => matches!(abi, Abi::Mips | Abi::Mipsel | Abi::Mips64 | Abi::Mips64el),
        // requests that hold the size of a long or a pointer, taken for 8 bytes
        _ if abi == Abi::X32 => ["FS_IOC_", "PERF_EVENT_IOC_", "TUN", "DMA_BUF_"]
            .iter()
            .any(|head| name.starts_with(head)),
        _ => false,
    }
}

#[test]
fn errnos_agree_with_the_headers() {
    let mut compared = 0;
    for (folder, abis) in common::FOLDERS {
        for (name, number) in common::constants(folder, "errno.rs") {
            if folder.starts_with("powerpc") && name == "EDEADLOCK" {
                continue; // redefined after the generic header; only the first definition was kept there
            }
            for abi in *abis {
                assert_eq!(
                    errno_number(*abi, &name).ok().map(u64::from),
                    Some(number),
                    "{abi} {name}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared}");
}

#[test]
fn constants_agree_with_the_headers() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (folder, abis) in common::FOLDERS {
        let known: Vec<(Abi, BTreeMap<&str, u64>)> = abis.iter().map(|abi| (*abi, constants(*abi).collect())).collect();
        for file in [
            "general.rs",
            "net.rs",
            "ioctl.rs",
            "prctl.rs",
            "ptrace.rs",
            "mempolicy.rs",
            "netlink.rs",
        ] {
            for (name, theirs) in common::constants(folder, file) {
                for (abi, known) in &known {
                    let Some(&ours) = known.get(name.as_str()) else {
                        continue;
                    };
                    compared += 1;
                    // Theirs are as wide as C's type: compare what both have.
                    let low = theirs & 0xffff_ffff == ours & 0xffff_ffff;
                    if !low && !their_own(*abi, &name) {
                        wrong.push(format!("{abi} {name}: theirs {theirs:#x}, ours {ours:#x}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong.join("\n"), wrong.len());
    assert!(compared > 20_000, "only {compared} constants compared");
}

#[test]
fn audit_arch_constants_are_those_of_the_abis() {
    let mut named = 0;
    for (name, value) in constants(Abi::X86_64).filter(|(name, _)| name.starts_with("AUDIT_ARCH_")) {
        match Abi::from_name(name) {
            Ok(abi) => {
                assert_eq!(u64::from(abi.audit_arch()), value, "{name}");
                named += 1;
            }
            Err(_) => assert_eq!(
                Abi::from_audit_arch(u32::try_from(value).unwrap()),
                None,
                "{name} has no alias"
            ),
        }
    }
    // Every ABI but x32, which shares the value of x86_64.
    assert_eq!(named, Abi::ALL.len() - 1);
}

#[test]
fn known_errors() {
    let number = |abi, name| errno_number(abi, name).unwrap();
    for &abi in Abi::ALL {
        assert_eq!(number(abi, "EPERM"), 1);
        assert_eq!(errno_name(abi, 1), Some("EPERM"));
        assert_eq!(
            errno_name(abi, 11),
            Some(if number(abi, "EDEADLK") == 11 {
                "EDEADLK"
            } else {
                "EAGAIN"
            })
        );
        assert_eq!(number(abi, "ENOTSUP"), number(abi, "EOPNOTSUPP"));
    }
    assert_eq!(number(Abi::X86_64, "ENOSYS"), 38);
    assert_eq!(number(Abi::Mips, "ENOSYS"), 89);
    assert_eq!(number(Abi::MipselN32, "ENOSYS"), 89);
    assert_eq!(number(Abi::Parisc, "ENOSYS"), 251);
    assert_eq!(number(Abi::Sparc64, "ENOSYS"), 90);
    assert_eq!(number(Abi::X86_64, "EWOULDBLOCK"), 11);
    assert_eq!(number(Abi::Parisc, "EWOULDBLOCK"), 11);
    assert_eq!(number(Abi::Ppc64le, "EDEADLOCK"), 58);
    assert_eq!(number(Abi::Mips, "EDQUOT"), 1133);
    assert_eq!(errno_name(Abi::X86_64, 133), Some("EHWPOISON"));
    assert_eq!(errno_name(Abi::X86_64, 35), Some("EDEADLK"));
    assert_eq!(errno_name(Abi::X86_64, 95), Some("EOPNOTSUPP"));
    assert_eq!(errno_name(Abi::X86_64, 134), Some("EFTYPE"));
    assert_eq!(errno_name(Abi::X86_64, 135), None);
    assert_eq!(errno_name(Abi::X86_64, 41), None);
    assert_eq!(internal_errno_name(512), Some("ERESTARTSYS"));
    assert_eq!(internal_errno_name(4095), None);
    let error = errno_number(Abi::X86_64, "EPREM").unwrap_err().to_string();
    assert_eq!(error, "unknown error name `EPREM` on x86_64; did you mean `EPERM`?");
    for number in (1..=133).filter(|number| ![41, 58].contains(number)) {
        assert!(errno_name(Abi::X86_64, number).is_some(), "{number}");
    }
}

#[test]
fn known_signals() {
    assert_eq!(signal_number(Abi::X86_64, "SIGSYS").ok(), Some(31));
    assert_eq!(signal_number(Abi::Mips64el, "SIGSYS").ok(), Some(12));
    assert_eq!(signal_number(Abi::Sparc64, "SIGSYS").ok(), Some(12));
    assert_eq!(signal_number(Abi::Parisc, "SIGSYS").ok(), Some(31));
    assert_eq!(signal_name(Abi::Mips, 12), Some("SIGSYS"));
    assert_eq!(signal_name(Abi::X86_64, 6), Some("SIGABRT"));
    assert_eq!(signal_name(Abi::X86_64, 29), Some("SIGIO"));
    assert_eq!(signal_name(Abi::X86_64, 63), None);
    for &abi in Abi::ALL {
        assert_eq!(signal_number(abi, "SIGKILL").ok(), Some(9), "{abi}");
        assert_eq!(signal_name(abi, 11), Some("SIGSEGV"), "{abi}");
    }
}

#[test]
fn known_constants() {
    let value = |abi, name| constant(abi, name).unwrap();
    assert_eq!(value(Abi::X86_64, "AT_FDCWD"), (-100_i64).cast_unsigned());
    assert_eq!(value(Abi::X86_64, "TIOCSTI"), 0x5412);
    assert_eq!(value(Abi::Ppc64le, "TIOCSTI"), 0x5412);
    assert_eq!(value(Abi::Mips, "TIOCSTI"), 0x5472);
    assert_eq!(value(Abi::X86_64, "TIOCLINUX"), 0x541c);
    assert_eq!(value(Abi::X86_64, "SOCK_STREAM"), 1);
    assert_eq!(value(Abi::Mipsel, "SOCK_STREAM"), 2);
    assert_eq!(value(Abi::X86_64, "O_CLOEXEC"), 0o2_000_000);
    assert_eq!(value(Abi::Parisc, "O_CLOEXEC"), 0o10_000_000);
    assert_eq!(value(Abi::Sparc64, "O_CLOEXEC"), 0x0040_0000);
    assert_eq!(value(Abi::X86_64, "SOCK_CLOEXEC"), 0o2_000_000);
    assert_eq!(value(Abi::Parisc, "SOCK_NONBLOCK"), 0x4000_0000);
    assert_eq!(value(Abi::I386, "MAP_ANONYMOUS"), 0x20);
    assert_eq!(value(Abi::Mips64, "MAP_ANONYMOUS"), 0x800);
    assert_eq!(value(Abi::X86_64, "SECCOMP_IOCTL_NOTIF_RECV"), 0xc050_2100);
    assert_eq!(value(Abi::Mips, "SECCOMP_IOCTL_NOTIF_RECV"), 0xc050_2100);
    assert_eq!(value(Abi::X86_64, "SECCOMP_RET_KILL_PROCESS"), 0x8000_0000);
    assert!(
        constant(Abi::Aarch64, "ARCH_SET_FS")
            .unwrap_err()
            .to_string()
            .contains("it exists on x86_64")
    );
}

#[test]
fn usual_constants_exist_everywhere() {
    for name in [
        "AF_UNIX",
        "AF_VSOCK",
        "CLONE_NEWUSER",
        "PROT_EXEC",
        "PR_SET_NO_NEW_PRIVS",
        "S_IFREG",
        "F_DUPFD_CLOEXEC",
        "MS_BIND",
        "MSG_NOSIGNAL",
        "SOL_SOCKET",
        "SO_PEERCRED",
        "IPPROTO_TCP",
        "PTRACE_TRACEME",
        "FUTEX_WAIT",
        "KEYCTL_READ",
        "BPF_PROG_LOAD",
        "PERF_TYPE_HARDWARE",
        "RLIMIT_NOFILE",
        "MADV_DONTNEED",
        "GRND_NONBLOCK",
        "SEEK_SET",
        "W_OK",
        "MNT_DETACH",
        "SPLICE_F_MOVE",
        "EPOLL_CTL_ADD",
        "CLOCK_MONOTONIC",
        "SIG_BLOCK",
        "WNOHANG",
        "P_PIDFD",
        "SHM_RDONLY",
        "IPC_CREAT",
        "NETLINK_ROUTE",
        "PER_LINUX",
        "MFD_CLOEXEC",
        "UFFD_USER_MODE_ONLY",
        "TCGETS",
        "FIONBIO",
        "KDSKBSENT",
        "LINUX_REBOOT_CMD_RESTART",
        "LANDLOCK_CREATE_RULESET_VERSION",
        "IORING_SETUP_SQPOLL",
        "SCHED_FIFO",
        "LOCK_EX",
    ] {
        for &abi in Abi::ALL {
            assert!(constant(abi, name).is_ok(), "{abi} {name}");
        }
    }
}

#[test]
fn multiplexers() {
    let carriers = |name| {
        Abi::ALL
            .iter()
            .copied()
            .filter(|abi| !multiplexed(*abi, name).is_empty())
            .collect::<Vec<_>>()
    };
    assert!(multiplexed(Abi::I386, "socketcall").contains(&(1, "socket")));
    assert!(multiplexed(Abi::X86_64, "socketcall").is_empty());
    assert_eq!(multiplexer(Abi::I386, "accept4"), Some(("socketcall", 18)));
    assert_eq!(multiplexer(Abi::I386, "shmat"), Some(("ipc", 21)));
    assert_eq!(multiplexer(Abi::Arm, "socket"), None);
    let socketcall = carriers("socketcall");
    for abi in [
        Abi::I386,
        Abi::S390x,
        Abi::S390,
        Abi::Ppc,
        Abi::Ppc64le,
        Abi::Mips,
        Abi::M68k,
        Abi::Sh,
        Abi::Sparc64,
    ] {
        assert!(socketcall.contains(&abi), "{abi}");
    }
    for abi in [
        Abi::X32,
        Abi::Aarch64,
        Abi::Riscv64,
        Abi::Mips64,
        Abi::Parisc,
        Abi::Loongarch64,
    ] {
        assert!(!socketcall.contains(&abi), "{abi}");
    }
}
