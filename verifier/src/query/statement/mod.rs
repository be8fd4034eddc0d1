//! Claims in the words of proof files.
//!
//! What is stated is made from the claim alone, never from what an engine worked out. A proof of the statement is a
//! proof of the claim, and an input that contradicts the statement contradicts the claim.

use std::borrow::Cow;
use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_checker::{Claim as Statement, Event, Part, Relation, View, Way};
use callproof_policy::property::{Hazard, Quantifier};
use callproof_policy::{Claim, Compare, Env, Formula, Grounded, Outcomes, Region, VerdictSet, WordTest, pairs};
use callproof_vm::isa::{Alu, Op, Src};
use callproof_vm::{Action, Endian, Filter};

use super::Session;
use super::answer::Stop;
use super::regions::{ALWAYS, NEVER, Regions, word};
use super::relation::{abis, high_words, same_order};
use super::values::ranges;

mod alike;
mod compared;

pub(super) use alike::{Alike, alike, independent};

/// A claim in the words of proof files, and the one or two chains that it is about, oldest filter first.
#[derive(Clone, Debug)]
pub(super) struct Stated<'f> {
    pub(super) chains: Vec<Cow<'f, [Filter<'f>]>>,
    pub(super) claim: Statement,
}

impl<'f> Stated<'f> {
    pub(super) fn about(chain: &'f [Filter<'f>], regions: Regions, parts: Vec<Part>) -> Self {
        Self {
            chains: vec![Cow::Borrowed(chain)],
            claim: Statement {
                region: regions.into_nodes(),
                parts,
            },
        }
    }

    /// Whether nothing is stated: every region is literally empty.
    pub(super) fn is_empty(&self) -> bool {
        self.claim.parts.is_empty()
    }
}

/// A claim as one statement; `None` when it is of a kind that takes more than one, or none.
pub(super) fn state<'f>(session: &Session<'f>, claim: &Claim, env: &Env) -> Result<Option<Stated<'f>>, Stop> {
    match claim {
        Claim::Verdict {
            quantifier,
            verdicts,
            calls,
        } => {
            let wanted = match quantifier {
                Quantifier::Always => true,
                Quantifier::Never => false,
                Quantifier::Sometimes => return Ok(None),
            };
            verdict(session, &calls.ground(env)?, verdicts, wanted).map(Some)
        }
        Claim::Cost { calls, at_most } => {
            let mut regions = Regions::new(session.machine().endian);
            let within = regions.add(&calls.ground(env)?.region(session.order));
            let parts = part(within, vec![view(0)], Relation::Cost(*at_most));
            Ok(Some(Stated::about(session.filters(), regions, parts)))
        }
        Claim::AbiOrder { left, right } => abi_order(session, abis(left, env)?, &abis(right, env)?).map(Some),
        Claim::SameView { calls } => alike::same_view(session, calls, env).map(Some),
        Claim::Relation {
            left,
            relation,
            right,
            calls,
        } => compared::compared(session, (left, *relation, right), &calls.ground(env)?),
        Claim::Free(Hazard::WideShift) => Ok(Some(never(session, &hazards(session, Hazard::WideShift)))),
        Claim::Free(Hazard::ZeroDivision) => Ok(Some(never(session, &hazards(session, Hazard::ZeroDivision)))),
        Claim::Cached { .. } | Claim::WholeArguments { .. } | Claim::Free(Hazard::DeadCode) => Ok(None),
    }
}

/// One part, unless it speaks of nothing.
fn part(within: u32, views: Vec<View>, relation: Relation) -> Vec<Part> {
    let stated = Part {
        within,
        views,
        relation,
    };
    if within == NEVER { Vec::new() } else { vec![stated] }
}

/// The calls of a region cost no less and no more than this.
pub(super) fn costs(within: u32, least: u32, most: u32) -> [Part; 2] {
    [Relation::CostAtLeast(least), Relation::Cost(most)].map(|relation| Part {
        within,
        views: vec![view(0)],
        relation,
    })
}

fn view(chain: u8) -> View {
    let force = Vec::new();
    View { chain, force }
}

/// The calls get verdicts of the set, or (if not `wanted`) never do.
pub(super) fn verdict<'f>(
    session: &Session<'f>,
    calls: &Grounded,
    verdicts: &VerdictSet,
    wanted: bool,
) -> Result<Stated<'f>, Stop> {
    // Errors have numbers of their own on some ABIs.
    let mut meanings: Vec<(Outcomes, Vec<Region>)> = Vec::new();
    for part in calls.parts.iter().filter(|part| !part.condition.is_false()) {
        let outcomes = verdicts.on(part.cell.abi())?;
        let region = part.region(session.order);
        match meanings.iter_mut().find(|(known, _)| *known == outcomes) {
            Some((_, regions)) => regions.push(region),
            None => meanings.push((outcomes, vec![region])),
        }
    }
    let kernel = session.kernel();
    let mut regions = Regions::new(session.machine().endian);
    let mut parts = Vec::new();
    for (outcomes, of_meaning) in meanings {
        let passes = |value| outcomes.contains_value(value, kernel) == wanted;
        let set = ranges(&passes, &outcomes.steps(), kernel);
        let within = regions.add(&Region::any(of_meaning));
        parts.extend(part(within, vec![view(0)], Relation::Within(set)));
    }
    Ok(Stated::about(session.filters(), regions, parts))
}

