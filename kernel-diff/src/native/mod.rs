//! The oracle that makes real system calls.

mod batch;
mod bitmap;
mod chain;
mod gate;
pub(crate) mod instrument;
mod linked;
mod notify;
mod plan;
mod short_life;
mod tracee;
mod tracer;

use callproof_vm::{Insn, SeccompData};

use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Question, Sight};
use crate::probe;
use crate::sys::{Status, Worker, sock_filter};
use batch::{Batch, CALLS, Call, DIED, INSNS, INSTALLS, Install};
use plan::{Planned, Site, plan};

pub(crate) use bitmap::ticks;
pub use bitmap::{BitmapOracle, Cached, Timing};
pub use chain::ChainOracle;
pub(crate) use gate::{Abi, Gates};
pub use notify::{Entry, Notified, NotifyOracle};
pub use tracer::PtraceOracle;

/// Exact results of seccomp itself, on x86_64: the filter is installed, and calls with the wanted numbers and arguments
/// are made, as x86_64 and, where the kernel has it, as i386 calls by `int 0x80`.
///
/// Words that a process cannot choose freely are replaced in the program by constants: foreign architectures, foreign
/// instruction pointers, and the numbers 335 and 336, which newer kernels let pass every filter. A filter that dies of a
/// division by zero counts as having returned 0, as it does.
#[derive(Debug)]
pub struct NativeOracle {
    site: Site,
    worker: Option<Worker<Batch>>,
    kills: u64,
    installs: u64,
}

impl NativeOracle {
    /// Starts the child that will do the work.
    ///
    /// # Errors
    /// [`Missing`] says what this machine lacks. Missing i386 emulation is no error: loads of the i386 word become
    /// constants then.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        probe::filters()?;
        let i386 = probe::i386().is_ok();
        let mut oracle = Self {
            site: Site { gates, i386 },
            worker: None,
            kills: 0,
            installs: 0,
        };
        oracle.check_sight()?;
        Ok(oracle)
    }

    /// How many filters were installed so far.
    #[must_use]
    pub const fn installs(&self) -> u64 {
        self.installs
    }

    /// How often a filter killed its process so far.
    #[must_use]
    pub const fn kills(&self) -> u64 {
        self.kills
    }

    /// Whether results come through unchanged: not when a filter around this process is more severe.
    fn check_sight(&mut self) -> Result<(), Missing> {
        let program = [Insn::stmt(0x20, 0), Insn::stmt(0x24, 0x0001_0003), Insn::stmt(0x16, 0)];
        let abis = [Abi::X86_64, Abi::I386];
        let numbers = (0..512).chain([-1, 0x4000_0000]);
        let data: Vec<SeccompData> = numbers
            .flat_map(|nr| abis.map(|abi| SeccompData::new(abi.arch(), nr, [0; 6])))
            .collect();
        let expected: Vec<u32> = data
            .iter()
            .map(|data| data.nr.cast_unsigned().wrapping_mul(0x0001_0003))
            .collect();
        match self.evaluate(&program, &data) {
            Ok(values) if values == expected => Ok(()),
            Ok(_) => Err(Missing::OuterFilter(Failure::KilledOutside)),
            Err(failure @ (Failure::Strange { .. } | Failure::KilledOutside)) => Err(Missing::OuterFilter(failure)),
            Err(failure) => Err(Missing::Basic(failure)),
        }
    }

    /// Runs planned filters, as many at a time as a batch holds. The results stand in the order of the calls.
    fn run(&mut self, planned: &[&Planned]) -> Vec<Result<Vec<i64>, Failure>> {
        let mut results = Vec::with_capacity(planned.len());
        while let Some(rest) = planned.get(results.len()..).filter(|rest| !rest.is_empty()) {
            match self.run_some(rest) {
                Ok(some) => results.extend(some),
                Err(failure) => results.push(Err(failure)),
            }
        }
        results
    }

    /// Runs the first of some filters: at least one, at most as many as fit.
    fn run_some(&mut self, planned: &[&Planned]) -> Result<Vec<Result<Vec<i64>, Failure>>, Failure> {
        let gates = self.site.gates.base;
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let worker = Worker::spawn().map_err(|error| Failure::system("start a test process", &error))?;
                self.worker.insert(worker)
            }
        };
        let count = fill(worker.body(), planned, gates);
        if count == 0 {
            return Err(Failure::TooLong { len: INSNS });
        }
        let death = worker.ask().err();
        let body = worker.body();
        let done = if death.is_some() {
            body.installs_done as usize
        } else {
            count
        };
        let installs = body.installs.iter().take(done.min(count));
        let mut results: Vec<_> = installs.map(|install| outcome(install, &body.calls)).collect();
        self.installs = self.installs.saturating_add(results.len() as u64);
        let kills = body
            .installs
            .iter()
            .take(done.min(count))
            .map(|install| u64::from(install.kills));
        self.kills = self.kills.saturating_add(kills.sum());
        if let Some(death) = death {
            self.worker = None;
            if results.len() < count {
                // The filter at work when the child died; those behind it are asked again.
                results.push(Err(Failure::died(death)));
            }
        }
        Ok(results)
    }
}

