//! `ptrace(2)`, `waitpid(2)` and reading a tracee's memory.

use core::ffi::c_void;

use callproof_vm::{Endian, Insn};

use crate::sys::{errno, sock_filter};

/// `PTRACE_SECCOMP_GET_FILTER`
const GET_FILTER: libc::c_uint = 0x420c;
/// `PTRACE_SECCOMP_GET_METADATA`
const GET_METADATA: libc::c_uint = 0x420d;
/// `PTRACE_GET_SYSCALL_INFO`
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;

/// Makes a request whose `data` is a number, or memory that the kernel fills.
///
/// # Safety
/// When the request writes to `data`, that is writable and as large as the request wants.
unsafe fn request(request: libc::c_uint, pid: i32, address: usize, data: *mut c_void) -> Result<i64, i32> {
    let address = core::ptr::without_provenance_mut::<c_void>(address);
    // SAFETY: the caller vouches for `data`; `address` is a number in every request made here.
    let result = unsafe { libc::ptrace(request, pid, address, data) };
    if result == -1 { Err(errno()) } else { Ok(result) }
}

/// Makes a request whose `data` is a number.
fn command(number: libc::c_uint, pid: i32, data: usize) -> Result<(), i32> {
    // SAFETY: none of the requests made through this function follows `data`.
    unsafe { request(number, pid, 0, core::ptr::without_provenance_mut(data)) }.map(drop)
}

pub(super) fn seize(pid: i32) -> Result<(), i32> {
    command(libc::PTRACE_SEIZE, pid, 0)
}

pub(super) fn interrupt(pid: i32) -> Result<(), i32> {
    command(libc::PTRACE_INTERRUPT, pid, 0)
}

/// Lets a stopped tracee go, with the signal it was about to receive.
pub(super) fn detach(pid: i32, signal: i32) -> Result<(), i32> {
    command(libc::PTRACE_DETACH, pid, usize::try_from(signal).unwrap_or(0))
}

/// Lets a stopped tracee run to its next system call, with the signal it was about to receive.
pub(super) fn resume(pid: i32, signal: i32) -> Result<(), i32> {
    command(libc::PTRACE_SYSCALL, pid, usize::try_from(signal).unwrap_or(0))
}

/// Has a stopped tracee report system calls, and its children be traced too and killed when the tracer ends.
pub(super) fn follow(pid: i32) -> Result<(), i32> {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    command(libc::PTRACE_SETOPTIONS, pid, usize::try_from(options).unwrap_or(0))
}

/// Whether a stop by a stopping signal is the group's stop, and not the delivery of the signal.
pub(super) fn is_group_stop(pid: i32) -> bool {
    // SAFETY: the kernel fills a live structure of the type that this request wants.
    let result = unsafe {
        let mut info = core::mem::zeroed::<libc::siginfo_t>();
        request(libc::PTRACE_GETSIGINFO, pid, 0, (&raw mut info).cast())
    };
    result == Err(libc::EINVAL)
}

/// What an event is about: the number of a new or of a former thread.
pub(super) fn event_message(pid: i32) -> Result<i32, i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel fills a live integer of the type that this request wants.
    unsafe { request(libc::PTRACE_GETEVENTMSG, pid, 0, (&raw mut message).cast()) }?;
    i32::try_from(message).map_err(|_| libc::EINVAL)
}

/// Makes the calling process a tracee of its parent.
///
/// Makes one system call and nothing else, so it may be used in a forked child.
pub(super) fn trace_me() -> Result<(), i32> {
    command(libc::PTRACE_TRACEME, 0, 0)
}

/// The filter of this index, 0 being the oldest, or `None` behind the newest.
pub(super) fn filter(pid: i32, index: usize) -> Result<Option<Vec<Insn>>, i32> {
    // SAFETY: with no memory to fill, the request tells the length.
    let len = match unsafe { request(GET_FILTER, pid, index, core::ptr::null_mut()) } {
        Err(libc::ENOENT) => return Ok(None),
        len => len?,
    };
    let mut insns = vec![
        sock_filter {
            code: 0,
            jt: 0,
            jf: 0,
            k: 0
        };
        usize::try_from(len).unwrap_or(0)
    ];
    // SAFETY: filters do not change, so the vector is as long as the filter.
    unsafe { request(GET_FILTER, pid, index, insns.as_mut_ptr().cast()) }?;
    let insn = |raw: sock_filter| Insn::new(raw.code, raw.jt, raw.jf, raw.k);
    Ok(Some(insns.into_iter().map(insn).collect()))
}

/// The flags of a filter that the kernel still knows; `None` before Linux 4.16.
pub(super) fn filter_flags(pid: i32, index: usize) -> Option<u64> {
    let mut metadata = [index as u64, 0];
    let size = size_of_val(&metadata);
    // SAFETY: the kernel reads and fills a live structure of two 64-bit words, whose size it is told.
    let result = unsafe { request(GET_METADATA, pid, size, metadata.as_mut_ptr().cast()) };
    result.ok().map(|_| metadata[1])
}

/// `struct ptrace_syscall_info` up to where it is of interest.
#[repr(C)]
#[derive(Debug, Default)]
struct RawInfo {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    ip: u64,
    sp: u64,
    words: [u64; 8],
}

/// A stop at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Entry { arch: u32, nr: u64, args: [u64; 6] },
    Exit { result: i64 },
    Neither,
}

/// Why a tracee has stopped at a system call.
pub(super) fn syscall_info(pid: i32) -> Result<At, i32> {
    let mut info = RawInfo::default();
    // SAFETY: the kernel fills at most as many bytes of a live structure as it is told.
    unsafe { request(GET_SYSCALL_INFO, pid, size_of::<RawInfo>(), (&raw mut info).cast()) }?;
    let [nr, args @ .., _] = info.words;
    Ok(match info.op {
        1 => At::Entry {
            arch: info.arch,
            nr,
            args,
        },
        2 => At::Exit {
            result: nr.cast_signed(),
        },
        _ => At::Neither,
    })
}

/// Waits for a child or tracee of this thread, or for one process. Gives its number and status.
pub(super) fn wait(pid: Option<i32>, block: bool) -> Result<Option<(i32, i32)>, i32> {
    let mut status = 0;
    let flags = if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: the status is written to a live variable.
        let got = unsafe {
            libc::waitpid(
                pid.unwrap_or(-1),
                &raw mut status,
                flags | libc::__WALL | libc::__WNOTHREAD,
            )
        };
        match got {
            0 => return Ok(None),
            -1 if errno() == libc::EINTR => {}
            -1 => return Err(errno()),
            pid => return Ok(Some((pid, status))),
        }
    }
}

/// Reads a tracee's memory.
pub(super) fn read_memory(pid: i32, address: u64, len: usize) -> Result<Vec<u8>, i32> {
    let mut bytes = vec![0; len];
    if len == 0 {
        return Ok(bytes);
    }
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: len,
    };
    let remote = libc::iovec {
        iov_base: core::ptr::without_provenance_mut(usize::try_from(address).map_err(|_| libc::EFAULT)?),
        iov_len: len,
    };
    // SAFETY: the kernel writes at most `len` bytes to a live vector of that length.
    let got = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(got) {
        Ok(got) if got == len => Ok(bytes),
        Ok(_) => Err(libc::EFAULT),
        Err(_) => Err(errno()),
    }
}

/// The instructions in a tracee's memory.
pub(super) fn insns_in(bytes: &[u8]) -> Vec<Insn> {
    let insns = bytes.as_chunks::<8>().0.iter();
    insns.map(|insn| Insn::from_bytes(*insn, Endian::NATIVE)).collect()
}
