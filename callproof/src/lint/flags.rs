//! Rules about flags that a call denies, and others that do the same.

use callproof_abi::Abi;
use callproof_verifier::Set;

use super::finding::{Finding, listed};
use super::gaps::NAMESPACES;
use super::lens::{Found, Lens, State};

/// `group-gap`: `mprotect` may not make memory executable, and `pkey_mprotect` may.
pub(super) fn executable(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    const DENIED: &str = "mprotect(prot & PROT_EXEC)";
    const OPEN: &str = "pkey_mprotect(prot & PROT_EXEC)";
    for abi in lens.abis.clone() {
        let is_meant = lens.state("mprotect", abi)? == State::Mixed && lens.state(DENIED, abi)? == State::Denied;
        if !is_meant || !lens.state(OPEN, abi)?.is_open() {
            continue;
        }
        let mut shown = lens.show_open(OPEN, abi)?;
        shown.extend(lens.show_denied(DENIED, abi)?);
        let message = format!("executable memory on {abi}: `mprotect` may not make it, and `pkey_mprotect` may");
        Finding::new("group-gap", format!("pkey_mprotect on {abi}"), message)
            .showing(lens, &shown)
            .shown_in(found)?;
    }
    Ok(())
}

/// The kind that came last to `clone`, in Linux 4.6: masks from before lack it. Any other that alone is open is meant.
const NEWEST: &str = "CLONE_NEWCGROUP";

/// How many kinds of namespaces a call has to deny for the newest one to seem forgotten.
const MOST: usize = 5;

/// `namespace-gap` within one call: one kind was forgotten, or two are denied together and each alone is not.
pub(super) fn within(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        for (call, flags) in [("clone", "clone_flags"), ("unshare", "unshare_flags")] {
            if lens.state(call, abi)? != State::Mixed {
                continue;
            }
            let with = |flag: &str| format!("{call}({flags} & {flag})");
            let (mut open, mut closed) = (Vec::new(), Vec::new());
            for flag in NAMESPACES {
                match lens.state(&with(flag), abi)? {
                    State::Denied => closed.push(*flag),
                    State::Mixed | State::Permitted => open.push(*flag),
                    State::Absent => {}
                }
            }
            let told = match open.as_slice() {
                [one] if *one == NEWEST && closed.len() >= MOST => {
                    let denied = lens.calls(&with(closed.first().copied().unwrap_or_default()), abi)?;
                    let message = format!("`{call}` on {abi} denies each kind of new namespace but one: {one}");
                    Some((message, with(one), denied))
                }
                _ => together(lens, abi, (call, flags), &open)?,
            };
            let Some((message, open, denied)) = told else { continue };
            let mut shown = lens.show_open(&open, abi)?;
            shown.extend(lens.show(denied)?);
            Finding::new("namespace-gap", format!("{call} alone on {abi}"), message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// Two flags that are denied together and not alone: in words, as the calls that are open, as those that are denied.
fn together(
    lens: &mut Lens<'_>,
    abi: Abi,
    (call, flags): (&str, &str),
    open: &[&str],
) -> Found<Option<(String, String, Set)>> {
    let with = |flag: &str| format!("{call}({flags} & {flag})");
    for (at, one) in open.iter().enumerate() {
        for other in open.iter().skip(at).skip(1) {
            let (first, second) = (lens.calls(&with(one), abi)?, lens.calls(&with(other), abi)?);
            let both = lens.session.space().and(first, second)?;
            if lens.state_of(both)? == State::Denied {
                let names = listed(&[one, other]);
                let message = format!("`{call}` on {abi} denies only together what it permits alone: {names}");
                return Ok(Some((message, with(one), both)));
            }
        }
    }
    Ok(None)
}
