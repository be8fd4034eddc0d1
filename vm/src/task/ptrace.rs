//! `ptrace` requests about seccomp, and what `/proc` shows.

use alloc::vec::Vec;

use super::chains::FilterId;
use super::{Admin, ThreadId, World};
use crate::effect::Traced;
use crate::errno::Errno;
use crate::insn::Insn;
use crate::install::{Mode, Pointer, flag};
use crate::kernel::Gate;

/// Options of `PTRACE_SETOPTIONS` that seccomp knows.
pub mod option {
    /// `PTRACE_O_TRACESECCOMP`: stop when a filter says TRACE
    pub const TRACE_SECCOMP: u32 = 0x80;
    /// `PTRACE_O_SUSPEND_SECCOMP`: no seccomp for this thread
    pub const SUSPEND_SECCOMP: u32 = 0x0020_0000;
    /// Every other option there is: stops at events, and the death of the traced with its tracer. Seccomp ignores them.
    pub(super) const OTHERS: u32 = 0x7f | 0x0010_0000;
}

/// Whether a thread stops at the entry of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum EntryStops {
    /// It does not (`PTRACE_CONT`)
    #[default]
    No,
    /// It does (`PTRACE_SYSCALL`)
    Syscall,
    /// It does, and the call is never made (`PTRACE_SYSEMU`)
    Emulated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tracing {
    tracer: ThreadId,
    options: u32,
    pub(super) entry_stops: EntryStops,
}

/// What `PTRACE_SECCOMP_GET_METADATA` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// How many bytes were written, which the request returns
    pub size: u64,
    /// The filter's flags: only ever LOG
    pub flags: u64,
}

/// The lines of `/proc/PID/status` about seccomp. (By `proc(5)`, `Seccomp` came with 3.8 and `NoNewPrivs` with 4.10.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `Seccomp`: the mode
    pub seccomp: u8,
    /// `Seccomp_filters`: how many filters, on kernels that say so
    pub filters: Option<usize>,
    /// `NoNewPrivs`
    pub no_new_privs: bool,
}

impl World {
    /// `PTRACE_ATTACH`: one thread begins to trace another, without options.
    ///
    /// # Errors
    /// `ESRCH` when one of them does not run, `EPERM` when the other is traced already. Who may trace whom is otherwise
    /// not modelled.
    pub fn attach(&mut self, tracer: ThreadId, tracee: ThreadId) -> Result<(), Errno> {
        self.running(tracer).map_err(|_| Errno::ESRCH)?;
        if self.tracing(tracee).is_some() {
            return Err(Errno::EPERM);
        }
        let thread = self.running_mut(tracee).map_err(|_| Errno::ESRCH)?;
        thread.tracing = Some(Tracing {
            tracer,
            options: 0,
            entry_stops: EntryStops::No,
        });
        Ok(())
    }

    /// `PTRACE_SEIZE` with options. Before 5.17.2 it did not check who may suspend seccomp (CVE-2022-30594); whether this
    /// kernel does is [`Host::seize_checks_suspend`](super::Host::seize_checks_suspend).
    ///
    /// # Errors
    /// `EIO` for unknown options, then those of [`set_options`](Self::set_options) and of [`attach`](Self::attach).
    pub fn seize(&mut self, tracer: ThreadId, tracee: ThreadId, options: u32) -> Result<(), Errno> {
        if options & !self.known_options() != 0 {
            return Err(Errno::EIO);
        }
        if self.host.seize_checks_suspend {
            self.check_options(tracer, options)?;
        }
        self.attach(tracer, tracee)?;
        self.tracing_mut(tracer, tracee)?.options = options;
        Ok(())
    }

    /// `PTRACE_SETOPTIONS`.
    ///
    /// # Errors
    /// `ESRCH` when the one does not trace the other; `EINVAL` for unknown options; for suspending seccomp, `EINVAL` on
    /// kernels that cannot, and `EPERM` unless the tracer has `CAP_SYS_ADMIN` in the initial user namespace, is not
    /// under seccomp and is not suspended itself.
    pub fn set_options(&mut self, tracer: ThreadId, tracee: ThreadId, options: u32) -> Result<(), Errno> {
        self.tracing_mut(tracer, tracee)?;
        self.check_options(tracer, options)?;
        self.tracing_mut(tracer, tracee)?.options = options;
        Ok(())
    }

