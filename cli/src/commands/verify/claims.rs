//! Claims and what came of them: the answer of `prove`, `equiv` and `subset`.

use callproof_verifier::{Answer, Finding, Limit, Limits, Outcome, Partial, Proof, Undecided};
use serde::Serialize;

use super::live::Live;
use super::witness::Witness;
use crate::exit::Exit;
use crate::report::{Case, Finding as Reported, Report};

/// What came of some claims about one chain.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Claims {
    #[serde(skip)]
    pub(crate) command: &'static str,
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    pub(crate) claims: Vec<Claimed>,
}

/// What came of one claim.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Claimed {
    /// The claim as it reads
    pub(crate) claim: String,
    /// The file it was read from; null for the command line
    pub(crate) file: Option<String>,
    pub(crate) line: Option<usize>,
    pub(crate) answer: Word,
    /// Whether a proof was accepted by the checker
    pub(crate) proved: bool,
    /// What was found, in a sentence
    pub(crate) reason: String,
    /// The calls that show it, each replayed
    pub(crate) witnesses: Vec<Witness>,
    /// Calls that an ABI does not have: nothing is claimed of them there
    pub(crate) absent: Vec<Missing>,
    /// Calls that were compared with nothing
    pub(crate) unmatched: Vec<Missing>,
    /// The limit that was reached last
    pub(crate) limit: Option<Reached>,
    /// All limits that were reached, by one engine after the other
    pub(crate) tried: Vec<Reached>,
}

/// An answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Holds,
    Fails,
    Skipped,
    Undecided,
}

/// A call that an ABI does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    pub(crate) abi: String,
    pub(crate) call: String,
}

/// A limit that was reached.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reached {
    pub(crate) engine: &'static str,
    pub(crate) limit: &'static str,
    /// How much was allowed; of the time, milliseconds
    pub(crate) most: u64,
}

impl Reached {
    pub(super) fn new(undecided: Undecided, limits: &Limits) -> Self {
        let limits = limits.of(undecided.engine);
        let most = match undecided.limit {
            Limit::States => limits.states.into(),
            Limit::Nodes => limits.nodes.into(),
            Limit::Steps => limits.steps,
            Limit::Bytes => limits.bytes,
            Limit::Values => limits.values.into(),
            Limit::Gates => limits.gates.into(),
            Limit::Conflicts => limits.conflicts,
            Limit::Time => u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX),
        };
        Self {
            engine: undecided.engine.name(),
            limit: undecided.limit.name(),
            most,
        }
    }
}

impl core::fmt::Display for Reached {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { engine, limit, most } = self;
        let unit = if *limit == Limit::Time.name() { "ms" } else { "" };
        write!(f, "the {engine} engine reached the limit `{limit}={most}{unit}`")
    }
}

impl Claimed {
    /// What an outcome says; its witnesses are made elsewhere.
    pub(super) fn new(claim: String, outcome: &Outcome, witnesses: Vec<Witness>, limits: &Limits) -> Self {
        let missing = |abi: &dyn ToString, call: &str| Missing {
            abi: abi.to_string(),
            call: call.to_owned(),
        };
        let tried: Vec<Reached> = match &outcome.answer {
            Answer::Undecided(tried) => tried.limits.iter().map(|one| Reached::new(*one, limits)).collect(),
            _ => Vec::new(),
        };
        let (answer, proved, reason) = told(&outcome.answer, &tried);
        Self {
            claim,
            file: None,
            line: None,
            answer,
            proved,
            reason,
            witnesses,
            absent: outcome
                .absent
                .iter()
                .map(|(abi, one)| missing(abi, &one.call))
                .collect(),
            unmatched: outcome.unmatched.iter().map(|(abi, call)| missing(abi, call)).collect(),
            limit: tried.last().cloned(),
            tried,
        }
    }
}

impl Claimed {
    /// Whether the running kernel contradicts the emulator about a call that is shown.
    pub(crate) fn disagrees(&self) -> bool {
        let live = self.witnesses.iter().filter_map(|one| one.live.as_ref());
        live.into_iter().any(Live::disagrees)
    }
}

