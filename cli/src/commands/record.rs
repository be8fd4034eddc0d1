//! `kernel vectors record`: what the running kernel answers to generated programs.

use callproof_formats::recording::{Recording, endian_name, shift_name};
use callproof_formats::vectors::EvalVector;
use callproof_kernel_diff::{AdmissionOracle, NativeOracle, Oracle as _, Source as _};
use callproof_vm::SeccompData;

use super::campaign::Generated;
use super::diff::valid_vector;
use super::written::{Product, Target, Written};
use crate::args::Record;
use crate::day::today;
use crate::error::{Failure, Result};
use crate::render::Progress;

/// Records. Each program gives two lines: results of one that is installed, and the admission of one that may not be.
pub(crate) fn run(record: Record, progress: &mut Progress) -> Result<Written> {
    let missing =
        |missing| Failure::environment(missing).with_help("run it on a kernel that lets processes install filters");
    let mut native = NativeOracle::new().map_err(missing)?;
    let mut admission = AdmissionOracle::new().map_err(missing)?;
    let source = Generated { seed: record.seed };
    let count = usize::try_from(record.evals).unwrap_or(usize::MAX);
    let mut text = String::new();
    push(&mut text, &recording(record.seed).to_line());
    for number in 0..record.programs {
        let program = source.program(number);
        // The record is made with real calls: other callers would be recorded as constants.
        let calls = source.data(number, &program, count, &native.observes());
        let calls: Vec<SeccompData> = calls.into_iter().filter(|call| is_real(call, &native)).collect();
        if let Ok(values) = native.evaluate(&program, &calls) {
            let cases = calls.into_iter().zip(values).collect();
            push(&mut text, &EvalVector { program, cases }.to_line());
        }
        if let Some(doubtful) = source.doubtful(number)
            && let Ok(admitted) = admission.admits(&doubtful)
        {
            push(&mut text, &valid_vector(doubtful, admitted).to_line());
        }
        progress.set(number);
    }
    Ok(Written {
        command: "kernel vectors record",
        target: Target::file(record.output),
        products: vec![Product::text(format!("vectors-{}.jsonl", record.seed), text)],
    })
}

/// Who answers: the kernel that runs.
fn recording(seed: u64) -> Recording {
    let told = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let engine = match told("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Ok("0") => "interpreter",
        Ok(_) => "jit",
        // Only root may read it.
        Err(_) => "unknown",
    };
    let model = callproof_kernel_diff::machine();
    Recording {
        release: told("/proc/sys/kernel/osrelease").unwrap_or_default(),
        machine: std::env::consts::ARCH.to_owned(),
        engine: engine.to_owned(),
        endian: endian_name(model.endian).to_owned(),
        shift: shift_name(model.shift).to_owned(),
        package: None,
        version: None,
        sha256: None,
        date: today(),
        seed,
    }
}

/// Whether the kernel itself sees this call, number, architecture and instruction pointer alike.
fn is_real(call: &SeccompData, oracle: &NativeOracle) -> bool {
    let observes = oracle.observes();
    let from = (call.arch, call.instruction_pointer);
    observes.arches.contains(&call.arch)
        && observes.instruction_pointers.contains(&from)
        && !observes.replaced_numbers.contains(&call.nr)
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
