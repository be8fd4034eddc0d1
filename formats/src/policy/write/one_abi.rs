//! Formats whose policies are for one ABI.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::Span;

use super::flat::{Call, Flat, FlatCell};
use super::{PolicyWriteOptions, Refused};
use crate::policy::build::same_arch;
use crate::policy::parts::answer_of;

/// What a policy says of the one ABI that it is for.
#[derive(Debug)]
pub(super) struct OneAbi {
    pub(super) abi: Abi,
    /// The numbers with answers of their own
    pub(super) calls: Vec<Call>,
    /// What all others get
    pub(super) other: u32,
}

/// What a tool makes of calls that are not of the policy's ABI.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    /// What calls of other `arch` words get
    pub(super) elsewhere: u32,
    /// The tool, as the beginning of a sentence
    pub(super) tool: &'static str,
}

/// What a policy says of its one ABI; refused is one that says something else of the others than the tool does.
pub(super) fn one_abi(
    flat: &Flat<'_>,
    options: &PolicyWriteOptions,
    habit: Habit,
    refused: &mut Refused,
) -> Option<OneAbi> {
    let only = &options.abis;
    let abi = only.first().copied().unwrap_or_else(|| main_abi(flat, habit.elsewhere));
    let cell = flat.of_abi(abi)?;
    let other = other(cell, flat, refused)?;
    let shared = same_arch(abi);
    // By the rule that says it, so that one rule for many ABIs is told once.
    let mut elsewhere: BTreeMap<Option<usize>, Vec<String>> = BTreeMap::new();
    for cell in &flat.cells {
        let home = cell.cell.abi();
        if home == Some(abi) || !cell.counts(only) {
            continue;
        }
        let beside = home.filter(|home| shared.contains(home));
        let expected = if beside.is_some() { other } else { habit.elsewhere };
        if cell.uniform() == Some(expected) {
            continue;
        }
        match beside {
            Some(beside) => {
                let help = format!(
                    "{} looks at the `arch` word alone, which {beside} shares; as the last rule write `{} * on {abi}, {beside}`",
                    habit.tool,
                    answer(other)
                );
                let what = otherwise(&beside.to_string(), abi, other, habit);
                flat.refuse(cell.first_rule(), what, &help, refused);
            }
            None => elsewhere
                .entry(cell.first_rule())
                .or_default()
                .push(cell.cell.to_string()),
        }
    }
    for (rule, cells) in elsewhere {
        let help = format!(
            "say so in the policy: `default {}`, and other answers for {abi} alone, `errno(EPERM) * on {abi}`; rules for \
             several ABIs make several policies",
            answer(habit.elsewhere)
        );
        let what = otherwise(&named(&cells), abi, habit.elsewhere, habit);
        flat.refuse(rule, what, &help, refused);
    }
    let calls = cell.calls(other);
    Some(OneAbi { abi, calls, other })
}

/// Some names, and how many there are more.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more ABIs"),
    }
}

fn otherwise(abis: &str, abi: Abi, expected: u32, habit: Habit) -> String {
    format!(
        "calls of {abis} get something else than {}, which is what {} gives them in a policy for {abi}",
        answer(expected),
        habit.tool
    )
}

/// The ABI that rules are about: one whose calls differ, else one that gets something else than other ABIs.
fn main_abi(flat: &Flat<'_>, elsewhere: u32) -> Abi {
    let of = |wanted: &dyn Fn(Option<u32>) -> bool| {
        let mut cells = flat.cells.iter().filter(|cell| wanted(cell.uniform()));
        cells.find_map(|cell| cell.cell.abi())
    };
    let differs = of(&|uniform| uniform.is_none());
    let other = || of(&|uniform| uniform != Some(elsewhere));
    differs.or_else(other).unwrap_or(Abi::X86_64)
}

/// What numbers get that are no call; refused when there are several answers.
pub(super) fn other(cell: &FlatCell, flat: &Flat<'_>, refused: &mut Refused) -> Option<u32> {
    settled(cell, flat, &cell.others(|_| true), refused)
}

/// The one answer of numbers that are no calls.
pub(super) fn settled(cell: &FlatCell, flat: &Flat<'_>, others: &[Call], refused: &mut Refused) -> Option<u32> {
    if let [only] = others
        && only.lines.is_empty()
    {
        return Some(only.otherwise);
    }
    if others.is_empty() {
        return Some(0);
    }
    let tested = others.iter().find_map(|call| call.lines.first());
    let cell = cell.cell;
    match tested {
        Some(line) => flat.refuse(
            Some(line.rule),
            format_args!("it tests arguments of numbers that are no call of {cell}"),
            "name the calls; other formats know calls by name only",
            refused,
        ),
        None => {
            let numbers: Vec<String> = others
                .iter()
                .take(3)
                .map(|call| format!("{} gets {}", call.number, answer(call.otherwise)))
                .collect();
            flat.refuse(
                others.iter().find_map(|call| call.last),
                format_args!(
                    "numbers that are no call of {cell} get different answers: {}",
                    numbers.join(", ")
                ),
                "give them one answer: `* on ABI` in the last rule",
                refused,
            );
        }
    }
    None
}

/// A 32-bit value in the words of a policy.
pub(super) fn answer(value: u32) -> String {
    answer_of(value, Span::default()).map_or_else(|| format!("{value:#x}"), |answer| answer.to_string())
}
