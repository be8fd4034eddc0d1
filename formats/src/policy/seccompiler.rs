//! JSON of seccompiler (rust-vmm) and Firecracker: filters by name, each with one action for the calls that its rules
//! have and one for the others.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::predicate::View;
use callproof_policy::{Answer, Policy, Problem, Rule, Selector, Span};
use callproof_vm::Action;

use super::build::{self, Arg, LOW, Test, pattern, rule};
use super::json::{Json, Object};
use super::report::Report;
use super::{PolicyOptions, PolicyRead, Runtime, names, scmp};

/// Names of the two actions: today's, and those of older Firecrackers, which are still read.
const FILTER: &[&str] = &[
    "default_action",
    "filter_action",
    "mismatch_action",
    "match_action",
    "filter",
];
const RULE: &[&str] = &["syscall", "args", "comment"];
const CONDITION: &[&str] = &["index", "type", "op", "val", "comment"];
const ACTIONS: &[&str] = &["allow", "errno", "kill_thread", "kill_process", "log", "trace", "trap"];
const OPERATORS: &[&str] = &["eq", "ge", "gt", "le", "lt", "masked_eq", "ne"];

/// One rule as it is written.
struct Written {
    call: String,
    span: Span,
    /// `None` for no `args`; widths beside the tests
    args: Option<Vec<(Arg, bool)>>,
}

/// One filter as it is written.
struct Filter {
    matched: Answer,
    other: Answer,
    rules: Vec<Written>,
}

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
        .and_then(|json| filter(json, &abis, &mut report))
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
            Some(wanted) => format!("there is no filter `{}`", crate::text::shown(wanted)),
            None => format!("the file has {} filters, and none is chosen", entries.len()),
        };
        let help = format!("write one of them behind the file's name and `#`: {}", known.join(", "));
        report.push(Problem::new(message, json.head()).help(help));
    }
    found.map(|(_, _, filter)| *filter)
}

fn filter(json: Json<'_>, abis: &[Abi], report: &mut Report) -> Option<Filter> {
    let object = Object::read(json, "a filter", FILTER, report);
    let other = one_action(&object, ["mismatch_action", "default_action"], abis, report);
    let matched = one_action(&object, ["match_action", "filter_action"], abis, report);
    if object.get("filter").is_none() {
        report.problem("the filter has no list of rules `filter`", object.span);
    }
    let rules = object.items("filter", report);
    let rules = rules.into_iter().filter_map(|json| written(json, report)).collect();
    let (matched, other) = (matched?, other?);
    if matched == other {
        report.problem("both actions are the same, and such a filter is refused", object.span);
    }
    Some(Filter { matched, other, rules })
}

/// The action that has one of two names.
fn one_action(object: &Object<'_>, names: [&str; 2], abis: &[Abi], report: &mut Report) -> Option<Answer> {
    let [new, old] = names;
    match (object.get(new), object.get(old)) {
        (Some(json), None) | (None, Some(json)) => action(json, abis, report),
        (Some(_), Some(json)) => {
            report.problem(format!("`{old}` and `{new}` are the same field"), json.span());
            None
        }
        (None, None) => {
            report.problem(format!("the filter has no `{new}` (or `{old}`)"), object.span);
            None
        }
    }
}

/// `"allow"`, or `{"errno": 1}`.
fn action(json: Json<'_>, abis: &[Abi], report: &mut Report) -> Option<Answer> {
    let (name, data, span) = variant(json, "an action", ACTIONS, report)?;
    let number = match data {
        Some(data) => Some(data.number(&format!("the number of `{name}`"), report)?),
        None => None,
    };
    let plain = match name.as_str() {
        "allow" => Action::Allow,
        "kill_thread" => Action::KillThread,
        "kill_process" => Action::KillProcess,
        "log" => Action::Log,
        "trap" => Action::Trap,
        _ => {
            let Some(number) = number else {
                report.problem(format!("`{name}` has a number: {{\"{name}\": 1}}"), span);
                return None;
            };
            if number > u64::from(u16::MAX) {
                report.note(format!("only the low 16 bits of {number} fit an action"), span);
            }
            let data = u16::try_from(number & 0xffff).unwrap_or_default();
            return Some(match name.as_str() {
                "errno" => names::errno(data, abis),
                _ => names::with(Action::Trace, data),
            });
        }
    };
    if number.is_some() {
        report.problem(format!("`{name}` has no number"), span);
    }
    Some(Answer::new(plain))
}

/// A word, or an object with one field that is the word.
fn variant<'t>(
    json: Json<'t>,
    what: &str,
    known: &[&'static str],
    report: &mut Report,
) -> Option<(String, Option<Json<'t>>, Span)> {
    let (name, data) = if json.kind() == "an object" {
        let mut entries = json.entries(what, report);
        if entries.len() != 1 {
            report.problem(
                format!("{what} is one word with a number, and this has {}", entries.len()),
                json.head(),
            );
            return None;
        }
        let (name, _, data) = entries.pop()?;
        (name, Some(data))
    } else {
        (json.string(what, report)?, None)
    };
    if !known.contains(&name.as_str()) {
        report.unknown(what, &name, json.span(), known.iter().copied());
        return None;
    }
    Some((name, data, json.span()))
}

