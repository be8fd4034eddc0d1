//! Profiles of the OCI runtime specification, of Docker and of Podman.

mod arches;
mod profile;
mod runc;

use callproof_abi::Abi;
use callproof_policy::predicate::View;
use callproof_policy::{Answer, Policy, Problem, Rule, Selector};
use callproof_vm::Action;

use super::build::{self, pattern, rule};
use super::json::Json;
use super::report::Report;
use super::{PolicyOptions, PolicyRead, Runtime, names, scmp};
pub(super) use arches::architecture;
pub(super) use profile::ACTIONS;
use profile::{Profile, Syscall};

/// Reads a profile as the runtime of the options would.
pub(super) fn read(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
    let json = Json::parse(text).map_err(|problem| vec![problem])?;
    let mut report = Report::default();
    let policy = Profile::read(json, options, &mut report).map(|profile| {
        profile.tell(options, &mut report);
        match options.runtime {
            Runtime::Runc | Runtime::Crun => compiled(&profile, options.runtime, &mut report),
            _ => plain(&profile, &mut report),
        }
    });
    let (policy, notes) = report.finish(policy)?;
    let policies = vec![policy];
    Ok(PolicyRead { policies, notes })
}

/// The text as it stands: rules in order, all conditions of a rule together, whole registers.
fn plain(profile: &Profile, report: &mut Report) -> Policy {
    let mut rules: Vec<Rule> = Vec::new();
    for syscall in &profile.syscalls {
        if tests_one_argument_twice(syscall) {
            let message = "two conditions are on the same argument: the specification wants both, and runc and crun make a \
                           rule of each, so that one of them is enough";
            report.note_by_runtime(message, syscall.span);
        }
        let mut calls = Vec::new();
        for (name, span) in &syscall.names {
            if !names::known(name) {
                report.note_unknown_name(
                    format!(
                        "`{}` is no system call that is known, and is left out",
                        crate::text::shown(name)
                    ),
                    *span,
                );
                continue;
            }
            let conds = syscall
                .args
                .iter()
                .map(|arg| (arg.index, arg.cond(View::Raw)))
                .collect();
            calls.push(pattern(Selector::Name(name.clone()), conds, *span));
        }
        if !calls.is_empty() {
            rules.push(rule(calls, &profile.abis, syscall.answer.clone()));
        }
    }
    let bad_arch = Answer::new(Action::KillThread);
    build::policy(rules, &profile.abis, profile.default.clone(), bad_arch)
}

/// What runc and crun have libseccomp compile.
fn compiled(profile: &Profile, runtime: Runtime, report: &mut Report) -> Policy {
    let value = |answer: &Answer| answer.value(profile.abis.first().copied()).ok();
    let default = value(&profile.default);
    let mut entries = Vec::new();
    for syscall in &profile.syscalls {
        if value(&syscall.answer) == default {
            let message = format!(
                "{} drops this rule, because its action is the default one",
                name_of(runtime)
            );
            report.note(message, syscall.span);
            continue;
        }
        add(syscall, runtime, &mut entries, report);
    }
    let mut policy = scmp::policy(&entries, &profile.abis, profile.default.clone(), report);
    if runtime == Runtime::Runc {
        let mut stub = runc::enosys(profile, report);
        stub.append(&mut policy.rules);
        policy.rules = stub;
    }
    policy
}

/// Whether two conditions of an entry are on the same argument.
fn tests_one_argument_twice(syscall: &Syscall) -> bool {
    (0..6).any(|index| syscall.args.iter().filter(|arg| arg.index == index).count() > 1)
}

/// The rules that a runtime gives to the library for an entry of the profile.
fn add(syscall: &Syscall, runtime: Runtime, entries: &mut Vec<scmp::Entry>, report: &mut Report) {
    let twice = tests_one_argument_twice(syscall);
    if twice {
        let message = format!(
            "two conditions are on the same argument, so {} makes a rule of each: one of them is enough, not all",
            name_of(runtime)
        );
        report.note_by_runtime(message, syscall.span);
    }
    for (name, span) in &syscall.names {
        if !names::known(name) {
            let message = format!(
                "`{}` is no system call that is known, and is left out",
                crate::text::shown(name)
            );
            report.note_unknown_name(message, *span);
            continue;
        }
        let entry = |args| scmp::Entry {
            call: name.clone(),
            span: *span,
            args,
            answer: syscall.answer.clone(),
        };
        if twice {
            entries.extend(syscall.args.iter().map(|arg| entry(vec![*arg])));
        } else {
            entries.push(entry(syscall.args.clone()));
        }
    }
}

const fn name_of(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Crun => "crun",
        _ => "runc",
    }
}

/// The names of ABIs, for a message.
fn list(abis: &[Abi]) -> String {
    let names: Vec<&str> = abis.iter().map(|abi| abi.name()).collect();
    names.join(", ")
}
