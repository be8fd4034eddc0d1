//! The supervisor's side: notifications, answers, and what the kernel says to them.

use alloc::vec::Vec;

use super::{Nobody, Process, ThreadId};
use crate::data::SeccompData;
use crate::effect::Interruption;
use crate::errno::Errno;
use crate::kernel::{Gate, Kernel};

/// Somebody who holds a listener.
pub trait Supervisor {
    /// What happens before the notification is received. By default it is received.
    fn arrives(&mut self, notification: &Notification) -> Arrival {
        let _ = notification;
        Arrival::Received
    }

    /// A notification was received. To leave the thread waiting, send nothing.
    fn notified(&mut self, notification: &Notification, conversation: &mut Conversation<'_>);
}

impl<F: FnMut(&Notification, &mut Conversation<'_>)> Supervisor for F {
    fn notified(&mut self, notification: &Notification, conversation: &mut Conversation<'_>) {
        self(notification, conversation);
    }
}

impl Supervisor for Nobody {
    fn notified(&mut self, _: &Notification, _: &mut Conversation<'_>) {}
}

/// What happens to a notification at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is received
    Received,
    /// A signal reaches the waiting thread before that
    Interrupted(Interruption),
    /// The listener is closed before that
    Closed,
}

/// `struct seccomp_notif`: a call that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The notification's number, which answers must name
    pub id: u64,
    /// `pid`: the thread
    pub thread: ThreadId,
    /// The call, as the filters saw it. Their return value's data is not told.
    pub data: SeccompData,
}

/// `struct seccomp_notif_resp`: an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Response {
    /// The notification
    pub id: u64,
    /// The result, if there is no error
    pub val: i64,
    /// The error, negative as in the kernel, or 0. It is not checked: 7 makes the call return 7.
    pub error: i32,
    /// [`Response::CONTINUE`] or 0
    pub flags: u32,
}

impl Response {
    /// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`: make the call after all. The filters are not asked again.
    pub const CONTINUE: u32 = 1;

    /// The call returns a value.
    #[must_use]
    pub const fn value(id: u64, val: i64) -> Self {
        Self {
            id,
            val,
            error: 0,
            flags: 0,
        }
    }

    /// The call fails with a positive error number.
    #[must_use]
    pub fn fail(id: u64, errno: u16) -> Self {
        Self {
            id,
            val: 0,
            error: i32::from(errno).saturating_neg(),
            flags: 0,
        }
    }

    /// The call is made.
    #[must_use]
    pub const fn proceed(id: u64) -> Self {
        Self {
            id,
            val: 0,
            error: 0,
            flags: Self::CONTINUE,
        }
    }
}

/// Flags of [`AddFd`]: `SECCOMP_ADDFD_FLAG_*`, and the one descriptor flag.
pub mod add {
    /// Use the descriptor number given
    pub const SETFD: u32 = 1;
    /// Answer the notification with the new descriptor
    pub const SEND: u32 = 2;
    /// `O_CLOEXEC`, as most ABIs number it
    pub const CLOEXEC: u32 = 0o2_000_000;
}

/// `struct seccomp_notif_addfd`: give the waiting process a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddFd {
    /// The notification
    pub id: u64,
    /// Bits of [`add`]
    pub flags: u32,
    /// Whether the supervisor's descriptor is open
    pub source_is_open: bool,
    /// The number to use, with [`add::SETFD`]; otherwise 0
    pub newfd: u32,
    /// [`add::CLOEXEC`] or 0
    pub newfd_flags: u32,
}

/// A descriptor that the waiting process has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its number
    pub fd: i32,
    /// Whether `execve` closes it
    pub close_on_exec: bool,
}

/// `SECCOMP_IOCTL_NOTIF_SET_FLAGS`: bit 0 asks for a wake-up on the same processor and changes no result.
///
/// # Errors
/// `EINVAL` for any other bit, and before Linux 6.6.
pub fn set_flags(flags: u64, kernel: Kernel) -> Result<(), Errno> {
    if kernel.has(Gate::NotifSetFlags) && flags & !1 == 0 {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// What has become of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Received and not answered
    Waiting,
    Answered(Response),
    /// The thread was interrupted and no longer waits
    Interrupted(Interruption),
    /// The listener is closed
    Closed,
}

impl Fate {
    /// Whether the call is made after all.
    pub(super) const fn proceeds(self) -> bool {
        matches!(self, Self::Answered(response) if response.flags & Response::CONTINUE != 0)
    }

    /// Whether it is settled that the call is not made.
    pub(super) fn skips(self) -> bool {
        self != Self::Waiting && !self.proceeds()
    }
}

/// A received notification and everything a supervisor can do about it.
#[derive(Debug)]
pub struct Conversation<'w> {
    id: u64,
    kernel: Kernel,
    killable: bool,
    process: &'w mut Process,
    pub(super) fate: Fate,
    pub(super) added: Vec<Added>,
}

