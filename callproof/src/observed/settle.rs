//! What a chain says of a call of which only a part is known.

use std::collections::HashMap;

use callproof_verifier::{Session, Undecided, Verdicts, View};
use callproof_vm::observe::{Observer, Step, WordsRead};
use callproof_vm::{Chain, Endian, Machine, SeccompData, Verdict};

use super::Against;
use super::traced::Traced;
use crate::exhibit::{decide, machine_of};
use crate::nearest::with_bits;

/// Verdicts of one call that are told apart.
const VERDICTS: usize = 8;
/// Calls whose answers are kept.
const KEPT: usize = 1 << 14;

/// What is said of a call.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    /// Whatever the rest is; a call that shows it
    One { call: SeccompData, verdict: Verdict },
    /// It depends on the rest
    Depends {
        /// A call for each verdict, as many as are told apart
        all: Vec<(SeccompData, Verdict)>,
        /// Whether there are no other verdicts
        whole: bool,
    },
    /// A limit was reached
    Undecided(String),
}

/// Settles one call after the other.
pub(super) struct Settler<'f> {
    against: Against<'f>,
    session: Session<'f>,
    /// Answers about calls of which the filters read unknown words
    kept: HashMap<[(u32, u32); 16], Settled>,
}

impl<'f> Settler<'f> {
    pub(super) fn new(against: Against<'f>) -> Self {
        let Against {
            filters,
            machine,
            order,
            limits,
            ..
        } = against;
        Self {
            against,
            session: Session::new(filters, Vec::new(), machine, order, limits),
            kept: HashMap::new(),
        }
    }

    pub(super) const fn session(&mut self) -> &mut Session<'f> {
        &mut self.session
    }

    /// The machine that a call runs on.
    pub(super) fn machine(&self, call: &SeccompData) -> Machine {
        machine_of(call, self.against.machine, self.against.order)
    }

    /// Decides about a call, with zeroes for what is unknown, and tells which words were read.
    fn run(&self, call: &SeccompData) -> (Verdict, u16) {
        let mut words = WordsRead::default();
        let chain = Chain::new(self.against.filters);
        let verdict = chain.run_observed(call, self.machine(call), &mut words);
        (verdict, words.0)
    }

    /// The instructions by which the filters return, oldest filter first.
    pub(super) fn returns(&self, call: &SeccompData) -> Vec<usize> {
        let mut returns = Returns {
            filter: 0,
            last: vec![0; self.against.filters.len()],
        };
        let chain = Chain::new(self.against.filters);
        chain.run_observed(call, self.machine(call), &mut returns);
        returns.last
    }

    /// What is said of a call, whatever the unknown part of it is.
    pub(super) fn settle(&mut self, traced: &Traced) -> Settled {
        let call = traced.call;
        let endian = self.machine(&call).endian;
        let (verdict, words) = self.run(&call);
        // What the filters do not read changes nothing.
        if words & traced.unknown(endian) == 0 {
            return Settled::One { call, verdict };
        }
        let known = traced.known(endian);
        if let Some(settled) = self.kept.get(&known) {
            return settled.clone();
        }
        let settled = self.exactly(&known, endian);
        if self.kept.len() < KEPT {
            self.kept.insert(known, settled.clone());
        }
        settled
    }

    fn exactly(&mut self, known: &[(u32, u32); 16], endian: Endian) -> Settled {
        match self.verdicts(known, endian) {
            Ok((all, whole)) => match all.as_slice() {
                [] => Settled::Undecided("no call is as the log says".to_owned()),
                [(call, verdict)] if whole => Settled::One {
                    call: *call,
                    verdict: *verdict,
                },
                _ => Settled::Depends { all, whole },
            },
            Err(undecided) => Settled::Undecided(undecided.to_string()),
        }
    }

    /// A call for each verdict, as many as are told apart, and whether these are all.
    fn verdicts(&mut self, known: &[(u32, u32); 16], endian: Endian) -> Result<Verdicted, Undecided> {
        self.session.space().restart();
        let function = self.session.function(View::Value)?;
        let space = self.session.space();
        // The word `arch` is known of every call.
        let mut left = space.arch(known.get(1).map_or(0, |(_, arch)| *arch))?;
        for (word, &(mask, value)) in (0_u8..).zip(known) {
            if mask != 0 {
                left = with_bits(space, left, (word, mask, value))?;
            }
        }
        let mut found = Vec::new();
        while found.len() < VERDICTS {
            let space = self.session.space();
            let Some(example) = space.example(left)? else {
                return Ok((found, true));
            };
            let call = SeccompData::from_words(example.words(space.machine().endian), endian);
            // The emulator has the last word; what it says leaves the set.
            let verdict = decide(self.against.filters, &call, self.against.machine, self.against.order);
            let same = space.calls(&function, &Verdicts::value(verdict.value))?;
            let rest = space.minus(left, same)?;
            found.push((call, verdict));
            if rest == left {
                break;
            }
            left = rest;
        }
        let whole = self.session.space().example(left)?.is_none();
        Ok((found, whole))
    }
}

/// A call for each verdict, and whether these are all verdicts.
type Verdicted = (Vec<(SeccompData, Verdict)>, bool);

/// The last instruction of each filter.
struct Returns {
    filter: usize,
    last: Vec<usize>,
}

