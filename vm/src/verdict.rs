//! From a 32-bit value to an action, and from many values to one.

use core::fmt;

use crate::kernel::{Gate, Kernel};

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Kill the whole process
    KillProcess,
    /// Kill the calling thread
    KillThread,
    /// Deliver SIGSYS that the task can handle
    Trap,
    /// Do not make the call; return an errno
    Errno,
    /// Ask the supervisor behind the filter's listener
    UserNotif,
    /// Ask the tracer
    Trace,
    /// Write an audit record, then make the call
    Log,
    /// Make the call
    Allow,
    /// A value that names no action: the kernel kills
    Unknown,
}

impl Action {
    /// The actions with names, most severe first.
    pub const ALL: [Self; 8] = [
        Self::KillProcess,
        Self::KillThread,
        Self::Trap,
        Self::Errno,
        Self::UserNotif,
        Self::Trace,
        Self::Log,
        Self::Allow,
    ];

    /// The action in a filter's return value, as a kernel release reads it.
    ///
    /// Before 4.14 the top bit is ignored, so that `0xffff0000` allows; LOG came with 4.14 and USER_NOTIF with 5.0,
    /// and before they are unknown.
    ///
    /// ```
    /// use callproof_vm::{Action, Kernel};
    /// assert_eq!(Action::of(0x0005_0001, Kernel::LATEST), Action::Errno);
    /// assert_eq!(Action::of(0xffff_0000, Kernel::LATEST), Action::Unknown);
    /// assert_eq!(Action::of(0xffff_0000, Kernel::new(4, 13)), Action::Allow);
    /// ```
    #[must_use]
    #[inline]
    pub fn of(value: u32, kernel: Kernel) -> Self {
        let action = match value & action_mask(kernel) {
            0x7fff_0000 => Self::Allow,
            0x0005_0000 => Self::Errno,
            0x8000_0000 => Self::KillProcess,
            0 => Self::KillThread,
            0x0003_0000 => Self::Trap,
            0x7fc0_0000 => Self::UserNotif,
            0x7ff0_0000 => Self::Trace,
            0x7ffc_0000 => Self::Log,
            _ => Self::Unknown,
        };
        if action.exists_in(kernel) {
            action
        } else {
            Self::Unknown
        }
    }

    /// The return value of the action with data 0: `SECCOMP_RET_*`. `None` for an unknown action.
    #[must_use]
    pub const fn value(self) -> Option<u32> {
        Some(match self {
            Self::KillProcess => 0x8000_0000,
            Self::KillThread => 0,
            Self::Trap => 0x0003_0000,
            Self::Errno => 0x0005_0000,
            Self::UserNotif => 0x7fc0_0000,
            Self::Trace => 0x7ff0_0000,
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
            Self::Unknown => return None,
        })
    }

    /// The name that `/proc/sys/kernel/seccomp/actions_avail` uses; `unknown` for the rest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillProcess => "kill_process",
            Self::KillThread => "kill_thread",
            Self::Trap => "trap",
            Self::Errno => "errno",
            Self::UserNotif => "user_notif",
            Self::Trace => "trace",
            Self::Log => "log",
            Self::Allow => "allow",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a kernel release knows the action.
    #[must_use]
    #[inline]
    pub fn exists_in(self, kernel: Kernel) -> bool {
        match self {
            Self::KillProcess | Self::Log => kernel.has(Gate::KillProcess),
            Self::UserNotif => kernel.has(Gate::UserNotif),
            _ => true,
        }
    }

    /// Whether the call is made without anybody else being asked.
    #[must_use]
    pub const fn permits(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }

    /// Whether the kernel kills the thread or the process.
    #[must_use]
    pub const fn kills(self) -> bool {
        matches!(self, Self::KillProcess | Self::KillThread | Self::Unknown)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The decision of a chain about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The combined 32-bit value. It is `0x7fff0000` when no filter was more severe than ALLOW: an ALLOW's data is lost
    pub value: u32,
    /// The filter it came from, 0 being the oldest; `None` when no filter was more severe than ALLOW
    pub filter: Option<usize>,
    /// The action in `value`
    pub action: Action,
}

impl Verdict {
    /// `SECCOMP_RET_DATA`: the low 16 bits, as they are.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the data is the low 16 bits")]
    pub const fn data(&self) -> u16 {
        self.value as u16
    }

    /// The errno that an ERRNO action gives the caller: its data, capped at 4,095 since 4.0.
    #[must_use]
    pub fn errno(&self, kernel: Kernel) -> Option<u16> {
        let capped = if kernel.has(Gate::ErrnoCap) {
            self.data().min(4095)
        } else {
            self.data()
        };
        (self.action == Action::Errno).then_some(capped)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.action, self.data()) {
            (Action::Unknown, _) => write!(f, "unknown action {:#010x}", self.value),
            (Action::Errno | Action::Trap | Action::Trace, data) => write!(f, "{}({data})", self.action),
            (action, 0) => write!(f, "{action}"),
            (action, data) => write!(f, "{action}({data})"),
        }
    }
}

