//! The checker and the verifier.

use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, Item, parse_properties};
use callproof_testgen::{Bytes, Caller, Choose as _, Harvest, Seed, program};
use callproof_verifier::{Answer, AskError, Query, Session, Side};
use callproof_vm::{Chain, Endian, Filter, Insn, Machine, ShiftByX};

use crate::emulator::instructions;
use crate::{head, limits};

/// A proof file of any bytes about a filter of any bytes is refused, or what it claims is heeded by the emulator.
pub fn proofs(bytes: &[u8]) {
    let (length, rest) = head(bytes);
    let at = usize::from(length).saturating_mul(8).min(rest.len());
    let (filter, file) = rest.split_at(at);
    let _ = callproof_checker::statement(file);
    let chains: [&[&[&[u8]]]; 3] = [&[&[filter]], &[&[filter, filter]], &[&[filter], &[filter]]];
    let checked = chains.map(|chains| callproof_checker::check(file, chains));
    for rejected in checked.iter().filter_map(|checked| checked.as_ref().err()) {
        assert!(!rejected.to_string().is_empty(), "{rejected:?}");
    }
    let accepted = checked.iter().any(Result::is_ok);
    if accepted {
        // Whoever trusts the checker asks it about programs that the kernel takes.
        assert!(
            Filter::load(instructions(filter)).is_ok(),
            "a proof about a program that cannot be installed"
        );
    }
}

/// Claims that a fuzzer asks about any chain, and `other` is another one.
const CLAIMS: &str = "default deny\nunknown arch deny\ndeny ptrace on x86_64\ncost(*) <= 40\nno dead code\nno wide shift\n\
                      no division by zero\nx32 <= x86_64\nsame kernel view, same verdict\nself equals \"other\"\n\
                      self refines \"other\"\nself within \"other\"\nwhole arguments\nsometimes errno(EPERM|ENOSYS) read, write\n\
                      cached getpid on x86_64\nnever allow socket(!AF_UNIX) on x86_64, i386\n";

/// How many of them for one input: they are slow beside everything else that is fuzzed.
const ASKED: usize = 4;

/// The verifier's answers about a chain: shown calls are replayed, what holds is not refuted by calls made for it.
pub fn claims(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let (chain, other, machine) = subjects(&mut choices);
    let [Some(filters), Some(others)] = [&chain, &other].map(|programs| loaded(programs)) else {
        return;
    };
    let Ok(file) = parse_properties("fuzz", CLAIMS) else {
        panic!("the claims are not read");
    };
    let env = Env::new(AbiList::of([AbiItem::Any]));
    let limits = limits();
    let sides = vec![("other".to_owned(), Side::Chain(&others))];
    let order = ByteOrder::Fixed(machine.endian);
    let mut session = Session::new(&filters, sides, machine, order, &limits);
    let asked = file.items.iter().filter_map(|item| match item {
        Item::Property(property) => Some(property),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let first = choices.below(u32::try_from(asked.len()).unwrap_or(0)) as usize;
    let seed = choices.word();
    for property in asked.iter().cycle().skip(first).take(ASKED) {
        let claim = &property.claim;
        match session.ask(&Query { claim, env: &env }) {
            Ok(outcome) if matches!(outcome.answer, Answer::Holds { .. }) => {
                let text = property.to_string();
                Samples {
                    chain: &chain,
                    filters: &filters,
                    others: &others,
                    machine,
                    seed,
                }
                .heed(&text);
            }
            Ok(_) | Err(AskError::Problems(_)) => {}
            Err(error) => panic!("{property}: {error}"),
        }
    }
}

/// A chain of one or two programs; one that is like it or not; and the machine that runs both.
fn subjects(choices: &mut Bytes<'_>) -> (Vec<Vec<Insn>>, Vec<Vec<Insn>>, Machine) {
    let mut chain = vec![program(choices)];
    let mut other = chain.clone();
    match choices.below(4) {
        0 => {}
        1 => chain.push(program(choices)),
        2 => other = vec![program(choices)],
        _ => other.iter_mut().for_each(|program| change(program, choices)),
    }
    let machine = Machine {
        endian: if choices.one_in(3) { Endian::Big } else { Endian::Little },
        shift: choices.pick(&ShiftByX::ALL),
        ..Machine::default()
    };
    (chain, other, machine)
}

/// One constant becomes another.
fn change(program: &mut [Insn], choices: &mut Bytes<'_>) {
    let at = choices.below(u32::try_from(program.len()).unwrap_or(u32::MAX));
    if let Some(insn) = program.get_mut(at as usize) {
        insn.k ^= 1_u32.checked_shl(choices.below(32)).unwrap_or(1);
    }
}

fn loaded(programs: &[Vec<Insn>]) -> Option<Vec<Filter<'_>>> {
    programs.iter().map(|program| Filter::load(&program[..]).ok()).collect()
}

/// Calls made for a chain of which something is said to hold.
struct Samples<'s> {
    chain: &'s [Vec<Insn>],
    filters: &'s [Filter<'s>],
    others: &'s [Filter<'s>],
    machine: Machine,
    seed: u64,
}

impl Samples<'_> {
    fn heed(&self, text: &str) {
        const X86_64: u32 = 0xc000_003e;
        const PTRACE: i32 = 101;
        let harvests: Vec<Harvest> = self.chain.iter().map(|program| Harvest::of(program)).collect();
        for (harvest, number) in harvests.iter().cycle().zip(0..64) {
            let mut seed = Seed::new(self.seed, number);
            let caller = Caller::any(&mut seed);
            let mut call = harvest.call(&mut seed, caller);
            if text.starts_with("deny ptrace") {
                (call.nr, call.arch) = (PTRACE, X86_64);
            }
            let [verdict, other] =
                [self.filters, self.others].map(|filters| Chain::new(filters).run(&call, self.machine));
            let refuted = match text {
                _ if text.starts_with("deny ptrace") => verdict.action.permits(),
                _ if text.starts_with("self equals") => verdict.action != other.action,
                _ if text.starts_with("self within") => verdict.action.permits() && !other.action.permits(),
                _ => false,
            };
            assert!(
                !refuted,
                "`{text}` was proved, and {call:x?} gets {verdict:?} and {other:?}"
            );
        }
    }
}
