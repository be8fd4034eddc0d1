//! `eval --records`: one chain judges records as they lie in memory.
//!
//! Each 64 bytes of input give 4 bytes of output, the combined value, both in the byte order of the machine. Memory is
//! bounded by what is read at once.

use std::io::{self, Read, Write};

use callproof_engines::{Kind, batch};
use callproof_vm::Endian;

use super::How;
use crate::error::{Failure, Result};
use crate::input::{Input, admitted};
use crate::settings::Settings;

/// Size of a record.
const RECORD: usize = 64;
/// Records that are judged at once, in bytes.
const PART: usize = RECORD << 16;

/// Judges every record of the input.
pub(crate) fn run(
    filters: &[String],
    mut records: impl Read,
    output: &mut dyn Write,
    how: How,
    (input, settings): (&Input, &Settings),
) -> Result<()> {
    let loaded = input.chain(filters)?;
    let filters = admitted(&loaded, settings)?;
    let machine = settings.machine_of(settings.layout());
    let pool = how.pool()?;
    let mut part = vec![0; PART];
    let mut have = fill(&mut records, &mut part).map_err(|error| Failure::read(&error))?;
    // A full part is likely not the last one.
    let calls = if have == PART { u64::MAX } else { (have / RECORD) as u64 };
    let engine = how
        .engine
        .unwrap_or_else(|| Kind::for_calls(calls))
        .build(&filters, machine);
    let (mut values, mut bytes) = (vec![0_u32; PART / RECORD], Vec::new());
    while have > 0 {
        let (whole, rest) = part.get(..have).unwrap_or_default().as_chunks::<RECORD>();
        let values = values.get_mut(..whole.len()).unwrap_or_default();
        pool.install(|| batch::values_of_records(&*engine, whole, machine.endian, values));
        bytes.clear();
        bytes.extend(values.iter().flat_map(|value| in_order(*value, machine.endian)));
        let written = output.write_all(&bytes).and_then(|()| output.flush());
        written.map_err(|error| Failure::write(&error))?;
        if !rest.is_empty() {
            let over = rest.len();
            return Err(
                Failure::usage(format_args!("the records end with {over} bytes that are none"))
                    .with_help("a record is a `struct seccomp_data` of 64 bytes"),
            );
        }
        have = fill(&mut records, &mut part).map_err(|error| Failure::read(&error))?;
    }
    Ok(())
}

/// Reads until the buffer is full or the input ends.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0_usize;
    while let Some(room) = buffer.get_mut(have..).filter(|room| !room.is_empty()) {
        match input.read(room) {
            Ok(0) => break,
            Ok(more) => have = have.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

fn in_order(value: u32, endian: Endian) -> [u8; 4] {
    match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    }
}
