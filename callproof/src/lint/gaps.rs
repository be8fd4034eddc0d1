//! Rules about calls that do the same as others which are denied.

use callproof_abi::Abi;

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State};

/// Calls that come to the same.
pub(super) struct Group {
    pub(super) name: &'static str,
    /// The calls that show by being denied what is meant
    pub(super) known: &'static [&'static str],
    /// The calls that do the same
    pub(super) also: &'static [&'static str],
}

/// Groups in which `also` is open when every call of `known` that the ABI has is denied, in part at least.
pub(super) const GROUPS: &[Group] = &[
    Group {
        name: "mounting",
        known: &["mount"],
        also: &[
            "move_mount",
            "open_tree",
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "mount_setattr",
            "open_tree_attr",
        ],
    },
    Group {
        name: "mounting",
        known: &["move_mount", "open_tree", "fsopen", "fsconfig", "fsmount"],
        also: &["mount"],
    },
    Group {
        name: "executing",
        known: &["execve"],
        also: &["execveat"],
    },
    Group {
        name: "loading modules",
        known: &["init_module"],
        also: &["finit_module"],
    },
    Group {
        name: "loading modules",
        known: &["finit_module"],
        also: &["init_module"],
    },
    Group {
        name: "loading another kernel",
        known: &["kexec_load"],
        also: &["kexec_file_load"],
    },
    Group {
        name: "keyrings",
        known: &["keyctl"],
        also: &["add_key", "request_key"],
    },
    Group {
        name: "keyrings",
        known: &["add_key", "request_key"],
        also: &["keyctl"],
    },
    Group {
        name: "changing modes",
        known: &["chmod", "fchmod", "fchmodat"],
        also: &["fchmodat2"],
    },
    Group {
        name: "changing owners",
        known: &["chown", "lchown", "fchown"],
        also: &["fchownat"],
    },
    Group {
        name: "opening files",
        known: &["open", "openat"],
        also: &["openat2"],
    },
    Group {
        name: "making device files",
        known: &["mknod"],
        also: &["mknodat"],
    },
    Group {
        name: "setting the clock",
        known: &["settimeofday", "clock_settime"],
        also: &["adjtimex", "clock_adjtime"],
    },
    Group {
        name: "new processes",
        known: &["fork", "vfork", "clone"],
        also: &["clone3"],
    },
    Group {
        name: "extended attributes",
        known: &["setxattr", "lsetxattr", "fsetxattr"],
        also: &["setxattrat"],
    },
];

/// `group-gap`
pub(super) fn groups(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let denylist = lens.default_state(abi)? == State::Permitted;
        for group in GROUPS {
            if !is_meant(lens, group.known, abi, denylist)? {
                continue;
            }
            let mut open = Vec::new();
            for name in group.also {
                if lens.state(name, abi)? == State::Permitted {
                    open.push(*name);
                }
            }
            let known = present(group.known, abi);
            let (Some(first), Some(denied)) = (open.first(), known.first()) else {
                continue;
            };
            let message = format!(
                "{} on {abi}: {} denied, in part at least, and {} permitted",
                group.name,
                listed(&known),
                listed(&open)
            );
            let mut shown = lens.show_open(first, abi)?;
            shown.extend(lens.show_denied(denied, abi)?);
            Finding::new("group-gap", format!("{} on {abi}", listed(&open)), message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

fn present<'n>(names: &[&'n str], abi: Abi) -> Vec<&'n str> {
    let has = |name: &&str| abi.syscall_named(name).is_ok();
    names.iter().copied().filter(has).collect()
}

/// Whether all calls that the ABI has are denied on purpose: by a list of what is denied, or, where only what is listed
/// is permitted, by conditions on arguments.
fn is_meant(lens: &mut Lens<'_>, names: &[&str], abi: Abi, denylist: bool) -> Found<bool> {
    let mut any = false;
    for name in names {
        match lens.state(name, abi)? {
            State::Absent => {}
            State::Denied if denylist => any = true,
            State::Mixed => any = true,
            State::Denied => {}
            State::Permitted => return Ok(false),
        }
    }
    Ok(any)
}

