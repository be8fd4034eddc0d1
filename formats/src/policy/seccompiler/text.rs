//! The text of a filter.

use callproof_abi::Abi;
use callproof_policy::{Answer, Span};
use callproof_vm::Action;

use crate::policy::build::{Arg, LOW, Test};
use crate::policy::json::{Json, Object};
use crate::policy::report::Report;
use crate::policy::{Runtime, names};

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

/// A test, and whether it is of the low half alone.
pub(super) type Condition = (Arg, bool);

/// One rule as it is written.
pub(super) struct Written {
    pub(super) call: String,
    pub(super) span: Span,
    /// `None` for no `args`
    pub(super) args: Option<Vec<Condition>>,
}

/// One filter as it is written.
pub(super) struct Filter {
    pub(super) matched: Answer,
    pub(super) other: Answer,
    pub(super) rules: Vec<Written>,
}

/// Reads one filter.
pub(super) fn filter(json: Json<'_>, abis: &[Abi], runtime: Runtime, report: &mut Report) -> Option<Filter> {
    let object = Object::read(json, "a filter", FILTER, report);
    let other = one_action(&object, ["mismatch_action", "default_action"], abis, report);
    let matched = one_action(&object, ["match_action", "filter_action"], abis, report);
    if object.get("filter").is_none() {
        report.problem("the filter has no list of rules `filter`", object.span);
    }
    let rules = object.items("filter", report);
    let rules: Vec<Written> = rules.into_iter().filter_map(|json| written(json, report)).collect();
    check_calls(&rules, abis, runtime, report);
    let (matched, other) = (matched?, other?);
    if matched == other {
        report.problem("both actions are the same, and such a filter is refused", object.span);
    }
    Some(Filter { matched, other, rules })
}

/// Calls that do not exist: on the ABI of the filter, or for libseccomp anywhere.
fn check_calls(rules: &[Written], abis: &[Abi], runtime: Runtime, report: &mut Report) {
    let abi = abis.first().copied().unwrap_or(Abi::X86_64);
    for Written { call, span, .. } in rules {
        if runtime == Runtime::Firecracker {
            if !names::known(call) {
                report.unknown("system call", call, "", *span, names::all());
            }
        } else if !names::has(abi, call) {
            report.unknown("system call", call, &format!(" on {abi}"), *span, names::calls(abi));
        }
    }
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
        let what = what.trim_start_matches("an ");
        report.unknown(what, &name, "", json.span(), known.iter().copied());
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
fn condition(json: Json<'_>, report: &mut Report) -> Option<Condition> {
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
        report.unknown("type", &width, "", width_at, ["dword", "qword"].into_iter());
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
