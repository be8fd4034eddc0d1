//! `diff`: what two chains answer differently.

use std::path::Path;

use callproof_formats::call::print;
use callproof_policy::property::Comparison;
use callproof_verifier::{Limits, Space, Subject, Undecided, View};
use callproof_vm::{Chain, Filter, SeccompData};
use serde::Serialize;

use super::changes::{Change, Summary, changes, summaries};
use super::claims::{Claimed, Reached, Stood, Word};
use super::live::{Live, Running};
use super::outside::outside;
use super::prove::{Judge, Others};
use super::rules::{Differing, Section, sections};
use super::sides;
use super::text::verdict;
use super::witness::abi;
use crate::args::Pair;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, admitted};
use crate::report::{Case, Finding, Level, Report};
use crate::settings::Settings;

/// The difference of two chains.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Differences {
    pub(crate) kernel: String,
    pub(crate) left: Vec<String>,
    pub(crate) right: Vec<String>,
    /// The sides as they were typed, and the options that they were read with
    #[serde(skip)]
    pub(crate) typed: Typed,
    /// Policies that were compared as filters
    pub(crate) compiled: Vec<Stood>,
    /// Whether they are equal, with a call that gets different verdicts
    pub(crate) equal: Claimed,
    /// The changes in numbers, for each ABI with any
    pub(crate) summary: Vec<Summary>,
    /// What changes from left to right; disjoint
    pub(crate) changes: Vec<Change>,
    /// That the two are equal for all calls that no change has, by number and by condition
    pub(crate) outside: Vec<Claimed>,
    /// Why some of that is not claimed
    pub(crate) unclaimed: Option<&'static str>,
    /// Where they differ, as `LEFT -> RIGHT`; disjoint
    pub(crate) sections: Vec<Section>,
    /// The limit that was reached while they were listed; there are no sections then
    pub(crate) limit: Option<Reached>,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) options: Vec<String>,
    /// The right side, if it is one file
    file: Option<String>,
}

pub(crate) fn run(args: &Pair, input: &Input, settings: &Settings) -> Result<Differences> {
    let (left, right) = (sides::chain(&args.left, input)?, sides::chain(&args.right, input)?);
    let (a, b) = (admitted(&left, settings)?, admitted(&right, settings)?);
    let others = Others::one(&args.right, right.clone());
    let others = others.admitted(settings)?;
    let reads = format!("{} equals {}", args.left, args.right);
    let mut judge = Judge::new(&a, &others, &args.left, args.asking(), settings);
    let equal = judge.relation(Comparison::Equals, &args.right, reads)?;
    let limits = args.effort.limits();
    let found = if equal.answer == Word::Fails {
        differences(&a, &b, settings, &limits)
    } else {
        Ok(Found::default())
    };
    let limit = found.as_ref().err().map(|undecided| Reached::new(*undecided, &limits));
    let mut found = found.unwrap_or_default();
    let mut running = args.live.then(Running::new);
    for rule in found.sections.iter_mut().flat_map(|section| &mut section.rules) {
        let replayed = rule
            .examples
            .iter()
            .map(|(_, call)| replayed(call, [&a, &b], &mut running, settings));
        rule.witnesses = replayed.collect::<Result<_>>()?;
    }
    let outside = outside(&found.sections, &mut judge, args)?;
    found.sections.retain(|section| !section.rules.is_empty());
    let changes = changes(&found.sections, &found.pairs, settings.kernel);
    let typed = Typed {
        left: args.left.clone(),
        right: args.right.clone(),
        options: settings.typed(),
        file: Path::new(&args.right).is_file().then(|| args.right.clone()),
    };
    Ok(Differences {
        kernel: settings.kernel.to_string(),
        left: sides::names(&left),
        right: sides::names(&right),
        typed,
        compiled: [sides::compiled(&left), sides::compiled(&right)].concat(),
        equal,
        summary: summaries(&changes),
        changes,
        outside: outside.claims,
        unclaimed: outside.unclaimed,
        // The witness stands even when the rest takes too much.
        sections: found.sections,
        limit,
    })
}