/// Nothing of this happens, whatever the call.
pub(super) fn never<'f>(session: &Session<'f>, events: &[Event]) -> Stated<'f> {
    let regions = Regions::new(session.machine().endian);
    let parts = part(ALWAYS, vec![view(0)], Relation::Never(events.to_vec()));
    Stated::about(session.filters(), regions, parts)
}

/// What must not happen in a chain without a hazard.
fn hazards(session: &Session<'_>, hazard: Hazard) -> Vec<Event> {
    let mut events = Vec::new();
    for (filter, program) in (0_u32..).zip(session.filters()) {
        for (pc, insn) in (0_u32..).zip(program.program()) {
            let concerned = match hazard {
                Hazard::WideShift => matches!(insn.op(), Some(Op::Alu(Alu::Lsh | Alu::Rsh, Src::X))),
                Hazard::ZeroDivision => matches!(insn.op(), Some(Op::Alu(Alu::Div, Src::X))),
                Hazard::DeadCode => false,
            };
            if concerned {
                let way = Way::Yes;
                events.push(Event { filter, pc, way });
            }
        }
    }
    events
}

/// No ABI of the left permits more than any of the right: for each call of the left, looked at as the one it is and as
/// its counterpart.
fn abi_order<'f>(session: &Session<'f>, lefts: Vec<Abi>, rights: &[Abi]) -> Result<Stated<'f>, Stop> {
    let kernel = session.kernel();
    let permits = ranges(&|value| Action::of(value, kernel).permits(), &[0], kernel);
    let mut regions = Regions::new(session.machine().endian);
    let mut parts = Vec::new();
    for a in lefts {
        for &b in rights {
            same_order(session, a, b)?;
            for (force, numbers) in counterparts(session, a, b) {
                let calls = Region::all([equal(1, u32::MAX, a.audit_arch()), among(0, &numbers)]);
                let within = regions.add(&calls);
                let views = vec![view(0), View { chain: 0, force }];
                parts.extend(part(within, views, Relation::Implies(permits.clone())));
            }
        }
    }
    Ok(Stated::about(session.filters(), regions, parts))
}

type Force = Vec<(u8, u32, u32)>;

/// What must be replaced in calls of `a` to make them their counterparts on `b`, and the numbers of those calls.
fn counterparts(session: &Session<'_>, a: Abi, b: Abi) -> BTreeMap<Force, Vec<u32>> {
    let endian = session.machine().endian;
    let mut groups: BTreeMap<Force, Vec<u32>> = BTreeMap::new();
    for (of_a, of_b) in pairs(a, b).common {
        let differ = of_a.number ^ of_b.number;
        let mut places: Vec<(u8, u32, u32)> = Vec::new();
        if differ != 0 {
            places.push((0, differ, of_b.number & differ));
        }
        if a.audit_arch() != b.audit_arch() {
            places.push((1, u32::MAX, b.audit_arch()));
        }
        if a.register_bits() < 64 {
            let cut = high_words(session.order.of(a.audit_arch()));
            places.extend(cut.into_iter().map(|place| (place, u32::MAX, 0)));
        }
        groups.entry(forced(&places, endian)).or_default().push(of_a.number);
    }
    groups
}

/// Replacements by the place of a word in memory, as proof files have them.
fn forced(places: &[(u8, u32, u32)], endian: Endian) -> Force {
    let mut force: Force = places
        .iter()
        .map(|&(place, mask, value)| (word(place, endian), mask, value))
        .collect();
    force.sort_unstable();
    force
}

fn equal(index: u8, mask: u32, value: u32) -> Region {
    Region::Atom(WordTest {
        index,
        mask,
        compare: Compare::Eq,
        value,
    })
}

/// A word has one of these values.
pub(super) fn among(index: u8, values: &[u32]) -> Region {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    let above = |value| {
        Region::Atom(WordTest {
            index,
            mask: u32::MAX,
            compare: Compare::Gt,
            value,
        })
    };
    let runs = values.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    Formula::any(runs.filter_map(|run| {
        let (first, last) = (*run.first()?, *run.last()?);
        if first == last {
            return Some(equal(index, u32::MAX, first));
        }
        let from = first.checked_sub(1).map_or(Region::TRUE, above);
        let to = if last == u32::MAX {
            Region::TRUE
        } else {
            above(last).negated()
        };
        Some(Region::all([from, to]))
    }))
}
