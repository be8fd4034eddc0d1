//! The live campaign: no difference to the emulator, and every planted mistake found and made small.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::time::Instant;

use callproof_kernel_diff::{
    ChainDisagreement, ChainOracle, Disagreement, Missing, Model, NativeOracle, Observes, Oracle, Plan, Report,
    SocketOracle, Source, campaign, machine, probe,
};
use callproof_testgen::reference::{Fault, Reference};
use callproof_testgen::{
    Caller, Case, Choose, Harvest, Seed, Shape, action_word, constant, near_valid, program, program_of, shrink,
};
use callproof_vm::{Endian, Filter, Insn, Outcome, SeccompData, combine};

struct Random(u64);

impl Source for Random {
    fn program(&self, number: u64) -> Vec<Insn> {
        program(&mut Seed::new(self.0, number))
    }

    fn doubtful(&self, number: u64) -> Option<Vec<Insn>> {
        Some(near_valid(&mut Seed::new(!self.0, number)))
    }

    fn data(&self, number: u64, program: &[Insn], count: usize, observes: &Observes) -> Vec<SeccompData> {
        let mut seed = Seed::new(self.0.rotate_left(32), number);
        let natives = observes.instruction_pointers.map(|(arch, ip)| Caller { arch, ip });
        let mut callers = natives.to_vec();
        if !observes.seccomp || seed.one_in(4) {
            callers.push(Caller::any(&mut seed));
        }
        Harvest::of(program).calls(&mut seed, count, &callers)
    }

    fn chain(&self, number: u64, observes: &Observes) -> Option<(Vec<Vec<Insn>>, Vec<SeccompData>)> {
        let mut seed = Seed::new(self.0.rotate_left(16), number);
        let filters = seed.below(8).saturating_add(1);
        let chain: Vec<Vec<Insn>> = (0..filters).map(|_| small_filter(&mut seed)).collect();
        let callers = observes.instruction_pointers.map(|(arch, ip)| Caller { arch, ip });
        let mut calls = Harvest::of(&chain.concat()).calls(&mut seed, 6, &callers);
        for call in &mut calls {
            let made = ChainOracle::numbers().into_iter().find(|(arch, _)| *arch == call.arch);
            if let Some((_, numbers)) = made {
                call.nr = seed.pick(&numbers);
            }
        }
        Some((chain, calls))
    }

    fn shrink(
        &self,
        program: Vec<Insn>,
        data: SeccompData,
        fails: &mut dyn FnMut(&[Insn], &SeccompData) -> bool,
    ) -> (Vec<Insn>, SeccompData) {
        let small = shrink(Case { program, data }, 3000, &mut |case| {
            fails(&case.program, &case.data)
        });
        (small.program, small.data)
    }
}

/// A result that hides no other, mostly: what kills hides all others.
fn result(seed: &mut Seed) -> u32 {
    const MILD: [u32; 7] = [0x3, 0x5, 0x5, 0x7fc0, 0x7ff0, 0x7ffc, 0x7fff];
    if seed.one_in(24) {
        return action_word(seed);
    }
    seed.pick(&MILD) << 16 | seed.below(5)
}

/// A filter that lets `seccomp` pass and returns some action for other calls.
fn small_filter(seed: &mut Seed) -> Vec<Insn> {
    let mut filter = vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 317, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x00, 0),
    ];
    if seed.one_in(8) {
        let len = seed.below(16) as usize;
        filter.extend(program_of(Shape::Policy, len, seed));
        return filter;
    }
    let word = seed.below(16).saturating_mul(4);
    filter.push(Insn::stmt(0x20, word));
    filter.push(Insn::jump(0x25, constant(seed), 0, 1));
    filter.push(Insn::stmt(0x06, result(seed)));
    filter.push(Insn::stmt(0x06, result(seed)));
    filter
}

/// The second model, with a planted mistake.
struct Faulty(Fault);

