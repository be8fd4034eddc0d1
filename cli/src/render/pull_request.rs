//! `diff` as Markdown, fit for a comment on a pull request.

use core::fmt::Write as _;
use std::path::Path;

use super::changes::{completeness, numbers, summary};
use super::markdown::cell;
use crate::commands::verify::changes::{Amount, Change, Direction, Summary};
use crate::commands::verify::claims::Word;
use crate::commands::verify::differences::Differences;

/// GitHub takes comments of 65,536 characters.
const LONGEST: usize = 60_000;
/// How many names of calls one row has, how many conditions, how many rows one ABI has, and how many of them commands.
const NAMES: usize = 30;
const CONDITIONS: usize = 4;
const ROWS: usize = 40;
const COMMANDS: usize = 10;

/// A headline, a table in numbers, and the changes of each ABI folded away with calls to try.
pub(super) fn render(differences: &Differences) -> String {
    let typed = &differences.typed;
    let mut text = format!("### callproof diff: {} → {}\n\n", code(&typed.left), code(&typed.right));
    let _ = writeln!(text, "{}", headline(differences));
    if !differences.summary.is_empty() {
        text.push_str("\n| ABI | looser | newly permitted | tighter | no longer permitted | otherwise |\n");
        text.push_str("|---|--:|--:|--:|--:|--:|\n");
        differences
            .summary
            .iter()
            .for_each(|summary| write_row(&mut text, summary));
    }
    let mut left_out = Vec::new();
    for of_abi in &differences.summary {
        let details = details(of_abi, differences);
        if text.len().saturating_add(details.len()) > LONGEST {
            left_out.push(of_abi.name());
        } else {
            text.push_str(&details);
        }
    }
    if !left_out.is_empty() {
        let _ = writeln!(
            text,
            "\nToo long for a comment are the details of {}.",
            left_out.join(", ")
        );
    }
    if let Some(of) = completeness(differences) {
        let _ = writeln!(text, "\n*{}*: {}.", of.word, of.line);
    }
    text
}

fn headline(differences: &Differences) -> String {
    let equal = &differences.equal;
    match equal.answer {
        Word::Holds if equal.proved => "**No difference**, for every possible call: proved.".to_owned(),
        Word::Holds => "**No difference**.".to_owned(),
        Word::Undecided | Word::Skipped => format!("**Undecided**: {}.", cell(&equal.reason)),
        Word::Fails if differences.summary.is_empty() => {
            let shown = equal
                .witnesses
                .first()
                .map(|witness| format!(": {}", code(&witness.call)));
            format!("**There is a difference**{}", shown.unwrap_or_default())
        }
        Word::Fails => {
            let any = |direction| {
                differences
                    .summary
                    .iter()
                    .any(|summary| summary.of(direction) != Amount::default())
            };
            let permits = differences.summary.iter().any(|summary| summary.looser.permission > 0)
                || differences
                    .changes
                    .iter()
                    .any(|change| change.permission && change.change == Direction::Looser);
            match (any(Direction::Looser), any(Direction::Tighter)) {
                (true, _) if permits => "**Looser**: calls are permitted that were denied.".to_owned(),
                (true, true) => "**Looser and tighter**; no call is newly permitted.".to_owned(),
                (true, false) => "**Looser**, but no call is newly permitted.".to_owned(),
                (false, true) => "**Tighter**; nothing is looser.".to_owned(),
                (false, false) => "**Answers differ** in their data alone; nothing is looser or tighter.".to_owned(),
            }
        }
    }
}

fn write_row(text: &mut String, summary: &Summary) {
    let count = |amount: Amount| match numbers(amount.numbers) {
        None => amount.calls.to_string(),
        Some(numbers) => format!("{} + {numbers}", amount.calls),
    };
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} |",
        summary.name(),
        count(summary.looser),
        summary.looser.permission,
        count(summary.tighter),
        summary.tighter.permission,
        count(summary.otherwise)
    );
}

fn details(of_abi: &Summary, differences: &Differences) -> String {
    let of_this = |change: &&Change| change.abi == of_abi.abi;
    let changes: Vec<&Change> = differences.changes.iter().filter(of_this).collect();
    let mut text = format!(
        "\n<details><summary>{}: {}</summary>\n\n",
        of_abi.name(),
        summary(of_abi)
    );
    text.push_str("| | calls | when | A | B |\n|---|---|---|---|---|\n");
    for change in changes.iter().take(ROWS) {
        let calls = if change.rest {
            change.about()
        } else {
            head(&change.calls, NAMES, ", ")
        };
        let when = if change.when.is_empty() {
            "always".to_owned()
        } else {
            head(&change.when, CONDITIONS, " or ")
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            change.change.name(),
            cell(&calls),
            cell(&when),
            cell(&change.left),
            cell(&change.right)
        );
    }
    if let Some(more) = changes.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "| | and {more} more changes | | | |");
    }
    // A block that is indented needs no fence, which a name could end.
    text.push('\n');
    for shown in changes
        .iter()
        .filter_map(|change| change.witness.as_ref())
        .take(COMMANDS)
    {
        let typed = &differences.typed;
        for (side, answer) in [(&typed.left, &shown.left), (&typed.right, &shown.right)] {
            let _ = writeln!(text, "    {} # {answer}", eval(side, &shown.call, &typed.options));
        }
    }
    text.push_str("\n</details>\n");
    text
}

/// The first of some words, and how many more there are.
fn head(words: &[String], most: usize, between: &str) -> String {
    let shown = words.iter().take(most).cloned().collect::<Vec<_>>().join(between);
    match words.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}{between}{more} more"),
    }
}

/// The command that shows an answer.
fn eval(side: &str, call: &str, options: &[String]) -> String {
    let mut words = vec!["callproof".to_owned(), "eval".to_owned()];
    words.extend(options.iter().map(|option| quoted(option)));
    if call.starts_with('-') {
        words.push("--".to_owned());
    }
    if Path::new(side).exists() {
        words.push(quoted(side));
    } else {
        words.extend(side.split(',').map(quoted));
    }
    words.push(quoted(call));
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,#".contains(c);
    if !word.is_empty() && !word.starts_with('#') && word.chars().all(plain) {
        return word.to_owned();
    }
    // A line break would end the block's line.
    let word: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Text as code, which no Markdown in it ends.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let options = ["--runtime".to_owned(), "crun".to_owned()];
        assert_eq!(
            eval("a.json,it's.bpf", "read(0)", &options),
            "callproof eval --runtime crun a.json 'it'\\''s.bpf' 'read(0)'"
        );
        assert_eq!(quoted("a\nb`c"), "'ab`c'");
        assert_eq!(code("a`b"), "`a'b`");
        let words: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(
            (head(&words, 3, ", "), head(&words, 1, ", ")),
            ("a, b, c".to_owned(), "a, 2 more".to_owned())
        );
    }
}
