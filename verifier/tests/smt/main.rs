//! The verifier's answers against an independent SMT solver, z3: random filters, random questions of every kind.
//!
//! The solver is given the meaning of programs and of claims by this test alone, from `docs/SEMANTICS.md` and
//! `docs/PROPERTIES.md`. It is found as `z3` on the path or in `CALLPROOF_Z3`; without one the tests say so and pass.
//! `CALLPROOF_SMT_CASES` is the number of questions of each kind, `CALLPROOF_SMT_ONLY` the name of one kind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

mod claims;
mod encode;
mod judge;
mod meaning;
mod programs;
mod questions;
mod registers;
mod sat;
#[path = "../small/mod.rs"]
#[allow(dead_code, reason = "only programs are needed here, not their inputs")]
mod small;
#[allow(dead_code, reason = "a bench uses it too, for one large question")]
mod solver;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use encode::Fault;
use judge::{Came, Case};
use questions::{KINDS, Kind};
use solver::Solver;

/// Milliseconds that the solver gets for one question.
const PATIENCE: u32 = 5000;

/// What came of all questions of a kind.
#[derive(Default)]
struct Tally {
    holds: u64,
    fails: u64,
    vacuous: u64,
    undecided: u64,
    unknown: u64,
    disagreements: Vec<String>,
    asked: u64,
}

fn solver() -> Option<PathBuf> {
    let found = solver::find();
    if found.is_none() {
        println!("skipped: no z3 to hold answers against (on the path, or named by CALLPROOF_Z3)");
    }
    found
}

fn run((name, ask): Kind, cases: core::ops::Range<u64>, path: &PathBuf, fault: Option<Fault>) -> Tally {
    let mut solver = Solver::start(path, PATIENCE);
    let mut tally = Tally::default();
    let seed = name
        .bytes()
        .fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
    for number in cases {
        match ask(&mut Case::new(seed, number, &mut solver, fault)) {
            Came::Holds => tally.holds += 1,
            Came::Fails => tally.fails += 1,
            Came::Vacuous => tally.vacuous += 1,
            Came::Undecided => tally.undecided += 1,
            Came::Unknown => tally.unknown += 1,
            Came::Disagreement(what) => tally.disagreements.push(format!("{name}, question {number}: {what}")),
        }
    }
    tally.asked = solver.asked;
    tally
}

fn cases() -> u64 {
    let cases = std::env::var("CALLPROOF_SMT_CASES");
    cases.ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

fn report(name: &str, tally: &Tally, seconds: f64) {
    println!(
        "{name:24} {:6} hold {:6} fail {:5} vacuous {:5} undecided {:4} unknown {:3} disagree {:8} to z3 {seconds:7.1} s",
        tally.holds,
        tally.fails,
        tally.vacuous,
        tally.undecided,
        tally.unknown,
        tally.disagreements.len(),
        tally.asked
    );
}

#[test]
fn every_kind_of_question() {
    let Some(path) = solver() else { return };
    let only = std::env::var("CALLPROOF_SMT_ONLY").ok();
    let kinds = KINDS
        .into_iter()
        .filter(|kind| only.as_deref().is_none_or(|only| only == kind.0));
    let waiting = Mutex::new(kinds.rev().collect::<Vec<_>>());
    let wrong = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some(kind) = waiting.lock().unwrap().pop() else {
                break;
            };
            let started = Instant::now();
            let tally = run(kind, 0..cases(), &path, None);
            report(kind.0, &tally, started.elapsed().as_secs_f64());
            let mut wrong = wrong.lock().unwrap();
            wrong.extend(tally.disagreements.iter().take(5).cloned());
            let both = tally.holds * 50 > cases() && (tally.fails * 50 > cases() || kind.0 == "worst case");
            if !both || (tally.undecided + tally.unknown) * 20 > cases() {
                wrong.push(format!("{}: not both answers often, or too many without one", kind.0));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A comparison that cannot fail would show nothing: with a mistake in the encoding the two disagree.
#[test]
fn planted_faults_are_noticed() {
    let Some(path) = solver() else { return };
    for (fault, kind) in [
        (Fault::GreaterOrEqual, "always"),
        (Fault::DivisionGoesOn, "worst case"),
        (Fault::OldestWinsTies, "differing call"),
        (Fault::UnsignedSeverity, "refines"),
        (Fault::ForgottenStores, "dead code"),
    ] {
        let kind = KINDS.into_iter().find(|known| known.0 == kind).unwrap();
        let mut found = 0;
        let mut from = 0;
        while found == 0 && from < 4000 {
            found = run(kind, from..from + 100, &path, Some(fault)).disagreements.len();
            from += 100;
        }
        println!("{fault:?}: noticed within {from} questions of the kind `{}`", kind.0);
        assert!(found > 0, "{fault:?}");
    }
}
