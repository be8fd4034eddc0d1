//! The guests: which kernel, on which board, and how the agent is built for it.

use callproof_vm::ShiftByX;

/// A kernel to boot and the machine to boot it on.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// Its name on the command line
    pub name: &'static str,
    /// What is special about it
    pub about: &'static str,
    /// Where its kernel comes from
    pub kernel: KernelPackage,
    pub(super) board: &'static Board,
    pub(super) compiler: &'static Compiler,
    /// Kernel parameters that it needs
    pub(super) parameters: &'static str,
    /// Audit architecture words of the calls that it makes, its agent's own first
    pub(super) arches: &'static [u32],
    /// Call numbers that no call is made with
    pub(super) withheld: &'static [i32],
    /// What its JIT does with a shift by X of 32 and more
    pub(super) jit_shift: ShiftByX,
}

/// A kernel of a Debian release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelPackage {
    /// The release
    pub suite: &'static str,
    /// Debian's name of the architecture
    pub arch: &'static str,
    /// The kernel's flavour
    pub flavour: &'static str,
    /// A regular expression for the names of the packages; the newest is taken
    pub pattern: &'static str,
}

/// A machine that qemu emulates.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) qemu: &'static str,
    /// Options, without the accelerator and the processor
    pub(super) options: &'static [&'static str],
    pub(super) cpu: &'static str,
    pub(super) console: &'static str,
    /// Debian packages that bring it
    pub(super) packages: &'static [&'static str],
    /// The host architecture whose KVM could run it
    pub(super) kvm: &'static str,
}

/// A compiler for the agent.
#[derive(Debug)]
pub(super) struct Compiler {
    pub(super) command: &'static str,
    /// Debian packages that bring it and a static C library
    pub(super) packages: &'static [&'static str],
}

const PC: Board = Board {
    qemu: "qemu-system-x86_64",
    // Not `microvm`: it hangs on a busy host.
    options: &["-machine", "q35"],
    cpu: "max",
    console: "ttyS0",
    packages: &["qemu-system-x86"],
    kvm: "x86_64",
};

const ARM64: Board = Board {
    qemu: "qemu-system-aarch64",
    options: &["-machine", "virt"],
    cpu: "cortex-a57",
    console: "ttyAMA0",
    packages: &["qemu-system-arm"],
    kvm: "aarch64",
};

const ARM: Board = Board {
    qemu: "qemu-system-arm",
    options: &["-machine", "virt"],
    cpu: "cortex-a15",
    console: "ttyAMA0",
    packages: &["qemu-system-arm"],
    kvm: "",
};

const S390X: Board = Board {
    qemu: "qemu-system-s390x",
    options: &["-machine", "s390-ccw-virtio"],
    cpu: "max",
    console: "ttysclp0",
    packages: &["qemu-system-misc"],
    kvm: "s390x",
};

const RISCV64: Board = Board {
    qemu: "qemu-system-riscv64",
    options: &["-machine", "virt", "-bios", "default"],
    cpu: "rv64",
    console: "ttyS0",
    packages: &["qemu-system-misc", "opensbi"],
    kvm: "riscv64",
};

const PPC64EL: Board = Board {
    qemu: "qemu-system-ppc64",
    // TCG has none of the mitigations that the machine asks for.
    options: &[
        "-machine",
        "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
    ],
    cpu: "power9",
    console: "hvc0",
    packages: &["qemu-system-ppc"],
    kvm: "",
};

/// Compilers by the name of their target.
macro_rules! compiler {
    ($target:literal, $arch:literal) => {
        Compiler {
            command: concat!($target, "-gcc"),
            packages: &[concat!("gcc-", $target), concat!("libc6-dev-", $arch, "-cross")],
        }
    };
}

const CC_AMD64: Compiler = Compiler {
    command: "x86_64-linux-gnu-gcc",
    packages: if cfg!(target_arch = "x86_64") {
        &["gcc", "libc6-dev"]
    } else {
        &["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"]
    },
};
const CC_I386: Compiler = compiler!("i686-linux-gnu", "i386");
const CC_ARM64: Compiler = compiler!("aarch64-linux-gnu", "arm64");
const CC_ARM: Compiler = compiler!("arm-linux-gnueabihf", "armhf");
const CC_S390X: Compiler = compiler!("s390x-linux-gnu", "s390x");
const CC_RISCV64: Compiler = compiler!("riscv64-linux-gnu", "riscv64");
const CC_PPC64EL: Compiler = compiler!("powerpc64le-linux-gnu", "ppc64el");

const fn package(
    suite: &'static str,
    arch: &'static str,
    flavour: &'static str,
    pattern: &'static str,
) -> KernelPackage {
    KernelPackage {
        suite,
        arch,
        flavour,
        pattern,
    }
}

const fn pc(name: &'static str, about: &'static str, kernel: KernelPackage) -> Guest {
    Guest {
        name,
        about,
        kernel,
        board: &PC,
        compiler: &CC_AMD64,
        parameters: "",
        arches: &[0xc000_003e, 0x4000_0003],
        // uretprobe and uprobe, which pass every filter on newer kernels.
        withheld: &[335, 336],
        jit_shift: ShiftByX::Masked,
    }
}

