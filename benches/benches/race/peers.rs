//! Peers are programs of their own: no code of theirs is part of the project, and none of it runs in this process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use callproof_vm::{Endian, Insn, SeccompData};

/// A peer: what it is called, and the program that takes the paths of a filter and of records.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Whether its checksum is that of the filter's values
    pub(crate) values: bool,
}

/// A peer that has read a filter and records, and waits to be asked for rounds.
pub(crate) struct Running {
    child: Child,
    asked: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    /// What it made of the values that it returned
    pub(crate) sum: u64,
}

/// Writes what peers read.
pub(crate) fn write(folder: &Path, program: &[Insn], calls: &[SeccompData]) -> [PathBuf; 2] {
    let files = ["filter.bpf", "records"].map(|name| folder.join(name));
    let [filter, records] = &files;
    let insns: Vec<u8> = program.iter().flat_map(|insn| insn.to_bytes(Endian::NATIVE)).collect();
    let bytes: Vec<u8> = calls.iter().flat_map(|call| call.to_bytes(Endian::NATIVE)).collect();
    std::fs::write(filter, insns).expect("written");
    std::fs::write(records, bytes).expect("written");
    files
}

impl Peer {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// What it says when it does not take the filter.
    pub(crate) fn start(&self, files: &[PathBuf; 2]) -> Result<Running, String> {
        let mut child = Command::new(&self.program)
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that was just built");
        let (asked, said) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        let mut running = Running {
            child,
            asked,
            said: BufReader::new(said),
            sum: 0,
        };
        let Some(sum) = running.line() else {
            return Err(running.last_words());
        };
        running.sum = sum.parse().expect("a checksum");
        Ok(running)
    }
}

impl Running {
    /// Nanoseconds of an evaluation over one more round; none when the peer has ended.
    pub(crate) fn round(&mut self) -> Option<f64> {
        self.asked.as_mut()?.write_all(b"\n").ok()?;
        self.line()?.parse().ok()
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.said.read_line(&mut line).ok()?;
        let line = line.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    fn last_words(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_end(&mut bytes);
        }
        reason(&bytes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.asked = None;
        let _ = self.child.wait();
    }
}

/// The line that says why: the first about an error, or else the last.
pub(crate) fn reason(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = || {
        text.lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with("note:"))
    };
    let mut errors = lines().filter(|line| line.starts_with("error") || line.contains(" error: "));
    let line = errors.next().or_else(|| lines().next_back());
    line.unwrap_or("it says nothing").to_owned()
}
