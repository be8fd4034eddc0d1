//! Both sides of a trace: the process that is stopped at its calls, and the one that writes into it.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use callproof_vm::length::MAX_INSNS;

use super::gate::{Abi, Gates};
use crate::sys::{Plain, Ringing, Serve, errno, install, is_end, kill, reap, sock_filter, wait_ringing};

/// Most calls of a batch.
pub(super) const DATA: usize = 1024;
/// Each half of a result has a process of its own, since a process keeps its filter.
pub(super) const HALVES: u32 = 2;

/// A call to pose, and the result.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Posed {
    pub(super) nr: u32,
    pub(super) value: u32,
    pub(super) ip: u64,
    pub(super) args: [u64; 6],
}

/// What parent and child share.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) gates: u64,
    pub(super) wanted: u32,
    /// The errno of an installation
    pub(super) refused: i32,
    /// The errno of another call of the tracer
    pub(super) error: i32,
    /// A status of the tracee that cannot be
    pub(super) strange: i32,
    pub(super) len: u16,
    pub(super) data: [Posed; DATA],
    pub(super) programs: [[sock_filter; MAX_INSNS]; HALVES as usize],
}

// SAFETY: integers and arrays of integers.
unsafe impl Plain for Traced {}

/// Why a trace ends early.
enum Stop {
    Refused(i32),
    Error(i32),
    Strange(i32),
}

impl Serve for Traced {
    unsafe fn serve(this: *mut Self, progress: &AtomicU64) {
        // SAFETY: the body is ours, and its tracees are killed before this returns.
        unsafe {
            match trace(this, progress) {
                Ok(()) => {}
                Err(Stop::Refused(errno)) => (*this).refused = errno,
                Err(Stop::Error(errno)) => (*this).error = errno,
                Err(Stop::Strange(status)) => (*this).strange = status,
            }
        }
    }
}

/// How long a tracee may take to its next stop, and to its end when it is killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// A tracee that is killed and waited for when it is let go.
struct Tracee {
    pid: libc::pid_t,
    /// Its end was seen: the number may be somebody else's by now
    gone: bool,
}

impl Tracee {
    /// Waits for a stop or the end.
    fn wait(&mut self) -> Result<i32, Stop> {
        let status = wait_ringing(self.pid, PATIENCE).map_err(Stop::Error)?;
        self.gone = is_end(status);
        Ok(status)
    }

    /// Goes on, and waits for a stop or the end.
    fn resume(&mut self, request: libc::c_uint) -> Result<i32, Stop> {
        command(request, self.pid, 0)?;
        self.wait()
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if !self.gone {
            kill(self.pid);
            // Whoever is not gone by then ends with this process, whose tracee he is.
            let _ = reap(self.pid, PATIENCE);
        }
    }
}

/// # Safety
/// `this` is ours.
unsafe fn trace(this: *mut Traced, progress: &AtomicU64) -> Result<(), Stop> {
    let _ringing = Ringing::start().map_err(Stop::Error)?;
    for half in 0..HALVES {
        // SAFETY: as the caller promises.
        unsafe { trace_half(this, half, progress) }?;
    }
    Ok(())
}

