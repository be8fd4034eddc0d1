//! From a question to filters to install and calls to make.

use std::collections::BTreeMap;

use callproof_vm::{Insn, SeccompData};

use super::gate::{Abi, Gates};
use super::instrument::{CHUNKS, Pins, Select, instrument};
use crate::oracle::Failure;

/// Where calls can be made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) gates: Gates,
    /// Whether `int 0x80` works
    pub(crate) i386: bool,
}

/// An instrumented filter and the calls that it judges.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) program: Vec<Insn>,
    pub(crate) calls: Vec<PlannedCall>,
}

/// One call through one gate, which gives one part of the result for one datum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedCall {
    /// Number of the datum in the question
    pub(crate) datum: usize,
    /// Which part of the result it gives
    pub(crate) chunk: u32,
    pub(crate) abi: Abi,
    /// Which copy of the gate it goes through
    pub(crate) copy: u32,
    /// The number and the arguments
    pub(crate) regs: [u64; 7],
}

/// Most data that one filter judges, so that a filter and its calls fit a batch.
const DATA_PER_FILTER: usize = 4096;

/// The longest program that there is always room for: 7 instructions stand in front of it and 4 behind.
pub(super) const LONGEST: usize = 4085;

/// A number that no x86-64 kernel has a call for, for data whose own number must not reach the kernel.
const HARMLESS_NUMBER: u64 = 0x3ff;

/// x86-64 calls that filters never see on newer kernels: uretprobe and uprobe.
pub(super) const BYPASSING: [i32; 2] = [335, 336];

/// Plans how to answer a question.
///
/// # Errors
/// [`Failure::TooLong`] when the program leaves no room for the instrumentation.
pub(crate) fn plan(program: &[Insn], data: &[SeccompData], site: Site) -> Result<Vec<Planned>, Failure> {
    let reads = Reads::of(program);
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    for (index, datum) in data.iter().enumerate() {
        groups.entry(group(datum, reads, site)).or_default().push(index);
    }
    let mut planned = Vec::new();
    for (group, members) in &groups {
        for members in members.chunks(DATA_PER_FILTER) {
            plan_group(program, data, *group, members, site, &mut planned)?;
        }
    }
    Ok(planned)
}

/// What data must have in common to be judged by the same filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    pin_nr: Option<u32>,
    pin_arch: Option<u32>,
    pin_ip: Option<u64>,
    /// The program sees the true instruction pointer, so all calls go through the first gate
    one_gate: bool,
}

/// Which of the words that a gate cannot choose freely a program reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    pub(super) nr: bool,
    pub(super) arch: bool,
    pub(super) ip: bool,
}

impl Reads {
    pub(super) fn of(program: &[Insn]) -> Self {
        let reads = |offset| program.iter().any(|insn| insn.code == 0x20 && insn.k == offset);
        Self {
            nr: reads(0),
            arch: reads(4),
            ip: reads(8) || reads(12),
        }
    }

    /// What any of some programs reads.
    pub(super) fn of_all(programs: &[Vec<Insn>]) -> Self {
        let none = Self {
            nr: false,
            arch: false,
            ip: false,
        };
        programs
            .iter()
            .map(|program| Self::of(program))
            .fold(none, |all, one| Self {
                nr: all.nr || one.nr,
                arch: all.arch || one.arch,
                ip: all.ip || one.ip,
            })
    }
}

/// The ABI that a datum's call is made by.
fn abi(datum: &SeccompData, site: Site) -> Abi {
    if site.i386 && datum.arch == Abi::I386.arch() {
        Abi::I386
    } else {
        Abi::X86_64
    }
}

fn group(datum: &SeccompData, reads: Reads, site: Site) -> Group {
    let abi = abi(datum, site);
    let true_ip = datum.instruction_pointer == site.gates.ip(abi, 0);
    let pin = |wanted: bool, value: u32| wanted.then_some(value);
    Group {
        pin_nr: pin(reads.nr && bypasses(datum, abi), datum.nr.cast_unsigned()),
        pin_arch: pin(reads.arch && datum.arch != abi.arch(), datum.arch),
        pin_ip: (reads.ip && !true_ip).then_some(datum.instruction_pointer),
        one_gate: reads.ip && true_ip,
    }
}

fn bypasses(datum: &SeccompData, abi: Abi) -> bool {
    abi == Abi::X86_64 && BYPASSING.contains(&datum.nr)
}

fn plan_group(
    program: &[Insn],
    data: &[SeccompData],
    group: Group,
    members: &[usize],
    site: Site,
    planned: &mut Vec<Planned>,
) -> Result<(), Failure> {
    let pins = Pins {
        nr: group.pin_nr,
        arch: group.pin_arch,
        ip: group.pin_ip,
    };
    let call = |datum: usize, chunk, copy| {
        let (abi, regs) = data.get(datum).map_or((Abi::X86_64, [0; 7]), |datum| {
            let abi = abi(datum, site);
            (abi, registers(datum, abi))
        });
        PlannedCall {
            datum,
            chunk,
            abi,
            copy,
            regs,
        }
    };
    let by_gate = || instrument(program, site.gates, pins, Select::ByGate);
    if let Some(program) = if group.one_gate { None } else { by_gate() } {
        let each = |&datum: &usize| (0..CHUNKS).map(move |chunk| call(datum, chunk, chunk));
        let calls = members.iter().flat_map(each).collect();
        planned.push(Planned { program, calls });
        return Ok(());
    }
    for chunk in 0..CHUNKS {
        let too_long = || Failure::TooLong { len: program.len() };
        let program = instrument(program, site.gates, pins, Select::Fixed(chunk)).ok_or_else(too_long)?;
        let calls = members.iter().map(|&datum| call(datum, chunk, 0)).collect();
        planned.push(Planned { program, calls });
    }
    Ok(())
}