impl Observer for Returns {
    fn filter(&mut self, index: usize) {
        self.filter = index;
    }

    fn step(&mut self, step: &Step) {
        if let Some(last) = self.last.get_mut(self.filter) {
            *last = step.pc;
        }
    }
}

#[cfg(test)]
mod tests {
    use callproof_abi::Abi;
    use callproof_formats::trace::{ArgSeen, TraceCall};
    use callproof_policy::ByteOrder;
    use callproof_testgen::{Choose as _, Harvest, Seed, Shape, program_of};
    use callproof_verifier::Limits;
    use callproof_vm::{Filter, Insn};

    use super::super::traced::of_trace;
    use super::*;

    /// Unknown bits of the first two arguments.
    const OPEN: [u64; 2] = [0x1_0000_0003, 0x8000_0001];

    /// The register with its open bits set as in a number.
    fn filled(value: u64, open: u64, number: u64) -> u64 {
        let places = (0..64).filter(|place| open >> place & 1 == 1).zip(0..);
        places.fold(value & !open, |value, (place, at)| value | (number >> at & 1) << place)
    }

    fn against<'f>(filters: &'f [Filter<'f>], limits: &'f Limits) -> Against<'f> {
        Against {
            filters,
            marked: None,
            machine: Machine::default(),
            order: ByteOrder::OfArch,
            abi: Abi::X86_64,
            limits,
            engine: callproof_engines::Kind::Reference,
        }
    }

    /// Every way to fill the open bits, through the emulator.
    fn enumerated(filters: &[Filter<'_>], seen: &TraceCall) -> Vec<u32> {
        let mut values: Vec<u32> = (0..32_u64)
            .map(|number| {
                let mut call = of_trace(seen.clone()).call;
                call.args[0] = filled(call.args[0], OPEN[0], number);
                call.args[1] = filled(call.args[1], OPEN[1], number >> 3);
                Chain::new(filters).run(&call, Machine::default()).value
            })
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// A program that looks at the open bits, before a policy that looks at anything.
    fn looking(seed: &mut Seed) -> Vec<Insn> {
        let word = 16 + 4 * seed.below(4);
        let bit = 1 << seed.pick(&[0_u32, 1, 31]);
        let mut insns = vec![
            Insn::stmt(0x20, word),
            Insn::jump(0x45, bit, 0, 1),
            Insn::stmt(0x06, 0x0005_0001 + seed.below(2)),
        ];
        let len = 3 + seed.below(12);
        insns.extend(program_of(Shape::Policy, len as usize, seed));
        insns
    }

    #[test]
    fn what_is_said_is_what_every_filling_gives() {
        // Random arithmetic can be hard; such programs are few.
        let limits = Limits {
            time: core::time::Duration::from_millis(800),
            ..Limits::default()
        };
        let (mut one, mut depends, mut undecided) = (0, 0, 0);
        for number in 0..400 {
            let mut seed = Seed::new(7, number);
            let insns = looking(&mut seed);
            let Ok(filter) = Filter::load(&insns[..]) else { continue };
            let filters = [filter];
            let caller = callproof_testgen::Caller {
                arch: Abi::X86_64.audit_arch(),
                ip: 0,
            };
            let call = Harvest::of(&insns).call(&mut seed, caller);
            let mut seen = TraceCall::of(caller.arch, call.nr.cast_unsigned());
            seen.args = call.args.map(ArgSeen::Known);
            for (arg, open) in seen.args.iter_mut().zip(OPEN) {
                *arg = ArgSeen::Bits { mask: !open, value: 0 };
            }
            seen.ip = Some(0);
            let expected = enumerated(&filters, &seen);
            let mut settler = Settler::new(against(&filters, &limits));
            let mut found = match settler.settle(&of_trace(seen)) {
                Settled::One { verdict, .. } => vec![verdict.value],
                Settled::Depends { all, whole } => {
                    assert!(whole, "case {number}");
                    all.iter().map(|(_, verdict)| verdict.value).collect()
                }
                Settled::Undecided(_) => {
                    undecided += 1;
                    continue;
                }
            };
            found.sort_unstable();
            *(if found.len() == 1 { &mut one } else { &mut depends }) += 1;
            assert_eq!(found, expected, "case {number}");
        }
        assert!(
            one > 20 && depends > 100 && undecided < 20,
            "{one} {depends} {undecided}"
        );
    }

    #[test]
    fn registers_of_32_bits_have_nothing_above() {
        // Only a call with something in the high half of its first argument is permitted.
        let insns = [
            Insn::stmt(0x20, 20),
            Insn::jump(0x15, 0, 1, 0),
            Insn::stmt(0x06, 0x7fff_0000),
            Insn::stmt(0x06, 0x0005_0001),
        ];
        let filters = [Filter::load(&insns[..]).unwrap()];
        let limits = Limits::default();
        let mut settler = Settler::new(against(&filters, &limits));
        let mut of = |abi: Abi| settler.settle(&of_trace(TraceCall::of(abi.audit_arch(), 3)));
        assert!(matches!(of(Abi::I386), Settled::One { verdict, .. } if verdict.value == 0x0005_0001));
        assert!(matches!(of(Abi::X86_64), Settled::Depends { all, whole: true } if all.len() == 2));
    }
}
