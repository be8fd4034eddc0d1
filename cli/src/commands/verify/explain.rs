//! `explain`: what a chain does.

use callproof_verifier::{Limits, Space, Subject, Undecided, View};
use callproof_vm::Filter;
use serde::Serialize;

use super::claims::Reached;
use super::rules::{Section, sections, verdict};
use super::sides;
use crate::args::Decided;
use crate::error::Result;
use crate::exit::Exit;
use crate::input::{Input, admitted};
use crate::settings::Settings;

/// What a chain does, by ABI and call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Explain {
    pub(crate) kernel: String,
    /// The filters, oldest first
    pub(crate) filters: Vec<String>,
    pub(crate) sections: Vec<Section>,
    /// The limit that was reached; there are no sections then
    pub(crate) limit: Option<Reached>,
}

pub(crate) fn run(args: &Decided, input: &Input, settings: &Settings) -> Result<Explain> {
    let loaded = input.chain(&args.filters)?;
    let chain = admitted(&loaded, settings)?;
    let limits = args.effort.of_diagrams()?;
    let explained = explain(&chain, settings, &limits);
    Ok(Explain {
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        limit: explained
            .as_ref()
            .err()
            .map(|undecided| Reached::new(*undecided, &limits)),
        sections: explained.unwrap_or_default(),
    })
}

/// The sections of a chain.
pub(super) fn explain(
    chain: &[Filter<'_>],
    settings: &Settings,
    limits: &Limits,
) -> core::result::Result<Vec<Section>, Undecided> {
    let mut build = |endian| {
        let machine = settings.machine_of(endian);
        let subject = Subject::new(chain, machine, limits)?;
        let mut space = Space::new(machine, &[&subject], limits);
        let function = space.function(&subject, View::Value)?;
        Ok((space, function))
    };
    let label = |value, abi| verdict(value, abi, settings.kernel);
    sections(&mut build, settings, &label, false)
}

impl Explain {
    pub(crate) const fn exit(&self) -> Exit {
        if self.limit.is_some() {
            Exit::Undecided
        } else {
            Exit::Success
        }
    }
}