/// An answer in a word, whether a proof of it was accepted, and a sentence.
fn told(answer: &Answer, tried: &[Reached]) -> (Word, bool, String) {
    match answer {
        Answer::Holds { proof: Some(proof), .. } => (Word::Holds, true, accepted(proof)),
        Answer::Holds { proof: None, shown } if shown.is_empty() => {
            let reason = "the emulator of the bitmap says so, call by call";
            (Word::Holds, false, reason.to_owned())
        }
        Answer::Holds { shown, .. } => {
            let calls = if shown.len() == 1 { "call shows" } else { "calls show" };
            (Word::Holds, false, format!("{} replayed {calls} it", shown.len()))
        }
        Answer::Fails(found) => {
            let accepted = found.proof.as_ref().map(|proof| format!("; {}", accepted(proof)));
            let reason = format!("{}{}", sentence(&found.finding), accepted.unwrap_or_default());
            (Word::Fails, found.proof.is_some(), reason)
        }
        Answer::Vacuous => {
            let reason = "it speaks of no call that these ABIs have";
            (Word::Skipped, false, reason.to_owned())
        }
        Answer::Undecided(of) => {
            let mut reasons: Vec<String> = tried.iter().map(ToString::to_string).collect();
            reasons.extend(of.known.map(|known| match known {
                Partial::CostAtMost(bound) => format!("no call costs more than {bound}"),
                Partial::Unproved => "an engine says that it holds, but no proof of it was accepted".to_owned(),
            }));
            reasons.push("raise the limit with `--limit`, or ask less".to_owned());
            (Word::Undecided, false, reasons.join("; "))
        }
    }
}

fn accepted(proof: &Proof) -> String {
    format!("the checker accepted a proof of {} bytes", proof.file().len())
}

/// What was found.
fn sentence(finding: &Finding) -> String {
    match finding {
        Finding::Verdict => "a call gets another verdict".to_owned(),
        Finding::None { pattern, cell } => {
            format!("no call of `{pattern}` on {cell} gets such a verdict")
        }
        Finding::Cost { at_most } => format!("a call costs more than {at_most}"),
        Finding::NotCached => "a call is not answered from the bitmap".to_owned(),
        Finding::Relation => "a call shows the difference".to_owned(),
        Finding::AbiOrder => "the first call is permitted, and its counterpart is not".to_owned(),
        Finding::SameView => "two calls that are the same to the kernel get different verdicts".to_owned(),
        Finding::HalfArgument { argument } => {
            format!("only the low half of args[{argument}] matters, and the kernel reads all of it")
        }
        Finding::DeadCode { dead, one_way } => {
            let place = |filter: &usize, pc: &usize| format!("{filter}:{pc}");
            let dead: Vec<_> = dead.iter().map(|(filter, pc)| place(filter, pc)).collect();
            let one_way: Vec<_> = one_way.iter().map(|(filter, pc, _)| place(filter, pc)).collect();
            format!(
                "instructions (filter:number) that no call reaches: {}; tests that always go one way: {}",
                list(&dead),
                list(&one_way)
            )
        }
        Finding::Hazard { filter, pc } => format!("a call gets there at instruction {pc} of filter {filter}"),
    }
}

fn list(places: &[String]) -> String {
    if places.is_empty() {
        "none".to_owned()
    } else {
        places.join(" ")
    }
}

impl Claims {
    /// A kernel that says otherwise decides, then one claim that fails; then one that is undecided; skipped claims alone are no success.
    pub(crate) fn exit(&self) -> Exit {
        let any = |word| self.claims.iter().any(|claim| claim.answer == word);
        if self.claims.iter().any(Claimed::disagrees) {
            Exit::Disagreement
        } else if any(Word::Fails) {
            Exit::Finding
        } else if any(Word::Undecided) {
            Exit::Undecided
        } else if any(Word::Holds) {
            Exit::Success
        } else {
            Exit::Usage
        }
    }

    pub(crate) fn report(&self) -> Report {
        let case = |claim: &Claimed| match claim.answer {
            Word::Holds => Case::new(claim.claim.clone(), Vec::new()),
            Word::Skipped | Word::Undecided => Case::skipped(claim.claim.clone(), claim.reason.clone()),
            Word::Fails => {
                let shown = claim
                    .witnesses
                    .iter()
                    .map(|one| format!("; {}: {}", one.call, one.verdict));
                Case::new(
                    claim.claim.clone(),
                    vec![Reported {
                        level: crate::report::Level::Error,
                        rule: "claim",
                        message: format!("{}{}", claim.reason, shown.collect::<String>()),
                        file: claim.file.clone(),
                        line: claim.line,
                    }],
                )
            }
        };
        Report {
            suite: self.command,
            cases: self.claims.iter().map(case).collect(),
        }
    }
}
