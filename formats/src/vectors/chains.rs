//! Lines about filters that are installed upon others.

use callproof_vm::{Endian, Insn, Outcome, SeccompData};
use serde::{Deserialize, Serialize};

use super::{VectorError, accepted, data_of, digits, digits_of, json, line, program};
use crate::batch::decode_filter;

/// What is seen of calls under a chain of filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainVector {
    /// The programs, oldest first
    pub programs: Vec<Vec<Insn>>,
    /// Calls, and what each shows
    pub cases: Vec<(SeccompData, Outcome)>,
}

/// Whether a program is installed on a thread whose chain has room for so many converted instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomVector {
    /// The program
    pub program: Vec<Insn>,
    /// Converted instructions that the chain has room for
    pub room: u32,
    /// Whether the kernel installs it
    pub accepted: bool,
    /// The name of the error that refuses it, where that was recorded
    pub errno: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ChainLine {
    chain: Vec<String>,
    cases: Vec<(String, String)>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RoomLine {
    prog: String,
    room: u32,
    ok: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errno: Option<String>,
}

impl ChainVector {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such vector.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let ChainLine { chain, cases } = json(line)?;
        let programs = chain.iter().enumerate().map(|(index, prog)| {
            let program = decode_filter(prog, Endian::Little);
            program.map_err(|why| VectorError::Chain(index, why))
        });
        let cases = cases.iter().enumerate().map(|(index, (data, outcome))| {
            let outcome = outcome.parse().map_err(|why| VectorError::Outcome(index, why))?;
            Ok((data_of(data, index)?, outcome))
        });
        Ok(Self {
            programs: programs.collect::<Result<_, _>>()?,
            cases: cases.collect::<Result<_, _>>()?,
        })
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let cases = self.cases.iter();
        line(&ChainLine {
            chain: self.programs.iter().map(|program| digits(program)).collect(),
            cases: cases
                .map(|(data, outcome)| (digits_of(data), outcome.to_string()))
                .collect(),
        })
    }
}

impl RoomVector {
    /// Reads a line.
    ///
    /// # Errors
    /// When the line is no such vector.
    pub fn parse(line: &str) -> Result<Self, VectorError> {
        let RoomLine { prog, room, ok, errno } = json(line)?;
        Ok(Self {
            program: program(&prog)?,
            room,
            accepted: accepted(ok, errno.as_deref())?,
            errno,
        })
    }

    /// Writes a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        line(&RoomLine {
            prog: digits(&self.program),
            room: self.room,
            ok: u64::from(self.accepted),
            errno: self.errno.clone(),
        })
    }
}
