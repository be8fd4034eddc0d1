//! Records of `struct seccomp_data`.

use callproof_vm::{Endian, SeccompData};

use super::error::{TraceError, TraceProblem};
use super::lines::Lines;
use super::seen::{ArgSeen, TraceCall};

/// The next record; `None` at the end.
pub(super) fn next(lines: &mut Lines<'_>, endian: Endian) -> Option<Result<TraceCall, TraceError>> {
    let (number, bytes) = match lines.record() {
        Ok(record) => record,
        Err(error) => return Some(Err(error)),
    };
    let record: Result<[u8; 64], _> = bytes.as_slice().try_into();
    match record {
        Ok(record) => Some(Ok(call(&record, endian).at(number))),
        Err(_) if bytes.is_empty() => None,
        Err(_) => {
            let problem = TraceProblem::ShortRecord { bytes: bytes.len() };
            Some(Err(TraceError::at(number, problem, "")))
        }
    }
}

fn call(record: &[u8; 64], endian: Endian) -> TraceCall {
    let data = SeccompData::from_bytes(record, endian);
    TraceCall {
        args: data.args.map(ArgSeen::Known),
        ip: Some(data.instruction_pointer),
        ..TraceCall::of(data.arch, data.nr.cast_unsigned())
    }
}
