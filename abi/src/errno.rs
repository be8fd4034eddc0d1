//! Error names and numbers; mips, parisc and sparc number most of them in their own way.

use crate::Abi;
use crate::generated::errnos::{DIFFERENCES, NAMES};
use crate::named::Table;
use crate::suggest::{Kind, UnknownName};

static TABLE: Table = Table {
    names: NAMES,
    differences: DIFFERENCES,
};

/// Names that share a number with a more usual one on most ABIs; used for printing only where they stand alone.
const ALIASES: &[&str] = &[
    "EWOULDBLOCK",
    "EDEADLOCK",
    "EREFUSED",
    "ECANCELLED",
    "ERREMOTE",
    "EFSBADCRC",
    "EFSCORRUPTED",
];

/// Numbers that the kernel uses inside and that a filter's ERRNO action can return all the same, the same on
/// every ABI.
#[rustfmt::skip]
const INTERNAL: &[(&str, u32)] = &[
    ("ERESTARTSYS", 512), ("ERESTARTNOINTR", 513), ("ERESTARTNOHAND", 514), ("ENOIOCTLCMD", 515),
    ("ERESTART_RESTARTBLOCK", 516), ("EPROBE_DEFER", 517), ("EOPENSTALE", 518), ("ENOPARAM", 519),
    ("EBADHANDLE", 521), ("ENOTSYNC", 522), ("EBADCOOKIE", 523), ("ENOTSUPP", 524), ("ETOOSMALL", 525),
    ("ESERVERFAULT", 526), ("EBADTYPE", 527), ("EJUKEBOX", 528), ("EIOCBQUEUED", 529), ("ERECALLCONFLICT", 530),
];

/// The number of an error on an ABI: 1 for `EPERM`, 38 for `ENOSYS` (89 on mips).
///
/// `ENOTSUP`, a name of the C library alone, is `EOPNOTSUPP`.
///
/// # Errors
/// When there is no such error name: with the nearest names.
pub fn errno_number(abi: Abi, name: &str) -> Result<u32, UnknownName> {
    let wanted = if name == "ENOTSUP" { "EOPNOTSUPP" } else { name };
    let number = TABLE.value(abi, wanted).and_then(|value| u32::try_from(value).ok());
    number.ok_or_else(|| UnknownName::new(Kind::Errno, Some(abi), name, TABLE.all(abi).map(|(name, _)| name)))
}

/// The usual name of an error number on an ABI.
#[must_use]
pub fn errno_name(abi: Abi, number: u32) -> Option<&'static str> {
    TABLE.name_of(abi, u64::from(number), ALIASES)
}

/// The kernel's name of a number that is meant for the kernel alone (512 to 530): for display.
#[must_use]
pub fn internal_errno_name(number: u32) -> Option<&'static str> {
    INTERNAL
        .iter()
        .find(|(_, value)| *value == number)
        .map(|(name, _)| *name)
}
