//! The space of all inputs, cut by ABI.

use core::fmt;
use std::collections::BTreeSet;

use callproof_abi::{Abi, X32_BIT};

use crate::condition::{Condition, Field, Test};
use crate::predicate::{AbiItem, AbiList};
use crate::problem::Problem;

/// One ABI, or what belongs to none. Every input belongs to exactly one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// The inputs that [`Abi::from_call`] gives this ABI
    Abi(Abi),
    /// The inputs whose `arch` word no known ABI has
    Unknown,
}

impl Cell {
    /// Every cell.
    pub fn all() -> impl Iterator<Item = Self> {
        Abi::ALL.iter().copied().map(Self::Abi).chain([Self::Unknown])
    }

    /// The ABI, if it is one.
    #[must_use]
    pub const fn abi(self) -> Option<Abi> {
        match self {
            Self::Abi(abi) => Some(abi),
            Self::Unknown => None,
        }
    }

    /// The inputs of the cell.
    #[must_use]
    pub fn condition(self) -> Condition {
        Condition::all([self.arch(), self.numbers()])
    }

    /// The `arch` words of the cell.
    pub(super) fn arch(self) -> Condition {
        let is = |abi: Abi| Condition::Atom(Test::equal(Field::Arch, u64::from(abi.audit_arch())));
        match self {
            Self::Abi(abi) => is(abi),
            Self::Unknown => {
                let shares = |abi: &Abi| *abi != Abi::X32;
                Condition::any(Abi::ALL.iter().copied().filter(shares).map(is)).negated()
            }
        }
    }

    /// The numbers of the cell: x32 has those with bit 30, without -1, and x86_64 the others.
    pub(super) fn numbers(self) -> Condition {
        let bit = u64::from(X32_BIT);
        let with_bit = Condition::Atom(Test {
            mask: bit,
            ..Test::equal(Field::Nr, bit)
        });
        let is_minus_one = Condition::Atom(Test::equal(Field::Nr, u64::from(u32::MAX)));
        match self {
            Self::Abi(Abi::X32) => Condition::all([with_bit, is_minus_one.negated()]),
            Self::Abi(Abi::X86_64) => Condition::any([with_bit.negated(), is_minus_one]),
            _ => Condition::TRUE,
        }
    }

    /// Whether the number is one that a call of the cell can have.
    pub(super) fn has_number(self, number: u32) -> bool {
        match self {
            Self::Abi(abi) => Abi::from_call(abi.audit_arch(), number) == Some(abi),
            Self::Unknown => true,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abi(abi) => abi.fmt(f),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

impl AbiList {
    /// The cells of the list, in the order of [`Abi::ALL`]; `in_force` is what `other` is the rest of.
    ///
    /// # Errors
    /// When `other` would mean itself.
    pub fn cells(&self, in_force: &Self) -> Result<Vec<Cell>, Problem> {
        cells(self, in_force)
    }
}

/// The cells that a list means.
pub(super) fn cells(list: &AbiList, in_force: &AbiList) -> Result<Vec<Cell>, Problem> {
    let mut cells = BTreeSet::new();
    for item in &list.items {
        match item {
            AbiItem::Abi(abi) => drop(cells.insert(Cell::Abi(*abi))),
            AbiItem::All => cells.extend(Cell::all().filter(|cell| cell.abi().is_some())),
            AbiItem::Unknown => drop(cells.insert(Cell::Unknown)),
            AbiItem::Any => cells.extend(Cell::all()),
            AbiItem::Other => {
                if in_force.items.contains(&AbiItem::Other) {
                    let message = "`other` means what the list in force leaves out, so it cannot be in it";
                    return Err(Problem::new(message, list.span));
                }
                let known = self::cells(in_force, in_force)?;
                cells.extend(Cell::all().filter(|cell| !known.contains(cell)));
            }
        }
    }
    Ok(cells.into_iter().collect())
}

/// ` on x86_64, i386 and 3 more`.
pub(super) fn on(cells: &BTreeSet<Cell>) -> String {
    const NAMED: usize = 4;
    let named: Vec<String> = cells.iter().take(NAMED).map(Cell::to_string).collect();
    let more = match cells.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" on {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use callproof_vm::SeccompData;

    use super::*;

    #[test]
    fn every_input_is_in_exactly_the_cell_of_its_abi() {
        let archs = Abi::ALL
            .iter()
            .map(|abi| abi.audit_arch())
            .chain([0, 1, u32::MAX, 0xC000_003F]);
        for arch in archs {
            for nr in [0, 1, X32_BIT, X32_BIT | 59, u32::MAX, u32::MAX - 1, 0x8000_0000] {
                let call = SeccompData::new(arch, nr.cast_signed(), [0; 6]);
                let expected = Abi::from_call(arch, nr).map_or(Cell::Unknown, Cell::Abi);
                let found: Vec<Cell> = Cell::all().filter(|cell| cell.condition().holds_for(&call)).collect();
                assert_eq!(found, [expected], "{arch:#x} {nr:#x}");
            }
        }
    }

    #[test]
    fn lists_mean_cells() {
        let in_force = AbiList::of([AbiItem::Abi(Abi::X86_64)]);
        let count = |items: &[AbiItem]| AbiList::of(items.iter().copied()).cells(&in_force).unwrap().len();
        let all = Abi::ALL.len();
        assert_eq!(count(&[AbiItem::All]), all);
        assert_eq!(count(&[AbiItem::Any]), all + 1);
        assert_eq!(count(&[AbiItem::Other]), all);
        assert_eq!(
            count(&[AbiItem::Abi(Abi::X32), AbiItem::Abi(Abi::X32), AbiItem::Unknown]),
            2
        );
        let other = AbiList::of([AbiItem::Other]);
        assert!(other.cells(&other).is_err());
    }
}
