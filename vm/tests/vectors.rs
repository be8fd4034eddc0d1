//! Every recorded kernel answer, replayed.

#![cfg(feature = "alloc")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking and may speak"
)]

mod recorded_lines;

use std::collections::{BTreeMap, BTreeSet};

use callproof_vm::{Action, Chain, Errno, Filter, Machine, Outcome};
use recorded_lines::{call, lines, program};

#[test]
fn every_evaluation_is_the_kernels() {
    let mut cases = 0;
    for (number, line) in lines("eval.jsonl").iter().enumerate() {
        let filter = Filter::load(program(&line["prog"])).unwrap();
        for case in line["cases"].as_array().unwrap() {
            let call = call(&case[0]);
            let kernel = u32::from_str_radix(case[1].as_str().unwrap(), 16).unwrap();
            assert_eq!(
                filter.run(&call, Machine::default()),
                kernel,
                "line {}: {call:x?}",
                number + 1
            );
            cases += 1;
        }
    }
    assert_eq!(cases, 12_064, "the vector file is complete");
}

#[test]
fn every_admission_and_length_is_the_kernels() {
    let (mut admitted, mut refused) = (0, 0);
    for (number, line) in lines("valid.jsonl").iter().enumerate() {
        let accepted = line["ok"].as_u64().unwrap() == 1;
        match Filter::load(program(&line["prog"])) {
            Ok(filter) => {
                assert!(accepted, "line {}: the kernel refuses this", number + 1);
                assert_eq!(u64::from(filter.converted_len()), line["ebpf_len"].as_u64().unwrap());
                admitted += 1;
            }
            Err(rejected) => {
                assert!(!accepted, "line {}: the kernel accepts this: {rejected}", number + 1);
                refused += 1;
            }
        }
    }
    assert_eq!((admitted, refused), (1823, 2177), "the vector file is complete");
}

#[test]
fn every_errno_is_the_kernels() {
    let (mut admitted, mut refused) = (0, 0);
    for (number, line) in lines("admission.jsonl").iter().enumerate().skip(1) {
        match Filter::load(program(&line["prog"])) {
            Ok(filter) => {
                assert_eq!(line["ok"], 1, "line {}", number + 1);
                assert_eq!(line["ebpf_len"], filter.converted_len(), "line {}", number + 1);
                admitted += 1;
            }
            Err(rejected) => {
                assert_eq!(line["errno"], Errno::EINVAL.name(), "line {}: {rejected}", number + 1);
                refused += 1;
            }
        }
    }
    assert_eq!((admitted, refused), (302, 298), "the vector file is complete");
}

#[test]
fn every_outcome_of_a_chain_is_the_kernels() {
    let mut outcomes = BTreeMap::new();
    let mut ties = 0;
    for line in lines("chains.jsonl").iter().filter(|line| line["chain"].is_array()) {
        let filters = line["chain"].as_array().unwrap().iter();
        let filters: Vec<_> = filters.map(|prog| Filter::load(program(prog)).unwrap()).collect();
        for case in line["cases"].as_array().unwrap() {
            let call = call(&case[0]);
            let machine = Machine::default();
            let verdict = Chain::new(&filters).run(&call, machine);
            let kernel: Outcome = case[1].as_str().unwrap().parse().unwrap();
            assert_eq!(Outcome::of(&verdict), kernel, "{call:x?} {line}");
            let values = filters.iter().map(|filter| filter.run(&call, machine));
            let rivals = values.filter(|value| Action::of(*value, machine.kernel) == verdict.action);
            let rivals: BTreeSet<u32> = rivals.collect();
            // The kernel shows whose data counts only where filters of one action give different data.
            if rivals.len() > 1 && matches!(kernel, Outcome::Errno(_) | Outcome::Trap(_) | Outcome::Trace(_)) {
                ties += 1;
            }
            let kind = kernel.to_string().split(' ').next().unwrap().to_owned();
            *outcomes.entry(kind).or_insert(0) += 1;
        }
    }
    assert_eq!(outcomes.values().sum::<u32>(), 360, "the vector file is complete");
    assert!(
        outcomes.len() == 6 && outcomes.values().all(|count| *count >= 20),
        "{outcomes:?}"
    );
    assert!(ties >= 8, "only {ties} ties");
}

#[test]
fn every_program_needs_the_room_that_it_is_charged() {
    let mut edges = 0;
    for line in lines("chains.jsonl").iter().filter(|line| line["room"].is_u64()) {
        let filter = Filter::load(program(&line["prog"])).unwrap();
        let fits = u64::from(filter.converted_len()) <= line["room"].as_u64().unwrap();
        assert_eq!(line["ok"], u32::from(fits), "{line}");
        if !fits {
            assert_eq!(line["errno"], Errno::ENOMEM.name());
            edges += 1;
        }
    }
    assert_eq!(edges, 90, "the vector file is complete");
}
