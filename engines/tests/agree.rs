//! Every engine against the plain loop: generated programs, chains, machines and calls, directed and recorded ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use callproof_engines::{Adaptive, Decision, Kind, Predecoded, Specialised, batch};
use callproof_testgen::{Caller, Choose, Harvest, Seed, Shape, program, program_of};
use callproof_vm::{Endian, Filter, Insn, Kernel, Machine, SeccompData, ShiftByX, combine};

fn machine(seed: &mut Seed) -> Machine {
    let kernels = [Kernel::LATEST, Kernel::new(4, 13), Kernel::new(3, 19)];
    Machine {
        kernel: kernels[seed.below(3) as usize],
        endian: if seed.one_in(3) { Endian::Big } else { Endian::Little },
        shift: ShiftByX::ALL[seed.below(3) as usize],
    }
}

/// A call that the programs look at, or one with a number that the tables have.
fn call(programs: &[Vec<Insn>], seed: &mut Seed) -> SeccompData {
    let caller = Caller::any(seed);
    let at = seed.below(programs.len() as u32) as usize;
    let mut call = Harvest::of(&programs[at]).call(seed, caller);
    if seed.one_in(3) {
        call.nr = seed.below(600) as i32;
    }
    call
}

fn agree(programs: &[Vec<Insn>], machine: Machine, calls: &[SeccompData]) {
    let filters: Option<Vec<Filter<'_>>> = programs.iter().map(|program| Filter::load(&program[..]).ok()).collect();
    let Some(filters) = filters else { return };
    let [reference, others @ ..] = Kind::ALL.map(|kind| (kind, kind.build(&filters, machine)));
    for call in calls {
        let wanted = reference.1.decide(call);
        assert_eq!(reference.1.value(call), wanted.verdict.value);
        for (kind, engine) in &others {
            let context = || format!("{kind} {machine:?} {call:x?}\n{programs:?}");
            assert_eq!(engine.decide(call), wanted, "{}", context());
            assert_eq!(engine.value(call), wanted.verdict.value, "{}", context());
        }
    }
}

#[test]
fn single_programs() {
    for number in 0..6000 {
        let mut seed = Seed::new(41, number);
        let programs = [program(&mut seed)];
        let machine = machine(&mut seed);
        let calls: Vec<SeccompData> = (0..12).map(|_| call(&programs, &mut seed)).collect();
        agree(&programs, machine, &calls);
    }
}

#[test]
fn chains() {
    for number in 0..2000 {
        let mut seed = Seed::new(42, number);
        let count = seed.below(5) + 1;
        let programs: Vec<Vec<Insn>> = (0..count)
            .map(|_| {
                let shape = [Shape::Policy, Shape::Mixed][seed.below(2) as usize];
                let len = seed.below(60) as usize;
                program_of(shape, len, &mut seed)
            })
            .collect();
        let machine = machine(&mut seed);
        let calls: Vec<SeccompData> = (0..12).map(|_| call(&programs, &mut seed)).collect();
        agree(&programs, machine, &calls);
    }
}

#[test]
fn long_programs() {
    for number in 0..60 {
        let mut seed = Seed::new(43, number);
        let programs = [program_of(Shape::Policy, 4096, &mut seed)];
        let machine = machine(&mut seed);
        let calls: Vec<SeccompData> = (0..40).map(|_| call(&programs, &mut seed)).collect();
        agree(&programs, machine, &calls);
    }
}

