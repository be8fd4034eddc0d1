//! Filters of scenarios: a few rules become a program.

use std::collections::BTreeMap;

use callproof_vm::{Action, Insn};

use super::calls;
use super::step::Abi;

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const LOAD_IMMEDIATE: u16 = 0x00;

/// Makes a program of rules such as `getpid = "errno 7"`, with the action of `default` (else ALLOW) for all other calls.
///
/// A rule `close[0]==7` is for calls with that first argument, by its low half, and goes before rules without one.
pub(super) fn program(rules: &BTreeMap<String, String>) -> Result<Vec<Insn>, String> {
    let mut program = Vec::new();
    let mut default = 0x7fff_0000;
    let (with, without): (Vec<_>, Vec<_>) = rules.iter().partition(|(call, _)| call.contains('['));
    for (call, action) in with.into_iter().chain(without) {
        let value = value(action)?;
        if call == "default" {
            default = value;
            continue;
        }
        let (name, argument) = argument(call)?;
        let nr = number(name)?;
        let skipped = if argument.is_some() { 3 } else { 1 };
        program.push(Insn::stmt(LOAD, 0));
        program.push(Insn::jump(JUMP_EQUAL, nr.cast_unsigned(), 0, skipped));
        if let Some((index, equals)) = argument {
            program.push(Insn::stmt(LOAD, index.saturating_mul(8).saturating_add(16)));
            program.push(Insn::jump(JUMP_EQUAL, equals, 0, 1));
        }
        program.push(Insn::stmt(RETURN, value));
    }
    program.push(Insn::stmt(RETURN, default));
    Ok(program)
}

/// A program behind so many instructions that do nothing to it.
pub(super) fn padded(pad: u16, program: Vec<Insn>) -> Vec<Insn> {
    let padding = core::iter::repeat_n(Insn::stmt(LOAD_IMMEDIATE, 0), usize::from(pad));
    padding.chain(program).collect()
}

/// The index of an argument, and what it must be.
type Condition = (u32, u32);

/// Splits `close[0]==7`.
fn argument(call: &str) -> Result<(&str, Option<Condition>), String> {
    let Some((name, rest)) = call.split_once('[') else {
        return Ok((call, None));
    };
    let parsed = rest.split_once("]==").and_then(|(index, equals)| {
        let index = index.parse().ok().filter(|index| *index < 6)?;
        Some((index, equals.parse().ok()?))
    });
    let problem =
        || format!("`{call}` is no condition; write a call, an argument from 0 to 5 and a number: `close[0]==7`");
    parsed.ok_or_else(problem).map(|condition| (name, Some(condition)))
}

fn number(name: &str) -> Result<i32, String> {
    let known = calls::number(name, Abi::X86_64).or_else(|| name.parse().ok());
    known.ok_or_else(|| format!("`{name}` is no call that scenarios know; write its number"))
}

/// Reads `errno 7` or `0x7ffd0000`.
pub(super) fn value(text: &str) -> Result<u32, String> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).map_err(|_| format!("`{text}` is no value of 32 bits"));
    }
    let (name, data) = text.split_once(' ').unwrap_or((text, "0"));
    let action = Action::ALL
        .into_iter()
        .find(|action| action.name().eq_ignore_ascii_case(name));
    let value = action.and_then(Action::value).ok_or_else(|| {
        format!("`{name}` is no action; write one of those in `actions_avail`, or a value as `0x7ffd0000`")
    })?;
    let data: u16 = data
        .parse()
        .map_err(|_| format!("`{data}` is no data of an action: a number from 0 to 65535"))?;
    Ok(value | u32::from(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_vm::{Filter, Machine, SeccompData};

    #[test]
    fn rules_mean_what_they_say() {
        let rules = [
            ("getpid", "errno 7"),
            ("close", "trap 3"),
            ("close[1]==9", "kill_process"),
            ("-1", "log"),
            ("default", "0x12345678"),
        ];
        let rules = rules.map(|(call, action)| (call.to_owned(), action.to_owned())).into();
        for pad in [0, 300] {
            let filter = Filter::load(padded(pad, program(&rules).unwrap())).unwrap();
            for nr in -3..500 {
                for second in [0, 9, 0x1_0000_0009] {
                    let call = SeccompData::new(0xc000_003e, nr, [9, second, 9, 9, 9, 9]);
                    let expected = match (nr, second) {
                        (39, _) => 0x0005_0007,
                        // Only the low half is compared.
                        (3, 9 | 0x1_0000_0009) => 0x8000_0000,
                        (3, _) => 0x0003_0003,
                        (-1, _) => 0x7ffc_0000,
                        _ => 0x1234_5678,
                    };
                    assert_eq!(filter.run(&call, Machine::default()), expected, "{nr} {second}");
                }
            }
        }
    }
}
