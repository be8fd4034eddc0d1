//! A compiler with planted bugs: each is found and shrunk, and without a bug everything is proved.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests panic when they fail, and tell how long things took"
)]

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use callproof::Options;
use callproof::fuzz::{Compiler, Effort, Fuzz, Kind, Verdict, random_policy, shrink};
use callproof_abi::Abi;
use callproof_formats::policy::PolicyFormat;

const ABIS: [Abi; 4] = [Abi::X86_64, Abi::I386, Abi::X32, Abi::S390x];

/// The compiler with bugs, built where this test was.
fn canary() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--package",
                "callproof",
                "--example",
                "canary_compiler",
            ])
            .status();
        assert!(built.unwrap().success());
        let mut path: PathBuf = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.join("examples/canary_compiler").to_str().unwrap().to_owned()
    })
}

fn fuzz(bug: Option<&str>) -> Fuzz {
    let is_slow = bug == Some("hang");
    let bug = bug.map(|bug| format!("--bug {bug} ")).unwrap_or_default();
    let command = format!("{} {bug}--arch {{arch}} {{policy}}", canary());
    Fuzz {
        compiler: Compiler::parse(&command, Duration::from_millis(if is_slow { 200 } else { 20_000 })).unwrap(),
        offer: PolicyFormat::Policy,
        writes: None,
        options: Options {
            abis: ABIS.to_vec(),
            ..Options::default()
        },
        only_arch: false,
        strict: false,
    }
}

#[test]
fn without_a_bug_everything_is_proved() {
    let fuzz = fuzz(None);
    for number in 0..40 {
        let tried = fuzz.policy(&random_policy(7, number, &ABIS), 2).unwrap();
        assert_eq!(tried.verdict, Verdict::Proved, "{}\n{}", tried.text, tried.complaints);
    }
}

/// The first policy that a bug gets wrong, made small.
fn found(bug: &str, kind: Kind) {
    let (fuzz, begun) = (fuzz(Some(bug)), Instant::now());
    let is_wrong = |verdict: &Verdict| matches!(verdict, Verdict::Wrong(fault) if fault.kind == kind);
    let runs = if kind == Kind::Unsteady { 6 } else { 1 };
    for number in 0..2000 {
        let policy = random_policy(11, number, &ABIS);
        let tried = fuzz.policy(&policy, runs).unwrap();
        if !is_wrong(&tried.verdict) {
            continue;
        }
        let found = begun.elapsed();
        let small = shrink(policy, Effort::default(), &mut |policy| {
            fuzz.policy(policy, runs).is_ok_and(|tried| is_wrong(&tried.verdict))
        });
        let text = small.to_string();
        let shown: String = text.chars().take(200).collect();
        println!(
            "{bug}: policy {number} after {found:.1?}, shrunk after {:.1?}:\n{shown}",
            begun.elapsed()
        );
        assert!(small.rules.len() <= 3, "{bug}: {text}");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{bug} took {:?}",
            begun.elapsed()
        );
        return;
    }
    panic!("{bug} was not found");
}

macro_rules! bugs {
    ($($test:ident $bug:literal $kind:ident;)*) => {
        $(
            #[test]
            fn $test() {
                found($bug, Kind::$kind);
            }
        )*

        #[test]
        fn no_bug_is_forgotten() {
            let list = Command::new(canary()).arg("--list").output().unwrap();
            let list = String::from_utf8(list.stdout).unwrap();
            let known: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
            assert_eq!(known, [$($bug),*]);
        }
    };
}

bugs! {
    halves "halves" Differs;
    stale_accumulator "stale-accumulator" Differs;
    and_to_or "and-to-or" Differs;
    jump_overflow "jump-overflow" Differs;
    lost_default "lost-default" Differs;
    dropped_rule "dropped-rule" Differs;
    swapped_halves "swapped-halves" Differs;
    wrong_numbers "wrong-numbers" Differs;
    x32_guard "x32-guard" Differs;
    narrow "narrow" Differs;
    unset_scratch "unset-scratch" Refused;
    no_return "no-return" Refused;
    crash "crash" Crash;
    hang "hang" Hang;
    unsteady "unsteady" Unsteady;
    garbage "garbage" Unreadable;
    flood "flood" Flood;
}
