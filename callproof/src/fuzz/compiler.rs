//! A filter compiler that is a command: run with a deadline, and with everything it started ended behind it.

use core::time::Duration;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::Error;

/// The most bytes that a compiler may write: the longest filter in the wordiest format has fewer.
const MOST_BYTES: u64 = 8 << 20;
/// The most bytes of its complaints that are kept.
const MOST_COMPLAINTS: u64 = 16 << 10;
/// The longest pause between two looks at a running compiler.
const PAUSE: Duration = Duration::from_millis(10);

/// The words in braces that a command can have.
const PLACEHOLDERS: [&str; 3] = ["{policy}", "{out}", "{arch}"];

/// A command that reads a policy and writes a filter.
///
/// In its words `{policy}` is the path of the policy, `{out}` the path where the filter is expected, and `{arch}` the
/// names of the ABIs, with commas. Without `{policy}` the policy is its standard input, without `{out}` the filter is
/// its standard output. No shell is involved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    words: Vec<String>,
    /// How long one run may take
    pub deadline: Duration,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code
    Exited(i32),
    /// By this signal, which it got from itself or from the system
    Signal(i32),
    /// It was ended at its deadline
    Late,
    /// It was ended because it wrote more than anything that is read
    Flood,
}

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) end: End,
    /// What stands where the filter is expected; nothing when there is no such file
    pub(crate) output: Vec<u8>,
    /// The first part of what it said on standard error
    pub(crate) complaints: String,
}

/// What a run is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'o> {
    pub(crate) text: &'o str,
    /// The extension of the policy's file
    pub(crate) extension: &'o str,
    pub(crate) arch: &'o str,
}

impl Compiler {
    /// Splits a command into words as a shell does: quotes and backslashes keep blanks together.
    ///
    /// # Errors
    /// When there is no word, a quote is left open, or a word in braces is none of the placeholders.
    pub fn parse(command: &str, deadline: Duration) -> Result<Self, Error> {
        let words = shlex::split(command).ok_or_else(|| {
            Error::input(format_args!("the command `{command}` has a quote that is not closed"))
                .help("close it, or put a backslash before a quote that is meant as it is")
        })?;
        if words.is_empty() {
            return Err(Error::input("the command of the compiler is empty")
                .help("write it with its options, such as `my-compiler {policy} -o {out}`"));
        }
        for word in &words {
            let braced = word.starts_with('{') && word.ends_with('}');
            if braced && !PLACEHOLDERS.contains(&word.as_str()) {
                return Err(Error::input(format_args!("`{word}` is no placeholder"))
                    .help(format_args!("they are {}", PLACEHOLDERS.join(", "))));
            }
        }
        Ok(Self { words, deadline })
    }

    /// The command as it was typed, quoted where it must be.
    #[must_use]
    pub fn command(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// Runs the command once.
    ///
    /// # Errors
    /// When it cannot be started, or when there is no room for its files.
    pub(crate) fn run(&self, offer: &Offer<'_>) -> Result<Run, Error> {
        let room = tempfile::Builder::new().prefix("callproof-").tempdir();
        let room = room.map_err(|error| Error::io("make a folder in", &std::env::temp_dir(), &error))?;
        let at = |name: &str| room.path().join(name);
        let policy = at(&format!("policy.{}", offer.extension));
        let (out, stdout, stderr) = (at("filter"), at("stdout"), at("stderr"));
        fs::write(&policy, offer.text).map_err(|error| Error::io("write", &policy, &error))?;
        let mut command = self.with_paths(&policy, &out, offer.arch);
        let stdin = if self.has("{policy}") {
            Stdio::null()
        } else {
            File::open(&policy)
                .map_err(|error| Error::io("read", &policy, &error))?
                .into()
        };
        let create = |path: &Path| File::create(path).map_err(|error| Error::io("write", path, &error));
        command.stdin(stdin).stdout(create(&stdout)?).stderr(create(&stderr)?);
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let end = self.finish(child, &[&out, &stdout, &stderr])?;
        let written = if self.has("{out}") { &out } else { &stdout };
        Ok(Run {
            end,
            output: some_of(written, MOST_BYTES),
            complaints: String::from_utf8_lossy(&some_of(&stderr, MOST_COMPLAINTS)).into_owned(),
        })
    }

    fn has(&self, placeholder: &str) -> bool {
        self.words.iter().any(|word| word.contains(placeholder))
    }

    fn with_paths(&self, policy: &Path, out: &Path, arch: &str) -> Command {
        let mut words = self.words.iter().map(|word| {
            word.replace("{policy}", &policy.to_string_lossy())
                .replace("{out}", &out.to_string_lossy())
                .replace("{arch}", arch)
        });
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }

    fn not_started(&self, error: &std::io::Error) -> Error {
        let program = self.words.first().map(String::as_str).unwrap_or_default();
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        Error::input(format_args!("cannot start the compiler `{program}`: {reason}")).help(
            "name a program in PATH, or the path of one that may be executed; for what a shell does write `sh -c '...'`",
        )
    }

    /// Waits for the end, and ends whatever of the process group is left.
    fn finish(&self, mut child: Child, files: &[&Path]) -> Result<End, Error> {
        let failed = |error: &std::io::Error| Error::input(format_args!("cannot wait for the compiler: {error}"));
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let group = group.ok_or_else(|| Error::input("the compiler has no process number"))?;
        let stopped = self.watch(group, files);
        // The leader is not reaped yet, so that its number cannot belong to anybody else.
        let _ = kill_process_group(group, Signal::KILL);
        let status = child.wait().map_err(|error| failed(&error))?;
        if let Some(end) = stopped.map_err(|error| failed(&error))? {
            return Ok(end);
        }
        if too_much(files) {
            return Ok(End::Flood);
        }
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, signal) => End::Signal(signal.unwrap_or_default()),
        })
    }

    /// Looks at the compiler until it ends by itself, or must be ended.
    fn watch(&self, leader: Pid, files: &[&Path]) -> std::io::Result<Option<End>> {
        let begun = Instant::now();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let mut pause = Duration::from_micros(250);
        loop {
            if waitid(WaitId::Pid(leader), options)?.is_some() {
                return Ok(None);
            }
            if begun.elapsed() >= self.deadline {
                return Ok(Some(End::Late));
            }
            if too_much(files) {
                return Ok(Some(End::Flood));
            }
            sleep(pause);
            pause = pause.saturating_mul(2).min(PAUSE);
        }
    }
}

