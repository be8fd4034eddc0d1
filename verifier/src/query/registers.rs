//! Claims about the parts of argument registers that verdicts depend on.

use std::time::Instant;

use callproof_policy::{Env, Predicate};
use callproof_vm::Endian;

use super::Session;
use super::answer::{Answer, Counterexample, Finding, HOLDS, Outcome, Stop};
use super::proving::proof;
use super::statement::{alike, independent};
use super::verdict::with_absent;
use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::test::{Relation, WordTest};
use crate::view::View;

/// Two calls that the kernel cannot tell apart get the same value.
pub(super) fn same_view(session: &mut Session<'_>, calls: &Predicate, env: &Env) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let function = session.function(View::Value)?;
    let mut answer = Answer::Vacuous;
    for group in alike(&grounded, session.order) {
        let within = session.space.region(&group.calls)?;
        if within.is_empty() {
            continue;
        }
        let mut free = [0; 16];
        for (argument, mask) in (0_u8..).zip(group.reads) {
            free_bits(&mut free, argument, !mask, group.endian);
        }
        if let Some(found) = pair(session, &function, within, &free, Finding::SameView)? {
            return Ok(with_absent(Answer::Fails(found), grounded));
        }
        answer = HOLDS;
    }
    Ok(with_absent(answer, grounded))
}

/// No verdict depends on the low half of a 64-bit argument alone. Where it depends on the high half, two calls show
/// that; that it depends on neither half elsewhere is proved.
pub(super) fn whole_arguments(
    session: &mut Session<'_>,
    calls: &Predicate,
    env: &Env,
    begun: Instant,
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let function = session.function(View::Value)?;
    let groups = alike(&grounded, session.order);
    let (mut shown, mut neither, mut asked) = (Vec::new(), Vec::new(), false);
    for group in &groups {
        let within = session.space.region(&group.calls)?;
        if within.is_empty() {
            continue;
        }
        asked = true;
        for (argument, _) in (0_u8..).zip(group.reads).filter(|(_, mask)| *mask == u64::MAX) {
            let (low, high) = halves(argument, group.endian);
            let finding = Finding::HalfArgument { argument };
            if let Some(pair) = pair(session, &function, within, &high, finding.clone())? {
                shown.extend(pair.shown);
                continue;
            }
            if let Some(found) = pair(session, &function, within, &low, finding)? {
                return Ok(with_absent(Answer::Fails(found), grounded));
            }
            neither.push((&group.calls, low));
        }
    }
    let stated = independent(session, &neither);
    let answer = match asked {
        false => Answer::Vacuous,
        true if stated.is_empty() && shown.is_empty() => Answer::Vacuous,
        true if stated.is_empty() => Answer::Holds { proof: None, shown },
        true => Answer::Holds {
            proof: Some(proof(session, &stated, begun)?),
            shown: Vec::new(),
        },
    };
    Ok(with_absent(answer, grounded))
}

/// The low and the high half of an argument, as masks of the words in memory.
pub(super) fn halves(argument: u8, endian: Endian) -> ([u32; 16], [u32; 16]) {
    let (mut low, mut high) = ([0; 16], [0; 16]);
    free_bits(&mut low, argument, 0xffff_ffff, endian);
    free_bits(&mut high, argument, 0xffff_ffff_0000_0000, endian);
    (low, high)
}

/// Two calls that differ in free bits alone and get different values, replayed.
fn pair(
    session: &mut Session<'_>,
    function: &Function,
    within: Set,
    free: &[u32; 16],
    finding: Finding,
) -> Result<Option<Counterexample>, Stop> {
    let Some(sets) = session.space.depends(function, within, free)? else {
        return Ok(None);
    };
    let mut shown = Vec::new();
    for set in sets {
        if let Some(call) = session.space.example(set)? {
            shown.push(session.replay_own(&call, function)?);
        }
    }
    Ok(Some(Counterexample::of(finding, shown)))
}

impl Space {
    /// Two sets of calls: any call of the first and any of the second differ in free bits (a mask for each word) alone
    /// and get different values. `None` when values within a set do not depend on free bits.
    fn depends(&mut self, function: &Function, within: Set, free: &[u32; 16]) -> Result<Option<[Set; 2]>, Undecided> {
        let roots = match &function.form {
            Form::Whole(root) => vec![*root],
            Form::Bits(bits) => bits.to_vec(),
        };
        for root in roots {
            if let Some(found) = self.clash(root, within, free)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn clash(&mut self, root: Ref, within: Set, free: &[u32; 16]) -> Result<Option<[Set; 2]>, Undecided> {
        /// A value that no function has: the data of ALLOW is lost.
        const OUTSIDE: u32 = 0x7fff_ffff;
        let outside = self.arena.constant(OUTSIDE)?;
        let inside = self.arena.choose(within.0, root, outside)?;
        let mut before = Set::EMPTY;
        for value in self.arena.leaves(inside) {
            if value == OUTSIDE {
                continue;
            }
            let op = self.arena.own_op();
            let with = Set(self.arena.map(op, inside, &mut |leaf| u32::from(leaf == value))?);
            let possible = self.whatever(with, free)?;
            let both = self.and(before, possible)?;
            if let Some(words) = self.arena.smallest(both.0) {
                let alike = self.alike(&words, free)?;
                let others = self.minus(within, with)?;
                return Ok(Some([self.and(with, alike)?, self.and(others, alike)?]));
            }
            before = self.or(before, possible)?;
        }
        Ok(None)
    }

    /// The calls that are like this one but for free bits.
    fn alike(&mut self, words: &[u32; 16], free: &[u32; 16]) -> Result<Set, Undecided> {
        let mut alike = Set::ALL;
        for (word, (value, free)) in (0_u8..).zip(words.iter().zip(free)) {
            let same = self.word(&WordTest {
                word,
                relation: Relation::Equal,
                mask: !free,
                value: value & !free,
            })?;
            alike = self.and(alike, same)?;
        }
        Ok(alike)
    }
}

/// Adds the bits of an argument to those of the words it lies in.
pub(super) fn free_bits(free: &mut [u32; 16], argument: u8, bits: u64, endian: Endian) {
    let first = usize::from(argument).saturating_mul(2).saturating_add(4);
    let [b0, b1, b2, b3, b4, b5, b6, b7] = bits.to_le_bytes();
    let (low, high) = (
        u32::from_le_bytes([b0, b1, b2, b3]),
        u32::from_le_bytes([b4, b5, b6, b7]),
    );
    let halves = match endian {
        Endian::Little => [low, high],
        Endian::Big => [high, low],
    };
    for (word, half) in free.iter_mut().skip(first).zip(halves) {
        *word |= half;
    }
}
