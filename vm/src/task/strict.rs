//! Strict mode: `read`, `write`, `exit` and the return from a signal handler, and nothing else.

use crate::bitmap::exception;
use crate::kernel::Kernel;

/// The numbers that strict mode allows on each ABI of a machine: read, write, exit, sigreturn.
///
/// The last is `sigreturn` on x86-32, s390, ppc32, sparc32 and microblaze, and `rt_sigreturn` elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrictCalls(pub &'static [(u32, [i32; 4])]);

impl StrictCalls {
    /// x86-64 and i386. Nothing is allowed to x32: the kernel compares its numbers, which have bit 30 set, with those
    /// of i386.
    pub const X86: Self = Self(&[(0xc000_003e, [0, 1, 60, 15]), (0x4000_0003, [3, 4, 1, 119])]);

    /// Whether strict mode allows a call. On x86-64, uretprobe (335) and uprobe (336) are allowed by the kernels in
    /// which they pass filters.
    #[must_use]
    pub fn allows(&self, arch: u32, nr: i32, kernel: Kernel) -> bool {
        let listed = |(abi, numbers): &(u32, [i32; 4])| *abi == arch && numbers.contains(&nr);
        self.0.iter().any(listed) || exception(arch, nr, kernel).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_has_its_own_numbers() {
        let allows = |arch, nr| StrictCalls::X86.allows(arch, nr, Kernel::LATEST);
        for nr in -2..600 {
            let native = [0, 1, 15, 60, 335, 336].contains(&nr);
            assert_eq!(allows(0xc000_003e, nr), native, "{nr}");
            assert_eq!(allows(0x4000_0003, nr), [1, 3, 4, 119].contains(&nr), "{nr}");
            assert!(!allows(0xc000_003e, nr | 0x4000_0000), "x32 {nr}");
        }
    }
}
