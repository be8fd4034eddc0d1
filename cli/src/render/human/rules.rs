//! `diff` for people.

use core::fmt::Write as _;

use super::super::style::{FAINT, NAME, paint};
use super::claims::{write_claim, write_live};
use crate::commands::verify::differences::Differences;
use crate::commands::verify::rules::{Rule, Section, Tree};

pub(super) fn differences(differences: &Differences) -> String {
    let mut text = String::new();
    write_claim(&mut text, &differences.equal);
    if let Some(limit) = &differences.limit {
        let _ = writeln!(
            text,
            "  the list of all differences takes too much: {limit}; raise it with `--limit`"
        );
    }
    differences
        .sections
        .iter()
        .for_each(|section| write_section(&mut text, section));
    text
}

fn write_section(text: &mut String, section: &Section) {
    let abi = section.abi.unwrap_or("every other architecture");
    let _ = writeln!(text, "{}", paint(NAME, abi));
    for rule in &section.rules {
        write_rule(text, rule);
    }
}

fn write_rule(text: &mut String, rule: &Rule) {
    let calls = if rule.rest {
        "every other number".to_owned()
    } else {
        rule.calls.join(", ")
    };
    match &rule.then {
        Tree::Verdict(verdict) => {
            let _ = writeln!(text, "  {}: {calls}", paint(NAME, verdict));
        }
        tree => {
            let _ = writeln!(text, "  {calls}:");
            write_tree(text, tree, 4);
        }
    }
    for shown in &rule.witnesses {
        let answers = format!("{} -> {}", shown.left, shown.right);
        let _ = writeln!(
            text,
            "    {}",
            paint(FAINT, format_args!("{} gets {answers}", shown.call))
        );
        shown.live.iter().for_each(|live| write_live(text, live));
    }
}

fn write_tree(text: &mut String, tree: &Tree, indent: usize) {
    match tree {
        Tree::Verdict(verdict) => {
            let _ = writeln!(text, "{:indent$}{}", "", shown(verdict));
        }
        Tree::OneOf(verdicts) => {
            let verdicts: Vec<String> = verdicts.iter().map(|verdict| shown(verdict)).collect();
            let _ = writeln!(text, "{:indent$}one of {}", "", verdicts.join(", "));
        }
        Tree::Split { on, cases } => {
            for case in cases {
                let when = if case.when == "otherwise" {
                    case.when.clone()
                } else {
                    format!("{on} {}", case.when)
                };
                if let Tree::Verdict(verdict) = &case.then {
                    let _ = writeln!(text, "{:indent$}{when}: {}", "", shown(verdict));
                } else {
                    let _ = writeln!(text, "{:indent$}{when}:", "");
                    write_tree(text, &case.then, indent.saturating_add(2));
                }
            }
        }
    }
}

/// A verdict; where two chains agree there is none to show.
fn shown(verdict: &str) -> String {
    if verdict.is_empty() {
        paint(FAINT, "the same")
    } else {
        paint(NAME, verdict)
    }
}
