//! The generators as values of `arbitrary` and as strategies of `proptest`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(feature = "arbitrary")]
mod values {
    use arbitrary::{Arbitrary, Unstructured};
    use callproof_policy::Env;
    use callproof_testgen::arbitrary::{
        AnyPolicy, AnyProgram, NearProgram, ProgramAndCall, RealisticProgram, ValidProgram,
    };
    use callproof_testgen::{Bytes, Choose as _, Seed, program};
    use callproof_vm::{Filter, Machine};

    fn bytes(number: u64) -> Vec<u8> {
        let mut seed = Seed::new(31, number);
        let length = seed.below(900);
        (0..length).map(|_| seed.word().to_le_bytes()[0]).collect()
    }

    fn value<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> T {
        T::arbitrary(&mut Unstructured::new(bytes)).unwrap()
    }

    #[test]
    fn every_value_is_what_it_says() {
        let mut installed = [0_u32; 2];
        for number in 0..400 {
            let bytes = bytes(number);
            installed[0] += u32::from(Filter::load(value::<AnyProgram>(&bytes).0).is_ok());
            installed[1] += u32::from(Filter::load(value::<NearProgram>(&bytes).0).is_ok());
            assert!(Filter::load(value::<ValidProgram>(&bytes).0).is_ok());
            assert!(Filter::load(value::<RealisticProgram>(&bytes).0).is_ok());
            let case: ProgramAndCall = value(&bytes);
            let _ = Filter::load(case.program).unwrap().run(&case.call, Machine::default());
            value::<AnyPolicy>(&bytes).0.ground(&Env::default()).unwrap();
        }
        assert!(installed[0] < 20 && (100..300).contains(&installed[1]), "{installed:?}");
    }

    #[test]
    fn the_same_bytes_make_the_same_program() {
        for number in 0..100 {
            let bytes = bytes(number);
            assert_eq!(value::<ValidProgram>(&bytes).0, program(&mut Bytes::new(&bytes)));
        }
    }
}

#[cfg(feature = "proptest")]
mod properties {
    use callproof_policy::Env;
    use callproof_testgen::policy::PolicyShape;
    use callproof_testgen::strategies;
    use callproof_vm::Filter;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    proptest! {
        #[test]
        fn programs_are_installed(valid in strategies::programs(), realistic in strategies::realistic_programs()) {
            prop_assert!(Filter::load(valid).is_ok());
            prop_assert!(Filter::load(realistic).is_ok());
        }

        #[test]
        fn policies_can_be_grounded(policy in strategies::policies(PolicyShape::default())) {
            prop_assert!(policy.ground(&Env::default()).is_ok());
        }

        #[test]
        fn others_are_made_too(_any in strategies::any_programs(), _near in strategies::near_programs()) {}
    }

    #[test]
    fn what_fails_shrinks() {
        let mut runner = TestRunner::deterministic();
        let long = |program: &[callproof_vm::Insn]| program.len() > 8;
        let mut shrunk = Vec::new();
        for _ in 0..20 {
            let mut tree = strategies::programs().new_tree(&mut runner).unwrap();
            if !long(&tree.current()) {
                continue;
            }
            for _ in 0..5000 {
                if long(&tree.current()) {
                    if !tree.simplify() {
                        break;
                    }
                } else if !tree.complicate() {
                    break;
                }
            }
            assert!(long(&tree.current()));
            shrunk.push(tree.current().len());
        }
        assert!(shrunk.iter().all(|length| *length < 12), "{shrunk:?}");
    }
}
