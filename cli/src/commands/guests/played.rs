//! The scenarios of `kernel scenarios` in a guest: this program is run there, and prints what it saw.

use std::collections::BTreeMap;

use callproof_kernel_diff::guest::{Outcome as Tally, Player, Ran, Tale};
use serde::{Deserialize, Serialize};

use super::super::scenarios::{Outcome, Scenarios, Seen, Told};
use crate::error::{Failure, Result};

/// The scenarios that callproof brings along, in a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Played {
    /// How many there are
    pub(crate) known: usize,
    /// Guest and model show what the scenario says
    pub(crate) agreed: usize,
    /// Guest and model show the same, and the scenario something else: it was written for a newer kernel
    pub(crate) alike: Vec<String>,
    /// Names of those that were not played, by reason
    pub(crate) skipped: BTreeMap<String, Vec<String>>,
    /// Guest and model show different things
    pub(crate) differing: Vec<String>,
    /// Those that could not be played to their end
    pub(crate) failed: Vec<String>,
}

/// This program, as it is called in a guest.
pub(super) fn player() -> Result<Player> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::environment(format_args!("cannot find the file of this program: {error}")))?;
    let words = ["--format", "json", "kernel", "scenarios", "--any-release"]
        .map(str::to_owned)
        .to_vec();
    Ok(Player { program, words })
}

#[derive(Deserialize)]
struct Document {
    answer: Scenarios,
}

impl Played {
    /// Reads what the program printed, or tells why it cannot be read.
    pub(super) fn read(ran: &Ran) -> core::result::Result<Self, String> {
        let document: Document = serde_json::from_slice(&ran.output).map_err(|_| {
            let said = String::from_utf8_lossy(&ran.output);
            let said: String = said.chars().filter(|letter| !letter.is_control()).take(300).collect();
            match ran.exit_code() {
                Some(code) => format!("the scenarios could not be played, with exit code {code}: {said}"),
                None => format!("the scenarios could not be played, ended by a signal: {said}"),
            }
        })?;
        let mut played = Self::default();
        for told in document.answer.scenarios {
            played.add(&told);
        }
        Ok(played)
    }

    /// What an agent told.
    pub(super) fn of_tales(tales: &[Tale]) -> Self {
        let mut played = Self::default();
        for tale in tales {
            played.known = played.known.saturating_add(1);
            let place = || format!("{}:{}: {}", tale.file, tale.line, tale.name);
            match &tale.outcome {
                Tally::AsWritten => played.agreed = played.agreed.saturating_add(1),
                Tally::Alike => played.alike.push(place()),
                Tally::Differs { line, guest, model } => played.differing.push(format!(
                    "{}: the guest shows `{guest}` in line {line}, the model `{model}`",
                    place()
                )),
                Tally::Skipped(why) => played.skipped.entry(why.clone()).or_default().push(tale.name.clone()),
                Tally::Failed(why) => played.failed.push(format!("{}: the model: {why}", place())),
            }
        }
        played
    }

    fn add(&mut self, told: &Told) {
        self.known = self.known.saturating_add(1);
        let Some(Outcome { model, kernel, .. }) = &told.outcome else {
            return;
        };
        let place = || format!("{}:{}: {}", told.file, told.line, told.name);
        match (model, kernel) {
            (Seen::Agreed, Seen::Agreed) => self.agreed = self.agreed.saturating_add(1),
            (_, Seen::Failed { why }) => self.failed.push(format!("{}: {why}", place())),
            (Seen::Failed { why }, _) => self.failed.push(format!("{}: the model: {why}", place())),
            (_, Seen::Skipped { why }) | (Seen::Skipped { why }, _) => {
                self.skipped.entry(why.clone()).or_default().push(told.name.clone());
            }
            (model, kernel) if model == kernel => self.alike.push(format!("{}: {}", place(), shown(kernel))),
            _ => self.differing.push(format!(
                "{}: the guest shows {}, the model {}",
                place(),
                shown(kernel),
                shown(model)
            )),
        }
    }

    /// How many were played to their end.
    pub(crate) const fn played(&self) -> usize {
        self.agreed
            .saturating_add(self.alike.len())
            .saturating_add(self.differing.len())
    }
}

/// What a runner saw at the first step that showed something else.
fn shown(seen: &Seen) -> String {
    match seen {
        Seen::Differed { line, expected, seen } => format!("`{seen}` in line {line}, for `{expected}`"),
        _ => "what it says".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(status: i32, output: &str) -> Ran {
        Ran {
            status,
            output: output.as_bytes().to_vec(),
        }
    }

    fn told(model: &str, kernel: &str) -> String {
        format!(
            r#"{{"file":"a.toml","line":3,"name":"n","outcome":{{"model":{model},"kernel":{kernel},"alike":false}}}}"#
        )
    }

    #[test]
    fn what_a_guest_printed_is_counted() {
        let agreed = r#"{"result":"agreed"}"#;
        let other = |seen: &str| format!(r#"{{"result":"differed","line":7,"expected":"done","seen":"{seen}"}}"#);
        let skipped = r#"{"result":"skipped","why":"needs Linux 5.19"}"#;
        let failed = r#"{"result":"failed","why":"it hung"}"#;
        let all = [
            told(agreed, agreed),
            told(&other("x"), &other("x")),
            told(&other("x"), &other("y")),
            told(agreed, &other("y")),
            told(&other("x"), agreed),
            told(skipped, skipped),
            told(agreed, failed),
        ]
        .join(",");
        let text = format!(r#"{{"command":"c","answer":{{"kernel":"5.10","scenarios":[{all}]}}}}"#);
        let played = Played::read(&ran(0x500, &text)).unwrap();
        let counts = (played.known, played.agreed, played.alike.len(), played.differing.len());
        assert_eq!(counts, (7, 1, 1, 3));
        assert_eq!(played.played(), 5);
        assert_eq!(played.skipped["needs Linux 5.19"], ["n"]);
        assert_eq!(played.failed, ["a.toml:3: n: it hung"]);
        assert_eq!(
            played.differing[1],
            "a.toml:3: n: the guest shows `y` in line 7, for `done`, the model what it says"
        );
    }

    #[test]
    fn a_program_that_fails_is_told_with_its_words() {
        let said = Played::read(&ran(0x400, "error: no filters\n")).unwrap_err();
        assert!(said.contains("exit code 4: error: no filters"), "{said}");
        assert!(Played::read(&ran(11, "")).unwrap_err().contains("signal"));
    }
}
