//! `SystemCallFilter=`, `SystemCallLog=`, `SystemCallErrorNumber=`, `SystemCallArchitectures=`.

use std::collections::{BTreeMap, BTreeSet};

use callproof_abi::{Abi, errno_number, multiplexer};
use callproof_policy::predicate::{Relation, View};
use callproof_policy::{Answer, CallPattern, Policy, Problem, Rule, Selector, Span};
use callproof_vm::Action;

use super::unit::Word;
use super::{Unit, allowing, groups};
use crate::policy::Note;
use crate::policy::parts::{ENOUGH, answer, call, otherwise, rule, test, x32_guard};

pub(super) const ERROR_NUMBER: &str = "SystemCallErrorNumber";

/// What one call gets beyond being listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Nothing,
    Kill,
    Errno(u16),
}

/// The lists of a directive.
#[derive(Default)]
struct Listed {
    /// Whether the first line was a list of what is allowed; `None` without a line
    allow: Option<bool>,
    calls: BTreeMap<String, Own>,
    span: Span,
}

/// `SystemCallFilter=`.
pub(super) fn filter(unit: &mut Unit, key: &str) -> Vec<Policy> {
    let listed = listed(unit, key);
    let Some(allow) = listed.allow else {
        return Vec::new();
    };
    let negative = error_number(unit);
    if !allow && listed.calls.is_empty() {
        return Vec::new();
    }
    if allow {
        let message = "calls that systemd does not know get the same answer as others that are not listed; releases \
                       later than 252 were seen to answer ENOSYS instead";
        unit.notes.push(Note::new(message, listed.span));
    }
    let positive = answer(Action::Allow, 0, listed.span);
    let (default, action) = if allow {
        (negative, positive)
    } else {
        (positive, negative)
    };
    lists(unit, &listed, &default, &action)
}

/// `SystemCallLog=`.
pub(super) fn log(unit: &mut Unit, key: &str) -> Vec<Policy> {
    let listed = listed(unit, key);
    let Some(allow) = listed.allow else {
        return Vec::new();
    };
    let (log, quiet) = (
        answer(Action::Log, 0, listed.span),
        answer(Action::Allow, 0, listed.span),
    );
    // `~` lists what is not logged.
    let (default, action) = if allow { (quiet, log) } else { (log, quiet) };
    lists(unit, &listed, &default, &action)
}

/// One policy for each ABI.
fn lists(unit: &Unit, listed: &Listed, default: &Answer, action: &Answer) -> Vec<Policy> {
    let of = |abi: &Abi| {
        let mut rules: Vec<Rule> = Vec::new();
        let here = |name: &str| abi.syscall_named(name).is_ok() || multiplexer(*abi, name).is_some();
        for (name, own) in listed.calls.iter().filter(|(name, _)| here(name)) {
            let own = match own {
                Own::Kill => answer(Action::KillProcess, 0, listed.span),
                Own::Errno(_) if action.action == Action::Log => action.clone(),
                Own::Errno(number) => answer(Action::Errno, *number, listed.span),
                Own::Nothing => action.clone(),
            };
            let new = rule_for(name, *abi, own);
            match rules.iter_mut().find(|rule| rule.answer == new.answer) {
                Some(rule) => rule.calls.calls.extend(new.calls.calls),
                None => rules.push(new),
            }
        }
        rules.push(otherwise(&[*abi], default.clone()));
        let outside = answer(Action::Allow, 0, listed.span);
        allowing(x32_guard(rules, &outside))
    };
    unit.abis.iter().map(of).collect()
}

/// A rule for one call. Where an ABI also makes it through `socketcall` or `ipc`, libseccomp adds that.
pub(super) fn rule_for(name: &str, abi: Abi, answer: Answer) -> Rule {
    let mut rule = rule(CallPattern::named(name), &[abi], answer);
    if abi.syscall_named(name).is_err() && multiplexer(abi, name).is_some() {
        rule.calls.calls.clear();
    }
    if let Some((carrier, number)) = multiplexer(abi, name) {
        let first = test(0, View::Lo, None, Relation::Eq, u64::from(number), Span::default());
        rule.calls
            .calls
            .push(call(Selector::Name(carrier.to_owned()), Some(first), Span::default()));
    }
    rule
}

/// Gathers the lines: the first decides what is listed, later ones add, and `~` the other way round takes away.
fn listed(unit: &mut Unit, key: &str) -> Listed {
    let mut listed = Listed::default();
    for mut words in unit.lines(key) {
        let Some(first) = words.first_mut() else {
            listed = Listed::default();
            continue;
        };
        listed.span = first.span;
        let inverted = first.text.starts_with('~');
        first.text = first.text.trim_start_matches('~').to_owned();
        if listed.allow.is_none() {
            listed.allow = Some(!inverted);
            if !inverted && key == "SystemCallFilter" {
                add(&mut listed, "@default", Own::Nothing, false);
            }
        }
        for word in words.iter().filter(|word| !word.text.is_empty()) {
            if unit.problems.len() >= ENOUGH {
                return listed;
            }
            if let Some((name, own)) = item(unit, word, inverted) {
                add(&mut listed, &name, own, inverted);
            }
        }
    }
    listed
}

