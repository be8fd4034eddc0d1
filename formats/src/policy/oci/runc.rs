//! What runc puts in front of libseccomp's filter.

use std::collections::BTreeSet;

use callproof_abi::{Abi, X32_BIT, multiplexer};
use callproof_policy::{CallPattern, Rule, Selector};
use callproof_vm::Action;

use super::list;
use super::profile::Profile;
use crate::policy::START;
use crate::policy::build::rule;
use crate::policy::names;
use crate::policy::report::Report;

/// `ENOSYS` for numbers beyond the largest that the profile names, on each ABI that it lists (runc since 1.0.0-rc93,
/// `libcontainer/seccomp/patchbpf`). It is the number of the machine, 38, whatever mips calls it.
pub(super) fn enosys(profile: &Profile, report: &mut Report) -> Vec<Rule> {
    let permissive = matches!(profile.default.action, Action::Allow | Action::Log | Action::Trace);
    if permissive || profile.listed.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&str> = profile
        .syscalls
        .iter()
        .flat_map(|syscall| &syscall.names)
        .map(|(name, _)| name.as_str())
        .collect();
    let last = |abi: Abi| {
        let own = |call: &callproof_abi::Syscall| named.contains(call.name) && multiplexer(abi, call.name).is_none();
        abi.syscalls().rev().find(own).map(|call| call.number)
    };
    let largest: Vec<(Abi, u32)> = profile
        .listed
        .iter()
        .filter_map(|abi| Some((*abi, last(*abi)?)))
        .collect();
    let mut rules = Vec::new();
    for (abi, number) in &largest {
        let first = number.saturating_add(1);
        let answer = names::with(Action::Errno, 38);
        let mut patterns = vec![CallPattern::new(Selector::Range(first, end(*abi)))];
        if *abi == Abi::X32 {
            // Bit 30 is all that the stub asks for, and -1 has it too.
            let wrapped = vec![CallPattern::new(Selector::Number(u32::MAX))];
            rules.push(rule(wrapped, &[Abi::X86_64], answer.clone()));
        }
        if matches!(abi, Abi::S390 | Abi::S390x) {
            // `setup`, under whose number calls with large numbers arrive when the kernel does not know them.
            patterns.push(CallPattern::new(Selector::Number(0)));
        }
        rules.push(rule(patterns, &[*abi], answer));
    }
    if !rules.is_empty() {
        let abis: Vec<Abi> = largest.iter().map(|(abi, _)| *abi).collect();
        let message = format!(
            "runc answers ENOSYS to numbers beyond the largest that the profile names, on {}",
            list(&abis)
        );
        report.note(message, START);
    }
    rules
}

/// The last number that the stub compares on an ABI.
const fn end(abi: Abi) -> u32 {
    match abi {
        // Numbers with bit 30 are left to x32.
        Abi::X86_64 => !X32_BIT,
        _ => u32::MAX,
    }
}
