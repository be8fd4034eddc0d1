//! What calls cost: instructions counted exactly over all arguments, weighed by a trace, and what other layouts of the
//! same filters would save.
//!
//! | to | see |
//! |---|---|
//! | know the fewest and the most instructions of each call, and whether the bitmap answers it | [`costs`] |
//! | know what a workload costs | [`weigh`] |
//! | know what an order by frequency, or a tree, would execute | [`savings`] |
//!
//! Instructions, answers from the bitmap and nanoseconds are three things, and nothing here makes one number of them.

mod bitmap;
mod calls;
mod layout;
mod savings;
mod shape;
mod weigh;

pub use bitmap::{Bitmap, WhyNot};
pub use calls::{Costs, OfAbi, OfCall, bound, costs};
pub use savings::{Laid, Plan, Saving, savings};
pub use weigh::{Load, Range, Weighed, weigh};

use callproof_abi::Abi;
use callproof_policy::ByteOrder;
use callproof_verifier::Limits;
use callproof_vm::{Filter, Machine};

/// The chain whose calls are counted.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'f> {
    /// The filters, oldest first
    pub filters: &'f [Filter<'f>],
    /// The kernel
    pub machine: Machine,
    /// Which half of a register is which
    pub order: ByteOrder,
    /// How far the search goes
    pub limits: &'f Limits,
}

impl Asked<'_> {
    /// The machine that calls of an ABI are made on.
    pub(crate) fn machine_of(&self, abi: Abi) -> Machine {
        Machine {
            endian: self.order.of(abi.audit_arch()),
            ..self.machine
        }
    }
}
