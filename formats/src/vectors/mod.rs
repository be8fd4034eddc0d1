//! What a kernel answered, one JSON object a line, so that an emulator can be held against it on any host.
//!
//! | about | line | read into |
//! |---|---|---|
//! | who answered | `{"kernel": {...}}` | [`Recording`] |
//! | results | `{"prog": HEX, "cases": [[DATA, RESULT], ...]}` | [`EvalVector`] |
//! | admission | `{"prog": HEX, "ok": 0 or 1, "ebpf_len": N, "errno": NAME}` | [`ValidVector`] |
//! | room in a chain | `{"prog": HEX, "room": N, "ok": 0 or 1, "errno": NAME}` | [`RoomVector`] |
//! | chains | `{"chain": [HEX, ...], "cases": [[DATA, OUTCOME], ...]}` | [`ChainVector`] |
//! | stories | `{"scenario": {...}}` | text, for `callproof-kernel-diff` |
//!
//! `HEX` is the program as 8-byte instructions, `DATA` the 64 bytes of a `seccomp_data`, both little-endian; `RESULT`
//! is the 32-bit value that the filter returned, as eight hex digits, most significant first; `OUTCOME` is an
//! [`Outcome`](callproof_vm::Outcome). [`Vector::parse`] reads a line of any kind.

mod chains;

use std::collections::BTreeSet;

use callproof_vm::{Endian, Insn, SeccompData};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::recording::Recording;
pub use chains::{ChainVector, RoomVector};

use crate::batch::{decode_data, decode_filter};
use crate::hex;

/// A line of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vector {
    /// Who answered the lines behind this one
    Kernel(Recording),
    /// Results of a filter
    Eval(EvalVector),
    /// Whether a program is installed
    Valid(ValidVector),
    /// Whether a program is installed on a chain with so much room
    Room(RoomVector),
    /// What is seen of a chain
    Chain(ChainVector),
    /// A story of `docs/SCENARIOS.md`, as JSON
    Scenario(String),
}

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
    /// The name of the error that refuses it, where that was recorded
    pub errno: Option<String>,
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
    /// An error of a program that was installed
    #[error("`errno` is for programs that are refused")]
    Errno,
    /// A program of a chain that is no whole number of instructions
    #[error("program {0} of `chain`: {1}")]
    Chain(usize, &'static str),
    /// A case whose outcome means nothing
    #[error("case {0}: the outcome {1}")]
    Outcome(usize, callproof_vm::NoOutcome),
    /// Members that belong to no kind of line
    #[error("its members belong to no kind of line: {0}")]
    Members(String),
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errno: Option<String>,
}

/// The names of the members of a line.
struct Members(BTreeSet<String>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let members = std::collections::BTreeMap::<String, serde::de::IgnoredAny>::deserialize(from)?;
        Ok(Self(members.into_keys().collect()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioLine<'a> {
    #[serde(borrow)]
    scenario: &'a serde_json::value::RawValue,
}

impl Vector {
    /// Reads a line of any kind: its members tell which.
    ///
    /// # Errors
    /// When the line is of no kind, or not as its kind must be.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let Members(members) = json(line)?;
        let has = |name: &str| members.contains(name);
        if has("kernel") {
            Recording::parse(line).map(Self::Kernel)
        } else if has("scenario") {
            json(line).map(|ScenarioLine { scenario }| Self::Scenario(scenario.get().to_owned()))
        } else if has("chain") {
            ChainVector::parse(line).map(Self::Chain)
        } else if has("room") {
            RoomVector::parse(line).map(Self::Room)
        } else if has("cases") {
            EvalVector::parse(line).map(Self::Eval)
        } else if has("prog") {
            ValidVector::parse(line).map(Self::Valid)
        } else {
            let names: Vec<_> = members.into_iter().take(8).collect();
            Err(VectorError::Members(names.join(", ")))
        }
    }
}

impl EvalVector {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such vector.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let EvalLine { prog, cases } = json(line)?;
        let cases = cases.iter().enumerate().map(|(index, (data, result))| {
            let data = data_of(data, index)?;
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
        let case = |(data, result): &(SeccompData, u32)| (digits_of(data), format!("{result:08x}"));
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
        let ValidLine {
            prog,
            ok,
            ebpf_len,
            errno,
        } = json(line)?;
        Ok(Self {
            program: program(&prog)?,
            accepted: accepted(ok, errno.as_deref())?,
            ebpf_len,
            errno,
        })
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        line(&ValidLine {
            prog: digits(&self.program),
            ok: u64::from(self.accepted),
            ebpf_len: self.ebpf_len,
            errno: self.errno.clone(),
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

/// What `ok` and `errno` say together.
fn accepted(ok: u64, errno: Option<&str>) -> Result<bool, VectorError> {
    match (ok, errno) {
        (0, _) => Ok(false),
        (1, None) => Ok(true),
        (1, Some(_)) => Err(VectorError::Errno),
        (other, _) => Err(VectorError::Ok(other)),
    }
}

fn data_of(digits: &str, case: usize) -> Result<SeccompData, VectorError> {
    decode_data(digits, Endian::Little).ok_or(VectorError::Data(case))
}

fn digits_of(data: &SeccompData) -> String {
    encode(&data.to_bytes(Endian::Little))
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
