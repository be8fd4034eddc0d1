//! The oracle that makes real calls under several filters.

use std::collections::BTreeMap;

use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Insn, Outcome, SeccompData};

use super::gate::{Abi, Gates};
use super::instrument::{Pins, guard, pinned};
use super::linked::{CALLS, FILTERS, Link, Linked, Span, UNTRAPPED};
use super::plan::Reads;
use super::raw;
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Sight};
use crate::probe;
use crate::sys::{Status, Worker};

/// What calls show under several filters, on x86_64: which result the kernel keeps of many.
///
/// The filters are installed as they are, behind a guard that lets the harness live, and real calls are made. Only calls
/// without effect are made, since some will be allowed: a number that is not one of [`numbers`](Self::numbers) is put
/// into the filters as a constant, as are foreign architectures and instruction pointers.
///
/// Nobody traces and nobody supervises, so TRACE and USER_NOTIF give `ENOSYS`; there is one thread, so that both kills
/// look alike: [`shown`](Self::shown). [`Running::outcome`](crate::scenario::Running::outcome) tells them apart, and takes
/// a hundred times as long.
#[derive(Debug)]
pub struct ChainOracle {
    gates: Gates,
    i386: bool,
    worker: Option<Worker<Linked>>,
}

/// `getpid`, `getppid` and `gettid`: they have no effect and no arguments, and never return 0 or an error here.
const HARMLESS: [(Abi, [i32; 3]); 2] = [(Abi::X86_64, [39, 110, 186]), (Abi::I386, [20, 64, 224])];

/// `ENOSYS`, for want of a tracer or a supervisor.
const NOBODY: Outcome = Outcome::Errno(38);

impl ChainOracle {
    /// Starts the child that will do the work, and looks whether its calls show what they should.
    ///
    /// # Errors
    /// [`Missing`] says what this machine lacks.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        probe::filters()?;
        let i386 = probe::i386().is_ok();
        let mut oracle = Self {
            gates,
            i386,
            worker: None,
        };
        let seen = [
            (0x7fff_0000, Outcome::Runs),
            (0x0005_0007, Outcome::Errno(7)),
            (0x0003_0009, Outcome::Trap(9)),
            (0x8000_0000, Outcome::KillProcess),
        ];
        for (value, expected) in seen {
            let calls = HARMLESS.map(|(abi, [nr, ..])| SeccompData::new(abi.arch(), nr, [0; 6]));
            match oracle.outcomes(&[vec![Insn::stmt(0x06, value)]], &calls) {
                Ok(outcomes) if outcomes == [expected; 2] => {}
                Ok(_) => return Err(Missing::OuterFilter(Failure::KilledOutside)),
                Err(failure) => return Err(Missing::Basic(failure)),
            }
        }
        Ok(oracle)
    }

    /// The numbers of calls that are truly made, by audit word: all of them have no effect.
    #[must_use]
    pub const fn numbers() -> [(u32, [i32; 3]); 2] {
        let [(x86_64, natives), (i386, others)] = HARMLESS;
        [(x86_64.arch(), natives), (i386.arch(), others)]
    }

    /// What this oracle sees of an outcome.
    #[must_use]
    pub const fn shown(outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Trace(_) => NOBODY,
            Outcome::KillThread => Outcome::KillProcess,
            other => other,
        }
    }

    /// What calls show when filters judge them together, the oldest filter first.
    ///
    /// # Errors
    /// [`Failure`] when the kernel could not be asked; the oracle can be asked again. Chains have at most 64 filters.
    pub fn outcomes(&mut self, chain: &[Vec<Insn>], data: &[SeccompData]) -> Result<Vec<Outcome>, Failure> {
        let reads = Reads::of_all(chain);
        let mut groups: BTreeMap<Pins, Vec<usize>> = BTreeMap::new();
        for (index, datum) in data.iter().enumerate() {
            groups.entry(self.pins(datum, reads)).or_default().push(index);
        }
        let mut outcomes = vec![Outcome::Runs; data.len()];
        for (pins, members) in groups {
            for members in members.chunks(CALLS) {
                let some: Vec<&SeccompData> = members.iter().filter_map(|&at| data.get(at)).collect();
                let seen = self.judge(chain, pins, &some)?;
                for (&at, seen) in members.iter().zip(seen) {
                    if let Some(place) = outcomes.get_mut(at) {
                        *place = seen;
                    }
                }
            }
        }
        Ok(outcomes)
    }

    fn abi(&self, datum: &SeccompData) -> Abi {
        if self.i386 && datum.arch == Abi::I386.arch() {
            Abi::I386
        } else {
            Abi::X86_64
        }
    }

    fn pins(&self, datum: &SeccompData, reads: Reads) -> Pins {
        let abi = self.abi(datum);
        let true_ip = datum.instruction_pointer == self.gates.ip(abi, 0);
        Pins {
            nr: (reads.nr && made(abi, datum.nr) != datum.nr).then_some(datum.nr.cast_unsigned()),
            arch: (reads.arch && datum.arch != abi.arch()).then_some(datum.arch),
            ip: (reads.ip && !true_ip).then_some(datum.instruction_pointer),
        }
    }

    /// The outcomes of calls for which the filters have the same constants.
    fn judge(&mut self, chain: &[Vec<Insn>], pins: Pins, data: &[&SeccompData]) -> Result<Vec<Outcome>, Failure> {
        let gates = self.gates;
        let abis: Vec<Abi> = data.iter().map(|datum| self.abi(datum)).collect();
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let worker = Worker::spawn().map_err(|error| Failure::system("start a test process", &error))?;
                self.worker.insert(worker)
            }
        };
        let body = worker.body();
        body.gates = gates.base;
        fill_filters(body, chain, pins, gates)?;
        for ((place, datum), abi) in body.calls.iter_mut().zip(data).zip(&abis) {
            let [a, b, c, d, e, f] = datum.args;
            let nr = made(*abi, datum.nr);
            *place = Link {
                regs: [u64::from(nr.cast_unsigned()), a, b, c, d, e, f],
                result: 0,
                trapped: UNTRAPPED,
                killed: 0,
                i386: u32::from(*abi == Abi::I386),
            };
        }
        body.calls_used = u32::try_from(data.len().min(CALLS)).unwrap_or(0);
        (body.cursor, body.installed, body.error, body.status) = (0, 0, 0, 0);
        if let Err(death) = worker.ask() {
            self.worker = None;
            return Err(Failure::died(death));
        }
        read(worker.body(), data.len())
    }
}