/// What both sides answer to a call, which are different answers.
fn replayed(
    call: &SeccompData,
    sides: [&[Filter<'_>]; 2],
    running: &mut Option<Running>,
    settings: &Settings,
) -> Result<Differing> {
    let abi = abi(call);
    let machine = settings.machine_of(settings.byte_order().of(call.arch));
    let mut live = Vec::new();
    let [left, right] = sides.map(|filters| {
        let value = Chain::new(filters).run(call, machine).value;
        live.extend(
            running
                .as_mut()
                .map(|running| running.ask(filters, call, value, settings)),
        );
        verdict(value, abi, settings.kernel)
    });
    if left == right {
        return Err(Failure::bug(format_args!(
            "the emulator sees no difference in {call:x?}"
        )));
    }
    let call = print(call);
    Ok(Differing {
        call,
        left,
        right,
        live,
    })
}

/// Sections whose values are places of pairs, and the pairs.
#[derive(Default)]
struct Found {
    sections: Vec<Section>,
    pairs: Vec<(u32, u32)>,
}

fn differences(
    a: &[Filter<'_>],
    b: &[Filter<'_>],
    settings: &Settings,
    limits: &Limits,
) -> core::result::Result<Found, Undecided> {
    let pairs = core::cell::RefCell::new(Vec::new());
    let mut build = |endian| {
        let machine = settings.machine_of(endian);
        let (a, b) = (Subject::new(a, machine, limits)?, Subject::new(b, machine, limits)?);
        let mut space = Space::new(machine, &[&a, &b], limits);
        let (a, b) = (space.function(&a, View::Value)?, space.function(&b, View::Value)?);
        let function = space.paired(&a, &b, &mut pairs.borrow_mut())?;
        Ok((space, function))
    };
    let label = |place: u32, abi| {
        let pairs = pairs.borrow();
        let pair = usize::try_from(place).ok().and_then(|place| pairs.get(place));
        match pair.filter(|_| place != 0) {
            Some((a, b)) => format!(
                "{} -> {}",
                verdict(*a, abi, settings.kernel),
                verdict(*b, abi, settings.kernel)
            ),
            None => String::new(),
        }
    };
    let sections = sections(&mut build, settings, &label, true)?;
    let pairs = pairs.into_inner();
    Ok(Found { sections, pairs })
}

impl Differences {
    pub(crate) fn exit(&self) -> Exit {
        let rules = self.sections.iter().flat_map(|section| &section.rules);
        let mut shown = rules.flat_map(|rule| &rule.witnesses).flat_map(|one| &one.live);
        if self.equal.disagrees() || self.outside.iter().any(Claimed::disagrees) || shown.any(Live::disagrees) {
            return Exit::Disagreement;
        }
        match self.equal.answer {
            Word::Holds => Exit::Success,
            Word::Fails => Exit::Finding,
            Word::Undecided => Exit::Undecided,
            Word::Skipped => Exit::Usage,
        }
    }

    pub(crate) fn report(&self) -> Report {
        let cases = match self.equal.answer {
            Word::Undecided | Word::Skipped => {
                vec![Case::skipped(self.equal.claim.clone(), self.equal.reason.clone())]
            }
            Word::Holds => vec![Case::new(self.equal.claim.clone(), Vec::new())],
            // Without a list there is one call that shows a difference.
            Word::Fails if self.changes.is_empty() => vec![Case::new(self.equal.claim.clone(), self.one_finding())],
            Word::Fails => self
                .changes
                .chunk_by(|a, b| a.abi == b.abi)
                .map(|of_abi| self.case(of_abi))
                .collect(),
        };
        Report { suite: "diff", cases }
    }

    fn one_finding(&self) -> Vec<Finding> {
        let findings = self.equal.witnesses.first().map(|witness| Finding {
            level: Level::Error,
            rule: "difference",
            message: format!("{}: {}", self.equal.reason, witness.call),
            file: self.typed.file.clone(),
            line: None,
        });
        findings.into_iter().collect()
    }

    fn case(&self, changes: &[Change]) -> Case {
        let abi = changes
            .first()
            .and_then(|change| change.abi)
            .unwrap_or("every other architecture");
        let findings = changes.iter().map(|change| Finding {
            level: Level::Error,
            rule: change.change.name(),
            message: change.sentence(),
            file: self.typed.file.clone(),
            line: None,
        });
        Case::new(format!("{} on {abi}", self.equal.claim), findings.collect())
    }
}
