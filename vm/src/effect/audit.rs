//! Which decisions leave an audit record.

use core::fmt;

use crate::data::SeccompData;
use crate::errno::Errno;
use crate::kernel::{Gate, Kernel};
use crate::verdict::{Action, Verdict};

/// An audit record of type 1326, `AUDIT_SECCOMP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// `syscall=`: the number
    pub nr: i32,
    /// `arch=`: the audit architecture word
    pub arch: u32,
    /// `ip=`: where the call was made
    pub instruction_pointer: u64,
    /// `sig=`: the signal that kills, or 0; TRAP has 0
    pub signal: u8,
    /// `code=`: the action without its data
    pub code: u32,
}

impl Record {
    pub(crate) const fn new(call: &SeccompData, signal: u8, code: u32) -> Self {
        Self {
            nr: call.nr,
            arch: call.arch,
            instruction_pointer: call.instruction_pointer,
            signal,
            code,
        }
    }
}

/// The sysctl `kernel.seccomp.actions_logged`: the actions that may be recorded at all (kernels since 4.14).
///
/// ```
/// use callproof_vm::effect::Logged;
/// use callproof_vm::{Action, Errno, Kernel};
/// assert!(Logged::default().contains(Action::Errno));
/// let logged = Logged::parse("kill_process log", Kernel::LATEST)?;
/// assert_eq!(logged.to_string(), "kill_process log");
/// assert_eq!(Logged::parse("allow", Kernel::LATEST), Err(Errno::EINVAL));
/// # Ok::<(), Errno>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Logged([bool; 8]);

impl Default for Logged {
    /// Everything but ALLOW.
    fn default() -> Self {
        Self(Action::ALL.map(|action| action != Action::Allow))
    }
}

impl Logged {
    /// Reads what a privileged process writes to the sysctl: names with one space between.
    ///
    /// An empty name, as between two spaces, ends the list without an error (recalled, not checked).
    ///
    /// # Errors
    /// `EINVAL` for `allow` and for a name that the release does not know; `ENOENT` where there is no such sysctl.
    pub fn parse(text: &str, kernel: Kernel) -> Result<Self, Errno> {
        if !kernel.has(Gate::KillProcess) {
            return Err(Errno::ENOENT);
        }
        let mut logged = Self([false; 8]);
        let names = text.strip_suffix('\n').unwrap_or(text).split(' ');
        for name in names.take_while(|name| !name.is_empty()) {
            let found = |action: &Action| action.name() == name && *action != Action::Allow && action.exists_in(kernel);
            let index = Action::ALL.iter().position(found).ok_or(Errno::EINVAL)?;
            if let Some(bit) = logged.0.get_mut(index) {
                *bit = true;
            }
        }
        Ok(logged)
    }

    /// Whether an action may be recorded. Unknown actions share the bit of KILL_PROCESS.
    #[must_use]
    pub fn contains(&self, action: Action) -> bool {
        let action = if action == Action::Unknown {
            Action::KillProcess
        } else {
            action
        };
        Action::ALL
            .iter()
            .zip(self.0)
            .any(|(&named, bit)| bit && named == action)
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (action, _) in Action::ALL.iter().zip(self.0).filter(|&(_, bit)| bit) {
            write!(f, "{space}{action}")?;
            space = " ";
        }
        Ok(())
    }
}

/// Whether a decision is recorded.
///
/// Before 4.14 there is neither sysctl nor flag. A kill is recorded there, and other actions of tasks that are audited
/// anyway; the latter is not modelled. Both are recalled and not checked.
pub(super) fn is_recorded(verdict: &Verdict, flag_log: bool, logged: &Logged, kernel: Kernel) -> bool {
    let asked_for = match verdict.action {
        Action::Allow => false,
        Action::Log => true,
        action => action.kills() || flag_log,
    };
    if kernel.has(Gate::KillProcess) {
        asked_for && logged.contains(verdict.action)
    } else {
        verdict.action.kills()
    }
}
