//! The calls of a decision that get value 0, as a predicate of the language of claims.

use callproof_policy::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use callproof_policy::{CallPattern, Selector, Span};
use callproof_verifier::{Condition, Decision, Register, Width};

/// More patterns than this are not stated.
const MOST: usize = 4096;

/// The calls of these numbers for which a decision comes to value 0; `None` when that cannot be said by conditions on
/// registers, or takes too many of them.
pub(super) fn same(decision: &Decision, numbers: &[(u32, u32)]) -> Option<Vec<CallPattern>> {
    let mut paths = Vec::new();
    walk(decision, &mut Vec::new(), &mut paths)?;
    if paths.len().saturating_mul(numbers.len()) > MOST {
        return None;
    }
    let pattern = |(from, to): &(u32, u32), path: &Vec<Cond>| CallPattern {
        args: vec![(!path.is_empty()).then(|| Cond::All(path.clone()))],
        ..CallPattern::new(Selector::Range(*from, *to))
    };
    let of_path = |path| numbers.iter().map(move |range| pattern(range, path));
    Some(paths.iter().flat_map(of_path).collect())
}

fn walk(decision: &Decision, path: &mut Vec<Cond>, paths: &mut Vec<Vec<Cond>>) -> Option<()> {
    match decision {
        Decision::Value(0) if paths.len() < MOST => paths.push(path.clone()),
        Decision::Value(0) => return None,
        Decision::Value(_) => {}
        Decision::Opaque(values) if values.contains(&0) => return None,
        Decision::Opaque(_) => {}
        Decision::Split { register, width, cases } => {
            let stated = |condition: &Condition| cond(condition, *register, *width);
            for (condition, then) in cases {
                let here = match condition {
                    Condition::Otherwise => {
                        let others = cases.iter().filter(|(other, _)| *other != Condition::Otherwise);
                        let others: Option<Vec<Cond>> = others.map(|(other, _)| stated(other)).collect();
                        Cond::Not(Box::new(Cond::Either(others?)))
                    }
                    condition => stated(condition)?,
                };
                path.push(here);
                walk(then, path, paths)?;
                path.pop();
            }
        }
    }
    Some(())
}

/// A condition on a register; `None` for one that has no name in the language.
fn cond(condition: &Condition, register: Register, width: Width) -> Option<Cond> {
    let subject = match register {
        Register::Argument(index) => Subject::Index(index),
        Register::InstructionPointer => Subject::Ip,
        Register::Arch | Register::Number => return None,
    };
    let view = match width {
        Width::Full => View::Raw,
        Width::Low => View::Lo,
        Width::High => View::Hi,
    };
    let number = |value: u64| Value::Number(i128::from(value));
    let test = |check| {
        Cond::Test(ArgTest {
            subject: subject.clone(),
            view,
            check,
            span: Span::default(),
        })
    };
    let ranges = |list: &[(u64, u64)]| {
        let one = |(from, to): &(u64, u64)| test(Check::Range(number(*from), number(*to)));
        Cond::Either(list.iter().map(one).collect())
    };
    let masks = |list: &[(u64, u64)]| {
        let one = |(mask, value): &(u64, u64)| test(Check::Compare(Some(number(*mask)), Relation::Eq, number(*value)));
        Cond::Either(list.iter().map(one).collect())
    };
    Some(match condition {
        Condition::In(list) => ranges(list),
        Condition::NotIn(list) => Cond::Not(Box::new(ranges(list))),
        Condition::Masked(list) => masks(list),
        Condition::NotMasked(list) => Cond::Not(Box::new(masks(list))),
        Condition::Otherwise => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_short_description_is_not_stated() {
        let split = |then| Decision::Split {
            register: Register::Argument(1),
            width: Width::Low,
            cases: vec![
                (Condition::In(vec![(1, 2), (7, 7)]), Decision::Value(0)),
                (Condition::Otherwise, then),
            ],
        };
        let numbers = [(3, 3), (5, 9)];
        assert_eq!(same(&split(Decision::Value(4)), &numbers).unwrap().len(), 2);
        assert_eq!(same(&split(Decision::Value(0)), &numbers).unwrap().len(), 4);
        assert_eq!(same(&split(Decision::Opaque(vec![4, 5])), &numbers).unwrap().len(), 2);
        assert_eq!(same(&split(Decision::Opaque(vec![0, 5])), &numbers), None);
        assert_eq!(same(&Decision::Value(3), &numbers), Some(Vec::new()));
    }
}
