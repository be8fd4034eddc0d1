//! No input makes a reader panic, hang or take more memory than is in proportion to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::time::Duration;
use std::time::Instant;

use callproof_abi::Abi;
use callproof_formats::batch::{Request, decode_filter};
use callproof_formats::vectors::Vector;
use callproof_formats::{Format, MAX_BYTES, Problem, ReadOptions, WriteOptions, call, detect, write};
use callproof_vm::{Endian, Insn};
use miette::GraphicalReportHandler;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn read_every_way(bytes: &[u8]) {
    let formats = Format::ALL.iter().copied().map(Some);
    for format in formats.chain([None]) {
        for abi in [None, Some(Abi::Mips)] {
            let options = ReadOptions {
                format,
                abi,
                path: Some("a.b/c.hex"),
                ..ReadOptions::default()
            };
            if let Err(error) = options.read_all(bytes) {
                // The place and the rendering must exist for every error.
                let span = error.span().unwrap_or(0..0);
                assert!(span.start <= span.end && span.end <= bytes.len());
                let mut text = String::new();
                GraphicalReportHandler::new().render_report(&mut text, &error).unwrap();
                assert!(text.len() < 10_000, "{text}");
            }
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = detect(bytes, None);
    let _ = call::parse(&text, Abi::X86_64);
    let _ = Request::parse(&text).map(|request| request.programs());
    let _ = Vector::parse(&text);
    let _ = decode_filter(&text, Endian::Big);
}

/// Words of all grammars.
#[rustfmt::skip] // many on a line
const WORDS: &[&str] = &[
    "ld", "ldx", "jeq", "jneq", "ja", "ret", "st", "neg", "#", "[", "]", "x", "a", "M", "M[", "len", "L1", "L1:", ":",
    ",", ";", "\n", " ", "0x", "0x20", "4", "4*([", "&0xf)", "-1", "99999999999999999999", ".insn", ".", "BPF_STMT",
    "BPF_JUMP", "(", ")", "{", "}", "{ 6, 0, 0, 0 }", ".code", "=", "==", "|", "<<", "~", "...", "/*", "*/", "//",
    "\"", "'", "\\", "struct", "sock_filter", "[] = {", "#define", "#if", "offsetof(", "seccomp_data", "__NR_read",
    "SECCOMP_RET_ERRNO", "AUDIT_ARCH_X86_64", "seccomp(SECCOMP_SET_MODE_FILTER, 0, {", "len=1, filter=[", "]})",
    "A = ", "A", "X", "mem[0]", "args[0]", ">> 32", "if (", "goto", "else", "return", "ERRNO(", "?", "next", " 0000:",
    " 0001:", "line", "CODE", "openat(", "AT_FDCWD", "nr=", "arch=", "ip=", "_", "raw:", "\u{e9}", "\0",
    "{\"filter\":", "[\"\"]", "\"data\":", "1\n", "6 0 0 0\n", "1,6 0 0 0,",
];

/// These words, in any order.
fn words() -> impl Strategy<Value = Vec<u8>> {
    vec(proptest::sample::select(WORDS), 0..40).prop_map(|words| words.concat().into_bytes())
}

/// What a writer wrote, with a few bytes changed, cut out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let insn = (0_u16..256, 0_u8..4, 0_u8..4, any::<u32>()).prop_map(|(code, jt, jf, k)| Insn::new(code, jt, jf, k));
    let written = (vec(insn, 1..8), proptest::sample::select(Format::ALL), any::<bool>());
    let edits = vec((any::<prop::sample::Index>(), 0_usize..4, any::<u8>(), 0_u8..3), 1..6);
    (written, edits).prop_map(|((program, format, annotate), edits)| {
        let options = WriteOptions {
            annotate,
            ..WriteOptions::default()
        };
        let mut bytes = write(&program, format, &options);
        for (at, length, byte, kind) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                _ => bytes[at..end].fill(byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/hostile.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        read_every_way(&bytes);
    }

    #[test]
    fn any_words(bytes in words()) {
        read_every_way(&bytes);
    }

    #[test]
    fn nearly_right(bytes in mutated()) {
        read_every_way(&bytes);
    }
}

/// Texts that are long in one way each: a reader that looks back or ahead without bound takes hours for them.
#[test]
fn time_is_linear() {
    const COUNT: usize = 40_000;
    let began = Instant::now();
    for unit in [
        "(",
        "[",
        "{",
        "-",
        "~",
        "\"",
        "'",
        "/*",
        "/**/",
        "#",
        "\n",
        " ",
        "a:",
        "0",
        "9 ",
        "ja a ",
        "sock_filter[",
        "{6},",
        "sock_filter a[] = {",
        "sock_filter a[]={{6}};\n",
        "#define a (1+1)\n",
        "#define a\n",
        "#ifndef a\n#define a\n",
        "seccomp(",
        "prctl(\n",
        "seccomp(SECCOMP_SET_MODE_FILTER{",
        "seccomp(SECCOMP_SET_MODE_FILTER{\n",
        " 0000:",
        "A ",
        "A = 1 ",
        "if (",
        "1+",
        "1|",
        "BPF_STMT(6,0),",
        "ld [4]\n",
        "0000: 0x6 0x0 0x0 0x0\n",
        "line\n",
        "06",
    ] {
        let text = unit.repeat(COUNT / unit.len());
        read_every_way(text.as_bytes());
        read_every_way(format!("{{{text}").as_bytes());
        read_every_way(format!("struct sock_filter f[] = {{ {text}").as_bytes());
        read_every_way(format!("seccomp(SECCOMP_SET_MODE_FILTER, 0, {{len=1, filter=[{text}").as_bytes());
        assert!(began.elapsed() < Duration::from_secs(120), "{unit:?} takes too long");
    }
}

#[test]
fn endless_input_is_refused_at_once() {
    let bytes = vec![b'\n'; MAX_BYTES + 1];
    let error = ReadOptions::default().read(&bytes).unwrap_err();
    assert_eq!(*error.problem(), Problem::TooLarge { bytes: MAX_BYTES + 1 });
}
