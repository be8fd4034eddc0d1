//! Names looked up, and what was meant when there is no such name.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use callproof_abi::{Abi, constant, errno_number};

/// Longest name that is looked up; the longest real one has half as many bytes.
pub(crate) const LONGEST: usize = 64;

/// `; did you mean ...?` with the nearest of the known names, or nothing when none is near.
pub(crate) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    if name.len() > LONGEST {
        return String::new();
    }
    let limit = (name.len() / 3).clamp(1, 4);
    let near = known.filter(|known| known.len().abs_diff(name.len()) <= limit);
    let distances = near.map(|known| (strsim::osa_distance(name, known), known));
    let best = distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, known)| (*distance, !known.starts_with(name)));
    best.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

/// What is said of a call that no ABI has; `None` when one has it.
pub(crate) fn nowhere(call: &str) -> Option<String> {
    // Whichever ABI is asked, the error says who else has the call.
    let error = Abi::X86_64.syscall_named(call).err()?;
    if error.known_on().next().is_some() {
        return None;
    }
    let near = did_you_mean(call, all_calls().iter().copied());
    Some(format!("unknown system call `{}`{near}", shortened(call)))
}

/// The name of every call of any ABI.
pub(crate) fn all_calls() -> &'static BTreeSet<&'static str> {
    static NAMES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        Abi::ALL
            .iter()
            .flat_map(|abi| abi.syscalls())
            .map(|call| call.name)
            .collect()
    })
}

/// The value of a constant.
pub(crate) fn constant_value(name: &str, abi: Abi) -> Result<u64, String> {
    constant(abi, name).map_err(|error| {
        let elsewhere = error.known_on().next().is_some();
        let known = error.suggestions();
        let what = if elsewhere { "no constant" } else { "unknown constant" };
        format!("{what} `{}`{}", shortened(name), did_you_mean(name, known))
    })
}

/// The number of an error; without an ABI that of `asm-generic`.
pub(crate) fn errno(name: &str, abi: Option<Abi>) -> Result<u16, String> {
    let number = errno_number(abi.unwrap_or(Abi::X86_64), name);
    let number = number.map_err(|error| {
        let near = did_you_mean(name, error.suggestions());
        format!("unknown error name `{}`{near}", shortened(name))
    })?;
    u16::try_from(number).map_err(|_| format!("`{name}` is {number}, which no filter can return"))
}

/// Whether a name fits a pattern in which `*` stands for any letters.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    // Taking each middle part where it first occurs leaves the most for the parts behind it.
    let left = parts
        .iter()
        .try_fold(rest, |rest, part| rest.split_once(part).map(|(_, rest)| rest));
    left.is_some_and(|left| left.ends_with(last))
}

/// A name as a message shows it.
pub(crate) fn shortened(name: &str) -> String {
    let cut: String = name.chars().take(LONGEST).collect();
    if cut.len() < name.len() {
        format!("{cut}...")
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_letters() {
        for (pattern, name, expected) in [
            ("read", "read", true),
            ("read", "readv", false),
            ("read*", "read", true),
            ("*at", "openat", true),
            ("*at", "at2", false),
            ("p*v*", "pwritev2", true),
            ("p*v2*v2", "pwritev2", false),
            ("*", "x", true),
            ("a*a", "a", false),
            ("**", "ab", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn unknown_names_get_a_suggestion() {
        assert_eq!(nowhere("openat"), None);
        assert_eq!(
            nowhere("opneat").unwrap(),
            "unknown system call `opneat`; did you mean `openat`?"
        );
        assert!(nowhere(&"x".repeat(1000)).unwrap().len() < 100);
        assert_eq!(did_you_mean("zzzzzzzz", ["allow"].into_iter()), "");
    }
}
