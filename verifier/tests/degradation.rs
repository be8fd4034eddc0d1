//! Filters made to be hard: each is decided, or left open with the limit named, within the time and memory given.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use core::time::Duration;
use std::time::Instant;

use callproof_testgen::{Caller, Choose, Harvest, Seed};
use callproof_verifier::{Engine, Failure, Function, Limit, Limits, Set, Space, Subject, Undecided, View};
use callproof_vm::{Filter, Insn, Machine};

const ALLOW: Insn = Insn::stmt(0x06, 0x7fff_0000);
const DENY: Insn = Insn::stmt(0x06, 0x5_0001);

/// One second, so that the whole test takes less than a minute.
fn limits() -> Limits {
    Limits {
        time: Duration::from_secs(1),
        ..Limits::default()
    }
}

struct Outcome {
    function: Result<(), Undecided>,
    took: Duration,
    bytes: u64,
}

/// Builds the function in a view, and holds it against the emulator when there is one.
fn attempt(program: &[Insn], view: View) -> Outcome {
    let filters = [Filter::load(program).unwrap()];
    let (machine, limits) = (Machine::default(), limits());
    let started = Instant::now();
    let mut bytes = 0;
    let function = Subject::new(&filters, machine, &limits).and_then(|subject| {
        let mut space = Space::new(machine, &[&subject], &limits);
        let function = space.function(&subject, view);
        bytes = space.bytes();
        let function = function?;
        check(&subject, &space, &function, program);
        Ok(())
    });
    let took = started.elapsed();
    assert!(took < limits.time * 2 + Duration::from_secs(1), "{took:?}");
    assert!(bytes <= limits.bytes, "{bytes}");
    Outcome { function, took, bytes }
}

fn check(subject: &Subject<'_>, space: &Space, function: &Function, program: &[Insn]) {
    let mut seed = Seed::new(41, program.len() as u64);
    for call in Harvest::of(program).calls(
        &mut seed,
        500,
        &[
            Caller {
                arch: 0xc000_003e,
                ip: 0,
            },
            Caller::default(),
        ],
    ) {
        let permits = |value| callproof_vm::Action::of(value, subject.machine().kernel).permits();
        let (ours, theirs) = (space.value(function, &call), subject.run(&call).value);
        let same = if function.view() == View::Value {
            ours == theirs
        } else {
            permits(ours) == permits(theirs)
        };
        assert!(same, "{call:x?} {ours:#x} {theirs:#x}");
    }
}

/// Prints what came of a filter. Says for the two views whether it was decided.
fn report(name: &str, program: &[Insn]) -> [bool; 2] {
    [View::Value, View::Permits].map(|view| {
        let Outcome { function, took, bytes } = attempt(program, view);
        let says = function.map_or_else(|undecided| undecided.to_string(), |()| "decided".to_owned());
        println!(
            "{name:24} {:5} insns {view:8?} {took:10.1?} {:6} KB  {says}",
            program.len(),
            bytes >> 10
        );
        function.is_ok()
    })
}

fn word(argument: u32) -> Insn {
    Insn::stmt(0x20, 16 + argument % 12 * 4)
}

/// Independent tests that meet again: two ways out of each, and so 2^n paths.
fn diamonds(count: u32) -> Vec<Insn> {
    let one = |n: u32| [word(n), Insn::jump(0x15, n, 0, 1), Insn::stmt(0x00, 1)];
    let mut program: Vec<Insn> = (0..count).flat_map(one).collect();
    program.extend([Insn::stmt(0x20, 0), Insn::jump(0x15, 1, 0, 1), ALLOW, DENY]);
    program
}

#[test]
fn two_to_the_thousand_paths() {
    let program = diamonds(1000);
    assert_eq!(report("1000 diamonds", &program), [true, true]);
    let filters = [Filter::load(&program[..]).unwrap()];
    let (machine, limits) = (Machine::default(), Limits::default());
    let subject = Subject::new(&filters, machine, &limits).unwrap();
    let mut space = Space::new(machine, &[&subject], &limits);
    let audit = space.audit(&subject, 0).unwrap();
    assert!(audit.dead.is_empty() && audit.one_way.is_empty());
}

