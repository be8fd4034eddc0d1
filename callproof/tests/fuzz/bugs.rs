//! Each planted bug is found and shrunk, and without a bug everything is proved.

use core::time::Duration;
use std::process::Command;
use std::time::Instant;

use callproof::fuzz::{Effort, Kind, Verdict, shrink};

use crate::{canary, command, fuzz, random_policy};

/// Milliseconds for a run of a compiler that ends.
const LONG: u64 = 20_000;

#[test]
fn without_a_bug_everything_is_proved() {
    let fuzz = fuzz(&command(None), LONG);
    for number in 0..40 {
        let tried = fuzz.policy(&random_policy(7, number), 2).unwrap();
        let is_too_long = tried.verdict == Verdict::Declined && tried.complaints.contains("instructions");
        assert!(tried.verdict == Verdict::Proved || is_too_long, "{tried:?}");
    }
}

/// The first policy that a bug gets wrong, made small.
fn found(bug: &str, kind: Kind) {
    let deadline = if kind == Kind::Hang { 200 } else { LONG };
    let (fuzz, begun) = (fuzz(&command(Some(bug)), deadline), Instant::now());
    let is_wrong = |verdict: &Verdict| matches!(verdict, Verdict::Wrong(fault) if fault.kind == kind);
    let runs = if kind == Kind::Unsteady { 6 } else { 1 };
    for number in 0..2000 {
        let policy = random_policy(11, number);
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
        assert!(small.rules.len() <= 3, "{bug}: {shown}");
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
