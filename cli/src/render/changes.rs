//! Words about differences that every format for people uses.

use crate::commands::verify::changes::{Amount, Direction, Summary};
use crate::commands::verify::claims::Word;
use crate::commands::verify::differences::Differences;

/// `3 calls looser (2 newly permitted); 1 call answered otherwise`
pub(super) fn summary(summary: &Summary) -> String {
    let parts = Direction::ALL.map(|direction| part(direction, summary.of(direction)));
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn part(direction: Direction, amount: Amount) -> Option<String> {
    let (word, permission) = match direction {
        Direction::Looser => ("looser", "newly permitted"),
        Direction::Tighter => ("tighter", "no longer permitted"),
        Direction::Otherwise => ("answered otherwise", ""),
    };
    let permission = match amount.permission {
        0 => String::new(),
        count => format!(" ({count} {permission})"),
    };
    let calls = match amount.calls {
        0 => None,
        1 => Some(format!("1 call {word}{permission}")),
        many => Some(format!("{many} calls {word}{permission}")),
    };
    match (calls, numbers(amount.numbers)) {
        (calls, None) => calls,
        (None, Some(numbers)) => Some(format!("{numbers} {word}")),
        (Some(calls), Some(numbers)) => Some(format!("{calls}, with {numbers}")),
    }
}

/// So many numbers that no call has; of very many the figure says nothing, and JSON has it.
pub(super) fn numbers(count: u64) -> Option<String> {
    const MOST: u64 = 100_000;
    match count {
        0 => None,
        1 => Some("1 number without a call".to_owned()),
        2..=MOST => Some(format!("{count} numbers without a call")),
        _ => Some("numbers without a call".to_owned()),
    }
}

/// What is known of the list of changes: that it is complete, or not. Nothing when there is no list.
pub(super) struct Completeness {
    pub(super) complete: bool,
    /// In one word or two
    pub(super) word: &'static str,
    pub(super) line: String,
}

pub(super) fn completeness(differences: &Differences) -> Option<Completeness> {
    if differences.changes.is_empty() {
        return None;
    }
    let told = |word, line| {
        Some(Completeness {
            complete: matches!(word, "proved" | "complete"),
            word,
            line,
        })
    };
    let open = differences.outside.iter().find(|claim| claim.answer == Word::Undecided);
    if let Some(open) = open {
        let line = format!(
            "that nothing is missing ({}); the changes are listed by the decision diagrams, and each call was replayed",
            open.reason
        );
        return told("not proved", line);
    }
    let proofs = match differences.outside.iter().filter(|claim| claim.proved).count() {
        0 if differences.unclaimed.is_none() => return told("complete", "every number is listed".to_owned()),
        0 => "there is no proof".to_owned(),
        1 => "the checker accepted a proof".to_owned(),
        many => format!("the checker accepted {many} proofs"),
    };
    match differences.unclaimed {
        None => told(
            "proved",
            format!("all calls that are not listed get the same answers; {proofs}"),
        ),
        Some(why) => told(
            "proved in part",
            format!(
                "calls that are not listed get the same answers; {proofs}; the rest is what the decision diagrams say, because {why}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let amount = |calls, permission, numbers| Amount {
            calls,
            permission,
            numbers,
        };
        let of = Summary {
            abi: Some("x86_64"),
            looser: amount(3, 2, 0),
            tighter: amount(1, 0, 7),
            otherwise: amount(0, 0, 5),
        };
        assert_eq!(
            summary(&of),
            "3 calls looser (2 newly permitted); 1 call tighter, with 7 numbers without a call; 5 numbers without a call \
             answered otherwise"
        );
    }
}
