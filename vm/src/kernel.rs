//! Kernel releases, and what changed in which: every version gate in one place.

use core::fmt;
use core::str::FromStr;

use crate::data::Endian;

/// A kernel release, such as 6.18. Patch levels are not distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kernel {
    /// First number
    pub major: u16,
    /// Second number
    pub minor: u16,
}

impl Kernel {
    /// The newest release this emulator was compared with.
    pub const LATEST: Self = Self::new(6, 18);
    /// The first release with filters.
    pub const FIRST: Self = Self::new(3, 5);

    /// A release by its two numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether this release has a change.
    ///
    /// ```
    /// use callproof_vm::{Gate, Kernel};
    /// assert!(Kernel::new(4, 14).has(Gate::KillProcess));
    /// assert!(!Kernel::new(4, 13).has(Gate::KillProcess));
    /// ```
    #[must_use]
    #[inline]
    pub fn has(self, gate: Gate) -> bool {
        self >= gate.since()
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::LATEST
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Text that is not a kernel release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARelease;

impl fmt::Display for NotARelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a kernel release; write two numbers such as `6.12`")
    }
}

impl core::error::Error for NotARelease {}

impl FromStr for Kernel {
    type Err = NotARelease;

    /// Reads `6.12`, and also what `uname -r` prints: `6.12.117+deb13-amd64`.
    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let mut numbers = text.trim().splitn(3, '.');
        let major = numbers.next().and_then(|part| part.parse().ok());
        let minor = numbers.next().and_then(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end)?.parse().ok()
        });
        match (major, minor) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(NotARelease),
        }
    }
}

/// How sure we are of the release in which a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Stated by man-pages 6.03, seen in the sources on both sides, or in the maintainer's request to take the change into
    /// this release
    Documented,
    /// The change was seen; the exact release is recalled and not checked
    ReleaseUnchecked,
}

/// Defines [`Gate`] and its table together, so that neither can miss a row.
macro_rules! gates {
    ($($(#[$doc:meta])* $name:ident = $major:literal.$minor:literal, $evidence:ident;)*) => {
        /// Something that changed between kernel releases and that a filter, its author or its caller can notice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Gate { $($(#[$doc])* $name,)* }

        impl Gate {
            /// Every gate.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The first release with the change.
            #[must_use]
            #[inline]
            pub const fn since(self) -> Kernel {
                match self { $(Self::$name => Kernel::new($major, $minor),)* }
            }

            /// How sure we are of that release.
            #[must_use]
            pub const fn evidence(self) -> Evidence {
                match self { $(Self::$name => Evidence::$evidence,)* }
            }
        }
    };
}

gates! {
    /// Filters exist, with KILL, TRAP, ERRNO, TRACE and ALLOW, `no_new_privs` and `PTRACE_O_TRACESECCOMP`
    Filters = 3 . 5, Documented;
    /// `xor` is accepted
    Xor = 3 . 10, ReleaseUnchecked;
    /// Division by a constant is exact: before, it was a reciprocal multiplication that was wrong for some operands
    ExactDivision = 3 . 14, ReleaseUnchecked;
    /// Filters are converted to eBPF and the chain limit counts converted instructions
    ConvertedLength = 3 . 15, ReleaseUnchecked;
    /// `seccomp(2)` and TSYNC exist
    SeccompSyscall = 3 . 17, Documented;
    /// The errno of ERRNO is capped at 4095
    ErrnoCap = 4 . 0, ReleaseUnchecked;
    /// `PTRACE_O_SUSPEND_SECCOMP`
    SuspendSeccomp = 4 . 3, Documented;
    /// `PTRACE_SECCOMP_GET_FILTER`
    GetFilter = 4 . 4, Documented;
    /// The tracer's system-call stop comes before seccomp, and a call is judged again after TRACE
    PtraceBeforeSeccomp = 4 . 8, Documented;
    /// A kill of the only thread dumps core
    KillDumpsCore = 4 . 11, Documented;
    /// KILL_PROCESS, LOG, FLAG_LOG, GET_ACTION_AVAIL, the sysctls, and the signed comparison of the top half
    KillProcess = 4 . 14, Documented;
    /// The converter emits an explicit check for division by X = 0, and has the costs this crate computes
    ModernConversion = 4 . 16, ReleaseUnchecked;
    /// `PTRACE_SECCOMP_GET_METADATA`
    GetMetadata = 4 . 16, ReleaseUnchecked;
    /// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`
    SpecAllow = 4 . 17, Documented;
    /// USER_NOTIF, `SECCOMP_FILTER_FLAG_NEW_LISTENER`, GET_NOTIF_SIZES
    UserNotif = 5 . 0, Documented;
    /// `PTRACE_GET_SYSCALL_INFO`
    GetSyscallInfo = 5 . 3, Documented;
    /// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
    NotifContinue = 5 . 5, Documented;
    /// `SECCOMP_IOCTL_NOTIF_RECV` refuses a buffer that is not zeroed
    RecvZeroBuffer = 5 . 5, Documented;
    /// `SECCOMP_FILTER_FLAG_TSYNC_ESRCH`
    TsyncEsrch = 5 . 7, Documented;
    /// `SECCOMP_IOCTL_NOTIF_ADDFD`
    AddFd = 5 . 9, Documented;
    /// `/proc/PID/status` counts the filters
    StatusFilterCount = 5 . 9, Documented;
    /// An unknown action kills the process: before, the thread
    UnknownKillsProcess = 5 . 10, Documented;
    /// The constant-allow bitmap
    Bitmap = 5 . 11, Documented;
    /// The interpreter masks a shift by X with 31: before, it was undefined in C
    MaskedInterpreterShift = 5 . 14, ReleaseUnchecked;
    /// `SECCOMP_ADDFD_FLAG_SEND`
    AddFdSend = 5 . 14, Documented;
    /// Whether a killed thread is the last one is judged by the threads that live: before, the first thread of a
    /// process counted even when it had ended
    LiveThreadsCounted = 5 . 15, Documented;
    /// The kill signal cannot be blocked, and the task is marked dead
    DeadMode = 5 . 17, Documented;
    /// `PTRACE_SEIZE` checks who may suspend seccomp, as `PTRACE_SETOPTIONS` always did (CVE-2022-30594; also in 5.17.2 and in releases of older
    /// stable series: [`Host`](crate::task::Host) has a switch)
    SeizeChecksSuspend = 5 . 18, Documented;
    /// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`
    WaitKillable = 5 . 19, Documented;
    /// `SECCOMP_IOCTL_NOTIF_SET_FLAGS`
    NotifSetFlags = 6 . 6, Documented;
    /// `SECCOMP_IOCTL_NOTIF_RECV` fails with `ENOENT` when nobody has the filter any more: before, it waited for ever
    RecvNoticesNobody = 6 . 11, Documented;
    /// x86-64 call 335, uretprobe, passes every filter (also backported to 6.12 and 6.13)
    UretprobeBypass = 6 . 14, Documented;
    /// x86-64 call 336, uprobe, passes every filter
    UprobeBypass = 6 . 18, ReleaseUnchecked;
}

/// What a shift by X does when X is 32 or more. A constant shift never gets that far: admission refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ShiftByX {
    /// The count is `X & 31`: the x86, arm64, riscv, mips and loongarch JITs and the interpreter
    #[default]
    Masked,
    /// The count is `X & 255`, and 32 or more gives 0: the 32-bit arm JIT
    Arm8,
    /// The count is `X & 63`, and 32 or more gives 0: the ppc and s390x JITs
    SixBitZero,
}

impl ShiftByX {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Masked, Self::Arm8, Self::SixBitZero];

    /// By how far to shift for this X, or `None` when the result is 0.
    #[must_use]
    pub const fn count(self, x: u32) -> Option<u32> {
        let count = match self {
            Self::Masked => x & 31,
            Self::Arm8 => x & 255,
            Self::SixBitZero => x & 63,
        };
        if count < 32 { Some(count) } else { None }
    }
}

