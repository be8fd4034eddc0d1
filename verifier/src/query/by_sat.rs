//! Answers by the SAT engine: each claim as statements, each statement decided with a proof or a call.

use std::time::Instant;

use callproof_policy::property::{Hazard, Operand, Quantifier};
use callproof_policy::{Claim, Env, Grounded, Predicate, Region, VerdictSet};
use callproof_vm::SeccompData;

use super::answer::{Answer, Counterexample, Finding, Outcome, Shown, Stop};
use super::proving::{Decided, by_sat};
use super::replay::contradicted;
use super::statement::{self, Stated, independent};
use super::verdict::with_absent;
use super::{Query, Session, coverage, halves, program, relation};
use crate::limits::Engine;

/// The answer to a query, without diagrams of the filters.
pub(super) fn answer(session: &mut Session<'_>, query: &Query<'_>, begun: Instant) -> Result<Outcome, Stop> {
    let env = query.env;
    let mut outcome = match query.claim {
        Claim::Cached { calls } => return program::cached(session, calls, env),
        Claim::Free(Hazard::DeadCode) => Outcome::new(coverage::by_sat_engine(session, begun)?),
        Claim::WholeArguments { calls } => halves::whole_arguments(session, calls, env, (Engine::Sat, begun))?,
        Claim::Verdict {
            quantifier: Quantifier::Sometimes,
            verdicts,
            calls,
        } => sometimes(session, verdicts, calls, env, begun)?,
        claim => one(session, claim, env, begun)?,
    };
    if let Claim::AbiOrder { left, right } = query.claim {
        outcome.unmatched = relation::unmatched(left, right, env)?;
    }
    Ok(outcome)
}

/// A claim that is one statement.
fn one(session: &mut Session<'_>, claim: &Claim, env: &Env, begun: Instant) -> Result<Outcome, Stop> {
    let calls = match claim {
        Claim::Verdict { calls, .. }
        | Claim::Cost { calls, .. }
        | Claim::SameView { calls }
        | Claim::Relation { calls, .. } => Some(calls.ground(env)?),
        _ => None,
    };
    let Some(stated) = statement::state(session, claim, env)? else {
        return Err(Stop::Unproved);
    };
    let nothing = match &calls {
        Some(calls) => session.asked(calls)?.is_empty(),
        None => matches!(claim, Claim::AbiOrder { .. }) && stated.is_empty(),
    };
    let answer = if nothing {
        Answer::Vacuous
    } else {
        match decide(session, &stated, begun)? {
            Answered::Holds(answer) => answer,
            Answered::Fails(call) => failing(session, claim, &stated, &call)?,
        }
    };
    Ok(calls.map_or_else(
        || Outcome::new(answer.clone()),
        |calls| with_absent(answer.clone(), calls),
    ))
}

enum Answered {
    Holds(Answer),
    Fails(SeccompData),
}

fn decide(session: &Session<'_>, stated: &Stated<'_>, begun: Instant) -> Result<Answered, Stop> {
    Ok(match by_sat(session, stated, &session.limits().since(begun))? {
        Decided::Holds(proof) => Answered::Holds(Answer::Holds {
            proof: Some(proof),
            shown: Vec::new(),
        }),
        Decided::Fails(call) => Answered::Fails(call),
    })
}

/// The counterexample that a call is.
fn failing(session: &Session<'_>, claim: &Claim, stated: &Stated<'_>, call: &SeccompData) -> Result<Answer, Stop> {
    let Some(found) = contradicted(session, stated, call) else {
        return Err(Stop::Unproved);
    };
    let finding = match claim {
        Claim::Cost { at_most, .. } => Finding::Cost { at_most: *at_most },
        Claim::AbiOrder { .. } => Finding::AbiOrder,
        Claim::SameView { .. } => Finding::SameView,
        Claim::Relation { .. } => Finding::Relation,
        Claim::Free(_) => match found.happened.first() {
            Some(event) => Finding::Hazard {
                filter: event.filter as usize,
                pc: event.pc as usize,
            },
            None => return Err(Stop::Unproved),
        },
        _ => Finding::Verdict,
    };
    let shown = match claim {
        Claim::Relation { left, right, .. } => vec![side(session, left, call)?, side(session, right, call)?],
        _ => found.calls.iter().map(|call| session.shown(call)).collect(),
    };
    Ok(Answer::Fails(Counterexample::of(finding, shown)))
}

fn side(session: &Session<'_>, operand: &Operand, call: &SeccompData) -> Result<Shown, Stop> {
    Ok(session.shown_by(call, &session.operand(operand)?))
}

/// For each pattern, on each ABI that has it: a call with a verdict of the set, or a proof that there is none.
fn sometimes(
    session: &mut Session<'_>,
    verdicts: &VerdictSet,
    calls: &Predicate,
    env: &Env,
    begun: Instant,
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let mut shown = Vec::new();
    for one in calls.split() {
        let pattern = one.calls.first().map(ToString::to_string).unwrap_or_default();
        for part in one.ground(env)?.parts {
            let cell = part.cell;
            let alone = Grounded { parts: vec![part] };
            if session.asked(&alone)?.is_empty() {
                continue;
            }
            let stated = statement::verdict(session, &alone, verdicts, false)?;
            match by_sat(session, &stated, &session.limits().since(begun))? {
                Decided::Fails(call) => shown.push(session.shown(&call)),
                Decided::Holds(proof) => {
                    let mut found = Counterexample::of(Finding::None { pattern, cell }, Vec::new());
                    found.proof = Some(proof);
                    return Ok(with_absent(Answer::Fails(found), grounded));
                }
            }
        }
    }
    if shown.is_empty() {
        return Ok(with_absent(Answer::Vacuous, grounded));
    }
    Ok(with_absent(Answer::Holds { proof: None, shown }, grounded))
}

/// Two of the calls that differ in free bits alone and get different values.
pub(super) fn pair(
    session: &Session<'_>,
    about: (Region, [u32; 16]),
    begun: Instant,
) -> Result<Option<Vec<Shown>>, Stop> {
    let stated = independent(session, &[about]);
    if stated.is_empty() {
        return Ok(None);
    }
    match by_sat(session, &stated, &session.limits().since(begun))? {
        Decided::Holds(_) => Ok(None),
        Decided::Fails(call) => {
            let found = contradicted(session, &stated, &call).ok_or(Stop::Unproved)?;
            let shown = found.calls.iter().map(|call| session.shown(call)).collect();
            Ok(Some(shown))
        }
    }
}
