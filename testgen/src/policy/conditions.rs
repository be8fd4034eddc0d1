//! Conditions on arguments.

use callproof_abi::{Abi, constants};
use callproof_policy::kernel_reads;
use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};

use super::make::one_of;
use super::shape::{Comparison, PolicyShape};
use crate::choose::Choose;
use crate::constants::constant;

/// How many values are remembered to be met again.
const REMEMBERED: usize = 64;
/// How deep conditions nest.
const DEEPEST: u32 = 3;

/// The values that a policy has compared with so far, so that rules overlap, contradict one another and just miss.
#[derive(Debug, Default)]
pub(super) struct Values {
    seen: Vec<u64>,
}

/// Where a test stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    shape: &'p PolicyShape,
    /// How many bits of each argument the kernel reads on every ABI of the rule; nothing where ABIs differ
    widths: [u32; 6],
    /// The only ABI of the rule, whose constants have names
    abi: Option<Abi>,
}

impl Values {
    /// Tests by position, all of which must hold; at least one where the shape allows tests.
    pub(super) fn conditions(
        &mut self,
        choose: &mut impl Choose,
        shape: &PolicyShape,
        name: Option<&str>,
        abis: &[Abi],
    ) -> Vec<Option<Cond>> {
        let place = Place {
            shape,
            widths: widths(name, abis),
            abi: <[Abi; 1]>::try_from(abis).ok().map(|[abi]| abi),
        };
        let mut args: [Vec<Cond>; 6] = Default::default();
        for _ in 0..choose
            .below(shape.most_tests)
            .saturating_add(u32::from(shape.most_tests > 0))
        {
            let Some((index, cond)) = self.cond(choose, place) else {
                continue;
            };
            if let Some(list) = args.get_mut(usize::from(index))
                && (shape.repeated || list.is_empty())
            {
                list.push(cond);
            }
        }
        let mut args: Vec<Option<Cond>> = args.into_iter().map(joined).collect();
        while args.last().is_some_and(Option::is_none) {
            args.pop();
        }
        args
    }

    /// A condition on one argument, and which one.
    fn cond(&mut self, choose: &mut impl Choose, place: Place<'_>) -> Option<(u8, Cond)> {
        let view = one_of(choose, &place.shape.views).copied()?;
        let index = index(choose, place, view)?;
        let width = match view {
            View::Kernel => place.widths.get(usize::from(index)).copied()?,
            View::Raw => 64,
            View::Lo | View::Hi => 32,
        };
        let depth = if place.shape.nested && choose.one_in(4) {
            DEEPEST
        } else {
            0
        };
        let subject = if place.shape.worded && view != View::Kernel && choose.one_in(16) {
            Subject::Ip
        } else {
            Subject::Here
        };
        let leaf = Leaf {
            subject,
            view,
            width,
            abi: place.abi.filter(|_| place.shape.worded),
        };
        Some((index, self.tree(choose, place.shape, &leaf, depth)))
    }

    fn tree(&mut self, choose: &mut impl Choose, shape: &PolicyShape, leaf: &Leaf, depth: u32) -> Cond {
        if depth == 0 {
            return self.test(choose, shape, leaf);
        }
        let below = depth.saturating_sub(1);
        let mut parts = |choose: &mut _| vec![self.tree(choose, shape, leaf, below), self.tree(choose, shape, leaf, 0)];
        match choose.below(4) {
            0 => Cond::Either(parts(choose)),
            1 => Cond::All(parts(choose)),
            2 => Cond::Not(Box::new(self.tree(choose, shape, leaf, below))),
            _ => self.test(choose, shape, leaf),
        }
    }

    fn test(&mut self, choose: &mut impl Choose, shape: &PolicyShape, leaf: &Leaf) -> Cond {
        let comparison = one_of(choose, &shape.comparisons).copied().unwrap_or_default();
        Cond::Test(ArgTest {
            subject: leaf.subject.clone(),
            view: leaf.view,
            check: self.check(choose, comparison, leaf),
            span: callproof_policy::Span::default(),
        })
    }

