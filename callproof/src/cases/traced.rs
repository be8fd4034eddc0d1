//! The calls of a file: one a line as `callproof eval` reads them, or a trace of a tracer or a log.

use callproof_abi::Abi;
use callproof_formats::call;
use callproof_formats::trace::{ArgSeen, TraceCall, TraceOptions, read_trace};
use callproof_vm::{Endian, SeccompData};

use crate::error::Error;

/// A call, as far as the file tells.
pub(super) struct Traced {
    /// The line or record, from 1
    pub(super) line: u64,
    /// The call, with 0 for what is unknown
    pub(super) call: SeccompData,
    /// How many such calls there were
    pub(super) count: u64,
    seen: Option<TraceCall>,
}

impl Traced {
    /// The words of `seccomp_data` that are not wholly known, one bit each: bit 0 is `nr`.
    pub(super) fn unknown(&self, endian: Endian) -> u16 {
        let Some(seen) = &self.seen else { return 0 };
        let mut words = u16::from(seen.nr.is_none());
        let ip = seen.ip.map_or(ArgSeen::Unknown, ArgSeen::Known);
        for (at, register) in core::iter::once(&ip).chain(&seen.args).enumerate() {
            let mask = match register {
                ArgSeen::Known(_) => u64::MAX,
                ArgSeen::Bits { mask, .. } => *mask,
                ArgSeen::Unknown => 0,
            };
            let low = u16::from(mask & 0xffff_ffff != 0xffff_ffff);
            let high = u16::from(mask >> 32 != 0xffff_ffff);
            let pair = match endian {
                Endian::Little => low | high << 1,
                Endian::Big => high | low << 1,
            };
            words |= pair << (2 * at + 2);
        }
        words
    }
}

type Calls<'b> = Box<dyn Iterator<Item = Result<Traced, Error>> + 'b>;

/// The calls of a file, in its order.
pub(super) fn traced<'b>(name: &'b str, bytes: &'b [u8], abi: Abi) -> Result<Calls<'b>, Error> {
    match core::str::from_utf8(bytes) {
        Ok(text) if !is_trace(text) => Ok(Box::new(typed(name, text, abi))),
        _ => recorded(name, bytes, abi),
    }
}

/// Whether a text has what tracers and logs write, and people who write calls do not.
fn is_trace(text: &str) -> bool {
    let has = |mark: &str| text.contains(mark);
    let result = |line: &str| line.split(')').skip(1).any(|rest| rest.trim_start().starts_with("= "));
    has("\0")
        || has("audit(")
        || has("% time")
        || has(" <unfinished ...>")
        || text.trim_start().starts_with('{')
        || text.lines().any(result)
}

fn typed<'b>(name: &'b str, text: &'b str, abi: Abi) -> impl Iterator<Item = Result<Traced, Error>> + 'b {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(move |(number, line)| {
        let call = call::parse(line, abi).map_err(|error| {
            Error::input(&error)
                .at(format_args!("{name}:{number}"))
                .help("write one call a line, such as `openat(AT_FDCWD, 0x7000, O_RDONLY)`")
        })?;
        Ok(Traced {
            line: number,
            call,
            count: 1,
            seen: None,
        })
    })
}

fn recorded<'b>(name: &'b str, bytes: &'b [u8], abi: Abi) -> Result<Calls<'b>, Error> {
    let options = TraceOptions {
        abi,
        endian: if abi.big_endian() { Endian::Big } else { Endian::Little },
        ..TraceOptions::default()
    };
    let wrong = move |error: callproof_formats::trace::TraceError| {
        Error::input(&error)
            .at(name)
            .help("name a file with one call a line, or a trace (docs/TRACES.md)")
    };
    let reader = read_trace(bytes, &options).map_err(wrong)?;
    Ok(Box::new(reader.map(move |call| call.map(of_trace).map_err(wrong))))
}

fn of_trace(seen: TraceCall) -> Traced {
    let args = seen.args.map(|register| match register {
        ArgSeen::Known(value) | ArgSeen::Bits { value, .. } => value,
        ArgSeen::Unknown => 0,
    });
    let call = SeccompData {
        nr: seen.nr.unwrap_or_default().cast_signed(),
        arch: seen.arch,
        instruction_pointer: seen.ip.unwrap_or_default(),
        args,
    };
    Traced {
        line: seen.line,
        call,
        count: seen.count,
        seen: Some(seen),
    }
}
