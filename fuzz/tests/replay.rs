//! Every input of the corpus through its target, and the canary, which must sing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::Path;

use callproof_fuzz::{TARGETS, canary};
use callproof_testgen::{Choose as _, Seed};

/// The files of a folder, by name.
fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn the_corpus_finds_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let inputs = inputs(&corpus.join(name));
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for (path, bytes) in &inputs {
            println!("{path}");
            target(bytes);
        }
    }
}

#[test]
fn few_random_bytes_find_nothing() {
    let mut seed = Seed::new(1, 0);
    for (name, target) in TARGETS {
        for length in 0..64 {
            let bytes: Vec<u8> = (0..length * 3).map(|_| seed.word().to_le_bytes()[0]).collect();
            println!("{name} {bytes:x?}");
            target(&bytes);
        }
    }
}

#[test]
fn the_canary_sings() {
    let silent = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut seed = Seed::new(1, 0);
    let sung = (0..5_000).any(|_| {
        let bytes: Vec<u8> = (0..64).flat_map(|_| seed.word().to_le_bytes()).collect();
        panic::catch_unwind(|| canary(&bytes)).is_err()
    });
    panic::set_hook(silent);
    assert!(sung, "a planted mistake was not found");
}

#[test]
fn every_target_has_a_program() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let programs: BTreeSet<String> = inputs(&targets)
        .iter()
        .map(|(path, _)| Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let named = TARGETS.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(programs, named.chain(["canary".to_owned()]).collect());
}
