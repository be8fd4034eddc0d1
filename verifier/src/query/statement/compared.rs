//! Chains and policies held against each other, as statements.

use std::borrow::Cow;

use callproof_checker::{Claim as Statement, Part, Relation, Set as ValueSet};
use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{ByteOrder, GroundPolicy, Grounded, Region};
use callproof_vm::{Action, Filter, Kernel};

use super::super::Session;
use super::super::answer::Stop;
use super::super::regions::{NEVER, Regions};
use super::super::session::Judged;
use super::super::values::{has_data, ranges, same};
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
    let mut regions = Regions::new(session.machine().endian);
    let asked = calls.region(order);
    let (chains, parts) = match sides {
        (Compared::Chain(left), Compared::Chain(right)) => {
            let within = regions.add(&asked);
            let relations = related(comparison, kernel);
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
    Ok(Some(Stated { chains, claim }))
}

/// What a comparison of two chains says of their values.
fn related(comparison: Comparison, kernel: Kernel) -> Vec<Relation> {
    let of_actions = |wanted: &dyn Fn(Action) -> bool| ranges(&|value| wanted(Action::of(value, kernel)), &[0], kernel);
    match comparison {
        Comparison::Refines => vec![Relation::Refines],
        Comparison::Within => vec![Relation::Implies(of_actions(&Action::permits))],
        // Values with data that somebody learns are equal; of others the action is the same.
        Comparison::Equals => {
            let actions = Action::ALL.into_iter().chain([Action::Unknown]);
            let others = actions.filter(|action| !has_data(*action));
            let sets = others
                .map(|action| of_actions(&|of| of == action))
                .filter(|set| !set.is_empty());
            let same = sets.map(Relation::Implies);
            [Relation::Equal(of_actions(&has_data))]
                .into_iter()
                .chain(same)
                .collect()
        }
    }
}

/// Whether a value and another stand to each other as claimed.
fn stands(comparison: Comparison, left: u32, right: u32, kernel: Kernel) -> bool {
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
