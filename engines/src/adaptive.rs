//! An engine that gets faster the more calls come in.

use core::cell::{Cell, OnceCell};

use callproof_vm::{Filter, Machine, SeccompData};

use crate::engine::{Decision, Engine, Kind, SPECIALISED_FROM};
use crate::predecoded::Predecoded;
use crate::reference::Reference;
use crate::specialised::Specialised;

/// Judges the calls of one thread with the engine that fits their number so far.
#[derive(Debug)]
pub struct Adaptive {
    filters: Vec<Filter<'static>>,
    machine: Machine,
    calls: Cell<u64>,
    predecoded: OnceCell<Predecoded>,
    specialised: OnceCell<Specialised>,
    only: Option<Kind>,
}

impl Adaptive {
    /// For a chain, the oldest filter first; with just one engine, if one is named.
    #[must_use]
    pub const fn new(filters: Vec<Filter<'static>>, machine: Machine, only: Option<Kind>) -> Self {
        Self {
            filters,
            machine,
            calls: Cell::new(0),
            predecoded: OnceCell::new(),
            specialised: OnceCell::new(),
            only,
        }
    }

    /// The engine that the next call meets.
    pub fn kind(&self) -> Kind {
        self.only.unwrap_or_else(|| Kind::for_calls(self.calls.get()))
    }

    /// Whether the next call makes an engine first, which takes memory.
    pub fn grows(&self) -> bool {
        match self.kind() {
            Kind::Reference => false,
            Kind::Predecoded => self.predecoded.get().is_none(),
            Kind::Specialised => self.specialised.get().is_none(),
        }
    }

    /// Decides about a call.
    pub fn decide(&self, call: &SeccompData) -> Decision {
        let kind = self.kind();
        if kind != Kind::Specialised {
            self.calls.set(self.calls.get().saturating_add(1).min(SPECIALISED_FROM));
        }
        match kind {
            Kind::Reference => Reference::new(&self.filters, self.machine).decide(call),
            Kind::Predecoded => {
                let made = self
                    .predecoded
                    .get_or_init(|| Predecoded::new(&self.filters, self.machine));
                made.decide(call)
            }
            Kind::Specialised => {
                let made = self
                    .specialised
                    .get_or_init(|| Specialised::new(&self.filters, self.machine));
                made.decide(call)
            }
        }
    }
}