/// # Safety
/// `this` is ours.
unsafe fn trace_half(this: *mut Traced, half: u32, progress: &AtomicU64) -> Result<(), Stop> {
    let mut tracee = None;
    // SAFETY: indices are below the sizes of the arrays; nobody else touches the data.
    unsafe {
        for at in 0..((*this).wanted as usize).min(DATA) {
            let here = match &mut tracee {
                Some(tracee) => tracee,
                None => tracee.insert(spawn(this, half)?),
            };
            let posed = (&raw mut (*this).data).cast::<Posed>().wrapping_add(at);
            match pose(here, &*posed)? {
                Some(part) => (*posed).value |= part << (16_u32.wrapping_mul(half) & 31),
                // It died of its filter; both halves see that.
                None => tracee = None,
            }
            progress.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Starts a tracee and leads it out of the call that installs its filter.
///
/// # Safety
/// `this` is ours.
unsafe fn spawn(this: *const Traced, half: u32) -> Result<Tracee, Stop> {
    // SAFETY: the child only makes plain system calls and ends with its tracer.
    let pid = unsafe {
        let tracer = libc::getpid();
        match libc::fork() {
            -1 => return Err(Stop::Error(errno())),
            0 => live(this, half, tracer),
            pid => pid,
        }
    };
    let mut tracee = Tracee { pid, gone: false };
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACESECCOMP | libc::PTRACE_O_EXITKILL;
    let stopped = tracee.wait()?;
    if !libc::WIFSTOPPED(stopped) {
        return Err(Stop::Strange(stopped));
    }
    command(libc::PTRACE_SETOPTIONS, pid, usize::try_from(options).unwrap_or(0))?;
    // The entry and the exit of the call.
    for _ in 0..2 {
        let status = tracee.resume(libc::PTRACE_SYSCALL)?;
        if !at_call(status) {
            return Err(Stop::Strange(status));
        }
    }
    match result(pid)? {
        0 => Ok(tracee),
        error => Err(Stop::Refused(i32::try_from(error.wrapping_neg()).unwrap_or(i32::MAX))),
    }
}

/// The life of a tracee: it stops, installs its filter and makes one and the same call for ever.
///
/// # Safety
/// In a forked child. `this` is readable.
unsafe fn live(this: *const Traced, half: u32, tracer: libc::pid_t) -> ! {
    // SAFETY: plain system calls. What the filter does to this process, or its tracer, is wanted. Signals are blocked
    // again, the tracer's alarm among them: each that comes would be a stop.
    unsafe {
        let mut all = core::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, core::ptr::null_mut());
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
        let (gates, pid) = (Gates { base: (*this).gates }, libc::getpid());
        let program = (&raw const (*this).programs)
            .cast::<[sock_filter; MAX_INSNS]>()
            .wrapping_add(half as usize);
        // A tracer that was lost before PDEATHSIG was set is nobody to stop for.
        if libc::getppid() != tracer || libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
            libc::_exit(1);
        }
        libc::kill(pid, libc::SIGSTOP);
        install(0, program.cast(), (*this).len);
        let regs = [0x3ff, 0, 0, 0, 0, 0, 0];
        loop {
            gates.call(Abi::X86_64, 0, &raw const regs);
        }
    }
}

/// Has the tracee's next call be another one; gives the data of its TRACE, or `None` when it died of its filter.
#[cfg(target_arch = "x86_64")]
fn pose(tracee: &mut Tracee, posed: &Posed) -> Result<Option<u32>, Stop> {
    let pid = tracee.pid;
    let mut status = tracee.resume(libc::PTRACE_SYSCALL)?;
    // Behind the call before this one, the tracee stops at its exit first.
    let mut saved = registers(pid, status)?;
    while saved.orig_rax != 0x3ff || saved.rax.cast_signed() != -i64::from(libc::ENOSYS) {
        status = tracee.resume(libc::PTRACE_SYSCALL)?;
        saved = registers(pid, status)?;
    }
    let mut regs = saved;
    regs.orig_rax = u64::from(posed.nr);
    regs.rip = posed.ip;
    [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9] = posed.args;
    set_registers(pid, &regs)?;
    status = tracee.resume(libc::PTRACE_CONT)?;
    if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS {
        return Ok(None);
    }
    if status >> 8 != libc::SIGTRAP | libc::PTRACE_EVENT_SECCOMP << 8 {
        return Err(Stop::Strange(status));
    }
    let part = message(pid)?;
    saved.orig_rax = u64::MAX;
    set_registers(pid, &saved)?;
    Ok(Some(part))
}

#[cfg(not(target_arch = "x86_64"))]
fn pose(_: &mut Tracee, _: &Posed) -> Result<Option<u32>, Stop> {
    Err(Stop::Error(libc::ENOSYS))
}

/// Whether a status is a stop at a system call.
const fn at_call(status: i32) -> bool {
    libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80
}

fn command(request: libc::c_uint, pid: libc::pid_t, data: usize) -> Result<(), Stop> {
    // SAFETY: none of these requests follows its data.
    match unsafe { libc::ptrace(request, pid, 0, data) } {
        -1 => Err(Stop::Error(errno())),
        _ => Ok(()),
    }
}

fn message(pid: libc::pid_t) -> Result<u32, Stop> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel fills a live integer of the type that this request wants.
    match unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut message) } {
        -1 => Err(Stop::Error(errno())),
        _ => Ok(u32::try_from(message).unwrap_or(u32::MAX)),
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(pid: libc::pid_t, status: i32) -> Result<libc::user_regs_struct, Stop> {
    if !at_call(status) {
        return Err(Stop::Strange(status));
    }
    // SAFETY: the kernel fills a live structure of the type that this request wants; zeroes are a value of it.
    unsafe {
        let mut regs = core::mem::zeroed::<libc::user_regs_struct>();
        match libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut regs) {
            -1 => Err(Stop::Error(errno())),
            _ => Ok(regs),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn set_registers(pid: libc::pid_t, regs: &libc::user_regs_struct) -> Result<(), Stop> {
    // SAFETY: the kernel reads a live structure of the type that this request wants.
    match unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0, core::ptr::from_ref(regs)) } {
        -1 => Err(Stop::Error(errno())),
        _ => Ok(()),
    }
}

/// What a call that just ended returned.
#[cfg(target_arch = "x86_64")]
fn result(pid: libc::pid_t) -> Result<i64, Stop> {
    registers(pid, libc::SIGTRAP << 8 | 0x80 << 8 | 0x7f).map(|regs| regs.rax.cast_signed())
}

#[cfg(not(target_arch = "x86_64"))]
fn result(_: libc::pid_t) -> Result<i64, Stop> {
    Err(Stop::Error(libc::ENOSYS))
}
