//! Generated policies are ones that can be grounded, of the shape asked for, and their calls reach their rules.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use callproof_policy::predicate::{Check, Cond, Relation, View};
use callproof_policy::{Env, GroundPolicy, Policy, parse_policy};
use callproof_testgen::policy::{Comparison, PolicyCalls, PolicyShape, policy};
use callproof_testgen::{Bytes, Choose, Seed};

fn shapes() -> [(&'static str, PolicyShape); 6] {
    [
        ("any", PolicyShape::default()),
        ("seccompiler", PolicyShape::seccompiler()),
        ("oci", PolicyShape::oci()),
        ("libseccomp", PolicyShape::libseccomp()),
        ("minijail", PolicyShape::minijail()),
        ("kafel", PolicyShape::kafel()),
    ]
}

fn ground(name: &str, policy: &Policy) -> GroundPolicy {
    policy
        .ground(&Env::default())
        .unwrap_or_else(|problems| panic!("{name}: {problems:?}\n{policy}"))
}

fn tests(cond: &Cond, found: &mut Vec<(View, Comparison)>) {
    match cond {
        Cond::Test(test) => found.push((test.view, comparison(&test.check))),
        Cond::Not(inner) => tests(inner, found),
        Cond::All(parts) | Cond::Either(parts) => parts.iter().for_each(|part| tests(part, found)),
    }
}

fn comparison(check: &Check) -> Comparison {
    match check {
        Check::AnyBit(_) => Comparison::AnyBit,
        Check::Range(..) => Comparison::Range,
        Check::Compare(Some(_), Relation::Eq, _) => Comparison::MaskedEq,
        Check::Compare(Some(_), ..) => Comparison::MaskedOther,
        Check::Compare(None, relation, _) => match relation {
            Relation::Eq => Comparison::Eq,
            Relation::Ne => Comparison::Ne,
            Relation::Lt => Comparison::Lt,
            Relation::Le => Comparison::Le,
            Relation::Gt => Comparison::Gt,
            Relation::Ge => Comparison::Ge,
        },
        Check::In(_) => panic!("sets are not generated"),
    }
}

#[test]
fn every_policy_is_fine_and_prints_as_it_reads() {
    for (name, shape) in shapes() {
        for number in 0..1500 {
            let policy = policy(&mut Seed::new(1, number), &shape);
            ground(name, &policy);
            if number % 10 == 0 {
                let text = policy.to_string();
                let read =
                    parse_policy(name, &text).unwrap_or_else(|problems| panic!("{:?}\n{text}", problems.problems));
                assert_eq!(read.to_string(), text);
                let (read, made) = (ground(name, &read), ground(name, &policy));
                let (calls, mut seed) = (PolicyCalls::of(&made), Seed::new(4, number));
                for _ in 0..200 {
                    let call = calls.call(&mut seed);
                    assert_eq!(read.decide(&call), made.decide(&call), "{call:x?}\n{text}");
                }
            }
        }
    }
}

#[test]
fn policies_have_what_their_shape_has_and_nothing_else() {
    for (name, shape) in shapes() {
        let (mut views, mut comparisons, mut abis) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut longest, mut answers) = (0, BTreeSet::new());
        for number in 0..3000 {
            let policy = policy(&mut Seed::new(2, number), &shape);
            longest = longest.max(policy.rules.len());
            let (_, rules) = policy.rules.split_last().unwrap();
            let guard = usize::from(shape.guarded && policy.to_string().contains("0x80000000..="));
            for rule in rules.iter().skip(guard) {
                assert!(shape.answers.contains(&rule.answer));
                answers.insert(format!("{:?}", rule.answer));
                abis.extend(
                    rule.calls
                        .on
                        .iter()
                        .flat_map(|on| &on.items)
                        .map(|item| format!("{item:?}")),
                );
                let mut found = Vec::new();
                for pattern in &rule.calls.calls {
                    pattern.args.iter().flatten().for_each(|cond| tests(cond, &mut found));
                }
                views.extend(found.iter().map(|(view, _)| format!("{view:?}")));
                comparisons.extend(found.iter().map(|(_, comparison)| *comparison));
            }
            if shape.one_answer {
                assert!(
                    rules
                        .windows(2)
                        .all(|pair| pair.first().map(|r| &r.answer) == pair.last().map(|r| &r.answer))
                );
                let default = policy.rules.last().map(|rule| &rule.answer);
                assert!(rules.first().map(|rule| &rule.answer) != default);
            }
        }
        assert!(longest > 255, "{name}: {longest}");
        assert_eq!(comparisons, shape.comparisons.iter().copied().collect(), "{name}");
        assert_eq!(
            views,
            shape.views.iter().map(|view| format!("{view:?}")).collect(),
            "{name}"
        );
        assert_eq!(answers.len(), shape.answers.len(), "{name}");
        assert_eq!(abis.len(), shape.abis.len(), "{name}");
    }
}

/// A rule that a call gets, as its place in the list of its ABI.
fn reached(policy: &GroundPolicy, choose: &mut impl Choose, calls: u32) -> (usize, usize) {
    let source = PolicyCalls::of(policy);
    let mut hit = BTreeSet::new();
    for _ in 0..calls {
        let call = source.call(choose);
        for (at, cell) in policy.cells.iter().enumerate() {
            if cell.cell.condition().holds_for(&call) {
                let rule = cell.rules.iter().position(|(condition, _)| condition.holds_for(&call));
                hit.insert((at, rule));
            }
        }
    }
    let there: usize = policy
        .cells
        .iter()
        .filter(|cell| cell.rules.len() > 1)
        .map(|cell| cell.rules.len())
        .sum();
    let hit = hit
        .iter()
        .filter(|(at, rule)| rule.is_some() && policy.cells.get(*at).is_some_and(|cell| cell.rules.len() > 1));
    (hit.count(), there)
}

#[test]
fn calls_reach_most_rules_that_can_be_reached() {
    for (name, shape) in shapes() {
        let shape = PolicyShape { long: 0, ..shape };
        let (mut hit, mut there) = (0, 0);
        for number in 0..150 {
            let mut seed = Seed::new(3, number);
            let policy = ground(name, &policy(&mut seed, &shape));
            let (some, all) = reached(&policy, &mut seed, 400);
            hit += some;
            there += all;
        }
        // The rest is mostly rules that cannot be reached, behind others that have all their calls.
        assert!(hit * 100 > there * 60, "{name}: {hit} of {there}");
    }
}

#[test]
fn no_bytes_make_the_simplest_policy() {
    let policy = policy(&mut Bytes::new(&[]), &PolicyShape::default());
    assert_eq!(policy.to_string(), "default allow\nallow * on x86_64\n");
}

#[test]
fn a_shape_of_nothing_kills() {
    let shape = PolicyShape {
        abis: Vec::new(),
        answers: Vec::new(),
        defaults: Vec::new(),
        elsewhere: Vec::new(),
        comparisons: Vec::new(),
        views: Vec::new(),
        most_tests: 0,
        most_rules: u32::MAX,
        most_abis: 0,
        ..PolicyShape::default()
    };
    let policy = policy(&mut Bytes::new(&[0, 0]), &shape);
    assert_eq!(policy.to_string(), "default kill\nkill * on x86_64\n");
}
