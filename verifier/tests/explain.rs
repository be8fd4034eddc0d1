//! Regions and decisions say what the filter does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_testgen::{Caller, Harvest, Seed, Shape, program_of};
use callproof_verifier::{Arches, Condition, Decision, Limits, Region, Register, Space, Subject, View, Width};
use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

fn register(call: &SeccompData, register: Register) -> u64 {
    match register {
        Register::Arch => u64::from(call.arch),
        Register::Number => u64::from(call.nr.cast_unsigned()),
        Register::Argument(i) => call.args[usize::from(i)],
        Register::InstructionPointer => call.instruction_pointer,
    }
}

/// The values that a decision allows for a call: one, unless it is opaque.
fn decided(decision: &Decision, call: &SeccompData) -> Vec<u32> {
    match decision {
        Decision::Value(value) => vec![*value],
        Decision::Opaque(values) => values.clone(),
        Decision::Split {
            register: of,
            width,
            cases,
        } => {
            let value = match width {
                Width::Full => register(call, *of),
                Width::Low => register(call, *of) & 0xffff_ffff,
                Width::High => register(call, *of) >> 32,
            };
            let mut matching = cases
                .iter()
                .filter(|(condition, _)| condition.contains(value) == Some(true));
            let first = matching.next();
            assert!(
                matching.next().is_none(),
                "cases exclude each other: {cases:x?} {value:#x}"
            );
            let (condition, _) = cases.last().unwrap();
            assert_eq!(*condition, Condition::Otherwise);
            decided(&first.unwrap_or(cases.last().unwrap()).1, call)
        }
    }
}

fn holds(ranges: &[(u32, u32)], value: u32) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&value))
}

fn region<'r>(regions: &'r [Region], call: &SeccompData) -> &'r Region {
    let matching: Vec<_> = regions
        .iter()
        .filter(|region| {
            let arch = match &region.arches {
                Arches::One(arch) => *arch == call.arch,
                Arches::Others(ranges) => holds(ranges, call.arch),
            };
            arch && holds(&region.numbers, call.nr.cast_unsigned())
        })
        .collect();
    assert_eq!(matching.len(), 1, "one region for {call:x?}");
    matching[0]
}

#[test]
fn regions_agree_with_the_emulator() {
    let (mut decided_calls, mut opaque) = (0, 0);
    for case in 0..4000 {
        let mut seed = Seed::new(21, case);
        let shape = if case % 2 == 0 { Shape::Policy } else { Shape::Mixed };
        let filters = [Filter::load(program_of(shape, 10 + usize::try_from(case % 70).unwrap(), &mut seed)).unwrap()];
        let machine = Machine {
            endian: if case % 3 == 0 { Endian::Big } else { Endian::Little },
            ..Machine::default()
        };
        let limits = Limits {
            states: 5000,
            nodes: 60_000,
            steps: 400_000,
            values: 64,
            ..Limits::default()
        };
        let Ok(subject) = Subject::new(&filters, machine, &limits) else {
            continue;
        };
        let mut space = Space::new(machine, &[&subject], &limits);
        let Ok(function) = space.function(&subject, View::Value) else {
            continue;
        };
        let Ok(regions) = space.regions(&function, &[X86_64, I386]) else {
            continue;
        };
        let decisions: Vec<_> = regions.iter().map(|region| space.decision(region).unwrap()).collect();
        let callers: Vec<_> = (0..4).map(|_| Caller::any(&mut seed)).collect();
        for call in Harvest::of(filters[0].program()).calls(&mut seed, 50, &callers) {
            let place = regions
                .iter()
                .position(|other| other == region(&regions, &call))
                .unwrap();
            let values = decided(&decisions[place], &call);
            assert!(
                values.contains(&subject.run(&call).value),
                "case {case} {call:x?} {:x?}",
                decisions[place]
            );
            decided_calls += usize::from(values.len() == 1);
            opaque += usize::from(values.len() > 1);
        }
    }
    assert!(decided_calls > 20 * opaque, "{decided_calls} {opaque}");
}

