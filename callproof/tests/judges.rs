//! Judges: what is right is proved, and a planted fault is shown by a call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use callproof::judge::{Agreement, Judge, admission, engine, round_trips};
use callproof_formats::policy::{PolicyFormat, PolicyWriteOptions};
use callproof_policy::{CompileOptions, Env, GroundPolicy, Policy, compile};
use callproof_testgen::policy::{PolicyCalls, PolicyShape, policy};
use callproof_testgen::reference::{Fault, Reference};
use callproof_testgen::{Caller, Harvest, Seed, near_valid, program};
use callproof_vm::{Filter, Insn, Kernel, Machine};

fn ground(policy: &Policy) -> GroundPolicy {
    policy.ground(&Env::default()).unwrap()
}

fn usual(shape: PolicyShape) -> PolicyShape {
    PolicyShape { long: 0, ..shape }
}

#[test]
fn compiled_policies_are_proved_and_changed_filters_are_shown() {
    let judge = Judge::default();
    // Of rules that overlap some say nothing, and may be wrong.
    let shape = PolicyShape {
        overlapping: false,
        ..usual(PolicyShape::seccompiler())
    };
    let (mut proved, mut caught, mut alike) = (0, 0, 0);
    for number in 0..60 {
        let policy = ground(&policy(&mut Seed::new(11, number), &shape));
        let filter = compile(&policy, &CompileOptions::default()).unwrap();
        match judge.policy(&filter, &policy).unwrap() {
            Agreement::Proved => proved += 1,
            Agreement::Undecided(why) => panic!("{why}"),
        }
        // One constant of a comparison is one more.
        let comparisons = filter.iter().filter(|insn| insn.code == 0x15).count();
        let Some(wrong) = changed(
            &filter,
            usize::try_from(number).unwrap().checked_rem(comparisons).unwrap_or(0),
        ) else {
            continue;
        };
        match judge.policy(&wrong, &policy) {
            Ok(Agreement::Proved) => alike += 1,
            Ok(Agreement::Undecided(why)) => panic!("{why}"),
            Err(found) => {
                let call = found.call.unwrap();
                let value = Filter::load(&wrong[..]).unwrap().run(&call, Machine::default());
                assert_eq!(found.answers, Some([value, policy.decide(&call)]));
                assert_ne!(value, policy.decide(&call));
                assert_eq!(judge.same(&wrong, &filter).unwrap_err().message, "the filters differ");
                caught += 1;
            }
        }
    }
    assert_eq!(proved, 60);
    assert!(caught > 40 && alike < 10, "{caught} {alike}");
}

/// The filter with one more in the constant of its `nth` equality.
fn changed(filter: &[Insn], nth: usize) -> Option<Vec<Insn>> {
    let mut wrong = filter.to_vec();
    let insn = wrong.iter_mut().filter(|insn| insn.code == 0x15).nth(nth)?;
    insn.k = insn.k.wrapping_add(1);
    Some(wrong)
}

#[test]
fn written_policies_are_proved_to_mean_the_same() {
    let judge = Judge::default();
    for (format, shape) in [
        (PolicyFormat::Oci, PolicyShape::oci()),
        (PolicyFormat::Seccompiler, PolicyShape::seccompiler()),
        (PolicyFormat::Minijail, PolicyShape::minijail()),
        (PolicyFormat::Kafel, PolicyShape::kafel()),
        (PolicyFormat::Pfc, PolicyShape::libseccomp()),
    ] {
        let mut proved = 0;
        for number in 0..40 {
            let made = policy(&mut Seed::new(12, number), &usual(shape.clone()));
            let options = PolicyWriteOptions::default();
            match judge.written(&made, format, &options) {
                Ok(Agreement::Proved) => proved += 1,
                Ok(Agreement::Undecided(_)) => {}
                Err(wrong) => panic!("{format} {number}: {wrong}\n{made}"),
            }
        }
        assert!(proved > 30, "{format}: {proved} of 40");
    }
}

#[test]
fn policies_that_differ_are_shown() {
    let text = |text| ground(&callproof_policy::parse_policy("test", text).unwrap());
    let one = text("default kill\nallow read(raw:7) on x86_64\n");
    let other = text("default kill\nallow read(lo:7) on x86_64\n");
    let found = Judge::default().policies(&one, &other).unwrap_err();
    let call = found.call.unwrap();
    assert_eq!(found.answers, Some([one.decide(&call), other.decide(&call)]));
    assert_ne!(one.decide(&call), other.decide(&call));
    assert!(found.to_string().contains("see read("), "{found}");
    assert_eq!(Judge::default().policies(&one, &one), Ok(Agreement::Proved));
}

#[test]
fn what_cannot_be_written_or_installed_says_so() {
    let policy = callproof_policy::parse_policy("test", "default kill\nnotify read on x86_64\n").unwrap();
    let judge = Judge::default();
    let found = judge
        .written(&policy, PolicyFormat::Seccompiler, &PolicyWriteOptions::default())
        .unwrap_err();
    assert!(found.message.contains("no words for notify"), "{found}");
    let found = judge.policy(&[Insn::stmt(0x20, 2)], &ground(&policy)).unwrap_err();
    assert!(found.message.contains("would not be installed"), "{found}");
}

#[test]
fn another_emulator_is_held_against_this_one() {
    let mut caught = 0;
    for number in 0..2000 {
        let mut seed = Seed::new(13, number);
        let program = program(&mut seed);
        let caller = Caller::any(&mut seed);
        let calls = Harvest::of(&program).calls(&mut seed, 8, &[caller]);
        let machine = Machine::default();
        let run = |fault| {
            let other = Reference::with(fault);
            engine(&program, &calls, machine, |call| {
                other.run(&program, call, machine.endian)
            })
        };
        assert_eq!(run(Fault::None), Ok(()));
        caught += u32::from(run(Fault::SignedCompare).is_err());
    }
    assert!(caught > 5, "{caught}");
}

#[test]
fn another_loader_and_the_formats_are_judged() {
    for number in 0..500 {
        let program = near_valid(&mut Seed::new(14, number));
        let installed = Reference::default().admits(&program);
        assert_eq!(admission(&program, Kernel::LATEST, installed), Ok(()));
        assert!(admission(&program, Kernel::LATEST, !installed).is_err());
        if number < 60 {
            round_trips(&program).unwrap();
        }
    }
}

#[test]
fn calls_of_a_policy_are_what_its_filter_answers() {
    for number in 0..200 {
        let mut seed = Seed::new(15, number);
        let policy = ground(&policy(&mut seed, &usual(PolicyShape::oci())));
        let Ok(program) = compile(&policy, &CompileOptions::default()) else {
            continue;
        };
        let calls = PolicyCalls::of(&policy);
        let calls: Vec<_> = (0..50).map(|_| calls.call(&mut seed)).collect();
        let filter = Filter::load(&program[..]).unwrap();
        for call in &calls {
            let machine = Machine {
                endian: callproof_vm::Endian::of_audit_arch(call.arch),
                ..Machine::default()
            };
            assert_eq!(filter.run(call, machine), policy.decide(call), "{call:x?}");
        }
    }
}
