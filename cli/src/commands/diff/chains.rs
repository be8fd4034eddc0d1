//! Chains in a campaign.

use core::fmt::Display;
use std::collections::BTreeMap;
use std::path::Path;

use callproof_formats::call;
use callproof_formats::vectors::{ChainVector, RoomVector};
use callproof_kernel_diff::{ChainDisagreement, ChainMismatch, Report};
use callproof_vm::{Errno, Insn, Outcome};
use serde::Serialize;

use super::{Found, listing};

/// What a campaign compared of chains.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Chains {
    pub(crate) compared: u64,
    /// Calls whose outcome was compared
    pub(crate) calls: u64,
    /// Calls by what the kernel showed
    pub(crate) by_outcome: BTreeMap<&'static str, u64>,
    /// Chains of which was compared how much room they need
    pub(crate) rooms: u64,
    /// Why none was compared
    pub(crate) missing: Option<String>,
}

impl Chains {
    pub(super) fn new(report: &Report) -> Self {
        let chains = &report.chains;
        Self {
            compared: chains.chains,
            calls: chains.calls,
            by_outcome: chains.by_outcome.clone(),
            rooms: chains.rooms,
            missing: chains.missing.as_ref().map(ToString::to_string),
        }
    }
}

/// A disagreement about a chain, for people and as a line of vectors.
pub(super) fn found(mismatch: &ChainMismatch, seed: impl Display, folder: &Path) -> Found {
    let (message, vector) = told(mismatch);
    Found {
        message,
        program: Vec::new(),
        chain: mismatch.chain.iter().map(|program| listing(program)).collect(),
        file: folder.join(format!("mismatch-{seed}-chain-{}.jsonl", mismatch.number)),
        vector: vector.map(|line| format!("{line}\n")).unwrap_or_default(),
    }
}

fn told(mismatch: &ChainMismatch) -> (String, Option<String>) {
    let programs = mismatch.chain.clone();
    match mismatch.kind {
        ChainDisagreement::Outcome { data, kernel, model } => {
            let call = call::print(&data);
            let message =
                format!("the kernel shows `{kernel}`, the emulator `{model}` for {call} under several filters");
            let cases = vec![(data, kernel)];
            // A file says all that a kernel shows; these two may be less than that.
            let whole = !matches!(kernel, Outcome::KillProcess | Outcome::Errno(38));
            (message, whole.then(|| ChainVector { programs, cases }.to_line()))
        }
        ChainDisagreement::Room { room, kernel, model } => {
            let message = format!(
                "where there is room for {room} converted instructions, the kernel installs {kernel} of {} filters, the \
                 emulator {model}",
                programs.len()
            );
            (message, room_vector(programs, room, kernel))
        }
    }
}

/// A file has a line about the room of one program only.
fn room_vector(programs: Vec<Vec<Insn>>, room: u32, kernel: usize) -> Option<String> {
    let [program] = <[_; 1]>::try_from(programs).ok()?;
    let vector = RoomVector {
        program,
        room,
        accepted: kernel == 1,
        errno: (kernel == 0).then(|| Errno::ENOMEM.name().to_owned()),
    };
    Some(vector.to_line())
}
