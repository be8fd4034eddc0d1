//! What the kernel reads, against facts known from elsewhere and against the running kernel's own list.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use callproof_abi::{Abi, Prototype, Syscall, Width};

fn prototype(abi: Abi, name: &str) -> &'static Prototype {
    abi.syscall_named(name).unwrap().prototype().unwrap()
}

fn names(abi: Abi, name: &str) -> Vec<&'static str> {
    prototype(abi, name).args.iter().map(|arg| arg.name).collect()
}

fn width(abi: Abi, name: &str, index: usize) -> Width {
    prototype(abi, name).args[index].width(abi)
}

const INT: Width = Width {
    bits: 32,
    signed: true,
    pointer: false,
};
const UINT: Width = Width {
    bits: 32,
    signed: false,
    pointer: false,
};
const ULONG: Width = Width {
    bits: 64,
    signed: false,
    pointer: false,
};

#[test]
fn int_arguments_ignore_the_high_half() {
    assert_eq!(width(Abi::X86_64, "openat", 0), INT);
    assert_eq!(width(Abi::X86_64, "socket", 0), INT);
    assert_eq!(width(Abi::X86_64, "ioctl", 1), UINT);
    assert_eq!(width(Abi::X86_64, "read", 2), ULONG);
    assert_eq!(
        width(Abi::X86_64, "openat", 1),
        Width {
            bits: 64,
            signed: false,
            pointer: true
        }
    );
    assert_eq!(
        width(Abi::X86_64, "chmod", 1),
        Width {
            bits: 16,
            signed: false,
            pointer: false
        }
    );
    assert_eq!(
        width(Abi::X86_64, "lseek", 1),
        Width {
            bits: 64,
            signed: true,
            pointer: false
        }
    );
    assert_eq!(width(Abi::X86_64, "socket", 0).mask(), 0xffff_ffff);
    assert_eq!(width(Abi::X86_64, "read", 2).mask(), u64::MAX);
}

#[test]
fn compat_abis_read_32_bits_and_x32_reads_64() {
    assert_eq!(width(Abi::I386, "read", 2), UINT);
    assert_eq!(width(Abi::I386, "read", 1).bits, 32);
    assert_eq!(width(Abi::X32, "read", 2), ULONG);
    assert_eq!(width(Abi::X32, "readv", 1).bits, 64);
    assert_eq!(width(Abi::MipsN32, "read", 2), ULONG);
    assert_eq!(width(Abi::X32, "ioctl", 2).bits, 32); // compat_ulong_t
    for &abi in Abi::ALL {
        for call in abi.syscalls() {
            for arg in call.prototype().map_or(&[][..], |prototype| prototype.args) {
                let width = arg.width(abi);
                assert!(
                    [0, 16, 32, 64].contains(&width.bits),
                    "{abi} {} {}",
                    call.name,
                    arg.name
                );
                assert!(width.bits <= abi.register_bits(), "{abi} {} {}", call.name, arg.name);
                assert_eq!(width.bits == 0, arg.c_type.is_empty());
            }
        }
    }
}

#[test]
fn clone_has_four_argument_orders() {
    let usual = ["clone_flags", "newsp", "parent_tidptr", "child_tidptr", "tls"];
    let backwards = ["clone_flags", "newsp", "parent_tidptr", "tls", "child_tidptr"];
    for abi in [Abi::X86_64, Abi::X32, Abi::Csky, Abi::Loongarch64, Abi::M68k, Abi::Sh] {
        assert_eq!(names(abi, "clone"), usual, "{abi}");
    }
    for abi in [
        Abi::I386,
        Abi::Arm,
        Abi::Aarch64,
        Abi::Ppc64le,
        Abi::Mips,
        Abi::Mips64el,
        Abi::Riscv64,
        Abi::Parisc,
    ] {
        assert_eq!(names(abi, "clone"), backwards, "{abi}");
    }
    for abi in [Abi::S390x, Abi::S390] {
        assert_eq!(
            names(abi, "clone"),
            ["newsp", "clone_flags", "parent_tidptr", "child_tidptr", "tls"]
        );
    }
    assert_eq!(names(Abi::Microblaze, "clone")[2], "stack_size");
}

#[test]
fn wide_arguments_take_two_registers_on_32_bit_abis() {
    assert_eq!(names(Abi::X86_64, "pread64"), ["fd", "buf", "count", "pos"]);
    assert_eq!(names(Abi::X32, "pread64"), ["fd", "buf", "count", "pos"]);
    assert_eq!(names(Abi::I386, "pread64"), ["fd", "ubuf", "count", "poslo", "poshi"]);
    assert_eq!(
        names(Abi::Arm, "pread64"),
        ["fd", "buf", "count", "unused", "pos_lo", "pos_hi"]
    );
    assert_eq!(
        names(Abi::Mips, "pread64"),
        ["fd", "buf", "count", "unused", "pos_hi", "pos_lo"]
    );
    assert_eq!(
        names(Abi::Mipsel, "pread64"),
        ["fd", "buf", "count", "unused", "pos_lo", "pos_hi"]
    );
    assert_eq!(
        names(Abi::Riscv32, "pread64"),
        ["fd", "buf", "count", "pos_lo", "pos_hi"]
    );
    assert_eq!(names(Abi::S390, "pread64"), ["fd", "ubuf", "count", "high", "low"]);
    assert_eq!(width(Abi::Arm, "pread64", 3).mask(), 0);
}

/// Numbers that the kernel reserves for calls it does not have (any more, or on that ABI).
#[test]
fn only_a_few_old_calls_have_no_prototype() {
    let without: Vec<Syscall> = Abi::ALL
        .iter()
        .flat_map(|abi| abi.syscalls())
        .filter(|call| call.prototype().is_none())
        .collect();
    assert!(without.len() < 700, "{}", without.len());
    for call in &without {
        let recent = call.since().is_some_and(|since| since >= (4, 2)) && call.name != "map_shadow_stack";
        assert!(!recent, "{} {}", call.abi, call.name);
    }
    for &abi in Abi::ALL {
        let all = abi.syscalls().len();
        let with = abi.syscalls().filter(|call| call.prototype().is_some()).count();
        assert!(with * 10 > all * 8, "{abi}: {with} of {all}");
    }
}

/// The tracepoints of a running x86-64 kernel list names and types of the same entry points.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_running_kernel_agrees() {
    let mut compared = 0;
    for call in Abi::X86_64.syscalls() {
        let path = format!("/sys/kernel/tracing/events/syscalls/sys_enter_{}/format", call.name);
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let theirs: Vec<String> = text.lines().filter_map(field).skip(1).collect();
        let ours = call.prototype().map_or(&[][..], |prototype| prototype.args);
        let ours: Vec<String> = ours
            .iter()
            .map(|arg| normal(&format!("{} {}", arg.c_type, arg.name)))
            .collect();
        if theirs != ours {
            println!("{}: ours {ours:?}, the kernel's {theirs:?}", call.name);
            assert!(
                call.name == "bpf" || theirs.len() == ours.len(),
                "{}: other counts",
                call.name
            ); // grew after 6.18
        } else {
            compared += 1;
        }
    }
    if compared == 0 {
        println!("skipped: no tracepoints here");
    } else {
        assert!(compared > 300, "only {compared} calls agree");
    }
}

/// `type name` of one field that is an argument or the number.
fn field(line: &str) -> Option<String> {
    let declared = line.trim().strip_prefix("field:")?.split(';').next()?;
    (!declared.contains(" common_")).then(|| normal(declared))
}

fn normal(declared: &str) -> String {
    declared
        .replace('*', " * ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
