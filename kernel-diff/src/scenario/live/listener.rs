//! Steps of supervisors: requests on the last listener.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use super::stage::{Seen, Stage, Stop};
use crate::scenario::step::{Abi, Id, What, Who};
use crate::scenario::words;

const CLOSE: i32 = 3;
const POLL: i32 = 7;
const IOCTL: i32 = 16;

const RECV: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const ID_VALID: u64 = 0x4008_2102;
const ID_VALID_LEGACY: u64 = 0x8008_2102;
const ADD_FD: u64 = 0x4018_2103;
const SET_FLAGS: u64 = 0x4008_2104;

/// How long a notification may take to come.
const PATIENCE: Duration = Duration::from_millis(200);
const POLLIN: u64 = 1;
const CLOEXEC: u64 = 0o2_000_000;

impl Stage<'_> {
    pub(super) fn supervise(&mut self, who: Who, what: &What) -> Seen {
        // No listener has this number: the kernel says EBADF, as for one that is closed.
        let fd = self.listener.unwrap_or(u64::from(u32::MAX));
        let result = match *what {
            What::Receive { dirty } => return self.receive(who, fd, dirty),
            What::Send { id, val, error, flags } => {
                let last = u64::from(error.cast_unsigned()) | u64::from(flags) << 32;
                let id = self.id(id);
                self.set_words(&[id, val.cast_unsigned(), last]);
                self.ioctl(who, fd, SEND)?
            }
            What::Valid { id, legacy } => {
                let id = self.id(id);
                self.set_words(&[id]);
                self.ioctl(who, fd, if legacy { ID_VALID_LEGACY } else { ID_VALID })?
            }
            What::AddFd {
                id,
                flags,
                fd: new,
                closed,
            } => {
                let source: u64 = if closed { 999 } else { 0 };
                let id = self.id(id);
                let new = u64::from(new.unwrap_or(0));
                self.set_words(&[id, u64::from(flags) | source << 32, new | CLOEXEC << 32]);
                self.ioctl(who, fd, ADD_FD)?
            }
            What::SetFlags(flags) => self.value(who, IOCTL, [fd, SET_FLAGS, flags, 0, 0, 0])?,
            _ => self.value(who, CLOSE, [fd, 0, 0, 0, 0, 0])?,
        };
        Ok(words::done(result))
    }

    fn ioctl(&mut self, who: Who, fd: u64, number: u64) -> Result<i64, Stop> {
        let data = self.scratch();
        self.value(who, IOCTL, [fd, number, data, 0, 0, 0])
    }

    const fn id(&self, id: Id) -> u64 {
        match id {
            Id::Last => self.notification,
            Id::Wrong(by) => self.notification.wrapping_add(by),
        }
    }

    /// Whether there is something to receive, or never will be.
    fn comes(&mut self, who: Who, fd: u64) -> Result<bool, Stop> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            self.set_words(&[fd | POLLIN << 32]);
            let data = self.scratch();
            if self.value(who, POLL, [data, 1, 0, 0, 0, 0])? != 0 {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(false)
    }

    fn receive(&mut self, who: Who, fd: u64, dirty: bool) -> Seen {
        if !dirty && !self.comes(who, fd)? {
            return Ok(words::NOTHING.to_owned());
        }
        self.set_words(&[u64::from(dirty); 10]);
        let data = self.scratch();
        let result = match self.value_or_waits(who, IOCTL, [fd, RECV, data, 0, 0, 0]) {
            // Before 6.11, a listener that nobody can use any more is waited for.
            Err(Stop::Seen(seen)) if seen == words::WAITS => return Ok(words::NOTHING.to_owned()),
            result => result?,
        };
        if result != 0 {
            return Ok(words::done(result));
        }
        self.notification = self.word(0);
        let (pid, nr) = (self.word(1), self.word(2));
        let arch = u32::try_from(nr >> 32).unwrap_or(0);
        let nr = u32::try_from(nr & 0xffff_ffff).unwrap_or(0).cast_signed();
        let abi = if arch == Abi::I386.arch() {
            Abi::I386
        } else {
            Abi::X86_64
        };
        let place = self.word(3);
        let address = self.address(abi, place);
        let args = [4, 5, 6, 7, 8, 9].map(|index| self.word(index));
        // The flags are in the upper half and are always 0.
        let sender = self
            .crew
            .members
            .iter()
            .position(|member| member.is_some_and(|member| u64::try_from(member.tid) == Ok(pid)));
        let name = sender
            .and_then(|who| self.scenario.actors.get(who))
            .map_or("?", |actor| actor.name.as_str());
        Ok(words::receives(nr, arch, &args, address, name))
    }
}
