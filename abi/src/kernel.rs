//! Facts of the kernel's own seccomp code that depend on numbers: strict mode and the constant-allow bitmap.

use crate::Abi;

/// What strict mode lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrictCalls {
    /// Number of `read`.
    pub read: u32,
    /// Number of `write`.
    pub write: u32,
    /// Number of `exit` (`exit_group` is not allowed).
    pub exit: u32,
    /// Number of `sigreturn` or `rt_sigreturn`, whichever one the kernel compares with.
    pub sigreturn: u32,
}

impl StrictCalls {
    /// Whether strict mode allows this number.
    #[must_use]
    pub const fn allow(&self, nr: u32) -> bool {
        nr == self.read || nr == self.write || nr == self.exit || nr == self.sigreturn
    }
}

/// The ABIs whose strict mode compares with `sigreturn` and not with `rt_sigreturn` (each architecture's
/// `asm/seccomp.h`). A 32-bit PowerPC kernel of its own compares with `rt_sigreturn`; the one here is the
/// 32-bit task on a 64-bit kernel.
const OLD_SIGRETURN: &[Abi] = &[
    Abi::I386,
    Abi::X32,
    Abi::S390x,
    Abi::S390,
    Abi::Ppc,
    Abi::Sparc,
    Abi::Microblaze,
];

impl Abi {
    /// The four numbers of strict mode (`SECCOMP_MODE_STRICT`).
    ///
    /// A caller on x32 is compared with i386 numbers, which have no bit 30, so that nothing is allowed there;
    /// the i386 numbers are what this returns. x86_64 kernels that know uretprobe (335) and uprobe (336) let
    /// these through as well. `None` when the ABI lacks one of the calls.
    #[must_use]
    pub fn strict_mode_calls(self) -> Option<StrictCalls> {
        let numbers = if self == Self::X32 { Self::I386 } else { self };
        let sigreturn = if OLD_SIGRETURN.contains(&self) {
            "sigreturn"
        } else {
            "rt_sigreturn"
        };
        let number = |name| numbers.number(name).ok();
        Some(StrictCalls {
            read: number("read")?,
            write: number("write")?,
            exit: number("exit")?,
            sigreturn: number(sigreturn)?,
        })
    }

    /// How many numbers, from 0, the constant-allow bitmap of a kernel covers: `NR_syscalls` of that release, which
    /// is the largest number in its table plus one.
    ///
    /// Known for x86_64, i386, aarch64, riscv64, loongarch64 and s390x from Linux 6.1 on to 7.3, where no call of
    /// unknown release is left; measured for x86_64 on 6.12 (463) and 6.18 (470). x32 numbers lie beyond the bound:
    /// 0. `None` when this is not known, the kernel has no bitmap (before 5.11), or the ABI has none.
    #[must_use]
    pub fn cached_nr_bound(self, kernel: (u16, u16)) -> Option<u32> {
        let known = [
            Self::X86_64,
            Self::X32,
            Self::I386,
            Self::Aarch64,
            Self::Riscv64,
            Self::Loongarch64,
            Self::S390x,
        ];
        if !known.contains(&self) || !((6, 1)..=(7, 3)).contains(&kernel) {
            return None;
        }
        if self == Self::X32 {
            return Some(0);
        }
        let there = |call: &crate::Syscall| call.since().is_some_and(|since| since <= kernel);
        self.syscalls().filter(there).map(|call| call.number + 1).max()
    }
}