/// A word as a shell reads it; braces need no quotes where no shell is.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "{}-_=+:,./@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
}

fn too_much(files: &[&Path]) -> bool {
    let sizes = files.iter().filter_map(|path| fs::metadata(path).ok());
    sizes.map(|data| data.len()).any(|size| size > MOST_BYTES)
}

/// The beginning of a file; nothing when it is no file that can be read. Pipes and devices are none: they could block.
fn some_of(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if fs::metadata(path).is_ok_and(|data| data.is_file())
        && let Ok(file) = File::open(path)
    {
        // What could be read before an error is all that there is.
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Offer<'_> = Offer {
        text: "default kill\n",
        extension: "policy",
        arch: "x86_64",
    };

    fn run(command: &str, milliseconds: u64) -> Run {
        let compiler = Compiler::parse(command, Duration::from_millis(milliseconds)).unwrap();
        compiler.run(&OFFER).unwrap()
    }

    #[test]
    fn policy_and_filter_are_files_or_streams() {
        for command in ["cp {policy} {out}", "cat {policy}", "cat", "tee {out}"] {
            let run = run(command, 10_000);
            assert_eq!((run.end, run.output), (End::Exited(0), OFFER.text.into()), "{command}");
        }
        assert_eq!(run("echo --arch={arch}", 10_000).output, b"--arch=x86_64\n");
        assert_eq!(run("sh -c 'echo \"a  b\"'", 10_000).output, b"a  b\n");
    }

    #[test]
    fn ends_are_told_apart() {
        assert_eq!(run("sh -c 'echo no >&2; exit 3'", 10_000).end, End::Exited(3));
        assert_eq!(run("sh -c 'echo no >&2; exit 3'", 10_000).complaints, "no\n");
        assert_eq!(run("sh -c 'kill -SEGV $$'", 10_000).end, End::Signal(11));
        assert_eq!(
            run("sh -c 'trap \"\" TERM INT; sleep 60; sleep 60'", 100).end,
            End::Late
        );
    }

    #[test]
    fn endless_output_is_cut_off() {
        for command in ["yes", "sh -c 'yes >&2'", "sh -c 'yes > {out}'"] {
            let begun = Instant::now();
            let run = run(command, 60_000);
            assert_eq!(run.end, End::Flood, "{command}");
            assert!(run.output.len() as u64 <= MOST_BYTES && run.complaints.len() as u64 <= MOST_COMPLAINTS);
            assert!(begun.elapsed() < Duration::from_secs(30), "{command}");
        }
    }

    #[test]
    fn what_was_started_is_ended_too() {
        let run = run("sh -c 'sleep 1000 & echo $!'", 10_000);
        assert_eq!(run.end, End::Exited(0));
        let pid: i32 = String::from_utf8(run.output).unwrap().trim().parse().unwrap();
        let gone = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit(')').next().unwrap().trim().starts_with(['Z', 'X']),
            Err(_) => true,
        };
        let begun = Instant::now();
        while !gone() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{pid} is still there");
            sleep(PAUSE);
        }
    }

    #[test]
    fn odd_outputs_are_no_output() {
        for command in [
            "true",
            "mkdir {out}",
            "mkfifo {out}",
            "ln -s /dev/zero {out}",
            "sh -c 'rm {policy}; echo {out} > /dev/null'",
        ] {
            let run = run(command, 10_000);
            assert_eq!((run.end, run.output.len()), (End::Exited(0), 0), "{command}");
        }
    }

    #[test]
    fn commands_are_written_as_they_are_read() {
        for command in ["cc {policy} -o {out}", "sh -c 'a \"b\" $c'", "cc ''", "cc \"it's\""] {
            let compiler = Compiler::parse(command, PAUSE).unwrap();
            assert_eq!(Compiler::parse(&compiler.command(), PAUSE).unwrap(), compiler);
        }
        assert_eq!(Compiler::parse("cc {policy}", PAUSE).unwrap().command(), "cc {policy}");
    }

    #[test]
    fn wrong_commands_are_refused_with_advice() {
        let deadline = Duration::from_secs(1);
        for (command, says) in [
            ("", "is empty"),
            ("cc 'policy", "not closed"),
            ("cc {policies} {out}", "`{policies}` is no placeholder"),
        ] {
            let error = Compiler::parse(command, deadline).unwrap_err();
            assert!(error.message.contains(says) && error.help.is_some(), "{error}");
        }
        let missing = Compiler::parse("/nowhere/cc {policy}", deadline).unwrap();
        let error = missing.run(&OFFER).unwrap_err();
        assert!(error.message.contains("cannot start the compiler"), "{error}");
    }
}
