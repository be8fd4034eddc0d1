//! Filters and policies held against each other, as a compiler's own tests do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::panic::catch_unwind;

use callproof::relate::{Decision, Differences, Rest, compiled, differences, never_more_permissive, same};
use callproof::{Error, ErrorKind, Filter, Insn, Kernel, Options, assert_compiles_to};
use callproof_abi::Abi;
use callproof_policy::{Env, parse_policy};
use callproof_testgen::{Choose as _, Seed};
use callproof_verifier::Limits;
use callproof_vm::{Chain, Machine, SeccompData};

const POLICY: &str = "default kill_process\nallow read, write on x86_64\nerrno(EPERM) getpid on x86_64\n";

fn on(abis: &[Abi]) -> Options {
    Options {
        abis: abis.to_vec(),
        ..Options::default()
    }
}

/// What the policy says: on x86-64 read (0) and write (1) are allowed, and getpid (39) gets EPERM.
fn right() -> Vec<Insn> {
    vec![
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, 0xc000_003e, 0, 4),
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 3, 0),
        Insn::jump(0x15, 1, 2, 0),
        Insn::jump(0x15, 39, 2, 0),
        Insn::stmt(0x06, 0x8000_0000),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x0005_0001),
    ]
}

fn run(program: &[Insn], call: &SeccompData) -> u32 {
    let filter = callproof_vm::Filter::load(program).unwrap();
    Chain::new(&[filter]).run(call, Machine::default()).value
}

/// What somebody learns of a verdict: nobody sees the data of a call that is allowed or kills.
fn told(program: &[Insn], call: &SeccompData) -> u32 {
    let value = run(program, call);
    let is_seen = value & 0xffff_0000 == 0x0005_0000;
    if is_seen { value } else { value & 0xffff_0000 }
}

