//! Machine instructions that evaluation takes, held against what it took before.
//!
//! `cargo bench -p callproof-benches --bench counts`. Time depends on what else a machine does; instructions hardly do.
//! Each scenario runs in a process of its own under `valgrind --tool=cachegrind`, once with few and once with many
//! rounds, and the difference is what a call takes. More than a tenth above `counts.tsv` is a failure, since compilers
//! differ by less. `--write` writes that file anew. Without valgrind, the command says so and exits with 0.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "without a filter there is nothing to count, and the figures are printed"
)]

use core::fmt::Write as _;
use core::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};

use callproof_benches::{calls, filters, longest_of_equalities};
use callproof_engines::{Kind, Specialised};
use callproof_vm::{Filter, Insn, Machine};

/// What a call may take, as a share of what it took before.
const TOLERANCE: f64 = 1.1;
/// Rounds over a hundred calls.
const ROUNDS: [u32; 2] = [20, 220];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name, rounds, ..] = arguments.as_slice()
        && first == "--run"
    {
        run(name, rounds.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        println!("skipped: counts of instructions: there is no valgrind");
        return ExitCode::SUCCESS;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.tsv");
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let (mut table, mut worse) = (String::new(), false);
    for name in scenarios() {
        let now = per_call(&name);
        let before = known
            .lines()
            .find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
        // A scenario that the file lacks is held against nothing, and that is a failure too.
        let slower = before.is_none_or(|before: f64| now > before * TOLERANCE);
        worse |= slower;
        let said = before.map_or_else(|| "new".to_owned(), |before| format!("was {before:.1}"));
        println!("{name:45} {now:10.1} {said}{}", if slower { "  WORSE" } else { "" });
        let _ = writeln!(table, "{name}\t{now:.1}");
    }
    if arguments.iter().any(|argument| argument == "--write") {
        std::fs::write(&path, table).expect("written");
        return ExitCode::SUCCESS;
    }
    ExitCode::from(u8::from(worse))
}

/// `FILTER/ENGINE`, and what making engines takes.
fn scenarios() -> Vec<String> {
    let evaluated = filters()
        .into_iter()
        .flat_map(|(name, _)| Kind::ALL.map(|kind| format!("{name}/{kind}")));
    let made = ["container_linear/made", "longest_of_equalities/made"];
    evaluated.chain(made.map(str::to_owned)).collect()
}

fn program(name: &str) -> Vec<Insn> {
    let found = filters().into_iter().find(|(other, _)| *other == name);
    found.map_or_else(longest_of_equalities, |(_, program)| program)
}

/// Does a scenario so many times.
fn run(name: &str, rounds: u32) {
    let (filter, what) = name.split_once('/').expect("a filter and an engine");
    let filters = [Filter::load(program(filter)).expect("the kernel would install it")];
    let Ok(kind) = what.parse::<Kind>() else {
        for _ in 0..rounds {
            black_box(Specialised::new(black_box(&filters), Machine::default()));
        }
        return;
    };
    let (engine, calls) = (kind.build(&filters, Machine::default()), calls());
    for _ in 0..rounds {
        for call in &calls {
            black_box(engine.decide(black_box(call)));
        }
    }
}

/// Instructions of one call, or of one engine that is made.
fn per_call(name: &str) -> f64 {
    let [few, many] = ROUNDS.map(|rounds| instructions(name, rounds));
    let [from, to] = ROUNDS;
    let each = if name.ends_with("/made") {
        1
    } else {
        u32::try_from(calls().len()).expect("a hundred")
    };
    (many - few) / f64::from((to - from) * each)
}

/// Instructions of a whole process.
fn instructions(name: &str, rounds: u32) -> f64 {
    let own = std::env::current_exe().expect("a program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(own)
        .args(["--run", name, &rounds.to_string()])
        .output()
        .expect("valgrind was found");
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains("refs:"))
        .expect("valgrind tells a count");
    let digits: String = line
        .rsplit(':')
        .next()
        .into_iter()
        .flat_map(str::chars)
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().expect("a number")
}
