//! The program on its own: what it prints and how it ends.

#![allow(clippy::unwrap_used, reason = "what fails here is the test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// `ret 0x7fff0000`, and `ret 0`.
const ALLOW: [u8; 8] = [6, 0, 0, 0, 0, 0, 0xff, 0x7f];
const KILL: [u8; 8] = [6, 0, 0, 0, 0, 0, 0, 0];

/// That one filter of one instruction returns something, because it allows.
const PROOF: &[u8] =
    b"CPRF\x01\x01\0\0\0\x01\x01\x01\0\x01\x01\x01\0\0\0\x01\0\0\0\0\xff\xff\xff\xff\x01\0\0\0\xff\x7f\0\x01\0\0\x02";

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn run(paths: &[&Path]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_callproof-check"))
        .args(paths)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

#[test]
fn exit_codes_tell_accepted_rejected_and_unreadable() {
    let (proof, allow, kill) = (file("proof", PROOF), file("allow", &ALLOW), file("kill", &KILL));
    let junk = file("junk", b"no proof");
    let (code, printed) = run(&[&proof, &allow]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("accepted\n"), "{printed}");
    let (code, printed) = run(&[&proof, &kill]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("a value is returned that is in no class"), "{printed}");
    assert_eq!(run(&[&proof, &allow, &allow]).0, Some(1));
    assert_eq!(run(&[&junk, &allow]).0, Some(2));
    assert_eq!(run(&[&proof, Path::new("does/not/exist")]).0, Some(2));
    assert_eq!(run(&[&proof]).0, Some(2));
    assert_eq!(run(&[]).0, Some(2));
}
