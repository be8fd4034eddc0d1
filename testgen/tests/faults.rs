//! The net catches: two models agree, and each planted mistake is found, by the same comparison and by recorded answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a panic in a test is a failing test"
)]

use callproof_testgen::compare::{Subject, case};
use callproof_testgen::reference::{Fault, Reference};
use callproof_vm::{Endian, Insn, SeccompData};
use serde_json::Value;
use std::sync::LazyLock;

#[test]
fn the_two_models_agree() {
    for number in 0..200_000 {
        if let Err(difference) = case(Reference::default(), 1, number) {
            panic!("case {number}: {difference}");
        }
    }
}

#[test]
fn every_planted_fault_is_found() {
    for fault in Fault::ALL {
        let found = (0..20_000).find_map(|number| Some((number, case(Reference::with(fault), 1, number).err()?)));
        let Some((number, difference)) = found else {
            panic!("{fault:?} was not found");
        };
        let at_fault = match fault {
            Fault::OldestWinsTies | Fault::UnsignedSeverity => vec![Subject::Chain],
            Fault::DataFlowScratch => vec![Subject::Admission],
            Fault::ClassicLength => vec![Subject::Length, Subject::Budget],
            _ => vec![Subject::Evaluation, Subject::Chain],
        };
        assert!(at_fault.contains(&difference.subject), "{fault:?}: {difference}");
        println!("{fault:?} found by case {number}");
    }
}

#[test]
fn every_planted_fault_contradicts_a_recorded_answer() {
    assert_eq!(contradictions(Reference::default()), 0);
    for fault in Fault::ALL {
        let count = contradictions(Reference::with(fault));
        assert!(count > 0, "{fault:?}");
        println!("{fault:?} contradicts {count} recorded answers");
    }
}

/// How many recorded kernel answers a model gets wrong.
fn contradictions(model: Reference) -> usize {
    let chains = CHAINS.iter().filter(|(values, expected)| {
        let chain: Vec<Vec<Insn>> = values.iter().map(|&value| vec![Insn::stmt(0x06, value)]).collect();
        model.run_chain(&chain, &SeccompData::default(), Endian::Little) != *expected
    });
    let big_endian = BIG_ENDIAN_WORDS.iter().filter(|(offset, expected)| {
        let program = [Insn::stmt(0x20, *offset), Insn::stmt(0x16, 0)];
        let call = SeccompData {
            instruction_pointer: 0x5_0000_0006,
            ..SeccompData::new(0x8000_0016, 3, [0x1_0000_0002, 0, 0, 0, 0, 0x3_0000_0004])
        };
        model.run(&program, &call, Endian::Big) != *expected
    });
    let scratch = SCRATCH.iter().filter(|(body, installed)| {
        let program: Vec<Insn> = body
            .iter()
            .map(|&(code, jt, jf, k)| Insn::new(code, jt, jf, k))
            .collect();
        model.admits(&program) != *installed
    });
    chains.count() + big_endian.count() + scratch.count() + evaluations(model) + admissions(model)
}

/// Values that stacked filters returned, oldest first, and what Linux 6.18 made of them (x86-64; errno and siginfo seen).
const CHAINS: [(&[u32], u32); 7] = [
    (&[0x0005_0001, 0x0005_0002], 0x0005_0002),
    (&[0x0005_0002, 0x0005_0001], 0x0005_0001),
    (&[0x0000_0000, 0x8001_0000], 0x8001_0000),
    (&[0x8000_0000, 0x0000_0000], 0x8000_0000),
    (&[0x7ffd_0000, 0x0005_0007], 0x0005_0007),
    (&[0x0005_0007, 0x0004_0000], 0x0004_0000),
    (&[0x7fff_1234, 0x7fff_0000], 0x7fff_0000),
];

/// One instruction: code, jt, jf, k.
type Fields = (u16, u8, u8, u32);

/// Programs that read scratch cells, and whether Linux 6.18 installed them.
const SCRATCH: [(&[Fields], bool); 4] = [
    // Written on the only path that leads to the read, but the pass lets "not written" leak through the return.
    (
        &[
            (0x15, 0, 2, 1),
            (0x02, 0, 0, 0),
            (0x05, 0, 0, 1),
            (0x06, 0, 0, 0),
            (0x60, 0, 0, 0),
            (0x16, 0, 0, 0),
        ],
        false,
    ),
    (
        &[
            (0x15, 1, 0, 1),
            (0x06, 0, 0, 0),
            (0x02, 0, 0, 0),
            (0x60, 0, 0, 0),
            (0x16, 0, 0, 0),
        ],
        true,
    ),
    (&[(0x05, 0, 0, 1), (0x60, 0, 0, 5), (0x06, 0, 0, 0)], true),
    (&[(0x06, 0, 0, 0), (0x60, 0, 0, 5), (0x06, 0, 0, 0)], false),
];

/// Offsets and what `ld` reads there on s390x, where the high half of a 64-bit field comes first.
const BIG_ENDIAN_WORDS: [(u32, u32); 8] = [
    (0, 3),
    (4, 0x8000_0016),
    (8, 5),
    (12, 6),
    (16, 1),
    (20, 2),
    (56, 3),
    (60, 4),
];

fn evaluations(model: Reference) -> usize {
    let cases = recorded().evaluations.iter();
    cases
        .filter(|(program, call, kernel)| model.run(program, call, Endian::Little) != *kernel)
        .count()
}

fn admissions(model: Reference) -> usize {
    let programs = recorded().admissions.iter();
    let wrong = programs.filter(|(program, accepted, length)| {
        model.admits(program) != *accepted || (*accepted && model.charged_len(program) != *length)
    });
    wrong.count()
}

/// The recorded answers, read once.
struct Recorded {
    /// (program, call, value)
    evaluations: Vec<(Vec<Insn>, SeccompData, u32)>,
    /// (program, installed, converted length)
    admissions: Vec<(Vec<Insn>, bool, u32)>,
}

fn recorded() -> &'static Recorded {
    static RECORDED: LazyLock<Recorded> = LazyLock::new(|| Recorded {
        evaluations: lines("eval.jsonl").iter().flat_map(evaluations_of).collect(),
        admissions: lines("valid.jsonl").iter().map(admission_of).collect(),
    });
    &RECORDED
}

fn evaluations_of(line: &Value) -> Vec<(Vec<Insn>, SeccompData, u32)> {
    let cases = line["cases"].as_array().unwrap().iter();
    let evaluation = |case: &Value| {
        let record = unhex(case[0].as_str().unwrap());
        let call = SeccompData::from_bytes(record.as_slice().try_into().unwrap(), Endian::Little);
        let value = u32::from_str_radix(case[1].as_str().unwrap(), 16).unwrap();
        (program(line), call, value)
    };
    cases.map(evaluation).collect()
}

fn admission_of(line: &Value) -> (Vec<Insn>, bool, u32) {
    let length = line["ebpf_len"].as_u64().unwrap();
    (program(line), line["ok"] == 1, length.try_into().unwrap())
}

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn program(line: &Value) -> Vec<Insn> {
    let bytes = unhex(line["prog"].as_str().unwrap());
    let insns = bytes.as_chunks::<8>().0.iter();
    insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
