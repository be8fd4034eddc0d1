//! Claims that no half of a 64-bit argument is looked at alone.

use std::time::Instant;

use callproof_policy::{Env, Predicate, Region};
use callproof_vm::Endian;

use super::answer::{Answer, Counterexample, Finding, Outcome, Proof, Shown, Stop};
use super::proving::{Decided, by_sat, proof};
use super::registers::free_bits;
use super::statement::{Alike, Stated, alike, among, independent};
use super::verdict::with_absent;
use super::{Session, by_sat as sat, registers};
use crate::limits::{Engine, Limit, Undecided};
use crate::view::View;

/// Numbers that are asked about one by one, of calls of which the kernel reads the same bits: more than any ABI has.
const MOST_NUMBERS: usize = 1024;

/// No verdict of a call depends on the low half of a 64-bit argument alone. Where it depends on the high half too, two
/// calls show that; that it depends on neither half elsewhere is proved.
pub(super) fn whole_arguments(
    session: &mut Session<'_>,
    calls: &Predicate,
    env: &Env,
    by: (Engine, Instant),
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let (mut shown, mut neither) = (Vec::new(), Vec::new());
    for group in &alike(&grounded, session.order) {
        if group.wide_arguments().next().is_none() {
            // Nothing can be halved, which is said of the whole group.
            neither.push((group.calls.clone(), [0; 16]));
        }
        for argument in group.wide_arguments() {
            match of_argument(session, group, argument, by)? {
                Halves::Half(shown) => {
                    let found = Counterexample::of(Finding::HalfArgument { argument }, shown);
                    return Ok(with_absent(Answer::Fails(found), grounded));
                }
                Halves::Whole { both, rest } => {
                    shown.extend(both);
                    neither.push(rest);
                }
            }
        }
    }
    let stated = independent(session, &neither);
    let answer = if session.asked(&grounded)?.is_empty() || stated.is_empty() && shown.is_empty() {
        Answer::Vacuous
    } else if stated.is_empty() {
        Answer::Holds { proof: None, shown }
    } else {
        let (proof, shown) = (Some(proved(session, &stated, by)?), Vec::new());
        Answer::Holds { proof, shown }
    };
    Ok(with_absent(answer, grounded))
}

/// What verdicts do with the halves of an argument.
enum Halves {
    /// Of some call only the low half counts, as two calls show
    Half(Vec<Shown>),
    /// Of some calls both count, as pairs of calls show, and of the rest neither
    Whole {
        both: Vec<Shown>,
        rest: (Region, [u32; 16]),
    },
}

/// One call must not hide another: where the low half counts, each number is asked about alone.
fn of_argument(session: &mut Session<'_>, group: &Alike, argument: u8, by: (Engine, Instant)) -> Result<Halves, Stop> {
    let (low, high) = halves(argument, group.endian);
    let (mut both, mut numbers) = (Vec::new(), Vec::new());
    loop {
        let rest = (group.without(&numbers), low);
        let Some(found) = pair(session, rest.clone(), by)? else {
            return Ok(Halves::Whole { both, rest });
        };
        let number = found.first().map_or(0, |one| one.call.nr.cast_unsigned());
        let one = Region::all([group.calls.clone(), among(0, &[number])]);
        let Some(whole) = pair(session, (one, high), by)? else {
            return Ok(Halves::Half(found));
        };
        if numbers.len() == MOST_NUMBERS {
            let (engine, limit) = (by.0, Limit::Steps);
            return Err(Undecided { engine, limit }.into());
        }
        both.extend(whole);
        numbers.push(number);
    }
}

/// Two of the calls that differ in free bits alone and get different values, replayed.
fn pair(
    session: &mut Session<'_>,
    (calls, free): (Region, [u32; 16]),
    (engine, begun): (Engine, Instant),
) -> Result<Option<Vec<Shown>>, Stop> {
    if engine == Engine::Sat {
        return sat::pair(session, (calls, free), begun);
    }
    let function = session.function(View::Value)?;
    let within = session.space.region(&calls)?;
    registers::pair(session, &function, within, &free)
}

fn proved(session: &Session<'_>, stated: &Stated<'_>, (engine, begun): (Engine, Instant)) -> Result<Proof, Stop> {
    if engine != Engine::Sat {
        return proof(session, stated, begun);
    }
    match by_sat(session, stated, &session.limits().since(begun))? {
        Decided::Holds(proof) => Ok(proof),
        Decided::Fails(_) => Err(Stop::Unproved),
    }
}

/// The low and the high half of an argument, as masks of the words in memory.
fn halves(argument: u8, endian: Endian) -> ([u32; 16], [u32; 16]) {
    let (mut low, mut high) = ([0; 16], [0; 16]);
    free_bits(&mut low, argument, 0xffff_ffff, endian);
    free_bits(&mut high, argument, 0xffff_ffff_0000_0000, endian);
    (low, high)
}
