//! The tables of callproof-abi: from public kernel packages to text facts, from text facts to Rust.
//!
//! Two steps, so that anybody can build without the sources and refresh with them:
//!
//! 1. `tables fetch` reads unpacked source packages and writes `abi/data/**/*.tsv`. Seldom run.
//! 2. `tables` turns `abi/data` into `abi/src/generated`. Deterministic, needs nothing else;
//!    `tables --check` fails when the committed files differ from what it would write.

mod abis;
mod fetch;
mod generate;
mod tsv;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;

/// `xtask tables`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a committed table is not what the facts give.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    step: Option<Step>,
}

#[derive(Subcommand)]
enum Step {
    /// Extracts `abi/data` anew from unpacked source packages (see `abi/data/README.md`).
    Fetch(fetch::Args),
}

/// Runs the step asked for.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    match &args.step {
        Some(Step::Fetch(fetch)) => fetch::run(fetch, &data_dir()),
        None => refresh(args.check),
    }
}

/// Fails when a committed table is not what the facts give.
pub(crate) fn check() -> Result<(), String> {
    refresh(true)
}

fn refresh(check: bool) -> Result<(), String> {
    let generated = generate::all(&data_dir())?;
    let dir = abi_dir().join("src/generated");
    if check {
        compare(&dir, &generated)
    } else {
        write(&dir, &generated)
    }
}

/// Fails on a missing, stale or surplus file.
fn compare(dir: &Path, generated: &[(PathBuf, String)]) -> Result<(), String> {
    let mut stale: Vec<String> = Vec::new();
    for (name, text) in generated {
        if fs::read_to_string(dir.join(name)).ok().as_ref() != Some(text) {
            stale.push(name.display().to_string());
        }
    }
    for path in files_below(dir)? {
        let name = path.strip_prefix(dir).unwrap_or(&path);
        if !generated.iter().any(|(known, _)| known == name) {
            stale.push(format!("{} (no longer generated)", name.display()));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "stale generated tables: {}; run `cargo run -p xtask -- tables`",
        stale.join(", ")
    ))
}

fn write(dir: &Path, generated: &[(PathBuf, String)]) -> Result<(), String> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|error| format!("cannot clear {}: {error}", dir.display()))?;
    }
    for (name, text) in generated {
        write_file(&dir.join(name), text)?;
    }
    Ok(())
}

/// Writes one file, making its folder.
fn write_file(path: &Path, text: &str) -> Result<(), String> {
    let describe = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(describe)?;
    }
    fs::write(path, text).map_err(describe)
}

/// Reads one file as text; bytes that are not UTF-8 are replaced (kernel sources have a few).
fn read_file(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Every file below `dir`, in path order.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(next) = pending.pop() {
        let describe = |error: std::io::Error| format!("cannot list {}: {error}", next.display());
        for entry in fs::read_dir(&next).map_err(describe)? {
            let entry = entry.map_err(describe)?;
            let kind = entry.file_type().map_err(describe)?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn abi_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../abi")
}

fn data_dir() -> PathBuf {
    abi_dir().join("data")
}