impl Oracle for ChainOracle {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Outcomes]
    }

    /// Only the [`numbers`](Self::numbers) are called; loads of all others become constants.
    fn observes(&self) -> Observes {
        let [native, other] = [Abi::X86_64, Abi::I386].map(|abi| (abi.arch(), self.gates.ip(abi, 0)));
        Observes {
            seccomp: true,
            arches: if self.i386 {
                &[0xc000_003e, 0x4000_0003]
            } else {
                &[0xc000_003e]
            },
            instruction_pointers: [native, if self.i386 { other } else { native }],
            replaced_numbers: &[],
            longest: MAX_INSNS.saturating_sub(guard(self.gates).len()),
        }
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Outcomes { chain, data } => self.outcomes(chain, data).map(Answer::Outcomes),
            other => Err(other.unseen()),
        }
    }
}

/// The number that is truly called for a call.
fn made(abi: Abi, nr: i32) -> i32 {
    let numbers = HARMLESS
        .into_iter()
        .find(|(of, _)| *of == abi)
        .map_or([39; 3], |(_, nrs)| nrs);
    if numbers.contains(&nr) { nr } else { numbers[0] }
}

/// Writes the filters, each behind a guard, into the shared memory.
fn fill_filters(body: &mut Linked, chain: &[Vec<Insn>], pins: Pins, gates: Gates) -> Result<(), Failure> {
    let guard = guard(gates);
    let mut at = 0_usize;
    if chain.len() > FILTERS {
        return Err(Failure::TooLong { len: chain.len() });
    }
    for (program, span) in chain.iter().zip(&mut body.filters) {
        let insns = guard
            .iter()
            .copied()
            .chain(program.iter().map(|insn| pinned(*insn, pins)));
        let len = guard.len().saturating_add(program.len());
        let room = body.insns.get_mut(at..at.saturating_add(len));
        let room = room
            .filter(|_| len <= MAX_INSNS)
            .ok_or(Failure::TooLong { len: program.len() })?;
        for (place, insn) in room.iter_mut().zip(insns) {
            *place = raw(insn);
        }
        *span = Span {
            start: u32::try_from(at).unwrap_or(0),
            len: u16::try_from(len).unwrap_or(0),
        };
        at = at.saturating_add(len);
    }
    body.filters_used = u32::try_from(chain.len()).unwrap_or(0);
    Ok(())
}

/// What came of all calls.
fn read(body: &Linked, wanted: usize) -> Result<Vec<Outcome>, Failure> {
    match (body.error, body.status) {
        (0, 0) => {}
        (0, status) => {
            return Err(Failure::Died {
                how: Status(status).to_string(),
            });
        }
        (errno, _) if body.installed == 0 => return Err(Failure::Refused { errno }),
        (errno, _) => {
            return Err(Failure::System {
                what: "run a test process",
                errno,
            });
        }
    }
    body.calls.iter().take(wanted).map(outcome).collect()
}

fn outcome(call: &Link) -> Result<Outcome, Failure> {
    let strange = Failure::Strange { register: call.result };
    if call.killed != 0 {
        return Ok(Outcome::KillProcess);
    }
    if call.trapped != UNTRAPPED {
        return u16::try_from(call.trapped).map(Outcome::Trap).map_err(|_| strange);
    }
    match call.result {
        1.. => Ok(Outcome::Runs),
        -4095..=0 => u16::try_from(call.result.unsigned_abs())
            .map(Outcome::Errno)
            .map_err(|_| strange),
        _ => Err(strange),
    }
}