    fn check(&mut self, choose: &mut impl Choose, comparison: Comparison, leaf: &Leaf) -> Check {
        let plain = |relation, value| Check::Compare(None, relation, number(value));
        let value = self.value(choose, leaf.width);
        match comparison {
            Comparison::Eq => Check::Compare(None, Relation::Eq, worded(choose, value, leaf)),
            Comparison::Ne => Check::Compare(None, Relation::Ne, worded(choose, value, leaf)),
            Comparison::Lt => plain(Relation::Lt, value),
            Comparison::Le => plain(Relation::Le, value),
            Comparison::Gt => plain(Relation::Gt, value),
            Comparison::Ge => plain(Relation::Ge, value),
            Comparison::MaskedEq => {
                let mask = self.mask(choose, leaf.width);
                Check::Compare(Some(number(mask)), Relation::Eq, number(value & mask))
            }
            Comparison::MaskedOther => {
                use Relation::{Ge, Gt, Le, Lt, Ne};
                let mask = number(self.mask(choose, leaf.width));
                let relation = one_of(choose, &[Ne, Lt, Le, Gt, Ge]).copied().unwrap_or(Ne);
                Check::Compare(Some(mask), relation, number(value))
            }
            Comparison::AnyBit => Check::AnyBit(number(self.mask(choose, leaf.width))),
            Comparison::Range => {
                let other = self.value(choose, leaf.width);
                Check::Range(number(value.min(other)), number(value.max(other)))
            }
        }
    }

    /// A value of so many bits: one of before or next to it, or two halves at which something changes.
    fn value(&mut self, choose: &mut impl Choose, width: u32) -> u64 {
        let wide = |choose: &mut _| u64::from(constant(choose)) << 32 | u64::from(constant(choose));
        let value = match choose.below(6) {
            0 => u64::from(choose.below(70)),
            1 => u64::from(constant(choose)),
            2 => wide(choose),
            3 => choose.word(),
            _ => match one_of(choose, &self.seen).copied() {
                Some(value) => value.wrapping_add(choose.pick(&[0, 0, 1, u64::MAX, 1 << 32])),
                None => wide(choose),
            },
        };
        let value = value & ones(width);
        if self.seen.len() < REMEMBERED {
            self.seen.push(value);
        }
        value
    }

    /// A mask that is not empty: one bit, all low or high ones, or anything.
    fn mask(&mut self, choose: &mut impl Choose, width: u32) -> u64 {
        let bits = choose.below(width.saturating_sub(1)).saturating_add(1);
        let mask = match choose.below(4) {
            0 => 1_u64.checked_shl(bits).unwrap_or(1),
            1 => ones(bits),
            2 => !ones(bits),
            _ => self.value(choose, width),
        } & ones(width);
        if mask == 0 { 1 } else { mask }
    }
}

/// What a test reads.
struct Leaf {
    subject: Subject,
    view: View,
    width: u32,
    /// Whose constants can be named
    abi: Option<Abi>,
}

/// An argument, the first ones more often; for the kernel's view one that the kernel reads.
fn index(choose: &mut impl Choose, place: Place<'_>, view: View) -> Option<u8> {
    let wanted = choose.pick(&[0, 1, 2, 0, 1, 2, 3, 4, 5]);
    if view != View::Kernel {
        return Some(wanted);
    }
    let read = |index: u8| place.widths.get(usize::from(index)).is_some_and(|width| *width > 0);
    (0..=wanted).rev().find(|index| read(*index))
}

/// How many bits of each argument the kernel reads, on each of the ABIs that have the call; 0 for what is not read
/// somewhere, and for calls without a name.
fn widths(name: Option<&str>, abis: &[Abi]) -> [u32; 6] {
    let Some(name) = name else { return [0; 6] };
    let mut widths = [64; 6];
    let mut found = false;
    for abi in abis {
        let Ok(call) = abi.syscall_named(name) else { continue };
        found = true;
        for (width, mask) in widths.iter_mut().zip(kernel_reads(*abi, Some(call))) {
            *width = mask.count_ones().min(*width);
        }
    }
    if found { widths } else { [0; 6] }
}

/// The value, sometimes in other words: as a constant, as a negative number, as the bits that it does not have.
fn worded(choose: &mut impl Choose, value: u64, leaf: &Leaf) -> Value {
    let Some(abi) = leaf.abi else { return number(value) };
    match choose.below(8) {
        0 => Value::Flipped(Box::new(number(!value & ones(leaf.width)))),
        1 => Value::Bits(vec![number(value), number(value & 0xff)]),
        2 if value >> leaf.width.saturating_sub(1).min(63) == 1 => {
            Value::Number(i128::from(value) - (1_i128 << leaf.width.min(64)))
        }
        3 => {
            let nth = choose.below(400) as usize;
            let mut fitting = constants(abi).filter(|(_, value)| *value <= ones(leaf.width));
            fitting
                .nth(nth)
                .map_or_else(|| number(value), |(name, _)| Value::named(name))
        }
        _ => number(value),
    }
}

fn number(value: u64) -> Value {
    Value::Number(i128::from(value))
}

/// The lowest bits, so many.
const fn ones(bits: u32) -> u64 {
    match 1_u64.checked_shl(bits) {
        Some(power) => power - 1,
        None => u64::MAX,
    }
}

fn joined(mut conds: Vec<Cond>) -> Option<Cond> {
    if conds.len() > 1 {
        return Some(Cond::All(conds));
    }
    conds.pop()
}
