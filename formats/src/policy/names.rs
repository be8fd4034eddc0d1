//! Which ABI has a call of exactly this name.
//!
//! The tables of other tools know no other names for a call, so a name that [`Abi::syscall_named`] takes for another
//! is none of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use callproof_abi::{Abi, constant, errno_name, errno_number, signal_number};
use callproof_policy::{Answer, Data};
use callproof_vm::Action;

/// Each name with the places of its ABIs in [`Abi::ALL`], one bit each.
fn table() -> &'static BTreeMap<&'static str, u64> {
    static TABLE: OnceLock<BTreeMap<&'static str, u64>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = BTreeMap::new();
        for (place, abi) in Abi::ALL.iter().enumerate() {
            for call in abi.syscalls() {
                *table.entry(call.name).or_default() |= 1_u64 << place;
            }
        }
        table
    })
}

/// Whether the ABI has the call.
pub(super) fn has(abi: Abi, name: &str) -> bool {
    let bits = table().get(name).copied().unwrap_or_default();
    let place = Abi::ALL.iter().position(|other| *other == abi);
    place.is_some_and(|place| bits & (1_u64 << place) != 0)
}

/// Whether some ABI has the call.
pub(super) fn known(name: &str) -> bool {
    table().contains_key(name)
}

/// The names of all calls of an ABI.
pub(super) fn calls(abi: Abi) -> impl Iterator<Item = &'static str> + Clone {
    table().keys().copied().filter(move |name| has(abi, name))
}

/// The names of all calls.
pub(super) fn all() -> impl Iterator<Item = &'static str> + Clone {
    table().keys().copied()
}

/// The names of all constants of an ABI.
pub(super) fn constants(abi: Abi) -> impl Iterator<Item = &'static str> + Clone {
    // Named once, so that the iterator can be taken twice.
    let names: Vec<&'static str> = callproof_abi::constants(abi).map(|(name, _)| name).collect();
    names.into_iter()
}

/// Every name of a constant on any ABI.
fn constant_names() -> &'static BTreeSet<&'static str> {
    static NAMES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let of = |abi: &Abi| callproof_abi::constants(*abi).map(|(name, _)| name);
        Abi::ALL.iter().flat_map(of).collect()
    })
}

/// The value of a constant, an error or a signal on an ABI.
pub(super) fn value(abi: Abi, name: &str) -> Option<u64> {
    // To look up a name that does not exist costs a search for the nearest one: only one table is asked.
    if constant_names().contains(name) {
        return constant(abi, name).ok();
    }
    let number = match name.get(..1) {
        Some("E") => errno_number(abi, name),
        Some("S") => signal_number(abi, name),
        _ => return None,
    };
    number.ok().map(u64::from)
}

/// Returning an error: by name, where it means the same number on all these ABIs.
pub(super) fn errno(number: u16, abis: &[Abi]) -> Answer {
    let number32 = u32::from(number);
    let name = abis.first().and_then(|abi| errno_name(*abi, number32));
    let same = |name: &&str| abis.iter().all(|abi| errno_number(*abi, name) == Ok(number32));
    match name.filter(same) {
        Some(name) => Answer::errno(name),
        None => with(Action::Errno, number),
    }
}

/// An action with data.
pub(super) fn with(action: Action, data: u16) -> Answer {
    let mut answer = Answer::new(action);
    answer.data = Data::Number(data);
    answer
}
