//! Names of what is said beside a policy: whose reading, and which capabilities.

use super::Runtime;

/// Every capability, by its bit (capabilities(7), `linux/capability.h` of Linux 6.18).
pub const CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A capability by its name, in any case.
///
/// # Errors
/// When there is none; the message has the nearest.
pub fn capability(name: &str) -> Result<&'static str, String> {
    let same = |known: &&&str| known.eq_ignore_ascii_case(name);
    CAPABILITIES.iter().find(same).copied().ok_or_else(|| {
        let shown = crate::text::shown(name);
        let whole = format!("CAP_{name}");
        let known = || CAPABILITIES.iter().copied();
        match crate::text::nearest(name, known()).or_else(|| crate::text::nearest(&whole, known())) {
            Some(near) => format!("no capability is called `{shown}`; did you mean `{near}`?"),
            None => format!("no capability is called `{shown}`; names are those of capabilities(7), `CAP_SYS_ADMIN`"),
        }
    })
}

impl Runtime {
    /// Every reading.
    pub const ALL: &'static [Self] = &[Self::Spec, Self::Runc, Self::Crun, Self::Firecracker];

    /// The name on the command line and in case files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Firecracker => "firecracker",
        }
    }
}

impl core::str::FromStr for Runtime {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        const NAMES: &str = "runtimes are spec, runc, crun and firecracker";
        let same = |runtime: &&Self| runtime.name() == name;
        Self::ALL.iter().find(same).copied().ok_or_else(|| {
            let shown = crate::text::shown(name);
            match crate::text::nearest(name, Self::ALL.iter().map(|runtime| runtime.name())) {
                Some(near) => format!("no runtime is called `{shown}`; did you mean `{near}`? {NAMES}"),
                None => format!("no runtime is called `{shown}`; {NAMES}"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernel_and_of_the_runtimes() {
        assert_eq!(CAPABILITIES.len(), 41);
        assert_eq!(CAPABILITIES.get(21), Some(&"CAP_SYS_ADMIN"));
        assert_eq!(capability("cap_kill"), Ok("CAP_KILL"));
        for (wrong, near) in [
            ("CAP_SYS_ADMN", "`CAP_SYS_ADMIN`"),
            ("SYS_PTRACE", "`CAP_SYS_PTRACE`"),
            ("root", "capabilities(7)"),
        ] {
            assert!(capability(wrong).unwrap_err().contains(near), "{wrong}");
        }
        for runtime in Runtime::ALL {
            assert_eq!(runtime.name().parse(), Ok(*runtime));
        }
        assert!("run".parse::<Runtime>().unwrap_err().contains("`runc`"));
    }
}
