//! The same questions to callproof, to an SMT solver and to plain path enumeration, side by side in one run.
//!
//! `cargo bench -p callproof-benches --bench peers`. The solver is z3, found as `z3` on the path or in `CALLPROOF_Z3`; without
//! it its columns say so. callproof starts from admitted filters each time and includes the symbolic pass. The solver
//! is given text that was made beforehand, and asked for no model; with its start or without, as the column says. The
//! enumerator is [`callproof_benches::paths`].

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a question left open leaves nothing to measure, and the figures are printed"
)]

// What the tests of the verifier hold it against: one encoding, not two.
#[path = "../../verifier/tests/smt/encode.rs"]
#[allow(dead_code, reason = "only values are asked about here")]
mod encode;
#[path = "../../verifier/tests/smt/solver.rs"]
#[allow(dead_code, reason = "nobody counts questions here")]
mod solver;

use core::ops::ControlFlow;
use core::time::Duration;
use std::path::PathBuf;
use std::time::Instant;

use callproof_benches::paths::{Stop, Tried, allowed_above, differ};
use callproof_benches::{alternatives, container_linear, container_tree, planted};
use callproof_verifier::{Limits, Space, Subject, Verdicts, View};
use callproof_vm::{Filter, Insn, Machine};

use encode::{Setting, chain, declare};
use solver::{Said, Solver};

/// The most paths that are tried.
const CAP: u64 = 2_000_000;

/// Milliseconds that the solver gets.
const PATIENCE: u32 = 120_000;

/// A question, with its true answer.
struct Question {
    name: &'static str,
    one: Vec<Insn>,
    /// What it is compared with; none: nothing above 384 is allowed
    other: Option<Vec<Insn>>,
    holds: bool,
}

fn questions() -> [Question; 4] {
    let question = |name, one, other, holds| Question {
        name,
        one,
        other,
        holds,
    };
    [
        question("default deny of the profile", container_linear(), None, true),
        question("linear equals tree", container_linear(), Some(container_tree()), true),
        question("one wrong bit", container_linear(), Some(planted()), false),
        question(
            "six arguments, 3 values a half",
            alternatives(false),
            Some(alternatives(true)),
            true,
        ),
    ]
}

/// The median of some runs.
fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

/// Whether the claim of the question is true, from admitted filters to the answer.
fn callproof(one: &[Filter<'_>; 1], other: Option<&[Filter<'_>; 1]>) -> bool {
    let (machine, limits) = (Machine::default(), Limits::default());
    let first = Subject::new(one, machine, &limits).unwrap();
    let Some(other) = other else {
        let mut space = Space::new(machine, &[&first], &limits);
        let function = space.function(&first, View::Value).unwrap();
        let permitted = Verdicts::permitted(machine.kernel);
        let permitted = space.calls(&function, &permitted).unwrap();
        let known = space.numbers(0, 384).unwrap();
        return space.minus(permitted, known).unwrap().is_empty();
    };
    let second = Subject::new(other, machine, &limits).unwrap();
    let mut space = Space::new(machine, &[&first, &second], &limits);
    let a = space.function(&first, View::Value).unwrap();
    let b = space.function(&second, View::Value).unwrap();
    space.differ((&first, &a), (&second, &b)).unwrap().is_none()
}

/// The script of a question, and the formula that is satisfiable when its claim is false.
fn smt(question: &Question) -> (String, String) {
    let (mut script, setting) = (
        String::new(),
        Setting {
            machine: Machine::default(),
            fault: None,
        },
    );
    let words = declare(&mut script, "w");
    let a = chain(&mut script, "a", &[&question.one], &words, setting);
    let bad = match &question.other {
        None => format!("(and (= {} #x7fff0000) (bvugt w0 #x00000180))", a.value),
        Some(other) => {
            let b = chain(&mut script, "b", &[other], &words, setting);
            format!("(distinct {} {})", a.value, b.value)
        }
    };
    (script, bad)
}

/// The solver's answer; none when it gives up.
fn solve(solver: &mut Solver, (script, bad): &(String, String)) -> Option<bool> {
    match solver.ask_alone(script, bad) {
        Said::Sat => Some(false),
        Said::Unsat => Some(true),
        Said::Unknown => None,
    }
}

/// The answer of the enumerator, and how many paths it tried; no answer when they were too many.
fn enumerate(question: &Question) -> (Option<bool>, u64) {
    let mut tried = Tried { paths: 0, cap: CAP };
    let ended = match &question.other {
        None => allowed_above(&question.one, 384, &mut tried),
        Some(other) => differ(&question.one, other, &mut tried),
    };
    let answer = match ended {
        ControlFlow::Continue(()) => Some(true),
        ControlFlow::Break(Stop::Found(_)) => Some(false),
        ControlFlow::Break(Stop::Cap) => None,
        ControlFlow::Break(Stop::Unsupported) => panic!("not a filter for the enumerator"),
    };
    (answer, tried.paths)
}

fn times(theirs: Duration, ours: Duration) -> String {
    format!("{theirs:.1?} ({:.0} x)", theirs.as_secs_f64() / ours.as_secs_f64())
}

fn measure(question: &Question, path: Option<&PathBuf>) {
    let one = [Filter::load(&question.one[..]).unwrap()];
    let other = question.other.as_ref().map(|other| [Filter::load(&other[..]).unwrap()]);
    let ours = median(51, || assert_eq!(callproof(&one, other.as_ref()), question.holds));
    println!("{}\n  callproof                     {ours:.1?}", question.name);
    match path {
        None => println!("  z3                            not found"),
        Some(path) => measure_solver(question, path, ours),
    }
    measure_paths(question, ours);
}

fn measure_solver(question: &Question, path: &PathBuf, ours: Duration) {
    let text = smt(question);
    let mut solver = Solver::start(path, PATIENCE);
    let Some(answer) = solve(&mut solver, &text) else {
        println!("  z3                            no answer in {PATIENCE} ms");
        return;
    };
    assert_eq!(answer, question.holds);
    let running = median(7, || assert_eq!(solve(&mut solver, &text), Some(answer)));
    let fresh = median(7, || {
        assert_eq!(solve(&mut Solver::start(path, PATIENCE), &text), Some(answer));
    });
    println!("  z3, running already           {}", times(running, ours));
    println!("  z3, started for the question  {}", times(fresh, ours));
}

fn measure_paths(question: &Question, ours: Duration) {
    let (answer, paths) = enumerate(question);
    let runs = if answer.is_some() { 15 } else { 1 };
    let theirs = median(runs, || assert_eq!(enumerate(question), (answer, paths)));
    let result = match answer {
        Some(answer) => {
            assert_eq!(answer, question.holds);
            format!("{paths} paths")
        }
        None => format!("no answer: more than {CAP} paths"),
    };
    println!("  path enumeration              {}, {result}", times(theirs, ours));
}

fn main() {
    let path = solver::find();
    for question in questions() {
        measure(&question, path.as_ref());
    }
}
