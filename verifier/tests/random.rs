//! Random programs: the exact function against the emulator.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

mod small;

use callproof_testgen::{Caller, Choose, Harvest, Seed, program};
use std::collections::BTreeSet;

use callproof_verifier::{Failure, HazardKind, Limits, Set, Space, Subject, Undecided, Verdicts, View};
use callproof_vm::isa::{Alu, Op, Src};
use callproof_vm::observe::Next;
use callproof_vm::{Action, Chain, Endian, Filter, Gate, Kernel, Machine, SeccompData, ShiftByX};

/// Small enough that contrived programs do not slow the test down, large enough for nearly all.
fn limits() -> Limits {
    Limits {
        states: 20_000,
        nodes: 60_000,
        steps: 400_000,
        values: 512,
        ..Limits::default()
    }
}

fn machine(choose: &mut impl Choose) -> Machine {
    Machine {
        kernel: choose.pick(&[
            Kernel::LATEST,
            Gate::KillProcess.since(),
            Kernel::new(4, 13),
            Kernel::new(4, 20),
        ]),
        endian: choose.pick(&[Endian::Little, Endian::Big]),
        shift: choose.pick(&ShiftByX::ALL),
    }
}

fn check(filters: &[Filter<'_>], machine: Machine, calls: &[SeccompData]) -> Result<(), Undecided> {
    let limits = limits();
    let subject = Subject::new(filters, machine, &limits)?;
    let mut space = Space::new(machine, &[&subject], &limits);
    let value = space.function(&subject, View::Value)?;
    let action = space.function(&subject, View::Action)?;
    let permits = space.function(&subject, View::Permits)?;
    let permitted = Verdicts::permitted(machine.kernel);
    let sets = [&value, &action, &permits].map(|function| space.calls(function, &permitted));
    let [by_value, by_action, by_permission] = sets;
    let by_value = by_value?;
    assert_eq!(
        (by_value, by_value),
        (by_action?, by_permission?),
        "one set, three ways"
    );
    for call in calls {
        let verdict = Chain::new(filters).run(call, machine);
        assert_eq!(space.value(&value, call), verdict.value, "{machine:?} {call:x?}");
        assert_eq!(
            Action::of(space.value(&action, call), machine.kernel),
            verdict.action,
            "{machine:?} {call:x?}"
        );
        assert_eq!(space.contains(by_value, call), verdict.action.permits());
    }
    Ok(())
}

fn shown(filters: &[Filter<'_>]) -> String {
    let show = |filter: &Filter<'_>| -> String {
        let lines = filter.program().iter().enumerate();
        lines.map(|(pc, insn)| format!("\n  {pc}: {}", insn.at(pc))).collect()
    };
    filters.iter().map(show).collect::<Vec<_>>().join("\n--")
}

/// Every opcode, any word: sampled calls that lean on the program's own constants.
#[test]
fn programs_of_every_shape() {
    let cases: u64 = std::env::var("CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let mut undecided = 0_u64;
    for case in 0..cases {
        let mut seed = Seed::new(11, case);
        let count = if seed.one_in(4) { 1 + seed.below(3) } else { 1 };
        let filters: Vec<_> = (0..count).map(|_| Filter::load(program(&mut seed)).unwrap()).collect();
        let machine = machine(&mut seed);
        let harvest = filters.iter().map(|filter| Harvest::of(filter.program()));
        let calls: Vec<_> = harvest
            .flat_map(|harvest| {
                let callers: Vec<_> = (0..4).map(|_| Caller::any(&mut seed)).collect();
                harvest.calls(&mut seed, 24, &callers)
            })
            .collect();
        let result = std::panic::catch_unwind(|| check(&filters, machine, &calls));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(_)) => undecided += 1,
            Err(_) => panic!("case {case}: {}", shown(&filters)),
        }
    }
    println!("{cases} programs, {undecided} undecided within small limits");
    assert!(undecided * 8 < cases, "{undecided} of {cases}");
}

/// What brute force sees over all calls: instructions executed, ways gone, the most instructions, hazards.
#[derive(Default, PartialEq, Debug)]
struct Seen {
    dead: Vec<usize>,
    one_way: Vec<(usize, bool)>,
    shifts: BTreeSet<usize>,
    divisions: BTreeSet<usize>,
    most: u64,
}

