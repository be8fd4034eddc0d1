//! Readers of filters, calls, batches and traces.

use callproof_abi::Abi;
use callproof_formats::batch::Request;
use callproof_formats::trace::{TraceFormat, TraceOptions, read_trace};
use callproof_formats::vectors::Vector;
use callproof_formats::{Format, Problem, ReadOptions, WriteOptions, call, write};
use callproof_vm::{Chain, Endian, Filter, Machine};

use crate::emulator::instructions;
use crate::{head, one};

const ENDIANS: [Endian; 2] = [Endian::Little, Endian::Big];

/// Reading ends, and errors lie within the input. What was read is written and read again as the same.
pub fn filters(bytes: &[u8]) {
    let (number, bytes) = head(bytes);
    let options = ReadOptions {
        // One number more than there are formats: detection.
        format: Format::ALL
            .get(usize::from(number) % Format::ALL.len().saturating_add(1))
            .copied(),
        ..ReadOptions::default()
    };
    match options.read_all(bytes) {
        Ok(programs) => {
            for program in programs {
                for format in Format::ALL {
                    survives(&program.insns, *format, Endian::Little);
                }
            }
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            assert!(span.start <= span.end && span.end <= bytes.len(), "{span:?}: {error}");
        }
    }
}

/// Any program is what it was after a format wrote it and read it again.
pub fn round_trip(bytes: &[u8]) {
    let (number, bytes) = head(bytes);
    let program = instructions(bytes);
    for format in Format::ALL {
        survives(&program, *format, one(&ENDIANS, number).unwrap_or_default());
    }
}

fn survives(program: &[callproof_vm::Insn], format: Format, endian: Endian) {
    for annotate in [false, true] {
        let written = write(program, format, &WriteOptions { endian, annotate });
        let options = ReadOptions {
            format: Some(format),
            endian,
            ..ReadOptions::default()
        };
        match options.read(&written) {
            Ok(read) => assert!(read.insns == program, "{format}: {}", String::from_utf8_lossy(&written)),
            // A line of strace without instructions hands no filter over; beyond the longest program nothing is read.
            Err(error) => assert!(
                program.is_empty() && matches!(error.problem(), Problem::NoFilter { .. }),
                "{format}: {error}"
            ),
        }
    }
}

/// A request, a vector and a call in words: read, or an error; a request is answered.
pub fn batch(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(request) = Request::parse(text)
        && let Ok(programs) = request.programs()
    {
        let filters: Result<Vec<_>, _> = programs.iter().map(|program| Filter::load(&program[..])).collect();
        if let Ok(filters) = filters {
            let machine = Machine {
                endian: request.endian,
                ..Machine::default()
            };
            let _ = Chain::new(&filters).run(&request.data, machine);
        }
    }
    if let Ok(vector) = Vector::parse(text) {
        same_line(&vector);
    }
    for abi in [Abi::X86_64, Abi::I386, Abi::S390x] {
        if let Ok(data) = call::parse(text, abi) {
            let printed = call::print(&data);
            let again = call::parse(&printed, abi);
            assert!(
                again.as_ref().is_ok_and(|again| *again == data),
                "{printed}: {data:x?} {again:x?}"
            );
        }
    }
}

/// A recorded answer is read again as it is written; of kernels and scenarios there is no writer.
fn same_line(vector: &Vector) {
    let line = match vector {
        Vector::Chain(chain) => chain.to_line(),
        Vector::Room(room) => room.to_line(),
        Vector::Eval(eval) => eval.to_line(),
        Vector::Valid(valid) => valid.to_line(),
        _ => return,
    };
    let again = Vector::parse(&line);
    assert!(again.as_ref().is_ok_and(|again| again == vector), "{line}: {again:?}");
}

/// Reading ends, with calls or an error, and with no more calls than bytes.
pub fn traces(bytes: &[u8]) {
    const FORMATS: [Option<TraceFormat>; 7] = [
        None,
        Some(TraceFormat::Strace),
        Some(TraceFormat::StraceSummary),
        Some(TraceFormat::Audit),
        Some(TraceFormat::Journal),
        Some(TraceFormat::Records),
        Some(TraceFormat::Signal),
    ];
    const ABIS: [Abi; 5] = [Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::S390x, Abi::Mips];
    let (number, bytes) = head(bytes);
    let options = TraceOptions {
        format: one(&FORMATS, number).flatten(),
        abi: one(&ABIS, number / 7).unwrap_or(Abi::X86_64),
        endian: one(&ENDIANS, number / 35).unwrap_or_default(),
    };
    // A few kilobytes of gzip may hold gigabytes: as far as a fuzzer waits.
    const MOST: usize = 1 << 16;
    if let Ok(reader) = read_trace(bytes, &options) {
        for call in reader.take(MOST).flatten() {
            if let Some(data) = call.data() {
                assert!(call.fits(&data), "{call:?} is not {data:x?}");
            }
        }
    }
}
