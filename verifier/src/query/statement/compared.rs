//! Chains and policies held against each other, as statements.

use std::borrow::Cow;

use callproof_checker::{Claim as Statement, Part, Relation, Set as ValueSet};
use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{ByteOrder, GroundPolicy, Grounded, Region};
use callproof_vm::isa::Op;
use callproof_vm::{Action, Filter, Kernel};

use super::super::Session;
use super::super::answer::Stop;
use super::super::regions::{NEVER, Regions};
use super::super::session::Judged;
use super::super::values::{ranges, same};
use super::{Stated, part, view};
use crate::view::severity;

/// What a claim compares.
enum Compared<'s, 'f> {
    Chain(Cow<'f, [Filter<'f>]>),
    Policy(&'s GroundPolicy),
    /// A stack with a policy in it
    Mixed,
}

fn operand<'s, 'f>(judged: Judged<'s, 'f>) -> Compared<'s, 'f> {
    match judged {
        Judged::Chain(subject) => Compared::Chain(Cow::Borrowed(subject.filters())),
        Judged::Policy(policy) => Compared::Policy(policy),
        Judged::Stack(parts) => {
            let mut filters = Vec::new();
            for part in parts {
                match operand(part) {
                    Compared::Chain(chain) => filters.extend(chain.iter().cloned()),
                    Compared::Policy(_) | Compared::Mixed => return Compared::Mixed,
                }
            }
            Compared::Chain(Cow::Owned(filters))
        }
    }
}

pub(super) fn compared<'f>(
    session: &Session<'f>,
    (left, comparison, right): (&Operand, Comparison, &Operand),
    calls: &Grounded,
) -> Result<Option<Stated<'f>>, Stop> {
    let sides = (operand(session.operand(left)?), operand(session.operand(right)?));
    let (kernel, order) = (session.kernel(), session.order);
    let mut stronger = false;
    let mut regions = Regions::new(session.machine().endian);
    let asked = calls.region(order);
    let (chains, parts) = match sides {
        (Compared::Chain(left), Compared::Chain(right)) => {
            let within = regions.add(&asked);
            // Values that differ in what nobody learns are different all the same.
            stronger = comparison == Comparison::Equals;
            let relations = related(comparison, &left, &right, kernel);
            let parts = relations
                .into_iter()
                .flat_map(|relation| part(within, vec![view(0), view(1)], relation));
            (vec![left, right], parts.collect())
        }
        (Compared::Chain(chain), Compared::Policy(policy)) => {
            let right = |value: u32, answer: u32| stands(comparison, value, answer, kernel);
            let parts = against(policy, &asked, &mut regions, order, kernel, &right);
            (vec![chain], parts)
        }
        (Compared::Policy(policy), Compared::Chain(chain)) => {
            let left = |value: u32, answer: u32| stands(comparison, answer, value, kernel);
            let parts = against(policy, &asked, &mut regions, order, kernel, &left);
            (vec![chain], parts)
        }
        _ => return Ok(None),
    };
    let claim = Statement {
        region: regions.into_nodes(),
        parts,
    };
    Ok(Some(Stated {
        chains,
        claim,
        stronger,
    }))
}

/// What a comparison of two chains says of their values.
fn related(comparison: Comparison, left: &[Filter<'_>], right: &[Filter<'_>], kernel: Kernel) -> Vec<Relation> {
    match comparison {
        Comparison::Refines => vec![Relation::Refines],
        Comparison::Within => vec![Relation::Implies(ranges(
            &|value| Action::of(value, kernel).permits(),
            &[0],
            kernel,
        ))],
        Comparison::Equals => {
            let returned = || {
                left.iter()
                    .chain(right)
                    .flat_map(|filter| filter.program())
                    .filter_map(|insn| matches!(insn.op(), Some(Op::RetK)).then_some(insn.k))
            };
            // Data that nobody learns may differ.
            let idle = |value: u32| value & 0xffff != 0 && same(value, value & 0xffff_0000, kernel);
            if !returned().any(idle) {
                return vec![Relation::Equal];
            }
            let mut values: Vec<u32> = returned().filter(|value| !idle(*value)).collect();
            values.sort_unstable();
            values.dedup();
            let kept = values.into_iter().map(|value| Relation::Implies(vec![(value, value)]));
            [Relation::SameAction].into_iter().chain(kept).collect()
        }
    }
}

/// Whether a value and another stand to each other as claimed.
pub(in super::super) fn stands(comparison: Comparison, left: u32, right: u32, kernel: Kernel) -> bool {
    let permits = |value| Action::of(value, kernel).permits();
    match comparison {
        Comparison::Equals => same(left, right, kernel),
        Comparison::Within => permits(right) || !permits(left),
        Comparison::Refines => severity(left, kernel) <= severity(right, kernel),
    }
}

/// A chain held against a policy: one part for each answer of the policy, about the calls that get it.
fn against(
    policy: &GroundPolicy,
    asked: &Region,
    regions: &mut Regions,
    order: ByteOrder,
    kernel: Kernel,
    stands: &dyn Fn(u32, u32) -> bool,
) -> Vec<Part> {
    let mut answers: Vec<u32> = policy
        .cells
        .iter()
        .flat_map(|cell| cell.rules.iter().map(|(_, value)| *value).chain([cell.default]))
        .collect();
    answers.sort_unstable();
    answers.dedup();
    let mut parts: Vec<(ValueSet, Vec<u32>)> = Vec::new();
    for answer in answers {
        let set = ranges(&|value| stands(value, answer), &around(answer), kernel);
        match parts.iter_mut().find(|(known, _)| *known == set) {
            Some((_, answers)) => answers.push(answer),
            None => parts.push((set, vec![answer])),
        }
    }
    // Where every value will do there is nothing to state, unless nothing else would be.
    let anything = |(set, _): &(ValueSet, Vec<u32>)| set.as_slice() == [(0, u32::MAX)];
    if !parts.iter().all(anything) {
        parts.retain(|part| !anything(part));
    }
    let stated = parts.into_iter().flat_map(|(set, answers)| {
        let within = answered(policy, &answers, regions, order);
        let within = regions.choose(asked, within, NEVER);
        part(within, vec![view(0)], Relation::Within(set))
    });
    stated.collect()
}

/// Where the data of a value begins and ends, among all data.
fn around(value: u32) -> Vec<u16> {
    let data = u16::try_from(value & 0xffff).unwrap_or(0);
    let mut steps = vec![0, data, data.saturating_add(1)];
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The calls that get one of these answers.
fn answered(policy: &GroundPolicy, answers: &[u32], regions: &mut Regions, order: ByteOrder) -> u32 {
    let leads = |value: &u32| u32::from(answers.contains(value));
    let mut root = NEVER;
    for cell in &policy.cells {
        let lower = |condition: &callproof_policy::Condition| {
            let part = callproof_policy::Part {
                cell: cell.cell,
                condition: condition.clone(),
                absent: Vec::new(),
            };
            part.region(order)
        };
        let mut here = leads(&cell.default);
        // The first rule wins, so it is asked first.
        for (condition, value) in cell.rules.iter().rev() {
            here = regions.choose(&lower(condition), leads(value), here);
        }
        root = regions.choose(&lower(&cell.cell.condition()), here, root);
    }
    root
}
