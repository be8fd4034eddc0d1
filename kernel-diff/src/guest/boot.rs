//! Booting a guest and reading its console.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use super::catalog::Guest;
use super::console::{Console, excerpt};
use super::tool::{LabError, Result, shown};

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor
    Kvm,
    /// qemu itself
    Tcg,
}

impl Accelerator {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "TCG",
        }
    }
}

/// How long a guest may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For everything
    pub(super) whole: Duration,
    /// Without a line on the console
    pub(super) silence: Duration,
}

/// A boot: the kernel, its first file system, and what the agent shall do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot<'b> {
    pub(super) guest: &'static Guest,
    pub(super) accelerator: Accelerator,
    pub(super) image: &'b Path,
    pub(super) initrd: &'b Path,
    pub(super) mode: &'static str,
    pub(super) patience: Patience,
}

/// Longest line that is read whole.
const LONGEST_LINE: u64 = 4096;

/// A process that ends with its owner.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Boot<'_> {
    /// Runs the guest to its end.
    pub(super) fn run(&self) -> Result<Console> {
        let mut command = self.command();
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let spawned = spawned.map_err(|error| LabError::Command {
            command: shown(&command),
            said: error.to_string(),
        });
        let mut process = Owned(spawned?);
        let lines = lines(&mut process.0);
        let (mut console, mut last) = (Console::default(), String::new());
        let failed = |what: String, last: &str| LabError::Guest {
            guest: self.guest.name,
            what,
            said: excerpt(last),
        };
        let end = Instant::now().checked_add(self.patience.whole);
        while !console.done {
            let left = end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            let line = match lines.recv_timeout(left.min(self.patience.silence)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => {
                    let said = complaint(&mut process.0).unwrap_or(last);
                    return Err(failed("qemu ended before the agent was done".to_owned(), &said));
                }
                Err(RecvTimeoutError::Timeout) => return Err(failed("it took too long".to_owned(), &last)),
            };
            console
                .line(&line)
                .map_err(|garbled| failed(garbled.to_string(), &line))?;
            if !line.trim().is_empty() {
                last = line;
            }
        }
        Ok(console)
    }

    fn command(&self) -> Command {
        let board = self.guest.board;
        let (accelerator, cpu) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Tcg => ("tcg", board.cpu),
        };
        let append = format!(
            "console={} quiet panic=-1 {} -- {}",
            board.console, self.guest.parameters, self.mode
        );
        let mut command = Command::new(board.qemu);
        command
            .args(board.options)
            .args(["-accel", accelerator, "-cpu", cpu, "-m", "512"])
            .args([
                "-nodefaults",
                "-no-user-config",
                "-nographic",
                "-no-reboot",
                "-serial",
                "stdio",
            ])
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initrd)
            .args(["-append", &append]);
        command
    }
}

/// The lines that a process prints, read by a thread that ends with it.
fn lines(child: &mut Child) -> Receiver<String> {
    let (send, receive) = sync_channel(1024);
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while let Ok(1..) = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
    }
    receive
}

/// What qemu itself said.
fn complaint(child: &mut Child) -> Option<String> {
    let mut said = String::new();
    child.stderr.take()?.take(LONGEST_LINE).read_to_string(&mut said).ok()?;
    Some(said).filter(|said| !said.trim().is_empty())
}

/// KVM where a guest of this kind boots with it, in five seconds. That the device opens proves nothing.
pub(super) fn accelerator(boot: Boot<'_>) -> Accelerator {
    let possible = boot.guest.board.kvm == std::env::consts::ARCH && std::fs::File::open("/dev/kvm").is_ok();
    let patience = Patience {
        whole: Duration::from_secs(5),
        silence: Duration::from_secs(5),
    };
    let hello = Boot {
        accelerator: Accelerator::Kvm,
        patience,
        ..boot
    };
    if possible && hello.run().is_ok() {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{GUESTS, Guest};
    use super::*;

    /// Boots with a script in the place of qemu.
    fn booted(script: &'static str, patience: Patience) -> Result<Console> {
        let board = Box::leak(Box::new(super::super::catalog::Board {
            qemu: "sh",
            options: Box::leak(Box::new(["-c", script])),
            ..*GUESTS[0].board
        }));
        let guest = Box::leak(Box::new(Guest { board, ..GUESTS[0] }));
        let nothing = Path::new("/dev/null");
        Boot {
            guest,
            accelerator: Accelerator::Tcg,
            image: nothing,
            initrd: nothing,
            mode: "probe",
            patience,
        }
        .run()
    }

    const LONG: Patience = Patience {
        whole: Duration::from_secs(30),
        silence: Duration::from_secs(30),
    };

    #[test]
    fn a_guest_that_is_done_is_not_waited_for() {
        let start = Instant::now();
        let console = booted(
            "echo noise; echo CALLPROOF FACT a b; echo CALLPROOF DONE; sleep 29",
            LONG,
        )
        .unwrap();
        assert_eq!(console.facts["a"], "b");
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_guest_that_ends_early_is_told_with_its_last_words() {
        let error = booted("echo Kernel panic; exit 1", LONG).unwrap_err().to_string();
        assert!(
            error.contains("qemu ended") && error.contains("Kernel panic"),
            "{error}"
        );
        let error = booted("echo no such machine >&2; exit 1", LONG)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no such machine"), "{error}");
    }

    #[test]
    fn a_guest_that_hangs_or_babbles_is_ended() {
        let short = Duration::from_millis(300);
        let silence = Patience { silence: short, ..LONG };
        let whole = Patience { whole: short, ..LONG };
        let error = booted("echo start; sleep 29", silence).unwrap_err().to_string();
        assert!(error.contains("too long") && error.contains("start"), "{error}");
        assert!(booted("while :; do echo noise; done", whole).is_err());
        assert!(booted("head -c 100000000 /dev/zero; sleep 29", whole).is_err());
    }
}
