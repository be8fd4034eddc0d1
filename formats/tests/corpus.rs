//! Filters of real programs, when they are at hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::fs;
use std::path::Path;

use callproof_formats::{Format, ReadOptions, WriteOptions, detect, write};
use callproof_vm::Endian;

#[test]
fn real_filters_survive_every_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/bpf");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no corpus");
        return;
    };
    let (mut count, mut with_directives) = (0, 0);
    for entry in entries {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(detect(&bytes, None).unwrap(), Format::Raw, "{}", path.display());
        let program = ReadOptions::default().read(&bytes).unwrap();
        for format in Format::ALL {
            for annotate in [false, true] {
                let options = WriteOptions {
                    annotate,
                    ..WriteOptions::default()
                };
                let written = write(&program.insns, *format, &options);
                assert_eq!(detect(&written, None).unwrap(), *format, "{}", path.display());
                let read = ReadOptions::default().read(&written).unwrap();
                let again = write(&read.insns, Format::Raw, &WriteOptions::default());
                assert!(again == bytes, "{format} changes {}", path.display());
            }
        }
        let written = write(&program.insns, Format::Asm, &WriteOptions::default());
        with_directives += usize::from(String::from_utf8(written).unwrap().contains(".insn"));
        let big = WriteOptions {
            endian: Endian::Big,
            annotate: false,
        };
        let swapped = write(&program.insns, Format::Raw, &big);
        let options = ReadOptions {
            endian: Endian::Big,
            ..ReadOptions::default()
        };
        assert_eq!(options.read(&swapped).unwrap().insns, program.insns);
        count += 1;
    }
    println!("{count} filters, {with_directives} with values in unused fields");
    assert!(count > 0, "the corpus is empty");
    assert!(
        with_directives * 20 < count,
        "{with_directives} of {count} need directives"
    );
}