/// Writes filters and calls into a batch; gives how many filters fit.
fn fill(batch: &mut Batch, planned: &[&Planned], gates: u64) -> usize {
    let (mut insns, mut calls) = (0_usize, 0_usize);
    let mut count = 0_usize;
    batch.gates = gates;
    for (filter, install) in planned.iter().zip(&mut batch.installs) {
        let insns_end = insns.saturating_add(filter.program.len());
        let calls_end = calls.saturating_add(filter.calls.len());
        let (Some(insn_room), Some(call_room)) = (
            batch.insns.get_mut(insns..insns_end),
            batch.calls.get_mut(calls..calls_end),
        ) else {
            break;
        };
        for (place, insn) in insn_room.iter_mut().zip(&filter.program) {
            *place = raw(*insn);
        }
        for (place, call) in call_room.iter_mut().zip(&filter.calls) {
            *place = Call {
                regs: call.regs,
                result: 0,
                datum: u32::try_from(call.datum).unwrap_or(u32::MAX),
                abi: u16::from(call.abi == Abi::I386),
                copy: u16::try_from(call.copy).unwrap_or(0),
            };
        }
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        *install = Install {
            insns: index(insns),
            len: u16::try_from(filter.program.len()).unwrap_or(0),
            calls: index(calls),
            calls_end: index(calls_end),
            cursor: index(calls),
            installed: 0,
            error: 0,
            status: 0,
            kills: 0,
        };
        (insns, calls) = (insns_end, calls_end);
        count = count.saturating_add(1);
    }
    batch.installs_used = u32::try_from(count.min(INSTALLS)).unwrap_or(0);
    batch.installs_done = 0;
    count
}

/// The return registers of a filter's calls.
fn outcome(install: &Install, calls: &[Call; CALLS]) -> Result<Vec<i64>, Failure> {
    let what = if install.installed == 0 {
        ""
    } else {
        "run a test process"
    };
    match (install.error, install.status) {
        (0, 0) => {}
        (0, status) => {
            return Err(Failure::Died {
                how: Status(status).to_string(),
            });
        }
        (errno, _) if what.is_empty() => return Err(Failure::Refused { errno }),
        (errno, _) => return Err(Failure::System { what, errno }),
    }
    let mine = calls.get(install.calls as usize..install.calls_end as usize);
    Ok(mine.unwrap_or(&[]).iter().map(|call| call.result).collect())
}

/// An instruction as the kernel reads it.
pub(crate) const fn raw(insn: Insn) -> sock_filter {
    let Insn { code, jt, jf, k } = insn;
    sock_filter { code, jt, jf, k }
}

impl Oracle for NativeOracle {
    fn name(&self) -> &'static str {
        "native"
    }

    fn observes(&self) -> Observes {
        let [x86_64, i386] = [Abi::X86_64, Abi::I386];
        let ip = |abi: Abi| (abi.arch(), self.site.gates.ip(abi, 0));
        Observes {
            seccomp: true,
            arches: if self.site.i386 {
                &[0xc000_003e, 0x4000_0003]
            } else {
                &[0xc000_003e]
            },
            instruction_pointers: [ip(x86_64), if self.site.i386 { ip(i386) } else { ip(x86_64) }],
            replaced_numbers: &plan::BYPASSING,
            longest: plan::LONGEST,
        }
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Results]
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        let Query::Results(question) = query else {
            return Err(query.unseen());
        };
        let mut answers = self.evaluate_all(&[question]);
        answers.pop().unwrap_or(Ok(Vec::new())).map(Answer::Results)
    }

    fn evaluate_all(&mut self, questions: &[Question<'_>]) -> Vec<Result<Vec<u32>, Failure>> {
        let plans: Vec<_> = questions
            .iter()
            .map(|question| plan(question.program, question.data, self.site))
            .collect();
        let filters: Vec<&Planned> = plans.iter().flatten().flatten().collect();
        let mut outcomes = filters.iter().copied().zip(self.run(&filters));
        let answer = |(question, plan): (&Question<'_>, Result<Vec<Planned>, Failure>)| {
            let mut values = vec![0; question.data.len()];
            // Every outcome is taken, also behind a failure: the next ones belong to the next question.
            let mine = outcomes.by_ref().take(plan?.len());
            let merged = mine.map(|(filter, outcome)| merge(question.program, filter, outcome?, &mut values));
            merged.fold(Ok(()), Result::and).map(|()| values)
        };
        questions.iter().zip(plans.clone()).map(answer).collect()
    }
}

/// Puts the parts of results that a filter's calls gave in their places.
fn merge(program: &[Insn], filter: &Planned, registers: Vec<i64>, values: &mut [u32]) -> Result<(), Failure> {
    let divides = program.iter().any(|insn| insn.code == 0x3c);
    for (call, register) in filter.calls.iter().zip(registers) {
        let part = match register {
            DIED if divides => 0,
            DIED => return Err(Failure::KilledOutside),
            _ => instrument::answer(register).ok_or(Failure::Strange { register })?,
        };
        if let Some(value) = values.get_mut(call.datum) {
            *value |= instrument::placed(part, call.chunk);
        }
    }
    Ok(())
}
