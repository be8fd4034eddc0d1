//! Effects as sentences.

use core::fmt;

use super::{Death, Effect, Restart, Return, Scope, SigInfo};

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs => f.write_str("the call is made"),
            Self::Returns(value) => write!(f, "the call is not made and returns {value}"),
            Self::Traps(info) => write!(f, "the call is not made and the handler of SIGSYS runs with {info}"),
            Self::Stops { message } => write!(f, "the thread stops for its tracer, with message {message}"),
            Self::Asks => f.write_str("the thread waits for the supervisor's answer"),
            Self::Restarts(Restart::SameCall) => f.write_str("the call begins again after the signal"),
            Self::Restarts(Restart::RestartSyscall) => {
                f.write_str("the call begins again after the signal, as `restart_syscall`")
            }
            Self::Dies(death) => death.fmt(f),
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.register)?;
        match self.flag {
            Some(true) => f.write_str(" with the error flag set"),
            Some(false) | None => Ok(()),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.scope {
            Scope::Thread => "thread",
            Scope::Process => "process",
        };
        let core = if self.core { ", with a core dump" } else { "" };
        write!(f, "the {who} dies of signal {}{core}", self.signal)
    }
}

impl fmt::Display for SigInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            si_signo,
            si_code,
            si_errno,
            si_syscall,
            si_arch,
            si_call_addr,
        } = self;
        write!(
            f,
            "si_signo={si_signo} si_code={si_code} si_errno={si_errno} si_syscall={si_syscall} si_arch={si_arch:#010x} si_call_addr={si_call_addr:#x}"
        )
    }
}
