//! A guest that the emulator plays, rightly and wrongly.

use callproof_testgen::{Caller, Choose as _, Harvest, Seed, near_valid, program};
use callproof_vm::{Filter, Kernel};

use super::super::lab::explanations;
use super::super::tell::Gate;
use super::*;

struct Generated;

impl Source for Generated {
    fn program(&self, number: u64) -> Vec<Insn> {
        program(&mut Seed::new(3, number))
    }

    fn doubtful(&self, number: u64) -> Option<Vec<Insn>> {
        Some(near_valid(&mut Seed::new(4, number)))
    }

    fn data(&self, number: u64, program: &[Insn], count: usize, observes: &Observes) -> Vec<SeccompData> {
        let mut seed = Seed::new(5, number);
        let mut callers = observes
            .instruction_pointers
            .map(|(arch, ip)| Caller { arch, ip })
            .to_vec();
        if seed.one_in(3) {
            callers.push(Caller::any(&mut seed));
        }
        Harvest::of(program).calls(&mut seed, count, &callers)
    }
}

const ARCHES: &[u32] = &[0xc000_003e, 0x4000_0003];
const WITHHELD: &[i32] = &[335, 336];

fn facts(endian: Endian) -> Facts {
    Facts {
        release: "6.12".to_owned(),
        machine: "x86_64".to_owned(),
        endian,
        bits: 64,
        x32: true,
        getppid: 110,
        number_mask: u32::MAX,
        passes: None,
        native: Gate {
            arch: ARCHES[0],
            ip: 0x40_1234,
        },
        i386: Some(Gate {
            arch: ARCHES[1],
            ip: 0x40_5678,
        }),
    }
}

/// What a guest that follows this model answers: it installs the programs and makes the calls.
fn played(jobs: &[Job], facts: &Facts, machine: Machine) -> Vec<Answer> {
    let outcome = |filter: &Filter<'_>, call: &Call| {
        assert!(call.via == Via::I386 || !WITHHELD.contains(&call.nr.cast_signed()));
        let gate = match call.via {
            Via::Native => facts.native,
            Via::I386 => facts.i386.unwrap(),
        };
        let seen = SeccompData {
            nr: call.nr.cast_signed(),
            arch: gate.arch,
            instruction_pointer: gate.ip,
            args: call
                .args
                .map(|arg| if call.via == Via::I386 { arg & 0xffff_ffff } else { arg }),
        };
        match filter.run(&seen, machine) {
            0 => Outcome::Died(SIGSYS),
            value => {
                assert_eq!(value >> 16, 5, "nothing but errnos comes from a program under test");
                Outcome::Error(u16::try_from(value & 0xffff).unwrap())
            }
        }
    };
    let answer = |job: &Job| match Filter::load_on(machine.kernel, &job.programs[0][..]) {
        Err(_) => Answer {
            refused: Some((0, 22)),
            outcomes: vec![Outcome::NotMade; job.calls.len()],
        },
        Ok(filter) => Answer {
            refused: None,
            outcomes: job.calls.iter().map(|call| outcome(&filter, call)).collect(),
        },
    };
    jobs.iter().map(answer).collect()
}

/// Asks a guest that follows one model, and compares with another.
fn asked(guest: Machine, model: Machine) -> Compared {
    let facts = facts(guest.endian);
    let seen = observes(&facts, ARCHES, WITHHELD);
    let mut questions = Questions::default();
    for (number, (program, data)) in (1000..).zip(super::super::directed::directed(&facts)) {
        questions.ask(Case { number, program, data }, &facts, &seen);
    }
    questions.generate(&Generated, 0..300, 8, (&facts, &seen), &guest);
    questions.compare(&played(&questions.jobs, &facts, guest), &model, &seen)
}

#[test]
fn a_guest_that_is_as_modelled_agrees() {
    for endian in [Endian::Little, Endian::Big] {
        for shift in ShiftByX::ALL {
            let machine = Machine {
                kernel: Kernel::new(6, 12),
                endian,
                shift,
            };
            let Compared {
                report,
                decisive,
                recorded,
            } = asked(machine, machine);
            assert_eq!(report.mismatches, []);
            assert_eq!(report.failures.len(), 0, "{:?}", report.failures);
            assert!(report.evaluations > 3000 && report.refused > 50, "{report:?}");
            assert!(decisive.shift > 50 && decisive.endian > 100, "{decisive:?}");
            let calls = recorded.iter().flat_map(|recorded| &recorded.cases);
            assert!(
                calls.clone().any(|(call, _)| call.nr & X32_BIT != 0),
                "x32 calls are made"
            );
            assert!(calls.clone().all(|(call, _)| ARCHES.contains(&call.arch)));
            let refused = recorded.iter().filter(|recorded| recorded.refused.is_some()).count() as u64;
            assert_eq!(refused, report.refused);
            for recorded in &recorded {
                let Ok(filter) = Filter::load(&recorded.program[..]) else {
                    assert_eq!((recorded.refused, recorded.cases.len()), (Some(22), 0));
                    continue;
                };
                assert_eq!(recorded.refused, None);
                let mut cases = recorded.cases.iter();
                assert!(cases.all(|(call, value)| filter.run(call, machine) == *value));
            }
        }
    }
}

