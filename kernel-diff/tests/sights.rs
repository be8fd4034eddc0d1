//! The oracles by ptrace, by notification and by time against the emulator, on whatever kernel runs the tests.

#![cfg(target_os = "linux")]
#![expect(
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use callproof_kernel_diff::{BitmapOracle, Cached, Entry, Missing, NotifyOracle, Oracle as _, PtraceOracle, machine};
use callproof_testgen::{Caller, Choose as _, Harvest, Seed, program};
use callproof_vm::{Filter, Insn};

/// The oracle, or `None` with a loud word when this machine has none.
fn available<O>(oracle: Result<O, Missing>) -> Option<O> {
    oracle.inspect_err(|missing| println!("skipped: {missing}")).ok()
}

#[test]
fn traced_results_are_the_emulators_at_any_instruction_pointer() {
    let Some(mut oracle) = available(PtraceOracle::new()) else {
        return;
    };
    assert!(oracle.any_instruction_pointer());
    let mut compared = 0;
    for number in 0..150 {
        let mut seed = Seed::new(91, number);
        let program = program(&mut seed);
        if program.len() > oracle.observes().longest {
            continue;
        }
        let callers: Vec<Caller> = (0..4)
            .map(|at| Caller {
                arch: if at == 3 { 0x4000_0003 } else { 0xc000_003e },
                ip: seed.word(),
            })
            .collect();
        let data = Harvest::of(&program).calls(&mut seed, 12, &callers);
        let filter = Filter::load(&program[..]).unwrap();
        let values = oracle.evaluate(&program, &data).unwrap();
        for (call, value) in data.iter().zip(values) {
            assert_eq!(value, filter.run(call, machine()), "{number}: {call:?} {program:?}");
            compared += 1;
        }
    }
    assert!(compared > 1500, "{compared}");
}

#[test]
fn calls_look_as_they_were_made() {
    let Some(mut oracle) = available(NotifyOracle::new()) else {
        return;
    };
    let mut seed = Seed::new(92, 0);
    let mut calls = vec![];
    for at in 0..3000_i32 {
        let entry = if at % 3 == 0 { Entry::Int80 } else { Entry::Syscall };
        let nr = match at % 5 {
            0 => seed.half().cast_signed(),
            1 => (at % 512) | 0x4000_0000,
            2 => -1,
            _ => at % 512,
        };
        let args = [(); 6].map(|()| seed.word());
        calls.push((entry, nr, args));
    }
    let notified = oracle.ask(&calls).unwrap();
    assert!(notified.len() > 1900, "{}", notified.len());
    for one in &notified {
        assert_eq!(one.made, one.seen);
    }
    println!(
        "{} calls, i386: {}, x32: {}",
        notified.len(),
        oracle.has_i386(),
        oracle.has_x32()
    );
}

#[test]
fn times_tell_what_the_bitmap_holds() {
    let Some(oracle) = available(BitmapOracle::new()) else {
        return;
    };
    let (allow, nr_is) = (Insn::stmt(0x06, 0x7fff_0000), |nr| Insn::jump(0x15, nr, 1, 0));
    let cases: [(&str, Vec<Insn>, i32, Cached); 6] = [
        (
            "a comparison of the number",
            vec![Insn::stmt(0x20, 0), nr_is(1), allow, allow],
            39,
            Cached::Yes,
        ),
        (
            "the architecture",
            vec![Insn::stmt(0x20, 4), nr_is(1), allow, allow],
            102,
            Cached::Yes,
        ),
        ("an argument", vec![Insn::stmt(0x20, 16), allow], 39, Cached::No),
        (
            "the instruction pointer",
            vec![Insn::stmt(0x20, 8), allow],
            39,
            Cached::No,
        ),
        ("data in ALLOW", vec![Insn::stmt(0x06, 0x7fff_0001)], 39, Cached::No),
        (
            "`or`, which is not on the path",
            vec![
                Insn::stmt(0x20, 0),
                Insn::jump(0x15, 39, 1, 0),
                Insn::stmt(0x44, 1),
                allow,
            ],
            39,
            Cached::Yes,
        ),
    ];
    for (name, program, nr, expected) in cases {
        let timing = oracle.time(&program, nr).unwrap();
        println!("{name}: {timing:?}");
        // A busy machine may leave it open, but it must not say the contrary.
        assert!(
            timing.verdict == expected || timing.verdict == Cached::Undecided,
            "{name}: {timing:?}"
        );
    }
    assert!(oracle.time(&[allow], 57).is_err(), "a fork is not made");
}
