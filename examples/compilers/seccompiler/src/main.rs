//! `compile-seccompiler POLICY OUT [ARCH]`: a JSON policy through the crate seccompiler, as a raw filter.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::process::ExitCode;

use seccompiler::{TargetArch, compile_from_json};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile-seccompiler: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (policy, out, arch) = match words.as_slice() {
        [policy, out] => (policy, out, "x86_64"),
        [policy, out, arch] => (policy, out, arch.as_str()),
        _ => return Err("usage: compile-seccompiler POLICY OUT [ARCH]".into()),
    };
    let arch = TargetArch::try_from(arch)?;
    let filters = compile_from_json(File::open(policy)?, arch)?;
    let [program] = filters
        .into_values()
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "one filter is wanted")?;
    let insns = program.iter();
    let bytes = insns.flat_map(|insn| {
        let [c0, c1] = insn.code.to_le_bytes();
        let [k0, k1, k2, k3] = insn.k.to_le_bytes();
        [c0, c1, insn.jt, insn.jf, k0, k1, k2, k3]
    });
    fs::write(out, bytes.collect::<Vec<u8>>())?;
    Ok(())
}