#[test]
fn a_guest_with_another_rule_is_found_out_and_explained() {
    let guest = Machine {
        shift: ShiftByX::Arm8,
        ..Machine::default()
    };
    let model = Machine::default();
    let mismatches = asked(guest, model).report.mismatches;
    assert!(mismatches.len() >= 6, "both shifts of three operands");
    for mismatch in &mismatches {
        let others = explanations(mismatch, model);
        assert!(others.iter().any(|other| other.shift == ShiftByX::Arm8), "{others:?}");
        assert!(others.iter().all(|other| *other != model), "{others:?}");
    }
    let big = Machine {
        endian: Endian::Big,
        ..model
    };
    let facts = facts(Endian::Little);
    let seen = observes(&facts, ARCHES, WITHHELD);
    let mut questions = Questions::default();
    questions.generate(&Generated, 0..50, 8, (&facts, &seen), &model);
    let answers = played(&questions.jobs, &facts, model);
    assert!(!questions.compare(&answers, &big, &seen).report.mismatches.is_empty());
}

/// s390x: the filter sees the lowest 16 bits of a number.
#[test]
fn numbers_that_a_kernel_cuts_are_put_into_the_program() {
    let model = Machine {
        endian: Endian::Big,
        ..Machine::default()
    };
    let whole = facts(Endian::Big);
    let cut = Facts {
        number_mask: 0xffff,
        passes: None,
        x32: false,
        ..whole.clone()
    };
    for (facts, agrees) in [(cut, true), (whole, false)] {
        let seen = observes(&facts, ARCHES, WITHHELD);
        let mut questions = Questions::default();
        questions.generate(&Generated, 0..200, 8, (&facts, &seen), &model);
        let mut jobs = questions.jobs.clone();
        for call in jobs
            .iter_mut()
            .flat_map(|job| &mut job.calls)
            .filter(|call| call.via == Via::Native)
        {
            call.nr &= 0xffff;
            if WITHHELD.contains(&call.nr.cast_signed()) {
                call.nr = 0;
            }
        }
        let report = questions.compare(&played(&jobs, &facts, model), &model, &seen).report;
        assert_eq!(report.mismatches.is_empty(), agrees);
    }
}

#[test]
fn a_guest_that_refuses_too_much_is_found_out() {
    let model = Machine::default();
    let facts = facts(Endian::Little);
    let seen = observes(&facts, ARCHES, WITHHELD);
    let mut questions = Questions::default();
    questions.generate(&Generated, 0..20, 2, (&facts, &seen), &model);
    let mut answers = played(&questions.jobs, &facts, model);
    let job = questions
        .asked
        .iter()
        .position(|asked| model.admits(&asked.case.program))
        .unwrap();
    answers[questions.asked[job].admission].refused = Some((0, 22));
    let report = questions.compare(&answers, &model, &seen).report;
    let expected = Disagreement::Admission {
        kernel: false,
        model: true,
    };
    assert_eq!(report.mismatches.len(), 1);
    assert_eq!(report.mismatches[0].kind, expected);
}

#[test]
fn an_answer_that_the_program_cannot_give_is_a_hole() {
    let model = Machine::default();
    let facts = facts(Endian::Little);
    let seen = observes(&facts, ARCHES, WITHHELD);
    let mut questions = Questions::default();
    let program = vec![Insn::stmt(0x06, 0x1234_5678)];
    let data = vec![SeccompData::new(ARCHES[0], 1, [0; 6])];
    questions.ask(
        Case {
            number: 0,
            program,
            data,
        },
        &facts,
        &seen,
    );
    let right = played(&questions.jobs, &facts, model);
    for outcome in [
        Outcome::NotMade,
        Outcome::Value(0),
        Outcome::Error(38),
        Outcome::Trapped(1),
        Outcome::Died(SIGSYS),
        Outcome::Died(11),
    ] {
        let mut answers = right.clone();
        answers[2].outcomes[0] = outcome;
        let report = questions.compare(&answers, &model, &seen).report;
        assert_eq!((report.evaluations, report.failures.len()), (0, 1), "{outcome:?}");
    }
}
