//! Profiles of the OCI runtime specification.

use std::collections::{BTreeMap, BTreeSet};

use callproof_abi::Abi;
use callproof_vm::{Action, Kernel};
use serde_json::{Map, Value, json};

use super::Refused;
use super::alternatives::alternatives;
use super::flat::{Call, Flat, FlatCell};
use super::library::whole;
use super::one_abi::{answer, other};
use crate::policy::build::{Arg, Test};
use crate::policy::oci::{ACTIONS, architecture};

/// One entry of a call: what it gets when all conditions hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    args: Vec<Arg>,
    value: u32,
}

/// Writes the text of a profile, by the words of the specification.
pub(super) fn write(flat: &Flat<'_>, only: &[Abi], refused: &mut Refused) -> String {
    flat.check_answers(
        "the specification",
        &Action::ALL,
        &[Action::Errno, Action::Trace],
        refused,
    );
    let elsewhere = Action::KillThread.value();
    let listed = listed(flat, elsewhere, only, refused);
    let mut others = Vec::new();
    for cell in &listed {
        others.extend(other(cell, flat, refused));
    }
    let default = others.first().copied().or(elsewhere).unwrap_or_default();
    if others.iter().any(|value| *value != default) {
        let different: BTreeSet<u32> = others.iter().copied().collect();
        let values: Vec<String> = different.into_iter().map(answer).collect();
        let message = format!(
            "the ABIs have different answers for calls that no rule has: {}",
            values.join(", ")
        );
        refused.push(
            message,
            "a profile has one `defaultAction`; write one profile for each ABI",
        );
    }
    let calls = calls(flat, &listed, default, refused);
    let names: Vec<&str> = listed
        .iter()
        .filter_map(|cell| architecture(cell.cell.abi()?))
        .collect();
    let mut profile = action("defaultAction", "defaultErrnoRet", default);
    profile.insert(
        "architectures".to_owned(),
        json!(if names.is_empty() {
            vec!["SCMP_ARCH_X86_64"]
        } else {
            names
        }),
    );
    profile.insert("syscalls".to_owned(), Value::Array(entries(&calls)));
    let text = serde_json::to_string_pretty(&Value::Object(profile));
    text.unwrap_or_default() + "\n"
}

/// What rules say it, and of which ABIs.
type Places = BTreeMap<Option<usize>, Vec<String>>;

/// The ABIs that get anything but what libseccomp gives to those that a profile does not list.
fn listed<'f>(flat: &'f Flat<'_>, elsewhere: Option<u32>, only: &[Abi], refused: &mut Refused) -> Vec<&'f FlatCell> {
    let listed: Vec<&FlatCell> = flat
        .cells
        .iter()
        .filter(|cell| cell.counts(only) && cell.uniform() != elsewhere)
        .collect();
    let mut order = None;
    // By the rule that says it, so that one rule for many ABIs is told once.
    let (mut unlisted, mut of_other_order) = (Places::new(), Places::new());
    for cell in &listed {
        let known = cell.cell.abi().filter(|abi| architecture(*abi).is_some());
        let wrong = match known.map(Abi::big_endian) {
            None => &mut unlisted,
            Some(big) if *order.get_or_insert(big) != big => &mut of_other_order,
            Some(_) => continue,
        };
        wrong.entry(cell.first_rule()).or_default().push(cell.cell.to_string());
    }
    for (rule, abis) in unlisted {
        let message = format!(
            "calls of {}, which no profile can list, get another answer than `kill_thread`",
            abis.join(", ")
        );
        let help = "write `default kill_thread`, and `* on x86_64` as the last rule for other calls";
        flat.refuse(rule, message, help, refused);
    }
    for (rule, abis) in of_other_order {
        let message = format!("{}: of another byte order than an ABI before", abis.join(", "));
        let help = "libseccomp refuses to put both into one filter; write two profiles";
        flat.refuse(rule, message, help, refused);
    }
    listed
}

/// The entries of each name; refused where ABIs differ.
fn calls(
    flat: &Flat<'_>,
    listed: &[&FlatCell],
    default: u32,
    refused: &mut Refused,
) -> BTreeMap<&'static str, Vec<Entry>> {
    let mut calls: BTreeMap<&'static str, (Abi, Vec<Entry>)> = BTreeMap::new();
    for cell in listed {
        let Some(abi) = cell.cell.abi() else { continue };
        for call in cell.calls(default) {
            let Some(name) = abi.syscall_name(call.number) else {
                unnamed(&call, abi, flat, refused);
                continue;
            };
            if let Some(entries) = entries_of(&call, default, flat, refused) {
                let entry = calls.entry(name);
                let (other, known) = entry.or_insert_with(|| (abi, entries.clone()));
                if *known != entries {
                    differs(name, [*other, abi], refused);
                }
            }
        }
    }
    // A name that is somewhere left to the default must be so everywhere.
    for cell in listed {
        let Some(abi) = cell.cell.abi() else { continue };
        let here: Vec<u32> = cell.calls(default).iter().map(|call| call.number).collect();
        for (name, (other, _)) in &calls {
            let own = abi.syscalls().find(|call| call.name == *name);
            if own.is_some_and(|call| !here.contains(&call.number)) {
                differs(name, [*other, abi], refused);
            }
        }
    }
    calls.into_iter().map(|(name, (_, entries))| (name, entries)).collect()
}