fn written(json: Json<'_>, report: &mut Report) -> Option<Written> {
    let object = Object::read(json, "a rule", RULE, report);
    let args = object.get("args").map(|list| {
        let items = list.items("`args`", report);
        if items.is_empty() && !report.failed() {
            report.problem("a list of conditions cannot be empty; leave `args` out", list.head());
        }
        items.into_iter().filter_map(|json| condition(json, report)).collect()
    });
    let Some((call, span)) = object.string("syscall", report) else {
        report.problem("the rule has no `syscall`", object.span);
        return None;
    };
    Some(Written { call, span, args })
}

/// A test, and whether it is of the low half alone.
fn condition(json: Json<'_>, report: &mut Report) -> Option<(Arg, bool)> {
    let object = Object::read(json, "a condition", CONDITION, report);
    for field in ["index", "type", "op", "val"] {
        if object.get(field).is_none() {
            report.problem(format!("the condition has no `{field}`"), object.span);
        }
    }
    let (index, at) = object.number("index", report)?;
    let (value, _) = object.number("val", report)?;
    let (width, width_at) = object.string("type", report)?;
    if !["dword", "qword"].contains(&width.as_str()) {
        report.unknown("type", &width, width_at, ["dword", "qword"].into_iter());
    }
    let (name, mask, op_at) = variant(object.get("op")?, "an operator", OPERATORS, report)?;
    let mask = match mask {
        Some(mask) => Some(mask.number("the mask", report)?),
        None => None,
    };
    let test = match (name.as_str(), mask) {
        ("eq", None) => Test::Eq(value),
        ("ge", None) => Test::Ge(value),
        ("gt", None) => Test::Gt(value),
        ("le", None) => Test::Le(value),
        ("lt", None) => Test::Lt(value),
        ("ne", None) => Test::Ne(value),
        ("masked_eq", Some(mask)) => {
            if value & !mask != 0 {
                report.note("bits of `val` that the mask does not have are ignored", op_at);
            }
            Test::Masked(mask, value)
        }
        ("masked_eq", None) => {
            report.problem("`masked_eq` has a mask: {\"masked_eq\": 4}", op_at);
            return None;
        }
        _ => {
            report.problem(format!("`{name}` has no mask"), op_at);
            return None;
        }
    };
    let low = width == "dword";
    if low && value > LOW {
        report.note(
            "only the low 32 bits of `val` are compared, because `type` is `dword`",
            object.span,
        );
    }
    let Some(index) = u8::try_from(index).ok().filter(|index| *index < 6) else {
        report.problem(format!("a call has six arguments, 0 to 5, and this is {index}"), at);
        return None;
    };
    Some((Arg { index, test }, low))
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
    let mut calls: BTreeMap<String, (Span, bool, Vec<Vec<(Arg, bool)>>)> = BTreeMap::new();
    for written in filter.rules {
        if !names::has(abi, &written.call) {
            report.unknown(
                &format!("system call on {abi}:"),
                &written.call,
                written.span,
                names::calls(abi),
            );
            continue;
        }
        let call = calls.entry(written.call).or_insert((written.span, false, Vec::new()));
        match written.args {
            Some(args) => call.2.push(args),
            None => call.1 = true,
        }
    }
    let (mut plain, mut tested) = (Vec::new(), Vec::new());
    for (name, (span, unconditional, chains)) in calls {
        if unconditional && !chains.is_empty() {
            let message = format!("the rule for `{name}` without `args` has no effect beside those with `args`");
            report.note(message, span);
        }
        if chains.is_empty() {
            plain.push(pattern(Selector::Name(name.clone()), Vec::new(), span));
        }
        for chain in chains {
            let cond = |(arg, low): &(Arg, bool)| (arg.index, arg.cond(if *low { View::Lo } else { View::Raw }));
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
        if !names::known(&written.call) {
            report.unknown("system call", &written.call, written.span, names::all());
        }
        let args = written.args.unwrap_or_default();
        for (place, (arg, low)) in args.iter().enumerate() {
            if args.iter().take(place).any(|(other, _)| other.index == arg.index) {
                report.problem(
                    "a second condition on the same argument, which libseccomp refuses",
                    written.span,
                );
            }
            if *low && !matches!(arg.test, Test::Eq(_) | Test::Masked(..)) {
                let message = "all 64 bits are compared, whatever `type` says: only `eq` and `masked_eq` can do less";
                report.note(message, written.span);
            }
        }
        let widened = |(arg, low): (Arg, bool)| match arg.test {
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
