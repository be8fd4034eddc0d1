//! Claims of every kind, answered by diagrams and by the SAT engine: the two never contradict each other, and what holds
//! has a proof.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

#[expect(dead_code, reason = "other tests use all of it")]
mod small;

use core::time::Duration;
use std::collections::BTreeMap;

use callproof_policy::{ByteOrder, Env, parse_policy, parse_properties};
use callproof_testgen::{Choose, Seed};
use callproof_verifier::{Answer, Counterexample, Engines, Finding, Limits, Query, Session, Side};
use callproof_vm::{Filter, Insn, Kernel, Machine, ShiftByX};

const CLAIMS: [&str; 24] = [
    "deny *",
    "never permit * on x86_64",
    "sometimes permit read, *(raw(args[0]) > 1) on x86_64",
    "sometimes kill_thread *",
    "errno(1)|kill_thread|permit * on any",
    "errno(EPERM) * on x86_64, mips",
    "killed * on unknown",
    "default deny",
    "cost(*) <= 6",
    "cost(read, 5) <= 4 on x86_64, i386",
    "x32 <= x86_64",
    "i386 <= x86_64",
    "same kernel view, same verdict on x86_64, i386",
    "same kernel view, same verdict for read, socket on x86_64",
    "whole arguments on x86_64",
    "whole arguments for mmap, lseek on x86_64",
    "no dead code",
    "no wide shift",
    "no division by zero",
    "self equals other",
    "self refines other on x86_64",
    "other within self for 0..=6",
    "stack(other, self) refines other",
    "self refines policy on x86_64, i386",
];

const POLICY: &str =
    "default errno(EPERM)\nallow *(raw(args[0]) < 2) on any\nkill_thread *(lo(args[1]) == 1) on x86_64\n";

/// Programs that tell architectures and numbers apart as well as arguments.
fn program(seed: &mut Seed) -> Vec<Insn> {
    let (mut program, _) = small::program(seed);
    if seed.pick(&[true, false]) {
        let guard = [
            Insn::stmt(0x20, seed.pick(&[0, 4])),
            Insn::jump(
                seed.pick(&[0x15, 0x25, 0x45]),
                seed.pick(&[0xc000_003e, 0x4000_0000, 5, 0]),
                0,
                1,
            ),
            Insn::stmt(0x06, seed.pick(&[0x7fff_0000, 0x5_0001, 0])),
        ];
        program.splice(0..0, guard);
    }
    program
}

fn limits(engines: Engines) -> Limits {
    Limits {
        states: 20_000,
        nodes: 200_000,
        steps: 2_000_000,
        time: Duration::from_millis(400),
        engines,
        ..Limits::default()
    }
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Holds { .. } => "holds",
        Answer::Fails(_) => "fails",
        Answer::Vacuous => "vacuous",
        Answer::Undecided(_) => "undecided",
    }
}

/// Whether an answer stands on something: a proof, or replayed calls.
fn founded(answer: &Answer) -> bool {
    match answer {
        Answer::Holds { proof, shown } => proof.is_some() || !shown.is_empty(),
        Answer::Fails(Counterexample { finding, shown, proof }) => match finding {
            Finding::None { .. } | Finding::DeadCode { .. } => proof.is_some(),
            Finding::Relation | Finding::AbiOrder | Finding::SameView | Finding::HalfArgument { .. } => {
                shown.len() == 2
            }
            _ => shown.len() == 1,
        },
        Answer::Vacuous | Answer::Undecided(_) => true,
    }
}

#[test]
fn two_engines_agree_on_every_kind_of_claim() {
    let cases: u64 = std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let mut tally: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    for case in 0..cases {
        let mut seed = Seed::new(83, case);
        let own = [Filter::load(program(&mut seed)).unwrap()];
        let other = if seed.pick(&[true, false, false]) {
            own.clone()
        } else {
            [Filter::load(program(&mut seed)).unwrap()]
        };
        let machine = Machine {
            kernel: seed.pick(&[Kernel::LATEST, Kernel::new(4, 13)]),
            shift: seed.pick(&ShiftByX::ALL),
            ..Machine::default()
        };
        let policy = parse_policy("policy", POLICY).unwrap().ground(&Env::default()).unwrap();
        let mut sessions = [Engines::Diagram, Engines::Sat, Engines::Chosen].map(|engines| {
            let others = vec![
                ("other".to_owned(), Side::Chain(&other)),
                ("policy".to_owned(), Side::Policy(policy.clone())),
            ];
            Session::new(&own, others, machine, ByteOrder::OfArch, &limits(engines))
        });
        for text in CLAIMS {
            let file = format!("use \"x\" as other\nuse \"y\" as policy\n{text}");
            let file = parse_properties("test", &file).unwrap();
            let (property, env) = file.properties(&Env::default()).remove(0);
            let query = Query {
                claim: &property.claim,
                env: &env,
            };
            let answers = sessions.each_mut().map(|session| match session.ask(&query) {
                Ok(outcome) => outcome.answer,
                Err(error) => panic!("case {case}, {text}: {error}\n{own:?}\n{other:?}"),
            });
            let words = answers.each_ref().map(word);
            for answer in &answers {
                assert!(founded(answer), "case {case}, {text}: {answer:?}");
            }
            let mut decided = words.iter().filter(|word| **word != "undecided");
            let first = decided.next();
            assert!(
                decided.all(|word| Some(word) == first),
                "case {case}, {text}: {words:?}\n{own:?}\n{other:?}"
            );
            *tally.entry((text, words[0], words[1])).or_default() += 1;
        }
    }
    for ((text, diagram, sat), count) in &tally {
        println!("{text:60} diagram {diagram:9} sat {sat:9} {count}");
    }
}
