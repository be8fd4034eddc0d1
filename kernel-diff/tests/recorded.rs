//! Scenarios as a kernel played them, played by the task model. This needs no kernel, and no Linux.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use callproof_kernel_diff::scenario::{Fault, Model, Played, Runner as _, Scenario, read_json};
use callproof_vm::Kernel;

/// The release that answered, and the scenarios.
fn recorded() -> (Kernel, Vec<Scenario>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/scenarios.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let head = lines.next().unwrap();
    let kernel = head["kernel"]["release"].as_str().unwrap().parse().unwrap();
    let scenarios = lines.map(|line| read_json(&line["scenario"].to_string()).unwrap());
    (kernel, scenarios.collect())
}

#[test]
fn the_task_model_shows_what_the_kernel_showed() {
    let (kernel, scenarios) = recorded();
    for scenario in &scenarios {
        assert_eq!(Model::new(kernel).play(scenario), Played::Agreed, "{}", scenario.name);
    }
    assert_eq!(scenarios.len(), 377, "the vector file is complete");
}

#[test]
fn the_recording_alone_shows_every_planted_fault() {
    let (kernel, scenarios) = recorded();
    for fault in Fault::ALL {
        let mut model = Model::new(kernel).with_fault(*fault);
        let noticed = scenarios.iter().any(|scenario| model.play(scenario) != Played::Agreed);
        assert!(noticed, "{fault:?}");
    }
}
