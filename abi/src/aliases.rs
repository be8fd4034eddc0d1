//! Other names that people, libseccomp and the kernel use for the same thing.

use crate::Abi;

/// Names of ABIs beside [`Abi::name`]; compared without regard to case.
#[rustfmt::skip] // one row an ABI
pub(crate) static ABI_ALIASES: &[(&str, Abi)] = &[
    ("amd64", Abi::X86_64), ("x86-64", Abi::X86_64), ("x64", Abi::X86_64),
    ("SCMP_ARCH_X86_64", Abi::X86_64), ("AUDIT_ARCH_X86_64", Abi::X86_64),
    ("x86_64-x32", Abi::X32), ("amd64p32", Abi::X32), ("SCMP_ARCH_X32", Abi::X32),
    ("x86", Abi::I386), ("i486", Abi::I386), ("i586", Abi::I386), ("i686", Abi::I386), ("ia32", Abi::I386),
    ("SCMP_ARCH_X86", Abi::I386), ("AUDIT_ARCH_I386", Abi::I386),
    ("arm64", Abi::Aarch64), ("SCMP_ARCH_AARCH64", Abi::Aarch64), ("AUDIT_ARCH_AARCH64", Abi::Aarch64),
    ("armhf", Abi::Arm), ("armel", Abi::Arm), ("armv7", Abi::Arm), ("armv7l", Abi::Arm),
    ("SCMP_ARCH_ARM", Abi::Arm), ("AUDIT_ARCH_ARM", Abi::Arm), ("AUDIT_ARCH_ARMEB", Abi::Armeb),
    ("SCMP_ARCH_RISCV64", Abi::Riscv64), ("AUDIT_ARCH_RISCV64", Abi::Riscv64),
    ("SCMP_ARCH_RISCV32", Abi::Riscv32), ("AUDIT_ARCH_RISCV32", Abi::Riscv32),
    ("SCMP_ARCH_S390X", Abi::S390x), ("AUDIT_ARCH_S390X", Abi::S390x),
    ("SCMP_ARCH_S390", Abi::S390), ("AUDIT_ARCH_S390", Abi::S390),
    ("powerpc", Abi::Ppc), ("SCMP_ARCH_PPC", Abi::Ppc), ("AUDIT_ARCH_PPC", Abi::Ppc),
    ("powerpc64", Abi::Ppc64), ("SCMP_ARCH_PPC64", Abi::Ppc64), ("AUDIT_ARCH_PPC64", Abi::Ppc64),
    ("powerpc64le", Abi::Ppc64le), ("ppc64el", Abi::Ppc64le),
    ("SCMP_ARCH_PPC64LE", Abi::Ppc64le), ("AUDIT_ARCH_PPC64LE", Abi::Ppc64le),
    ("mipso32", Abi::Mips), ("SCMP_ARCH_MIPS", Abi::Mips), ("AUDIT_ARCH_MIPS", Abi::Mips),
    ("mipselo32", Abi::Mipsel), ("SCMP_ARCH_MIPSEL", Abi::Mipsel), ("AUDIT_ARCH_MIPSEL", Abi::Mipsel),
    ("mips64n64", Abi::Mips64), ("SCMP_ARCH_MIPS64", Abi::Mips64), ("AUDIT_ARCH_MIPS64", Abi::Mips64),
    ("mipsel64", Abi::Mips64el), ("mips64eln64", Abi::Mips64el),
    ("SCMP_ARCH_MIPSEL64", Abi::Mips64el), ("AUDIT_ARCH_MIPSEL64", Abi::Mips64el),
    ("mips64n32", Abi::MipsN32), ("n32", Abi::MipsN32),
    ("SCMP_ARCH_MIPS64N32", Abi::MipsN32), ("AUDIT_ARCH_MIPS64N32", Abi::MipsN32),
    ("mipsel64n32", Abi::MipselN32), ("mips64eln32", Abi::MipselN32), ("mipsn32el", Abi::MipselN32),
    ("SCMP_ARCH_MIPSEL64N32", Abi::MipselN32), ("AUDIT_ARCH_MIPSEL64N32", Abi::MipselN32),
    ("loong64", Abi::Loongarch64), ("SCMP_ARCH_LOONGARCH64", Abi::Loongarch64), ("AUDIT_ARCH_LOONGARCH64", Abi::Loongarch64),
    ("AUDIT_ARCH_LOONGARCH32", Abi::Loongarch32),
    ("SCMP_ARCH_M68K", Abi::M68k), ("AUDIT_ARCH_M68K", Abi::M68k),
    ("sh4", Abi::Sh), ("shel", Abi::Sh), ("SCMP_ARCH_SH", Abi::Sh), ("AUDIT_ARCH_SHEL", Abi::Sh),
    ("sh4eb", Abi::Sheb), ("SCMP_ARCH_SHEB", Abi::Sheb), ("AUDIT_ARCH_SH", Abi::Sheb),
    ("hppa", Abi::Parisc), ("SCMP_ARCH_PARISC", Abi::Parisc), ("AUDIT_ARCH_PARISC", Abi::Parisc),
    ("hppa64", Abi::Parisc64), ("SCMP_ARCH_PARISC64", Abi::Parisc64), ("AUDIT_ARCH_PARISC64", Abi::Parisc64),
    ("AUDIT_ARCH_SPARC", Abi::Sparc), ("AUDIT_ARCH_SPARC64", Abi::Sparc64),
    ("AUDIT_ARCH_CSKY", Abi::Csky), ("AUDIT_ARCH_XTENSA", Abi::Xtensa), ("AUDIT_ARCH_MICROBLAZE", Abi::Microblaze),
];

/// Names of calls in headers, in libseccomp and in this crate that mean the same call. Looked up only when
/// the ABI has no call of the first name.
pub(crate) static SYSCALL_ALIASES: &[(&str, &str)] = &[
    ("fadvise64_64", "arm_fadvise64_64"),
    ("sync_file_range2", "arm_sync_file_range"),
    ("ARM_breakpoint", "breakpoint"),
    ("ARM_cacheflush", "cacheflush"),
    ("ARM_usr26", "usr26"),
    ("ARM_usr32", "usr32"),
    ("ARM_set_tls", "set_tls"),
    ("ARM_get_tls", "get_tls"),
    ("newselect", "_newselect"),
    ("llseek", "_llseek"),
    ("sysctl", "_sysctl"),
    ("fstatat", "newfstatat"),
];
