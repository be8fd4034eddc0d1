//! `explain`: what a chain does.

use callproof_verifier::{Limits, Space, Subject, Undecided, View};
use callproof_vm::Filter;
use serde::Serialize;

use super::claims::{Reached, Stood};
use super::origin::{self, Origins};
use super::rules::{Label, Section, sections};
use super::sides;
use super::surface::{Surface, surface};
use super::text::verdict;
use crate::args;
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
    /// Policies that were explained as filters
    pub(crate) compiled: Vec<Stood>,
    /// For each section its numbers, and its rules by what calls get
    pub(crate) surfaces: Vec<Surface>,
    pub(crate) sections: Vec<Section>,
    /// Where answers come from, when that was asked
    pub(crate) origins: Option<Origins>,
    /// The limit that was reached; there are no sections then
    pub(crate) limit: Option<Reached>,
}

pub(crate) fn run(args: &args::Explain, input: &Input, settings: &Settings) -> Result<Explain> {
    let loaded = input.chain(&args.decided.filters)?;
    let chain = admitted(&loaded, settings)?;
    let limits = args.decided.effort.of_diagrams()?;
    let explained = explain(&chain, settings, &limits);
    let limit = explained
        .as_ref()
        .err()
        .map(|undecided| Reached::new(*undecided, &limits));
    let sections = explained.unwrap_or_default();
    let origins = args.origin.then(|| origin::origins(&loaded, settings, &limits));
    Ok(Explain {
        kernel: settings.kernel.to_string(),
        filters: sides::names(&loaded),
        compiled: sides::compiled(&loaded),
        surfaces: sections
            .iter()
            .map(|section| surface(section, settings.kernel))
            .collect(),
        sections,
        origins,
        limit,
    })
}

/// The sections of a chain.
pub(super) fn explain(
    chain: &[Filter<'_>],
    settings: &Settings,
    limits: &Limits,
) -> core::result::Result<Vec<Section>, Undecided> {
    let label = |value, abi| verdict(value, abi, settings.kernel);
    labelled(chain, settings, limits, &label)
}

/// The sections of a chain, with names for its values.
pub(super) fn labelled(
    chain: &[Filter<'_>],
    settings: &Settings,
    limits: &Limits,
    label: &Label<'_>,
) -> core::result::Result<Vec<Section>, Undecided> {
    let mut build = |endian| {
        let machine = settings.machine_of(endian);
        let subject = Subject::new(chain, machine, limits)?;
        let mut space = Space::new(machine, &[&subject], limits);
        let function = space.function(&subject, View::Value)?;
        Ok((space, function))
    };
    sections(&mut build, settings, label, false)
}

impl Explain {
    pub(crate) fn exit(&self) -> Exit {
        let open = self.origins.as_ref().is_some_and(|origins| origins.limit.is_some());
        if self.limit.is_some() || open {
            Exit::Undecided
        } else {
            Exit::Success
        }
    }
}
