//! Signal names and numbers; mips, parisc and sparc have numbers of their own.

use crate::Abi;
use crate::generated::signals::{DIFFERENCES, NAMES};
use crate::named::Table;
use crate::suggest::{Kind, UnknownName};

static TABLE: Table = Table {
    names: NAMES,
    differences: DIFFERENCES,
};

/// Names that share a number with a more usual one on most ABIs.
const ALIASES: &[&str] = &[
    "SIGIOT",
    "SIGPOLL",
    "SIGCLD",
    "SIGUNUSED",
    "SIGLOST",
    "SIGRTMIN",
    "SIGRTMAX",
];

/// The number of a signal on an ABI: 31 for `SIGSYS` (12 on mips).
///
/// # Errors
/// When there is no such signal: with the nearest names.
pub fn signal_number(abi: Abi, name: &str) -> Result<u32, UnknownName> {
    let number = TABLE.value(abi, name).and_then(|value| u32::try_from(value).ok());
    number.ok_or_else(|| UnknownName::new(Kind::Signal, Some(abi), name, TABLE.all(abi).map(|(name, _)| name)))
}

/// The usual name of a signal number on an ABI; real-time signals beyond the first have none.
#[must_use]
pub fn signal_name(abi: Abi, number: u32) -> Option<&'static str> {
    TABLE.name_of(abi, u64::from(number), ALIASES)
}