#[test]
fn costs_that_add_up_are_exact_or_bounded() {
    // Each way takes another number of instructions, so nearly every call costs something else.
    for count in [12, 200, 1000] {
        let one = |n: u32| [word(n), Insn::jump(0x15, n, 0, 1), Insn::stmt(0x00, 1)];
        let mut program: Vec<Insn> = (0..count).flat_map(one).collect();
        program.push(ALLOW);
        let filters = [Filter::load(&program[..]).unwrap()];
        let (machine, limits) = (Machine::default(), limits());
        let subject = Subject::new(&filters, machine, &limits).unwrap();
        let mut space = Space::new(machine, &[&subject], &limits);
        let started = Instant::now();
        let worst = space
            .costs(&subject)
            .map_err(Failure::from)
            .and_then(|mut costs| space.worst_case(&subject, &mut costs, Set::ALL));
        println!(
            "cost of {count} diamonds: {:?} {worst:?}, bound {}",
            started.elapsed(),
            subject.longest_path()
        );
        match worst {
            Ok(worst) => assert!(worst.unwrap().insns <= subject.longest_path()),
            Err(Failure::Undecided(_)) => assert!(count > 12),
            Err(failure) => panic!("{failure}"),
        }
    }
}

/// The first rule that matches decides, over twelve words, with many errnos.
#[test]
fn first_match_chains() {
    for rules in [100, 1300] {
        let mut seed = Seed::new(43, 0);
        let rule = |n: u32| {
            let errno = Insn::stmt(0x06, 0x5_0000 | (1 + n % 200));
            [word(n.wrapping_mul(7)), Insn::jump(0x15, seed.half() >> 8, 0, 1), errno]
        };
        let mut program: Vec<Insn> = (0..rules).flat_map(rule).collect();
        program.push(ALLOW);
        report("first match", &program);
    }
}

/// Counts the bits set in all words, in scratch memory.
#[test]
fn majority_of_bits() {
    for bits in [24_u32, 120, 384] {
        let mut program = vec![Insn::stmt(0x00, 0), Insn::stmt(0x02, 0)];
        for bit in 0..bits {
            let count = [Insn::stmt(0x60, 0), Insn::stmt(0x04, 1), Insn::stmt(0x02, 0)];
            program.extend([word(bit / 32), Insn::jump(0x45, 1 << (bit % 32), 0, 3)]);
            program.extend(count);
        }
        program.extend([Insn::stmt(0x60, 0), Insn::jump(0x25, bits / 2, 0, 1), ALLOW, DENY]);
        report("majority of bits", &program);
    }
}

#[test]
fn bit_tests_over_all_words() {
    // A chain of tests of single bits, each with its own way on.
    let one = |n: u32| {
        [
            word(n),
            Insn::jump(0x45, 1 << (n * 5 % 32), 0, 1),
            Insn::stmt(0x06, 0x5_0000 | n),
        ]
    };
    let mut program: Vec<Insn> = (0..380).flat_map(one).collect();
    program.push(ALLOW);
    let [value, permits] = report("bit tests", &program);
    assert_eq!((value, permits), (true, true));
}

/// Which weights sum to a number?
#[test]
fn knapsacks() {
    for items in [16_u32, 24, 40] {
        let mut seed = Seed::new(47, u64::from(items));
        let mut program = vec![Insn::stmt(0x00, 0), Insn::stmt(0x02, 0)];
        for item in 0..items {
            let add = [
                Insn::stmt(0x60, 0),
                Insn::stmt(0x04, seed.below(1 << 20)),
                Insn::stmt(0x02, 0),
            ];
            program.extend([word(item / 32), Insn::jump(0x45, 1 << (item % 32), 0, 3)]);
            program.extend(add);
        }
        program.extend([Insn::stmt(0x60, 0), Insn::jump(0x15, 7_654_321, 0, 1), ALLOW, DENY]);
        report("knapsack", &program);
    }
}

/// Each filter of a chain stays within the limit of states; all of them together take gigabytes.
#[test]
fn chains_of_large_graphs() {
    let mut seed = Seed::new(53, 0);
    let mut program = vec![Insn::stmt(0x00, 0), Insn::stmt(0x02, 0)];
    for item in 0..16_u32 {
        program.extend([word(0), Insn::jump(0x45, 1 << item, 0, 3)]);
        let weight = Insn::stmt(0x04, seed.below(1 << 30));
        program.extend([Insn::stmt(0x60, 0), weight, Insn::stmt(0x02, 0)]);
    }
    program.extend([Insn::stmt(0x60, 0), Insn::jump(0x15, 7_654_321, 0, 1), ALLOW, DENY]);
    let filters: Vec<_> = (0..200).map(|_| Filter::load(&program[..]).unwrap()).collect();
    let started = Instant::now();
    let tried = |filters, limits: &Limits| {
        Subject::new(filters, Machine::default(), limits)
            .map(|_| ())
            .unwrap_err()
    };
    let undecided = tried(&filters[..], &limits());
    println!("200 large graphs: {:?} {undecided}", started.elapsed());
    assert!(matches!(undecided.limit, Limit::Bytes | Limit::Time), "{undecided}");
    assert!(started.elapsed() < Duration::from_secs(3));
    let little = Limits {
        bytes: 10 << 20,
        ..Limits::default()
    };
    let undecided = tried(&filters[..2], &little);
    assert_eq!((undecided.engine, undecided.limit), (Engine::Graph, Limit::Bytes));
}

