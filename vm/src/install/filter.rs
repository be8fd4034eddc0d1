//! `SECCOMP_SET_MODE_FILTER`: seventeen checks in the kernel's order.

use super::{Caller, Fprog, Mode, Pointer, Refusal, Shortage, Success};
use crate::admit::Filter;
use crate::insn::Insn;
use crate::kernel::{Gate, Kernel};
use crate::length::{MAX_INSNS, charged_len};

/// Flags of `SECCOMP_SET_MODE_FILTER`: `SECCOMP_FILTER_FLAG_*`.
pub mod flag {
    /// Give every thread of the process the caller's filters
    pub const TSYNC: u32 = 1;
    /// Write audit records for TRAP, ERRNO, TRACE and USER_NOTIF of this filter too
    pub const LOG: u32 = 2;
    /// Do not switch on the mitigation of speculative store bypass; no verdict depends on it
    pub const SPEC_ALLOW: u32 = 4;
    /// Return a descriptor that receives the USER_NOTIF of this filter
    pub const NEW_LISTENER: u32 = 8;
    /// When TSYNC fails, answer `ESRCH` and not the id of a thread
    pub const TSYNC_ESRCH: u32 = 16;
    /// Once a notification was received, only fatal signals end the wait for the answer
    pub const WAIT_KILLABLE_RECV: u32 = 32;
}

/// The flags that a kernel release knows.
#[must_use]
pub fn known_flags(kernel: Kernel) -> u32 {
    [
        (flag::TSYNC, Gate::SeccompSyscall),
        (flag::LOG, Gate::KillProcess),
        (flag::SPEC_ALLOW, Gate::SpecAllow),
        (flag::NEW_LISTENER, Gate::UserNotif),
        (flag::TSYNC_ESRCH, Gate::TsyncEsrch),
        (flag::WAIT_KILLABLE_RECV, Gate::WaitKillable),
    ]
    .into_iter()
    .filter(|&(_, gate)| kernel.has(gate))
    .fold(0, |known, (flag, _)| known | flag)
}

/// Installs a filter, or says which check fails first.
pub(super) fn install(
    flags: u32,
    args: Pointer<Fprog<'_>>,
    caller: &Caller,
    kernel: Kernel,
) -> Result<Success, Refusal> {
    check_flags(flags, kernel)?;
    let fprog = args.read()?;
    if fprog.len == 0 || usize::from(fprog.len) > MAX_INSNS {
        return Err(Refusal::ProgramLength);
    }
    if !caller.no_new_privs && !caller.cap_sys_admin {
        return Err(Refusal::NoPrivilege);
    }
    let program = read_program(&fprog, caller)?;
    check_program(program, caller, kernel)?;
    let listener = reserve_listener(flags, caller)?;
    attach(flags, program, caller, kernel)?;
    Ok(Success::Installed {
        listener,
        synced: flags & flag::TSYNC != 0,
    })
}

/// Steps 1 to 3, before any memory of the caller is looked at.
fn check_flags(flags: u32, kernel: Kernel) -> Result<(), Refusal> {
    let has = |flag| flags & flag != 0;
    if has(!known_flags(kernel)) {
        Err(Refusal::UnknownFlag)
    } else if has(flag::TSYNC) && has(flag::NEW_LISTENER) && !has(flag::TSYNC_ESRCH) {
        Err(Refusal::SyncWithListener)
    } else if has(flag::WAIT_KILLABLE_RECV) && !has(flag::NEW_LISTENER) {
        Err(Refusal::KillableWithoutListener)
    } else {
        Ok(())
    }
}

/// Steps 7 to 9.
fn read_program<'p>(fprog: &Fprog<'p>, caller: &Caller) -> Result<&'p [Insn], Refusal> {
    caller.lacks(Shortage::FilterMemory, Refusal::NoMemory)?;
    if fprog.program == Pointer::Null {
        return Err(Refusal::NullProgram);
    }
    caller.lacks(Shortage::ProgramMemory, Refusal::NoMemory)?;
    match fprog.program {
        Pointer::To(program) => program.get(..usize::from(fprog.len)).ok_or(Refusal::UnreadableProgram),
        Pointer::Null | Pointer::Bad => Err(Refusal::UnreadableProgram),
    }
}

/// Steps 10 and 11.
fn check_program(program: &[Insn], caller: &Caller, kernel: Kernel) -> Result<(), Refusal> {
    Filter::load_on(kernel, program).map_err(|_| Refusal::BadProgram)?;
    caller.lacks(Shortage::ConvertedMemory, Refusal::NoMemory)?;
    caller.lacks(Shortage::Jit, Refusal::NoJit)
}

/// Step 12.
fn reserve_listener(flags: u32, caller: &Caller) -> Result<Option<i32>, Refusal> {
    if flags & flag::NEW_LISTENER == 0 {
        return Ok(None);
    }
    let fd = caller.next_fd.ok_or(Refusal::NoDescriptor)?;
    caller.lacks(Shortage::ListenerMemory, Refusal::NoMemory)?;
    caller.lacks(Shortage::Files, Refusal::NoFile)?;
    Ok(Some(fd))
}

/// Steps 13 to 17.
fn attach(flags: u32, program: &[Insn], caller: &Caller, kernel: Kernel) -> Result<(), Refusal> {
    let sync = flags & flag::TSYNC != 0;
    if sync && caller.fatal_signal {
        return Err(Refusal::Interrupted);
    }
    if matches!(caller.mode, Mode::Strict | Mode::Dead) {
        return Err(Refusal::WrongMode);
    }
    if flags & flag::NEW_LISTENER != 0 && caller.has_listener {
        return Err(Refusal::ListenerExists);
    }
    if charged_len(program, kernel) > caller.budget_left {
        return Err(Refusal::OverBudget);
    }
    match caller.unsyncable {
        Some(tid) if sync => Err(Refusal::Unsynced {
            tid,
            esrch: flags & flag::TSYNC_ESRCH != 0,
        }),
        _ => Ok(()),
    }
}

impl Caller {
    fn lacks(&self, shortage: Shortage, refusal: Refusal) -> Result<(), Refusal> {
        if self.shortage == Some(shortage) {
            Err(refusal)
        } else {
            Ok(())
        }
    }
}
