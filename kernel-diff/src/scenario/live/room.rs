//! A directory of a scenario's own, for core files and for the program that `execve` takes.

use core::sync::atomic::{AtomicU32, Ordering};
use std::fs;
use std::path::{Path, PathBuf};

use super::crew::Broken;

/// A directory that is removed with everything in it.
#[derive(Debug)]
pub(super) struct Room(PathBuf);

impl Room {
    /// A new directory where temporary files go.
    pub(super) fn new() -> Result<Self, Broken> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("callproof-scenario-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).map_err(|error| format!("cannot make the directory {}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // A directory that cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}
