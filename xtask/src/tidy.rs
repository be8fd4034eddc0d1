//! The house rules as a test. Each rule is one function that adds what it finds.
//!
//! 1. Arrows between rooms point down only.
//! 2. `unsafe` stands in kernel-diff alone, and every other room forbids it.
//! 3. Every dependency has a permissive licence.
//! 4. No leftover markers, no traces of the machine a file was written on.
//! 5. Files stay short, unless the list below says why not.
//! 6. Links between documents lead somewhere.
//! 7. Generated tables are fresh.

mod arrows;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

use crate::tables;

/// Checks every rule and lists what breaks one.
pub(crate) fn run() -> Result<(), String> {
    let metadata = MetadataCommand::new()
        .exec()
        .map_err(|error| format!("`cargo metadata` failed: {error}"))?;
    let root = metadata.workspace_root.as_std_path();
    let files = tracked_files(root)?;

    let mut found = Vec::new();
    arrows::check(&metadata, &mut found);
    arrows::licences(&metadata, &mut found);
    text::check(root, &files, &mut found)?;
    if let Err(stale) = tables::check() {
        found.push(stale);
    }
    if found.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = found.iter().map(|line| format!("\n  {line}")).collect();
    Err(format!("{} house rules broken:{}", found.len(), list.concat()))
}

/// The files that git knows or would add, relative to the root.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run `git ls-files`: {error}"))?;
    if !output.status.success() {
        return Err("`git ls-files` failed: run this inside a git checkout".to_owned());
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let names = listing.split('\0').filter(|name| !name.is_empty());
    Ok(names
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}
