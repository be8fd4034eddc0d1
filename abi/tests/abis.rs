//! The ABIs themselves, and the kernel facts that follow from their numbers.

use callproof_abi::{Abi, X32_BIT};

#[test]
fn every_name_alias_and_value_leads_back() {
    for &abi in Abi::ALL {
        assert_eq!(Abi::from_name(abi.name()).unwrap(), abi);
        assert_eq!(Abi::from_name(&abi.name().to_uppercase()).unwrap(), abi);
        assert_eq!(abi.name().parse::<Abi>().unwrap(), abi);
        let main = if abi == Abi::X32 { Abi::X86_64 } else { abi };
        assert_eq!(Abi::from_audit_arch(abi.audit_arch()), Some(main));
        assert!(abi.pointer_bits() <= abi.register_bits());
    }
    let named = |name| Abi::from_name(name).unwrap();
    assert_eq!(named("amd64"), Abi::X86_64);
    assert_eq!(named("i686"), Abi::I386);
    assert_eq!(named("x86"), Abi::I386);
    assert_eq!(named("arm64"), Abi::Aarch64);
    assert_eq!(named("scmp_arch_mipsel64n32"), Abi::MipselN32);
    assert_eq!(named("AUDIT_ARCH_SHEL"), Abi::Sh);
    let error = Abi::from_name("aarhc64").unwrap_err().to_string();
    assert_eq!(error, "unknown ABI `aarhc64`; did you mean `aarch64`?");
}

#[test]
fn values_of_the_arch_word() {
    #[rustfmt::skip]
    let known = [
        (Abi::X86_64, 0xC000_003E_u32), (Abi::X32, 0xC000_003E), (Abi::I386, 0x4000_0003), (Abi::Arm, 0x4000_0028),
        (Abi::Aarch64, 0xC000_00B7), (Abi::Riscv64, 0xC000_00F3), (Abi::Riscv32, 0x4000_00F3), (Abi::S390x, 0x8000_0016),
        (Abi::S390, 0x16), (Abi::Ppc, 0x14), (Abi::Ppc64, 0x8000_0015), (Abi::Ppc64le, 0xC000_0015), (Abi::Mips, 8),
        (Abi::Mipsel, 0x4000_0008), (Abi::Mips64, 0x8000_0008), (Abi::Mips64el, 0xC000_0008), (Abi::MipsN32, 0xA000_0008),
        (Abi::MipselN32, 0xE000_0008), (Abi::Loongarch64, 0xC000_0102), (Abi::M68k, 4), (Abi::Sh, 0x4000_002A),
        (Abi::Sheb, 0x2A), (Abi::Parisc, 0xF), (Abi::Parisc64, 0x8000_000F), (Abi::Csky, 0x4000_00FC), (Abi::Xtensa, 0x5E),
    ];
    for (abi, arch) in known {
        assert_eq!(abi.audit_arch(), arch, "{abi}");
        assert_eq!(abi.big_endian(), arch & 0x4000_0000 == 0, "{abi}");
    }
}

#[test]
fn x32_is_told_by_bit_30_of_the_number() {
    let arch = Abi::X86_64.audit_arch();
    assert_eq!(Abi::from_call(arch, 0), Some(Abi::X86_64));
    assert_eq!(Abi::from_call(arch, X32_BIT), Some(Abi::X32));
    assert_eq!(Abi::from_call(arch, u32::MAX), Some(Abi::X86_64));
    assert_eq!(Abi::from_call(Abi::I386.audit_arch(), X32_BIT), Some(Abi::I386));
    assert_eq!(Abi::from_call(0, 0), None);
}

#[test]
fn partners_share_a_kernel_both_ways() {
    for &abi in Abi::ALL {
        for partner in abi.partners() {
            assert!(partner.partners().contains(&abi), "{abi} {partner}");
            assert_ne!(*partner, abi);
        }
    }
}

#[test]
fn strict_mode_numbers() {
    let allowed = |abi: Abi| {
        let calls = abi.strict_mode_calls().unwrap();
        [calls.read, calls.write, calls.exit, calls.sigreturn]
    };
    assert_eq!(allowed(Abi::X86_64), [0, 1, 60, 15]);
    assert_eq!(allowed(Abi::I386), [3, 4, 1, 119]);
    assert_eq!(allowed(Abi::X32), [3, 4, 1, 119]);
    assert_eq!(allowed(Abi::Aarch64), [63, 64, 93, 139]);
    assert_eq!(allowed(Abi::S390x), [3, 4, 1, 119]);
    assert_eq!(allowed(Abi::Mips), [4003, 4004, 4001, 4193]);
    assert_eq!(allowed(Abi::MipsN32), [6000, 6001, 6058, 6211]);
    assert!(!Abi::X86_64.strict_mode_calls().unwrap().allow(231));
    assert!(Abi::ALL.iter().all(|abi| abi.strict_mode_calls().is_some()));
}

#[test]
fn bitmap_bounds() {
    assert_eq!(Abi::X86_64.cached_nr_bound((6, 12)), Some(463));
    assert_eq!(Abi::X86_64.cached_nr_bound((6, 18)), Some(470));
    assert_eq!(Abi::I386.cached_nr_bound((6, 1)), Some(451));
    assert_eq!(Abi::X32.cached_nr_bound((6, 18)), Some(0));
    assert_eq!(Abi::X86_64.cached_nr_bound((5, 10)), None);
    assert_eq!(Abi::Mips.cached_nr_bound((6, 12)), None);
}

#[test]
fn releases() {
    let since = |name| Abi::X86_64.syscall_named(name).unwrap().since();
    assert_eq!(since("read"), Some((1, 0)));
    assert_eq!(since("openat"), Some((2, 6)));
    assert_eq!(since("seccomp"), Some((3, 17)));
    assert_eq!(since("clone3"), Some((5, 3)));
    assert_eq!(since("mseal"), Some((6, 10)));
    assert_eq!(since("tuxcall"), None);
    for &abi in Abi::ALL {
        let all = abi.syscalls().len();
        let known = abi.syscalls().filter(|call| call.since().is_some()).count();
        assert!(known * 20 > all * 18, "{abi}: {known} of {all}");
    }
}
