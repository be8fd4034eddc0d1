//! Which kernel table each ABI is made of.

/// How one ABI's numbers are made from a kernel's system-call table.
pub(super) struct AbiTable {
    /// The ABI's name, as `callproof_abi::Abi::name` gives it.
    pub(super) name: &'static str,
    /// The kernel's architecture folder.
    pub(super) arch: &'static str,
    /// The table, below the top of the kernel source.
    pub(super) table: &'static str,
    /// The table's tags that belong to the ABI.
    pub(super) tags: &'static [&'static str],
    /// Added to every number of the table.
    pub(super) base: u32,
    /// How a C argument becomes registers.
    pub(super) layout: Layout,
}

/// How a kernel that serves the ABI turns C arguments into registers.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Bits of a `long` that the entry points read.
    pub(super) long: u32,
    /// The high half of a pair comes first.
    pub(super) big_endian: bool,
    /// A 64-bit value on a 32-bit ABI starts at an even argument.
    pub(super) even_pairs: bool,
}

const LE64: Layout = Layout {
    long: 64,
    big_endian: false,
    even_pairs: false,
};
const BE64: Layout = Layout {
    long: 64,
    big_endian: true,
    even_pairs: false,
};
const LE32: Layout = Layout {
    long: 32,
    big_endian: false,
    even_pairs: false,
};
const BE32: Layout = Layout {
    long: 32,
    big_endian: true,
    even_pairs: false,
};
const LE32_EVEN: Layout = Layout {
    long: 32,
    big_endian: false,
    even_pairs: true,
};
const BE32_EVEN: Layout = Layout {
    long: 32,
    big_endian: true,
    even_pairs: true,
};

const GENERIC: &str = "scripts/syscall.tbl";
const X86_64: &str = "arch/x86/entry/syscalls/syscall_64.tbl";
const POWERPC: &str = "arch/powerpc/kernel/syscalls/syscall.tbl";
const O32: &str = "arch/mips/kernel/syscalls/syscall_o32.tbl";
const N32: &str = "arch/mips/kernel/syscalls/syscall_n32.tbl";
const N64: &str = "arch/mips/kernel/syscalls/syscall_n64.tbl";
const PARISC: &str = "arch/parisc/kernel/syscalls/syscall.tbl";
const SPARC: &str = "arch/sparc/kernel/syscalls/syscall.tbl";
const S390: &str = "arch/s390/kernel/syscalls/syscall.tbl";
const SH: &str = "arch/sh/kernel/syscalls/syscall.tbl";
const ARM: &str = "arch/arm/tools/syscall.tbl";

const fn row(
    name: &'static str,
    arch: &'static str,
    table: &'static str,
    tags: &'static [&'static str],
    base: u32,
    layout: Layout,
) -> AbiTable {
    AbiTable {
        name,
        arch,
        table,
        tags,
        base,
        layout,
    }
}

/// Every ABI. Tags are those that the kernel's own makefiles select for the ABI's table.
pub(super) const ABIS: &[AbiTable] = &[
    row("x86_64", "x86", X86_64, &["common", "64"], 0, LE64),
    row("x32", "x86", X86_64, &["common", "x32"], 0x4000_0000, LE64),
    row(
        "i386",
        "x86",
        "arch/x86/entry/syscalls/syscall_32.tbl",
        &["i386"],
        0,
        LE32,
    ),
    row(
        "aarch64",
        "arm64",
        "arch/arm64/tools/syscall_64.tbl",
        &["common", "64", "renameat", "rlimit", "memfd_secret"],
        0,
        LE64,
    ),
    row("arm", "arm", ARM, &["common"], 0, LE32_EVEN),
    row("armeb", "arm", ARM, &["common"], 0, BE32_EVEN),
    row(
        "riscv64",
        "riscv",
        GENERIC,
        &["common", "64", "riscv", "rlimit", "memfd_secret"],
        0,
        LE64,
    ),
    row(
        "riscv32",
        "riscv",
        GENERIC,
        &["common", "32", "riscv", "memfd_secret"],
        0,
        LE32,
    ),
    row("s390x", "s390", S390, &["common"], 0, BE64),
    row("s390", "s390", S390, &["common", "32"], 0, BE32),
    row("ppc", "powerpc", POWERPC, &["common", "nospu", "32"], 0, BE32_EVEN),
    row("ppc64", "powerpc", POWERPC, &["common", "nospu", "64"], 0, BE64),
    row("ppc64le", "powerpc", POWERPC, &["common", "nospu", "64"], 0, LE64),
    row("mips", "mips", O32, &["o32"], 4000, BE32_EVEN),
    row("mipsel", "mips", O32, &["o32"], 4000, LE32_EVEN),
    row("mips64", "mips", N64, &["common", "n64"], 5000, BE64),
    row("mips64el", "mips", N64, &["common", "n64"], 5000, LE64),
    row("mipsn32", "mips", N32, &["n32"], 6000, BE64),
    row("mipseln32", "mips", N32, &["n32"], 6000, LE64),
    row(
        "loongarch64",
        "loongarch",
        GENERIC,
        &["common", "64", "memfd_secret"],
        0,
        LE64,
    ),
    row(
        "loongarch32",
        "loongarch",
        GENERIC,
        &["common", "32", "memfd_secret"],
        0,
        LE32,
    ),
    row(
        "m68k",
        "m68k",
        "arch/m68k/kernel/syscalls/syscall.tbl",
        &["common"],
        0,
        BE32,
    ),
    row("sh", "sh", SH, &["common"], 0, LE32),
    row("sheb", "sh", SH, &["common"], 0, BE32),
    row("parisc", "parisc", PARISC, &["common", "32"], 0, BE32_EVEN),
    row("parisc64", "parisc", PARISC, &["common", "64"], 0, BE64),
    row("sparc", "sparc", SPARC, &["common", "32"], 0, BE32),
    row("sparc64", "sparc", SPARC, &["common", "64"], 0, BE64),
    row(
        "csky",
        "csky",
        GENERIC,
        &["common", "32", "csky", "time32", "stat64", "rlimit"],
        0,
        LE32,
    ),
    row(
        "xtensa",
        "xtensa",
        "arch/xtensa/kernel/syscalls/syscall.tbl",
        &["common"],
        0,
        BE32_EVEN,
    ),
    row(
        "microblaze",
        "microblaze",
        "arch/microblaze/kernel/syscalls/syscall.tbl",
        &["common"],
        0,
        BE32,
    ),
];