    /// How a traced thread goes on from its stop: with `PTRACE_CONT`, `PTRACE_SYSCALL` or `PTRACE_SYSEMU`.
    ///
    /// # Errors
    /// `ESRCH` when the one does not trace the other.
    pub fn resume(&mut self, tracer: ThreadId, tracee: ThreadId, entry_stops: EntryStops) -> Result<(), Errno> {
        self.tracing_mut(tracer, tracee)?.entry_stops = entry_stops;
        Ok(())
    }

    /// `PTRACE_DETACH`: the thread is traced no more, and no longer suspended.
    ///
    /// # Errors
    /// `ESRCH` when the one does not trace the other.
    pub fn detach(&mut self, tracer: ThreadId, tracee: ThreadId) -> Result<(), Errno> {
        self.tracing_mut(tracer, tracee)?;
        self.running_mut(tracee).map_err(|_| Errno::ESRCH)?.tracing = None;
        Ok(())
    }

    /// `PTRACE_SECCOMP_GET_FILTER`: the program of a filter as it was handed in; 0 is the oldest. The request returns
    /// its length, and copies nothing to a null buffer.
    ///
    /// # Errors
    /// `EIO` before 4.4 (recalled); `ESRCH` when the one does not trace the other; then, in this order: `EACCES` unless
    /// the tracer has `CAP_SYS_ADMIN` in the initial user namespace and is not under seccomp, `EINVAL` when the other is
    /// not in filter mode, `ENOENT` when there is no such filter, `EFAULT` for a bad buffer. `EMEDIUMTYPE`, for a program
    /// that was not kept, does not occur here.
    pub fn get_filter(
        &self,
        tracer: ThreadId,
        tracee: ThreadId,
        index: u64,
        buffer: Pointer<()>,
    ) -> Result<&[Insn], Errno> {
        self.may_inspect(Gate::GetFilter, tracer, tracee)?;
        let id = self.nth_filter(tracee, index)?;
        if buffer == Pointer::Bad {
            return Err(Errno::EFAULT);
        }
        let installed = self.chains.get(id).ok_or(Errno::ENOENT)?;
        Ok(installed.filter.program())
    }

    /// `PTRACE_SECCOMP_GET_METADATA` with a buffer of `size` bytes; 0 is the oldest filter.
    ///
    /// # Errors
    /// As [`get_filter`](Self::get_filter), from 4.16 on, and `EINVAL` for a size below 8.
    pub fn get_metadata(&self, tracer: ThreadId, tracee: ThreadId, size: u64, index: u64) -> Result<Metadata, Errno> {
        self.may_inspect(Gate::GetMetadata, tracer, tracee)?;
        if size < 8 {
            return Err(Errno::EINVAL);
        }
        let id = self.nth_filter(tracee, index)?;
        let flags = self.chains.get(id).map_or(0, |installed| installed.flags & flag::LOG);
        Ok(Metadata {
            size: size.min(16),
            flags: u64::from(flags),
        })
    }

    /// The lines of `/proc/PID/status`.
    #[must_use]
    pub fn status(&self, thread: ThreadId) -> Option<Status> {
        let thread = self.thread(thread)?;
        let counted = self.kernel().has(Gate::StatusFilterCount);
        Some(Status {
            seccomp: thread.mode.number(),
            filters: counted.then(|| self.chains.newest_first(thread.newest).count()),
            no_new_privs: thread.no_new_privs,
        })
    }

    /// The filters of a thread, oldest first.
    #[must_use]
    pub fn chain(&self, thread: ThreadId) -> Vec<FilterId> {
        let newest = self.thread(thread).and_then(|thread| thread.newest);
        self.chains.oldest_first(newest)
    }

