//! Installed filters. Each knows the one below it, so that threads share what they inherited.

use alloc::vec::Vec;
use core::iter::successors;

use crate::admit::Filter;
use crate::insn::Insn;
use crate::kernel::Kernel;
use crate::length::budget_left;

/// An installed filter of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilterId(usize);

/// The receiving end of a filter's notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    None,
    Open,
    Closed,
}

#[derive(Clone, Debug)]
pub(super) struct Installed {
    pub(super) filter: Filter<'static>,
    pub(super) below: Option<FilterId>,
    pub(super) flags: u32,
    pub(super) listener: Listener,
}

/// Every filter that was ever installed. Chains only grow, so nothing is taken out.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains(Vec<Installed>);

impl Chains {
    pub(super) fn push(&mut self, installed: Installed) -> FilterId {
        let id = FilterId(self.0.len());
        self.0.push(installed);
        id
    }

    pub(super) fn get(&self, id: FilterId) -> Option<&Installed> {
        self.0.get(id.0)
    }

    pub(super) fn get_mut(&mut self, id: FilterId) -> Option<&mut Installed> {
        self.0.get_mut(id.0)
    }

    /// The chain that ends in a filter, newest first.
    pub(super) fn newest_first(&self, newest: Option<FilterId>) -> impl Iterator<Item = (FilterId, &Installed)> {
        let with = |id: FilterId| self.get(id).map(|installed| (id, installed));
        successors(newest.and_then(with), move |(_, installed)| {
            installed.below.and_then(with)
        })
    }

    /// The chain that ends in a filter, oldest first.
    pub(super) fn oldest_first(&self, newest: Option<FilterId>) -> Vec<FilterId> {
        let mut chain: Vec<FilterId> = self.newest_first(newest).map(|(id, _)| id).collect();
        chain.reverse();
        chain
    }

    /// Whether a filter is part of the chain that ends in `newest`.
    pub(super) fn contains(&self, newest: Option<FilterId>, filter: FilterId) -> bool {
        self.newest_first(newest).any(|(id, _)| id == filter)
    }

    /// The filter of a chain whose listener is open. There is at most one.
    pub(super) fn listening(&self, newest: Option<FilterId>) -> Option<FilterId> {
        self.newest_first(newest)
            .find(|(_, installed)| installed.listener == Listener::Open)
            .map(|(id, _)| id)
    }

    pub(super) fn budget_left(&self, newest: Option<FilterId>, kernel: Kernel) -> u32 {
        let charged = |(_, installed): (FilterId, &Installed)| installed.filter.charged_len(kernel);
        budget_left(self.newest_first(newest).map(charged))
    }

    pub(super) fn programs(&self, newest: Option<FilterId>) -> impl Iterator<Item = &[Insn]> {
        self.newest_first(newest)
            .map(|(_, installed)| installed.filter.program())
    }
}
