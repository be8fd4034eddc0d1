//! The oracles against the emulator, on whatever kernel runs the tests.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use callproof_kernel_diff::{
    AdmissionOracle, Failure, Method, Missing, NativeOracle, Oracle, Question, SocketOracle, fits, machine, probe,
};
use callproof_testgen::{Caller, Choose, Harvest, Seed, near_valid, program};
use callproof_vm::length::converted_len;
use callproof_vm::{Filter, Insn, SeccompData};

/// The oracle, or `None` with a loud word when this machine has none.
fn available<O>(oracle: Result<O, Missing>) -> Option<O> {
    oracle.inspect_err(|missing| println!("skipped: {missing}")).ok()
}

fn expected(program: &[Insn], data: &[SeccompData]) -> Vec<u32> {
    let filter = Filter::load(program).unwrap();
    data.iter().map(|data| filter.run(data, machine())).collect()
}

fn compare(oracle: &mut impl Oracle, cases: u64, callers: impl Fn(&mut Seed) -> Vec<Caller>) {
    let mut questions = Vec::new();
    for number in 0..cases {
        let mut seed = Seed::new(77, number);
        let program = program(&mut seed);
        let callers = callers(&mut seed);
        let data = Harvest::of(&program).calls(&mut seed, 16, &callers);
        questions.push((program, data));
    }
    let asked: Vec<Question<'_>> = questions
        .iter()
        .map(|(program, data)| Question { program, data })
        .collect();
    let mut too_long = 0;
    for ((program, data), answer) in questions.iter().zip(oracle.evaluate_all(&asked)) {
        match answer {
            Ok(values) => assert_eq!(values, expected(program, data), "{program:?}"),
            Err(Failure::TooLong { len }) => {
                assert!(len > oracle.observes().longest);
                too_long += 1;
            }
            Err(failure) => panic!("{failure}: {program:?}"),
        }
    }
    assert!(too_long * 50 < cases, "{too_long} of {cases} cannot be asked about");
}

#[test]
fn native_results_are_the_emulators() {
    let Some(mut oracle) = available(NativeOracle::new()) else {
        return;
    };
    let natives = oracle.observes().instruction_pointers;
    compare(&mut oracle, 3000, |seed| {
        let foreign = Caller::any(seed);
        let mut callers: Vec<Caller> = natives.iter().map(|&(arch, ip)| Caller { arch, ip }).collect();
        if seed.one_in(3) {
            callers.push(foreign);
        }
        callers
    });
    println!("{} installations, {} kills", oracle.installs(), oracle.kills());
}

#[test]
fn socket_results_are_the_emulators() {
    let Some(mut oracle) = available(SocketOracle::new()) else {
        return;
    };
    compare(&mut oracle, 1000, |seed| vec![Caller::any(seed), Caller::any(seed)]);
}

#[test]
fn admission_is_the_emulators() {
    for method in [Method::Listener, Method::FullChain] {
        let Some(mut oracle) = available(AdmissionOracle::with(method)) else {
            return;
        };
        let programs: Vec<Vec<Insn>> = (0..20_000)
            .map(|number| near_valid(&mut Seed::new(5, number)))
            .collect();
        let asked: Vec<&[Insn]> = programs.iter().map(Vec::as_slice).collect();
        for (program, answer) in asked.iter().zip(oracle.admits_all(&asked)) {
            assert_eq!(answer, Ok(Filter::load(*program).is_ok()), "{program:?}");
        }
    }
}

#[test]
fn every_opcode_is_admitted_or_not_by_the_kernel_too() {
    let Some(mut oracle) = available(AdmissionOracle::new()) else {
        return;
    };
    let programs: Vec<Vec<Insn>> = (0..=u16::MAX)
        .map(|code| {
            let ret = Insn::stmt(0x06, 0);
            vec![Insn::stmt(0x02, 4), Insn::stmt(code, 4), ret, ret, ret, ret, ret]
        })
        .collect();
    let asked: Vec<&[Insn]> = programs.iter().map(Vec::as_slice).collect();
    let mut admitted = 0;
    for (program, answer) in asked.iter().zip(oracle.admits_all(&asked)) {
        assert_eq!(answer, Ok(Filter::load(*program).is_ok()), "{program:?}");
        admitted += usize::from(answer == Ok(true));
    }
    assert_eq!(admitted, 41);
}

#[test]
fn converted_lengths_are_the_emulators() {
    if let Err(missing) = probe().filters {
        println!("skipped: {missing}");
        return;
    }
    for number in 0..60 {
        // What a filter does to its process is its own business: any program can be measured.
        let program = program(&mut Seed::new(21, number));
        let len = converted_len(&program);
        assert_eq!(fits(&program, len), Ok(true), "{number}: {len}");
        assert_eq!(fits(&program, len - 1), Ok(false), "{number}: {len}");
    }
    let refused = Failure::Refused { errno: libc::EINVAL };
    assert_eq!(fits(&[Insn::stmt(0x00, 0)], 100), Err(refused));
    assert!(fits(&[Insn::stmt(0x16, 0)], 1 << 20).is_err());
}

#[test]
fn the_probe_names_what_is_missing() {
    let found = probe();
    println!("{found:#?}");
    assert!(!found.release.is_empty() && !found.machine.is_empty());
    assert_eq!(found.kernel(), Some(machine().kernel));
    if found.filters.is_err() {
        assert!(found.native.is_err() && found.admission.is_err());
    }
}