fn registers(datum: &SeccompData, abi: Abi) -> [u64; 7] {
    let nr = if bypasses(datum, abi) {
        HARMLESS_NUMBER
    } else {
        u64::from(datum.nr.cast_unsigned())
    };
    let [a, b, c, d, e, f] = datum.args;
    [nr, a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::instrument::{answer, placed};
    use callproof_testgen::{Caller, Harvest, Seed, program};
    use callproof_vm::{Filter, Machine};

    const SITE: Site = Site {
        gates: Gates { base: 0x5555_ffff_fe00 },
        i386: true,
    };

    fn callers() -> Vec<Caller> {
        let mut callers = vec![];
        for abi in [Abi::X86_64, Abi::I386] {
            callers.push(Caller {
                arch: abi.arch(),
                ip: SITE.gates.ip(abi, 0),
            });
            callers.push(Caller {
                arch: abi.arch(),
                ip: 0x1234_5678_9abc,
            });
        }
        callers.push(Caller {
            arch: 0x8000_0016,
            ip: 0,
        });
        callers
    }

    /// Executes a plan in the emulator, as the kernel would.
    fn executed(planned: &[Planned], count: usize) -> Vec<Option<u32>> {
        let mut results = vec![Some(0_u32); count];
        for filter in planned {
            let loaded = Filter::load(&filter.program[..]).unwrap();
            for call in &filter.calls {
                let [nr, args @ ..] = call.regs;
                let seen = SeccompData {
                    nr: u32::try_from(nr).unwrap().cast_signed(),
                    arch: call.abi.arch(),
                    instruction_pointer: SITE.gates.ip(call.abi, call.copy),
                    args,
                };
                assert!(
                    call.abi == Abi::I386 || !BYPASSING.contains(&seen.nr),
                    "a bypassing call is made"
                );
                let value = loaded.run(&seen, Machine::default());
                results[call.datum] = match value {
                    // A division by zero left the program.
                    0 => None,
                    _ => {
                        assert_eq!(value >> 16, 5, "an ERRNO");
                        let part = answer(-i64::from(value & 0xffff)).unwrap();
                        results[call.datum].map(|result| result | placed(part, call.chunk))
                    }
                };
            }
        }
        results
    }

    #[test]
    fn instrumented_programs_tell_the_results_of_the_originals() {
        let mut filters = 0;
        for number in 0..3000 {
            let mut seed = Seed::new(11, number);
            let program = program(&mut seed);
            let data = Harvest::of(&program).calls(&mut seed, 8, &callers());
            let original = Filter::load(&program[..]).unwrap();
            let planned = match plan(&program, &data, SITE) {
                Ok(planned) => planned,
                Err(Failure::TooLong { len }) => {
                    assert!(len > 4000);
                    continue;
                }
                Err(other) => panic!("{other}"),
            };
            filters += planned.len();
            for (datum, result) in data.iter().zip(executed(&planned, data.len())) {
                assert_eq!(result.unwrap_or(0), original.run(datum, Machine::default()), "{number}");
            }
        }
        assert!(filters < 20_000, "grouping keeps installations few: {filters}");
    }

    #[test]
    fn calls_of_the_harness_pass() {
        let program = [Insn::stmt(0x06, 0)];
        let planned = plan(&program, &[SeccompData::default()], SITE).unwrap();
        let filter = Filter::load(&planned[0].program[..]).unwrap();
        let base = SITE.gates.base;
        for ip in [0, base - 1, base + 512, base + (1 << 32), base - (1 << 32), u64::MAX] {
            let call = SeccompData {
                instruction_pointer: ip,
                ..SeccompData::default()
            };
            assert_eq!(filter.run(&call, Machine::default()), 0x7fff_0000, "{ip:#x}");
        }
    }

    #[test]
    fn answers_are_told_from_other_registers() {
        assert_eq!(answer(-0x800), Some(0));
        assert_eq!(answer(-0xfff), Some(0x7ff));
        for other in [0, 1, -38, -512, -0x7ff, -0x1000, i64::MIN, i64::MAX] {
            assert_eq!(answer(other), None, "{other}");
        }
    }

    #[test]
    fn nearly_every_long_program_can_be_asked_about() {
        let mut longest = vec![Insn::stmt(0x87, 0); LONGEST];
        longest.push(Insn::stmt(0x16, 0));
        assert!(plan(&longest, &[SeccompData::default()], SITE).is_err());
        longest.remove(0);
        assert!(plan(&longest, &[SeccompData::default()], SITE).is_ok());
    }
}
