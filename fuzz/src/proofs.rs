//! The checker and the verifier.

use callproof_policy::{AbiItem, AbiList, ByteOrder, Env, Item, parse_properties};
use callproof_testgen::{Bytes, Choose as _, Harvest, Seed, program};
use callproof_verifier::{Answer, AskError, Query, Session};
use callproof_vm::{Action, Chain, Filter, Insn, Machine};

use crate::emulator::instructions;
use crate::{head, limits};

/// A proof file of any bytes about a filter of any bytes is refused, or what it claims is heeded by the emulator.
pub fn proofs(bytes: &[u8]) {
    let (length, rest) = head(bytes);
    let at = usize::from(length).saturating_mul(8).min(rest.len());
    let (filter, file) = rest.split_at(at);
    let _ = callproof_checker::statement(file);
    let accepted = callproof_checker::check(file, &[&[filter]]).is_ok()
        || callproof_checker::check(file, &[&[filter], &[filter]]).is_ok();
    if accepted {
        // Whoever trusts the checker asks it about programs that the kernel takes.
        assert!(
            Filter::load(instructions(filter)).is_ok(),
            "a proof about a program that cannot be installed"
        );
    }
}

/// Claims that a fuzzer asks about any program.
const CLAIMS: &str = "default deny\nunknown arch deny\ndeny ptrace on x86_64\ncost(*) <= 40\nno dead code\nno wide shift\n\
                      no division by zero\nx32 <= x86_64\nsame kernel view, same verdict\n";

/// The verifier's answers about a program: shown calls are replayed, what holds is not refuted by calls made for it.
pub fn claims(bytes: &[u8]) {
    let mut choices = Bytes::new(bytes);
    let program = program(&mut choices);
    let Ok(filter) = Filter::load(&program[..]) else { return };
    let filters = [filter];
    let limits = limits();
    let Ok(file) = parse_properties("fuzz", CLAIMS) else {
        panic!("the claims are not read");
    };
    let env = Env::new(AbiList::of([AbiItem::Any]));
    let mut session = Session::new(&filters, Vec::new(), Machine::default(), ByteOrder::OfArch, &limits);
    let asked = file.items.iter().filter_map(|item| match item {
        Item::Property(property) => Some(property),
        _ => None,
    });
    for property in asked {
        match session.ask(&Query {
            claim: &property.claim,
            env: &env,
        }) {
            Ok(outcome) => {
                let holds = matches!(outcome.answer, Answer::Holds { .. });
                if holds && property.to_string().starts_with("deny ptrace") {
                    sampled(&filters, &program, choices.word());
                }
            }
            Err(AskError::Problems(_)) => {}
            Err(error) => panic!("{property}: {error}"),
        }
    }
}

/// No call that is made for the program is a ptrace of x86_64 that is permitted.
fn sampled(filters: &[Filter<'_>], program: &[Insn], seed: u64) {
    const PTRACE: i32 = 101;
    let caller = callproof_testgen::Caller {
        arch: 0xc000_003e,
        ip: 0,
    };
    let harvest = Harvest::of(program);
    for number in 0..64 {
        let mut call = harvest.call(&mut Seed::new(seed, number), caller);
        (call.nr, call.arch) = (PTRACE, caller.arch);
        let verdict = Chain::new(filters).run(&call, Machine::default());
        let permitted = matches!(verdict.action, Action::Allow | Action::Log);
        assert!(!permitted, "a ptrace was proved denied, and {call:x?} is permitted");
    }
}
