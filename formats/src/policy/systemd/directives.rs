//! Directives that stand for fixed rules, and the order in which systemd loads all of them.

use callproof_abi::Abi;
use callproof_policy::predicate::{Cond, Relation, View};
use callproof_policy::{Answer, Policy, Rule, Selector, Span};

use super::calls::rule_for;
use super::families::whole;
use super::{Build, Unit, allowing, boolean, calls, families, groups};
use crate::policy::parts::{call, rule, test};

/// Every directive that becomes filters, in the order in which they are loaded.
pub(super) const DIRECTIVES: &[(&str, Build)] = &[
    ("ProtectHostname", |unit, key| {
        names(unit, key, &["sethostname", "setdomainname"])
    }),
    ("RestrictAddressFamilies", families::restrict),
    ("MemoryDenyWriteExecute", |unit, key| fixed(unit, key, write_execute)),
    ("RestrictRealtime", |unit, key| fixed(unit, key, realtime)),
    ("RestrictSUIDSGID", |unit, key| fixed(unit, key, set_id)),
    ("RestrictNamespaces", namespaces),
    ("ProtectKernelTunables", |unit, key| fixed(unit, key, tunables)),
    ("ProtectKernelModules", |unit, key| group(unit, key, "@module")),
    ("ProtectKernelLogs", |unit, key| names(unit, key, &["syslog"])),
    ("ProtectClock", |unit, key| group(unit, key, "@clock")),
    ("PrivateDevices", |unit, key| group(unit, key, "@raw-io")),
    ("SystemCallArchitectures", calls::architectures),
    ("LockPersonality", |unit, key| fixed(unit, key, personality)),
    ("SystemCallLog", calls::log),
    ("SystemCallFilter", calls::filter),
];

const PROT_WRITE: u64 = 2;
const PROT_EXEC: u64 = 4;
const SHM_EXEC: u64 = 0o100_000;
const O_CREAT: u64 = 0o100;
const S_ISUID: u64 = 0o4000;
const S_ISGID: u64 = 0o2000;

fn refusal() -> Answer {
    Answer::errno("EPERM")
}

/// `ENOSYS`, which makes libraries fall back to an older call.
fn missing() -> Answer {
    Answer::errno("ENOSYS")
}

/// A policy for each ABI that the rules of a switch are made for.
fn fixed(unit: &mut Unit, key: &str, rules: fn(Abi) -> Option<Vec<Rule>>) -> Vec<Policy> {
    if unit.switch(key) {
        unit.abis.iter().filter_map(|abi| rules(*abi)).map(allowing).collect()
    } else {
        Vec::new()
    }
}

