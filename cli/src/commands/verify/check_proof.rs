//! `check-proof`: a stored proof, checked alone.

use callproof_checker::{Claim, Event, Part, Relation, Way, check, statement};
use callproof_vm::Endian;
use serde::Serialize;

use super::sides;
use crate::args::CheckProof;
use crate::error::{Failure, Result};
use crate::exit::Exit;
use crate::input::{Input, read_file};
use crate::report::{Case, Finding, Level, Report};

/// What the checker says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) file: String,
    pub(crate) accepted: bool,
    /// Why not
    pub(crate) reason: Option<String>,
    /// What the file claims
    pub(crate) claim: String,
    /// The filters of each chain
    pub(crate) chains: Vec<Vec<String>>,
}

pub(crate) fn run(args: &CheckProof, input: &Input) -> Result<Checked> {
    let bytes = read_file(&args.file)?;
    let name = args.file.display().to_string();
    let stated = statement(&bytes).map_err(|error| {
        Failure::usage(error)
            .at(&name)
            .with_help("name a file that `--proof-out` wrote")
    })?;
    let chains: Vec<_> = args
        .chains
        .iter()
        .map(|typed| sides::chain(typed, input))
        .collect::<Result<_>>()?;
    let endian = if stated.machine.big_endian {
        Endian::Big
    } else {
        Endian::Little
    };
    let programs: Vec<Vec<Vec<u8>>> = chains
        .iter()
        .map(|chain| {
            chain
                .iter()
                .map(|one| one.program.iter().flat_map(|insn| insn.to_bytes(endian)).collect())
                .collect()
        })
        .collect();
    let slices: Vec<Vec<&[u8]>> = programs
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let slices: Vec<&[&[u8]]> = slices.iter().map(Vec::as_slice).collect();
    let checked = check(&bytes, &slices);
    Ok(Checked {
        file: name,
        accepted: checked.is_ok(),
        reason: checked.err().map(|rejected| rejected.to_string()),
        claim: describe(&stated.claim),
        chains: chains.iter().map(|chain| sides::names(chain)).collect(),
    })
}

/// The claim in words; `docs/PROOFS.md` has the exact meaning.
fn describe(claim: &Claim) -> String {
    const SHOWN: usize = 6;
    let parts = claim.parts.iter().take(SHOWN).map(|part| describe_part(claim, part));
    let mut parts: Vec<String> = parts.collect();
    if claim.parts.len() > SHOWN {
        parts.push(format!("{} more parts", claim.parts.len() - SHOWN));
    }
    parts.join("; ")
}

fn describe_part(claim: &Claim, part: &Part) -> String {
    let which = match part.within {
        0 => "for no input".to_owned(),
        1 => "for every input".to_owned(),
        node => format!("for every input of region {node} of {}", claim.region.len() + 1),
    };
    let what = match &part.relation {
        Relation::Within(set) => format!("the value is in {}", ranges(set)),
        Relation::Equal(set) if set.as_slice() == [(0, u32::MAX)] => "both values are equal".to_owned(),
        Relation::Equal(set) => format!("if the first value is in {}, both are equal", ranges(set)),
        Relation::SameAction => "both values have the same severity".to_owned(),
        Relation::Refines => "the first value is at least as severe as the second".to_owned(),
        Relation::Implies(set) => format!("if the first value is in {}, so is the second", ranges(set)),
        Relation::Cost(bound) => format!("at most {bound} instructions are executed"),
        Relation::CostAtLeast(bound) => format!("at least {bound} instructions are executed"),
        Relation::Never(events) => {
            let named = events.iter().map(|Event { filter, pc, way }| match way {
                Way::Reached => format!("instruction {pc} of filter {filter} is executed"),
                way => format!("way {way:?} of instruction {pc} of filter {filter} is gone"),
            });
            format!("it never happens that {}", some(named))
        }
    };
    format!("{which}, {what}")
}

fn ranges(set: &callproof_checker::Set) -> String {
    some(set.iter().map(|(first, last)| format!("{first:#x}..={last:#x}")))
}

/// The first few of a list.
fn some(list: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 6;
    let mut shown: Vec<String> = list.take(SHOWN + 1).collect();
    if let Some(more) = shown.get_mut(SHOWN) {
        "...".clone_into(more);
    }
    shown.join(", ")
}

impl Checked {
    pub(crate) fn exit(&self) -> Exit {
        if self.accepted { Exit::Success } else { Exit::Finding }
    }

    pub(crate) fn report(&self) -> Report {
        let finding = self.reason.as_ref().map(|reason| Finding {
            level: Level::Error,
            rule: "proof",
            message: reason.clone(),
            file: Some(self.file.clone()),
            line: None,
        });
        Report {
            suite: "check-proof",
            cases: vec![Case::new(self.file.clone(), finding.into_iter().collect())],
        }
    }
}
