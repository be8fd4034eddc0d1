//! What C libraries and other programs do when a call fails.

use serde::Serialize;

/// What happens after a call that a filter did not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fallback {
    /// The call
    pub call: &'static str,
    /// Whether only `ENOSYS` leads to the other way; otherwise any error does
    pub only_enosys: bool,
    /// The other way
    pub then: &'static str,
    /// What happens on another error, when only `ENOSYS` leads to the other way
    pub otherwise: &'static str,
    /// Where that is written
    pub source: &'static str,
}

/// What is known of a call by name.
#[must_use]
pub fn fallback(call: &str) -> Option<&'static Fallback> {
    let own = FALLBACKS.iter().find(|fallback| fallback.call == call);
    own.or_else(|| TIME64.contains(&call).then_some(&WITH_TIME64))
}

/// Every call of which something is known, and calls that fall back in the same way.
const FALLBACKS: &[Fallback] = &[
    only(
        "clone3",
        "glibc 2.34 and later makes threads and spawns processes with clone instead",
        "pthread_create and posix_spawn fail",
        "glibc, sysdeps/unix/sysv/linux/clone-internal.c; moby#42680",
    ),
    only(
        "faccessat2",
        "glibc 2.33 and later emulates the flags with faccessat and fstatat",
        "faccessat and access with flags fail, and programs take files for missing",
        "glibc, sysdeps/unix/sysv/linux/faccessat.c",
    ),
    only(
        "statx",
        "glibc 2.28 and later fills the structure from fstatat",
        "statx fails, and programs take files for missing",
        "glibc, sysdeps/unix/sysv/linux/statx.c",
    ),
    only(
        "fchmodat2",
        "glibc 2.39 and later goes through /proc/self/fd",
        "fchmodat with AT_SYMLINK_NOFOLLOW fails",
        "glibc, sysdeps/unix/sysv/linux/fchmodat.c",
    ),
    only(
        "execveat",
        "fexecve of glibc 2.27 and later goes through /proc/self/fd",
        "fexecve fails",
        "glibc, sysdeps/unix/sysv/linux/fexecve.c",
    ),
    only(
        "preadv2",
        "glibc uses preadv when no flags are given",
        "preadv2 fails",
        "glibc, sysdeps/unix/sysv/linux/preadv2.c",
    ),
    only(
        "pwritev2",
        "glibc uses pwritev when no flags are given",
        "pwritev2 fails",
        "glibc, sysdeps/unix/sysv/linux/pwritev2.c",
    ),
    any(
        "close_range",
        "closefrom of glibc 2.34 and later closes what /proc/self/fd lists",
        "glibc, sysdeps/unix/sysv/linux/closefrom.c",
    ),
    any(
        "rseq",
        "glibc 2.35 and later goes on without restartable sequences",
        "glibc, sysdeps/unix/sysv/linux/rseq-internal.h",
    ),
    any(
        "set_robust_list",
        "glibc goes on without robust mutexes",
        "glibc, sysdeps/nptl/dl_tls_init_tp.c",
    ),
];

/// Calls with 64-bit times of 32-bit ABIs.
const TIME64: &[&str] = &[
    "clock_gettime64",
    "clock_settime64",
    "clock_adjtime64",
    "clock_getres_time64",
    "clock_nanosleep_time64",
    "timer_gettime64",
    "timer_settime64",
    "timerfd_gettime64",
    "timerfd_settime64",
    "utimensat_time64",
    "pselect6_time64",
    "ppoll_time64",
    "recvmmsg_time64",
    "mq_timedsend_time64",
    "mq_timedreceive_time64",
    "semtimedop_time64",
    "rt_sigtimedwait_time64",
    "futex_time64",
    "sched_rr_get_interval_time64",
];

const WITH_TIME64: Fallback = only(
    "*_time64",
    "musl 1.2 and glibc use the call with 32-bit times",
    "the call fails, and clocks, sleeps and locks with it",
    "musl, src/time/clock_gettime.c; Alpine 3.13 release notes (time64)",
);

const fn only(call: &'static str, then: &'static str, otherwise: &'static str, source: &'static str) -> Fallback {
    Fallback {
        call,
        only_enosys: true,
        then,
        otherwise,
        source,
    }
}

const fn any(call: &'static str, then: &'static str, source: &'static str) -> Fallback {
    Fallback {
        call,
        only_enosys: false,
        then,
        otherwise: "",
        source,
    }
}

impl Fallback {
    /// What happens after an errno, given by name.
    #[must_use]
    pub fn after(&self, errno: &str) -> String {
        if errno == "ENOSYS" || !self.only_enosys {
            self.then.to_owned()
        } else {
            format!("{}; after ENOSYS {}", self.otherwise, self.then)
        }
    }
}

#[cfg(test)]
mod tests {
    use callproof_abi::Abi;

    use super::*;

    #[test]
    fn every_call_exists() {
        let names = FALLBACKS
            .iter()
            .map(|fallback| fallback.call)
            .chain(TIME64.iter().copied());
        for name in names {
            assert!(Abi::I386.number(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_errno_decides() {
        let after = |call: &str, errno| fallback(call).map(|fallback| fallback.after(errno));
        assert!(after("clone3", "ENOSYS").is_some_and(|text| text.contains("with clone instead")));
        assert!(after("clone3", "EPERM").is_some_and(|text| text.starts_with("pthread_create and posix_spawn fail")));
        assert_eq!(after("rseq", "EPERM"), after("rseq", "ENOSYS"));
        assert!(after("futex_time64", "EPERM").is_some());
        assert_eq!(after("read", "EPERM"), None);
    }
}
