//! Numbers and names against two independent packages, and against themselves.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod common;

use callproof_abi::{Abi, X32_BIT};

/// Names in the headers that are no calls, or other names of one.
const NO_CALLS: &[(&str, &str)] = &[
    ("SYSCALL_BASE", "offset of the table"),
    ("OABI_SYSCALL_BASE", "offset of the table"),
    ("Linux", "offset of the table"),
    ("Linux_syscalls", "size of the table"),
    ("syscalls", "size of the table"),
    ("O32_Linux", "offset of the table"),
    ("O32_Linux_syscalls", "size of the table"),
    ("64_Linux", "offset of the table"),
    ("64_Linux_syscalls", "size of the table"),
    ("N32_Linux", "offset of the table"),
    ("N32_Linux_syscalls", "size of the table"),
    ("arch_specific_syscall", "first private number"),
    ("SYSCALL_MASK", "bits of an arm number"),
];

/// Calls that linux-raw-sys names and the kernel's tables do not.
const THEIRS_ALONE: &[(Abi, &str, &str)] = &[(
    Abi::Csky,
    "sync_file_range2",
    "an older header's name of 84, which the kernel calls sync_file_range",
)];

/// Calls that the kernel's tables name and linux-raw-sys (headers of 6.17) does not.
fn ours_alone(abi: Abi, name: &str) -> bool {
    match name {
        "listns" | "rseq_slice_yield" | "fchroot" | "uprobe" => true, // newer
        "memfd_secret" => abi == Abi::Loongarch64,                    // newer there
        "clone3" => matches!(abi, Abi::Sparc | Abi::Sparc64),         // newer there
        "breakpoint" | "cacheflush" | "usr26" | "usr32" | "set_tls" | "get_tls" => {
            matches!(abi, Abi::Arm | Abi::Armeb) // there under another prefix, __ARM_NR_
        }
        "sync_file_range" => abi == Abi::Csky, // see above
        _ => false,
    }
}

/// Calls that the `syscalls` package lists and the kernel's headers and linux-raw-sys do not have: 32-bit calls on
/// 64-bit ABIs, and calls that the generic table had for older architectures only.
fn listed_by_mistake(abi: Abi, name: &str, number: u32) -> bool {
    match abi {
        Abi::Aarch64 => (403..=423).contains(&number),
        Abi::Loongarch64 => (403..=423).contains(&number) || matches!(name, "renameat" | "getrlimit" | "setrlimit"),
        Abi::Riscv32 => matches!(name, "getrlimit" | "setrlimit"),
        _ => false,
    }
}

