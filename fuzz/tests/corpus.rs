//! A test for every target: it finds nothing in its corpus. `fuzz/run --coverage` runs these too.

use std::fs;
use std::io;
use std::panic;
use std::path::Path;
use std::process::ExitCode;

use callproof_fuzz::{TARGETS, Target};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let trials = TARGETS
        .iter()
        .map(|&(name, target)| Trial::test(name, move || replay(name, target)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn replay(name: &str, target: Target) -> Result<(), Failed> {
    let inputs = inputs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name))?;
    if inputs.is_empty() {
        return Err(Failed::from("the corpus is empty"));
    }
    for (path, bytes) in inputs {
        if panic::catch_unwind(|| target(&bytes)).is_err() {
            return Err(Failed::from(format!("{path}: see the message of the panic above")));
        }
    }
    Ok(())
}

/// The files of a folder, by name.
fn inputs(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let read = |entry: io::Result<fs::DirEntry>| {
        let path = entry?.path();
        Ok((path.display().to_string(), fs::read(path)?))
    };
    let mut all = fs::read_dir(folder)?.map(read).collect::<io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}
