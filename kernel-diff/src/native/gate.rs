//! Making a system call with every register chosen.
//!
//! A gate loads the number and the six arguments of a call from memory and makes it, by `syscall` as x86_64 or by
//! `int 0x80` as i386. There are three copies of each, at known addresses: the instrumented program tells by the
//! instruction pointer that a call is a test at all, and which part of its result it shall give back.

/// Where the gates are and what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gates {
    /// Address of the first; all of them lie in the [`Gates::SPAN`] bytes from here, which no multiple of 4 GiB divides
    pub(crate) base: u64,
}

/// Which ABI a gate calls by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Abi {
    /// `syscall`
    X86_64,
    /// `int 0x80`, from 64-bit code and with 64-bit registers
    I386,
}

impl Abi {
    /// The audit architecture word that the kernel reports for the ABI.
    pub(crate) const fn arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
        }
    }
}

impl Gates {
    /// Distance between copies. A power of two, so that a shift and a mask tell the copy.
    pub(crate) const STRIDE: u64 = 128;
    /// Room for all of them.
    pub(crate) const SPAN: u64 = 512;

    /// The instruction pointer that the kernel reports for calls through a gate.
    pub(crate) const fn ip(self, abi: Abi, copy: u32) -> u64 {
        let behind_call = match abi {
            Abi::X86_64 => 32,
            Abi::I386 => 64 + 34,
        };
        self.base
            .wrapping_add(Self::STRIDE.wrapping_mul(copy as u64))
            .wrapping_add(behind_call)
    }

    /// The gates of this machine, if its calls can be made.
    pub(crate) fn here() -> Option<Self> {
        code::base().map(|base| Self { base })
    }

    /// Makes a call; gives what the kernel left in the return register.
    ///
    /// # Safety
    /// The caller lives under a filter that answers this call without letting it happen. `regs` is readable.
    pub(crate) unsafe fn call(self, abi: Abi, copy: u32, regs: *const [u64; 7]) -> i64 {
        let offset = match abi {
            Abi::X86_64 => 0,
            Abi::I386 => 64,
        };
        let entry = self
            .base
            .wrapping_add(Self::STRIDE.wrapping_mul(u64::from(copy)))
            .wrapping_add(offset);
        // SAFETY: there is a gate at that address, which reads `regs` and keeps to the calling convention.
        unsafe { code::call(entry, regs) }
    }
}

#[cfg(target_arch = "x86_64")]
mod code {
    core::arch::global_asm!(
        ".pushsection .text.callproof_gates, \"ax\", @progbits",
        ".balign 512",
        ".globl callproof_gates",
        ".hidden callproof_gates",
        "callproof_gates:",
        ".rept 3",
        ".balign 128",
        "push rbx",
        "mov rbx, rdi",
        "mov eax, [rbx]",
        "mov rsi, [rbx + 16]",
        "mov rdx, [rbx + 24]",
        "mov r10, [rbx + 32]",
        "mov r8, [rbx + 40]",
        "mov r9, [rbx + 48]",
        "mov rdi, [rbx + 8]",
        "syscall",
        "pop rbx",
        "ret",
        ".balign 64",
        "push rbx",
        "push rbp",
        "mov r8, rdi",
        "mov eax, [r8]",
        "mov rbx, [r8 + 8]",
        "mov rcx, [r8 + 16]",
        "mov rdx, [r8 + 24]",
        "mov rsi, [r8 + 32]",
        "mov rdi, [r8 + 40]",
        "mov rbp, [r8 + 48]",
        "int 0x80",
        "pop rbp",
        "pop rbx",
        "ret",
        ".endr",
        ".balign 512",
        ".popsection",
    );

    unsafe extern "C" {
        safe static callproof_gates: [u8; 512];
    }

    pub(super) fn base() -> Option<u64> {
        Some((&raw const callproof_gates).addr() as u64)
    }

    #[cfg(test)]
    pub(super) fn bytes() -> &'static [u8; 512] {
        &callproof_gates
    }

    pub(super) unsafe fn call(entry: u64, regs: *const [u64; 7]) -> i64 {
        let entry = core::ptr::with_exposed_provenance::<()>(usize::try_from(entry).unwrap_or(0));
        // SAFETY: the caller promises that a gate is there; gates have this signature.
        let gate =
            unsafe { core::mem::transmute::<*const (), unsafe extern "sysv64" fn(*const [u64; 7]) -> i64>(entry) };
        // SAFETY: the gate only reads the seven words.
        unsafe { gate(regs) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod code {
    pub(super) fn base() -> Option<u64> {
        None
    }

    pub(super) unsafe fn call(_: u64, _: *const [u64; 7]) -> i64 {
        0
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn calls_are_made_where_the_addresses_say() {
        let gates = Gates::here().unwrap();
        assert_eq!(gates.base % Gates::SPAN, 0);
        let before = |ip: u64| {
            let at = usize::try_from(ip - gates.base).unwrap();
            <[u8; 2]>::try_from(&code::bytes()[at - 2..at]).unwrap()
        };
        for copy in 0..3 {
            assert_eq!(before(gates.ip(Abi::X86_64, copy)), [0x0f, 0x05], "syscall");
            assert_eq!(before(gates.ip(Abi::I386, copy)), [0xcd, 0x80], "int 0x80");
        }
    }
}