fn see(filter: &Filter<'_>, machine: Machine, calls: &[SeccompData]) -> Seen {
    let (mut executed, mut ways, mut seen) = (BTreeSet::new(), BTreeSet::new(), Seen::default());
    for call in calls {
        let mut trace = callproof_vm::observe::Trace::default();
        filter.run_observed(call, machine, &mut trace);
        seen.most = seen.most.max(trace.steps.len() as u64);
        for (_, step) in trace.steps {
            executed.insert(step.pc);
            match (step.insn.op(), step.next) {
                (Some(Op::Jump(..)), Next::Pc(to)) if step.insn.jt != step.insn.jf => {
                    ways.insert((step.pc, to == step.pc + 1 + usize::from(step.insn.jt)));
                }
                (Some(Op::Alu(Alu::Lsh | Alu::Rsh, Src::X)), _) if step.x > 31 => {
                    seen.shifts.insert(step.pc);
                }
                (Some(Op::Alu(Alu::Div, Src::X)), Next::Return(_)) => {
                    seen.divisions.insert(step.pc);
                }
                _ => {}
            }
        }
    }
    seen.dead = (0..filter.program().len())
        .filter(|pc| !executed.contains(pc))
        .collect();
    seen.one_way = ways
        .iter()
        .copied()
        .filter(|(pc, way)| !ways.contains(&(*pc, !way)))
        .collect();
    seen
}

fn audit(filters: &[Filter<'_>], machine: Machine, calls: &[SeccompData]) -> Result<Seen, Failure> {
    let limits = limits();
    let subject = Subject::new(filters, machine, &limits)?;
    let mut space = Space::new(machine, &[&subject], &limits);
    let audit = space.audit(&subject, 0)?;
    let mut costs = space.costs(&subject)?;
    for call in calls {
        assert_eq!(space.cost(&mut costs, call), subject.count(call));
    }
    let most = space.worst_case(&subject, &mut costs, Set::ALL)?.unwrap().insns;
    assert!(most <= subject.longest_path());
    let of = |kind| {
        audit
            .hazards
            .iter()
            .filter(move |hazard| hazard.kind == kind)
            .map(|hazard| hazard.pc)
            .collect()
    };
    let (shifts, divisions) = (of(HazardKind::Shift), of(HazardKind::Division));
    Ok(Seen {
        dead: audit.dead,
        one_way: audit.one_way,
        shifts,
        divisions,
        most,
    })
}

/// Reach and cost are exact: for programs of few bits brute force sees the same.
#[test]
fn audits_and_costs_by_brute_force() {
    let cases: u64 = std::env::var("CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000);
    let (mut hazards, mut one_way) = (0, 0);
    for case in 0..cases {
        let mut seed = Seed::new(12, case);
        let (program, bits) = small::program(&mut seed);
        let filters = [Filter::load(program).unwrap()];
        let machine = machine(&mut seed);
        let calls: Vec<_> = small::inputs(&bits)
            .map(|words| SeccompData::from_words(words, machine.endian))
            .collect();
        let expected = see(&filters[0], machine, &calls);
        match audit(&filters, machine, &calls) {
            Ok(found) => assert_eq!(found, expected, "case {case}: {}", shown(&filters)),
            Err(Failure::Undecided(_)) => {}
            Err(failure) => panic!("case {case}: {failure}{}", shown(&filters)),
        }
        hazards += expected.shifts.len() + expected.divisions.len();
        one_way += expected.one_way.len();
    }
    assert!(
        hazards as u64 * 10 > cases && one_way as u64 * 10 > cases,
        "{hazards} {one_way}"
    );
}

/// Programs that depend on few bits: every input, and no other bit may matter.
#[test]
fn programs_of_few_bits_by_brute_force() {
    let cases: u64 = std::env::var("CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let (mut undecided, mut inputs, mut opcodes) = (0_u64, 0_u64, BTreeSet::new());
    for case in 0..cases {
        let mut seed = Seed::new(12, case);
        let (program, bits) = small::program(&mut seed);
        opcodes.extend(program.iter().map(|insn| insn.code));
        let filters = [Filter::load(program).unwrap_or_else(|refused| panic!("case {case}: {refused}"))];
        let machine = machine(&mut seed);
        let calls: Vec<SeccompData> = small::inputs(&bits)
            .map(|words| SeccompData::from_words(words, machine.endian))
            .collect();
        inputs += calls.len() as u64;
        // The same inputs with everything else turned on must get the same answers: other bits do not matter.
        let noisy =
            small::inputs(&bits).map(|words| SeccompData::from_words(small::noise(words, &bits), machine.endian));
        let calls: Vec<_> = calls.into_iter().chain(noisy).collect();
        let result = std::panic::catch_unwind(|| check(&filters, machine, &calls));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(_)) => undecided += 1,
            Err(_) => panic!("case {case}: {}", shown(&filters)),
        }
    }
    println!(
        "{cases} programs, {inputs} inputs, {} opcodes, {undecided} undecided",
        opcodes.len()
    );
    assert_eq!(opcodes.len(), 41);
    assert!(undecided * 1000 < cases, "{undecided} of {cases}");
}
