//! `disasm`: a filter as assembly, with what each instruction is about.

use callproof_formats::disasm::{Line, lines};
use callproof_vm::Endian;
use serde::Serialize;

use crate::error::Result;
use crate::input::{Input, Loaded};
use crate::settings::Settings;

/// Listings, oldest filter first.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disasm {
    pub(crate) filters: Vec<Listing>,
}

/// One filter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Listing {
    pub(crate) source: String,
    pub(crate) format: String,
    pub(crate) instructions: Vec<Row>,
}

/// One instruction.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) pc: usize,
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
    /// In bpf_asm words
    pub(crate) text: String,
    /// What it is about; empty when there is nothing sure to say
    pub(crate) note: String,
    /// Whether any path leads to it, as far as jumps and comparisons of `arch` tell
    pub(crate) reachable: bool,
}

/// Lists filters. They need not be ones that the kernel would install.
pub(crate) fn run(filters: &[String], input: &Input, settings: &Settings) -> Result<Disasm> {
    let loaded = input.chain(filters)?;
    let endian = settings.layout();
    Ok(Disasm {
        filters: loaded.iter().map(|one| Listing::new(one, endian)).collect(),
    })
}

impl Listing {
    fn new(one: &Loaded, endian: Endian) -> Self {
        Self {
            source: one.name.clone(),
            format: one.format.to_owned(),
            instructions: lines(&one.program, endian).into_iter().map(Row::new).collect(),
        }
    }
}

impl Row {
    fn new(line: Line) -> Self {
        let insn = line.insn;
        Self {
            pc: line.pc,
            code: insn.code,
            jt: insn.jt,
            jf: insn.jf,
            k: insn.k,
            text: insn.at(line.pc).to_string(),
            note: line.note,
            reachable: line.reachable,
        }
    }
}
