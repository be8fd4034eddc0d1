//! What the policy compiler makes of random policies is proved to be the policy.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

#[path = "../../policy/tests/policies/mod.rs"]
mod policies;

use callproof_policy::property::{Comparison, Operand};
use callproof_policy::{
    ByteOrder, CallPattern, Claim, CompileOptions, Env, GroundPolicy, Predicate, Selector, Span, compile,
    parse_abi_list, parse_policy,
};
use callproof_verifier::{Answer, Limits, Query, Session, Side};
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};
use proptest::prelude::*;

fn ground(text: &str, abis: &str) -> GroundPolicy {
    let policy = parse_policy("test", text).unwrap();
    let env = Env::new(parse_abi_list(abis).unwrap());
    policy.ground(&env).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Whether a program equals a policy for every call.
fn equals(program: &[Insn], policy: &GroundPolicy, order: ByteOrder) -> Answer {
    let filters = [Filter::load(program).unwrap()];
    let others = vec![("policy".to_owned(), Side::Policy(policy.clone()))];
    let machine = match order {
        ByteOrder::Fixed(endian) => Machine {
            endian,
            ..Machine::default()
        },
        ByteOrder::OfArch => Machine::default(),
    };
    let mut session = Session::new(&filters, others, machine, order, &Limits::default());
    let claim = Claim::Relation {
        left: Operand::Own,
        relation: Comparison::Equals,
        right: Operand::Named("policy".to_owned(), Span::default()),
        calls: Predicate::of(CallPattern::new(Selector::Any)),
    };
    let env = Env::default();
    session
        .ask(&Query {
            claim: &claim,
            env: &env,
        })
        .unwrap()
        .answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_compiled_policy_is_proved(text in policies::text(10), fixed in 0..4_u8) {
        let order = match fixed {
            0 => ByteOrder::Fixed(Endian::Little),
            1 => ByteOrder::Fixed(Endian::Big),
            _ => ByteOrder::OfArch,
        };
        let policy = ground(&text, policies::ABIS);
        let program = compile(&policy, &CompileOptions { order }).unwrap();
        let answer = equals(&program, &policy, order);
        prop_assert!(matches!(answer, Answer::Holds { .. }), "{:?}\n{}", answer, text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn long_policies_are_proved_too(text in policies::text(340)) {
        let policy = ground(&text, "x86_64, s390x");
        if let Ok(program) = compile(&policy, &CompileOptions::default()) {
            let answer = equals(&program, &policy, ByteOrder::OfArch);
            prop_assert!(matches!(answer, Answer::Holds { .. }), "{:?}", answer);
        }
    }
}

#[test]
fn one_wrong_instruction_is_found() {
    let text = "default errno(EPERM)\nlog -1 on x86_64\nkill * on x32\nallow read, write(1 | 2)\nlog socket(raw:> 0x100000005)\ntrap(3) lseek(_, 2..=9)\n";
    let policy = ground(text, "x86_64, aarch64");
    let program = compile(&policy, &CompileOptions::default()).unwrap();
    assert!(matches!(
        equals(&program, &policy, ByteOrder::OfArch),
        Answer::Holds { .. }
    ));
    let calls = policies::calls(&policy, &policies::fixed_seeds(20_000));
    let mut found = 0;
    for at in 0..program.len() {
        let mut wrong = program.clone();
        // Data of some actions means nothing, so returns get another action.
        wrong[at].k ^= if wrong[at].code == 0x06 { 0x10000 } else { 4 };
        let Ok(filter) = Filter::load(wrong.as_slice()) else {
            continue;
        };
        match equals(&wrong, &policy, ByteOrder::OfArch) {
            Answer::Fails(_) => found += 1,
            // A test that another one makes needless: no call may tell them apart.
            Answer::Holds { .. } => {
                let differs = |call: &&SeccompData| filter.run(call, Machine::default()) != policy.decide(call);
                let little = |call: &&SeccompData| ByteOrder::OfArch.of(call.arch) == Endian::Little;
                assert_eq!(calls.iter().filter(little).find(differs), None, "instruction {at}");
            }
            other => panic!("instruction {at}: {other:?}"),
        }
    }
    assert!(found * 2 > program.len(), "{found} of {}", program.len());
}
