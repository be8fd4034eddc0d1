//! Calls that show something, for people and programs.

use callproof_abi::{Abi, constants, errno_name};
use callproof_formats::call;
use callproof_verifier::Shown;
use callproof_vm::{Chain, SeccompData};
use serde::Serialize;

use super::live::Live;
use crate::call::Call;
use crate::commands::decide::{Decision, Request, decide};
use crate::error::Result;
use crate::settings::{Settings, host_abi};

/// A call, and what it gets.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Witness {
    /// The call in words; `callproof eval` reads it
    pub(crate) call: String,
    /// What decides: a name of a filter, of a chain or of a policy
    pub(crate) of: String,
    /// The verdict in one word
    pub(crate) verdict: String,
    pub(crate) value: u32,
    /// Executed instructions over all filters
    pub(crate) insns: u64,
    /// Arguments by the names of constants that have their values
    pub(crate) constants: Vec<String>,
    /// The decision in full; null when a policy decided
    pub(crate) decision: Option<Decision>,
    /// What the running kernel says; null when it was not asked
    pub(crate) live: Option<Live>,
}

/// A replayed call with the path that it takes through a chain.
pub(super) fn witness(shown: &Shown, of: &str, chain: Option<&Chain<'_>>, settings: &Settings) -> Result<Witness> {
    let text = call::print(&shown.call);
    let abi = abi(&shown.call);
    let typed = Call::new(&text);
    let request = Request {
        call: &typed,
        trace: false,
    };
    let decision = chain
        .map(|chain| decide(chain, request, abi.unwrap_or_else(host_abi), settings))
        .transpose()?;
    let errno = shown
        .verdict
        .errno(settings.kernel)
        .zip(abi)
        .and_then(|(number, abi)| errno_name(abi, number.into()));
    Ok(Witness {
        of: of.to_owned(),
        verdict: errno.map_or_else(|| shown.verdict.to_string(), |name| format!("errno({name})")),
        value: shown.verdict.value,
        insns: shown.insns,
        constants: named(&shown.call),
        decision,
        live: None,
        call: text,
    })
}

/// The ABI of a call.
pub(super) fn abi(call: &SeccompData) -> Option<Abi> {
    Abi::from_call(call.arch, call.nr.cast_unsigned())
}

/// The arguments whose values are constants of their own kind: `args[1] = 0x5412 (TIOCSTI)`.
fn named(call: &SeccompData) -> Vec<String> {
    let Some(abi) = abi(call) else { return Vec::new() };
    let Some(name) = abi.syscall_name(call.nr.cast_unsigned()) else {
        return Vec::new();
    };
    let arguments = call.args.iter().enumerate();
    let known = arguments.filter_map(|(index, value)| {
        let constant = constant_name(abi, name, index, *value & 0xffff_ffff)?;
        Some(format!("args[{index}] = {value:#x} ({constant})"))
    });
    known.collect()
}

/// What the values of an argument are called: (call, argument, how the names begin).
const KINDS: &[(&str, usize, &[&str])] = &[
    ("socket", 0, &["AF_"]),
    ("socket", 1, &["SOCK_"]),
    ("socketpair", 0, &["AF_"]),
    ("socketpair", 1, &["SOCK_"]),
    ("ioctl", 1, &["TIOC", "TC", "FIO", "SIOC"]),
    ("fcntl", 1, &["F_"]),
    ("prctl", 0, &["PR_"]),
    ("ptrace", 0, &["PTRACE_"]),
    ("clone", 0, &["CLONE_"]),
    ("unshare", 0, &["CLONE_"]),
    ("setns", 1, &["CLONE_"]),
    ("open", 1, &["O_"]),
    ("openat", 2, &["O_"]),
    ("mmap", 2, &["PROT_"]),
    ("mprotect", 2, &["PROT_"]),
    ("pkey_mprotect", 2, &["PROT_"]),
    ("madvise", 2, &["MADV_"]),
    ("keyctl", 0, &["KEYCTL_"]),
    ("bpf", 0, &["BPF_"]),
    ("setsockopt", 1, &["SOL_"]),
    ("kill", 1, &["SIG"]),
    ("tgkill", 2, &["SIG"]),
];

/// The name of a constant that an argument of a call can be, by its value.
pub(super) fn constant_name(abi: Abi, call: &str, argument: usize, value: u64) -> Option<&'static str> {
    let (_, _, kinds) = KINDS
        .iter()
        .find(|(name, index, _)| (*name, *index) == (call, argument))?;
    let fits = |name: &str| kinds.iter().any(|kind| name.starts_with(kind)) && !name.ends_with("_MAX");
    let found = constants(abi).filter(|(name, known)| *known == value && value != 0 && fits(name));
    found.map(|(name, _)| name).min_by_key(|name| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_of_the_kind_that_the_argument_is() {
        let name = |call, argument, value| constant_name(Abi::X86_64, call, argument, value);
        assert_eq!(name("ioctl", 1, 0x5412), Some("TIOCSTI"));
        assert_eq!(name("socket", 0, 16), Some("AF_ROUTE"));
        assert_eq!(name("unshare", 0, 0x1000_0000), Some("CLONE_NEWUSER"));
        assert_eq!(name("read", 0, 16), None);
        assert_eq!(name("socket", 0, 0), None);
    }
}
