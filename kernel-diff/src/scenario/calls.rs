//! The calls that scenarios make by name, and what they return when they are made.

use super::step::Abi;

/// Names with their numbers on x86-64 and i386.
const NAMES: &[(&str, i32, i32)] = &[
    ("read", 0, 3),
    ("write", 1, 4),
    ("close", 3, 6),
    ("rt_sigaction", 13, 174),
    ("rt_sigprocmask", 14, 175),
    ("rt_sigreturn", 15, 173),
    ("ioctl", 16, 54),
    ("dup", 32, 41),
    ("getpid", 39, 20),
    ("clone", 56, 120),
    ("fork", 57, 2),
    ("execve", 59, 11),
    ("exit", 60, 1),
    ("ptrace", 101, 26),
    ("capset", 126, 185),
    ("prctl", 157, 172),
    ("gettid", 186, 224),
    ("restart_syscall", 219, 0),
    ("exit_group", 231, 252),
    ("unshare", 272, 310),
    ("seccomp", 317, 354),
    ("prlimit64", 302, 340),
    ("no_such_call", 1000, 1000),
];

/// The number of a call on an ABI.
pub(super) fn number(name: &str, abi: Abi) -> Option<i32> {
    let (_, native, compat) = NAMES.iter().find(|(known, ..)| *known == name)?;
    Some(match abi {
        Abi::X86_64 => *native,
        Abi::I386 => *compat,
    })
}

/// The name of a number, or the number.
pub(super) fn name(nr: i32, abi: Abi) -> String {
    let known = NAMES.iter().find(|(_, native, compat)| match abi {
        Abi::X86_64 => *native == nr,
        Abi::I386 => *compat == nr,
    });
    known.map_or_else(|| format!("call {nr}"), |(name, ..)| (*name).to_owned())
}

/// What a call returns when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Natural {
    /// Always the same
    Value(i64),
    /// The number of the calling process
    Pid,
    /// The number of the calling thread
    Tid,
    /// Nobody knows
    Unknown,
}

/// What a call with these arguments returns when it is made.
pub(super) fn natural(nr: i32, args: &[u64; 6], abi: Abi) -> Natural {
    const BAD_FILE: i64 = -9;
    const NO_SUCH_CALL: i64 = -38;
    const INTERRUPTED: i64 = -4;
    let bad_file = args.first().is_some_and(|fd| fd & 0xffff_ffff == 0xffff_ffff);
    // The numbers of x32 have bit 30.
    if !(0..1000).contains(&nr) {
        return Natural::Value(NO_SUCH_CALL);
    }
    match name(nr, abi).as_str() {
        "getpid" => Natural::Pid,
        "gettid" => Natural::Tid,
        "close" | "read" | "write" | "dup" | "ioctl" if bad_file => Natural::Value(BAD_FILE),
        "restart_syscall" => Natural::Value(INTERRUPTED),
        _ => Natural::Unknown,
    }
}
