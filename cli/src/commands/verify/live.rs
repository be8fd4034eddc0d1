//! The running kernel's opinion of one call.

use callproof_kernel_diff::Oracle;
use callproof_vm::{Endian, Filter, SeccompData, combine};
use serde::Serialize;

use crate::commands::live::{oracle, release};
use crate::settings::Settings;

/// What the running kernel says of a call. Nothing is executed: every return of the filters is made to tell its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Live {
    /// It was not asked
    Skipped { why: String },
    /// It was
    Asked {
        kernel: String,
        /// How it was asked
        oracle: &'static str,
        /// The value of each filter, oldest first
        values: Vec<u32>,
        /// Whether they combine to the emulator's verdict
        agrees: bool,
    },
}

/// The running kernel, if there is a way to ask it.
pub(crate) struct Running {
    oracle: Result<Box<dyn Oracle>, String>,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self { oracle: oracle() }
    }

    /// Asks each filter of a chain, oldest first, about a call that gets this value from the emulator.
    pub(crate) fn ask(&mut self, filters: &[Filter<'_>], call: &SeccompData, value: u32, settings: &Settings) -> Live {
        let oracle = self.oracle.as_mut().map_err(|why| why.clone());
        let asked = oracle.and_then(|oracle| asked(oracle.as_mut(), filters, call, value, settings));
        asked.unwrap_or_else(|why| Live::Skipped { why })
    }
}

impl Live {
    /// Whether the kernel contradicts the emulator.
    pub(crate) const fn disagrees(&self) -> bool {
        matches!(self, Self::Asked { agrees: false, .. })
    }
}

fn asked(
    oracle: &mut dyn Oracle,
    filters: &[Filter<'_>],
    call: &SeccompData,
    value: u32,
    settings: &Settings,
) -> Result<Live, String> {
    if settings.byte_order().of(call.arch) != Endian::NATIVE {
        return Err("calls of the other byte order cannot be made here".to_owned());
    }
    let mut values = Vec::with_capacity(filters.len());
    for filter in filters {
        let answer = oracle.evaluate(filter.program(), core::slice::from_ref(call));
        let answer = answer.map_err(|failure| failure.to_string())?;
        values.extend(answer);
    }
    let newest_first = values.iter().copied().enumerate().rev();
    let agrees = combine(newest_first, settings.kernel).value == value;
    Ok(Live::Asked {
        kernel: release(),
        oracle: oracle.name(),
        values,
        agrees,
    })
}