    /// What `SECCOMP_IOCTL_NOTIF_RECV` on a filter's listener answers before it waits for a notification.
    ///
    /// # Errors
    /// `EINVAL` for a buffer that is not all zero (since 5.5), `ENOENT` when no thread has the filter any more (since
    /// 6.11; before, it waits for ever).
    pub fn check_recv(&self, filter: FilterId, buffer_is_zero: bool) -> Result<(), Errno> {
        if !buffer_is_zero && self.kernel().has(Gate::RecvZeroBuffer) {
            return Err(Errno::EINVAL);
        }
        let mut users = self.threads.iter().filter(|thread| thread.alive);
        let used = users.any(|thread| self.chains.contains(thread.newest, filter));
        if used || !self.kernel().has(Gate::RecvNoticesNobody) {
            Ok(())
        } else {
            Err(Errno::ENOENT)
        }
    }

    /// Who traces a thread. A tracer that ended traces nobody.
    pub(super) fn tracing(&self, tracee: ThreadId) -> Option<&Tracing> {
        let tracing = self.thread(tracee)?.tracing.as_ref();
        tracing.filter(|tracing| self.running(tracing.tracer).is_ok())
    }

    pub(super) fn traced(&self, tracee: ThreadId) -> Traced {
        match self.tracing(tracee) {
            None => Traced::No,
            Some(tracing) if tracing.options & option::TRACE_SECCOMP == 0 => Traced::WithoutSeccomp,
            Some(_) => Traced::Seccomp,
        }
    }

    pub(super) fn is_suspended(&self, thread: ThreadId) -> bool {
        let suspends = |tracing: &Tracing| tracing.options & option::SUSPEND_SECCOMP != 0;
        self.host.checkpoint_restore && self.tracing(thread).is_some_and(suspends)
    }

    fn tracing_mut(&mut self, tracer: ThreadId, tracee: ThreadId) -> Result<&mut Tracing, Errno> {
        self.running(tracer).map_err(|_| Errno::ESRCH)?;
        let tracing = self.running_mut(tracee).ok().and_then(|thread| thread.tracing.as_mut());
        tracing.filter(|tracing| tracing.tracer == tracer).ok_or(Errno::ESRCH)
    }

    fn known_options(&self) -> u32 {
        let suspend = if self.kernel().has(Gate::SuspendSeccomp) {
            option::SUSPEND_SECCOMP
        } else {
            0
        };
        option::TRACE_SECCOMP | option::OTHERS | suspend
    }

    fn check_options(&self, tracer: ThreadId, options: u32) -> Result<(), Errno> {
        let suspends = options & option::SUSPEND_SECCOMP != 0;
        if options & !self.known_options() != 0 || (suspends && !self.host.checkpoint_restore) {
            Err(Errno::EINVAL)
        } else if suspends && (!self.is_free_admin(tracer) || self.is_suspended(tracer)) {
            Err(Errno::EPERM)
        } else {
            Ok(())
        }
    }

    fn may_inspect(&self, gate: Gate, tracer: ThreadId, tracee: ThreadId) -> Result<(), Errno> {
        let tracing = self.tracing(tracee).filter(|tracing| tracing.tracer == tracer);
        if tracing.is_none() {
            Err(Errno::ESRCH)
        } else if !self.kernel().has(gate) {
            Err(Errno::EIO)
        } else if !self.is_free_admin(tracer) {
            Err(Errno::EACCES)
        } else {
            Ok(())
        }
    }

    /// Whether a thread has the privilege, and no seccomp of its own.
    fn is_free_admin(&self, tracer: ThreadId) -> bool {
        self.running(tracer)
            .is_ok_and(|thread| thread.environment.admin == Admin::Initial && thread.mode == Mode::Disabled)
    }

    fn nth_filter(&self, thread: ThreadId, index: u64) -> Result<FilterId, Errno> {
        if self.thread(thread).is_none_or(|thread| thread.mode != Mode::Filter) {
            return Err(Errno::EINVAL);
        }
        let index = usize::try_from(index).map_err(|_| Errno::ENOENT)?;
        self.chain(thread).get(index).copied().ok_or(Errno::ENOENT)
    }
}
