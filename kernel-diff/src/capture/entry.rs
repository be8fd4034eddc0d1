//! Recognising system calls that install a filter.

use std::fs;

use super::ptrace::{insns_in, read_memory};
use super::{Captured, Outcome};

/// An ABI by which filters can be installed.
struct Installer {
    /// Its audit word
    arch: u32,
    /// Set in the numbers of x32
    nr_bits: u64,
    seccomp: u64,
    prctl: u64,
    /// Size of a pointer
    pointer: usize,
}

const X32: u64 = 0x4000_0000;

/// Numbers from the kernel's own system call tables (Linux 7.3): x86_64, x32, i386, aarch64, arm, riscv64, riscv32, s390x,
/// s390, ppc64le, ppc64, ppc, loongarch64, and mips n64, n32 and o32 of both byte orders.
#[rustfmt::skip]
const INSTALLERS: [Installer; 19] = [
    abi(0xc000_003e, 0, 317, 157, 8),
    abi(0xc000_003e, X32, 317, 157, 4),
    abi(0x4000_0003, 0, 354, 172, 4),
    abi(0xc000_00b7, 0, 277, 167, 8),
    abi(0x4000_0028, 0, 383, 172, 4),
    abi(0xc000_00f3, 0, 277, 167, 8),
    abi(0x4000_00f3, 0, 277, 167, 4),
    abi(0x8000_0016, 0, 348, 172, 8),
    abi(0x0000_0016, 0, 348, 172, 4),
    abi(0xc000_0015, 0, 358, 171, 8),
    abi(0x8000_0015, 0, 358, 171, 8),
    abi(0x0000_0014, 0, 358, 171, 4),
    abi(0xc000_0102, 0, 277, 167, 8),
    abi(0x8000_0008, 0, 5312, 5153, 8),
    abi(0xc000_0008, 0, 5312, 5153, 8),
    abi(0xa000_0008, 0, 6316, 6153, 4),
    abi(0xe000_0008, 0, 6316, 6153, 4),
    abi(0x0000_0008, 0, 4352, 4192, 4),
    abi(0x4000_0008, 0, 4352, 4192, 4),
];

const fn abi(arch: u32, nr_bits: u64, seccomp: u64, prctl: u64, pointer: usize) -> Installer {
    Installer {
        arch,
        nr_bits,
        seccomp,
        prctl,
        pointer,
    }
}

const SECCOMP_SET_MODE_FILTER: u64 = 1;
const PR_SET_SECCOMP: u64 = 22;
const SECCOMP_MODE_FILTER: u64 = 2;

/// What a thread is about to install, or `None` when it makes another call. `outcome` is still open.
pub(super) fn attempt(tid: i32, arch: u32, nr: u64, args: [u64; 6]) -> Option<Captured> {
    let known = INSTALLERS.iter().filter(|abi| abi.arch == arch);
    let (abi, by_prctl) = known.into_iter().find_map(|abi| {
        // The kernel reads the number as an `int`.
        let nr = nr & 0xffff_ffff;
        let by_seccomp = nr == abi.seccomp | abi.nr_bits;
        (by_seccomp || nr == abi.prctl | abi.nr_bits).then_some((abi, !by_seccomp))
    })?;
    // Operation and flags are `unsigned int`; prctl's option is an `int` and its mode an `unsigned long`.
    let [first, second, pointer, ..] = args;
    let flags = match (by_prctl, first & 0xffff_ffff) {
        (false, SECCOMP_SET_MODE_FILTER) => second & 0xffff_ffff,
        (true, PR_SET_SECCOMP) if second == SECCOMP_MODE_FILTER => 0,
        _ => return None,
    };
    Some(Captured {
        tid,
        exe: fs::read_link(format!("/proc/{tid}/exe")).ok(),
        arch,
        by_prctl,
        flags,
        program: read_program(tid, pointer, abi.pointer).map(|bytes| insns_in(&bytes)),
        outcome: Outcome::Unfinished,
    })
}

/// Reads the instructions that a `struct sock_fprog` describes: a 16-bit length, and a pointer aligned to its size.
fn read_program(tid: i32, address: u64, pointer: usize) -> Result<Vec<u8>, i32> {
    // A 32-bit caller's pointers are 32 bits, whatever else its registers hold.
    let address = if pointer == 4 { address & 0xffff_ffff } else { address };
    let header = read_memory(tid, address, pointer.saturating_mul(2))?;
    let (len, insns) = match *header.as_slice() {
        [a, b, _, _, c, d, e, f] => ([a, b], u64::from(u32::from_ne_bytes([c, d, e, f]))),
        [a, b, _, _, _, _, _, _, c, d, e, f, g, h, i, j] => ([a, b], u64::from_ne_bytes([c, d, e, f, g, h, i, j])),
        _ => return Err(libc::EFAULT),
    };
    read_memory(tid, insns, usize::from(u16::from_ne_bytes(len)).saturating_mul(8))
}

/// What a return value means.
pub(super) fn outcome(flags: u64, result: i64) -> Outcome {
    const NEW_LISTENER: u64 = 8;
    match result {
        -4095..=-1 => Outcome::Refused(i32::try_from(result.wrapping_neg()).unwrap_or(0)),
        listener if flags & NEW_LISTENER != 0 => Outcome::Listener(listener),
        0 => Outcome::Installed,
        tid => Outcome::Diverged(tid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_install_filters_are_attempts() {
        let me = i32::try_from(std::process::id()).unwrap();
        let seen = |arch, nr, op, mode| attempt(me, arch, nr, [op, mode, 0, 0, 0, 0]).map(|found| found.by_prctl);
        assert_eq!(seen(0xc000_003e, 317, 1, 0), Some(false));
        assert_eq!(seen(0xc000_003e, 0x4000_0000 + 317, 1, 0), Some(false));
        assert_eq!(seen(0xc000_003e, 157, 22, 2), Some(true));
        assert_eq!(seen(0x4000_0003, 354, 0xffff_ffff_0000_0001, 0), Some(false));
        assert_eq!(seen(0xc000_003e, 354, 1, 0), None, "i386's number");
        assert_eq!(seen(0xc000_003e, 317, 0, 0), None, "strict mode");
        assert_eq!(seen(0xc000_003e, 157, 22, 1), None, "strict mode");
        assert_eq!(seen(0xc000_003e, 157, 38, 1), None, "no_new_privs");
        assert_eq!(seen(0x1234, 317, 1, 0), None);
    }

    #[test]
    fn return_values_are_told_apart() {
        assert_eq!(outcome(0, 0), Outcome::Installed);
        assert_eq!(outcome(8, 0), Outcome::Listener(0));
        assert_eq!(outcome(1, 1234), Outcome::Diverged(1234));
        assert_eq!(outcome(9, -22), Outcome::Refused(22));
    }
}
