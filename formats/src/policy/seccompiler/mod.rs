//! JSON of seccompiler (rust-vmm) and Firecracker: filters by name, each with one action for the calls that its rules
//! have and one for the others.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use callproof_abi::Abi;
use callproof_policy::predicate::View;
use callproof_policy::{Answer, Policy, Problem, Rule, Selector, Span};
use callproof_vm::Action;

use super::build::{self, Arg, LOW, Test, pattern, rule};
use super::json::Json;
use super::report::Report;
use super::{PolicyOptions, PolicyRead, Runtime, scmp};
use text::{Condition, Filter, filter};

/// Reads the filter that is selected.
pub(super) fn read(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
    let json = Json::parse(text).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    let abis = if options.abis.is_empty() {
        vec![Abi::X86_64]
    } else {
        options.abis.clone()
    };
    let policy = selected(json, options, &mut report)
        .and_then(|json| filter(json, &abis, options.runtime, &mut report))
        .map(|filter| match options.runtime {
            Runtime::Firecracker => by_libseccomp(filter, &abis, &mut report),
            _ => by_seccompiler(filter, &abis, &mut report),
        });
    let (policy, notes) = report.finish(policy)?;
    let policies = vec![policy];
    Ok(PolicyRead { policies, notes })
}

/// The filter that is meant: the only one, or the one that is named.
fn selected<'t>(json: Json<'t>, options: &PolicyOptions<'_>, report: &mut Report) -> Option<Json<'t>> {
    let entries = json.entries("a file of filters", report);
    for (at, (name, key, _)) in entries.iter().enumerate().take(1000) {
        if entries.iter().take(at).any(|(other, ..)| other == name) {
            report.problem(format!("a second filter `{}`", crate::text::shown(name)), key.span());
        }
    }
    let found = match &options.select {
        Some(wanted) => entries.iter().find(|(name, ..)| name == wanted),
        None if entries.len() == 1 => entries.first(),
        None => None,
    };
    if found.is_none() && !report.failed() {
        let known: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).take(20).collect();
        let message = match &options.select {
            Some(wanted) => {
                let near = crate::text::nearest(wanted, known.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                format!("there is no filter `{}`{near}", crate::text::shown(wanted))
            }
            None => format!("the file has {} filters, and none is chosen", entries.len()),
        };
        let help = format!("write one of them behind the file's name and `#`: {}", known.join(", "));
        report.push(Problem::new(message, json.head()).help(help));
    }
    found.map(|(_, _, filter)| *filter)
}

/// All rules for one call.
struct Rules {
    span: Span,
    unconditional: bool,
    chains: Vec<Vec<Condition>>,
}

impl Rules {
    const fn at(span: Span) -> Self {
        Self {
            span,
            unconditional: false,
            chains: Vec::new(),
        }
    }
}

/// What the library of rust-vmm compiles.
fn by_seccompiler(filter: Filter, abis: &[Abi], report: &mut Report) -> Policy {
    let abi = abis.first().copied().unwrap_or(Abi::X86_64);
    if let [_, others @ ..] = abis
        && !others.is_empty()
    {
        report.note(
            format!("such a filter is for one ABI; this is the one for {abi}"),
            Span::default(),
        );
    }
    let mut calls: BTreeMap<String, Rules> = BTreeMap::new();
    for written in filter.rules {
        let call = calls.entry(written.call).or_insert_with(|| Rules::at(written.span));
        match written.args {
            Some(args) => call.chains.push(args),
            None => call.unconditional = true,
        }
    }
    let (mut plain, mut tested) = (Vec::new(), Vec::new());
    for (name, rules) in calls {
        let Rules {
            span,
            unconditional,
            chains,
        } = rules;
        if unconditional && !chains.is_empty() {
            let message = format!("the rule for `{name}` without `args` has no effect beside those with `args`");
            report.note(message, span);
        }
        if chains.is_empty() {
            plain.push(pattern(Selector::Name(name.clone()), Vec::new(), span));
        }
        for chain in chains {
            let cond = |(arg, low): &Condition| (arg.index, arg.cond(if *low { View::Lo } else { View::Raw }));
            tested.push(pattern(
                Selector::Name(name.clone()),
                chain.iter().map(cond).collect(),
                span,
            ));
        }
    }
    let patterns = [plain, tested].into_iter().filter(|patterns| !patterns.is_empty());
    let rules: Vec<Rule> = patterns
        .map(|calls| rule(calls, &[abi], filter.matched.clone()))
        .collect();
    let covered = build::same_arch(abi);
    build::policy(rules, &covered, filter.other, Answer::new(Action::KillProcess))
}

/// What Firecracker's own compiler makes of it since 1.11, which uses libseccomp.
fn by_libseccomp(filter: Filter, abis: &[Abi], report: &mut Report) -> Policy {
    let mut entries = Vec::new();
    for written in filter.rules {
        let args = written.args.unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (arg, low) in &args {
            if !seen.insert(arg.index) {
                let message = "a second condition on the same argument, which libseccomp refuses";
                report.problem(message, written.span);
            }
            if *low && !matches!(arg.test, Test::Eq(_) | Test::Masked(..)) {
                let message = "all 64 bits are compared, whatever `type` says: only `eq` and `masked_eq` can do less";
                report.note(message, written.span);
            }
        }
        let widened = |(arg, low): Condition| match arg.test {
            Test::Eq(value) if low => Arg {
                test: Test::Masked(LOW, value),
                ..arg
            },
            _ => arg,
        };
        entries.push(scmp::Entry {
            call: written.call,
            span: written.span,
            args: args.into_iter().map(widened).collect(),
            answer: filter.matched.clone(),
        });
    }
    scmp::policy(&entries, abis, filter.other, report)
}
