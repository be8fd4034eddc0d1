//! The rules of one ABI, as code.

use callproof_abi::Abi;

use super::code::{Code, Label, Test};
use super::{ARCH, endian};
use crate::condition::{Compare, Condition};
use crate::formula::Formula;
use crate::ground::{ByteOrder, Cell, Part};
use crate::region::{Region, WordTest};
use crate::rules::CellRules;

/// Ordered rules on words and a default, with nothing left that the ABI's own `arch` word answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Block {
    rules: Vec<(Region, u32)>,
    default: u32,
}

impl Block {
    pub(super) fn new(rules: &CellRules, order: ByteOrder) -> Self {
        let mut kept: Vec<(Region, u32)> = Vec::new();
        let mut default = rules.default;
        for (condition, value) in &rules.rules {
            let region = region(rules.cell, condition, order);
            match kept.last_mut() {
                _ if region.is_false() => {}
                // No call gets any further.
                _ if region.is_true() => {
                    default = *value;
                    break;
                }
                // Neighbours that answer alike are one rule.
                Some((last, known)) if known == value => {
                    let before = core::mem::replace(last, Region::FALSE);
                    *last = Region::any([before, region]);
                }
                _ => kept.push((region, *value)),
            }
        }
        while kept.last().is_some_and(|(_, value)| *value == default) {
            kept.pop();
        }
        Self { rules: kept, default }
    }

    pub(super) fn write(&self, code: &mut Code) -> Label {
        let mut next = code.ret(self.default);
        for (region, value) in self.rules.iter().rev() {
            let then = code.ret(*value);
            next = choose(code, region, then, next);
        }
        next
    }
}

/// A condition on words, with the tests of the `arch` word answered that the ABI answers.
fn region(cell: Cell, condition: &Condition, order: ByteOrder) -> Region {
    let region = match endian(cell, order) {
        Some(endian) => condition.lower(endian),
        None => Part {
            cell,
            condition: condition.clone(),
            absent: Vec::new(),
        }
        .region(order),
    };
    region.map(&|test| match arch_holds(test, cell) {
        Some(true) => Region::TRUE,
        Some(false) => Region::FALSE,
        None => Region::Atom(*test),
    })
}

/// Whether the `arch` word passes a test, where the ABI tells.
fn arch_holds(test: &WordTest, cell: Cell) -> Option<bool> {
    if test.index != ARCH {
        return None;
    }
    match cell {
        Cell::Abi(abi) => Some(
            test.compare
                .holds(u64::from(abi.audit_arch() & test.mask), test.value.into()),
        ),
        Cell::Unknown => {
            let whole = test.compare == Compare::Eq && test.mask == u32::MAX;
            let known = Abi::ALL.iter().any(|abi| abi.audit_arch() == test.value);
            (whole && known).then_some(false)
        }
    }
}

/// Code that goes to `then` where the region holds and to `otherwise` where it does not.
fn choose(code: &mut Code, region: &Region, then: Label, otherwise: Label) -> Label {
    match region {
        Formula::Atom(test) => list(code, &[(*test, false)], Way::Any, then, otherwise),
        Formula::Not(inner) => choose(code, inner, otherwise, then),
        Formula::All(parts) => several(code, parts, Way::All, then, otherwise),
        Formula::Any(parts) => several(code, parts, Way::Any, then, otherwise),
    }
}

/// Whether each part must hold, or one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    All,
    Any,
}

fn several(code: &mut Code, parts: &[Region], way: Way, then: Label, otherwise: Label) -> Label {
    let runs: Vec<&[Region]> = parts.chunk_by(same_word).collect();
    let end = match way {
        Way::All => then,
        Way::Any => otherwise,
    };
    runs.iter().rev().fold(end, |next, run| {
        let (then, otherwise) = match way {
            Way::All => (next, otherwise),
            Way::Any => (then, next),
        };
        let tests: Option<Vec<_>> = run.iter().map(atom).collect();
        match (tests, run) {
            (Some(tests), _) => list(code, &tests, way, then, otherwise),
            (None, [part]) => choose(code, part, then, otherwise),
            // Runs of more than one part are tests alone.
            (None, _) => next,
        }
    })
}

/// A test, and whether it must fail.
fn atom(part: &Region) -> Option<(WordTest, bool)> {
    match part {
        Formula::Atom(test) => Some((*test, false)),
        Formula::Not(inner) => match &**inner {
            Formula::Atom(test) => Some((*test, true)),
            _ => None,
        },
        Formula::All(_) | Formula::Any(_) => None,
    }
}

/// Whether two parts are tests of the same bits, so that one load serves both.
fn same_word(left: &Region, right: &Region) -> bool {
    match (atom(left), atom(right)) {
        (Some((left, _)), Some((right, _))) => (left.index, left.mask) == (right.index, right.mask),
        _ => false,
    }
}

/// Tests of the same bits of one word.
fn list(code: &mut Code, tests: &[(WordTest, bool)], way: Way, then: Label, otherwise: Label) -> Label {
    let mut next = match way {
        Way::All => then,
        Way::Any => otherwise,
    };
    for (test, negated) in tests.iter().rev() {
        let (yes, no) = match way {
            Way::All => (next, otherwise),
            Way::Any => (then, next),
        };
        let (yes, no) = if *negated { (no, yes) } else { (yes, no) };
        let compare = match test.compare {
            Compare::Eq => Test::equal(test.value),
            Compare::Gt => Test::above(test.value),
        };
        next = code.branch(compare, yes, no);
    }
    let Some((first, _)) = tests.first() else { return next };
    if first.mask != u32::MAX {
        code.mask(first.mask);
    }
    code.load(first.index)
}