fn differs(name: &str, [one, other]: [Abi; 2], refused: &mut Refused) {
    let message = format!("`{name}` gets other answers on {one} than on {other}, or under other conditions");
    let help =
        "an entry is for all ABIs of a profile; compare whole registers (`raw:`), or write one profile for each ABI";
    refused.push(message, help);
}

fn unnamed(call: &Call, abi: Abi, flat: &Flat<'_>, refused: &mut Refused) {
    let message = format!(
        "number {} is no call of {abi}, and gets an answer of its own",
        call.number
    );
    flat.refuse(
        call.first_rule(),
        message,
        "a profile knows calls by name only",
        refused,
    );
}

fn entries_of(call: &Call, default: u32, flat: &Flat<'_>, refused: &mut Refused) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in &call.lines {
        match alternatives(&line.condition, &whole) {
            Ok(lists) => entries.extend(lists.into_iter().map(|args| Entry {
                args,
                value: line.value,
            })),
            Err(why) => {
                flat.refuse(Some(line.rule), why.message(), why.help(), refused);
                return None;
            }
        }
    }
    if call.otherwise != default {
        entries.push(Entry {
            args: Vec::new(),
            value: call.otherwise,
        });
    }
    Some(entries)
}

/// Names with the same single entry share one, the others have their own, in order.
fn entries(calls: &BTreeMap<&'static str, Vec<Entry>>) -> Vec<Value> {
    let mut shared: BTreeMap<&Entry, Vec<&str>> = BTreeMap::new();
    let mut own = Vec::new();
    for (name, entries) in calls {
        match entries.as_slice() {
            [only] => shared.entry(only).or_default().push(name),
            several => own.extend(several.iter().map(|entry| (vec![*name], entry))),
        }
    }
    let shared = shared.into_iter().map(|(entry, names)| (names, entry));
    shared.chain(own).map(|(names, entry)| json_of(&names, entry)).collect()
}

fn json_of(names: &[&str], entry: &Entry) -> Value {
    let mut object = Map::new();
    object.insert("names".to_owned(), json!(names));
    object.append(&mut action("action", "errnoRet", entry.value));
    if !entry.args.is_empty() {
        let args: Vec<Value> = entry.args.iter().map(arg).collect();
        object.insert("args".to_owned(), Value::Array(args));
    }
    Value::Object(object)
}

fn arg(arg: &Arg) -> Value {
    let (op, value, second) = match arg.test {
        Test::Eq(value) => ("SCMP_CMP_EQ", value, None),
        Test::Ne(value) => ("SCMP_CMP_NE", value, None),
        Test::Lt(value) => ("SCMP_CMP_LT", value, None),
        Test::Le(value) => ("SCMP_CMP_LE", value, None),
        Test::Gt(value) => ("SCMP_CMP_GT", value, None),
        Test::Ge(value) => ("SCMP_CMP_GE", value, None),
        Test::Masked(mask, value) => ("SCMP_CMP_MASKED_EQ", mask, Some(value)),
        // No writer makes one.
        Test::Any(mask) => ("SCMP_CMP_MASKED_EQ", mask, Some(0)),
    };
    let mut object = Map::new();
    object.insert("index".to_owned(), json!(arg.index));
    object.insert("value".to_owned(), json!(value));
    object.extend(second.map(|second| ("valueTwo".to_owned(), json!(second))));
    object.insert("op".to_owned(), json!(op));
    Value::Object(object)
}

/// An action with its number, where it has one, in fields of these names.
fn action(field: &str, number: &str, value: u32) -> Map<String, Value> {
    let action = Action::of(value, Kernel::LATEST);
    let names = ACTIONS.iter().rev();
    let name = names
        .filter(|(_, known)| *known == action)
        .map(|(name, _)| *name)
        .next()
        .unwrap_or("SCMP_ACT_KILL");
    let mut object = Map::new();
    object.insert(field.to_owned(), json!(name));
    if matches!(action, Action::Errno | Action::Trace) {
        object.insert(number.to_owned(), json!(value & 0xffff));
    }
    object
}
