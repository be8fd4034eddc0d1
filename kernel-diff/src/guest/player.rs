//! A program of the host that is run in a guest, with the shared libraries that it uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalog::Guest;
use super::tool::{LabError, Result, file, output};

/// A program that is run in every guest that can run it, once for each setting of the JIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// The program
    pub program: PathBuf,
    /// What it is called with: at most 16 words, together at most 4000 bytes, none of them empty
    pub words: Vec<String>,
}

/// What became of the program in a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its status, as `waitpid` gives it
    pub status: i32,
    /// What it wrote to its standard output; to its standard error, when it wrote nothing else
    pub output: Vec<u8>,
}

impl Ran {
    /// Reads the frame of an agent.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (status, output) = bytes.split_first_chunk()?;
        Some(Self {
            status: i32::from_le_bytes(*status),
            output: output.to_vec(),
        })
    }

    /// The status it exited with, unless a signal ended it.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        if libc::WIFEXITED(self.status) {
            Some(libc::WEXITSTATUS(self.status))
        } else {
            None
        }
    }
}

/// The files that a guest needs for it: their places, and what is in them.
pub(super) type Files = Vec<(String, Vec<u8>)>;

impl Player {
    /// Whether a guest can run programs of this host. Every guest runs its agent, whose architecture stands first.
    #[must_use]
    pub fn is_for(&self, guest: &Guest) -> bool {
        cfg!(target_arch = "x86_64") && guest.arches.first() == Some(&0xc000_003e)
    }

    /// The program, what it is called with, and its libraries, all in one folder but for the loader, whose place is
    /// written in the program.
    pub(super) fn files(&self) -> Result<Files> {
        let read = |path: &Path| file("read", path, std::fs::read(path));
        let words: String = self.words.iter().map(|word| format!("{word}\0")).collect();
        let mut files = vec![
            ("player".to_owned(), read(&self.program)?),
            ("words".to_owned(), words.into_bytes()),
        ];
        for (place, path) in libraries(&self.program)? {
            files.push((place, read(&path)?));
        }
        Ok(files)
    }
}

/// The loader and the libraries of a program: where a guest needs them, and where they are.
fn libraries(program: &Path) -> Result<Vec<(String, PathBuf)>> {
    match output(Command::new("ldd").arg(program).env("LC_ALL", "C")) {
        Ok(listed) => Ok(listed_libraries(&String::from_utf8_lossy(&listed))),
        // It has none.
        Err(LabError::Command { said, .. }) if said.contains("not a dynamic executable") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Reads lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f0000000000)`, and the loader's, which is a
/// path alone. The kernel brings `linux-vdso.so.1` itself.
fn listed_libraries(listed: &str) -> Vec<(String, PathBuf)> {
    let place = |line: &str| {
        let line = line.trim();
        let line = line.rsplit_once(" (").map_or(line, |(line, _)| line);
        match line.split_once(" => ") {
            Some((name, path)) => Some((format!("lib/{name}"), PathBuf::from(path))),
            None => Some((line.strip_prefix('/')?.to_owned(), PathBuf::from(line))),
        }
    };
    listed.lines().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{GUESTS, guest};
    use super::*;

    #[test]
    fn libraries_are_read_as_ldd_lists_them() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f2a)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f2b)\n";
        let own = |place: &str, path: &str| (place.to_owned(), PathBuf::from(path));
        let expected = [
            own("lib/libgcc_s.so.1", "/lib/x86_64-linux-gnu/libgcc_s.so.1"),
            own("lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
        ];
        assert_eq!(listed_libraries(listed), expected);
        assert_eq!(listed_libraries("\tstatically linked\n"), []);
    }

    #[test]
    fn the_files_are_those_of_the_program() {
        let player = Player {
            program: std::env::current_exe().unwrap(),
            words: vec!["kernel".to_owned(), "scenarios".to_owned()],
        };
        let files = player.files().unwrap();
        let program = std::fs::read(&player.program).unwrap();
        assert_eq!(files[0], ("player".to_owned(), program));
        assert_eq!(files[1], ("words".to_owned(), b"kernel\0scenarios\0".to_vec()));
        let missing = Player {
            program: PathBuf::from("/no/such/program"),
            ..player
        };
        assert!(missing.files().is_err());
    }

    #[test]
    fn only_guests_of_the_hosts_architecture_run_its_programs() {
        let player = Player {
            program: PathBuf::new(),
            words: Vec::new(),
        };
        let number = GUESTS.iter().filter(|guest| player.is_for(guest)).count();
        assert_eq!(number, if cfg!(target_arch = "x86_64") { 4 } else { 0 });
        assert!(!player.is_for(guest("debian-12-i386").unwrap()));
    }

    #[test]
    fn what_ran_is_read() {
        let ran = Ran::read(&[0, 3, 0, 0, b'a', b'b']).unwrap();
        assert_eq!((ran.exit_code(), &ran.output[..]), (Some(3), &b"ab"[..]));
        assert_eq!(Ran::read(&[11, 0, 0, 0]).unwrap().exit_code(), None);
        assert_eq!(Ran::read(&[0, 0, 0]), None);
    }
}
