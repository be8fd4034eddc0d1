//! Programs of the host that the laboratory runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::console::excerpt;

/// What went wrong with a guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// Programs are missing on this host
    #[error("{guest} needs programs that are not here: {}", tools.join(", "))]
    Missing {
        /// The guest
        guest: &'static str,
        /// The programs
        tools: Vec<&'static str>,
        /// The command that installs them
        install: String,
    },
    /// A program of the host failed
    #[error("`{command}` failed: {said}")]
    Command {
        /// What was run
        command: String,
        /// The last that it said
        said: String,
    },
    /// The package index has no such kernel
    #[error("{suite} has no package like `{pattern}` for {arch}")]
    NoKernel {
        /// The Debian release
        suite: &'static str,
        /// The architecture
        arch: &'static str,
        /// The regular expression
        pattern: &'static str,
    },
    /// The package index has no kernel of such a version
    #[error("{suite} has no kernel {version} for {arch}; it has {}", versions.join(", "))]
    NoVersion {
        /// The Debian release
        suite: &'static str,
        /// The architecture
        arch: &'static str,
        /// The version that was asked for
        version: String,
        /// Those that it has
        versions: Vec<String>,
    },
    /// This host's package sources do not name Debian's archive
    #[error("this host's apt sources name no Debian archive, so there is nowhere to take kernels from")]
    NoArchive,
    /// A package is not what the index says
    #[error("{file} has the SHA-256 {found}, and should have {expected}")]
    Checksum {
        /// The file
        file: String,
        /// What it should have
        expected: String,
        /// What it has
        found: String,
    },
    /// A guest did not do what it should
    #[error("{guest}: {what}; the last that it said: {said}")]
    Guest {
        /// The guest
        guest: &'static str,
        /// What went wrong
        what: String,
        /// The end of its console
        said: String,
    },
    /// A file could not be read or written
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// What was tried
        what: &'static str,
        /// The file
        path: PathBuf,
        /// Why it failed
        error: std::io::Error,
    },
}

pub(super) type Result<T> = core::result::Result<T, LabError>;

/// Names the file in an error.
pub(super) fn file<T>(what: &'static str, path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| LabError::File {
        what,
        path: path.to_owned(),
        error,
    })
}

/// Whether a program is on the search path.
pub(super) fn is_here(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

/// Runs a program to its end and gives what it printed.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let shown = shown(command);
    let failed = |said: String| LabError::Command {
        command: shown.clone(),
        said,
    };
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| failed(error.to_string()))?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let said = last_line(&String::from_utf8_lossy(&ran.stderr));
    Err(failed(if said.is_empty() { ran.status.to_string() } else { said }))
}

/// The program and its words, as people type them.
pub(super) fn shown(command: &Command) -> String {
    let words = core::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    excerpt(&words.join(" "))
}

/// The last line that says something.
pub(super) fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    excerpt(line.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_last_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; echo why >&2; exit 3"]);
        let error = output(&mut command).unwrap_err().to_string();
        assert!(error.starts_with("`sh -c") && error.ends_with("failed: why"), "{error}");
        let error = output(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
        assert_eq!(output(Command::new("echo").arg("yes")).unwrap(), b"yes\n");
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(is_here("sh"));
        assert!(!is_here("no-such-program-here"));
    }
}
