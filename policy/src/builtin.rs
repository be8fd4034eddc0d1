//! Sets of calls that need no definition.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use callproof_abi::Abi;

use crate::sets::Member;
use crate::span::Span;

/// Name, members, and what puts them together: sections of the Linux manual.
///
/// `time64` and `new-since(X.Y)` are not here: they are made from the releases in callproof's tables.
pub const BUILT_IN_SETS: &[(&str, &[&str], &str)] = &[
    ("bpf", &["bpf"], "bpf(2)"),
    (
        "clock",
        &[
            "adjtimex",
            "clock_adjtime",
            "clock_adjtime64",
            "clock_settime",
            "clock_settime64",
            "settimeofday",
            "stime",
        ],
        "capabilities(7), CAP_SYS_TIME: what sets the clock",
    ),
    (
        "handle",
        &["name_to_handle_at", "open_by_handle_at"],
        "open_by_handle_at(2)",
    ),
    (
        "io_uring",
        &["io_uring_enter", "io_uring_register", "io_uring_setup"],
        "io_uring(7)",
    ),
    (
        "kexec",
        &["kexec_file_load", "kexec_load", "reboot"],
        "kexec_load(2), reboot(2)",
    ),
    ("keyring", &["add_key", "keyctl", "request_key"], "keyrings(7)"),
    (
        "module",
        &[
            "create_module",
            "delete_module",
            "finit_module",
            "get_kernel_syms",
            "init_module",
            "query_module",
        ],
        "init_module(2), and unimplemented(2) for those of old kernels",
    ),
    (
        "mount",
        &[
            "chroot",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "pivot_root",
            "umount",
            "umount2",
        ],
        "mount(2), umount(2), pivot_root(2), chroot(2), fsopen(2) and the calls that take its descriptors",
    ),
    (
        "network",
        &[
            "accept",
            "accept4",
            "bind",
            "connect",
            "getpeername",
            "getsockname",
            "getsockopt",
            "listen",
            "recv",
            "recvfrom",
            "recvmmsg",
            "recvmmsg_time64",
            "recvmsg",
            "send",
            "sendmmsg",
            "sendmsg",
            "sendto",
            "setsockopt",
            "shutdown",
            "socket",
            "socketcall",
            "socketpair",
        ],
        "socket(2), socketcall(2)",
    ),
    ("perf", &["perf_event_open"], "perf_event_open(2)"),
    (
        "ptrace",
        &["kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev", "ptrace"],
        "ptrace(2), \"Ptrace access mode checking\": calls that read or change another process",
    ),
    (
        "raw-io",
        &[
            "ioperm",
            "iopl",
            "pciconfig_iobase",
            "pciconfig_read",
            "pciconfig_write",
            "s390_pci_mmio_read",
            "s390_pci_mmio_write",
        ],
        "capabilities(7), CAP_SYS_RAWIO: ports and devices past the drivers",
    ),
    ("swap", &["swapoff", "swapon"], "swapon(2)"),
];

/// The release that gave 32-bit ABIs calls with 64-bit times.
const TIME64: (u16, u16) = (5, 1);

#[derive(Default)]
struct Known {
    named: BTreeMap<&'static str, Vec<Member>>,
    /// By release: the calls that came with it or later
    since: BTreeMap<(u16, u16), Vec<Member>>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let listed = BUILT_IN_SETS
            .iter()
            .map(|(name, calls, _)| (*name, calls.iter().copied().map(word).collect()));
        let mut named: BTreeMap<_, _> = listed.collect();
        let releases = releases();
        let time64 = releases
            .iter()
            .filter(|(name, since)| **since == TIME64 && name.ends_with("64") && Abi::I386.syscall_named(name).is_ok());
        named.insert("time64", time64.map(|(name, _)| word(name)).collect());
        let since = releases.values().map(|since| {
            let later = releases.iter().filter(move |(_, of)| *of >= since);
            (*since, later.map(|(name, _)| word(name)).collect())
        });
        let since = since.collect();
        Known { named, since }
    })
}

/// The release of every call that has a known one.
fn releases() -> BTreeMap<&'static str, (u16, u16)> {
    let calls = Abi::ALL.iter().flat_map(|abi| abi.syscalls());
    calls.filter_map(|call| Some((call.name, call.since()?))).collect()
}

fn word(name: &'static str) -> Member {
    Member::Word(name.to_owned(), Span::default())
}

/// The members of a built-in set.
pub(crate) fn members(name: &str) -> Option<&'static [Member]> {
    if let Some(found) = known().named.get(name) {
        return Some(found);
    }
    let release = name.strip_prefix("new-since(")?.strip_suffix(')')?;
    let (major, minor) = release.split_once('.')?;
    let release = (major.trim().parse().ok()?, minor.trim().parse().ok()?);
    let first = known().since.range(release..).next();
    Some(first.map_or(&[], |(_, members)| members))
}

/// What to do about a name that is nearly one of a built-in set with a parameter.
pub(crate) fn misuse(name: &str) -> Option<&'static str> {
    name.starts_with("new-since")
        .then_some("name a release: `@new-since(6.6)` is the calls that came with Linux 6.6 or later")
}

/// The names of the built-in sets without a parameter.
pub(crate) fn names<'n>() -> impl Iterator<Item = &'n str> {
    known().named.keys().map(|name| &**name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        let word = |member: &Member| match member {
            Member::Word(word, _) => word.clone(),
            other => panic!("{other:?}"),
        };
        members(name).unwrap().iter().map(word).collect()
    }

    #[test]
    fn every_member_is_a_call_of_some_abi() {
        for name in names() {
            assert!(!words(name).is_empty(), "{name}");
            for call in words(name) {
                let has = |abi: &&Abi| abi.syscall_named(&call).is_ok();
                assert!(Abi::ALL.iter().any(|abi| has(&abi)), "{name}: {call}");
            }
        }
    }

    #[test]
    fn releases_make_sets() {
        let time64 = words("time64");
        assert!(time64.contains(&"clock_gettime64".to_owned()) && time64.contains(&"futex_time64".to_owned()));
        assert_eq!(time64.len(), 20, "{time64:?}");
        let new = words("new-since(6.6)");
        assert!(
            new.contains(&"fchmodat2".to_owned()) && new.contains(&"mseal".to_owned()),
            "{new:?}"
        );
        assert!(!new.contains(&"clone3".to_owned()) && !new.contains(&"read".to_owned()));
        assert!(words("new-since(5.3)").contains(&"clone3".to_owned()));
        assert!(!words("new-since(5.4)").contains(&"clone3".to_owned()));
        assert_eq!(words("new-since(99.0)"), Vec::<String>::new());
        for wrong in [
            "new-since",
            "new-since()",
            "new-since(6)",
            "new-since(x.y)",
            "new-since(6.6",
            "nothing",
        ] {
            assert_eq!(members(wrong), None, "{wrong}");
        }
    }
}
