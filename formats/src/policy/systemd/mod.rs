//! `SystemCallFilter=` and the other directives of a systemd unit that become filters.
//!
//! systemd loads one filter for each directive and each ABI of the machine, the native one last, and leaves calls of
//! other ABIs alone in each. What is read here is what systemd 252 does; `docs/POLICIES.md` tells the source of each
//! fact and what later releases do otherwise.

mod calls;
mod directives;
mod families;
mod groups;
mod unit;

use callproof_abi::Abi;
use callproof_policy::{Policy, Problem, Span};
use callproof_vm::Action;

use self::directives::DIRECTIVES;
use self::unit::{Directive, Word};
use super::parts::{answer, did_you_mean};
use super::{Note, PolicyOptions, PolicyRead};

/// Sections whose directives run a program.
const SECTIONS: &[&str] = &["Service", "Socket", "Mount", "Swap"];

/// How many words all values have together. Each can stand for a group of hundreds of calls.
const MOST_WORDS: usize = 10_000;

/// Reads a unit.
pub(super) fn read(text: &str, options: &PolicyOptions<'_>) -> Result<PolicyRead, Vec<Problem>> {
    let mut unit = Unit {
        abis: local_abis(options),
        directives: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    let mut words = 0_usize;
    for directive in unit::directives(text) {
        words = words.saturating_add(directive.words.len());
        if words > MOST_WORDS {
            let message = format!("the unit's values have more than {MOST_WORDS} words");
            return Err(vec![Problem::new(message, directive.key.span)]);
        }
        unit.take(directive);
    }
    let policies: Vec<Policy> = DIRECTIVES
        .iter()
        .flat_map(|(key, build)| build(&mut unit, key))
        .collect();
    if unit.problems.is_empty() && policies.is_empty() {
        let message = "the unit has no directive that becomes a filter";
        let known: Vec<&str> = DIRECTIVES.iter().map(|(key, _)| *key).collect();
        let help = format!("those are {}", known.join("=, "));
        unit.problems.push(Problem::new(message, Span::default()).help(help));
    }
    if unit.problems.is_empty() {
        let notes = unit.notes;
        Ok(PolicyRead { policies, notes })
    } else {
        Err(unit.problems)
    }
}

/// What the builders of directives work on.
struct Unit {
    /// The ABIs of the machine, the native one last
    abis: Vec<Abi>,
    directives: Vec<Directive>,
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

/// Makes the policies of a directive, oldest filter first.
type Build = fn(&mut Unit, &str) -> Vec<Policy>;

impl Unit {
    /// Keeps a directive that is meant here.
    fn take(&mut self, directive: Directive) {
        let elsewhere = |section: &String| !SECTIONS.contains(&section.as_str());
        if directive.section.as_ref().is_some_and(elsewhere) {
            return;
        }
        let key = directive.key.text.as_str();
        let known = DIRECTIVES.iter().map(|(known, _)| *known).chain([calls::ERROR_NUMBER]);
        if known.clone().any(|known| known == key) {
            self.directives.push(directive);
        } else if key.len() < 64 {
            let near = known
                .into_iter()
                .find(|known| strsim::damerau_levenshtein(known, key) <= 2);
            if let Some(near) = near {
                let message = format!("systemd ignores `{key}=`; did you mean `{near}=`?");
                self.notes.push(Note::new(message, directive.key.span));
            }
        }
    }

    /// The values of a directive, one a line.
    fn lines(&self, key: &str) -> Vec<Vec<Word>> {
        let lines = self.directives.iter().filter(|directive| directive.key.text == key);
        lines.map(|directive| directive.words.clone()).collect()
    }

    /// A directive that is on or off; its last line counts.
    fn switch(&mut self, key: &str) -> bool {
        let mut on = false;
        for words in self.lines(key) {
            on = match words.as_slice() {
                [] => false,
                [word] => match boolean(&word.text) {
                    Some(value) => value,
                    None => {
                        self.unknown(
                            word,
                            "no boolean",
                            ["yes", "no", "true", "false", "on", "off"].into_iter(),
                        );
                        on
                    }
                },
                [_, second, ..] => {
                    self.problems.push(Problem::new("one word is expected", second.span));
                    on
                }
            };
        }
        on
    }

    fn unknown<'k>(&mut self, word: &Word, what: &str, known: impl Iterator<Item = &'k str>) {
        let near = did_you_mean(&word.text, known);
        let message = format!("`{}` is {what}{near}", crate::text::shown(&word.text));
        self.problems.push(Problem::new(message, word.span));
    }
}

fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// A policy that allows what its rules do not speak of.
fn allowing(rules: Vec<callproof_policy::Rule>) -> Policy {
    let default = answer(Action::Allow, 0, Span::default());
    Policy { default, rules }
}

/// The ABIs that systemd of a native ABI loads filters for, in its order.
fn local_abis(options: &PolicyOptions<'_>) -> Vec<Abi> {
    use Abi::{
        Aarch64, Arm, I386, Mips, Mips64, Mips64el, MipsN32, Mipsel, MipselN32, Ppc, Ppc64, Ppc64le, S390, S390x, X32,
        X86_64,
    };
    let native = options.abis.first().copied().unwrap_or(X86_64);
    match native {
        X86_64 => vec![I386, X32, X86_64],
        X32 => vec![I386, X86_64, X32],
        Aarch64 => vec![Arm, Aarch64],
        Mips => vec![Mipsel, Mips],
        Mipsel => vec![Mips, Mipsel],
        Mips64 => vec![Mipsel, Mips, MipselN32, MipsN32, Mips64el, Mips64],
        Mips64el => vec![Mips, Mipsel, MipsN32, MipselN32, Mips64, Mips64el],
        MipsN32 => vec![Mipsel, Mips, Mips64el, Mips64, MipselN32, MipsN32],
        MipselN32 => vec![Mips, Mipsel, Mips64, Mips64el, MipsN32, MipselN32],
        Ppc64 => vec![Ppc, Ppc64le, Ppc64],
        Ppc64le => vec![Ppc, Ppc64, Ppc64le],
        S390x => vec![S390, S390x],
        other => vec![other],
    }
}
