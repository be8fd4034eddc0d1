//! Steps that are requests of an actor's own: installing, settings, ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::program::elf;
use super::stage::{Seen, Stage, Stop};
use crate::native::raw;
use crate::scenario::step::{Call, Install, What, Where, Who};
use crate::scenario::words;

/// An address where nothing is.
const BAD: u64 = 0x10;

/// Numbers of calls.
mod nr {
    pub(super) const WRITE: i32 = 1;
    pub(super) const OPEN: i32 = 2;
    pub(super) const CLOSE: i32 = 3;
    pub(super) const RT_SIGPROCMASK: i32 = 14;
    pub(super) const EXECVE: i32 = 59;
    pub(super) const EXIT: i32 = 60;
    pub(super) const CAPSET: i32 = 126;
    pub(super) const PRCTL: i32 = 157;
    pub(super) const EXIT_GROUP: i32 = 231;
    pub(super) const UNSHARE: i32 = 272;
    pub(super) const PRLIMIT: i32 = 302;
    pub(super) const SECCOMP: i32 = 317;
}

impl Stage<'_> {
    pub(super) fn request(&mut self, who: Who, what: &What) -> Seen {
        let result = match what {
            What::NoNewPrivs([a, b, c, d]) => self.value(who, nr::PRCTL, [38, *a, *b, *c, *d, 0])?,
            What::GetNoNewPrivs([a, b, c, d]) => self.value(who, nr::PRCTL, [39, *a, *b, *c, *d, 0])?,
            What::GetMode => self.value(who, nr::PRCTL, [21, 0, 0, 0, 0, 0])?,
            What::SetMode(mode) => self.value(who, nr::PRCTL, [22, *mode, 0, 0, 0, 0])?,
            What::Install(install) => return self.install(who, install),
            What::Seccomp {
                op,
                flags,
                pointer,
                value,
            } => return self.seccomp(who, *op, *flags, *pointer, *value),
            What::Exec(call) => return self.exec(who, call),
            What::Exit { all } => return self.exit(who, *all),
            What::Handler { signal, how } => self.handler(who, *signal, *how)?,
            What::Block => {
                self.set_words(&[1 << 30]);
                let mask = self.scratch();
                self.value(who, nr::RT_SIGPROCMASK, [0, mask, 0, 8, 0, 0])?
            }
            What::DropPrivileges => self.drop_privileges(who)?,
            What::UserNamespace => self.value(who, nr::UNSHARE, [0x1000_0000, 0, 0, 0, 0, 0])?,
            What::LimitFiles => {
                self.set_words(&[3, 3]);
                let limit = self.scratch();
                self.value(who, nr::PRLIMIT, [0, 7, limit, 0, 0, 0])?
            }
            What::Actions { write } => return self.actions(who, write.as_deref()),
            What::Receive { .. }
            | What::Send { .. }
            | What::Valid { .. }
            | What::AddFd { .. }
            | What::SetFlags(_)
            | What::CloseListener => return self.supervise(who, what),
            what => return self.trace(who, what),
        };
        Ok(words::done(result))
    }

    /// `capset` with nothing, as of version 3.
    pub(super) fn drop_privileges(&mut self, who: Who) -> Result<i64, Stop> {
        self.set_words(&[0x2008_0522, 0, 0, 0, 0]);
        let header = self.scratch();
        self.value(who, nr::CAPSET, [header, header.saturating_add(8), 0, 0, 0, 0])
    }

    fn install(&mut self, who: Who, install: &Install) -> Seen {
        let len = install
            .len
            .unwrap_or_else(|| u16::try_from(install.program.len()).unwrap_or(u16::MAX));
        let board = self.board();
        // SAFETY: the board is mapped, and no actor reads this part but in the call below.
        let fprog = unsafe {
            for (place, insn) in (*board).program.iter_mut().zip(&install.program) {
                *place = raw(*insn);
            }
            (*board).fprog_len = u64::from(len);
            (*board).fprog_address = match install.pointer {
                Where::NullProgram => 0,
                Where::BadProgram => BAD,
                _ => (&raw const (*board).program).addr() as u64,
            };
            (&raw const (*board).fprog_len).addr() as u64
        };
        let args = match install.pointer {
            Where::Null => 0,
            Where::Bad => BAD,
            _ => fprog,
        };
        let result = if install.prctl {
            self.value(who, nr::PRCTL, [22, 2, args, 0, 0, 0])?
        } else {
            self.value(who, nr::SECCOMP, [1, u64::from(install.flags), args, 0, 0, 0])?
        };
        Ok(self.installed(install, result))
    }

    fn installed(&mut self, install: &Install, result: i64) -> String {
        let listens = install.flags & 8 != 0;
        let tid = self
            .crew
            .members
            .iter()
            .position(|member| member.is_some_and(|member| i64::from(member.tid) == result));
        match (result, tid) {
            (..0, _) => {}
            (_, Some(who)) if !listens && result > 0 => {
                let name = self.scenario.actors.get(who).map_or("?", |actor| actor.name.as_str());
                return words::returns_thread(name);
            }
            _ => {
                self.programs.push(install.program.clone());
                if listens {
                    self.listener = u64::try_from(result).ok();
                    return words::LISTENER.to_owned();
                }
            }
        }
        words::done(result)
    }

    fn seccomp(&mut self, who: Who, op: u32, flags: u32, pointer: Where, value: u32) -> Seen {
        self.set_words(&[u64::from(value)]);
        let args = match pointer {
            Where::Null => 0,
            Where::Good => self.scratch(),
            _ => BAD,
        };
        let result = self.value(who, nr::SECCOMP, [u64::from(op), u64::from(flags), args, 0, 0, 0])?;
        if op == 3 && result == 0 {
            let word = self.word(0);
            let part = |shift: u32| u16::try_from(word >> shift & 0xffff).unwrap_or(0);
            return Ok(words::sizes([part(0), part(16), part(32)]));
        }
        Ok(words::done(result))
    }

    fn exec(&mut self, who: Who, call: &Call) -> Seen {
        const NAME: u64 = u64::from_le_bytes(*b"program\0");
        const ETXTBSY: i64 = -26;
        let path = self.crew.room.path().join("program");
        let written = fs::write(&path, elf(call));
        let written = written.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)));
        written.map_err(|error| Stop::Broken(format!("cannot write a program: {error}")))?;
        let name = self.scratch();
        self.set_words(&[NAME, name, 0, 0]);
        let (argv, envp) = (name.saturating_add(8), name.saturating_add(16));
        let mut result = 0;
        for _ in 0..50 {
            result = self.value(who, nr::EXECVE, [name, argv, envp, 0, 0, 0])?;
            // Somebody else's new process may hold the file open for writing, for a moment.
            if result != ETXTBSY {
                break;
            }
            std::thread::sleep(core::time::Duration::from_millis(2));
        }
        Ok(words::done(result))
    }

    fn exit(&mut self, who: Who, all: bool) -> Seen {
        let nr = if all { nr::EXIT_GROUP } else { nr::EXIT };
        match self.value(who, nr, [0; 6]) {
            Err(Stop::Seen(seen)) if seen == words::THREAD_DIES => Ok(words::THREAD_ENDS.to_owned()),
            result => result.map(words::done),
        }
    }

    fn actions(&mut self, who: Who, write: Option<&str>) -> Seen {
        let Some(text) = write else {
            let path = "/proc/sys/kernel/seccomp/actions_avail";
            return Ok(fs::read_to_string(path).unwrap_or_default().trim().to_owned());
        };
        let path = *b"/proc/sys/kernel/seccomp/actions_logged\0";
        let before = fs::read_to_string("/proc/sys/kernel/seccomp/actions_logged");
        self.set_words(&packed(&path));
        let name = self.scratch();
        let fd = self.value(who, nr::OPEN, [name, 1, 0, 0, 0, 0])?;
        let Ok(fd) = u64::try_from(fd) else {
            return Ok(words::done(fd));
        };
        self.set_words(&packed(text.as_bytes()));
        let len = u64::try_from(text.len()).unwrap_or(0);
        let result = self.value(who, nr::WRITE, [fd, name, len, 0, 0, 0])?;
        self.value(who, nr::CLOSE, [fd, 0, 0, 0, 0, 0])?;
        if result >= 0
            && let Ok(before) = before
        {
            // It belongs to the whole machine. Were this to fail, the text below would say so at the next write.
            let _ = fs::write("/proc/sys/kernel/seccomp/actions_logged", before.trim());
        }
        let len = i64::try_from(text.len()).unwrap_or(0);
        Ok(words::done(if result == len { 0 } else { result }))
    }
}

/// Bytes as words, padded with zeros.
fn packed(bytes: &[u8]) -> Vec<u64> {
    let chunks = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    });
    chunks.collect()
}
