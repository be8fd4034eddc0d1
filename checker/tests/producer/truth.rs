//! Whether a statement is true at an input, by running the filters.

use super::diagram::Op;
use callproof_checker::{Event, Machine, Part, Region, Relation, Set, Shift, Statement, Way};
use callproof_vm::observe::{Next, Observer, Step};
use callproof_vm::{Endian, Filter, Insn, Kernel, SeccompData, ShiftByX};

pub(crate) fn shift_rule(machine: &Machine) -> ShiftByX {
    match machine.shift {
        Shift::Masked => ShiftByX::Masked,
        Shift::Arm8 => ShiftByX::Arm8,
        Shift::SixBitZero => ShiftByX::SixBitZero,
    }
}

pub(crate) fn endian(machine: &Machine) -> Endian {
    if machine.big_endian {
        Endian::Big
    } else {
        Endian::Little
    }
}

pub(crate) fn bytes(program: &[Insn], machine: &Machine) -> Vec<u8> {
    program.iter().flat_map(|insn| insn.to_bytes(endian(machine))).collect()
}

/// What the kernel makes of the filters' results, the oldest first.
pub(crate) fn combine(values: &[u32], machine: &Machine) -> u32 {
    let kernel = if machine.before_4_14 {
        Kernel::new(4, 13)
    } else {
        Kernel::new(4, 14)
    };
    callproof_vm::combine(values.iter().copied().enumerate().rev(), kernel).value
}

pub(crate) fn severity(value: u32, machine: &Machine) -> i32 {
    let mask = if machine.before_4_14 { 0x7fff_0000 } else { 0xffff_0000 };
    (value & mask).cast_signed()
}

/// The class of a combined value.
pub(crate) fn class(value: u32, classes: &[Set], machine: &Machine) -> Option<usize> {
    let value = combine(&[value], machine);
    let within = |set: &Set| set.iter().any(|&(first, last)| first <= value && value <= last);
    classes.iter().position(within)
}

/// One class for every known action, one for each gap between two.
pub(crate) fn actions(machine: &Machine) -> Vec<Set> {
    let starts = [
        0, 1, 3, 4, 5, 6, 0x7fc0, 0x7fc1, 0x7ff0, 0x7ff1, 0x7ffc, 0x7ffd, 0x7fff, 0x8000, 0x8001,
    ];
    let mut classes: Vec<Set> = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(u32::MAX, |&end: &u32| (end << 16) - 1);
        if machine.before_4_14 && start >= 0x8000 {
            break;
        }
        let end = if machine.before_4_14 { end.min(0x7fff_ffff) } else { end };
        classes.push(vec![(start << 16, end)]);
    }
    if machine.before_4_14 {
        for class in &mut classes {
            let (first, last) = class[0];
            class.push((first | 0x8000_0000, last | 0x8000_0000));
        }
        // The ranges of ALLOW end at the last word and touch nothing.
    }
    classes
}

/// An input, as words in the variable order.
pub(crate) type Input = [u32; 16];

pub(crate) fn call(input: &Input) -> SeccompData {
    let wide = |i: usize| u64::from(input[i]) << 32 | u64::from(input[i + 1]);
    SeccompData {
        arch: input[0],
        nr: input[1].cast_signed(),
        args: [wide(2), wide(4), wide(6), wide(8), wide(10), wide(12)],
        instruction_pointer: wide(14),
    }
}

#[derive(Default)]
struct Watch {
    steps: u32,
    events: Vec<Event>,
    happened: bool,
}

impl Observer for Watch {
    fn step(&mut self, step: &Step) {
        self.steps += 1;
        let here = self.events.iter().filter(|event| event.pc as usize == step.pc);
        self.happened |= here.fold(false, |happened, event| happened | happens(step, event.way));
    }
}

fn happens(step: &Step, way: Way) -> bool {
    match (way, step.insn.code & 0xf) {
        (Way::Reached, _) => true,
        (way, 0x5 | 0xd) if step.insn.code != 5 => {
            // Both ways may lead to the same place: the comparison tells them apart.
            let other = if step.insn.code & 8 == 0 { step.insn.k } else { step.x };
            let op = match step.insn.code & 0xf0 {
                0x10 => Op::Eq,
                0x20 => Op::Gt,
                0x30 => Op::Ge,
                _ => Op::Set,
            };
            (way == Way::Yes) == op.holds(step.a, other)
        }
        (way, 0xc) => match step.insn.code {
            0x3c => (way == Way::Yes) == matches!(step.next, Next::Return(_)),
            0x6c | 0x7c => (way == Way::Yes) == (step.x >= 32),
            _ => false,
        },
        _ => false,
    }
}

fn forced(input: &Input, force: &[(u8, u32, u32)]) -> Input {
    let mut input = *input;
    for &(word, mask, value) in force {
        let word = &mut input[usize::from(word)];
        *word = *word & !mask | value;
    }
    input
}

pub(crate) fn in_region(region: &[Region], within: u32, input: &Input) -> bool {
    let mut values = vec![false, true];
    for node in region {
        let value = input[usize::from(node.word)] & node.mask;
        let case = node.cases.iter().find(|case| case.0 <= value && value <= case.1);
        values.push(values[case.map_or(node.otherwise, |case| case.2) as usize]);
    }
    values[within as usize]
}

/// Whether the statement holds at an input.
pub(crate) fn true_at(statement: &Statement, chains: &[Vec<Vec<Insn>>], input: &Input) -> bool {
    let holds = |part: &Part| {
        !in_region(&statement.claim.region, part.within, input) || part_holds(&statement.machine, part, chains, input)
    };
    statement.claim.parts.iter().all(holds)
}

fn part_holds(machine: &Machine, part: &Part, chains: &[Vec<Vec<Insn>>], input: &Input) -> bool {
    let views = part.views.iter().map(|view| {
        let words = call(&forced(input, &view.force)).words(endian(machine));
        let mut steps = 0;
        let mut happened = false;
        let mut values = Vec::new();
        for (index, filter) in chains[usize::from(view.chain)].iter().enumerate() {
            let mut watch = Watch::default();
            if let Relation::Never(events) = &part.relation {
                let own = events.iter().filter(|event| event.filter as usize == index);
                watch.events = own.copied().collect();
            }
            let filter = Filter::load(filter.as_slice()).unwrap();
            values.push(filter.run_words(&words, shift_rule(machine), &mut watch));
            steps += watch.steps;
            happened |= watch.happened;
        }
        (combine(&values, machine), steps, happened)
    });
    let views: Vec<_> = views.collect();
    let (left, steps, happened) = views[0];
    let right = views.last().unwrap().0;
    let within = |set: &Set, value: u32| set.iter().any(|&(first, last)| first <= value && value <= last);
    match &part.relation {
        Relation::Within(set) => within(set, left),
        Relation::Equal(set) => !within(set, left) || left == right,
        Relation::SameAction => severity(left, machine) == severity(right, machine),
        Relation::Refines => severity(left, machine) <= severity(right, machine),
        Relation::Implies(set) => !within(set, left) || within(set, right),
        Relation::Cost(bound) => steps <= *bound,
        Relation::CostAtLeast(bound) => steps >= *bound,
        Relation::Never(_) => !happened,
    }
}
