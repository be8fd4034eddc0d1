//! The scenarios that come with callproof: on the task model always, and on the kernel where it allows it.

use std::time::{Duration, Instant};

use callproof_kernel_diff::scenario::{Fault, Model, Played, Runner, Running, SHIPPED, Scenario, read};
use callproof_vm::Kernel;

fn shipped() -> Vec<(&'static str, Scenario)> {
    let read = |(file, text): &(&'static str, &str)| {
        let scenarios = read(text).unwrap_or_else(|mistake| panic!("{file}: {mistake}"));
        scenarios.into_iter().map(|scenario| (*file, scenario)).collect::<Vec<_>>()
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
                wrong.push(format!("{file}:{line}: {}: expected `{expected}`, saw `{seen}`", scenario.name));
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

#[test]
#[ignore = "by hand: plays the file that SCENARIOS names, on both"]
fn a_file_on_both() {
    let text = std::fs::read_to_string(std::env::var("SCENARIOS").unwrap()).unwrap();
    let mut running = Running::new().unwrap();
    let mut model = Model::new(Kernel::LATEST);
    for scenario in read(&text).unwrap() {
        let start = Instant::now();
        let kernel = running.play(&scenario);
        println!("{}: {:?}\n   kernel {kernel:?}\n   model {:?}", scenario.name, start.elapsed(), model.play(&scenario));
    }
}