impl Model for Faulty {
    fn admits(&self, program: &[Insn]) -> bool {
        Reference::with(self.0).admits(program)
    }

    fn run(&self, program: &[Insn], data: &[SeccompData]) -> Vec<u32> {
        let model = Reference::with(self.0);
        data.iter()
            .map(|call| model.run(program, call, Endian::NATIVE))
            .collect()
    }

    fn outcome(&self, chain: &[Vec<Insn>], call: &SeccompData) -> Outcome {
        let value = Reference::with(self.0).run_chain(chain, call, Endian::NATIVE);
        Outcome::of(&combine([(0, value)], machine().kernel))
    }

    fn length(&self, program: &[Insn]) -> u32 {
        Reference::with(self.0).charged_len(program)
    }
}

fn run<O: Oracle>(programs: u64, most: usize, model: &dyn Model, open: fn() -> Result<O, Missing>) -> Option<Report> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let plan = Plan {
        programs,
        data_per_program: 16,
        jobs: std::thread::available_parallelism().unwrap(),
        most_mismatches: most,
        stop: &STOP,
    };
    let report = campaign(&plan, &Random(1), model, &open, &|_| ());
    report.inspect_err(|missing| println!("skipped: {missing}")).ok()
}

#[test]
fn the_kernel_does_what_the_emulator_says() {
    let programs = std::env::var("CALLPROOF_PROGRAMS").map_or(4_000, |text| text.parse().unwrap());
    let Some(report) = run(programs, 10, &machine(), NativeOracle::new) else {
        return;
    };
    println!("{report:#?}");
    assert_eq!(report.mismatches, []);
    assert!(report.failures.is_empty());
    assert_eq!(report.admission_missing, None);
    assert_eq!(report.programs, programs);
    assert!(report.evaluations + 16 * report.skipped.values().sum::<u64>() == 16 * programs);
    assert_eq!(report.by_opcode.len(), 41);
    assert!(report.elapsed < Duration::from_secs(1000), "never hangs");
    let chains = &report.chains;
    assert_eq!((&chains.mismatches[..], &chains.missing), (&[][..], &None));
    assert_eq!(chains.chains, programs.div_ceil(8));
    assert_eq!((chains.calls, chains.rooms), (6 * chains.chains, programs.div_ceil(64)));
    assert_eq!((chains.by_filters.len(), chains.by_outcome.len()), (8, 4));
}

#[test]
fn socket_filters_do_what_the_emulator_says() {
    let Some(report) = run(1_000, 10, &machine(), SocketOracle::new) else {
        return;
    };
    assert_eq!(report.mismatches, []);
    assert_eq!(report.by_opcode.len(), 41);
}

/// How long the comparison may take to find a planted fault, on a machine that has other work too. Alone it takes less than a second.
const SOON: Duration = Duration::from_secs(10);

/// Runs until one disagreement is found, and tells when that was.
fn hunt(fault: Fault) -> Option<Report> {
    let report = run(100_000, 1, &Faulty(fault), NativeOracle::new)?;
    println!("{fault:?}: {:.1?}", report.elapsed);
    assert!(report.elapsed < SOON, "{fault:?}: {:?}", report.elapsed);
    assert!(report.found() > 0, "{fault:?} was not found");
    Some(report)
}

#[test]
fn the_campaign_finds_every_fault_of_evaluation_and_makes_it_small() {
    let faults = [
        (Fault::SwapTransfers, 3),
        (Fault::DivisionYieldsZero, 4),
        (Fault::ShiftToZero, 6),
        (Fault::SignedCompare, 5),
    ];
    for (fault, most) in faults {
        let Some(report) = hunt(fault) else { return };
        // Whichever comes first: one program, or a chain with it.
        if let [mismatch] = report.mismatches.as_slice() {
            let Disagreement::Value { data, kernel, model } = mismatch.kind else {
                panic!("{fault:?}: {mismatch:?}");
            };
            assert_ne!(kernel, model);
            assert!(mismatch.program.len() <= most, "{fault:?}: {:?}", mismatch.program);
            let filter = Filter::load(&mismatch.program[..]).unwrap();
            let emulator = filter.run(&data, machine());
            assert_eq!(emulator, kernel, "the emulator sides with the kernel");
        }
    }
}

