//! The oracles by ptrace, by notification and by time against the emulator, on whatever kernel runs the tests.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use callproof_kernel_diff::{BitmapOracle, Cached, Entry, Missing, NotifyOracle, Oracle as _, PtraceOracle, machine};
use callproof_testgen::{Caller, Choose as _, Harvest, Seed, program};
use callproof_vm::bitmap::Platform;
use callproof_vm::{Chain, Filter, Insn, SeccompData};

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
    let notified = oracle.notified(&calls).unwrap();
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

/// A program of a few instructions that never kills. Some are in the bitmap for some numbers.
fn for_the_bitmap(seed: &mut Seed) -> Vec<Insn> {
    let mut program = vec![];
    let len = seed.below(4).saturating_add(1);
    for left in (1..=len).rev() {
        let number = seed.pick(BitmapOracle::numbers()).cast_unsigned();
        let skip = u8::try_from(seed.below(left.saturating_add(1))).unwrap();
        program.push(match seed.below(10) {
            0 => Insn::stmt(0x20, seed.pick(&[8, 16, 60])),
            1 => Insn::stmt(seed.pick(&[0x44, 0x04, 0x07, 0x87, 0x00]), 1),
            2 => Insn::stmt(0x54, seed.pick(&[1, 0xff, u32::MAX])),
            3 | 4 => Insn::jump(seed.pick(&[0x15, 0x25, 0x35, 0x45]), number, 0, skip),
            5 => Insn::jump(0x15, number, skip, 0),
            6 => Insn::stmt(0x20, 4),
            _ => Insn::stmt(0x20, 0),
        });
    }
    for _ in 0..3 {
        let value = seed.pick(&[0x7fff_0000, 0x7fff_0000, 0x7fff_0000, 0x7fff_0001, 0x0005_0001]);
        program.push(Insn::stmt(0x06, value));
    }
    program
}

/// What the emulator says of a filter and a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The bitmap holds the call
    Held,
    /// The filter allows the call, and the bitmap does not hold it
    Allowed,
    /// The filter does not allow the call
    Other,
}

/// Filters to time.
fn timed_filters() -> Vec<(Vec<Insn>, i32, Said)> {
    let mut seed = Seed::new(93, 0);
    let mut chosen: Vec<(Vec<Insn>, i32, Said)> = vec![];
    let mut wanted = [Said::Held, Said::Allowed, Said::Other].map(|said| (said, 4));
    wanted[2].1 = 2;
    while chosen.len() < FILTERS {
        let program = for_the_bitmap(&mut seed);
        let nr = seed.pick(BitmapOracle::numbers());
        let Ok(filter) = Filter::load(&program[..]) else {
            continue;
        };
        let call = SeccompData::new(0xc000_003e, nr, [0; 6]);
        let filters = [filter];
        let chain = Chain::new(&filters);
        let said = match Platform::X86_64.bypasses(&chain, &call, machine().kernel) {
            Some(_) => Said::Held,
            None if chain.run(&call, machine()).value == 0x7fff_0000 => Said::Allowed,
            None => Said::Other,
        };
        let place = wanted.iter_mut().find(|(kind, left)| *kind == said && *left > 0);
        if let Some((_, left)) = place {
            *left -= 1;
            chosen.push((program, nr, said));
        }
    }
    chosen
}

const FILTERS: usize = 10;

/// Each verdict is wrong with a chance below one in a million, so any of them with one below ten in a million. A busy
/// machine may leave some open; what is decided must be what the emulator says.
#[test]
fn times_tell_what_the_emulators_bitmap_holds() {
    let Some(oracle) = available(BitmapOracle::new()) else {
        return;
    };
    let mut decided = 0;
    for (program, nr, said) in timed_filters() {
        let timing = oracle.time(&program, nr).unwrap();
        println!("{nr}: {timing:?}, the emulator: {said:?}");
        if timing.verdict != Cached::Undecided {
            assert!(timing.chance <= 1e-6, "{timing:?}");
            let held = timing.verdict == Cached::Yes;
            assert_eq!(held, said == Said::Held, "{nr}: {program:?}: {timing:?}");
            decided += 1;
        }
    }
    println!("{decided} of {FILTERS} decided");
    assert!(
        oracle.time(&[Insn::stmt(0x06, 0x7fff_0000)], 57).is_err(),
        "a fork is not made"
    );
}