/// `clone` with a mask, `personality` with a set, `lseek` with a 64-bit bound, `ioctl` on its low half, `socket` not.
#[test]
fn conditions_read_as_they_were_written() {
    let filters = [Filter::load(policy()).unwrap()];
    let (machine, limits) = (Machine::default(), Limits::default());
    let subject = Subject::new(&filters, machine, &limits).unwrap();
    let mut space = Space::new(machine, &[&subject], &limits);
    let function = space.function(&subject, View::Value).unwrap();
    let regions = space.regions(&function, &[X86_64]).unwrap();
    let mut of = |nr: i32| {
        let call = SeccompData::new(X86_64, nr, [0; 6]);
        let region = region(&regions, &call);
        let decision = space.decision(region).unwrap();
        (region.numbers.clone(), decision)
    };
    let split = |argument, width, condition| Decision::Split {
        register: Register::Argument(argument),
        width,
        cases: vec![
            (condition, Decision::Value(0x7fff_0000)),
            (Condition::Otherwise, Decision::Value(0x5_0001)),
        ],
    };
    assert_eq!(
        of(56),
        (
            vec![(56, 56)],
            split(0, Width::Low, Condition::Masked(vec![(0x7e02_0000, 0)]))
        )
    );
    assert_eq!(
        of(135).1,
        split(
            0,
            Width::Full,
            Condition::In(vec![(0, 0), (8, 8), (0x2_0000, 0x2_0000)])
        )
    );
    assert_eq!(
        of(16).1,
        split(1, Width::Low, Condition::NotIn(vec![(0x5412, 0x5412)])).swapped()
    );
    assert_eq!(
        of(8).1,
        split(1, Width::Full, Condition::In(vec![(0x1_0000_0001, u64::MAX)]))
    );
    assert_eq!(
        of(1000),
        (
            vec![(0, 7), (9, 15), (17, 55), (57, 134), (136, u32::MAX)],
            Decision::Value(0x5_0001)
        )
    );
    let others: Vec<_> = regions
        .iter()
        .filter(|region| matches!(region.arches, Arches::Others(_)))
        .collect();
    assert_eq!(others.len(), 1);
    assert_eq!(
        others[0].arches,
        Arches::Others(vec![(0, X86_64 - 1), (X86_64 + 1, u32::MAX)])
    );
    assert_eq!(others[0].numbers, [(0, u32::MAX)]);
}

trait Swapped {
    fn swapped(self) -> Self;
}

impl Swapped for Decision {
    /// The same decision with the condition of the denied case spelled out instead.
    fn swapped(self) -> Self {
        match self {
            Self::Split {
                register,
                width,
                mut cases,
            } => {
                let Condition::NotIn(ranges) = cases[0].0.clone() else {
                    panic!("a negated condition")
                };
                cases.reverse();
                cases[0].0 = Condition::In(ranges);
                cases[1].0 = Condition::Otherwise;
                Self::Split { register, width, cases }
            }
            other => other,
        }
    }
}

fn policy() -> Vec<Insn> {
    let (low, high) = (
        |i: u32| Insn::stmt(0x20, 16 + i * 8),
        |i: u32| Insn::stmt(0x20, 20 + i * 8),
    );
    let (allow, deny) = (Insn::stmt(0x06, 0x7fff_0000), Insn::stmt(0x06, 0x5_0001));
    let mut program = vec![
        Insn::stmt(0x20, 4),
        Insn::jump(0x15, X86_64, 1, 0),
        Insn::stmt(0x06, 0x8000_0000),
        Insn::stmt(0x20, 0),
    ];
    let clone = vec![low(0), Insn::jump(0x45, 0x7e02_0000, 1, 0), allow, deny];
    let ioctl = vec![low(1), Insn::jump(0x15, 0x5412, 1, 0), allow, deny];
    let mut personality = vec![high(0), Insn::jump(0x15, 0, 0, 5), low(0)];
    personality.extend([
        Insn::jump(0x15, 0, 2, 0),
        Insn::jump(0x15, 8, 1, 0),
        Insn::jump(0x15, 0x2_0000, 0, 1),
        allow,
        deny,
    ]);
    let lseek = vec![
        high(1),
        Insn::jump(0x25, 1, 3, 0),
        Insn::jump(0x15, 1, 0, 3),
        low(1),
        Insn::jump(0x25, 0, 0, 1),
        allow,
        deny,
    ];
    for (nr, rule) in [(56, clone), (16, ioctl), (135, personality), (8, lseek)] {
        program.push(Insn::jump(0x15, nr, 0, u8::try_from(rule.len()).unwrap()));
        program.extend(rule);
    }
    program.push(deny);
    program
}
