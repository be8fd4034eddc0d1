//! What a kernel answered, one JSON object a line, so that an emulator can be held against it on any host.
//!
//! | file | line |
//! |---|---|
//! | `eval.jsonl` | `{"prog": HEX, "cases": [[DATA, RESULT], ...]}` |
//! | `valid.jsonl` | `{"prog": HEX, "ok": 0 or 1, "ebpf_len": N}` |
//!
//! `HEX` is the program as 8-byte instructions, `DATA` the 64 bytes of a `seccomp_data`, both little-endian; `RESULT`
//! is the 32-bit value that the filter returned, as eight hex digits, most significant first.

use callproof_vm::{Endian, Insn, SeccompData};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batch::{decode_data, decode_filter};
use crate::hex;

/// What a filter returned for some calls: a line of `eval.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalVector {
    /// The program
    pub program: Vec<Insn>,
    /// Calls, and what the filter returned for each
    pub cases: Vec<(SeccompData, u32)>,
}

/// Whether a kernel installs a program: a line of `valid.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidVector {
    /// The program
    pub program: Vec<Insn>,
    /// Whether the kernel installs it
    pub accepted: bool,
    /// Its length after conversion to eBPF; meaningless when it is refused
    pub ebpf_len: u32,
}

/// Why a line is no vector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VectorError {
    /// Not the JSON that is expected; the message has the column
    #[error("{0}")]
    Json(String),
    /// Hex that is no whole number of instructions
    #[error("`prog`: {0}")]
    Program(&'static str),
    /// A case whose data is not 64 bytes of hex
    #[error("case {0}: the data must be 128 hex digits")]
    Data(usize),
    /// A case whose result is no 32-bit word in hex
    #[error("case {0}: the result must be 8 hex digits")]
    Result(usize),
    /// `ok` that is neither 0 nor 1
    #[error("`ok` must be 0 or 1, and is {0}")]
    Ok(u64),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EvalLine {
    prog: String,
    cases: Vec<(String, String)>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ValidLine {
    prog: String,
    ok: u64,
    ebpf_len: u32,
}

impl EvalVector {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such vector.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let EvalLine { prog, cases } = json(line)?;
        let cases = cases.iter().enumerate().map(|(index, (data, result))| {
            let data = decode_data(data, Endian::Little).ok_or(VectorError::Data(index))?;
            let result = word(result).ok_or(VectorError::Result(index))?;
            Ok((data, result))
        });
        Ok(Self {
            program: program(&prog)?,
            cases: cases.collect::<Result<_, _>>()?,
        })
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let case = |(data, result): &(SeccompData, u32)| {
            let data = encode(&data.to_bytes(Endian::Little));
            (data, format!("{result:08x}"))
        };
        line(&EvalLine {
            prog: digits(&self.program),
            cases: self.cases.iter().map(case).collect(),
        })
    }
}

impl ValidVector {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such vector.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let ValidLine { prog, ok, ebpf_len } = json(line)?;
        Ok(Self {
            program: program(&prog)?,
            accepted: match ok {
                0 => false,
                1 => true,
                other => return Err(VectorError::Ok(other)),
            },
            ebpf_len,
        })
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        line(&ValidLine {
            prog: digits(&self.program),
            ok: u64::from(self.accepted),
            ebpf_len: self.ebpf_len,
        })
    }
}

fn json<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, VectorError> {
    serde_json::from_str(line).map_err(|error| VectorError::Json(error.to_string()))
}

/// Strings and numbers always have a JSON text.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn program(prog: &str) -> Result<Vec<Insn>, VectorError> {
    decode_filter(prog, Endian::Little).map_err(VectorError::Program)
}

fn word(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| digits && text.len() == 8)
}

fn digits(program: &[Insn]) -> String {
    encode(&crate::raw::write(program, Endian::Little))
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    hex::encode(bytes, &mut text);
    text
}
