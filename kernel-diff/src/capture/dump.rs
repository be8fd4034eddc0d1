//! Filters of a process that runs already.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use callproof_vm::Insn;

use super::{CaptureError, ptrace};

/// The filters of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dumped {
    /// What it executes, if that is known
    pub exe: Option<PathBuf>,
    /// Its filters, oldest first
    pub filters: Vec<DumpedFilter>,
}

/// One installed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpedFilter {
    /// The program as it was handed in
    pub program: Vec<Insn>,
    /// The flags that the kernel tells, of which it remembers only `SECCOMP_FILTER_FLAG_LOG`; `None` before Linux 4.16
    pub flags: Option<u64>,
}

/// Reads the filters of a thread, which is stopped for that moment. `pid` may be any of a process's threads: each has
/// filters of its own.
///
/// # Errors
/// [`CaptureError`] names why it cannot. The thread runs on in every case.
pub fn dump(pid: i32, limit: Duration) -> Result<Dumped, CaptureError> {
    if pid <= 0 {
        return Err(CaptureError::NoProcess(pid));
    }
    // When a thread ends, the kernel lets its tracees go: whatever happens, nothing stays stopped.
    let traced = thread::scope(|scope| scope.spawn(|| dump_traced(pid, limit)).join());
    traced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn dump_traced(pid: i32, limit: Duration) -> Result<Dumped, CaptureError> {
    ptrace::seize(pid).map_err(|errno| CaptureError::of_attach(pid, errno))?;
    ptrace::interrupt(pid).map_err(|_| CaptureError::Gone(pid))?;
    let signal = wait_for_stop(pid, limit)?;
    let filters = filters(pid);
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok();
    // A signal that was about to be delivered still is.
    let _ = ptrace::detach(pid, signal);
    Ok(Dumped { exe, filters: filters? })
}

/// Gives the signal that the stop held back, or 0.
fn wait_for_stop(pid: i32, limit: Duration) -> Result<i32, CaptureError> {
    let start = Instant::now();
    loop {
        match ptrace::wait(Some(pid), false) {
            Ok(Some((_, status))) if libc::WIFSTOPPED(status) => {
                let event = status >> 16;
                return Ok(if event == 0 { libc::WSTOPSIG(status) } else { 0 });
            }
            Ok(None) if start.elapsed() < limit => thread::sleep(Duration::from_millis(1)),
            Ok(None) => {
                let seconds = limit.as_secs();
                return Err(CaptureError::Stuck { pid, seconds });
            }
            Ok(Some(_)) | Err(_) => return Err(CaptureError::Gone(pid)),
        }
    }
}

fn filters(pid: i32) -> Result<Vec<DumpedFilter>, CaptureError> {
    let mut filters = Vec::new();
    while let Some(program) = ptrace::filter(pid, filters.len()).map_err(|errno| CaptureError::of_filter(pid, errno))? {
        let flags = ptrace::filter_flags(pid, filters.len());
        filters.push(DumpedFilter { program, flags });
    }
    Ok(filters)
}
