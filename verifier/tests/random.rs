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
use callproof_verifier::{Limits, Space, Subject, Undecided, Verdicts, View};
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

/// Programs that depend on few bits: every input, and no other bit may matter.
#[test]
fn programs_of_few_bits_by_brute_force() {
    let cases: u64 = std::env::var("CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let (mut undecided, mut inputs, mut opcodes) = (0_u64, 0_u64, std::collections::BTreeSet::new());
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
