//! The compiler with planted bugs, which is an example of the crate `callproof`.

#![allow(clippy::unwrap_used, reason = "a panic in a test is a failing test")]

use std::path::PathBuf;
use std::process::Command;

/// Builds it, and gives the folder that it lies in.
pub(crate) fn folder() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "callproof",
            "--example",
            "canary_compiler",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success());
    let mut path = PathBuf::from(env!("CARGO_BIN_EXE_callproof"));
    path.pop();
    path.join("examples")
}