fn text_of_panic(test: impl FnOnce() + core::panic::UnwindSafe) -> String {
    *catch_unwind(test).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn every_kind_of_subject_is_taken() {
    let filter = right();
    let raw: Vec<u8> = filter
        .iter()
        .flat_map(|insn| insn.to_bytes(callproof_vm::Endian::Little))
        .collect();
    let policy = parse_policy("test", POLICY).unwrap();
    let ground = policy.ground(&Env::default()).unwrap();
    assert_compiles_to!(POLICY, filter);
    assert_compiles_to!(POLICY.to_owned(), raw);
    assert_compiles_to!(policy, filter.as_slice());
    assert_compiles_to!(ground, raw.as_slice(), Options::default());
    assert_compiles_to!(POLICY, Filter::from_insns("made", filter.clone()).on("x86_64").unwrap());
    let options = Options::default();
    for holds in [
        same(&filter, POLICY, &options),
        same(POLICY, POLICY, &options),
        same(&raw, &filter, &options),
        never_more_permissive(POLICY, &ground, &options),
    ] {
        assert!(holds.unwrap().holds());
    }
}

#[test]
fn a_wrong_instruction_is_shown() {
    let mut wrong = right();
    wrong[4].k = 2;
    let text = text_of_panic(move || assert_compiles_to!(POLICY, wrong));
    for part in [
        "the filter is not what the policy says",
        "arch=x86_64",
        "from the policy",
        "from the filter after",
        "replay: echo '9,32 0 0 4,21 0 4 3221225534,",
        "| callproof eval - '",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Each fault in one field of one instruction is found exactly when some call tells the two apart; the emulator, on
/// calls around every constant, is the judge.
#[test]
fn planted_faults_are_found() {
    let right = right();
    let numbers = [-1, 0, 1, 2, 3, 38, 39, 40, 0x4000_0000];
    let arches = [0xc000_003e, 0x4000_0003, 0xc000_003f, 0];
    let mut found = 0;
    for at in 0..right.len() {
        for change in [1, 2, 0x1_0000] {
            let mut wrong = right.clone();
            wrong[at].k ^= change;
            if callproof_vm::Filter::load(wrong.as_slice()).is_err() {
                continue;
            }
            let calls = numbers
                .iter()
                .flat_map(|nr| arches.map(|arch| SeccompData::new(arch, *nr, [0; 6])));
            let differs = calls.into_iter().any(|call| told(&right, &call) != told(&wrong, &call));
            let decision = compiled(POLICY, &wrong, &Options::default()).unwrap();
            if let Some(witness) = decision.witness() {
                found += 1;
                assert_eq!(run(&right, &witness.call), witness.left.value);
                assert_eq!(run(&wrong, &witness.call), witness.right.value);
                assert_ne!(told(&right, &witness.call), told(&wrong, &witness.call));
            } else {
                assert!(decision.holds() && !differs, "instruction {at} ^ {change:#x}");
            }
        }
    }
    assert!(found > 15, "{found}");
}

#[test]
fn permissiveness_has_a_direction() {
    let mut tighter = right();
    tighter[3].jt = 2;
    let options = Options::default();
    assert!(never_more_permissive(&tighter, POLICY, &options).unwrap().holds());
    let Decision::Fails(witness) = never_more_permissive(POLICY, &tighter, &options).unwrap() else {
        panic!("the policy allows read");
    };
    assert_eq!((witness.call.arch, witness.call.nr), (0xc000_003e, 0));
}

fn numbers(found: &Differences) -> Vec<(u32, i32)> {
    let mut numbers: Vec<_> = found.calls.iter().map(|one| (one.call.arch, one.call.nr)).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn all_differences_are_listed() {
    let mut wrong = right();
    (wrong[4].k, wrong[5].k) = (3, 40);
    let found = differences(&right(), &wrong, &Options::default(), 100).unwrap();
    assert_eq!(numbers(&found), [1, 3, 39, 40].map(|nr| (0xc000_003e, nr)));
    assert!(matches!(&found.rest, Rest::Same(proofs) if proofs.len() > 20));
    let some = differences(&right(), &wrong, &Options::default(), 3).unwrap();
    assert_eq!((some.calls.len(), some.rest), (3, Rest::More));
    let none = differences(&right(), POLICY, &on(&[Abi::X86_64]), 0).unwrap();
    assert!(none.calls.is_empty() && matches!(&none.rest, Rest::Same(proofs) if proofs.len() == 1));
    // A filter that does not look at the ABI: the same number on i386 is another call.
    let blind = [Insn::stmt(0x06, 0x7fff_0000)];
    let other = "default allow\nkill_process 7 on i386\n";
    let found = differences(other, &blind[..], &Options::default(), 9).unwrap();
    assert_eq!(numbers(&found), [(0x4000_0003, 7)]);
}

#[test]
fn abis_are_those_of_the_options_then_of_the_filter() {
    // Right on x86-64 alone: other ABIs are let through.
    let filter = vec![
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, 0xc000_003e, 1, 0),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 1, 0),
        Insn::stmt(0x06, 0x8000_0000),
        Insn::stmt(0x06, 0x7fff_0000),
    ];
    let policy = "default kill_process\nallow read\n";
    assert!(compiled(policy, &filter, &on(&[Abi::X86_64])).unwrap().holds());
    let said = Filter::from_insns("made", filter.clone()).on("x86_64").unwrap();
    assert!(compiled(policy, &said, &Options::default()).unwrap().holds());
    assert!(compiled(policy, &said, &on(&[Abi::I386])).unwrap().witness().is_some());
    assert!(
        compiled(policy, &filter, &Options::default())
            .unwrap()
            .witness()
            .is_some()
    );
    // Before 4.14 the top bit is no part of an action: 0x80000000 kills the thread, as 0 does.
    let thread = "default kill_thread\nallow read\n";
    let old = Filter::from_insns("made", filter)
        .on("x86_64")
        .unwrap()
        .kernel(Kernel::new(4, 13));
    assert!(compiled(thread, &old, &Options::default()).unwrap().holds());
}

#[test]
fn what_has_no_answer_says_why() {
    let options = Options::default();
    let kind = |result: Result<Decision, Error>| result.unwrap_err().kind;
    let endless = vec![Insn::stmt(0x20, 0)];
    assert_eq!(kind(compiled(POLICY, &endless, &options)), ErrorKind::Refused);
    assert_eq!(kind(compiled(&right(), &right(), &options)), ErrorKind::Input);
    assert_eq!(kind(same("", "", &options)), ErrorKind::Input);
    let error = compiled("default kill\nallow raed\n", &right(), &options).unwrap_err();
    assert!(error.to_string().starts_with("the policy:2:7: "), "{error}");
    let limits = Limits {
        nodes: 4,
        gates: 4,
        ..Limits::default()
    };
    let little = Options {
        limits,
        ..Options::default()
    };
    assert!(matches!(
        compiled(POLICY, &right(), &little),
        Ok(Decision::Undecided(_))
    ));
}

/// Random pairs of small filters, each decision against every call around the constants.
#[test]
fn random_pairs_are_decided_as_the_emulator_says() {
    let mut seed = Seed::new(7, 0);
    let mut word = |below: u32| seed.below(below);
    let (mut equal, mut different) = (0, 0);
    for _ in 0..60 {
        let mut program = || {
            let mut program = vec![Insn::stmt(0x20, 0)];
            for left in [2_u8, 1, 0] {
                let jump = |word: u32| u8::try_from(word).unwrap();
                let most = u32::from(left) + 3;
                program.push(Insn::jump(0x15, word(3), jump(word(most)), jump(word(most))));
            }
            program.extend([0x7fff_0000, 0, 0x0005_0001].map(|value| Insn::stmt(0x06, value)));
            program
        };
        let (a, b) = (program(), program());
        let calls = (-1..5).map(|nr| SeccompData::new(0xc000_003e, nr, [0; 6]));
        let differs = calls.into_iter().any(|call| run(&a, &call) != run(&b, &call));
        assert_eq!(same(&a, &b, &Options::default()).unwrap().holds(), !differs);
        *(if differs { &mut different } else { &mut equal }) += 1;
    }
    assert!(equal > 3 && different > 10, "{equal} {different}");
}
