//! Audit records of type 1326, as the kernel sends them to whoever may read its log.

use core::time::Duration;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::Instant;

use crate::scenario::step::Abi;
use crate::scenario::words::Address;

/// `AUDIT_SECCOMP`
const SECCOMP: u16 = 1326;
/// `AUDIT_NLGRP_READLOG`, as a bit
const READLOG: u32 = 1;
const BUFFER: libc::c_int = 1 << 20;

/// A socket that receives all records of the machine.
#[derive(Debug)]
pub(super) struct Audit(OwnedFd);

/// A record of seccomp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) signal: u32,
    pub(super) arch: u32,
    pub(super) nr: i32,
    pub(super) code: u32,
    ip: u64,
}

impl Audit {
    /// Begins to listen. Needs `CAP_AUDIT_READ` in the initial user namespace.
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: touches no memory.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_AUDIT) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and owned by nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the kernel reads live structures of the sizes that are given.
        let bound = unsafe {
            let mut address = core::mem::zeroed::<libc::sockaddr_nl>();
            address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).unwrap_or(0);
            address.nl_groups = READLOG;
            let size = |bytes: usize| libc::socklen_t::try_from(bytes).unwrap_or(0);
            let buffer = BUFFER;
            let option = (&raw const buffer).cast();
            libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                option,
                size(size_of::<libc::c_int>()),
            );
            libc::bind(fd, (&raw const address).cast(), size(size_of::<libc::sockaddr_nl>()))
        };
        if bound == 0 {
            Ok(Self(socket))
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// The next record about a process, if one comes. It is sent by a thread of the kernel's, soon after the call.
    pub(super) fn next(&self, pid: i32, patience: Duration) -> Option<Record> {
        let start = Instant::now();
        loop {
            match self.receive() {
                Some(message) => {
                    if let Some(record) = parse(&message).filter(|(of, _)| *of == pid) {
                        return Some(record.1);
                    }
                }
                None if start.elapsed() > patience => return None,
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut message = vec![0_u8; 9000];
        // SAFETY: a live buffer of this size is filled.
        let got = unsafe { libc::recv(self.0.as_raw_fd(), message.as_mut_ptr().cast(), message.len(), 0) };
        message.truncate(usize::try_from(got).ok()?);
        Some(message)
    }
}

/// Reads `struct nlmsghdr` and `audit(...): ... pid=1 ... sig=31 arch=c000003e syscall=39 compat=0 ip=0x1 code=0x0`.
fn parse(message: &[u8]) -> Option<(i32, Record)> {
    let kind: [u8; 2] = message.get(4..6)?.try_into().ok()?;
    if u16::from_ne_bytes(kind) != SECCOMP {
        return None;
    }
    let text = String::from_utf8_lossy(message.get(16..)?);
    let field = |name: &str| {
        text.split([' ', '\0'])
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let hex = |name: &str| u64::from_str_radix(field(name)?.trim_start_matches("0x"), 16).ok();
    let record = Record {
        signal: field("sig")?.parse().ok()?,
        arch: u32::try_from(hex("arch")?).ok()?,
        nr: field("syscall")?.parse().ok()?,
        code: u32::try_from(hex("code")?).ok()?,
        ip: hex("ip")?,
    };
    Some((field("pid")?.parse().ok()?, record))
}

impl Record {
    /// Where it says that the call was made.
    pub(super) fn address(&self, of: impl Fn(Abi, u64) -> Address) -> Address {
        let abi = if self.arch == Abi::I386.arch() {
            Abi::I386
        } else {
            Abi::X86_64
        };
        of(abi, self.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_others_are_not() {
        let mut message = vec![0; 16];
        message[4..6].copy_from_slice(&SECCOMP.to_ne_bytes());
        message.extend(b"audit(1.2:3): auid=4294967295 uid=0 ses=1 pid=77 comm=\"a\" exe=\"/b\" sig=31 arch=40000003 ");
        message.extend(b"syscall=20 compat=1 ip=0x5613f2300c20 code=0x80000000");
        let record = Record {
            signal: 31,
            arch: 0x4000_0003,
            nr: 20,
            code: 0x8000_0000,
            ip: 0x5613_f230_0c20,
        };
        assert_eq!(parse(&message), Some((77, record)));
        for at in 0..message.len() - 1 {
            let _ = parse(&message[..at]);
        }
        message[4] = 0;
        assert_eq!(parse(&message), None);
    }
}
