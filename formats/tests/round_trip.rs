//! Every format carries every program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use callproof_formats::{Format, MAX_INSNS, Problem, ReadOptions, WriteOptions, detect, write};
use callproof_vm::{Endian, Insn, isa};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];

/// Opcodes that mean something are as frequent as those that do not.
fn code() -> impl Strategy<Value = u16> {
    let known: Vec<u16> = isa::TABLE.iter().map(|row| row.code).collect();
    prop_oneof![3 => proptest::sample::select(known), 1 => any::<u16>(), 1 => 0_u16..256]
}

/// Constants near the edges, and fields that are often zero, as in real programs.
fn insn() -> impl Strategy<Value = Insn> {
    let jump = || prop_oneof![2 => Just(0_u8), 2 => 0_u8..8, 1 => any::<u8>()];
    let k = prop_oneof![
        Just(0),
        0_u32..70,
        any::<u32>(),
        any::<u16>().prop_map(|data| 0x0005_0000 | u32::from(data)),
        proptest::sample::select(vec![0x7fff_0000, 0x8000_0000, 0xc000_003e, 0x7fff_ffff, u32::MAX]),
    ];
    (code(), jump(), jump(), k).prop_map(|(code, jt, jf, k)| Insn::new(code, jt, jf, k))
}

fn program() -> impl Strategy<Value = Vec<Insn>> {
    vec(insn(), 0..40)
}

fn there_and_back(program: &[Insn], format: Format, endian: Endian, annotate: bool) -> Result<(), TestCaseError> {
    let written = write(program, format, &WriteOptions { endian, annotate });
    let options = ReadOptions {
        format: Some(format),
        endian,
        ..ReadOptions::default()
    };
    match options.read(&written) {
        Ok(read) => prop_assert_eq!(&read.insns, program, "{} {}", format, String::from_utf8_lossy(&written)),
        // A line of strace without instructions hands no filter over.
        Err(error) => prop_assert!(
            program.is_empty() && matches!(error.problem(), Problem::NoFilter { .. }),
            "{format}: {error}\n{}",
            String::from_utf8_lossy(&written)
        ),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/round_trip.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_program_survives_any_format(program in program(), endian in proptest::sample::select(&ENDIANS[..]), annotate: bool) {
        for format in Format::ALL {
            there_and_back(&program, *format, endian, annotate)?;
        }
    }

    #[test]
    fn what_is_written_is_recognised(program in vec(insn(), 1..20), annotate: bool) {
        for format in Format::ALL {
            let options = WriteOptions { annotate, ..WriteOptions::default() };
            let written = write(&program, *format, &options);
            match detect(&written, None) {
                // Nothing but directives is the same in both assemblers.
                Ok(Format::Asm) if *format == Format::SeccompToolsAsm => {
                    prop_assert!(written.trim_ascii_start().starts_with(b".insn"));
                }
                Ok(found) => prop_assert_eq!(found, *format, "{}", String::from_utf8_lossy(&written)),
                // A raw array of opcodes that no kernel accepts need not have a zero byte.
                Err(error) => prop_assert!(*format == Format::Raw, "{format}: {error}\n{}", String::from_utf8_lossy(&written)),
            }
        }
    }
}

#[test]
fn the_longest_program_survives() {
    let program = vec![Insn::jump(0x15, 7, 0, 0); MAX_INSNS - 1];
    let program = [program, vec![Insn::stmt(6, 0)]].concat();
    for format in Format::ALL {
        there_and_back(&program, *format, Endian::Little, true).unwrap();
    }
    let too_long = [program, vec![Insn::stmt(6, 0)]].concat();
    for format in Format::ALL {
        let written = write(&too_long, *format, &WriteOptions::default());
        let options = ReadOptions {
            format: Some(*format),
            ..ReadOptions::default()
        };
        let error = options.read(&written).unwrap_err();
        let named = matches!(
            error.problem(),
            Problem::TooManyInsns | Problem::NumberRange { max: 65_535, .. }
        );
        assert!(named, "{format}: {error}");
    }
}