impl<'w> Conversation<'w> {
    pub(super) const fn new(id: u64, kernel: Kernel, killable: bool, process: &'w mut Process) -> Self {
        Self {
            id,
            kernel,
            killable,
            process,
            fate: Fate::Waiting,
            added: Vec::new(),
        }
    }

    /// `SECCOMP_IOCTL_NOTIF_SEND`.
    ///
    /// # Errors
    /// `EINVAL` for unknown flags (before 5.5 for any) and for CONTINUE together with a value or an error; `ENOENT` for
    /// a notification that does not exist or no longer does; `EINPROGRESS` for one that was answered. (On a busy machine
    /// an answered thread may have gone on already, and then it is `ENOENT`.)
    pub fn send(&mut self, response: &Response) -> Result<(), Errno> {
        let proceeds = response.flags & Response::CONTINUE != 0;
        let known = if self.kernel.has(Gate::NotifContinue) {
            Response::CONTINUE
        } else {
            0
        };
        if response.flags & !known != 0 || (proceeds && (response.val != 0 || response.error != 0)) {
            return Err(Errno::EINVAL);
        }
        self.expect_waiting(response.id)?;
        self.fate = Fate::Answered(*response);
        Ok(())
    }

    /// `SECCOMP_IOCTL_NOTIF_ID_VALID`.
    ///
    /// # Errors
    /// `ENOENT` when nobody waits for an answer to this notification.
    pub fn id_valid(&self, id: u64) -> Result<(), Errno> {
        self.expect_waiting(id).map_err(|_| Errno::ENOENT)
    }

    /// `SECCOMP_IOCTL_NOTIF_ADDFD`: returns the number of the descriptor in the waiting process.
    ///
    /// # Errors
    /// `EINVAL` for unknown flags and for a number without SETFD (before 5.9 for everything, before 5.14 for SEND),
    /// `EBADF` when the supervisor's descriptor is not open, `ENOENT` and `EINPROGRESS` as for [`send`](Self::send),
    /// `EMFILE` when the process has no free descriptor. `EBUSY` and `ESRCH`, which need two supervisors at once or a
    /// process that dies meanwhile, do not occur here. The order was observed on Linux 6.18. A number with SETFD that
    /// is above the process's limit gives `EBADF` there; here, one that is no descriptor at all does.
    pub fn add_fd(&mut self, request: &AddFd) -> Result<i32, Errno> {
        let sends = request.flags & add::SEND != 0;
        let sets = request.flags & add::SETFD != 0;
        let known = self.kernel.has(Gate::AddFd) && (!sends || self.kernel.has(Gate::AddFdSend));
        let strange = request.flags & !(add::SETFD | add::SEND) | request.newfd_flags & !add::CLOEXEC;
        if !known || strange != 0 || (request.newfd != 0 && !sets) {
            return Err(Errno::EINVAL);
        }
        if !request.source_is_open {
            return Err(Errno::EBADF);
        }
        self.expect_waiting(request.id)?;
        let fd = if sets {
            i32::try_from(request.newfd).map_err(|_| Errno::EBADF)?
        } else {
            self.process.take_fd().ok_or(Errno::EMFILE)?
        };
        let close_on_exec = request.newfd_flags & add::CLOEXEC != 0;
        self.added.push(Added { fd, close_on_exec });
        if sends {
            self.fate = Fate::Answered(Response::value(self.id, i64::from(fd)));
        }
        Ok(fd)
    }

    /// The listener is closed, and the thread with it left without an answer.
    pub fn close(&mut self) {
        if self.fate == Fate::Waiting {
            self.fate = Fate::Closed;
        }
    }

    /// A signal reaches the waiting thread now. Says whether it ends the wait: since the notification was received, a
    /// filter with WAIT_KILLABLE_RECV lets only fatal ones do so.
    pub fn interrupt(&mut self, interruption: Interruption) -> bool {
        let ends = match interruption {
            Interruption::None => false,
            Interruption::Fatal => true,
            _ => !self.killable,
        };
        if ends && self.fate == Fate::Waiting {
            self.fate = Fate::Interrupted(interruption);
        }
        ends
    }

    fn expect_waiting(&self, id: u64) -> Result<(), Errno> {
        match self.fate {
            Fate::Waiting if id == self.id => Ok(()),
            Fate::Answered(_) if id == self.id => Err(Errno::EINPROGRESS),
            _ => Err(Errno::ENOENT),
        }
    }
}
