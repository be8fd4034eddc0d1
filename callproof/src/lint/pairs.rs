//! Rules about pairs of calls: what is denied by one and permitted by the other.

use callproof_abi::Abi;

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State};
use super::rules::Severity;

/// `dangerous-pair`
pub(super) fn memory(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let denylist = lens.default_state(abi)? == State::Permitted;
        let ptrace = lens.state("ptrace", abi)?;
        if !(ptrace == State::Mixed || (denylist && ptrace == State::Denied)) {
            continue;
        }
        let mut open = Vec::new();
        for name in ["process_vm_writev", "process_vm_readv", "pidfd_getfd"] {
            if lens.state(name, abi)? == State::Permitted {
                open.push(name);
            }
        }
        let Some(first) = open.first() else { continue };
        let mut shown = lens.show_open(first, abi)?;
        shown.extend(lens.show_denied("ptrace", abi)?);
        let message = format!("`ptrace` is denied on {abi}, and {} permitted", listed(&open));
        Finding::new("dangerous-pair", format!("ptrace on {abi}"), message)
            .showing(lens, &shown)
            .shown_in(found)?;
    }
    Ok(())
}

/// `terminal-injection`
pub(super) fn terminals(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    const ONES: [&str; 2] = ["ioctl(_, TIOCSTI)", "ioctl(_, TIOCLINUX)"];
    for abi in lens.abis.clone() {
        // A filter that lists the commands it permits does not speak of these two.
        if lens.state("ioctl(_, 0x7a7a7a7a)", abi)? != State::Permitted {
            continue;
        }
        for (denied, open) in [(ONES[0], ONES[1]), (ONES[1], ONES[0])] {
            if lens.state(denied, abi)?.is_restricted() && lens.state(open, abi)? == State::Permitted {
                let mut shown = lens.show_open(open, abi)?;
                shown.extend(lens.show_denied(denied, abi)?);
                let message = format!("`{denied}` is denied on {abi}, and `{open}` permitted");
                Finding::new("terminal-injection", format!("{open} on {abi}"), message)
                    .showing(lens, &shown)
                    .shown_in(found)?;
            }
        }
    }
    Ok(())
}

/// Installs a filter, beside `seccomp`.
const BY_PRCTL: &str = "prctl(PR_SET_SECCOMP)";

/// `self-lock`: of a chain, whether an older filter denies what installs a newer one; of the newest, that it ends it.
pub(super) fn lock(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    let older = lens.filters.len().saturating_sub(1);
    let filters = lens.filters.get(..older).unwrap_or_default();
    if !filters.is_empty() {
        let mut before = Lens::new(filters, lens.machine, lens.order, lens.abis.clone(), lens.limits);
        let Locks { closed, open } = locks(&mut before)?;
        // The thread may be of any ABI that is open.
        if open.is_empty() && !closed.is_empty() {
            return told(lens, &closed, Severity::Warning, found);
        }
    }
    let Locks { closed, .. } = locks(lens)?;
    told(lens, &closed, Severity::Info, found)
}

/// The ABIs that permit something: those on which no filter can be installed, and the others.
struct Locks {
    closed: Vec<Abi>,
    open: Vec<Abi>,
}

fn locks(lens: &mut Lens<'_>) -> Found<Locks> {
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    for abi in lens.abis.clone() {
        if lens.state("* except -1", abi)? == State::Denied {
            continue;
        }
        let denied = |state| state == State::Denied;
        if denied(lens.state("seccomp", abi)?) && denied(lens.state(BY_PRCTL, abi)?) {
            closed.push(abi);
        } else {
            open.push(abi);
        }
    }
    Ok(Locks { closed, open })
}

/// What an older filter denies, all filters together deny.
fn told(lens: &mut Lens<'_>, abis: &[Abi], severity: Severity, found: &mut Vec<Finding>) -> Found<()> {
    for &abi in abis {
        let mut shown = lens.show_denied("seccomp", abi)?;
        shown.extend(lens.show_denied(BY_PRCTL, abi)?);
        let message = if severity == Severity::Warning {
            format!("a filter of the chain that is not the newest denies on {abi} what installs a newer one")
        } else {
            format!("after this filter the thread can install no other on {abi}")
        };
        Finding::new("self-lock", format!("seccomp on {abi}"), message)
            .severity(severity)
            .showing(lens, &shown)
            .shown_in(found)?;
    }
    Ok(())
}
