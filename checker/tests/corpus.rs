//! Real filters: their proofs are accepted, and how large and quick they are.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    reason = "what fails here is the test"
)]

mod producer;

use std::path::Path;
use std::time::Instant;

use callproof_checker::{Machine, Relation, Shift, check};
use callproof_vm::{Endian, Insn};
use producer::{Style, everywhere, plain, prove};

#[test]
fn real_filters_equal_themselves_and_nothing_weaker() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/bpf");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no corpus");
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let machine = Machine {
        big_endian: false,
        before_4_14: false,
        shift: Shift::Masked,
    };
    let (mut accepted, mut unspoken) = (0, 0);
    // The slow producer takes its time: a sample of short filters is enough.
    for path in paths.iter().step_by(11) {
        let bytes = std::fs::read(path).unwrap();
        let program: Vec<Insn> = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|insn| Insn::from_bytes(*insn, Endian::Little))
            .collect();
        if program.len() > 60 || callproof_vm::Filter::load(program.as_slice()).is_err() {
            continue;
        }
        let claim = everywhere(vec![plain(0)], Relation::Within(vec![(0, u32::MAX)]));
        let style = Style {
            sparse: true,
            coarse: false,
        };
        // The producer recurses as deep as the filter is long.
        let prover = std::thread::Builder::new().stack_size(1 << 28);
        let prover = prover
            .spawn(move || prove(&machine, &[vec![program]], &claim, style))
            .unwrap();
        let Some(proof) = prover.join().unwrap() else {
            unspoken += 1;
            continue;
        };
        let file = proof.write();
        let took = (0..5).map(|_| {
            let start = Instant::now();
            let _ = check(&file, &[&[&bytes]]);
            start.elapsed()
        });
        let took = took.min().unwrap();
        let result = check(&file, &[&[&bytes]]);
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(result.is_ok(), "{name}: {result:?}");
        println!(
            "{name}: {} instructions, {} bytes, {took:?}",
            bytes.len() / 8,
            file.len()
        );
        accepted += 1;
    }
    println!("{accepted} accepted, {unspoken} not spoken about");
    assert!(accepted > 10);
}