/// A guest with one ABI.
const fn other(
    name: &'static str,
    about: &'static str,
    kernel: KernelPackage,
    (board, compiler): (&'static Board, &'static Compiler),
    arches: &'static [u32],
    jit_shift: ShiftByX,
) -> Guest {
    Guest {
        name,
        about,
        kernel,
        board,
        compiler,
        parameters: "",
        arches,
        withheld: &[],
        jit_shift,
    }
}

/// Debian has built the image as a small package of its own since Linux 7.2.
const FORKY_ARM64: KernelPackage = package(
    "forky",
    "arm64",
    "cloud-arm64",
    r"^linux-binary-[0-9.]+\+deb14-cloud-arm64$",
);

/// Every guest, in the order of the table.
///
/// What a JIT does with a shift by X stands here and nowhere else. Interpreters mask the count.
pub const GUESTS: &[Guest] = &[
    pc(
        "debian-11-amd64",
        "Linux 5.10, before the constant-allow bitmap; x86_64 and i386 calls",
        package(
            "bullseye",
            "amd64",
            "cloud-amd64",
            r"^linux-image-5\.10\.0-[0-9]+-cloud-amd64$",
        ),
    ),
    pc(
        "debian-12-amd64",
        "Linux 6.1; x86_64 and i386 calls",
        package(
            "bookworm",
            "amd64",
            "cloud-amd64",
            r"^linux-image-6\.1\.0-[0-9]+-cloud-amd64$",
        ),
    ),
    pc(
        "debian-13-amd64",
        "Linux 6.12; x86_64 and i386 calls",
        package(
            "trixie",
            "amd64",
            "cloud-amd64",
            r"^linux-image-6\.12\.[0-9.]+\+deb13-cloud-amd64$",
        ),
    ),
    Guest {
        parameters: "syscall.x32=y",
        ..pc(
            "debian-amd64-x32",
            "the newest kernel of Debian forky, with x32 switched on; x86_64, x32 and i386 calls",
            package("forky", "amd64", "amd64", r"^linux-binary-[0-9.]+\+deb14-amd64$"),
        )
    },
    other(
        "debian-12-i386",
        "a 32-bit x86 kernel, Linux 6.1",
        package("bookworm", "i386", "686-pae", r"^linux-image-6\.1\.0-[0-9]+-686-pae$"),
        (&PC, &CC_I386),
        &[0x4000_0003],
        ShiftByX::Masked,
    ),
    other(
        "debian-arm64",
        "64-bit arm",
        FORKY_ARM64,
        (&ARM64, &CC_ARM64),
        &[0xc000_00b7],
        ShiftByX::Masked,
    ),
    other(
        "debian-arm64-armhf",
        "32-bit arm calls on a 64-bit kernel: its JIT is that of 64 bits",
        FORKY_ARM64,
        (&ARM64, &CC_ARM),
        &[0x4000_0028],
        ShiftByX::Masked,
    ),
    other(
        "debian-armhf",
        "32-bit arm",
        package("forky", "armhf", "armmp", r"^linux-binary-[0-9.]+\+deb14-armmp$"),
        (&ARM, &CC_ARM),
        &[0x4000_0028],
        ShiftByX::Arm8,
    ),
    other(
        "debian-riscv64",
        "64-bit RISC-V",
        package("forky", "riscv64", "riscv64", r"^linux-binary-[0-9.]+\+deb14-riscv64$"),
        (&RISCV64, &CC_RISCV64),
        &[0xc000_00f3],
        ShiftByX::Masked,
    ),
    other(
        "debian-s390x",
        "big-endian; no JIT in Debian's kernel",
        package("forky", "s390x", "s390x", r"^linux-binary-[0-9.]+\+deb14-s390x$"),
        (&S390X, &CC_S390X),
        &[0x8000_0016],
        ShiftByX::SixBitZero,
    ),
    other(
        "debian-ppc64el",
        "little-endian POWER",
        package(
            "forky",
            "ppc64el",
            "powerpc64le",
            r"^linux-binary-[0-9.]+\+deb14-powerpc64le$",
        ),
        (&PPC64EL, &CC_PPC64EL),
        &[0xc000_0015],
        ShiftByX::SixBitZero,
    ),
];

/// The guest of a name.
#[must_use]
pub fn guest(name: &str) -> Option<&'static Guest> {
    GUESTS.iter().find(|guest| guest.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for listed in GUESTS {
            assert_eq!(GUESTS.iter().filter(|other| other.name == listed.name).count(), 1);
            assert_eq!(guest(listed.name).map(|found| found.about), Some(listed.about));
            assert!(!listed.arches.is_empty(), "{}", listed.name);
        }
        assert!(guest("debian").is_none());
    }

    #[test]
    fn patterns_match_whole_names() {
        for Guest { kernel, .. } in GUESTS {
            assert!(kernel.pattern.starts_with("^linux-") && kernel.pattern.ends_with('$'));
            assert!(kernel.pattern.contains(kernel.flavour));
        }
    }
}
