//! Lines of recorded answers, as the tests read them.

use callproof_vm::{Endian, Insn, SeccompData};
use serde_json::Value;

/// The lines of a file in `vectors/`.
pub(crate) fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A program of hex.
pub(crate) fn program(prog: &Value) -> Vec<Insn> {
    let bytes = unhex(prog.as_str().unwrap());
    let (insns, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty());
    let insns = insns.iter().map(|insn| Insn::from_bytes(*insn, Endian::Little));
    insns.collect()
}

/// A call of hex.
pub(crate) fn call(data: &Value) -> SeccompData {
    let data = unhex(data.as_str().unwrap());
    SeccompData::from_bytes(data.as_slice().try_into().unwrap(), Endian::Little)
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    let digits = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    digits.map(Result::unwrap).collect()
}
