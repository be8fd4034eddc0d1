//! What verdicts do to a caller: chains of simple filters, and one call.
//!
//! Beside the value of one filter this compares what [`combine`](callproof_vm::combine) makes of several and what the
//! caller sees then: the call is made, an errno, a signal, death. The call is getppid, whose result is known.

use callproof_vm::effect::{Convention, Disposition, Effect, Situation, consequence};
use callproof_vm::{Chain, Filter, Insn, Machine, SeccompData};

use super::facts::Facts;
use super::jobs::{Answer, Call, Job, Outcome, Via};

/// Words that filters return: every action with several data, and words that name none.
const WORDS: [u32; 26] = [
    0x0000_0000, // KILL_THREAD
    0x0000_ffff,
    0x8000_0000, // KILL_PROCESS
    0x8000_0007,
    0x0003_0000, // TRAP
    0x0003_0141,
    0x0003_ffff,
    0x0005_0000, // ERRNO
    0x0005_000d,
    0x0005_0200,
    0x0005_0fff,
    0x0005_1000,
    0x0005_ffff,
    0x7fc0_0000, // USER_NOTIF, without a listener
    0x7fc0_0001,
    0x7ff0_0000, // TRACE, without a tracer
    0x7ff0_0005,
    0x7ffc_0000, // LOG
    0x7fff_0000, // ALLOW
    0x7fff_ffff,
    0x0006_0000, // nothing
    0x0004_ffff,
    0x1234_5678,
    0x7ffe_0000,
    0x8001_0000,
    0xffff_ffff,
];

/// Number of getppid in the i386 ABI.
const I386_GETPPID: i32 = 64;

const X32_BIT: i32 = 0x4000_0000;

/// The parent of the caller is the agent, which is process 1.
const PARENT: u32 = 1;

const ENOMEM: u16 = 12;

/// Instructions of each filter of the chain that is too long, and how many there are.
const LONG: (usize, usize) = (4096, 12);

/// Scenarios for a guest.
#[derive(Debug, Default)]
pub(super) struct Scenarios {
    pub(super) jobs: Vec<Job>,
    calls: Vec<SeccompData>,
}

/// A scenario that went otherwise than modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange {
    /// What the filters return, oldest first
    pub chain: Vec<u32>,
    /// The audit architecture word of the call
    pub arch: u32,
    /// What the emulator expected
    pub expected: String,
    /// What happened
    pub found: String,
}

impl Scenarios {
    /// Every single word and every pair of words, for each kind of call that the guest has, and a chain that is too
    /// long.
    pub(super) fn new(facts: &Facts) -> Self {
        let mut scenarios = Self::default();
        let native = (Via::Native, facts.native.arch);
        let mut callers = vec![(native, facts.getppid)];
        callers.extend(facts.i386.map(|gate| ((Via::I386, gate.arch), I386_GETPPID)));
        callers.extend(facts.x32.then_some((native, facts.getppid | X32_BIT)));
        for ((via, arch), nr) in callers {
            let data = SeccompData::new(arch, nr, [0; 6]);
            for word in WORDS {
                scenarios.add(via, data, vec![filter(nr, word)]);
                for newer in WORDS {
                    scenarios.add(via, data, vec![filter(nr, word), filter(nr, newer)]);
                }
            }
        }
        let data = SeccompData::new(facts.native.arch, facts.getppid, [0; 6]);
        let mut long = vec![Insn::stmt(0x87, 0); LONG.0.saturating_sub(1)];
        long.push(Insn::stmt(0x06, 0x7fff_0000));
        scenarios.add(Via::Native, data, vec![long; LONG.1]);
        scenarios
    }

    fn add(&mut self, via: Via, data: SeccompData, programs: Vec<Vec<Insn>>) {
        let calls = vec![Call {
            via,
            nr: data.nr.cast_unsigned(),
            args: data.args,
        }];
        self.jobs.push(Job { programs, calls });
        self.calls.push(data);
    }

    /// Compares what happened with the model.
    pub(super) fn compare(&self, answers: &[Answer], model: Machine) -> Vec<Strange> {
        let mut strange = Vec::new();
        for ((job, data), answer) in self.jobs.iter().zip(&self.calls).zip(answers) {
            let expected = expected(&job.programs, data, model);
            if expected != *answer {
                let chain = job.programs.iter().map(|program| word(program)).collect();
                strange.push(Strange {
                    chain,
                    arch: data.arch,
                    expected: shown(&expected),
                    found: shown(answer),
                });
            }
        }
        strange
    }
}

/// A filter that has a word for one call and allows the rest.
fn filter(nr: i32, word: u32) -> Vec<Insn> {
    vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, nr.cast_unsigned(), 0, 1),
        Insn::stmt(0x06, word),
        Insn::stmt(0x06, 0x7fff_0000),
    ]
}

/// The word of such a filter.
fn word(program: &[Insn]) -> u32 {
    let mut returns = program.iter().filter(|insn| insn.code == 0x06);
    returns.next().map_or(0, |insn| insn.k)
}

