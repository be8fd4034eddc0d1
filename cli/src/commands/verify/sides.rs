//! Chains as operands: filters joined by commas.

use std::path::Path;

use crate::error::{Failure, Result};
use crate::input::{Input, Loaded};

/// The filters of one operand: one FILTER, or several joined by commas, oldest first. A file whose name has a comma
/// goes first.
pub(super) fn chain(typed: &str, input: &Input) -> Result<Vec<Loaded>> {
    let parts: Vec<String> = if Path::new(typed).exists() {
        vec![typed.to_owned()]
    } else {
        typed.split(',').map(str::to_owned).collect()
    };
    if parts.iter().any(String::is_empty) {
        return Err(Failure::usage(format_args!("`{typed}` names an empty filter"))
            .with_help("join the filters of a chain by single commas: `old.bpf,new.bpf`"));
    }
    input.chain(&parts)
}

/// The names of filters.
pub(in crate::commands) fn names(chain: &[Loaded]) -> Vec<String> {
    chain.iter().map(|one| one.name.clone()).collect()
}
