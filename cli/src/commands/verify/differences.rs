//! `diff`: what two chains answer differently.

use callproof_policy::property::Comparison;
use callproof_verifier::{Limits, Space, Subject, Undecided, View};
use callproof_vm::Filter;
use serde::Serialize;

use super::claims::{Claimed, Word};
use super::prove::{Judge, Others};
use super::rules::{Section, sections, verdict};
use super::sides;
use crate::args::Pair;
use crate::error::Result;
use crate::exit::Exit;
use crate::input::{Input, admitted};
use crate::report::{Case, Finding, Report};
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
}

pub(crate) fn run(args: &Pair, input: &Input, settings: &Settings) -> Result<Differences> {
    let (left, right) = (sides::chain(&args.left, input)?, sides::chain(&args.right, input)?);
    let (a, b) = (admitted(&left, settings)?, admitted(&right, settings)?);
    let others = Others::one(&args.right, right.clone());
    let others = others.admitted(settings)?;
    let reads = format!("{} equals {}", args.left, args.right);
    let equal = Judge::new(&a, &others, &args.left, settings).relation(Comparison::Equals, &args.right, reads)?;
    let sections = if equal.answer == Word::Fails {
        differences(&a, &b, settings)
    } else {
        Ok(Vec::new())
    };
    Ok(Differences {
        kernel: settings.kernel.to_string(),
        left: sides::names(&left),
        right: sides::names(&right),
        equal,
        // The witness stands even when the rest takes too much.
        sections: sections.unwrap_or_default(),
    })
}

fn differences(
    a: &[Filter<'_>],
    b: &[Filter<'_>],
    settings: &Settings,
) -> core::result::Result<Vec<Section>, Undecided> {
    let limits = Limits::default();
    let pairs = core::cell::RefCell::new(Vec::new());
    let mut build = |endian| {
        let machine = settings.machine_of(endian);
        let (a, b) = (Subject::new(a, machine, &limits)?, Subject::new(b, machine, &limits)?);
        let mut space = Space::new(machine, &[&a, &b], &limits);
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
    sections(&mut build, settings, &label)
}

impl Differences {
    pub(crate) const fn exit(&self) -> Exit {
        match self.equal.answer {
            Word::Holds => Exit::Success,
            Word::Fails => Exit::Finding,
            Word::Undecided => Exit::Undecided,
            Word::Skipped => Exit::Usage,
        }
    }

    pub(crate) fn report(&self) -> Report {
        let findings = self.equal.witnesses.first().map(|witness| Finding {
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
