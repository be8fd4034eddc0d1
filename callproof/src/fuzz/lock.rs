//! One campaign in a folder at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::Error;

const FILE: &str = "lock";

/// A folder that no other campaign can have meanwhile. The kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that another thread is starting right now may still have it.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes a folder, which is made if it is missing.
    ///
    /// # Errors
    /// When another campaign has it, or when it cannot be written.
    pub(crate) fn take(out: &Path) -> Result<Self, Error> {
        fs::create_dir_all(out).map_err(|error| folder("make", out, &error))?;
        let path = out.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|error| folder("write in", out, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(taken(out, &mut file)),
            Err(error) => return Err(folder("lock", out, &error.into())),
        }
        // Who waits is told who has it; that it cannot be told is no reason to give up.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

fn taken(out: &Path, file: &mut File) -> Error {
    const LONGEST: u64 = 20;
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let by = match text.trim().parse::<u32>() {
        Ok(process) if read.is_ok() => format!(" (process {process})"),
        _ => String::new(),
    };
    let message = format!("another campaign{by} is at work in the folder `{}`", out.display());
    Error::input(message).help("wait for its end, or name another folder with `--out`")
}

fn folder(doing: &str, out: &Path, error: &std::io::Error) -> Error {
    let help = "name a folder for findings that can be written, with `--out`";
    Error::io(doing, out, error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_campaign_at_a_time() {
        let room = tempfile::tempdir().unwrap();
        let out = room.path().join("new/findings");
        let first = Lock::take(&out).unwrap();
        let error = Lock::take(&out).unwrap_err();
        let wanted = format!(
            "another campaign (process {}) is at work in the folder `{}`",
            std::process::id(),
            out.display()
        );
        assert_eq!(error.message, wanted);
        assert!(error.help.unwrap().contains("--out"));
        drop(first);
        Lock::take(&out).unwrap();
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Lock::take(file.path()).unwrap_err();
        assert!(error.message.starts_with("cannot make `"), "{error}");
        assert!(error.help.unwrap().contains("--out"));
    }
}
