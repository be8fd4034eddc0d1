//! The running kernel's opinion of a few filters.

use callproof_formats::call;
use callproof_kernel_diff::{NativeOracle, Oracle, SocketOracle};
use callproof_testgen::{Caller, Harvest, Seed};
use callproof_vm::{Endian, Filter, Machine, SeccompData};
use serde::Serialize;

use crate::settings::Settings;

/// What came of asking the running kernel.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Live {
    /// It was not asked
    Skipped { why: String },
    /// It was
    Compared {
        kernel: String,
        /// How it was asked
        oracle: &'static str,
        evaluations: usize,
        mismatches: Vec<String>,
    },
}

/// Calls for each filter.
const CALLS: usize = 2000;
/// A disagreement shows in the first mismatches.
const SHOWN: usize = 5;

/// Compares what each filter returns for calls that are made to reach its branches.
pub(crate) fn compare(filters: &[Filter<'_>], settings: &Settings) -> Live {
    match asked(filters, settings) {
        Ok(compared) => compared,
        Err(why) => Live::Skipped { why },
    }
}

fn asked(filters: &[Filter<'_>], settings: &Settings) -> Result<Live, String> {
    let machine = Machine {
        endian: Endian::NATIVE,
        ..settings.machine_of(Endian::NATIVE)
    };
    let mut oracle = oracle()?;
    let mut mismatches = Vec::new();
    let mut evaluations = 0_usize;
    for filter in filters {
        let calls = calls(filter);
        let values = match oracle.evaluate(filter.program(), &calls) {
            Ok(values) => values,
            Err(failure) => return Err(failure.to_string()),
        };
        for (call, value) in calls.iter().zip(values) {
            evaluations = evaluations.saturating_add(1);
            let ours = filter.run(call, machine);
            if ours != value && mismatches.len() < SHOWN {
                mismatches.push(format!(
                    "kernel {value:#010x}, emulator {ours:#010x} for {}",
                    call::print(call)
                ));
            }
        }
    }
    Ok(Live::Compared {
        kernel: release(),
        oracle: oracle.name(),
        evaluations,
        mismatches,
    })
}

/// Seccomp itself or, where results cannot be had from it, the same engine behind a socket.
pub(super) fn oracle() -> Result<Box<dyn Oracle>, String> {
    let native = match NativeOracle::new() {
        Ok(native) => return Ok(Box::new(native)),
        Err(missing) => missing,
    };
    match SocketOracle::new() {
        Ok(socket) => Ok(Box::new(socket)),
        Err(missing) => Err(format!("{native}; {missing}")),
    }
}

/// `uname -r`, without asking for everything that [`callproof_kernel_diff::probe()`] finds out.
pub(in crate::commands) fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(|_| "of an unknown release".to_owned(), |text| text.trim().to_owned())
}

fn calls(filter: &Filter<'_>) -> Vec<SeccompData> {
    let callers = [0xc000_003e, 0x4000_0003, 0xc000_00b7].map(|arch| Caller { arch, ip: 0 });
    Harvest::of(filter.program()).calls(&mut Seed::new(0, 0), CALLS, &callers)
}