/// Kinds of namespaces, by the flag that makes one.
pub(super) const NAMESPACES: &[&str] = &[
    "CLONE_NEWUSER",
    "CLONE_NEWNS",
    "CLONE_NEWNET",
    "CLONE_NEWPID",
    "CLONE_NEWIPC",
    "CLONE_NEWUTS",
    "CLONE_NEWCGROUP",
];

/// `namespace-gap`
pub(super) fn namespaces(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let denylist = lens.default_state(abi)? == State::Permitted;
        let clone3 = lens.state("clone3", abi)?.is_open();
        let (clone, unshare) = (lens.state("clone", abi)?, lens.state("unshare", abi)?);
        let mut gaps: Vec<(&str, &str, String, String)> = Vec::new();
        for flag in NAMESPACES {
            let by_clone = format!("clone(clone_flags & {flag})");
            let by_unshare = format!("unshare(unshare_flags & {flag})");
            let closed_clone = clone == State::Mixed && lens.state(&by_clone, abi)? == State::Denied;
            let meant_unshare = unshare == State::Mixed || (denylist && unshare == State::Denied);
            let closed_unshare = meant_unshare && lens.state(&by_unshare, abi)? == State::Denied;
            let only = |call: &str| format!("{call}({call}_flags & {flag})");
            if closed_clone && lens.state(&by_unshare, abi)?.is_open() {
                gaps.push((flag, "unshare", only("unshare"), by_clone.clone()));
            }
            if closed_unshare && lens.state(&by_clone, abi)?.is_open() {
                gaps.push((flag, "clone", only("clone"), by_unshare.clone()));
            }
            if clone3 && (closed_clone || closed_unshare) {
                let closed = if closed_clone { by_clone } else { by_unshare };
                gaps.push((flag, "clone3", "clone3".to_owned(), closed));
            }
        }
        for call in ["clone3", "unshare", "clone"] {
            let of_call: Vec<_> = gaps.iter().filter(|(_, open, ..)| *open == call).collect();
            let Some((_, _, open, closed)) = of_call.first() else {
                continue;
            };
            let flags: Vec<&str> = of_call.iter().map(|(flag, ..)| *flag).collect();
            let mut shown = lens.show_open(open, abi)?;
            shown.extend(lens.show_denied(closed, abi)?);
            let message = format!(
                "new namespaces are denied on {abi}, and `{call}` can make them: {}",
                listed(&flags)
            );
            Finding::new("namespace-gap", format!("{call} on {abi}"), message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// Calls whose work an io_uring can do, by the operation that does it.
pub(super) const BY_URING: &[&str] = &[
    "socket",
    "connect",
    "accept4",
    "sendmsg",
    "openat",
    "unlinkat",
    "renameat2",
    "mkdirat",
    "linkat",
    "symlinkat",
    "sendto",
];

/// `io-uring-open`
pub(super) fn io_uring(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let denylist = lens.default_state(abi)? == State::Permitted;
        let usable = lens.state("io_uring_setup", abi)?.is_open() && lens.state("io_uring_enter", abi)?.is_open();
        if !usable {
            continue;
        }
        let mut denied = Vec::new();
        for name in BY_URING {
            let state = lens.state(name, abi)?;
            if state == State::Mixed || (denylist && state == State::Denied) {
                denied.push(*name);
            }
        }
        let Some(first) = denied.first() else { continue };
        let mut shown = lens.show_open("io_uring_setup", abi)?;
        shown.extend(lens.show_denied(first, abi)?);
        let message = format!(
            "denied on {abi}, in part at least, and within reach of an io_uring: {}",
            listed(&denied)
        );
        Finding::new("io-uring-open", format!("io_uring on {abi}"), message)
            .showing(lens, &shown)
            .shown_in(found)?;
    }
    Ok(())
}