/// What the emulator says that a guest answers.
fn expected(programs: &[Vec<Insn>], data: &SeccompData, model: Machine) -> Answer {
    let filters = programs
        .iter()
        .map(|program| Filter::load_on(model.kernel, &program[..]));
    let refused = |program: usize, errno| Answer {
        refused: Some((u16::try_from(program).unwrap_or(u16::MAX), errno)),
        outcomes: vec![Outcome::NotMade],
    };
    let filters: Vec<_> = match filters.collect::<Result<_, _>>() {
        Ok(filters) => filters,
        Err(_) => return refused(0, 0),
    };
    let chain = Chain::new(&filters);
    if let Err((program, _)) = chain.check_budget(model) {
        return refused(program, ENOMEM);
    }
    let verdict = chain.run(data, model);
    let situation = Situation {
        kernel: model.kernel,
        convention: convention(data.arch),
        sigsys: Disposition::Handled,
        ..Situation::default()
    };
    let outcome = match consequence(&verdict, data, &situation).effect {
        Effect::Runs => Outcome::Value(PARENT),
        Effect::Returns(value) => match value.errno() {
            Some(errno) => Outcome::Error(errno),
            None => Outcome::Value(u32::try_from(value.register & 0x00ff_ffff).unwrap_or(0)),
        },
        Effect::Traps(info) => Outcome::Trapped(info.si_errno),
        Effect::Dies(death) => Outcome::Died(death.signal.into()),
        // Nobody traces, supervises or interrupts.
        Effect::Stops { .. } | Effect::Asks | Effect::Restarts(_) => Outcome::NotMade,
    };
    Answer {
        refused: None,
        outcomes: vec![outcome],
    }
}

/// How an architecture returns errors.
const fn convention(arch: u32) -> Convention {
    const PPC64LE: u32 = 0xc000_0015;
    match arch {
        PPC64LE => Convention::POWERPC,
        _ => Convention {
            sigsys: 31,
            enosys: 38,
            errors: callproof_vm::effect::ErrorStyle::Negative,
            below_zero: callproof_vm::effect::BelowZero::NoSuchCall,
        },
    }
}

fn shown(answer: &Answer) -> String {
    if let Some((program, errno)) = answer.refused {
        return format!("filter {program} is refused with errno {errno}");
    }
    let shown = |outcome: &Outcome| match outcome {
        Outcome::NotMade => "no call is made".to_owned(),
        Outcome::Error(errno) => format!("errno {errno}"),
        Outcome::Value(value) => format!("the value {value}"),
        Outcome::Trapped(data) => format!("SIGSYS with data {data}"),
        Outcome::Died(signal) => format!("death of signal {signal}"),
    };
    answer.outcomes.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tell::Gate;
    use super::*;
    use callproof_vm::Endian;

    fn facts() -> Facts {
        Facts {
            release: "6.12.1".to_owned(),
            machine: "x86_64".to_owned(),
            endian: Endian::Little,
            bits: 64,
            x32: true,
            getppid: 110,
            number_mask: u32::MAX,
            passes: None,
            native: Gate {
                arch: 0xc000_003e,
                ip: 1,
            },
            i386: Some(Gate {
                arch: 0x4000_0003,
                ip: 2,
            }),
        }
    }

    fn one(outcome: Outcome) -> Answer {
        Answer {
            refused: None,
            outcomes: vec![outcome],
        }
    }

    #[test]
    fn what_is_expected_is_what_linux_does() {
        let data = SeccompData::new(0xc000_003e, 110, [0; 6]);
        for (words, outcome) in [
            (&[0x7fff_0000][..], Outcome::Value(1)),
            (&[0x0005_ffff], Outcome::Error(4095)),
            (&[0x0005_0000], Outcome::Value(0)),
            (&[0x0003_0141], Outcome::Trapped(321)),
            (&[0x7ff0_0001], Outcome::Error(38)),
            (&[0x0006_0000], Outcome::Died(31)),
            // The newest of equals, and a kill before all.
            (&[0x0005_0001, 0x0005_0002], Outcome::Error(2)),
            (&[0x8000_0000, 0x0005_0002], Outcome::Died(31)),
        ] {
            let programs: Vec<_> = words.iter().map(|word| filter(110, *word)).collect();
            assert_eq!(
                expected(&programs, &data, Machine::default()),
                one(outcome),
                "{words:x?}"
            );
        }
    }

    #[test]
    fn a_guest_that_does_otherwise_is_noticed() {
        let scenarios = Scenarios::new(&facts());
        let model = Machine::default();
        let answers = scenarios.jobs.iter().zip(&scenarios.calls);
        let mut answers: Vec<_> = answers
            .map(|(job, data)| expected(&job.programs, data, model))
            .collect();
        assert_eq!(scenarios.compare(&answers, model), []);
        let last = answers.last().unwrap();
        assert!(matches!(last.refused, Some((1.., ENOMEM))), "the long chain: {last:?}");
        for at in 0..answers.len() {
            let right = core::mem::replace(&mut answers[at], one(Outcome::Died(9)));
            assert_eq!(scenarios.compare(&answers, model).len(), 1);
            answers[at] = right;
        }
    }
}
