//! Constants that programs pass as arguments: `AF_INET`, `O_CLOEXEC`, `TIOCSTI`, `CLONE_NEWUSER`.

use crate::Abi;
use crate::generated::constants::{DIFFERENCES, NAMES};
use crate::named::Table;
use crate::suggest::{Kind, UnknownName};

static TABLE: Table = Table {
    names: NAMES,
    differences: DIFFERENCES,
};

/// The value of a constant of the kernel's user-space headers on an ABI.
///
/// A C `int` is converted as C does: `AT_FDCWD` (-100) gives `0xffff_ffff_ffff_ff9c`. To compare it with an
/// argument, cut it to the argument's [`Width`](crate::Width). Constants of processors, drivers and file formats are
/// left out.
///
/// ```
/// use callproof_abi::{Abi, constant};
/// assert_eq!(constant(Abi::X86_64, "O_CLOEXEC").ok(), Some(0o2000000));
/// assert_eq!(constant(Abi::Mips, "SOCK_STREAM").ok(), Some(2));
/// ```
///
/// # Errors
/// When the ABI has no such constant: with the nearest names, or with the ABIs that do have it.
pub fn constant(abi: Abi, name: &str) -> Result<u64, UnknownName> {
    TABLE.value(abi, name).ok_or_else(|| unknown(abi, name))
}

/// Every constant of an ABI with its value, in the order of names.
pub fn constants(abi: Abi) -> impl Iterator<Item = (&'static str, u64)> {
    TABLE.all(abi)
}

fn unknown(abi: Abi, name: &str) -> UnknownName {
    let elsewhere = Abi::ALL
        .iter()
        .copied()
        .filter(|other| TABLE.value(*other, name).is_some());
    if elsewhere.clone().next().is_some() {
        return UnknownName::new(Kind::Constant, Some(abi), name, core::iter::empty()).found_on(elsewhere);
    }
    UnknownName::new(Kind::Constant, Some(abi), name, constants(abi).map(|(name, _)| name))
}
