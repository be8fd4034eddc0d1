//! `RestrictAddressFamilies=`.

use std::collections::BTreeSet;

use callproof_abi::{Abi, constant, constants};
use callproof_policy::predicate::{Cond, Relation, View};
use callproof_policy::{Answer, Policy, Selector, Span};

use super::{Unit, allowing};
use crate::policy::parts::{ENOUGH, call, rule, test};

/// ABIs that make sockets through `socketcall` as well are left alone: a filter does not see the family there.
const RESTRICTED: &[Abi] = &[
    Abi::X86_64,
    Abi::X32,
    Abi::Arm,
    Abi::Aarch64,
    Abi::MipselN32,
    Abi::MipsN32,
    Abi::Mips64el,
    Abi::Mips64,
    Abi::Riscv64,
];

/// One policy for each ABI that can be restricted.
pub(super) fn restrict(unit: &mut Unit, key: &str) -> Vec<Policy> {
    let Some((allow, families)) = families(unit, key) else {
        return Vec::new();
    };
    let error = Answer::errno("EAFNOSUPPORT");
    let of = |abi: &Abi| {
        let relation = if allow { Relation::Ne } else { Relation::Eq };
        let view = whole(*abi);
        let tests = families
            .iter()
            .map(|family| test(0, view, None, relation, *family, Span::default()));
        let tests: Vec<Cond> = tests.collect();
        let condition = match (allow, tests.is_empty()) {
            (true, true) => None,
            (true, false) => Some(Cond::All(tests)),
            (false, _) => Some(Cond::Either(tests)),
        };
        let socket = call(Selector::Name("socket".to_owned()), condition, Span::default());
        allowing(vec![rule(socket, &[*abi], error.clone())])
    };
    let abis = unit.abis.iter().filter(|abi| RESTRICTED.contains(abi));
    abis.map(of).collect()
}

/// The bits that libseccomp compares: all, or the low half on ABIs that it takes for 32-bit ones.
pub(super) fn whole(abi: Abi) -> View {
    let narrow = [Abi::X32, Abi::MipsN32, Abi::MipselN32];
    if abi.register_bits() == 64 && !narrow.contains(&abi) {
        View::Raw
    } else {
        View::Lo
    }
}

/// Whether families are allowed or denied, and which.
fn families(unit: &mut Unit, key: &str) -> Option<(bool, BTreeSet<u64>)> {
    let mut found: Option<(bool, BTreeSet<u64>)> = None;
    let native = unit.abis.last().copied().unwrap_or(Abi::X86_64);
    for mut words in unit.lines(key) {
        let Some(first) = words.first_mut() else {
            found = None;
            continue;
        };
        if first.text == "none" {
            found = Some((true, BTreeSet::new()));
            continue;
        }
        let inverted = first.text.starts_with('~');
        first.text = first.text.trim_start_matches('~').to_owned();
        let (allow, families) = found.get_or_insert((!inverted, BTreeSet::new()));
        for word in words.iter().filter(|word| !word.text.is_empty()) {
            if unit.problems.len() >= ENOUGH {
                return None;
            }
            let value = constant(native, &word.text)
                .ok()
                .filter(|_| word.text.starts_with("AF_"));
            match value {
                None => {
                    let known = constants(native)
                        .map(|(name, _)| name)
                        .filter(|name| name.starts_with("AF_"));
                    let known: Vec<&str> = known.collect();
                    unit.unknown(word, "no address family", known.into_iter());
                }
                // An allow list begins at 1: `AF_UNSPEC` makes no sockets.
                Some(0) if *allow => {}
                Some(family) if inverted != *allow => drop(families.insert(family)),
                Some(family) => drop(families.remove(&family)),
            }
        }
    }
    found.filter(|(allow, families)| *allow || !families.is_empty())
}