/// `NAME`, `@GROUP` or `NAME:ERRNO`.
fn item(unit: &mut Unit, word: &Word, inverted: bool) -> Option<(String, Own)> {
    let (name, own) = match word.text.split_once(':') {
        None => (word.text.as_str(), Own::Nothing),
        Some((name, error)) => {
            let named = Word {
                text: error.to_owned(),
                span: word.span,
            };
            (name, own(unit, &named)?)
        }
    };
    if !inverted && own != Own::Nothing {
        let message = "a call that is allowed takes no error number: systemd ignores this one";
        unit.notes.push(Note::new(message, word.span));
        return None;
    }
    let known = if name.starts_with('@') {
        groups::calls(name).is_some()
    } else {
        Abi::ALL.iter().any(|abi| abi.syscall_named(name).is_ok())
    };
    if known {
        return Some((name.to_owned(), own));
    }
    let shown = Word {
        text: name.to_owned(),
        span: word.span,
    };
    if name.starts_with('@') {
        unit.unknown(&shown, "no group of systemd 252", groups::names());
    } else {
        let calls = Abi::ALL.iter().flat_map(|abi| abi.syscalls());
        let all: BTreeSet<&str> = calls.map(|call| call.name).collect();
        unit.unknown(&shown, "no system call", all.into_iter());
    }
    None
}

fn add(listed: &mut Listed, name: &str, own: Own, inverted: bool) {
    let allow = listed.allow.unwrap_or_default();
    let put = inverted != allow || own != Own::Nothing;
    let names = groups::calls(name).unwrap_or_else(|| vec![name]);
    for name in names {
        if put {
            listed.calls.insert(name.to_owned(), own);
        } else {
            listed.calls.remove(name);
        }
    }
}

/// `kill`, an error by name or by number.
fn own(unit: &mut Unit, word: &Word) -> Option<Own> {
    if word.text == "kill" {
        return Some(Own::Kill);
    }
    if let Ok(number) = word.text.parse::<u16>() {
        if number <= 4095 {
            return Some(Own::Errno(number));
        }
        let message = format!("{number} is no error: those go up to 4095");
        unit.problems.push(Problem::new(message, word.span));
        return None;
    }
    let native = unit.abis.last().copied().unwrap_or(Abi::X86_64);
    match errno_number(native, &word.text) {
        Ok(number) => u16::try_from(number).ok().map(Own::Errno),
        Err(error) => {
            unit.unknown(word, "no error name", error.suggestions());
            None
        }
    }
}

/// `SystemCallErrorNumber=`: what calls get that are not allowed.
fn error_number(unit: &mut Unit) -> Answer {
    let mut found = answer(Action::KillProcess, 0, Span::default());
    for words in unit.lines(ERROR_NUMBER) {
        let Some(word) = words.first() else {
            found = answer(Action::KillProcess, 0, Span::default());
            continue;
        };
        match own(unit, word) {
            Some(Own::Errno(number)) => found = answer(Action::Errno, number, word.span),
            Some(_) => found = answer(Action::KillProcess, 0, word.span),
            None => {}
        }
    }
    found
}

/// systemd's names of ABIs.
const ARCHITECTURES: &[(&str, Abi)] = &[
    ("x86", Abi::I386),
    ("x86-64", Abi::X86_64),
    ("x32", Abi::X32),
    ("arm", Abi::Arm),
    ("arm64", Abi::Aarch64),
    ("mips", Abi::Mips),
    ("mips64", Abi::Mips64),
    ("mips64-n32", Abi::MipsN32),
    ("mips-le", Abi::Mipsel),
    ("mips64-le", Abi::Mips64el),
    ("mips64-le-n32", Abi::MipselN32),
    ("ppc", Abi::Ppc),
    ("ppc64", Abi::Ppc64),
    ("ppc64-le", Abi::Ppc64le),
    ("riscv64", Abi::Riscv64),
    ("s390", Abi::S390),
    ("s390x", Abi::S390x),
];

/// `SystemCallArchitectures=`: one filter; the native ABI is always allowed, any that is not listed kills the thread.
pub(super) fn architectures(unit: &mut Unit, key: &str) -> Vec<Policy> {
    let native = unit.abis.last().copied().unwrap_or(Abi::X86_64);
    let mut listed = Vec::new();
    for words in unit.lines(key) {
        if words.is_empty() {
            listed.clear();
        }
        for word in &words {
            let known = ARCHITECTURES.iter().find(|(name, _)| *name == word.text);
            match known {
                _ if word.text == "native" => listed.push(native),
                Some((_, abi)) => listed.push(*abi),
                None => {
                    let names = ARCHITECTURES.iter().map(|(name, _)| *name).chain(["native"]);
                    unit.unknown(word, "no architecture of systemd", names);
                }
            }
        }
    }
    if listed.is_empty() {
        return Vec::new();
    }
    // The vdso of x32 makes calls of x86_64.
    if listed.contains(&Abi::X32) {
        listed.push(Abi::X86_64);
    }
    listed.push(native);
    listed.sort_unstable();
    listed.dedup();
    let rules = listed
        .iter()
        .map(|abi| otherwise(&[*abi], answer(Action::Allow, 0, Span::default())));
    let default = answer(Action::KillThread, 0, Span::default());
    let rules = x32_guard(rules.collect(), &default);
    vec![Policy { default, rules }]
}