/// Everything about a machine that changes what a filter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Machine {
    /// The kernel release
    pub kernel: Kernel,
    /// The byte order, which decides where the halves of an argument lie
    pub endian: Endian,
    /// The shift rule of the JIT or interpreter
    pub shift: ShiftByX,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_gate_opens_at_its_release_and_not_before() {
        for &gate in Gate::ALL {
            let since = gate.since();
            let before = Kernel::new(since.major, since.minor.wrapping_sub(1));
            assert!(since.has(gate), "{gate:?}");
            assert!(since.minor == 0 || !before.has(gate), "{gate:?}");
            assert!(!Kernel::new(since.major - 1, 99).has(gate), "{gate:?}");
        }
    }

    #[test]
    fn releases_are_read_and_printed() {
        assert_eq!("6.12".parse(), Ok(Kernel::new(6, 12)));
        assert_eq!("6.12.117+deb13-amd64".parse(), Ok(Kernel::new(6, 12)));
        assert_eq!("5.10-rc1".parse(), Ok(Kernel::new(5, 10)));
        assert_eq!(Kernel::new(4, 14).to_string(), "4.14");
        for bad in ["", "6", "6.", ".1", "six.one", "-1.2", "99999.1"] {
            assert_eq!(bad.parse::<Kernel>(), Err(NotARelease), "{bad}");
        }
    }

    #[test]
    fn shift_rules_differ_from_32_on() {
        for x in 0..32 {
            assert!(ShiftByX::ALL.iter().all(|rule| rule.count(x) == Some(x)));
        }
        assert_eq!(ShiftByX::Masked.count(33), Some(1));
        assert_eq!(ShiftByX::Arm8.count(33), None);
        assert_eq!(ShiftByX::Arm8.count(64), None);
        assert_eq!(ShiftByX::Arm8.count(256), Some(0));
        assert_eq!(ShiftByX::SixBitZero.count(33), None);
        assert_eq!(ShiftByX::SixBitZero.count(64), Some(0));
    }
}
