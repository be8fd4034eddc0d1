//! What this machine can be asked.

use core::sync::atomic::AtomicU64;

use crate::admission::AdmissionOracle;
use crate::native::{Abi, Gates, NativeOracle, raw};
use crate::oracle::{Failure, Missing, Support};
use crate::socket::SocketOracle;
use crate::sys::{Death, Plain, Serve, Worker, install, status_field};
use callproof_vm::{Endian, Insn, Kernel, Machine, ShiftByX};

/// What is possible here, and of what is not, why.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// `uname -r`
    pub release: String,
    /// The machine, as `uname -m` calls it
    pub machine: String,
    /// `Seccomp` of `/proc/self/status`: 0 none, 1 strict, 2 filter; `None` when the kernel has no seccomp
    pub own_mode: Option<u32>,
    /// Filters can be installed
    pub filters: Support,
    /// Exact results by [`NativeOracle`]
    pub native: Support,
    /// `int 0x80` makes i386 calls
    pub i386: Support,
    /// Admission by [`AdmissionOracle`]
    pub admission: Support,
    /// Results by [`SocketOracle`]
    pub socket: Support,
}

impl Capabilities {
    /// The release as the emulator knows it, if `uname -r` can be read.
    #[must_use]
    pub fn kernel(&self) -> Option<Kernel> {
        self.release.parse().ok()
    }
}

/// Finds out what is possible here. Every try that could harm is made in a child.
#[must_use]
pub fn probe() -> Capabilities {
    let line = |path| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    Capabilities {
        release: line("/proc/sys/kernel/osrelease"),
        machine: machine_name(),
        own_mode: status_field("self", "Seccomp").and_then(|mode| mode.parse().ok()),
        filters: filters(),
        native: NativeOracle::new().map(drop),
        i386: i386(),
        admission: AdmissionOracle::new().map(drop),
        socket: SocketOracle::new().map(drop),
    }
}

/// This machine, as the emulator models it: release, byte order, and what a shift by X does on the backend in use.
///
/// A release that cannot be read counts as the newest known.
#[must_use]
pub fn machine() -> Machine {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    let jit = std::fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
    // An interpreter masks the count. Where there is no switch to read, the JIT is always on.
    let interpreted = jit.is_ok_and(|jit| jit.trim() == "0");
    let shift = match std::env::consts::ARCH {
        _ if interpreted => ShiftByX::Masked,
        "arm" => ShiftByX::Arm8,
        "powerpc" | "powerpc64" | "s390x" => ShiftByX::SixBitZero,
        _ => ShiftByX::Masked,
    };
    Machine {
        kernel: release
            .ok()
            .and_then(|release| release.parse().ok())
            .unwrap_or_default(),
        endian: Endian::NATIVE,
        shift,
    }
}

/// `uname -m`: not what this program was compiled for, but what the kernel runs on.
fn machine_name() -> String {
    // SAFETY: `uname` fills the structure it is given, with text that ends in a zero byte.
    unsafe {
        let mut name = core::mem::zeroed::<libc::utsname>();
        if libc::uname(&raw mut name) != 0 {
            return std::env::consts::ARCH.to_owned();
        }
        core::ffi::CStr::from_ptr(name.machine.as_ptr())
            .to_string_lossy()
            .into_owned()
    }
}

/// Whether filters can be installed.
pub(crate) fn filters() -> Support {
    match try_in_child(Try::Install) {
        Ok(0) => Ok(()),
        Ok(errno) => Err(Missing::Filters {
            errno: errno.wrapping_neg(),
        }),
        Err(missing) => Err(missing),
    }
}

/// Whether `int 0x80` makes i386 calls.
pub(crate) fn i386() -> Support {
    Gates::here().ok_or(Missing::Gate)?;
    match try_in_child(Try::Int80) {
        Ok(pid) if pid > 0 => Ok(()),
        Ok(other) => Err(Missing::I386 {
            how: format!("returns {other}"),
        }),
        Err(Missing::Basic(Failure::Died { how })) => Err(Missing::I386 { how }),
        Err(missing) => Err(missing),
    }
}

#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    Install,
    Int80,
}

fn try_in_child(what: Try) -> Result<i32, Missing> {
    let failed = |error: &std::io::Error| Missing::Basic(Failure::system("start a test process", error));
    let mut worker = Worker::<Attempt>::spawn().map_err(|error| failed(&error))?;
    let body = worker.body();
    body.what = what as u32;
    body.gates = Gates::here().map_or(0, |gates| gates.base);
    match worker.ask() {
        Ok(()) => Ok(worker.body().result),
        Err(death @ (Death::Ended(_) | Death::Stuck(_) | Death::Unknown)) => Err(Missing::Basic(Failure::died(death))),
    }
}

/// One try and what came of it.
#[repr(C)]
#[derive(Debug)]
struct Attempt {
    what: u32,
    result: i32,
    gates: u64,
}

// SAFETY: integers.
unsafe impl Plain for Attempt {}

impl Serve for Attempt {
    unsafe fn serve(this: *mut Self, _: &AtomicU64) {
        let allow = raw(Insn::stmt(0x06, 0x7fff_0000));
        // SAFETY: the attempt is ours, and the child ends afterwards. The i386 call is `getpid`, number 20.
        unsafe {
            (*this).result = if (*this).what == Try::Install as u32 {
                install(0, &raw const allow, 1)
            } else {
                let gates = Gates { base: (*this).gates };
                let regs = [20, 0, 0, 0, 0, 0, 0];
                i32::try_from(gates.call(Abi::I386, 0, &raw const regs)).unwrap_or(0)
            };
        }
    }
}
