//! `kernel vectors record`: what the running kernel answers to generated programs.

use callproof_kernel_diff::{AdmissionOracle, NativeOracle, Oracle as _, Source as _};
use callproof_vm::length::converted_len;
use callproof_vm::{Endian, SeccompData};
use serde_json::{Value, json};

use super::campaign::Generated;
use super::diff::program_digits;
use super::live::release;
use super::written::{Product, Target, Written};
use crate::args::Record;
use crate::error::{Failure, Result};
use crate::hex;
use crate::render::Progress;

/// Records. Each program gives two lines: results of one that is installed, and the admission of one that may not be.
pub(crate) fn run(record: Record, progress: &mut Progress) -> Result<Written> {
    let missing =
        |missing| Failure::environment(missing).with_help("run it on a kernel that lets processes install filters");
    let mut native = NativeOracle::new().map_err(missing)?;
    let mut admission = AdmissionOracle::new().map_err(missing)?;
    let source = Generated { seed: record.seed };
    let kernel = release();
    let count = usize::try_from(record.evals).unwrap_or(usize::MAX);
    let mut text = String::new();
    for number in 0..record.programs {
        let program = source.program(number);
        // The record is made with real calls: other callers would be recorded as constants.
        let calls = source.data(number, &program, count, &native.observes());
        let calls: Vec<SeccompData> = calls.into_iter().filter(|call| is_real(call, &native)).collect();
        if let Ok(values) = native.evaluate(&program, &calls) {
            push(&mut text, &results(&program_digits(&program), &calls, &values, &kernel));
        }
        if let Some(doubtful) = source.doubtful(number)
            && let Ok(admitted) = admission.admits(&doubtful)
        {
            let line = json!({
                "prog": program_digits(&doubtful),
                "ok": u8::from(admitted),
                "ebpf_len": admitted.then(|| converted_len(&doubtful)),
                "kernel": kernel,
            });
            push(&mut text, &line);
        }
        progress.set(number);
    }
    Ok(Written {
        command: "kernel vectors record",
        target: Target::file(record.output),
        products: vec![Product::text(format!("vectors-{}.jsonl", record.seed), text)],
    })
}

/// Whether the kernel itself sees this call, number, architecture and instruction pointer alike.
fn is_real(call: &SeccompData, oracle: &NativeOracle) -> bool {
    let observes = oracle.observes();
    let from = (call.arch, call.instruction_pointer);
    observes.arches.contains(&call.arch)
        && observes.instruction_pointers.contains(&from)
        && !observes.replaced_numbers.contains(&call.nr)
}

fn results(program: &str, calls: &[SeccompData], values: &[u32], kernel: &str) -> Value {
    let case = |(call, value): (&SeccompData, &u32)| {
        json!([hex::digits(&call.to_bytes(Endian::Little)), format!("{value:08x}")])
    };
    let cases: Vec<Value> = calls.iter().zip(values).map(case).collect();
    json!({"prog": program, "cases": cases, "kernel": kernel})
}

fn push(text: &mut String, line: &Value) {
    text.push_str(&line.to_string());
    text.push('\n');
}
