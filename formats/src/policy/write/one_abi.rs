//! Formats whose policies are for one ABI.

use callproof_abi::Abi;
use callproof_policy::{Cell, Span};

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
    let abi = options.abi.unwrap_or_else(|| main_abi(flat, habit.elsewhere));
    let cell = flat.of_abi(abi)?;
    let other = other(cell, flat, refused)?;
    let shared = same_arch(abi);
    for cell in &flat.cells {
        let home = cell.cell.abi();
        if home == Some(abi) {
            continue;
        }
        let beside = home.is_some_and(|home| shared.contains(&home));
        let expected = if beside { other } else { habit.elsewhere };
        if cell.uniform() != Some(expected) {
            elsewhere(cell, flat, abi, expected, habit, refused);
        }
    }
    let calls = cell.calls(other);
    Some(OneAbi { abi, calls, other })
}

fn elsewhere(cell: &FlatCell, flat: &Flat<'_>, abi: Abi, expected: u32, habit: Habit, refused: &mut Refused) {
    let what = match cell.cell {
        Cell::Abi(other) => format!("calls of {other}"),
        Cell::Unknown => "calls of unknown ABIs".to_owned(),
    };
    let by = cell
        .first_rule()
        .map_or_else(|| "the default".to_owned(), |rule| flat.name(rule));
    let Habit { tool, .. } = habit;
    let message = format!(
        "{by}: {what} get something else than {}, which is what {tool} gives them in a policy for {abi}",
        answer(expected)
    );
    let help = match cell.cell {
        Cell::Abi(beside) if same_arch(abi).contains(&beside) => format!(
            "{tool} looks at the `arch` word alone, which {beside} shares; as the last rule write `{} * on {abi}, {beside}`",
            answer(expected)
        ),
        _ => format!(
            "say so in the policy: `default {}`, and other answers for {abi} alone, `errno(EPERM) * on {abi}`; rules for \
             several ABIs make several policies",
            answer(expected)
        ),
    };
    refused.push(message, &help);
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
        Some(line) => refused.push(
            format!(
                "{}: it tests arguments of numbers that are no call of {cell}",
                flat.name(line.rule)
            ),
            "name the calls; other formats know calls by name only",
        ),
        None => {
            let numbers: Vec<String> = others
                .iter()
                .take(3)
                .map(|call| format!("{} gets {}", call.number, answer(call.otherwise)))
                .collect();
            refused.push(
                format!(
                    "numbers that are no call of {cell} get different answers: {}",
                    numbers.join(", ")
                ),
                "give them one answer: `* on ABI` in the last rule",
            );
        }
    }
    None
}

/// A 32-bit value in the words of a policy.
pub(super) fn answer(value: u32) -> String {
    answer_of(value, Span::default()).map_or_else(|| format!("{value:#x}"), |answer| answer.to_string())
}
