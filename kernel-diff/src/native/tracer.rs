//! The oracle that writes calls into a stopped process.

use std::collections::BTreeMap;

use callproof_vm::length::MAX_INSNS;
use callproof_vm::{Insn, SeccompData};

use super::gate::{Abi, Gates};
use super::instrument::{Pins, pinned};
use super::plan::{BYPASSING, Reads};
use super::raw;
use super::tracee::{DATA, HALVES, Posed, Traced};
use crate::oracle::{Answer, Failure, Missing, Observes, Oracle, Query, Question, Sight};
use crate::sys::{Status, Worker, is_end};

/// Exact results of seccomp itself, with every instruction pointer: a tracer stops a process at the entry of a call and
/// writes number, instruction pointer and arguments.
///
/// Only the returns of the program change: into TRACE with one half of the result as its data, which the tracer reads
/// (Linux 4.8, x86_64). Foreign architectures and the numbers 335 and 336 become constants, as in
/// [`NativeOracle`](crate::NativeOracle). No call is ever carried out. A process that dies of a division by zero counts as
/// 0 and is replaced.
#[derive(Debug)]
pub struct PtraceOracle {
    gates: Gates,
    worker: Option<Worker<Traced>>,
}

/// TRACE, whose data is the half of a result.
const TRACE: u32 = 0x7ff0_0000;
const HALF: u32 = 0xffff;

impl PtraceOracle {
    /// Starts the child that traces.
    ///
    /// # Errors
    /// [`Missing`] when processes cannot be traced or filters not installed.
    pub fn new() -> Result<Self, Missing> {
        let gates = Gates::here().ok_or(Missing::Gate)?;
        let mut oracle = Self { gates, worker: None };
        let program = [Insn::stmt(0x20, 12), Insn::stmt(0x16, 0)];
        let data = SeccompData {
            instruction_pointer: 0xdead_beef_0000_0000,
            ..SeccompData::new(Abi::X86_64.arch(), 0, [0; 6])
        };
        match oracle.evaluate(&program, &[data]) {
            Ok(values) if values == [0xdead_beef] => Ok(oracle),
            Ok(_) => Err(Missing::OuterFilter(Failure::Strange { register: 0 })),
            Err(Failure::Refused { errno }) => Err(Missing::Filters { errno }),
            Err(failure) => Err(Missing::Basic(failure)),
        }
    }

    /// The results of one program.
    fn values(&mut self, program: &[Insn], data: &[SeccompData]) -> Result<Vec<u32>, Failure> {
        let reads = Reads::of(program);
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, datum) in data.iter().enumerate() {
            let foreign = reads.arch && datum.arch != Abi::X86_64.arch();
            let bypassing = reads.nr && BYPASSING.contains(&datum.nr);
            let key = (
                foreign.then_some(datum.arch),
                bypassing.then_some(datum.nr.cast_unsigned()),
            );
            groups.entry(key).or_default().push(index);
        }
        let mut values = vec![0; data.len()];
        for ((arch, nr), members) in groups {
            let some: Vec<SeccompData> = members.iter().filter_map(|&at| data.get(at).copied()).collect();
            let answers = self.group(program, Pins { nr, arch, ip: None }, &some)?;
            for (at, answer) in members.into_iter().zip(answers) {
                if let Some(place) = values.get_mut(at) {
                    *place = answer;
                }
            }
        }
        Ok(values)
    }

    /// The results of one program for calls that need the same constants.
    fn group(&mut self, program: &[Insn], pins: Pins, data: &[SeccompData]) -> Result<Vec<u32>, Failure> {
        let mut values = Vec::with_capacity(data.len());
        for some in data.chunks(DATA) {
            values.extend(self.batch(program, pins, some)?);
        }
        Ok(values)
    }

    fn batch(&mut self, program: &[Insn], pins: Pins, data: &[SeccompData]) -> Result<Vec<u32>, Failure> {
        let gates = self.gates.base;
        let worker = match &mut self.worker {
            Some(worker) => worker,
            None => {
                let worker = Worker::spawn().map_err(|error| Failure::system("start a test process", &error))?;
                self.worker.insert(worker)
            }
        };
        let body = worker.body();
        body.gates = gates;
        for (half, room) in (0..HALVES).zip(&mut body.programs) {
            let program = halved(program, pins, half).ok_or(Failure::TooLong { len: program.len() })?;
            body.len = u16::try_from(program.len()).unwrap_or(0);
            for (place, insn) in room.iter_mut().zip(program) {
                *place = raw(insn);
            }
        }
        for (place, datum) in body.data.iter_mut().zip(data) {
            let nr = if BYPASSING.contains(&datum.nr) { 0x3ff } else { datum.nr };
            *place = Posed {
                nr: nr.cast_unsigned(),
                value: 0,
                ip: datum.instruction_pointer,
                args: datum.args,
            };
        }
        body.wanted = u32::try_from(data.len()).unwrap_or(0);
        (body.refused, body.error, body.strange) = (0, 0, 0);
        if let Err(death) = worker.ask() {
            self.worker = None;
            return Err(Failure::died(death));
        }
        let body = worker.body();
        match (body.refused, body.error, body.strange) {
            (0, 0, 0) => Ok(body.data.iter().take(data.len()).map(|posed| posed.value).collect()),
            (0, 0, status) if is_end(status) => Err(Failure::Died {
                how: Status(status).to_string(),
            }),
            (0, 0, status) => Err(Failure::Strange {
                register: status.into(),
            }),
            (0, errno, _) => Err(Failure::System {
                what: "trace a test process",
                errno,
            }),
            (errno, ..) => Err(Failure::Refused { errno }),
        }
    }
}

impl Oracle for PtraceOracle {
    fn name(&self) -> &'static str {
        "ptrace"
    }

    /// The instruction pointer named here is where calls are stopped; any other is written as well.
    fn observes(&self) -> Observes {
        let here = (Abi::X86_64.arch(), self.gates.ip(Abi::X86_64, 0));
        Observes {
            seccomp: true,
            arches: &[0xc000_003e],
            instruction_pointers: [here; 2],
            replaced_numbers: &BYPASSING,
            longest: MAX_INSNS - 3,
        }
    }

    fn any_instruction_pointer(&self) -> bool {
        true
    }

    fn sees(&self) -> &'static [Sight] {
        &[Sight::Results]
    }

    fn ask(&mut self, query: Query<'_>) -> Result<Answer, Failure> {
        match query {
            Query::Results(Question { program, data }) => self.values(program, data).map(Answer::Results),
            other => Err(other.unseen()),
        }
    }
}

/// The program with returns of TRACE and the low or high half of the result; `None` when it gets too long.
fn halved(program: &[Insn], pins: Pins, half: u32) -> Option<Vec<Insn>> {
    let shift = half.checked_mul(16)?;
    if program.len().checked_add(3)? > MAX_INSNS {
        return None;
    }
    let mut out = Vec::with_capacity(program.len().checked_add(3)?);
    for (pc, insn) in program.iter().enumerate() {
        let to_end = program.len().checked_sub(pc)?.checked_sub(1)?;
        out.push(match insn.code {
            0x16 => Insn::stmt(0x05, u32::try_from(to_end).ok()?),
            0x06 => Insn {
                k: insn.k >> shift & HALF | TRACE,
                ..*insn
            },
            _ => pinned(*insn, pins),
        });
    }
    out.push(if half == 0 {
        Insn::stmt(0x54, HALF)
    } else {
        Insn::stmt(0x74, 16)
    });
    out.extend([Insn::stmt(0x44, TRACE), Insn::stmt(0x16, 0)]);
    Some(out)
}