/// Combines the values that the filters of a chain returned, the newest filter's first.
///
/// The most severe wins, and of equals the newest. Since 4.14 severity is a signed comparison of the top 16 bits, so
/// that values from `0x80000000` up are the most severe; before, the top bit was ignored.
///
/// `values` yields (number of the filter, value).
#[must_use]
#[inline]
pub fn combine(values: impl IntoIterator<Item = (usize, u32)>, kernel: Kernel) -> Verdict {
    const ALLOW: u32 = 0x7fff_0000;
    let mask = action_mask(kernel);
    let severity = |value: u32| (value & mask).cast_signed();
    let start = (None, ALLOW);
    let (filter, value) = values.into_iter().fold(start, |best, (index, value)| {
        if severity(value) < severity(best.1) {
            (Some(index), value)
        } else {
            best
        }
    });
    Verdict {
        value,
        filter,
        action: Action::of(value, kernel),
    }
}

/// The bits of a value that make its action.
#[inline]
fn action_mask(kernel: Kernel) -> u32 {
    if kernel.has(Gate::KillProcess) {
        0xffff_0000
    } else {
        0x7fff_0000
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const OLD: Kernel = Kernel::new(4, 13);
    const NEW: Kernel = Kernel::new(4, 14);

    /// Oldest first, as people write chains.
    fn of(values: &[u32], kernel: Kernel) -> Verdict {
        combine(values.iter().copied().enumerate().rev(), kernel)
    }

    #[test]
    fn every_action_word_has_one_meaning() {
        for top in 0..=u16::MAX {
            let value = u32::from(top) << 16;
            let expected = match top {
                0x8000 => Action::KillProcess,
                0x0000 => Action::KillThread,
                0x0003 => Action::Trap,
                0x0005 => Action::Errno,
                0x7fc0 => Action::UserNotif,
                0x7ff0 => Action::Trace,
                0x7ffc => Action::Log,
                0x7fff => Action::Allow,
                _ => Action::Unknown,
            };
            assert_eq!(Action::of(value | 0xffff, Kernel::LATEST), expected, "{value:#x}");
        }
    }

    #[test]
    fn newest_wins_ties_and_keeps_its_data() {
        let verdict = of(&[0x0005_0001, 0x0005_0002], Kernel::LATEST);
        assert_eq!((verdict.value, verdict.filter), (0x0005_0002, Some(1)));
        let verdict = of(&[0x0005_0001, 0x7fff_0000], Kernel::LATEST);
        assert_eq!((verdict.value, verdict.filter), (0x0005_0001, Some(0)));
    }

    #[test]
    fn severity_is_signed_since_4_14() {
        assert_eq!(of(&[0x0000_0000, 0x8000_0000], NEW).action, Action::KillProcess);
        assert_eq!(of(&[0x8001_0000, 0x0000_0000], NEW).value, 0x8001_0000);
        assert_eq!(of(&[0x8001_0000, 0x8000_0000], NEW).value, 0x8000_0000);
        assert_eq!(of(&[0x7ffd_0000, 0x0005_0007], NEW).value, 0x0005_0007);
        assert_eq!(of(&[0x0004_0000, 0x0005_0007], NEW).value, 0x0004_0000);
        assert_eq!(of(&[0xffff_0000], NEW).action, Action::Unknown);
    }

    #[test]
    fn before_4_14_the_top_bit_is_ignored() {
        assert_eq!(of(&[0xffff_1234], OLD), of(&[0x7fff_0000], OLD));
        assert_eq!(of(&[0x8000_0000], OLD).action, Action::KillThread);
        let verdict = of(&[0x8005_0007, 0x7ff0_0000], OLD);
        assert_eq!((verdict.action, verdict.data()), (Action::Errno, 7));
        assert_eq!(of(&[0x7ffc_0000], OLD).action, Action::Unknown);
        assert_eq!(of(&[0x7ffc_0000], NEW).action, Action::Log);
    }

    #[test]
    fn user_notif_came_with_5_0() {
        assert_eq!(Action::of(0x7fc0_0000, Kernel::new(4, 20)), Action::Unknown);
        assert_eq!(Action::of(0x7fc0_0000, Kernel::new(5, 0)), Action::UserNotif);
    }

    #[test]
    fn the_data_of_allow_is_lost() {
        assert_eq!(of(&[0x7fff_1234], Kernel::LATEST).value, 0x7fff_0000);
        assert_eq!(of(&[], Kernel::LATEST).filter, None);
    }

    #[test]
    fn errno_is_capped_since_4_0() {
        let verdict = of(&[0x0005_ffff], Kernel::LATEST);
        assert_eq!(verdict.errno(Kernel::new(4, 0)), Some(4095));
        assert_eq!(verdict.errno(Kernel::new(3, 19)), Some(65_535));
        assert_eq!(of(&[0], Kernel::LATEST).errno(Kernel::LATEST), None);
    }

    #[test]
    fn prints_as_people_write() {
        assert_eq!(of(&[0x0005_0000], NEW).to_string(), "errno(0)");
        assert_eq!(of(&[0x0000_0000], NEW).to_string(), "kill_thread");
        assert_eq!(of(&[0x0000_0007], NEW).to_string(), "kill_thread(7)");
        assert_eq!(of(&[0x0001_0000], NEW).to_string(), "unknown action 0x00010000");
    }
}
