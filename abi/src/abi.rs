//! The ABIs: what the kernel calls them, how wide they are, who shares a kernel with whom.

use crate::aliases::ABI_ALIASES;
use crate::suggest::{Kind, UnknownName};

/// Bit 30 of an x32 system-call number, `__X32_SYSCALL_BIT`.
pub const X32_BIT: u32 = 0x4000_0000;

/// One user-space binary interface of Linux: a numbering of calls, seen by a filter as `arch` (and bit 30 for x32).
///
/// Where one architecture runs in both byte orders with different `AUDIT_ARCH` values there are two ABIs.
/// ```
/// use callproof_abi::Abi;
/// assert_eq!(Abi::from_call(0xC000_003E, 0x4000_0208), Some(Abi::X32));
/// assert_eq!(Abi::X32.number("execve").ok(), Some(0x4000_0208));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// x32: 32-bit pointers on 64-bit x86, told from x86_64 by bit 30 of the number alone.
    X32,
    /// 32-bit x86, native or on an x86_64 kernel.
    I386,
    /// 64-bit Arm. A big-endian kernel reports the same `arch`.
    Aarch64,
    /// 32-bit Arm EABI. A big-endian kernel reports the same `arch`.
    Arm,
    /// Big-endian 32-bit Arm by its header value, which kernels never report.
    Armeb,
    /// 64-bit RISC-V.
    Riscv64,
    /// 32-bit RISC-V; as a compat task on 64-bit kernels it reports the `arch` of riscv64.
    Riscv32,
    /// 64-bit s390 (z/Architecture).
    S390x,
    /// 31-bit s390, a compat ABI of 64-bit kernels up to Linux 6.18.
    S390,
    /// 32-bit PowerPC. A 32-bit task on a little-endian kernel reports the same `arch`.
    Ppc,
    /// 64-bit PowerPC, big-endian.
    Ppc64,
    /// 64-bit PowerPC, little-endian.
    Ppc64le,
    /// MIPS o32, big-endian.
    Mips,
    /// MIPS o32, little-endian.
    Mipsel,
    /// MIPS n64, big-endian.
    Mips64,
    /// MIPS n64, little-endian.
    Mips64el,
    /// MIPS n32, big-endian.
    MipsN32,
    /// MIPS n32, little-endian.
    MipselN32,
    /// 64-bit LoongArch.
    Loongarch64,
    /// 32-bit LoongArch.
    Loongarch32,
    /// Motorola 68000 family.
    M68k,
    /// SuperH, little-endian (the usual one; libseccomp's `sh`).
    Sh,
    /// SuperH, big-endian.
    Sheb,
    /// 32-bit PA-RISC.
    Parisc,
    /// 64-bit PA-RISC.
    Parisc64,
    /// 32-bit SPARC: strict mode only.
    Sparc,
    /// 64-bit SPARC: strict mode only.
    Sparc64,
    /// C-SKY.
    Csky,
    /// Xtensa; `arch` has no byte-order bit, both orders exist.
    Xtensa,
    /// MicroBlaze: strict mode only.
    Microblaze,
}

/// What is constant about one ABI.
struct Facts {
    name: &'static str,
    audit_arch: u32,
    registers: u32,
    pointers: u32,
    partners: &'static [Abi],
    filters_since: Option<(u16, u16)>,
}

const fn facts(
    name: &'static str,
    audit_arch: u32,
    registers: u32,
    pointers: u32,
    partners: &'static [Abi],
    filters_since: Option<(u16, u16)>,
) -> Facts {
    Facts {
        name,
        audit_arch,
        registers,
        pointers,
        partners,
        filters_since,
    }
}

