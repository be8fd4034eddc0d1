//! Claims about the parts of argument registers that verdicts depend on.

use callproof_policy::{Env, Predicate};
use callproof_vm::Endian;

use super::Session;
use super::answer::{Answer, Counterexample, Finding, HOLDS, Outcome, Shown, Stop};
use super::statement::alike;
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
        if let Some(shown) = pair(session, &function, within, &free)? {
            let found = Counterexample::of(Finding::SameView, shown);
            return Ok(with_absent(Answer::Fails(found), grounded));
        }
        answer = HOLDS;
    }
    Ok(with_absent(answer, grounded))
}

/// Two calls that differ in free bits alone and get different values, replayed.
pub(super) fn pair(
    session: &mut Session<'_>,
    function: &Function,
    within: Set,
    free: &[u32; 16],
) -> Result<Option<Vec<Shown>>, Stop> {
    let Some(sets) = session.space.depends(function, within, free)? else {
        return Ok(None);
    };
    let mut shown = Vec::new();
    for set in sets {
        if let Some(call) = session.space.example(set)? {
            shown.push(session.replay_own(&call, function)?);
        }
    }
    Ok(Some(shown))
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
