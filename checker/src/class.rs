//! Sets of values that a proof does not tell apart, and how the kernel orders values.

use alloc::vec::Vec;

use crate::Rejected;
use crate::agree::{Piece, spread};
use crate::bytes::Reader;
use crate::diagram::Edge;
use crate::format::{Machine, Relation, Set, set};

/// What counts for every result with the severity of ALLOW: its data is lost.
const ALLOW: u32 = 0x7fff_0000;
const HIGH: u32 = 0x8000_0000;
const MAX_CLASSES: usize = 65_536;
/// Where values lead that are in no class: no node of any table.
const NOWHERE: Edge = Edge { node: u32::MAX, add: 0 };

/// The classes of a proof. They do not overlap.
#[derive(Debug)]
pub(crate) struct Classes {
    classes: Vec<Class>,
    /// Where each result of a filter leads; all words, ascending
    pub(crate) results: Vec<Piece>,
}

/// Some values, with the least and the greatest rank among them.
#[derive(Debug)]
struct Class {
    values: Set,
    rank: (u32, u32),
}

/// How the kernel ranks a value: less is more severe.
const fn rank(value: u32, machine: &Machine) -> u32 {
    if machine.before_4_14 {
        value & ALLOW
    } else {
        (value & 0xffff_0000) ^ HIGH
    }
}

impl Class {
    fn read(r: &mut Reader<'_>, machine: &Machine) -> Result<Self, Rejected> {
        let mut values = set(r)?;
        if values.is_empty() {
            let only = r.u32()?;
            values.push((only, only));
        }
        // Within each half of the words the rank rises with the value.
        let low = values
            .iter()
            .map(|&(first, last)| (first, last.min(HIGH.wrapping_sub(1))));
        let high = values.iter().map(|&(first, last)| (first.max(HIGH), last));
        let halves = low.chain(high).filter(|(first, last)| first <= last);
        let rank = halves.fold((u32::MAX, 0), |(least, most), (first, last)| {
            (least.min(rank(first, machine)), most.max(rank(last, machine)))
        });
        Ok(Self { values, rank })
    }

    /// Whether every value is in the set.
    fn inside(&self, set: &Set) -> bool {
        self.values.iter().all(|&(first, last)| {
            let range = set.get(set.partition_point(|range| range.1 < first));
            range.is_some_and(|range| range.0 <= first && last <= range.1)
        })
    }

    /// Whether no value is in the set.
    fn outside(&self, set: &Set) -> bool {
        self.values.iter().all(|&(first, last)| {
            let range = set.get(set.partition_point(|range| range.1 < first));
            range.is_none_or(|range| last < range.0)
        })
    }
}

impl Classes {
    pub(crate) fn read(r: &mut Reader<'_>, machine: &Machine) -> Result<Self, Rejected> {
        let classes = r.list(|r| Class::read(r, machine))?;
        let mut ranges: Vec<(u32, u32, Edge)> = Vec::new();
        for (node, class) in (0_u32..).zip(&classes) {
            let to = Edge { node, add: 0 };
            ranges.extend(class.values.iter().map(|&(first, last)| (first, last, to)));
        }
        ranges.sort_unstable_by_key(|range| range.0);
        let apart = ranges.is_sorted_by(|one, next| one.1 < next.0);
        if !apart || classes.len() > MAX_CLASSES {
            return Err(r.unreadable("two classes overlap, or there are more than 65,536"));
        }
        let allow = ranges.iter().find(|range| range.0 <= ALLOW && ALLOW <= range.1);
        let allow = allow.map_or(NOWHERE, |range| range.2);
        for start in [Some(ALLOW), machine.before_4_14.then_some(ALLOW | HIGH)]
            .into_iter()
            .flatten()
        {
            let end = start | 0xffff;
            let outside = |(first, last, to): (u32, u32, Edge)| {
                let after = end.checked_add(1).map(|after| (first.max(after), last, to));
                [Some((first, last.min(start.wrapping_sub(1)), to)), after]
            };
            ranges = ranges.into_iter().flat_map(outside).flatten().collect();
            ranges.retain(|range| range.0 <= range.1);
            ranges.push((start, end, allow));
        }
        ranges.sort_unstable_by_key(|range| range.0);
        let results = spread(ranges, NOWHERE);
        Ok(Self { classes, results })
    }

    pub(crate) const fn len(&self) -> usize {
        self.classes.len()
    }

    /// Where a filter's result leads: to the class that holds what it counts for.
    pub(crate) fn of(&self, value: u32) -> Result<Edge, Rejected> {
        let piece = self
            .results
            .get(self.results.partition_point(|piece| piece.last < value));
        let to = piece.map(|piece| piece.to).filter(|to| *to != NOWHERE);
        to.ok_or_else(|| Rejected::wrong("a value is returned that is in no class"))
    }

    /// The class of the combination of an older and a newer filter's values, if the classes tell.
    pub(crate) fn combine(&self, older: Edge, newer: Edge) -> Option<Edge> {
        let (old, new) = (self.get(older)?, self.get(newer)?);
        if older == newer || new.rank.1 <= old.rank.0 {
            Some(newer)
        } else {
            (old.rank.1 < new.rank.0).then_some(older)
        }
    }

    fn get(&self, terminal: Edge) -> Option<&Class> {
        self.classes.get(terminal.node as usize)
    }

    /// Whether the relation holds for every value of the one and every value of the other class.
    ///
    /// A relation about one value looks at the left one. Relations that are not about values hold nowhere.
    pub(crate) fn relate(&self, relation: &Relation, left: Edge, right: Edge) -> bool {
        let (Some(l), Some(r)) = (self.get(left), self.get(right)) else {
            return false;
        };
        match relation {
            Relation::Within(set) => l.inside(set),
            Relation::Equal(set) => {
                let single = matches!(l.values.as_slice(), [(first, last)] if first == last);
                left == right && single || l.outside(set)
            }
            Relation::SameAction => l.rank == r.rank && l.rank.0 == l.rank.1,
            Relation::Refines => l.rank.1 <= r.rank.0,
            Relation::Implies(set) => l.outside(set) || r.inside(set),
            Relation::Cost(_) | Relation::CostAtLeast(_) | Relation::Never(_) => false,
        }
    }

    /// Whether the relation is one between two values and holds whenever both are in the same class.
    pub(crate) fn reflexive(&self, relation: &Relation) -> bool {
        let mut each = (0_u32..).take(self.classes.len()).map(|node| Edge { node, add: 0 });
        let of_one = relation.is_about_cost() || matches!(relation, Relation::Within(_) | Relation::Never(_));
        !of_one && each.all(|class| self.relate(relation, class, class))
    }
}
