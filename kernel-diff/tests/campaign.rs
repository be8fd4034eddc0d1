//! The live campaign: no difference to the emulator, and every planted mistake found and made small.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::sync::atomic::AtomicBool;
use core::time::Duration;

use callproof_kernel_diff::{
    Disagreement, Missing, Model, NativeOracle, Observes, Oracle, Plan, Report, SocketOracle, Source, campaign,
    machine, probe,
};
use callproof_testgen::reference::{Fault, Reference};
use callproof_testgen::{Caller, Case, Choose, Harvest, Seed, near_valid, program, shrink};
use callproof_vm::{Endian, Filter, Insn, SeccompData};

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
}

#[test]
fn socket_filters_do_what_the_emulator_says() {
    let Some(report) = run(1_000, 10, &machine(), SocketOracle::new) else {
        return;
    };
    assert_eq!(report.mismatches, []);
    assert_eq!(report.by_opcode.len(), 41);
}

#[test]
fn the_campaign_finds_every_planted_fault_and_makes_it_small() {
    let faults = [
        (Fault::SwapTransfers, 3),
        (Fault::DivisionYieldsZero, 4),
        (Fault::ShiftToZero, 6),
        (Fault::SignedCompare, 5),
    ];
    for (fault, most) in faults {
        let Some(report) = run(100_000, 1, &Faulty(fault), NativeOracle::new) else {
            return;
        };
        let [mismatch] = report.mismatches.as_slice() else {
            panic!("{fault:?} was not found");
        };
        println!(
            "{fault:?}: program {}, {:?}, {:.1?}",
            mismatch.number, mismatch.program, report.elapsed
        );
        let Disagreement::Value { data, kernel, model } = mismatch.kind else {
            panic!("{fault:?}: {mismatch:?}");
        };
        assert_ne!(kernel, model);
        assert!(mismatch.program.len() <= most, "{fault:?}: {:?}", mismatch.program);
        let filter = Filter::load(&mismatch.program[..]).unwrap();
        assert_eq!(
            filter.run(&data, machine()),
            kernel,
            "the emulator sides with the kernel"
        );
    }
}

#[test]
fn the_campaign_finds_a_wrong_scratch_check() {
    if let Err(missing) = probe().admission {
        println!("skipped: {missing}");
        return;
    }
    let Some(report) = run(100_000, 1, &Faulty(Fault::DataFlowScratch), NativeOracle::new) else {
        return;
    };
    let [mismatch] = report.mismatches.as_slice() else {
        panic!("not found");
    };
    let kind = Disagreement::Admission {
        kernel: false,
        model: true,
    };
    assert_eq!(mismatch.kind, kind);
    assert!(mismatch.program.len() <= 4, "{:?}", mismatch.program);
}
