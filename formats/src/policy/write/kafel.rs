//! Policies of Kafel.

use core::fmt::Write as _;

use callproof_abi::Abi;
use callproof_policy::{Compare, Condition, Formula, Test as Atom};
use callproof_vm::{Action, Kernel};

use super::alternatives::Unsayable;
use super::flat::{Call, Flat};
use super::library::register;
use super::one_abi::{Habit, OneAbi, one_abi};
use super::{PolicyText, PolicyWriteOptions, Refused};
use crate::policy::kafel::{ALIASES, TARGETS};

/// Names of the registers; with names of its own Kafel compares all 64 bits of an argument.
const ARGUMENTS: &str = "(a0, a1, a2, a3, a4, a5)";
/// How many bytes of conditions a call may have.
const LONGEST: usize = 1 << 16;

/// Writes a policy of one body.
pub(super) fn write(flat: &Flat<'_>, options: &PolicyWriteOptions, refused: &mut Refused) -> Option<PolicyText> {
    let habit = Habit {
        elsewhere: Action::KillThread.value().unwrap_or_default(),
        tool: "Kafel",
    };
    let with_data = [Action::Errno, Action::Trap, Action::Trace];
    flat.check_answers("Kafel", &Action::ALL, &with_data, refused);
    let policy = one_abi(flat, options, habit, refused)?;
    if !TARGETS.contains(&policy.abi) {
        let known: Vec<&str> = TARGETS.iter().map(|abi| abi.name()).collect();
        let message = format!("Kafel compiles nothing for {}", policy.abi);
        refused.push(message, &format!("it has tables of calls of {}", known.join(", ")));
    }
    let mut blocks: Vec<(u32, Vec<String>)> = Vec::new();
    for call in &policy.calls {
        for (value, text) in entries(call, &policy, flat, refused) {
            match blocks.last_mut() {
                Some((last, texts)) if *last == value => texts.push(text),
                _ => blocks.push((value, vec![text])),
            }
        }
    }
    let mut text = String::new();
    if !blocks.is_empty() {
        let body = blocks.iter().map(|(value, calls)| {
            let calls = calls.join(",\n    ");
            format!("  {} {{\n    {calls}\n  }}", action(*value))
        });
        let _ = writeln!(
            text,
            "POLICY main {{\n{}\n}}\n\nUSE main",
            body.collect::<Vec<_>>().join(",\n")
        );
    }
    let _ = writeln!(text, "DEFAULT {}", action(policy.other));
    let abis = vec![policy.abi];
    Some(PolicyText { text, abis })
}

/// A call by the name that Kafel has for it, or by its number where that is not known.
fn name(abi: Abi, number: u32) -> String {
    let usual = abi.syscall_name(number);
    let own = ALIASES.iter().find(|(_, other)| usual == Some(*other));
    let name = match own {
        None => usual,
        Some((own, _)) if abi == Abi::X86_64 => Some(*own),
        Some(_) => None,
    };
    name.map_or_else(|| format!("SYSCALL[{number}]"), str::to_owned)
}

/// What a call gets, in order.
fn entries(call: &Call, policy: &OneAbi, flat: &Flat<'_>, refused: &mut Refused) -> Vec<(u32, String)> {
    let name = name(policy.abi, call.number);
    let mut entries = Vec::new();
    for line in &call.lines {
        let mut refuse = |message: &str, help: &str| flat.refuse(Some(line.rule), message, help, refused);
        if policy.abi.big_endian() {
            let message = "it tests an argument, of which Kafel takes the halves for each other on a big-endian ABI";
            refuse(message, "rules without conditions can be written");
            continue;
        }
        let mut condition = String::new();
        match say(&line.condition, &mut condition) {
            Ok(()) => entries.push((line.value, format!("{name}{ARGUMENTS} {{ {condition} }}"))),
            Err(why) => refuse(&why.message(), why.help()),
        }
    }
    if call.otherwise != policy.other {
        entries.push((call.otherwise, name));
    }
    entries
}

/// Any condition, as it stands.
fn say(condition: &Condition, text: &mut String) -> Result<(), Unsayable> {
    if text.len() > LONGEST {
        return Err(Unsayable::Long);
    }
    match condition {
        Formula::Atom(test) => text.push_str(&atom(test, true)?),
        Formula::Not(inner) => match &**inner {
            Formula::Atom(test) => text.push_str(&atom(test, false)?),
            inner => {
                text.push_str("!(");
                say(inner, text)?;
                text.push(')');
            }
        },
        Formula::All(parts) => joined(parts, " && ", text)?,
        Formula::Any(parts) => joined(parts, " || ", text)?,
    }
    Ok(())
}

fn joined(parts: &[Condition], between: &str, text: &mut String) -> Result<(), Unsayable> {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            text.push_str(between);
        }
        let group = matches!(part, Formula::All(_) | Formula::Any(_));
        text.push_str(if group { "(" } else { "" });
        say(part, text)?;
        text.push_str(if group { ")" } else { "" });
    }
    Ok(())
}

fn atom(test: &Atom, holds: bool) -> Result<String, Unsayable> {
    let index = register(test)?;
    let operator = match (test.compare, holds) {
        (Compare::Eq, true) => "==",
        (Compare::Eq, false) => "!=",
        (Compare::Gt, true) => ">",
        (Compare::Gt, false) => "<=",
    };
    let Atom { mask, value, .. } = *test;
    Ok(match mask {
        u64::MAX => format!("a{index} {operator} {value:#x}"),
        _ => format!("(a{index} & {mask:#x}) {operator} {value:#x}"),
    })
}

fn action(value: u32) -> String {
    let data = value & 0xffff;
    match Action::of(value, Kernel::LATEST) {
        Action::Allow => "ALLOW".to_owned(),
        Action::Errno => format!("ERRNO({data})"),
        Action::KillThread => "KILL_THREAD".to_owned(),
        Action::Trap => format!("TRAP({data})"),
        Action::Trace => format!("TRACE({data})"),
        Action::Log => "LOG".to_owned(),
        Action::UserNotif => "USER_NOTIF".to_owned(),
        _ => "KILL_PROCESS".to_owned(),
    }
}
