//! Named sets of calls or values, and the surroundings in which a predicate gets its meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::predicate::{AbiItem, AbiList, CallPattern};
use crate::span::Span;

/// One member of a named set.
///
/// A set serves as calls (`deny @tracing`) or as values (`socket(@families, _, _)`): what a bare word means follows
/// from where the set is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A call, several by `*`, or a constant
    Word(String, Span),
    /// A number
    Number(i128, Span),
    /// Numbers, both ends included
    Range(i128, i128, Span),
    /// All members of another set
    Set(String, Span),
    /// Calls with conditions on their arguments; serves as calls only
    Call(CallPattern),
}

/// Sets by name. Copies share what they hold until one of them is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    sets: Arc<BTreeMap<String, Vec<Member>>>,
}

impl Sets {
    /// Defines a set, or defines it anew.
    pub fn insert(&mut self, name: impl Into<String>, members: Vec<Member>) {
        Arc::make_mut(&mut self.sets).insert(name.into(), members);
    }

    /// The members of a set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[Member]> {
        self.sets.get(name).map(Vec::as_slice)
    }

    /// The names of all sets, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str)
    }
}

/// What a predicate needs to know of its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// The ABIs in force for a predicate that names none; itself without `other`
    pub abis: AbiList,
    /// The sets that can be named
    pub sets: Sets,
}

impl Env {
    /// No sets, and these ABIs in force.
    #[must_use]
    pub fn new(abis: AbiList) -> Self {
        let sets = Sets::default();
        Self { abis, sets }
    }
}

impl Default for Env {
    /// No sets, and every possible input in force.
    fn default() -> Self {
        Self::new(AbiList::of([AbiItem::Any]))
    }
}
