//! The SAT engine: random programs against brute force, hard filters, and refutations that the checker accepts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

mod small;

use core::time::Duration;
use std::time::Instant;

use callproof_checker::{Claim, Part, Relation, View as Seen, check};
use callproof_testgen::{Choose, Seed};
use callproof_verifier::{Limits, Refutation, Unprovable, refute};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData, ShiftByX};

const ALLOW: Insn = Insn::stmt(0x06, 0x7fff_0000);
const DENY: Insn = Insn::stmt(0x06, 0x5_0001);

fn limits() -> Limits {
    Limits {
        time: Duration::from_secs(2),
        ..Limits::default()
    }
}

fn everywhere(views: Vec<Seen>, relation: Relation) -> Claim {
    let parts = vec![Part {
        within: 1,
        views,
        relation,
    }];
    Claim { region: vec![], parts }
}

fn within(ranges: Vec<(u32, u32)>) -> Claim {
    let view = Seen {
        chain: 0,
        force: vec![],
    };
    everywhere(vec![view], Relation::Within(ranges))
}

fn bytes(filter: &Filter<'_>, endian: Endian) -> Vec<u8> {
    filter.program().iter().flat_map(|insn| insn.to_bytes(endian)).collect()
}

/// Decides a claim, and has a proof accepted.
fn decide(chains: &[&[Filter<'_>]], machine: Machine, claim: &Claim) -> Result<Refutation, Unprovable> {
    let outcome = refute(chains, machine, claim, &limits())?;
    if let Refutation::Holds(file) = &outcome {
        let filters: Vec<Vec<Vec<u8>>> = chains
            .iter()
            .map(|chain| chain.iter().map(|filter| bytes(filter, machine.endian)).collect())
            .collect();
        let chains: Vec<Vec<&[u8]>> = filters
            .iter()
            .map(|chain| chain.iter().map(Vec::as_slice).collect())
            .collect();
        let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
        let accepted = check(file, &chains).unwrap_or_else(|rejected| panic!("{rejected}"));
        assert_eq!(accepted.claim, *claim);
    }
    Ok(outcome)
}

#[test]
fn programs_of_few_bits_by_brute_force() {
    let cases: u64 = std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let (mut holds, mut fails) = (0, 0);
    for case in 0..cases {
        let mut seed = Seed::new(61, case);
        let (program, bits) = small::program(&mut seed);
        let filters = [Filter::load(program).unwrap()];
        let machine = Machine {
            kernel: seed.pick(&[Kernel::LATEST, Kernel::new(4, 13)]),
            endian: seed.pick(&[Endian::Little, Endian::Big]),
            shift: seed.pick(&ShiftByX::ALL),
        };
        let run = |call: &SeccompData| Chain::new(&filters).run(call, machine).value;
        // Other bits do not matter, whatever they are.
        let noisy = small::inputs(&bits).map(|words| small::noise(words, &bits));
        let mut values: Vec<u32> = small::inputs(&bits)
            .chain(noisy)
            .map(|words| run(&SeccompData::from_words(words, machine.endian)))
            .collect();
        values.sort_unstable();
        values.dedup();
        let (first, last) = (values[0], *values.last().unwrap());
        match decide(&[&filters], machine, &within(vec![(first, last)])) {
            Ok(Refutation::Holds(_)) => holds += 1,
            Ok(Refutation::Fails(call)) => panic!("case {case}: {call:x?} gives {:#x}", run(&call)),
            Err(Unprovable::Undecided(_)) => continue,
            Err(unprovable) => panic!("case {case}: {unprovable}"),
        }
        if first < last {
            match decide(&[&filters], machine, &within(vec![(first, last - 1)])) {
                Ok(Refutation::Fails(call)) => assert_eq!(run(&call), last, "case {case}"),
                Ok(Refutation::Holds(_)) => panic!("case {case}: a false claim holds"),
                Err(_) => continue,
            }
            fails += 1;
        }
    }
    println!("{holds} hold, {fails} fail");
    assert!(holds * 10 > cases * 9 && fails * 10 > cases);
}

fn report(name: &str, program: Vec<Insn>, claim: &Claim) -> Option<bool> {
    let filters = [Filter::load(program).unwrap()];
    let started = Instant::now();
    let outcome = decide(&[&filters], Machine::default(), claim);
    let took = started.elapsed();
    let says = match &outcome {
        Ok(Refutation::Holds(proof)) => format!("holds, proof of {} KB accepted", proof.len() >> 10),
        Ok(Refutation::Fails(call)) => {
            let value = Chain::new(&filters).run(call, Machine::default()).value;
            let Relation::Within(set) = &claim.parts[0].relation else {
                panic!("a set of values")
            };
            assert!(
                !set.iter().any(|(first, last)| (*first..=*last).contains(&value)),
                "{call:x?}"
            );
            format!("fails for {:x?}", call.args)
        }
        Err(unprovable) => unprovable.to_string(),
    };
    println!("{name:24} {took:10.1?} {says}");
    assert!(took < Duration::from_secs(12));
    outcome.ok().map(|outcome| matches!(outcome, Refutation::Holds(_)))
}

/// Arithmetic that no diagram is small for.
#[test]
fn arithmetic_of_words() {
    let never_allowed = within(vec![(0, 0x7ffe_ffff)]);
    let word = |argument: u32| Insn::stmt(0x20, 16 + argument * 8);
    let two = |code, k| {
        vec![
            word(0),
            Insn::stmt(0x07, 0),
            word(1),
            Insn::stmt(code, 0),
            Insn::jump(0x15, k, 0, 1),
            ALLOW,
            DENY,
        ]
    };
    assert_eq!(
        report("multiply words", two(0x2c, 0x1234_5677), &never_allowed),
        Some(false)
    );
    assert_eq!(report("divide words", two(0x3c, 7), &never_allowed), Some(false));
    let square = vec![
        word(0),
        Insn::stmt(0x07, 0),
        Insn::stmt(0x2c, 0),
        Insn::stmt(0x54, 3),
        Insn::jump(0x15, 3, 0, 1),
        ALLOW,
        DENY,
    ];
    assert_eq!(report("a square is not 3 mod 4", square, &never_allowed), Some(true));
    let thrice = vec![
        word(0),
        Insn::stmt(0x24, 0x7fff_ffff),
        Insn::jump(0x25, 0xffff_fffe, 0, 1),
        ALLOW,
        DENY,
    ];
    assert_eq!(report("multiply by 2^31 - 1", thrice, &never_allowed), Some(false));
    // a ^ b ^ a is b.
    let undo = vec![
        word(0),
        Insn::stmt(0x07, 0),
        word(1),
        Insn::stmt(0xac, 0),
        Insn::stmt(0xac, 0),
        Insn::stmt(0x07, 0),
        word(1),
        Insn::jump(0x1d, 0, 1, 0),
        ALLOW,
        DENY,
    ];
    assert_eq!(report("xor twice", undo, &never_allowed), Some(true));
}

#[test]
fn sums_of_weights() {
    for items in [16_u32, 24] {
        let mut seed = Seed::new(47, u64::from(items));
        let mut program = vec![Insn::stmt(0x00, 0), Insn::stmt(0x02, 0)];
        for item in 0..items {
            let add = [
                Insn::stmt(0x60, 0),
                Insn::stmt(0x04, seed.below(1 << 20)),
                Insn::stmt(0x02, 0),
            ];
            program.extend([Insn::stmt(0x20, 16), Insn::jump(0x45, 1 << item, 0, 3)]);
            program.extend(add);
        }
        program.extend([Insn::stmt(0x60, 0), Insn::jump(0x15, 1_234_567, 0, 1), ALLOW, DENY]);
        let filters = [Filter::load(program).unwrap()];
        let started = Instant::now();
        let outcome = decide(&[&filters], Machine::default(), &within(vec![(0, 0x7ffe_ffff)]));
        println!("knapsack of {items}: {:?} {:?}", started.elapsed(), outcome.map(|_| ()));
    }
}

#[test]
fn a_cipher_is_left_open_within_the_time_given() {
    let mut program = vec![
        Insn::stmt(0x00, 0x0123_4567),
        Insn::stmt(0x02, 0),
        Insn::stmt(0x00, 0x89ab_cdef),
        Insn::stmt(0x02, 1),
    ];
    for round in 0..64_u32 {
        let (from, to) = (1 - round % 2, round % 2);
        let sum = 0x9e37_79b9_u32.wrapping_mul(round / 2 + 1);
        program.extend([Insn::stmt(0x60, from), Insn::stmt(0x64, 4), Insn::stmt(0x02, 2)]);
        program.extend([
            Insn::stmt(0x60, from),
            Insn::stmt(0x74, 5),
            Insn::stmt(0x61, 2),
            Insn::stmt(0xac, 0),
        ]);
        program.extend([Insn::stmt(0x61, from), Insn::stmt(0x0c, 0), Insn::stmt(0x02, 2)]);
        program.extend([
            Insn::stmt(0x20, 16 + round % 4 * 8),
            Insn::stmt(0x04, sum),
            Insn::stmt(0x61, 2),
            Insn::stmt(0xac, 0),
        ]);
        program.extend([Insn::stmt(0x61, to), Insn::stmt(0x0c, 0), Insn::stmt(0x02, to)]);
    }
    program.extend([Insn::stmt(0x60, 0), Insn::jump(0x15, 0xdead_beef, 0, 3)]);
    program.extend([Insn::stmt(0x60, 1), Insn::jump(0x15, 0xdead_beef, 0, 1), ALLOW, DENY]);
    assert_eq!(
        report("32 rounds of a cipher", program, &within(vec![(0, 0x7ffe_ffff)])),
        None
    );
}

/// Linear and tree, and the same with one bit changed.
#[test]
fn equality_of_two_chains() {
    let rules = |mask: u32| {
        let mut program = vec![
            Insn::stmt(0x20, 4),
            Insn::jump(0x15, 0xc000_003e, 1, 0),
            DENY,
            Insn::stmt(0x20, 0),
        ];
        for nr in 0..40 {
            program.extend([Insn::jump(0x15, nr * 3, 0, 1), ALLOW]);
        }
        program.extend([
            Insn::jump(0x15, 56, 0, 3),
            Insn::stmt(0x20, 16),
            Insn::jump(0x45, mask, 1, 0),
            ALLOW,
            DENY,
        ]);
        [Filter::load(program).unwrap()]
    };
    let (one, same, other) = (rules(0x7e02_0000), rules(0x7e02_0000), rules(0x7e00_0000));
    let machine = Machine::default();
    let seen = |chain| Seen { chain, force: vec![] };
    let equal = everywhere(vec![seen(0), seen(1)], Relation::Equal);
    assert!(matches!(
        decide(&[&one, &same], machine, &equal),
        Ok(Refutation::Holds(_))
    ));
    let Ok(Refutation::Fails(call)) = decide(&[&one, &other], machine, &equal) else {
        panic!("they differ")
    };
    let run = |filters| Chain::new(filters).run(&call, machine).value;
    assert_ne!(run(&one), run(&other));
}
