//! JSON of seccompiler and Firecracker.

use callproof_policy::{Condition, Test as Atom};
use callproof_vm::{Action, Kernel};
use serde_json::{Map, Value, json};

use super::alternatives::{Alternatives, Unsayable, alternatives};
use super::flat::{Call, Flat};
use super::library::whole;
use super::one_abi::{Habit, answer, one_abi};
use super::{PolicyText, PolicyWriteOptions, Refused};
use crate::policy::build::{Arg, LOW, Test};

/// The answers that seccompiler has words for.
const ACTIONS: &[Action] = &[
    Action::Allow,
    Action::Errno,
    Action::KillThread,
    Action::KillProcess,
    Action::Log,
    Action::Trace,
    Action::Trap,
];

/// A test of an argument, and whether it is of the low half alone.
type Part = (Arg, bool);

/// Writes a file with one filter, `main`.
pub(super) fn write(flat: &Flat<'_>, options: &PolicyWriteOptions, refused: &mut Refused) -> Option<PolicyText> {
    let habit = Habit {
        elsewhere: Action::KillProcess.value().unwrap_or_default(),
        tool: "seccompiler",
    };
    flat.check_answers("seccompiler", ACTIONS, &[Action::Errno, Action::Trace], refused);
    let policy = one_abi(flat, options, habit, refused)?;
    let matched = matched(&policy.calls, policy.other, flat, refused);
    let mut rules = Vec::new();
    for call in &policy.calls {
        let name = policy.abi.syscall_name(call.number);
        match (name, rules_of(call, matched)) {
            (Some(name), Ok(lists)) => rules.extend(lists.iter().map(|list| rule(name, list))),
            (None, _) => {
                let message = format!("number {} is no call of {}", call.number, policy.abi);
                let help = "seccompiler knows calls by name only";
                flat.refuse(call.first_rule(), message, help, refused);
            }
            (_, Err(why)) => {
                flat.refuse(call.first_rule(), why.message(), why.help(), refused);
            }
        }
    }
    let filter = json!({
        "mismatch_action": action(policy.other),
        "match_action": action(matched),
        "filter": rules,
    });
    let text = serde_json::to_string_pretty(&json!({ "main": filter }));
    Some(PolicyText {
        text: text.unwrap_or_default() + "\n",
        abis: vec![policy.abi],
    })
}

/// The one answer that calls get beside that of all others.
fn matched(calls: &[Call], other: u32, flat: &Flat<'_>, refused: &mut Refused) -> u32 {
    let mut found: Option<u32> = None;
    let lines = calls.iter().flat_map(|call| {
        let ends = (call.last, call.otherwise);
        let lines = call.lines.iter().map(|line| (Some(line.rule), line.value));
        lines.chain([ends])
    });
    for (rule, value) in lines.filter(|(_, value)| *value != other) {
        if *found.get_or_insert(value) != value {
            let [first, others] = [found.unwrap_or(value), other].map(answer);
            let message = format!("a third answer, {}, beside {first} and {others}", answer(value));
            let help = "a filter of seccompiler has two: one for its rules and one for all other calls";
            flat.refuse(rule, message, help, refused);
        }
    }
    // A filter without rules needs a second answer as well.
    let spare = [Action::Allow, Action::KillProcess].map(|action| action.value().unwrap_or_default());
    let spare = spare.into_iter().find(|value| *value != other);
    found.or(spare).unwrap_or_default()
}

/// The rules of a call, one of which must hold.
fn rules_of(call: &Call, matched: u32) -> Result<Alternatives<Part>, Unsayable> {
    let always = |holds| if holds { Condition::TRUE } else { Condition::FALSE };
    let mut condition = always(call.otherwise == matched);
    for line in call.lines.iter().rev() {
        let this = line.condition.clone();
        condition = if line.value == matched {
            Condition::any([this, condition])
        } else {
            Condition::all([this.negated(), condition])
        };
    }
    let lists = alternatives(&condition, &say)?;
    // A rule without conditions has no effect beside others.
    Ok(match lists.iter().any(Vec::is_empty) {
        true => vec![Vec::new()],
        false => lists,
    })
}

/// `dword` compares the low half, `qword` the register.
fn say(test: &Atom, holds: bool) -> Result<Alternatives<Part>, Unsayable> {
    if test.mask != LOW || test.value > LOW {
        let lists = whole(test, holds)?;
        let wide = |list: Vec<Arg>| list.into_iter().map(|arg| (arg, false)).collect();
        return Ok(lists.into_iter().map(wide).collect());
    }
    let full = Atom {
        mask: u64::MAX,
        ..*test
    };
    let lists = whole(&full, holds)?;
    let low = |list: Vec<Arg>| list.into_iter().map(|arg| (arg, true)).collect();
    Ok(lists.into_iter().map(low).collect())
}

fn rule(name: &str, list: &[Part]) -> Value {
    let mut object = Map::new();
    object.insert("syscall".to_owned(), json!(name));
    if !list.is_empty() {
        let args: Vec<Value> = list.iter().map(condition).collect();
        object.insert("args".to_owned(), Value::Array(args));
    }
    Value::Object(object)
}

fn condition((arg, low): &Part) -> Value {
    let (op, value) = match arg.test {
        Test::Eq(value) => (json!("eq"), value),
        Test::Ne(value) => (json!("ne"), value),
        Test::Lt(value) => (json!("lt"), value),
        Test::Le(value) => (json!("le"), value),
        Test::Gt(value) => (json!("gt"), value),
        Test::Ge(value) => (json!("ge"), value),
        Test::Masked(mask, value) => (json!({ "masked_eq": mask }), value),
        // No writer makes one.
        Test::Any(mask) => (json!({ "masked_eq": mask }), 0),
    };
    json!({ "index": arg.index, "type": if *low { "dword" } else { "qword" }, "op": op, "val": value })
}

fn action(value: u32) -> Value {
    match Action::of(value, Kernel::LATEST) {
        Action::Allow => json!("allow"),
        Action::Log => json!("log"),
        Action::Trap => json!("trap"),
        Action::KillThread => json!("kill_thread"),
        Action::Errno => json!({ "errno": value & 0xffff }),
        Action::Trace => json!({ "trace": value & 0xffff }),
        _ => json!("kill_process"),
    }
}