impl Abi {
    /// Every ABI, in the order of the enum.
    pub const ALL: &'static [Self] = &[
        Self::X86_64,
        Self::X32,
        Self::I386,
        Self::Aarch64,
        Self::Arm,
        Self::Armeb,
        Self::Riscv64,
        Self::Riscv32,
        Self::S390x,
        Self::S390,
        Self::Ppc,
        Self::Ppc64,
        Self::Ppc64le,
        Self::Mips,
        Self::Mipsel,
        Self::Mips64,
        Self::Mips64el,
        Self::MipsN32,
        Self::MipselN32,
        Self::Loongarch64,
        Self::Loongarch32,
        Self::M68k,
        Self::Sh,
        Self::Sheb,
        Self::Parisc,
        Self::Parisc64,
        Self::Sparc,
        Self::Sparc64,
        Self::Csky,
        Self::Xtensa,
        Self::Microblaze,
    ];

    #[rustfmt::skip] // one row an ABI
    const fn facts(self) -> Facts {
        match self {
            Self::X86_64 => facts("x86_64", 0xC000_003E, 64, 64, &[Self::I386, Self::X32], Some((3, 5))),
            Self::X32 => facts("x32", 0xC000_003E, 64, 32, &[Self::X86_64, Self::I386], Some((3, 5))),
            Self::I386 => facts("i386", 0x4000_0003, 32, 32, &[Self::X86_64, Self::X32], Some((3, 5))),
            Self::Aarch64 => facts("aarch64", 0xC000_00B7, 64, 64, &[Self::Arm], Some((3, 19))),
            Self::Arm => facts("arm", 0x4000_0028, 32, 32, &[Self::Aarch64], Some((3, 8))),
            Self::Armeb => facts("armeb", 0x0000_0028, 32, 32, &[], None),
            Self::Riscv64 => facts("riscv64", 0xC000_00F3, 64, 64, &[Self::Riscv32], Some((5, 5))),
            Self::Riscv32 => facts("riscv32", 0x4000_00F3, 32, 32, &[Self::Riscv64], Some((5, 5))),
            Self::S390x => facts("s390x", 0x8000_0016, 64, 64, &[Self::S390], Some((3, 8))),
            Self::S390 => facts("s390", 0x0000_0016, 32, 32, &[Self::S390x], Some((3, 8))),
            Self::Ppc => facts("ppc", 0x0000_0014, 32, 32, &[Self::Ppc64, Self::Ppc64le], Some((4, 3))),
            Self::Ppc64 => facts("ppc64", 0x8000_0015, 64, 64, &[Self::Ppc], Some((4, 3))),
            Self::Ppc64le => facts("ppc64le", 0xC000_0015, 64, 64, &[Self::Ppc], Some((4, 3))),
            Self::Mips => facts("mips", 0x0000_0008, 32, 32, &[Self::Mips64, Self::MipsN32], Some((3, 16))),
            Self::Mipsel => facts("mipsel", 0x4000_0008, 32, 32, &[Self::Mips64el, Self::MipselN32], Some((3, 16))),
            Self::Mips64 => facts("mips64", 0x8000_0008, 64, 64, &[Self::Mips, Self::MipsN32], Some((3, 16))),
            Self::Mips64el => facts("mips64el", 0xC000_0008, 64, 64, &[Self::Mipsel, Self::MipselN32], Some((3, 16))),
            Self::MipsN32 => facts("mipsn32", 0xA000_0008, 64, 32, &[Self::Mips64, Self::Mips], Some((3, 16))),
            Self::MipselN32 => facts("mipseln32", 0xE000_0008, 64, 32, &[Self::Mips64el, Self::Mipsel], Some((3, 16))),
            Self::Loongarch64 => facts("loongarch64", 0xC000_0102, 64, 64, &[], Some((6, 1))),
            Self::Loongarch32 => facts("loongarch32", 0x4000_0102, 32, 32, &[], None),
            Self::M68k => facts("m68k", 0x0000_0004, 32, 32, &[], Some((6, 12))),
            Self::Sh => facts("sh", 0x4000_002A, 32, 32, &[], Some((6, 1))),
            Self::Sheb => facts("sheb", 0x0000_002A, 32, 32, &[], Some((6, 1))),
            Self::Parisc => facts("parisc", 0x0000_000F, 32, 32, &[Self::Parisc64], Some((4, 6))),
            Self::Parisc64 => facts("parisc64", 0x8000_000F, 64, 64, &[Self::Parisc], Some((4, 6))),
            Self::Sparc => facts("sparc", 0x0000_0002, 32, 32, &[Self::Sparc64], None),
            Self::Sparc64 => facts("sparc64", 0x8000_002B, 64, 64, &[Self::Sparc], None),
            Self::Csky => facts("csky", 0x4000_00FC, 32, 32, &[], Some((6, 1))),
            Self::Xtensa => facts("xtensa", 0x0000_005E, 32, 32, &[], Some((6, 1))),
            Self::Microblaze => facts("microblaze", 0x0000_00BD, 32, 32, &[], None),
        }
    }

    /// The lower-case name that this crate reads and prints, such as `x86_64` or `mipsel`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The ABI called `name`, in any case: our own name, a usual other one (`amd64`, `i686`, `arm64`),
    /// or libseccomp's and the kernel's constants (`SCMP_ARCH_X86`, `AUDIT_ARCH_AARCH64`).
    ///
    /// # Errors
    /// When no ABI has the name: with the nearest names.
    pub fn from_name(name: &str) -> Result<Self, UnknownName> {
        let own = Self::ALL.iter().find(|abi| name.eq_ignore_ascii_case(abi.name()));
        let alias = || ABI_ALIASES.iter().find(|(alias, _)| name.eq_ignore_ascii_case(alias));
        own.copied().or_else(|| alias().map(|(_, abi)| *abi)).ok_or_else(|| {
            let known = Self::ALL.iter().map(|abi| abi.name());
            UnknownName::new(
                Kind::Abi,
                None,
                name,
                known.chain(ABI_ALIASES.iter().map(|(alias, _)| *alias)),
            )
        })
    }

    /// The `arch` word of `seccomp_data`: ELF machine, `0x8000_0000` for 64-bit, `0x4000_0000` for
    /// little-endian, `0x2000_0000` for mips n32.
    #[must_use]
    pub const fn audit_arch(self) -> u32 {
        self.facts().audit_arch
    }

    /// The main ABI of an `arch` word: x86_64 for `0xC000_003E`. `None` when no ABI here has it.
    #[must_use]
    pub fn from_audit_arch(arch: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|abi| abi.audit_arch() == arch)
    }

    /// The ABI of a call as a filter sees it: x32 when `arch` is that of x86_64 and bit 30 of `nr` is set.
    ///
    /// `nr` = -1 (what a tracer writes to skip a call) stays with x86_64.
    #[must_use]
    pub fn from_call(arch: u32, nr: u32) -> Option<Self> {
        let x32 = arch == Self::X32.audit_arch() && nr & X32_BIT != 0 && nr != u32::MAX;
        if x32 {
            Some(Self::X32)
        } else {
            Self::from_audit_arch(arch)
        }
    }

    /// Whether the 64-bit fields of `seccomp_data` have their high half first.
    ///
    /// Read from bit 30 of the `arch` word. Three kinds of kernel belie it and need to be told apart by
    /// hand: big-endian arm and aarch64, 32-bit tasks on ppc64le, little-endian xtensa and microblaze.
    #[must_use]
    pub const fn big_endian(self) -> bool {
        self.audit_arch() & 0x4000_0000 == 0
    }

    /// Bits of a register argument that a caller of this ABI can set: 64 for x86_64, and for x32 and mips n32 too.
    ///
    /// `seccomp_data` holds 64 bits an argument on every ABI. What the upper half holds for a 32-bit ABI
    /// depends on the kernel: zero almost everywhere, a copy of the sign for mips o32 on a 64-bit kernel,
    /// and anything at all for `int 0x80` made by 64-bit x86 code.
    #[must_use]
    pub const fn register_bits(self) -> u32 {
        self.facts().registers
    }

    /// Bits of a C pointer and `long` in programs of this ABI: 32 for x32 and mips n32.
    #[must_use]
    pub const fn pointer_bits(self) -> u32 {
        self.facts().pointers
    }

    /// Bits of a C `long` in programs of this ABI; the same as [`pointer_bits`](Self::pointer_bits).
    #[must_use]
    pub const fn word_bits(self) -> u32 {
        self.pointer_bits()
    }

    /// The other ABIs that one running kernel can serve beside this one, so that one filter must expect them.
    #[must_use]
    pub const fn partners(self) -> &'static [Self] {
        self.facts().partners
    }

    /// The earliest kernel release known to run filters for this ABI; `None` when filters never see it.
    ///
    /// For loongarch64, m68k, sh, csky and xtensa it is the earliest long-term release that was seen to have them
    /// (6.1, for m68k 6.12): the true one can be earlier. `None` is sparc, sparc64 and microblaze (strict mode
    /// only), and armeb and loongarch32, whose value no kernel reports.
    #[must_use]
    pub const fn filters_since(self) -> Option<(u16, u16)> {
        self.facts().filters_since
    }
}

impl core::fmt::Display for Abi {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::str::FromStr for Abi {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::from_name(name)
    }
}