#[test]
fn the_campaign_finds_a_wrong_scratch_check() {
    if let Err(missing) = probe().admission {
        println!("skipped: {missing}");
        return;
    }
    let Some(report) = hunt(Fault::DataFlowScratch) else {
        return;
    };
    let [mismatch] = report.mismatches.as_slice() else {
        panic!("{:?}", report.chains.mismatches);
    };
    let kind = Disagreement::Admission {
        kernel: false,
        model: true,
    };
    assert_eq!(mismatch.kind, kind);
    assert!(mismatch.program.len() <= 4, "{:?}", mismatch.program);
}

#[test]
fn the_campaign_finds_every_fault_of_chains_and_makes_it_small() {
    for fault in [Fault::OldestWinsTies, Fault::UnsignedSeverity, Fault::ClassicLength] {
        let Some(report) = hunt(fault) else { return };
        let [mismatch] = report.chains.mismatches.as_slice() else {
            panic!("{fault:?}: {:?}", report.mismatches);
        };
        println!("  {mismatch:?}");
        let insns: usize = mismatch.chain.iter().map(Vec::len).sum();
        match mismatch.kind {
            ChainDisagreement::Outcome { data, kernel, model } => {
                assert_ne!(fault, Fault::ClassicLength);
                assert_ne!(kernel, model);
                // Two results, and nothing else; one, where the model takes a kill for milder than ALLOW.
                assert!(insns <= 2, "{fault:?}: {:?}", mismatch.chain);
                let emulator = ChainOracle::shown(machine().outcome(&mismatch.chain, &data));
                assert_eq!(emulator, kernel, "the emulator sides with the kernel");
            }
            ChainDisagreement::Room { kernel, model, .. } => {
                assert_eq!(fault, Fault::ClassicLength);
                assert!(kernel < model);
                assert_eq!((mismatch.chain.len(), insns), (1, 1));
            }
        }
    }
}

/// A wrong order of words shows on a big-endian machine alone: its kernel's recorded answers are asked.
#[test]
fn the_recorded_answers_of_a_big_endian_kernel_find_swapped_words() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../vectors/vm/debian-s390x-interpreter.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let start = Instant::now();
    let [right, wrong] = [Fault::None, Fault::BigEndianWordSwap].map(|fault| {
        let model = Reference::with(fault);
        let answers = text.lines().skip(1).flat_map(answers);
        answers
            .filter(|(program, call, kernel)| model.run(program, call, Endian::Big) != *kernel)
            .count()
    });
    println!("BigEndianWordSwap: {wrong} wrong answers, {:.1?}", start.elapsed());
    assert_eq!(right, 0);
    assert!(wrong > 10, "{wrong}");
    assert!(start.elapsed() < SOON);
}

/// Programs, calls and results of a line; none of a line about admission.
fn answers(line: &str) -> Vec<(Vec<Insn>, SeccompData, u32)> {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let bytes = unhex(line.get("prog").unwrap().as_str().unwrap());
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    let Some(cases) = line.get("cases") else {
        return Vec::new();
    };
    let cases = cases.as_array().unwrap().iter();
    let answer = |case: &serde_json::Value| {
        let record = unhex(case.get(0).unwrap().as_str().unwrap());
        let call = SeccompData::from_bytes(record.as_slice().try_into().unwrap(), Endian::Little);
        let value = u32::from_str_radix(case.get(1).unwrap().as_str().unwrap(), 16).unwrap();
        (program.clone(), call, value)
    };
    cases.map(answer).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().as_chunks::<2>().0.iter();
    digits
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
