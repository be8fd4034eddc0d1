//! The examples of docs/FORMATS.md are read as it says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use callproof_abi::Abi;
use callproof_formats::batch::Request;
use callproof_formats::{Format, ReadOptions, call};

const DOCS: &str = include_str!("../../docs/FORMATS.md");

/// The fenced blocks below a heading.
fn blocks(heading: &str) -> Vec<String> {
    let section = DOCS
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap();
    let fences = section.split("```").skip(1).step_by(2);
    let body = |fence: &str| fence.split_once('\n').unwrap().1.to_owned();
    fences.map(body).collect()
}

#[test]
fn every_example_is_detected_and_read() {
    for (heading, format, len) in [
        ("hex", Format::Hex, 4),
        ("decimal", Format::Decimal, 2),
        ("c\n", Format::C, 4),
        ("asm", Format::Asm, 6),
        ("seccomp-tools,", Format::SeccompTools, 2),
        ("seccomp-tools-asm", Format::SeccompToolsAsm, 6),
        ("strace", Format::Strace, 1),
    ] {
        let options = ReadOptions {
            abi: Some(Abi::X86_64),
            ..ReadOptions::default()
        };
        let program = options.read(blocks(heading)[0].as_bytes()).unwrap();
        assert_eq!((program.format, program.insns.len()), (format, len), "{heading}");
    }
}

#[test]
fn every_format_has_its_row() {
    for format in Format::ALL {
        let row = DOCS
            .lines()
            .find(|line| line.starts_with(&format!("| `{format}` |")))
            .unwrap();
        for extension in format.extensions() {
            assert!(row.contains(&format!("`.{extension}`")), "{row}");
        }
    }
}

#[test]
fn calls_and_requests_are_right() {
    let section = DOCS
        .split("\n## ")
        .find(|section| section.starts_with("Calls"))
        .unwrap();
    let examples = section.lines().nth(2).unwrap();
    let calls: Vec<_> = examples.split('`').skip(1).step_by(2).collect();
    assert_eq!(calls.len(), 3);
    for text in calls {
        call::parse(text, Abi::X86_64).unwrap();
    }
    let hex = ["<oldest>", "<newest>"]
        .into_iter()
        .fold(blocks("Batches")[0].clone(), |text, placeholder| {
            text.replace(placeholder, "060000000000ff7f")
        });
    let requests = hex.replace("<128 hex digits of a seccomp_data>", &"0".repeat(128));
    for line in requests.lines() {
        Request::parse(line).unwrap().programs().unwrap();
    }
}
