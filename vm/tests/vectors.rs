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

use callproof_vm::{Endian, Filter, Insn, Machine, SeccompData};
use serde_json::Value;

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn program(line: &Value) -> Vec<Insn> {
    let bytes = unhex(line["prog"].as_str().unwrap());
    let (insns, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty());
    insns
        .iter()
        .map(|insn| Insn::from_bytes(*insn, Endian::Little))
        .collect()
}

#[test]
fn every_evaluation_is_the_kernels() {
    let mut cases = 0;
    for (number, line) in lines("eval.jsonl").iter().enumerate() {
        let filter = Filter::load(program(line)).unwrap();
        for case in line["cases"].as_array().unwrap() {
            let data = unhex(case[0].as_str().unwrap());
            let call = SeccompData::from_bytes(data.as_slice().try_into().unwrap(), Endian::Little);
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
        match Filter::load(program(line)) {
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
