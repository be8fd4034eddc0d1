//! What holds of all targets: random bytes find nothing, the canary sings, and everything that lists targets lists them all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;

use callproof_fuzz::{TARGETS, canary};
use callproof_testgen::{Choose as _, Seed};

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

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(folder(name)).unwrap()
}

/// The targets, without the canary.
fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn with_canary() -> BTreeSet<String> {
    targets().into_iter().chain(["canary".to_owned()]).collect()
}

/// The names in a folder, without what follows a point.
fn stems(name: &str) -> BTreeSet<String> {
    fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_target_has_a_program_and_is_thin() {
    assert_eq!(stems("fuzz_targets"), with_canary());
    for name in with_canary() {
        let call = format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callproof_fuzz::{name}(bytes));");
        let program = text(&format!("fuzz_targets/{name}.rs"));
        assert!(program.lines().any(|line| line == call), "{name}: {program}");
    }
}

#[test]
fn the_manifest_names_every_program() {
    let manifest = text("Cargo.toml");
    for name in with_canary() {
        let lines = format!(
            "[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\nrequired-features = [\"libfuzzer\"]\n"
        );
        assert!(manifest.contains(&lines), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), with_canary().len());
}

#[test]
fn every_target_has_a_corpus_and_a_line_in_the_readme() {
    assert_eq!(stems("corpus"), with_canary());
    let readme = text("README.md");
    let table = readme
        .lines()
        .skip_while(|line| !line.starts_with("| target "))
        .take_while(|line| !line.is_empty());
    let named = table.filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(named.map(str::to_owned).collect::<BTreeSet<_>>(), with_canary());
}

/// `fuzz/run` names what it runs; `.clusterfuzzlite/build.sh` asks it.
#[test]
#[cfg(unix)]
fn the_script_lists_every_target() {
    let output = Command::new(folder("run")).arg("--list").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let listed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(listed.lines().map(str::to_owned).collect::<BTreeSet<_>>(), targets());
    let build = text("../.clusterfuzzlite/build.sh");
    assert!(build.contains("$(fuzz/run --list)"), "{build}");
}

/// Small enough to be read by every test run and cloned by everyone.
#[test]
fn the_corpus_is_small() {
    let mut total = 0;
    for name in with_canary() {
        for entry in fs::read_dir(folder("corpus").join(name)).unwrap() {
            let entry = entry.unwrap();
            let length = entry.metadata().unwrap().len();
            assert!(length <= 1024, "{}: {length} bytes", entry.path().display());
            total += length;
        }
    }
    assert!(total < 2_000_000, "{total} bytes");
}
