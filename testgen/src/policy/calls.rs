//! Calls that reach the rules of a policy.

use callproof_abi::Abi;
use callproof_policy::{Cell, Compare, Condition, Field, Formula, GroundPolicy, Test};
use callproof_vm::SeccompData;

use super::make::one_of;
use crate::choose::Choose;
use crate::constants::constant;

/// The rules of one ABI, as the tests that each has.
#[derive(Clone, Debug)]
struct Place {
    arch: u32,
    rules: Vec<Vec<Test>>,
}

/// What a policy compares with, to make calls with: those that a rule has, and those that just miss it.
#[derive(Clone, Debug)]
pub struct PolicyCalls {
    places: Vec<Place>,
}

impl PolicyCalls {
    /// Collects the tests of a policy's rules.
    #[must_use]
    pub fn of(policy: &GroundPolicy) -> Self {
        let places = policy.cells.iter().map(|cell| Place {
            arch: arch(cell.cell),
            rules: cell.rules.iter().map(|(condition, _)| tests(condition)).collect(),
        });
        // ABIs that have rules first: they are what the policy is about.
        let (with, without): (Vec<Place>, Vec<Place>) = places.partition(|place| place.rules.len() > 1);
        Self {
            places: with.into_iter().chain(without).collect(),
        }
    }

    /// A call that one of the rules has, or that just misses it; sometimes one of another ABI.
    pub fn call(&self, choose: &mut impl Choose) -> SeccompData {
        let busy = self.places.iter().filter(|place| place.rules.len() > 1).count();
        let place = match self.places.get(..busy) {
            Some(list @ [_, ..]) if !choose.one_in(10) => one_of(choose, list),
            _ => one_of(choose, &self.places),
        };
        let none = Place {
            arch: 0,
            rules: Vec::new(),
        };
        place.unwrap_or(&none).call(choose)
    }
}

impl Place {
    fn call(&self, choose: &mut impl Choose) -> SeccompData {
        let rule = one_of(choose, &self.rules).map_or(&[][..], Vec::as_slice);
        let args = core::array::from_fn(|index| {
            let index = u8::try_from(index).unwrap_or(0);
            register(choose, rule, Field::Arg(index))
        });
        let [a, b, c, d, ..] = number(choose, rule).to_le_bytes();
        SeccompData {
            nr: i32::from_le_bytes([a, b, c, d]),
            arch: self.arch,
            instruction_pointer: register(choose, rule, Field::Ip),
            args,
        }
    }
}

fn arch(cell: Cell) -> u32 {
    cell.abi().map_or(1, Abi::audit_arch)
}

fn tests(condition: &Condition) -> Vec<Test> {
    let mut found = Vec::new();
    collect(condition, &mut found);
    found
}

fn collect(condition: &Condition, found: &mut Vec<Test>) {
    match condition {
        Formula::Atom(test) => found.push(*test),
        Formula::Not(inner) => collect(inner, found),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().for_each(|part| collect(part, found)),
    }
}

/// A number that the rule is about, its neighbour, or any.
fn number(choose: &mut impl Choose, rule: &[Test]) -> u64 {
    let values: Vec<u64> = of(rule, Field::Nr).map(|test| test.value).collect();
    match (one_of(choose, &values), choose.below(16)) {
        (Some(value), 0..13) => *value,
        (Some(value), 13) => value.wrapping_add(choose.pick(&[1, u64::MAX])),
        (_, 14) => u64::from(constant(choose)),
        _ => u64::from(choose.below(500)),
    }
}

/// A register that passes tests of the rule in turn, sometimes with one bit or one more or less.
fn register(choose: &mut impl Choose, rule: &[Test], field: Field) -> u64 {
    let mut value = match choose.below(4) {
        0 => choose.word(),
        1 => u64::MAX,
        _ => 0,
    };
    for test in of(rule, field) {
        if !choose.one_in(8) {
            value = value & !test.mask | aimed(test) & test.mask;
        }
    }
    match choose.below(8) {
        0 => value.wrapping_add(choose.pick(&[1, u64::MAX])),
        1 => value ^ 1_u64.checked_shl(choose.below(64)).unwrap_or(1),
        2 => value ^ 1 << 32,
        3 => value & 0xffff_ffff,
        _ => value,
    }
}

fn of(rule: &[Test], field: Field) -> impl Iterator<Item = &Test> {
    rule.iter().filter(move |test| test.field == field)
}

/// The number at which the test changes its answer.
const fn aimed(test: &Test) -> u64 {
    match test.compare {
        Compare::Eq => test.value,
        Compare::Gt => test.value.wrapping_add(1),
    }
}
