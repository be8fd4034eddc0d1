//! Claims about the parts of argument registers that verdicts depend on.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::{ByteOrder, Cell, Compare, Env, Part, Predicate, Region, kernel_reads};
use callproof_vm::Endian;

use super::Session;
use super::answer::{Answer, Counterexample, Finding, Outcome, Stop};
use super::verdict::with_absent;
use crate::diagram::{Diagram, Ref};
use crate::function::{Form, Function};
use crate::limits::Undecided;
use crate::space::{Set, Space};
use crate::test::{Relation, WordTest};
use crate::view::View;

/// Two calls that the kernel cannot tell apart get the same value.
pub(super) fn same_view(session: &mut Session<'_>, calls: &Predicate, env: &Env) -> Result<Outcome, Stop> {
    each_group(session, calls, env, |session, function, within, reads, endian| {
        let mut free = [0; 16];
        for (argument, mask) in (0_u8..).zip(reads) {
            free_bits(&mut free, argument, !mask, endian);
        }
        pair(session, function, within, &free, Finding::SameView)
    })
}

/// No verdict depends on the low half of a 64-bit argument alone.
pub(super) fn whole_arguments(session: &mut Session<'_>, calls: &Predicate, env: &Env) -> Result<Outcome, Stop> {
    each_group(session, calls, env, |session, function, within, reads, endian| {
        for (argument, _) in (0_u8..).zip(reads).filter(|(_, mask)| *mask == u64::MAX) {
            if let Some(found) = half(session, function, within, argument, endian)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    })
}

/// Two calls of which only the low half of an argument counts: of all the calls, or of one number among them.
fn half(
    session: &mut Session<'_>,
    function: &Function,
    within: Set,
    argument: u8,
    endian: Endian,
) -> Result<Option<Counterexample>, Stop> {
    /// More numbers than any ABI has; what is left then, numbers of no call, is asked about together.
    const NUMBERS: usize = 1024;
    let (mut low, mut high) = ([0; 16], [0; 16]);
    free_bits(&mut low, argument, 0xffff_ffff, endian);
    free_bits(&mut high, argument, 0xffff_ffff_0000_0000, endian);
    let mut rest = within;
    if session.space.depends(function, rest, &low)?.is_none() {
        return Ok(None);
    }
    // One call must not hide another: where the high half counts for some, each number is asked about alone.
    for _ in 0..NUMBERS {
        if session.space.depends(function, rest, &high)?.is_none() {
            break;
        }
        let Some(call) = session.space.example(rest)? else {
            break;
        };
        let number = call.nr.cast_unsigned();
        let same = session.space.numbers(number, number)?;
        let one = session.space.and(rest, same)?;
        if session.space.depends(function, one, &high)?.is_none() {
            let finding = Finding::HalfArgument { argument };
            if let Some(found) = pair(session, function, one, &low, finding)? {
                return Ok(Some(found));
            }
        }
        rest = session.space.minus(rest, same)?;
    }
    if session.space.depends(function, rest, &high)?.is_some() {
        return Ok(None);
    }
    pair(session, function, rest, &low, Finding::HalfArgument { argument })
}

/// Asks about the calls of each ABI in groups of which the kernel reads the same bits.
fn each_group(
    session: &mut Session<'_>,
    calls: &Predicate,
    env: &Env,
    mut ask: impl FnMut(&mut Session<'_>, &Function, Set, [u64; 6], Endian) -> Result<Option<Counterexample>, Stop>,
) -> Result<Outcome, Stop> {
    let grounded = calls.ground(env)?;
    let function = session.function(View::Value)?;
    let mut answer = Answer::Vacuous;
    for part in &grounded.parts {
        let Cell::Abi(abi) = part.cell else { continue };
        let endian = session.order.of(abi.audit_arch());
        for (reads, within) in session.space.groups(part, abi, session.order)? {
            answer = Answer::Holds {
                proof: None,
                shown: Vec::new(),
            };
            if let Some(found) = ask(session, &function, within, reads, endian)? {
                return Ok(with_absent(Answer::Fails(found), grounded));
            }
        }
    }
    Ok(with_absent(answer, grounded))
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
    Ok(Some(Counterexample { finding, shown }))
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

    /// The calls of an ABI's part of a predicate by the bits that the kernel reads of their registers; empty groups
    /// are left out.
    fn groups(&mut self, part: &Part, abi: Abi, order: ByteOrder) -> Result<Vec<([u64; 6], Set)>, Undecided> {
        let asked = self.part(part, order)?;
        let mut numbers: BTreeMap<[u64; 6], Vec<u32>> = BTreeMap::new();
        for call in abi.syscalls() {
            numbers
                .entry(kernel_reads(abi, Some(call)))
                .or_default()
                .push(call.number);
        }
        let mut rest = asked;
        let mut groups = Vec::new();
        for (reads, numbers) in numbers {
            let calls = self.region(&Region::any(numbers.into_iter().map(number)))?;
            let calls_asked = self.and(asked, calls)?;
            rest = self.minus(rest, calls)?;
            groups.push((reads, calls_asked));
        }
        groups.push((kernel_reads(abi, None), rest));
        groups.retain(|(_, calls)| !calls.is_empty());
        Ok(groups)
    }
}

fn number(value: u32) -> Region {
    Region::Atom(callproof_policy::WordTest {
        index: 0,
        mask: u32::MAX,
        compare: Compare::Eq,
        value,
    })
}

/// Adds the bits of an argument to those of the words it lies in.
fn free_bits(free: &mut [u32; 16], argument: u8, bits: u64, endian: Endian) {
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
