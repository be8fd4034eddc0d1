//! Rules about numbers that the filter does not know, and about calls that the C library can do without.

use callproof_abi::{Abi, errno_number};
use callproof_verifier::{Set, Verdicts};
use callproof_vm::Action;

use super::abis::is_second;
use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State};
use super::rules::Severity;

/// A newer call, the older one that the C library makes instead after ENOSYS, and who does so.
///
/// glibc: `clone3` in `__clone_internal` (2.34), `faccessat2` in `faccessat` (2.33), `fchmodat2` in `fchmodat` (2.39),
/// `statx` in `statx` (2.28), `preadv2` and `pwritev2` (2.26), and calls with 64-bit times on 32-bit ABIs (2.31 to 2.34).
pub(super) const FALLBACKS: &[(&str, &[&str])] = &[
    ("clone3", &["clone"]),
    ("faccessat2", &["faccessat"]),
    ("fchmodat2", &["fchmodat"]),
    ("statx", &["newfstatat", "fstatat64", "fstatat", "stat64", "stat"]),
    ("preadv2", &["preadv"]),
    ("pwritev2", &["pwritev"]),
    ("clock_gettime64", &["clock_gettime"]),
    ("clock_getres_time64", &["clock_getres"]),
    ("clock_nanosleep_time64", &["clock_nanosleep"]),
    ("futex_time64", &["futex"]),
    ("ppoll_time64", &["ppoll"]),
    ("pselect6_time64", &["pselect6"]),
    ("recvmmsg_time64", &["recvmmsg"]),
    ("rt_sigtimedwait_time64", &["rt_sigtimedwait"]),
    ("semtimedop_time64", &["semtimedop"]),
    ("timer_settime64", &["timer_settime"]),
    ("timer_gettime64", &["timer_gettime"]),
    ("timerfd_settime64", &["timerfd_settime"]),
    ("timerfd_gettime64", &["timerfd_gettime"]),
    ("utimensat_time64", &["utimensat"]),
    ("mq_timedsend_time64", &["mq_timedsend"]),
    ("mq_timedreceive_time64", &["mq_timedreceive"]),
    ("sched_rr_get_interval_time64", &["sched_rr_get_interval"]),
];

/// `unknown-allowed`, `unknown-errno`
pub(super) fn unknown(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let all = lens.state("*", abi)?;
        if all != State::Mixed {
            continue;
        }
        let calls = lens.unknown(abi)?;
        let subject = format!("unknown numbers on {abi}");
        match lens.state_of(calls)? {
            State::Permitted => {
                let shown = lens.show(calls)?;
                let message =
                    format!("every number that is no call of {abi} is permitted: it is a list of what is denied");
                Finding::new("unknown-allowed", subject, message)
                    .severity(Severity::Info)
                    .showing(lens, &shown)
                    .shown_in(found)?;
            }
            State::Mixed => {
                let open = lens.open(calls)?;
                let shown = lens.show(open)?;
                let message = format!("some numbers that are no call of {abi} are permitted, and others are denied");
                Finding::new("unknown-allowed", subject, message)
                    .showing(lens, &shown)
                    .shown_in(found)?;
            }
            State::Denied => {
                let wrong = other_errors(lens, calls, abi)?;
                let shown = lens.show(wrong)?;
                let message = format!("a number that is no call of {abi} gets an error that is not ENOSYS");
                Finding::new("unknown-errno", subject, message)
                    .showing(lens, &shown)
                    .shown_in(found)?;
            }
            State::Absent => {}
        }
    }
    Ok(())
}

/// `errno-fallback`
pub(super) fn fallbacks(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let (mut names, mut witnesses) = (Vec::new(), Vec::new());
        for (newer, older) in FALLBACKS {
            if lens.state(newer, abi)? != State::Denied || !any_open(lens, older, abi)? {
                continue;
            }
            let calls = lens.calls(newer, abi)?;
            let wrong = other_errors(lens, calls, abi)?;
            if wrong.is_empty() {
                continue;
            }
            names.push(*newer);
            if witnesses.is_empty() {
                witnesses = lens.show(wrong)?;
            }
        }
        let message = format!(
            "{} on {abi}: the C library falls back to an older call, which is permitted, only for ENOSYS",
            listed(&names)
        );
        // Beside a larger ABI an ABI is there for old programs, whose libraries do not know the newer calls.
        let severity = if is_second(lens, abi) {
            Severity::Info
        } else {
            Severity::Warning
        };
        Finding::new("errno-fallback", format!("fallbacks on {abi}"), message)
            .severity(severity)
            .showing(lens, &witnesses)
            .shown_in(found)?;
    }
    Ok(())
}

fn any_open(lens: &mut Lens<'_>, names: &[&str], abi: Abi) -> Found<bool> {
    for name in names {
        if lens.state(name, abi)?.is_open() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Those of the calls that get an error which is not ENOSYS. Number 0 is no error: the call seems to succeed.
fn other_errors(lens: &mut Lens<'_>, calls: Set, abi: Abi) -> Found<Set> {
    let errors = lens.acting(Action::Errno)?;
    let number = errno_number(abi, "ENOSYS").unwrap_or(38);
    let value = Action::Errno.value().unwrap_or_default() | number;
    let right = lens.with(&Verdicts::value(value))?;
    let none = lens.with(&Verdicts::value(Action::Errno.value().unwrap_or_default()))?;
    let space = lens.session.space();
    let wrong = space.minus(errors, right)?;
    let wrong = space.minus(wrong, none)?;
    Ok(space.and(calls, wrong)?)
}

#[cfg(test)]
mod tests {
    use super::FALLBACKS;
    use crate::observed::fallback;

    /// What `lint` warns of is what `why` tells.
    #[test]
    fn every_fallback_is_one_for_enosys_alone() {
        for (newer, _) in FALLBACKS {
            assert!(fallback(newer).is_some_and(|known| known.only_enosys), "{newer}");
        }
    }
}
