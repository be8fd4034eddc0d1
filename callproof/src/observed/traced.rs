//! The calls of a file: one a line as `callproof eval` reads them, or a trace of a tracer or a log.

use std::io::{self, BufRead, Read};

use callproof_abi::Abi;
use callproof_formats::call;
use callproof_formats::trace::{ArgSeen, Outcome, TraceCall, TraceOptions, read_trace};
use callproof_vm::{Endian, SeccompData};

use crate::error::Error;

/// A call, as far as the file tells.
pub(crate) struct Traced {
    /// The line or record, from 1
    pub(crate) line: u64,
    /// The call, with 0 for what is unknown
    pub(crate) call: SeccompData,
    /// How many such calls there were
    pub(crate) count: u64,
    seen: Option<TraceCall>,
}

impl Traced {
    /// What is known of the sixteen words of `seccomp_data`: for each the mask of the known bits, and their values.
    pub(crate) fn known(&self, endian: Endian) -> [(u32, u32); 16] {
        let values = self.call.words(endian);
        let unknown = self.unknown_bits(endian);
        core::array::from_fn(|word| {
            let mask = unknown.get(word).map_or(u32::MAX, |unknown| !unknown);
            (mask, values.get(word).copied().unwrap_or_default() & mask)
        })
    }

    /// The words of `seccomp_data` that are not wholly known, one bit each: bit 0 is `nr`.
    pub(crate) fn unknown(&self, endian: Endian) -> u16 {
        let bits = self.unknown_bits(endian);
        (0_u16..)
            .zip(bits)
            .fold(0, |words, (word, bits)| words | u16::from(bits != 0) << word)
    }

    fn unknown_bits(&self, endian: Endian) -> [u32; 16] {
        let Some(seen) = &self.seen else { return [0; 16] };
        let ip = seen.ip.map_or(ArgSeen::Unknown, ArgSeen::Known);
        let narrow = seen.abi.is_some_and(|abi| abi.register_bits() == 32);
        let unknown = |register: &ArgSeen| {
            let mask = match register {
                ArgSeen::Known(_) => u64::MAX,
                ArgSeen::Bits { mask, .. } => *mask,
                ArgSeen::Unknown => 0,
            };
            // Registers of 32 bits reach a filter with zeroes above.
            let [low, high] = [!mask, !mask >> 32].map(|half| (half & 0xffff_ffff) as u32);
            (low, if narrow { 0 } else { high })
        };
        let mut words = [0; 16];
        let [nr, _, rest @ ..] = &mut words;
        *nr = if seen.nr.is_none() { u32::MAX } else { 0 };
        let pairs = rest.chunks_exact_mut(2);
        for (pair, register) in pairs.zip(core::iter::once(&ip).chain(&seen.args)) {
            let (low, high) = unknown(register);
            pair.copy_from_slice(&match endian {
                Endian::Little => [low, high],
                Endian::Big => [high, low],
            });
        }
        words
    }

    /// How the call ended, as far as is known.
    pub(crate) fn outcome(&self) -> Outcome {
        self.seen.as_ref().map_or(Outcome::Unknown, |seen| seen.outcome)
    }

    /// The call in words, with `_` for what is not known.
    pub(crate) fn text(&self) -> String {
        let Some(seen) = self.seen.as_ref().filter(|seen| seen.data().is_none()) else {
            return call::print(&self.call);
        };
        let number = || seen.nr.map_or_else(|| "?".to_owned(), |nr| nr.to_string());
        let name = seen.name.clone().unwrap_or_else(number);
        let known = |register: &ArgSeen| match register {
            ArgSeen::Known(value) | ArgSeen::Bits { value, .. } => format!("{value:#x}"),
            ArgSeen::Unknown => "_".to_owned(),
        };
        let last = seen.args.iter().rposition(|register| *register != ArgSeen::Unknown);
        let shown = seen.args.iter().take(last.map_or(0, |last| last.saturating_add(1)));
        let mut args: Vec<String> = shown.map(known).collect();
        if args.len() < seen.args.len() {
            args.push("...".to_owned());
        }
        let arch = seen
            .abi
            .map_or_else(|| format!("{:#010x}", seen.arch), |abi| abi.to_string());
        format!("{name}({}) arch={arch}", args.join(", "))
    }
}

type Calls<'b> = Box<dyn Iterator<Item = Result<Traced, Error>> + 'b>;

/// How much of an input tells what it is.
const HEAD: u64 = 1 << 16;
/// Longest line of a call that somebody wrote.
const LONGEST: u64 = 1 << 16;

/// The calls of an input, in its order.
pub(crate) fn traced<'b>(name: &'b str, mut input: impl Read + 'b, abi: Abi) -> Result<Calls<'b>, Error> {
    let mut head = Vec::new();
    let unreadable = |error: &io::Error| Error::input(format_args!("cannot read the trace: {error}")).at(name);
    input
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| unreadable(&error))?;
    let written = match core::str::from_utf8(&head) {
        Ok(text) => !is_trace(text),
        // The head may end within a character.
        Err(error) => error.error_len().is_none() && !is_trace(&String::from_utf8_lossy(&head)),
    };
    let whole = io::Cursor::new(head).chain(input);
    if written {
        Ok(Box::new(typed(name, whole, abi)))
    } else {
        recorded(name, whole, abi)
    }
}

/// Whether a text has what tracers and logs write, and people who write calls do not.
fn is_trace(text: &str) -> bool {
    let has = |mark: &str| text.contains(mark);
    let result = |line: &str| line.split(')').skip(1).any(|rest| rest.trim_start().starts_with("= "));
    has("\0")
        || has("SIGSYS")
        || has("_sigsys")
        || has("seccomp-bpf failure")
        || has("audit(")
        || has("% time")
        || has(" <unfinished ...>")
        || text.trim_start().starts_with('{')
        || text.lines().any(result)
}

fn typed<'b>(name: &'b str, input: impl Read + 'b, abi: Abi) -> impl Iterator<Item = Result<Traced, Error>> + 'b {
    let mut input = io::BufReader::new(input);
    let lines = core::iter::from_fn(move || line(&mut input).transpose());
    (1..).zip(lines).filter_map(move |(number, line)| {
        let place = format_args!("{name}:{number}").to_string();
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(error.at(place))),
        };
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let call = call::parse(text, abi).map_err(|error| {
            Error::input(&error)
                .at(place)
                .help("write one call a line, such as `openat(AT_FDCWD, 0x7000, O_RDONLY)`")
        });
        Some(call.map(|call| Traced {
            line: number,
            call,
            count: 1,
            seen: None,
        }))
    })
}

/// The next line of a text; the rest of one that is too long is the next line.
fn line(input: &mut impl BufRead) -> Result<Option<String>, Error> {
    let mut line = Vec::new();
    let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
    match read.map_err(|error| Error::input(format_args!("cannot read on: {error}")))? {
        0 => Ok(None),
        _ => String::from_utf8(line)
            .map(Some)
            .map_err(|_| Error::input("the line is not UTF-8 text").help("write one call a line")),
    }
}

fn recorded<'b>(name: &'b str, input: impl Read + 'b, abi: Abi) -> Result<Calls<'b>, Error> {
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
    let reader = read_trace(input, &options).map_err(wrong)?;
    Ok(Box::new(reader.map(move |call| call.map(of_trace).map_err(wrong))))
}

pub(super) fn of_trace(seen: TraceCall) -> Traced {
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
