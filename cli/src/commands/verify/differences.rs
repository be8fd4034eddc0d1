//! `diff`: what two chains answer differently.

use callproof_formats::call::print;
use callproof_policy::property::Comparison;
use callproof_verifier::{Limits, Space, Subject, Undecided, View};
use callproof_vm::{Chain, Filter, SeccompData};
use serde::Serialize;

use super::claims::{Claimed, Reached, Word};
use super::live::{Live, Running};
use super::prove::{Judge, Others};
use super::rules::{Differing, Section, sections, verdict};
use super::sides;
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
    /// Whether they are equal, with a call that gets different verdicts
    pub(crate) equal: Claimed,
    /// Where they differ, as `LEFT -> RIGHT`; disjoint
    pub(crate) sections: Vec<Section>,
    /// The limit that was reached while they were listed; there are no sections then
    pub(crate) limit: Option<Reached>,
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
        Ok(Vec::new())
    };
    let limit = found.as_ref().err().map(|undecided| Reached::new(*undecided, &limits));
    let mut sections = found.unwrap_or_default();
    let mut running = args.live.then(Running::new);
    for rule in sections.iter_mut().flat_map(|section| &mut section.rules) {
        let replayed = rule
            .examples
            .iter()
            .map(|call| replayed(call, [&a, &b], &mut running, settings));
        rule.witnesses = replayed.collect::<Result<_>>()?;
    }
    Ok(Differences {
        kernel: settings.kernel.to_string(),
        left: sides::names(&left),
        right: sides::names(&right),
        equal,
        // The witness stands even when the rest takes too much.
        sections,
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

fn differences(
    a: &[Filter<'_>],
    b: &[Filter<'_>],
    settings: &Settings,
    limits: &Limits,
) -> core::result::Result<Vec<Section>, Undecided> {
    let pairs = core::cell::RefCell::new(Vec::new());
    let mut build = |endian| {
        let machine = settings.machine_of(endian);
        let (a, b) = (Subject::new(a, machine, limits)?, Subject::new(b, machine, limits)?);
        let mut space = Space::new(machine, &[&a, &b], limits);
        let (a, b) = (space.function(&a, View::Value)?, space.function(&b, View::Value)?);
        let (function, found) = space.paired(&a, &b)?;
        *pairs.borrow_mut() = found;
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
    sections(&mut build, settings, &label, true)
}

impl Differences {
    pub(crate) fn exit(&self) -> Exit {
        let rules = self.sections.iter().flat_map(|section| &section.rules);
        let mut shown = rules.flat_map(|rule| &rule.witnesses).flat_map(|one| &one.live);
        if self.equal.disagrees() || shown.any(Live::disagrees) {
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
        let findings = self.equal.witnesses.first().map(|witness| Finding {
            level: Level::Error,
            rule: "difference",
            message: format!("{}: {}", self.equal.reason, witness.call),
            file: None,
            line: None,
        });
        let case = match self.equal.answer {
            Word::Undecided | Word::Skipped => Case::skipped(self.equal.claim.clone(), self.equal.reason.clone()),
            Word::Holds | Word::Fails => Case::new(self.equal.claim.clone(), findings.into_iter().collect()),
        };
        Report {
            suite: "diff",
            cases: vec![case],
        }
    }
}
