//! What filters are run on, and how far the search goes.

use callproof_abi::Abi;
use callproof_formats::policy::Runtime;
use callproof_policy::{AbiItem, AbiList, ByteOrder, Cell};
use callproof_verifier::Limits;
use callproof_vm::{Endian, Kernel, Machine, ShiftByX};

/// The surroundings of a test.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ABIs meant where nothing names any; empty for every possible input
    pub abis: Vec<Abi>,
    /// The kernel release, whatever a case file says; `None` for what it says, or the newest known
    pub kernel: Option<Kernel>,
    /// Which half of a register is which
    pub order: ByteOrder,
    /// What a shift by 32 or more in X gives
    pub shift: ShiftByX,
    /// Whose reading of a policy that tools read differently, whatever a case file says
    pub runtime: Option<Runtime>,
    /// Which of several filters in one policy file, whatever a case file says
    pub select: Option<String>,
    /// Capabilities that the process has, whatever a case file says; names of
    /// [`CAPABILITIES`](callproof_formats::policy::CAPABILITIES)
    pub caps: Option<Vec<String>>,
    /// How far the search for an answer goes
    pub limits: Limits,
    /// Filters to test instead of those that a case file names, oldest first
    pub filters: Vec<String>,
    /// Whether snapshots that differ are written anew
    pub bless: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            abis: Vec::new(),
            kernel: None,
            order: ByteOrder::OfArch,
            shift: ShiftByX::default(),
            runtime: None,
            select: None,
            caps: None,
            limits: Limits::default(),
            filters: Vec::new(),
            bless: false,
        }
    }
}

impl Options {
    /// The ABIs in force where nothing names any.
    pub(crate) fn in_force(&self) -> AbiList {
        if self.abis.is_empty() {
            return AbiList::of([AbiItem::Any]);
        }
        AbiList::of(self.abis.iter().copied().map(AbiItem::Abi))
    }

    /// The machine of a list of ABIs: the byte order they agree on, else little.
    pub(crate) fn machine(&self, abis: &[Abi], kernel: Option<Kernel>) -> Machine {
        let of = |abi: &Abi| Endian::of_audit_arch(abi.audit_arch());
        let first = abis.first().map(of).unwrap_or_default();
        let agreed = abis.iter().all(|abi| of(abi) == first);
        let endian = match self.order {
            ByteOrder::Fixed(endian) => endian,
            ByteOrder::OfArch if agreed => first,
            ByteOrder::OfArch => Endian::Little,
        };
        Machine {
            kernel: self.kernel.or(kernel).unwrap_or(Kernel::LATEST),
            endian,
            shift: self.shift,
        }
    }
}

/// The ABIs of a list, without `unknown`.
pub(crate) fn abis(list: &AbiList) -> Vec<Abi> {
    let cells = list.cells(list).unwrap_or_default();
    cells.into_iter().filter_map(Cell::abi).collect()
}
