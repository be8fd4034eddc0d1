//! Policies of minijail, as its compiler reads them.

use core::fmt::Write as _;

use callproof_policy::{Compare, Test as Atom};
use callproof_vm::{Action, Kernel};

use super::alternatives::{Alternatives, Unsayable, alternatives};
use super::bits::{Bits, each_bit, equalities};
use super::flat::{Call, Flat};
use super::library::register;
use super::one_abi::{Habit, answer, one_abi};
use super::{PolicyText, PolicyWriteOptions, Refused};
use crate::policy::build::LOW;

/// Writes the text of a policy.
pub(super) fn write(flat: &Flat<'_>, options: &PolicyWriteOptions, refused: &mut Refused) -> Option<PolicyText> {
    let kill = if options.kill_process {
        Action::KillProcess
    } else {
        Action::KillThread
    };
    let habit = Habit {
        elsewhere: kill.value().unwrap_or_default(),
        tool: "minijail",
    };
    flat.check_answers("minijail", &Action::ALL, &[Action::Errno], refused);
    let policy = one_abi(flat, options, habit, refused)?;
    let mut text = default(policy.other, &policy.calls, refused);
    let word = if policy.abi.register_bits() == 32 {
        LOW
    } else {
        u64::MAX
    };
    for call in &policy.calls {
        let Some(name) = policy.abi.syscall_name(call.number) else {
            let message = format!("number {} is no call of {}", call.number, policy.abi);
            let help = "minijail knows calls by name only";
            flat.refuse(call.first_rule(), message, help, refused);
            continue;
        };
        match filters(call, policy.other, word) {
            Ok(filters) if filters.is_empty() => {}
            Ok(filters) if filters.len() == 1 => {
                let _ = writeln!(text, "{name}: {}", filters.join(""));
            }
            Ok(filters) => {
                let _ = writeln!(text, "{name}: {{ {} }}", filters.join(", "));
            }
            Err(why) => flat.refuse(call.first_rule(), why.message(), why.help(), refused),
        }
    }
    let abis = vec![policy.abi];
    Some(PolicyText { text, abis })
}

/// The line about all other calls.
fn default(other: u32, calls: &[Call], refused: &mut Refused) -> String {
    let is_error = |value: u32| Action::of(value, Kernel::LATEST) == Action::Errno;
    match Action::of(other, Kernel::LATEST) {
        Action::KillProcess | Action::KillThread | Action::Trap | Action::UserNotif => {
            format!("@default {}\n", action(other))
        }
        Action::Allow => {
            let errors = |call: &Call| {
                let ends = call.otherwise == other || is_error(call.otherwise);
                ends && call.lines.iter().all(|line| is_error(line.value))
            };
            if !calls.iter().all(errors) {
                let message = "other calls are allowed, and some call gets an answer that is no error";
                refused.push(message, "every line of a `@denylist` returns an error");
            }
            "@denylist\n".to_owned()
        }
        _ => {
            let message = format!(
                "other calls get {}, and minijail refuses a default that lets calls go on",
                answer(other)
            );
            refused.push(
                message,
                "its defaults are to kill, `trap` and `notify`, or `allow` when all rules return errors",
            );
            String::new()
        }
    }
}

/// The filters of a call, in order.
fn filters(call: &Call, other: u32, word: u64) -> Result<Vec<String>, Unsayable> {
    let mut filters = Vec::new();
    for line in &call.lines {
        let lists = alternatives(&line.condition, &|test, holds| say(test, holds, word))?;
        let clauses: Vec<String> = lists.iter().map(|list| list.join(" && ")).collect();
        if lists.iter().any(Vec::is_empty) {
            filters.push(action(line.value));
            return Ok(filters);
        }
        if !clauses.is_empty() {
            filters.push(format!("{}; {}", clauses.join(" || "), action(line.value)));
        }
    }
    if call.otherwise != other {
        filters.push(action(call.otherwise));
    }
    Ok(filters)
}

/// A test in the operators of minijail, which compare a word of the ABI.
fn say(test: &Atom, holds: bool, word: u64) -> Result<Alternatives<String>, Unsayable> {
    let index = register(test)?;
    if test.mask == word && test.value <= word {
        let operator = match (test.compare, holds) {
            (Compare::Eq, true) => "==",
            (Compare::Eq, false) => "!=",
            (Compare::Gt, true) => ">",
            (Compare::Gt, false) => "<=",
        };
        return Ok(vec![vec![format!("arg{index} {operator} {:#x}", test.value)]]);
    }
    if test.mask & !word != 0 {
        return Err(Unsayable::Test(
            "it tests the high half of an argument, and minijail compares the low halves on this ABI",
        ));
    }
    if test.compare == Compare::Eq && !holds && test.value & !test.mask == 0 {
        return Ok(unlike(index, test));
    }
    Ok(equalities(test, holds)
        .into_iter()
        .map(|bits| equality(index, bits))
        .collect())
}

/// A bit that should be set is not, or one of those that should not be is.
fn unlike(index: u8, test: &Atom) -> Alternatives<String> {
    let missing = each_bit(test.value).map(|bit| vec![format!("arg{index} in ~{bit:#x}")]);
    let clear = test.mask & !test.value;
    let set = (clear != 0).then(|| vec![format!("arg{index} & {clear:#x}")]);
    missing.chain(set).collect()
}

/// Each bit that is set, and none of those that are not.
fn equality(index: u8, Bits { mask, value }: Bits) -> Vec<String> {
    let mut tests: Vec<String> = each_bit(value).map(|bit| format!("arg{index} & {bit:#x}")).collect();
    let clear = mask & !value;
    if clear != 0 {
        tests.push(format!("arg{index} in ~{clear:#x}"));
    }
    tests
}

fn action(value: u32) -> String {
    match Action::of(value, Kernel::LATEST) {
        Action::Allow => "allow".to_owned(),
        Action::Errno => format!("return {}", value & 0xffff),
        Action::KillThread => "kill-thread".to_owned(),
        Action::Trap => "trap".to_owned(),
        Action::Trace => "trace".to_owned(),
        Action::Log => "log".to_owned(),
        Action::UserNotif => "user-notify".to_owned(),
        _ => "kill-process".to_owned(),
    }
}
