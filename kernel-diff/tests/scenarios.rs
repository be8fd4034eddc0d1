//! The scenarios that come with callproof: on the task model always, and on the kernel where it allows it.

#![cfg(target_os = "linux")]
#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic in a test is a failing test, and a skipped one says so"
)]

use core::time::Duration;
use std::time::Instant;

use callproof_kernel_diff::scenario::{Fault, Model, Played, Runner, Running, SHIPPED, Scenario, read};
use callproof_vm::Kernel;

fn shipped() -> Vec<(&'static str, Scenario)> {
    let read = |(file, text): &(&'static str, &str)| {
        let scenarios = read(text).unwrap_or_else(|mistake| panic!("{file}: {mistake}"));
        scenarios
            .into_iter()
            .map(|scenario| (*file, scenario))
            .collect::<Vec<_>>()
    };
    SHIPPED.iter().flat_map(read).collect()
}

/// Plays everything; gives what did not agree, and how many were played.
fn play(runner: &mut dyn Runner) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    let mut played = 0;
    for (file, scenario) in shipped() {
        match runner.play(&scenario) {
            Played::Agreed => played += 1,
            Played::Skipped(why) => println!("skipped: {}: {why}", scenario.name),
            Played::Differed { line, expected, seen } => {
                wrong.push(format!(
                    "{file}:{line}: {}: expected `{expected}`, saw `{seen}`",
                    scenario.name
                ));
            }
            Played::Failed(why) => wrong.push(format!("{file}:{}: {}: {why}", scenario.line, scenario.name)),
        }
    }
    (wrong, played)
}

#[test]
fn the_model_sees_what_every_scenario_says() {
    let (wrong, played) = play(&mut Model::new(Kernel::LATEST));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{played} scenarios on the model");
}

#[test]
fn the_kernel_sees_what_every_scenario_says() {
    let mut running = match Running::new() {
        Ok(running) => running,
        Err(missing) => {
            println!("skipped: {missing}");
            return;
        }
    };
    let start = Instant::now();
    let (wrong, played) = play(&mut running);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{played} scenarios on the kernel in {:?}", start.elapsed());
}

/// The kernel is what the model is compared with: where a faulty model sees something else, the kernel must side with
/// the file. Found by playing the scenarios on both until they differ.
fn differs(running: &mut Running, fault: Fault, scenarios: &[(&'static str, Scenario)]) -> Option<String> {
    let mut faulty = running.model().with_fault(fault);
    scenarios.iter().find_map(|(_, scenario)| {
        let Played::Differed { line, seen, .. } = faulty.play(scenario) else {
            return None;
        };
        let kernel = running.play(scenario);
        (kernel == Played::Agreed).then(|| format!("{}, line {line}: the model says `{seen}`", scenario.name))
    })
}

#[test]
fn every_planted_fault_is_found_by_the_kernel_within_ten_seconds() {
    let Ok(mut running) = Running::new() else {
        println!("skipped: the kernel cannot be asked");
        return;
    };
    let scenarios = shipped();
    let mut checked = 0;
    for &fault in Fault::ALL {
        let start = Instant::now();
        match differs(&mut running, fault, &scenarios) {
            Some(how) => println!("{fault:?} after {:?}: {how}", start.elapsed()),
            None => panic!("nobody noticed {fault:?}"),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{fault:?}");
        checked += 1;
    }
    assert!(checked >= 10);
}

#[test]
fn every_planted_fault_contradicts_a_scenario() {
    for &fault in Fault::ALL {
        let (wrong, _) = play(&mut Model::new(Kernel::LATEST).with_fault(fault));
        assert!(!wrong.is_empty(), "{fault:?}");
    }
}

#[test]
fn there_are_many_scenarios_with_names_of_their_own() {
    let mut names: Vec<String> = shipped().into_iter().map(|(_, scenario)| scenario.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 150, "{count}");
}
