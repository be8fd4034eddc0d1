//! `multiplexed-open`: calls that `socketcall` and `ipc` carry.

use callproof_abi::{Abi, multiplexed};

use super::finding::{Finding, listed};
use super::lens::{Found, Lens, State};

/// The call of a carrier by which the intent is told: what opens the door to the others.
const CARRIERS: &[(&str, &[&str])] = &[
    ("socketcall", &["socket", "socketpair"]),
    ("ipc", &["shmget", "msgget", "semget"]),
];

pub(super) fn carriers(lens: &mut Lens<'_>, found: &mut Vec<Finding>) -> Found<()> {
    for abi in lens.abis.clone() {
        let denylist = lens.default_state(abi)? == State::Permitted;
        for (carrier, carried) in CARRIERS {
            let mut open = Vec::new();
            for name in *carried {
                let number = multiplexed(abi, carrier).iter().find(|(_, known)| known == name);
                let Some((number, _)) = number else { continue };
                if !is_denied(lens, name, abi, denylist)? {
                    continue;
                }
                if lens.state(&pattern(carrier, *number), abi)?.is_open() {
                    open.push((*name, *number));
                }
            }
            let Some((first, number)) = open.first().copied() else {
                continue;
            };
            let names: Vec<&str> = open.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "`{carrier}` on {abi} permits what is denied, in part at least, as a call of its own: {}",
                listed(&names)
            );
            let mut shown = lens.show_open(&pattern(carrier, number), abi)?;
            shown.extend(lens.show_denied(first, abi)?);
            Finding::new("multiplexed-open", format!("{carrier} on {abi}"), message)
                .showing(lens, &shown)
                .shown_in(found)?;
        }
    }
    Ok(())
}

/// `ipc` takes its sub-number from the low 16 bits of the argument.
fn pattern(carrier: &str, number: u32) -> String {
    if carrier == "ipc" {
        format!("ipc(& 0xffff == {number})")
    } else {
        format!("{carrier}({number})")
    }
}

/// Whether the call of its own is denied on purpose, on the ABI or on the native one beside it.
fn is_denied(lens: &mut Lens<'_>, name: &str, abi: Abi, denylist: bool) -> Found<bool> {
    let own = lens.state(name, abi)?;
    if own == State::Mixed || (denylist && own == State::Denied) {
        return Ok(true);
    }
    for &native in abi.partners() {
        if lens.abis.contains(&native) && native.pointer_bits() == 64 && lens.state(name, native)? == State::Mixed {
            return Ok(true);
        }
    }
    Ok(false)
}
