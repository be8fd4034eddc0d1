//! The bitmap never changes a verdict, but for the two calls that pass every filter.

#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use callproof_vm::bitmap::{Bypass, Numbers, Platform};
use callproof_vm::{Action, Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData};
use core::cell::Cell;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

const ALLOW: u32 = 0x7fff_0000;
const ARCHES: [u32; 4] = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x0000_0028];

/// A number or a constant that numbers are compared with.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..480_u32,
        select(vec![335, 336, 469, 470, u32::MAX, 0x4000_0027]),
        select(ARCHES.to_vec()),
        any::<u32>(),
    ]
}

/// Mostly what the kernel's little interpreter follows, and now and then something it gives up at.
fn insn() -> impl Strategy<Value = Insn> {
    let jump = (select(vec![0x15_u16, 0x25, 0x35, 0x45]), number(), 0..6_u8, 0..6_u8);
    prop_oneof![
        6 => select(vec![0_u32, 4]).prop_map(|k| Insn::stmt(0x20, k)),
        6 => jump.prop_map(|(code, k, jt, jf)| Insn::jump(code, k, jt, jf)),
        2 => (0..6_u32).prop_map(|k| Insn::stmt(0x05, k)),
        2 => prop_oneof![Just(u32::MAX), number()].prop_map(|k| Insn::stmt(0x54, k)),
        2 => returned().prop_map(|k| Insn::stmt(0x06, k)),
        1 => (select(vec![0x20_u16, 0x00, 0x80, 0x44, 0x07, 0x02, 0x16, 0x1d, 0x84, 0x5c, 0xa4]), 0..16_u32)
            .prop_map(|(code, k)| Insn::stmt(code, k / 4 * 4)),
    ]
}

fn returned() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(ALLOW),
        1 => select(vec![ALLOW | 1, 0x0005_0001, 0x8000_0000, 0x7ffc_0000, 0]),
    ]
}

/// A program that the kernel would install: jumps that lead too far are shortened, and a chain of returns ends it.
fn filter() -> impl Strategy<Value = Filter<'static>> {
    (vec(insn(), 0..14), vec(returned(), 6)).prop_map(|(mut program, returns)| {
        program.extend(returns.into_iter().map(|k| Insn::stmt(0x06, k)));
        Filter::load(program).unwrap()
    })
}

fn platform() -> impl Strategy<Value = Platform> {
    let arm = Numbers {
        arch: 0x0000_0028,
        bound: 400,
    };
    select(vec![
        Platform::X86_64,
        Platform {
            native: arm,
            compat: None,
        },
    ])
}

fn call() -> impl Strategy<Value = SeccompData> {
    (number(), select(ARCHES.to_vec()), any::<[u64; 6]>(), any::<u64>()).prop_map(|(nr, arch, args, ip)| SeccompData {
        instruction_pointer: ip,
        ..SeccompData::new(arch, nr.cast_signed(), args)
    })
}

/// One random chain and call. Says whether there was a bit.
fn check(
    filters: &[Filter<'_>],
    platform: Platform,
    call: &SeccompData,
    endian: Endian,
) -> Result<bool, TestCaseError> {
    let machine = Machine {
        endian,
        ..Machine::default()
    };
    let chain = Chain::new(filters);
    let bypass = platform.bypasses(&chain, call, Kernel::LATEST);
    match bypass {
        Some(Bypass::ConstantAllow) => {
            let verdict = chain.run(call, machine);
            prop_assert_eq!((verdict.value, verdict.action), (ALLOW, Action::Allow));
            // Neither arguments nor the instruction pointer matter.
            let zeros = SeccompData::new(call.arch, call.nr, [0; 6]);
            prop_assert_eq!(chain.run(&zeros, machine), verdict);
            prop_assert!(filters.iter().all(|filter| filter.run(call, machine) == ALLOW));
        }
        Some(Bypass::Uretprobe) => prop_assert_eq!((call.arch, call.nr), (0xc000_003e, 335)),
        Some(Bypass::Uprobe) => prop_assert_eq!((call.arch, call.nr), (0xc000_003e, 336)),
        None => {}
    }
    Ok(bypass == Some(Bypass::ConstantAllow))
}

#[test]
fn a_bit_never_changes_the_verdict() {
    const CASES: u32 = 6_000;
    let (bits, passes) = (Cell::new(0_u32), Cell::new(0_u32));
    let endian = select(vec![Endian::Little, Endian::Big]);
    let strategy = (vec(filter(), 1..3), platform(), call(), endian);
    let run = |(filters, platform, mut call, endian): (Vec<Filter<'static>>, Platform, SeccompData, Endian)| {
        if platform.compat.is_none() {
            // A kernel with one ABI sees no other.
            call.arch = platform.native.arch;
        }
        let bit = check(&filters, platform, &call, endian)?;
        bits.set(bits.get() + u32::from(bit));
        passes.set(passes.get() + u32::from(call.arch == 0xc000_003e && (335..=336).contains(&call.nr)));
        Ok(())
    };
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    };
    TestRunner::new(config).run(&strategy, run).unwrap();
    println!(
        "{} bits and {} calls that pass every filter, of {CASES}",
        bits.get(),
        passes.get()
    );
    assert!(bits.get() > CASES / 10, "too few bits to mean much: {}", bits.get());
    assert!(passes.get() > 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// A program of nothing but what the interpreter knows has exactly the bits of what it returns.
    #[test]
    fn simple_programs_have_every_bit_they_can(
        program in vec((select(vec![0x15_u16, 0x25, 0x35, 0x45]), 0..480_u32, 0..3_u8, 0..3_u8), 0..12),
        returns in vec(returned(), 3),
        nr in 0..470_i32,
    ) {
        let mut insns = vec![Insn::stmt(0x20, 0)];
        insns.extend(program.into_iter().map(|(code, k, jt, jf)| Insn::jump(code, k, jt, jf)));
        insns.extend(returns.into_iter().map(|k| Insn::stmt(0x06, k)));
        let filters = [Filter::load(insns).unwrap()];
        let call = SeccompData::new(0xc000_003e, nr, [0; 6]);
        let allows = filters[0].run(&call, Machine::default()) == ALLOW;
        let passes = nr == 335 || nr == 336;
        let bypass = Platform::X86_64.bypasses(&Chain::new(&filters), &call, Kernel::LATEST);
        prop_assert_eq!(bypass.is_some(), allows || passes);
        prop_assert_eq!(bypass.is_some_and(Bypass::overrules), passes);
    }
}