#[test]
fn multiplication_and_division_of_words() {
    let of = |code, k| {
        vec![
            word(0),
            Insn::stmt(0x07, 0),
            word(2),
            Insn::stmt(code, 0),
            Insn::jump(0x15, k, 0, 1),
            ALLOW,
            DENY,
        ]
    };
    report("multiply words", &of(0x2c, 0x1234_5677));
    report("divide words", &of(0x3c, 7));
    let narrow = |code, k| {
        let half = Insn::stmt(0x54, 0xff);
        vec![
            word(0),
            half,
            Insn::stmt(0x07, 0),
            word(2),
            half,
            Insn::stmt(code, 0),
            Insn::jump(0x15, k, 0, 1),
            ALLOW,
            DENY,
        ]
    };
    assert_eq!(report("multiply bytes", &narrow(0x2c, 0x1763)), [true, true]);
    assert_eq!(report("divide bytes", &narrow(0x3c, 7)), [true, true]);
    let by_constant = |k| {
        vec![
            word(0),
            Insn::stmt(0x24, k),
            Insn::jump(0x25, 0x4000_0000, 0, 1),
            ALLOW,
            DENY,
        ]
    };
    assert_eq!(report("multiply by 3", &by_constant(3)), [true, true]);
    report("multiply by 12345", &by_constant(12_345));
    report("multiply by 2^31 - 1", &by_constant(0x7fff_ffff));
    // Longer chains of it.
    let mut long = vec![word(0), Insn::stmt(0x07, 0)];
    for step in 0..1000 {
        long.extend([
            word(step),
            Insn::stmt([0x0c, 0x2c, 0xac, 0x3c][step as usize % 4], 0),
            Insn::stmt(0x07, 0),
        ]);
    }
    long.extend([Insn::jump(0x15, 1, 0, 1), ALLOW, DENY]);
    report("arithmetic, 1000 steps", &long);
}

/// Rounds as in XTEA, with arguments as the key: solving it means breaking the cipher.
#[test]
fn cipher_rounds() {
    for rounds in [1, 2, 8, 32] {
        let mut program = vec![
            Insn::stmt(0x00, 0x0123_4567),
            Insn::stmt(0x02, 0),
            Insn::stmt(0x00, 0x89ab_cdef),
            Insn::stmt(0x02, 1),
        ];
        for round in 0..rounds * 2_u32 {
            let (from, to) = (1 - round % 2, round % 2);
            let sum = 0x9e37_79b9_u32.wrapping_mul(round / 2 + 1);
            // to += ((from << 4 ^ from >> 5) + from) ^ (sum + key)
            program.extend([Insn::stmt(0x60, from), Insn::stmt(0x64, 4), Insn::stmt(0x02, 2)]);
            program.extend([
                Insn::stmt(0x60, from),
                Insn::stmt(0x74, 5),
                Insn::stmt(0x61, 2),
                Insn::stmt(0xac, 0),
            ]);
            program.extend([Insn::stmt(0x61, from), Insn::stmt(0x0c, 0), Insn::stmt(0x02, 2)]);
            program.extend([
                word(round % 4),
                Insn::stmt(0x04, sum),
                Insn::stmt(0x61, 2),
                Insn::stmt(0xac, 0),
            ]);
            program.extend([Insn::stmt(0x61, to), Insn::stmt(0x0c, 0), Insn::stmt(0x02, to)]);
        }
        program.extend([Insn::stmt(0x60, 0), Insn::jump(0x15, 0xdead_beef, 0, 1), ALLOW, DENY]);
        report(&format!("cipher, {rounds} rounds"), &program);
    }
}

#[test]
fn values_computed_from_arguments() {
    // All 2^32 values of one word: kept apart bit by bit in the full view.
    let program = [
        word(0),
        Insn::stmt(0x07, 0),
        word(2),
        Insn::stmt(0xac, 0),
        Insn::stmt(0x16, 0),
    ];
    assert_eq!(report("return a ^ b", &program), [true, true]);
}

#[test]
fn memory_stays_below_a_gigabyte() {
    // The other tests of this file run in the same process: whatever they did is counted too.
    majority_of_bits();
    cipher_rounds();
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        println!("skipped: no /proc");
        return;
    };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    println!("peak memory: {} MB", peak >> 10);
    assert!(peak >> 20 == 0, "{peak} kB");
}