/// What a kernel answered.
#[test]
fn recorded_answers() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/eval.jsonl");
    let mut compared = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let program: Vec<Insn> = bytes(row["prog"].as_str().unwrap())
            .as_chunks::<8>()
            .0
            .iter()
            .map(|insn| Insn::from_bytes(*insn, Endian::Little))
            .collect();
        let filters = [Filter::load(program).unwrap()];
        let engines = Kind::ALL.map(|kind| kind.build(&filters, Machine::default()));
        for case in row["cases"].as_array().unwrap() {
            let record = bytes(case[0].as_str().unwrap());
            let call = SeccompData::from_bytes(&record.try_into().unwrap(), Endian::Little);
            let value = u32::from_str_radix(case[1].as_str().unwrap(), 16).unwrap();
            let combined = combine([(0, value)], Kernel::LATEST).value;
            for engine in &engines {
                assert_eq!(engine.value(&call), combined, "{line}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 12_064);
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| high << 4 | low)
        .collect()
}

/// The comparison is worth something: an engine for a program with one constant changed is found out.
#[test]
fn a_changed_program_is_noticed() {
    let (mut planted, mut found) = (0, 0);
    for number in 0..300 {
        let mut seed = Seed::new(44, number);
        let program = program_of(Shape::Policy, 40, &mut seed);
        let mut changed = program.clone();
        let Some(test) = changed.iter_mut().find(|insn| insn.code == 0x15 && insn.jt != insn.jf) else {
            continue;
        };
        core::mem::swap(&mut test.jt, &mut test.jf);
        planted += 1;
        let (right, wrong) = (
            [Filter::load(program.clone()).unwrap()],
            [Filter::load(changed).unwrap()],
        );
        let reference = Kind::Reference.build(&right, Machine::default());
        let caught = [Kind::Predecoded, Kind::Specialised].map(|kind| {
            let engine = kind.build(&wrong, Machine::default());
            let mut seed = Seed::new(45, number);
            let differs = |call: &SeccompData| engine.decide(call) != reference.decide(call);
            (0..200).any(|_| differs(&call(core::slice::from_ref(&program), &mut seed)))
        });
        assert_eq!(caught[0], caught[1], "{program:?}");
        found += u32::from(caught[0]);
    }
    assert!(planted > 100 && found * 3 > planted, "{found} of {planted}");
}

/// Batches say what single calls say, over several portions and in every form.
#[test]
fn batches() {
    let program = program_of(Shape::Policy, 60, &mut Seed::new(47, 0));
    let (filters, programs) = ([Filter::load(program.clone()).unwrap()], [program]);
    let mut seed = Seed::new(47, 1);
    let calls: Vec<SeccompData> = (0..10_000).map(|_| call(&programs, &mut seed)).collect();
    for endian in [Endian::Little, Endian::Big] {
        let machine = Machine {
            endian,
            ..Machine::default()
        };
        let records: Vec<[u8; 64]> = calls.iter().map(|call| call.to_bytes(endian)).collect();
        let reference = Kind::Reference.build(&filters, machine);
        let wanted: Vec<Decision> = calls.iter().map(|call| reference.decide(call)).collect();
        for kind in Kind::ALL {
            let engine = kind.build(&filters, machine);
            let mut decisions = vec![reference.decide(&SeccompData::default()); calls.len()];
            batch::decide(&*engine, &calls, &mut decisions);
            assert!(decisions == wanted, "{kind}");
            let (mut values, mut of_records) = (vec![0; calls.len()], vec![0; calls.len()]);
            batch::values(&*engine, &calls, &mut values);
            batch::values_of_records(&*engine, &records, endian, &mut of_records);
            assert!(
                values
                    .iter()
                    .zip(&wanted)
                    .all(|(value, wanted)| *value == wanted.verdict.value),
                "{kind}"
            );
            assert!(values == of_records, "{kind}");
        }
    }
}

/// Programs that are hard on each limit: many numbers apart, many residual programs, values and ways that meet again.
#[test]
fn work_and_memory_are_bounded() {
    let load = Insn::stmt(0x20, 0);
    let each = |body: &dyn Fn(u32) -> Vec<Insn>| -> Vec<Insn> {
        let bodies = (0..4090).flat_map(body).take(4090);
        [load]
            .into_iter()
            .chain(bodies)
            .chain([0x06; 5].map(|code| Insn::stmt(code, 7)))
            .collect()
    };
    let programs = [
        each(&|i| vec![Insn::stmt(0x04, i), Insn::jump(0x15, i, 1, 0), Insn::stmt(0x07, 0)]),
        each(&|i| {
            vec![
                Insn::jump(0x35, i * 7919 % 513, 1, 0),
                Insn::jump(0x25, i * 31 % 511, 0, 2),
            ]
        }),
        each(&|i| {
            vec![
                Insn::stmt(0x20, 16),
                Insn::jump(0x15, i, 0, 1),
                Insn::stmt(0x00, i),
                load,
            ]
        }),
        each(&|i| {
            vec![
                load,
                Insn::jump(0x35, i * 7919 % 513, 1, 0),
                Insn::jump(0x25, i * 31 % 511, 0, 2),
            ]
        }),
        each(&|i| {
            vec![
                load,
                Insn::jump(0x15, i, 0, 2),
                Insn::stmt(0x20, 16),
                Insn::stmt(0x74, 3),
            ]
        }),
        each(&|i| {
            vec![
                load,
                Insn::stmt(0x44, i),
                Insn::jump(0x15, i, 0, 1),
                Insn::stmt(0x16, 0),
            ]
        }),
    ];
    for program in programs {
        let filters = [Filter::load(program.clone()).unwrap()];
        let start = std::time::Instant::now();
        let predecoded = Predecoded::new(&filters, Machine::default());
        assert!(predecoded.memory() < 200_000 + 600 * 4096, "{}", predecoded.memory());
        let shape = Specialised::new(&filters, Machine::default()).shape();
        assert!(shape.memory - predecoded.memory() < 800_000, "{shape:?}");
        // A hundred times what it takes, for slow machines.
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
        let mut seed = Seed::new(46, 0);
        let programs = [program];
        let calls: Vec<SeccompData> = (0..300).map(|_| call(&programs, &mut seed)).collect();
        agree(&programs, Machine::default(), &calls);
    }
}

#[test]
fn an_adaptive_engine_changes_and_says_the_same() {
    let program = vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 39, 0, 1),
        Insn::stmt(0x06, 0x0005_0001),
        Insn::stmt(0x06, 0x7fff_0000),
    ];
    let filters = vec![Filter::load(program).unwrap()];
    let adaptive = Adaptive::new(filters.clone(), Machine::default(), None);
    let reference = Kind::Reference.build(&filters, Machine::default());
    let mut kinds = Vec::new();
    for nr in 0..40_000 {
        kinds.push(adaptive.kind());
        let call = SeccompData::new(0xc000_003e, nr % 60, [0; 6]);
        assert_eq!(adaptive.decide(&call), reference.decide(&call));
    }
    kinds.dedup();
    assert_eq!(kinds, Kind::ALL);
    let only = Adaptive::new(filters.clone(), Machine::default(), Some(Kind::Reference));
    assert_eq!(only.kind(), Kind::Reference);
}
