//! Compiled policies decide as the policies do, whatever the call.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod policies;

use callproof_abi::Abi;
use callproof_policy::{
    ByteOrder, CompileError, CompileOptions, Env, GroundPolicy, compile, parse_abi_list, parse_policy,
};
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};
use proptest::prelude::*;

fn ground(text: &str, abis: &str) -> GroundPolicy {
    let policy = parse_policy("test", text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let env = Env::new(parse_abi_list(abis).unwrap());
    policy
        .ground(&env)
        .unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// The first of the calls that the program decides otherwise than the policy.
fn difference(policy: &GroundPolicy, program: &[Insn], calls: &[SeccompData], order: ByteOrder) -> Option<SeccompData> {
    let filter = Filter::load(program).unwrap();
    let decided = |call: &SeccompData| {
        let machine = Machine {
            endian: order.of(call.arch),
            ..Machine::default()
        };
        filter.run(call, machine)
    };
    calls.iter().find(|call| decided(call) != policy.decide(call)).copied()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_filter_says_what_its_policy_says(text in policies::text(12), seeds in policies::seeds(400), fixed in 0..4_u8) {
        let order = match fixed {
            0 => ByteOrder::Fixed(Endian::Little),
            1 => ByteOrder::Fixed(Endian::Big),
            _ => ByteOrder::OfArch,
        };
        let policy = ground(&text, policies::ABIS);
        let program = compile(&policy, &CompileOptions { order }).unwrap();
        let calls = policies::calls(&policy, &seeds);
        prop_assert_eq!(difference(&policy, &program, &calls, order), None, "{}", text);
    }

    #[test]
    fn long_policies_are_no_different(text in policies::text(340), seeds in policies::seeds(400)) {
        let policy = ground(&text, "x86_64, s390x");
        let order = ByteOrder::OfArch;
        match compile(&policy, &CompileOptions { order }) {
            Ok(program) => {
                let calls = policies::calls(&policy, &seeds);
                prop_assert_eq!(difference(&policy, &program, &calls, order), None);
            }
            Err(CompileError::TooLong { insns }) => prop_assert!(insns > 4096),
            Err(other) => panic!("{other}"),
        }
    }
}

/// What a compiler can do wrong, done on purpose to a right program.
const FAULTS: &[fn(&mut [Insn]) -> bool] = &[
    // The other half of a register is compared.
    |program| {
        let load = program.iter_mut().find(|insn| insn.code == 0x20 && insn.k >= 16);
        load.map(|insn| insn.k ^= 4).is_some()
    },
    // The default is lost.
    |program| {
        let ret = program.iter_mut().rfind(|insn| insn.code == 0x06);
        ret.map(|insn| insn.k = 0x7fff_0001).is_some()
    },
    // Long jumps are cut to eight bits.
    |program| {
        let long = |insn: &&mut Insn| insn.code == 0x05 && insn.k > 255;
        program.iter_mut().filter(long).map(|insn| insn.k &= 0xff).count() > 0
    },
    // A comparison takes in its end.
    |program| {
        let jump = program.iter_mut().find(|insn| insn.code == 0x25);
        jump.map(|insn| insn.code = 0x35).is_some()
    },
    // The bit of x32 is not looked at.
    |program| {
        let jump = program
            .iter_mut()
            .find(|insn| insn.code == 0x45 && insn.k == 0x4000_0000);
        jump.map(|insn| insn.jt = insn.jf).is_some()
    },
];

#[test]
fn planted_faults_are_seen() {
    let first = "default errno(EPERM)\nallow socket(raw:> 0x100000005) on x86_64\n";
    let values: Vec<String> = (1..400).rev().map(|value| value.to_string()).collect();
    let wide = format!("log futex(_, {}) on x86_64\n", values.join(" | "));
    let last = "allow read on x86_64, x32\nerrno(7) lseek(_, > 5) on x86_64\n";
    let many: String = (0..700)
        .map(|number| format!("trap({number}) {} on x86_64\n", number + 1000))
        .collect();
    let policy = ground(&format!("{first}{many}{wide}{last}"), "x86_64, x32");
    let program = compile(&policy, &CompileOptions::default()).unwrap();
    let mut calls = policies::calls(&policy, &policies::fixed_seeds(20_000));
    let few = ground(&format!("{first}{last}"), "x86_64, x32");
    calls.extend(policies::calls(&few, &policies::fixed_seeds(20_000)));
    assert_eq!(difference(&policy, &program, &calls, ByteOrder::OfArch), None);
    for (number, fault) in FAULTS.iter().enumerate() {
        let mut wrong = program.clone();
        assert!(fault(&mut wrong), "fault {number} has no place");
        let seen =
            Filter::load(wrong.as_slice()).is_err() || difference(&policy, &wrong, &calls, ByteOrder::OfArch).is_some();
        assert!(seen, "fault {number}");
    }
}

#[test]
fn a_constant_policy_is_one_instruction() {
    let policy = ground("default kill\n", "any");
    let program = compile(&policy, &CompileOptions::default()).unwrap();
    assert_eq!(program, [Insn::stmt(0x06, 0x8000_0000)]);
}

#[test]
fn minus_one_is_a_call_of_x86_64() {
    let policy = ground("default kill\nallow * on x86_64\nlog * on x32\n", "any");
    let filter = Filter::load(compile(&policy, &CompileOptions::default()).unwrap()).unwrap();
    let run = |nr| {
        filter.run(
            &SeccompData::new(Abi::X86_64.audit_arch(), nr, [0; 6]),
            Machine::default(),
        )
    };
    assert_eq!(
        (run(-1), run(0), run(0x4000_0000), run(-2)),
        (0x7fff_0000, 0x7fff_0000, 0x7ffc_0000, 0x7ffc_0000)
    );
}

#[test]
fn what_does_not_fit_is_refused_with_its_length() {
    let mut text = String::from("default kill\n");
    for number in 0..3000 {
        text += &format!("trap({number}) {number} on x86_64\n");
    }
    let error = compile(&ground(&text, "any"), &CompileOptions::default()).unwrap_err();
    assert!(
        matches!(error, CompileError::TooLong { insns: 9000..9100 }),
        "{error:?}"
    );
    assert!(error.to_string().ends_with("and a filter can have 4096"), "{error}");
    let nothing = GroundPolicy { cells: Vec::new() };
    let error = compile(&nothing, &CompileOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the policy does not say what calls of unknown get");
}
