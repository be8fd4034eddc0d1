//! Notifications and answers as a listener's `ioctl` carries them.
//!
//! Numbers are those of most ABIs; mips, powerpc, sparc and alpha number all their `ioctl`s differently. They were
//! tried on Linux 6.18 for x86-64.

use super::{Notification, Response};
use crate::data::Endian;
use crate::errno::Errno;
use crate::kernel::{Gate, Kernel};

/// A request on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ioctl {
    /// `SECCOMP_IOCTL_NOTIF_RECV`: wait for a notification
    Recv,
    /// `SECCOMP_IOCTL_NOTIF_SEND`: answer one
    Send,
    /// `SECCOMP_IOCTL_NOTIF_ID_VALID`: does anybody wait for this answer?
    IdValid,
    /// `SECCOMP_IOCTL_NOTIF_ADDFD`: give the waiting process a descriptor
    AddFd,
    /// `SECCOMP_IOCTL_NOTIF_SET_FLAGS`: how to wake up
    SetFlags,
}

impl Ioctl {
    /// The request with a number.
    ///
    /// `ID_VALID` also has the number of its first release, in which the direction was wrong. `ADDFD` may have any size
    /// from 24 bytes to less than a page, of which the kernel must know the bytes that are not zero.
    ///
    /// # Errors
    /// `EINVAL` for a number that the release does not know.
    pub fn of(number: u32, kernel: Kernel) -> Result<Self, Errno> {
        const SIZE: u32 = 0x3fff_0000;
        let (request, gate) = match number {
            0xc050_2100 => (Self::Recv, Gate::UserNotif),
            0xc018_2101 => (Self::Send, Gate::UserNotif),
            0x4008_2102 | 0x8008_2102 => (Self::IdValid, Gate::UserNotif),
            0x4008_2104 => (Self::SetFlags, Gate::NotifSetFlags),
            _ if number & !SIZE == 0x4000_2103 && (24..4096).contains(&(number >> 16 & 0x3fff)) => {
                (Self::AddFd, Gate::AddFd)
            }
            _ => return Err(Errno::EINVAL),
        };
        if kernel.has(gate) {
            Ok(request)
        } else {
            Err(Errno::EINVAL)
        }
    }
}

impl Notification {
    /// `struct seccomp_notif`: id, pid, flags (always 0) and the call.
    #[must_use]
    pub fn to_bytes(&self, endian: Endian) -> [u8; 80] {
        let tid = self.thread.tid();
        let (id, pid) = match endian {
            Endian::Little => (self.id.to_le_bytes(), tid.to_le_bytes()),
            Endian::Big => (self.id.to_be_bytes(), tid.to_be_bytes()),
        };
        let data = self.data.to_bytes(endian);
        let fields = id.into_iter().chain(pid).chain([0; 4]).chain(data);
        let mut bytes = [0; 80];
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }
}

impl Response {
    /// Reads `struct seccomp_notif_resp`: id, value, error and flags.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 24], endian: Endian) -> Self {
        let [
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            v0,
            v1,
            v2,
            v3,
            v4,
            v5,
            v6,
            v7,
            e0,
            e1,
            e2,
            e3,
            f0,
            f1,
            f2,
            f3,
        ] = bytes;
        let id = [i0, i1, i2, i3, i4, i5, i6, i7];
        let val = [v0, v1, v2, v3, v4, v5, v6, v7];
        let (error, flags) = ([e0, e1, e2, e3], [f0, f1, f2, f3]);
        match endian {
            Endian::Little => Self {
                id: u64::from_le_bytes(id),
                val: i64::from_le_bytes(val),
                error: i32::from_le_bytes(error),
                flags: u32::from_le_bytes(flags),
            },
            Endian::Big => Self {
                id: u64::from_be_bytes(id),
                val: i64::from_be_bytes(val),
                error: i32::from_be_bytes(error),
                flags: u32::from_be_bytes(flags),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeccompData;
    use crate::task::ThreadId;

    #[test]
    fn numbers() {
        let of = |number| Ioctl::of(number, Kernel::LATEST);
        assert_eq!(of(0xc050_2100), Ok(Ioctl::Recv));
        assert_eq!(of(0xc018_2101), Ok(Ioctl::Send));
        assert_eq!(
            (of(0x4008_2102), of(0x8008_2102)),
            (Ok(Ioctl::IdValid), Ok(Ioctl::IdValid))
        );
        assert_eq!(of(0x4008_2104), Ok(Ioctl::SetFlags));
        for unknown in [0xc018_2104, 0x4004_2104, 0x8018_2103, 0x1234_5678, 0] {
            assert_eq!(of(unknown), Err(Errno::EINVAL), "{unknown:#x}");
        }
    }

    #[test]
    fn a_descriptor_request_may_grow() {
        let sized = |size: u32| Ioctl::of(0x4000_2103 | size << 16, Kernel::LATEST).is_ok();
        assert!(sized(24) && sized(32) && sized(4095));
        assert!(!sized(0) && !sized(23) && !sized(4096) && !sized(0x3fff));
    }

    #[test]
    fn requests_came_one_by_one() {
        let known = |major, minor| {
            let numbers = [0xc050_2100, 0xc018_2101, 0x8008_2102, 0x4018_2103, 0x4008_2104];
            numbers.map(|number| Ioctl::of(number, Kernel::new(major, minor)).is_ok())
        };
        assert_eq!(known(4, 20), [false; 5]);
        assert_eq!(known(5, 0), [true, true, true, false, false]);
        assert_eq!(known(5, 9), [true, true, true, true, false]);
        assert_eq!(known(6, 5), known(5, 9));
        assert_eq!(known(6, 6), [true; 5]);
    }

    #[test]
    fn layouts() {
        let notification = Notification {
            id: 0x0102_0304_0506_0708,
            thread: ThreadId::from_index(0x0a0b),
            data: SeccompData::new(0xc000_003e, 39, [9; 6]),
        };
        for endian in [Endian::Little, Endian::Big] {
            let bytes = notification.to_bytes(endian);
            assert_eq!(bytes[16..], notification.data.to_bytes(endian));
            assert_eq!(bytes[12..16], [0; 4]);
        }
        let bytes = notification.to_bytes(Endian::Little);
        assert_eq!(bytes[..12], [8, 7, 6, 5, 4, 3, 2, 1, 0x0c, 0x0a, 0, 0]);
        let mut answer = [0; 24];
        answer[..8].copy_from_slice(&7_u64.to_be_bytes());
        answer[8..16].copy_from_slice(&(-2_i64).to_be_bytes());
        answer[16..20].copy_from_slice(&(-13_i32).to_be_bytes());
        answer[20..].copy_from_slice(&1_u32.to_be_bytes());
        let expected = Response {
            id: 7,
            val: -2,
            error: -13,
            flags: 1,
        };
        assert_eq!(Response::from_bytes(answer, Endian::Big), expected);
        answer.chunks_exact_mut(8).take(2).for_each(<[u8]>::reverse);
        answer[16..].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        assert_eq!(Response::from_bytes(answer, Endian::Little), expected);
    }
}