#[test]
fn every_header_number_is_ours() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (folder, abis) in common::FOLDERS {
        for (name, number) in common::constants(folder, "general.rs") {
            let Some(name) = name.strip_prefix("__NR_") else {
                continue;
            };
            if NO_CALLS.iter().any(|(other, _)| *other == name) {
                continue;
            }
            for abi in *abis {
                compared += 1;
                if THEIRS_ALONE
                    .iter()
                    .any(|(theirs, other, _)| theirs == abi && *other == name)
                {
                    continue;
                }
                if abi.number(name).ok().map(u64::from) != Some(number) {
                    wrong.push(format!("{abi} {name}: theirs {number}, ours {:?}", abi.number(name)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 7000, "only {compared} numbers compared");
}

#[test]
fn every_number_of_ours_up_to_their_release_is_in_the_headers() {
    let mut missing = Vec::new();
    for (folder, abis) in common::FOLDERS {
        let theirs = common::constants(folder, "general.rs");
        for abi in *abis {
            for call in abi.syscalls() {
                let number = theirs.get(&format!("__NR_{}", call.name));
                if number.is_none() && !ours_alone(*abi, call.name) {
                    missing.push(format!("{abi} {}", call.name));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What the `syscalls` package has for one architecture and we have not, or not so.
fn compare<S: Copy>(
    abi: Abi,
    calls: impl Iterator<Item = S>,
    name: impl Fn(S) -> &'static str,
    id: impl Fn(S) -> i32,
) -> Vec<String> {
    let mut compared = 0;
    let mut different = Vec::new();
    for call in calls {
        let name = name(call).trim_start_matches("r#");
        let number = u32::try_from(id(call)).unwrap();
        if abi.number(name).ok() != Some(number) && !listed_by_mistake(abi, name, number) {
            different.push(format!("{abi} {name} {number}"));
        }
        compared += 1;
    }
    assert!(compared > 280, "{abi}: only {compared} calls");
    different
}

macro_rules! compare_all {
    ($($abi:ident $module:ident,)*) => {
        [$(compare(Abi::$abi, syscalls::$module::Sysno::iter(), |call| call.name(), |call| call.id()),)*].concat()
    };
}

#[test]
fn the_syscalls_package_agrees() {
    let different = compare_all!(
        X86_64 x86_64, I386 x86, Aarch64 aarch64, Arm arm, Loongarch64 loongarch64, Mips mips, Mips64 mips64,
        Ppc powerpc, Ppc64 powerpc64, Riscv32 riscv32, Riscv64 riscv64, S390x s390x, Sparc sparc, Sparc64 sparc64,
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn names_and_numbers_come_back() {
    for &abi in Abi::ALL {
        assert!(abi.syscalls().len() > 280, "{abi}");
        let mut last = None;
        for call in abi.syscalls() {
            assert_eq!(abi.number(call.name).ok(), Some(call.number), "{abi} {}", call.name);
            assert_eq!(abi.syscall_name(call.number), Some(call.name));
            assert_eq!(call.abi, abi);
            assert!(last < Some(call.number), "{abi} {}", call.name);
            last = Some(call.number);
        }
    }
}

#[test]
fn known_numbers() {
    let number = |abi: Abi, name| abi.number(name).unwrap();
    assert_eq!(number(Abi::X32, "execve"), X32_BIT + 520);
    assert_eq!(number(Abi::X32, "read"), X32_BIT);
    assert_eq!(number(Abi::I386, "socketcall"), 102);
    assert_eq!(number(Abi::X86_64, "uprobe"), 336);
    assert_eq!(number(Abi::Arm, "set_tls"), 0x0f_0005);
    assert_eq!(number(Abi::Arm, "sync_file_range2"), 341);
    assert_eq!(number(Abi::MipsN32, "read"), 6000);
    assert_eq!(number(Abi::S390, "file_setattr"), 469);
    assert_eq!(Abi::S390.syscall_name(470), None);
    assert!(
        Abi::Sh.number("clone3").is_err(),
        "SuperH reserves 435 and has no clone3"
    );
    for &abi in Abi::ALL.iter().filter(|abi| !matches!(abi, Abi::Sh | Abi::Sheb)) {
        let base = match abi {
            Abi::X32 => X32_BIT,
            Abi::Mips | Abi::Mipsel => 4000,
            Abi::Mips64 | Abi::Mips64el => 5000,
            Abi::MipsN32 | Abi::MipselN32 => 6000,
            _ => 0,
        };
        assert_eq!(number(abi, "clone3"), base + 435, "{abi}");
    }
}

#[test]
fn lookups_say_what_was_meant_or_where_it_is() {
    let say = |abi: Abi, name| abi.number(name).unwrap_err().to_string();
    assert_eq!(
        say(Abi::X86_64, "opneat"),
        "unknown system call `opneat` on x86_64; did you mean `openat`?"
    );
    assert_eq!(
        say(Abi::X86_64, "waitpid"),
        "no system call `waitpid` on x86_64; it exists on i386, ppc, ppc64, ppc64le and 10 more"
    );
    assert_eq!(
        say(Abi::I386, "arch_prctl2"),
        "unknown system call `arch_prctl2` on i386; did you mean `arch_prctl`?"
    );
    assert_eq!(
        say(Abi::X86_64, "zzzzzzzzzzzz"),
        "unknown system call `zzzzzzzzzzzz` on x86_64"
    );
}
