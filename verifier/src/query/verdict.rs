//! Claims about the verdicts of calls.

use std::time::Instant;

use callproof_policy::property::Quantifier;
use callproof_policy::{Cell, Env, Grounded, Predicate, VerdictKind, VerdictSet};

use super::answer::{Answer, Counterexample, Finding, Outcome, Stop};
use super::proving::proof;
use super::{Session, statement};
use crate::function::Function;
use crate::space::Set;
use crate::view::View;

pub(super) fn answer(
    session: &mut Session<'_>,
    quantifier: Quantifier,
    verdicts: &VerdictSet,
    calls: &Predicate,
    env: &Env,
    begun: Instant,
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let function = session.function_for(coarsest(verdicts))?;
    let answer = match quantifier {
        Quantifier::Sometimes => sometimes(session, verdicts, calls, env, (&function, begun))?,
        Quantifier::Always | Quantifier::Never => {
            let (asked, inside) = inside(session, verdicts, &grounded, &function)?;
            let bad = if quantifier == Quantifier::Always {
                session.space.minus(asked, inside)?
            } else {
                inside
            };
            if asked.is_empty() {
                Answer::Vacuous
            } else {
                session.fails_at(bad, Finding::Verdict, &function)?
            }
        }
    };
    Ok(with_absent(answer, grounded))
}

/// The answer, with the calls that ABIs do not have.
pub(super) fn with_absent(answer: Answer, grounded: Grounded) -> Outcome {
    let mut outcome = Outcome::new(answer);
    for part in grounded.parts {
        outcome
            .absent
            .extend(part.absent.into_iter().map(|absent| (part.cell, absent)));
    }
    outcome
}

/// The least that must be told apart to see whether a value is in the set.
fn coarsest(verdicts: &VerdictSet) -> View {
    let mut view = View::Permits;
    for kind in &verdicts.kinds {
        match kind {
            VerdictKind::Deny | VerdictKind::Permit => {}
            VerdictKind::Errno(list) if !list.is_empty() => return View::Value,
            VerdictKind::Trap(list) | VerdictKind::Trace(list) if !list.is_empty() => return View::Value,
            _ => view = View::Action,
        }
    }
    view
}

/// The calls that a claim speaks of, and those of them that get a verdict of the set.
fn inside(
    session: &mut Session<'_>,
    verdicts: &VerdictSet,
    grounded: &Grounded,
    function: &Function,
) -> Result<(Set, Set), Stop> {
    let (order, kernel) = (session.order, session.kernel());
    let space = &mut session.space;
    let (mut asked, mut inside) = (Set::EMPTY, Set::EMPTY);
    let mut known = Vec::new();
    for part in &grounded.parts {
        let calls = space.part(part, order)?;
        if calls.is_empty() {
            continue;
        }
        let outcomes = verdicts.on(part.cell.abi())?;
        let good = match known.iter().find(|(known, _)| *known == outcomes) {
            Some((_, good)) => *good,
            None => {
                let good = space.outcomes(function, &outcomes, kernel)?;
                known.push((outcomes, good));
                good
            }
        };
        let good = space.and(calls, good)?;
        asked = space.or(asked, calls)?;
        inside = space.or(inside, good)?;
    }
    Ok((asked, inside))
}

/// For each pattern, on each ABI that has it: a call with a verdict of the set.
fn sometimes(
    session: &mut Session<'_>,
    verdicts: &VerdictSet,
    calls: &Predicate,
    env: &Env,
    (function, begun): (&Function, Instant),
) -> Result<Answer, Stop> {
    let mut shown = Vec::new();
    for one in calls.split() {
        let pattern = one.calls.first().map(ToString::to_string).unwrap_or_default();
        for part in one.ground(env)?.parts {
            let cell: Cell = part.cell;
            let alone = Grounded { parts: vec![part] };
            let (asked, inside) = inside(session, verdicts, &alone, function)?;
            if asked.is_empty() {
                continue;
            }
            let Some(call) = session.space.example(inside)? else {
                let none = statement::verdict(session, &alone, verdicts, false)?;
                let mut found = Counterexample::of(Finding::None { pattern, cell }, Vec::new());
                found.proof = Some(proof(session, &none, begun)?);
                return Ok(Answer::Fails(found));
            };
            shown.push(session.replay_own(&call, function)?);
        }
    }
    if shown.is_empty() {
        return Ok(Answer::Vacuous);
    }
    Ok(Answer::Holds { proof: None, shown })
}