/// A switch that refuses calls by name.
fn names(unit: &mut Unit, key: &str, names: &[&'static str]) -> Vec<Policy> {
    if !unit.switch(key) {
        return Vec::new();
    }
    let of = |abi: &Abi| allowing(names.iter().map(|name| rule_for(name, *abi, refusal())).collect());
    unit.abis.iter().map(of).collect()
}

fn group(unit: &mut Unit, key: &str, group: &str) -> Vec<Policy> {
    let calls = groups::calls(group).unwrap_or_default();
    names(unit, key, &calls)
}

/// Refuses a call when a condition on one register holds.
fn when(name: &str, abi: Abi, condition: Option<Cond>) -> Rule {
    let pattern = call(Selector::Name(name.to_owned()), condition, Span::default());
    rule(pattern, &[abi], refusal())
}

/// All of these bits are set; they are all in the low half.
fn bits(index: u8, bits: u64) -> Cond {
    test(index, View::Lo, Some(bits), Relation::Eq, bits, Span::default())
}

fn compared(abi: Abi, index: u8, relation: Relation, value: u64) -> Cond {
    test(index, whole(abi), None, relation, value, Span::default())
}

/// `MemoryDenyWriteExecute=`.
fn write_execute(abi: Abi) -> Option<Vec<Rule>> {
    let (filtered, blocked, shared) = match abi {
        Abi::I386 | Abi::S390 => ("mmap2", Some("mmap"), false),
        Abi::Ppc | Abi::Ppc64 | Abi::Ppc64le | Abi::S390x => ("mmap", None, false),
        Abi::Arm => ("mmap2", None, true),
        Abi::X86_64 | Abi::X32 | Abi::Aarch64 | Abi::Riscv64 => ("mmap", None, true),
        _ => return None,
    };
    let mut rules = vec![when(filtered, abi, Some(bits(2, PROT_EXEC | PROT_WRITE)))];
    rules.extend(blocked.map(|name| when(name, abi, None)));
    rules.push(when("mprotect", abi, Some(bits(2, PROT_EXEC))));
    rules.push(when("pkey_mprotect", abi, Some(bits(2, PROT_EXEC))));
    rules.extend(shared.then(|| when("shmat", abi, Some(bits(2, SHM_EXEC)))));
    Some(rules)
}

/// `RestrictRealtime=`: only the policies 0 (`SCHED_OTHER`), 3 (`SCHED_BATCH`) and 5 (`SCHED_IDLE`).
fn realtime(abi: Abi) -> Option<Vec<Rule>> {
    let equal = [1, 2, 4].map(|policy| compared(abi, 1, Relation::Eq, policy));
    let mut refused = equal.to_vec();
    refused.push(compared(abi, 1, Relation::Gt, 5));
    Some(vec![when("sched_setscheduler", abi, Some(Cond::Either(refused)))])
}

/// `RestrictSUIDSGID=`: the register that holds the mode, by call.
const MODES: &[(&str, u8)] = &[
    ("chmod", 1),
    ("fchmod", 1),
    ("fchmodat", 2),
    ("fchmodat2", 2),
    ("mkdir", 1),
    ("mkdirat", 2),
    ("mknod", 1),
    ("mknodat", 2),
    ("creat", 1),
];

fn set_id(abi: Abi) -> Option<Vec<Rule>> {
    let either = |index| Cond::Either(vec![bits(index, S_ISUID), bits(index, S_ISGID)]);
    let mut rules: Vec<Rule> = MODES
        .iter()
        .map(|(name, index)| when(name, abi, Some(either(*index))))
        .collect();
    let creating = |flags, mode| Some(Cond::All(vec![bits(flags, O_CREAT), either(mode)]));
    rules.push(when("open", abi, creating(1, 2)));
    rules.push(when("openat", abi, creating(2, 3)));
    rules.push(rule_for("openat2", abi, missing()));
    Some(rules)
}

/// `ProtectKernelTunables=`.
fn tunables(abi: Abi) -> Option<Vec<Rule>> {
    let there = ![Abi::X32, Abi::Aarch64, Abi::Riscv64].contains(&abi);
    there.then(|| vec![when("_sysctl", abi, None)])
}

/// `LockPersonality=`, for a unit without `Personality=`.
fn personality(abi: Abi) -> Option<Vec<Rule>> {
    Some(vec![when("personality", abi, Some(compared(abi, 0, Relation::Ne, 0)))])
}

const NAMESPACES: &[(&str, u64)] = &[
    ("cgroup", 0x0200_0000),
    ("ipc", 0x0800_0000),
    ("net", 0x4000_0000),
    ("mnt", 0x0002_0000),
    ("pid", 0x2000_0000),
    ("time", 0x80),
    ("user", 0x1000_0000),
    ("uts", 0x0400_0000),
];
const ALL_NAMESPACES: u64 = 0x7e02_0080;

/// `RestrictNamespaces=`.
fn namespaces(unit: &mut Unit, key: &str) -> Vec<Policy> {
    let retained = retained(unit, key);
    if retained == ALL_NAMESPACES {
        return Vec::new();
    }
    let of = |abi: &Abi| allowing(namespace_rules(*abi, retained));
    unit.abis.iter().map(of).collect()
}

fn namespace_rules(abi: Abi, retained: u64) -> Vec<Rule> {
    let refused: Vec<u64> = NAMESPACES
        .iter()
        .map(|(_, flag)| *flag)
        .filter(|flag| retained & flag == 0)
        .collect();
    let any = |index| refused.iter().map(|flag| bits(index, *flag)).collect::<Vec<Cond>>();
    let mut joined = any(1);
    joined.push(compared(abi, 1, Relation::Eq, 0));
    let joining = if retained == 0 {
        None
    } else {
        Some(Cond::Either(joined))
    };
    let clone_flags = u8::from(matches!(abi, Abi::S390 | Abi::S390x));
    vec![
        rule_for("clone3", abi, missing()),
        when("setns", abi, joining),
        when("unshare", abi, Some(Cond::Either(any(0)))),
        when("clone", abi, Some(Cond::Either(any(clone_flags)))),
    ]
}

/// The kinds of namespaces that stay possible.
fn retained(unit: &mut Unit, key: &str) -> u64 {
    let mut retained: Option<u64> = None;
    for mut words in unit.lines(key) {
        let Some(first) = words.first_mut() else {
            retained = None;
            continue;
        };
        if let Some(on) = boolean(&first.text) {
            retained = Some(if on { 0 } else { ALL_NAMESPACES });
            continue;
        }
        let inverted = first.text.starts_with('~');
        first.text = first.text.trim_start_matches('~').to_owned();
        let mut flags = 0;
        for word in words.iter().filter(|word| !word.text.is_empty()) {
            match NAMESPACES.iter().find(|(name, _)| *name == word.text) {
                Some((_, flag)) => flags |= flag,
                None => unit.unknown(word, "no kind of namespace", NAMESPACES.iter().map(|(name, _)| *name)),
            }
        }
        retained = Some(match (retained, inverted) {
            (None, true) => ALL_NAMESPACES & !flags,
            (before, false) => before.unwrap_or(0) | flags,
            (Some(before), true) => before & !flags,
        });
    }
    retained.unwrap_or(ALL_NAMESPACES)
}
