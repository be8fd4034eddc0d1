//! What every engine does, and which one to take.

use core::fmt;
use core::str::FromStr;

use callproof_vm::{Endian, Filter, Machine, SeccompData, Verdict};

use crate::predecoded::Predecoded;
use crate::reference::Reference;
use crate::specialised::Specialised;

/// What a chain decides about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The verdict
    pub verdict: Verdict,
    /// How many instructions the kernel's interpreter executes for it, over all filters
    pub insns: u64,
}

/// A chain of filters that is ready to judge calls on one machine.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Decides about a call.
    fn decide(&self, call: &SeccompData) -> Decision;

    /// The combined 32-bit value alone ([`Verdict::value`]), which some engines know sooner.
    fn value(&self, call: &SeccompData) -> u32 {
        self.decide(call).verdict.value
    }

    /// Decides about calls one after the other, into a slice of the same length.
    fn decide_all(&self, calls: &[SeccompData], decisions: &mut [Decision]) {
        for (call, decision) in calls.iter().zip(decisions) {
            *decision = self.decide(call);
        }
    }

    /// As [`decide_all`](Self::decide_all), for the combined values alone.
    fn values(&self, calls: &[SeccompData], values: &mut [u32]) {
        for (call, value) in calls.iter().zip(values) {
            *value = self.value(call);
        }
    }

    /// As [`values`](Self::values), for records as they lie in memory on a machine of this byte order.
    fn values_of_records(&self, records: &[[u8; 64]], endian: Endian, values: &mut [u32]) {
        for (record, value) in records.iter().zip(values) {
            *value = self.value(&SeccompData::from_bytes(record, endian));
        }
    }
}

/// An engine by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// [`Reference`]
    Reference,
    /// [`Predecoded`]
    Predecoded,
    /// [`Specialised`]
    Specialised,
}

/// From this many calls on decoding has paid for itself: for real filters it takes as long as the plain loop needs for
/// 150 calls (a list) to some thousand (a tree).
const DECODED_FROM: u64 = 1024;
/// From this many calls on specialising has paid for itself: it takes as long as the pre-decoded engine needs for ten to
/// thirty thousand.
pub(crate) const SPECIALISED_FROM: u64 = 32_768;

impl Kind {
    /// Every engine, the plainest first.
    pub const ALL: [Self; 3] = [Self::Reference, Self::Predecoded, Self::Specialised];

    /// The engine that has judged this many calls first, counted from admitted filters.
    #[must_use]
    pub const fn for_calls(calls: u64) -> Self {
        match calls {
            0..DECODED_FROM => Self::Reference,
            DECODED_FROM..SPECIALISED_FROM => Self::Predecoded,
            _ => Self::Specialised,
        }
    }

    /// The name of the engine.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Predecoded => "predecoded",
            Self::Specialised => "specialised",
        }
    }

    /// Makes the engine for a chain, the oldest filter first.
    #[must_use]
    pub fn build<'f>(self, filters: &'f [Filter<'f>], machine: Machine) -> Box<dyn Engine + 'f> {
        match self {
            Self::Reference => Box::new(Reference::new(filters, machine)),
            Self::Predecoded => Box::new(Predecoded::new(filters, machine)),
            Self::Specialised => Box::new(Specialised::new(filters, machine)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no engine has this name; write `reference`, `predecoded` or `specialised`")
    }
}

impl core::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownKind)
    }
}
