//! Sets of values that a proof does not tell apart, and how the kernel orders values.

use alloc::vec::Vec;

use crate::Rejected;
use crate::bytes::Reader;
use crate::format::{Machine, Relation, Set, set};

/// What counts for every result with the severity of ALLOW: its data is lost.
const ALLOW: u32 = 0x7fff_0000;
const MAX_CLASSES: usize = 65_536;

/// The classes of a proof. They do not overlap.
#[derive(Debug)]
pub(crate) struct Classes {
    classes: Vec<Class>,
    /// First and last value and number of its class, ascending
    ranges: Vec<(u32, u32, u32)>,
    /// How the kernel ranks values
    ranking: Ranking,
}

/// Some values.
#[derive(Debug)]
struct Class {
    values: Set,
    /// Least and greatest severity number
    severity: (u32, u32),
}

/// How the kernel ranks values: less is more severe.
#[derive(Clone, Copy, Debug)]
struct Ranking {
    before_4_14: bool,
}

impl Ranking {
    /// The rank of a value, moved so that it compares as an unsigned number.
    const fn of(self, value: u32) -> u32 {
        if self.before_4_14 {
            value & ALLOW
        } else {
            (value & 0xffff_0000) ^ 0x8000_0000
        }
    }

    /// Least and greatest rank of the values of a set.
    fn span(self, values: &Set) -> (u32, u32) {
        // Within each half of the words the rank rises with the value.
        let half = 0x8000_0000_u32;
        let low = values
            .iter()
            .map(|&(first, last)| (first, last.min(half.wrapping_sub(1))));
        let high = values.iter().map(|&(first, last)| (first.max(half), last));
        let halves = low.chain(high).filter(|(first, last)| first <= last);
        halves.fold((u32::MAX, 0), |(least, most), (first, last)| {
            (least.min(self.of(first)), most.max(self.of(last)))
        })
    }
}

impl Classes {
    pub(crate) fn read(r: &mut Reader<'_>, machine: &Machine) -> Result<Self, Rejected> {
        let ranking = Ranking {
            before_4_14: machine.before_4_14,
        };
        let classes = r.list(|r| class(r, ranking))?;
        let mut ranges = Vec::new();
        for (number, class) in (0_u32..).zip(&classes) {
            ranges.extend(class.values.iter().map(|&(first, last)| (first, last, number)));
        }
        ranges.sort_unstable();
        let apart = ranges.is_sorted_by(|one, next| one.1 < next.0);
        if !apart || classes.len() > MAX_CLASSES {
            return Err(r.unreadable("two classes overlap, or there are more than 65,536"));
        }
        Ok(Self {
            classes,
            ranges,
            ranking,
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.classes.len()
    }

    /// The class that holds everything a filter's results from `first` to `last` count for.
    pub(crate) fn of(&self, first: u32, last: u32) -> Option<u32> {
        let allow = [Some(ALLOW), self.ranking.before_4_14.then_some(ALLOW | 0x8000_0000)];
        let mut class = None;
        for start in allow.into_iter().flatten() {
            let end = start | 0xffff;
            if start <= last && first <= end {
                class = Some(self.holding(ALLOW, ALLOW)?);
                if start <= first && last <= end {
                    return class;
                }
            }
        }
        let holding = self.holding(first, last);
        holding.filter(|holding| class.is_none_or(|class| class == *holding))
    }

    fn holding(&self, first: u32, last: u32) -> Option<u32> {
        let index = self.ranges.partition_point(|range| range.1 < first);
        let &(start, end, class) = self.ranges.get(index)?;
        (start <= first && last <= end).then_some(class)
    }

    fn get(&self, number: u32) -> Option<&Class> {
        self.classes.get(number as usize)
    }

    /// The class of the combination of an older and a newer filter's values, if the classes tell.
    pub(crate) fn combine(&self, older: u32, newer: u32) -> Option<u32> {
        if older == newer {
            return Some(newer);
        }
        let (old, new) = (self.get(older)?, self.get(newer)?);
        if new.severity.1 <= old.severity.0 {
            Some(newer)
        } else {
            (old.severity.1 < new.severity.0).then_some(older)
        }
    }

    /// Whether the relation holds for every value of the one and every value of the other class.
    ///
    /// A relation about one value looks at the left one. Relations that are not about values hold nowhere.
    pub(crate) fn relate(&self, relation: &Relation, left: u32, right: u32) -> bool {
        let (Some(l), Some(r)) = (self.get(left), self.get(right)) else {
            return false;
        };
        match relation {
            Relation::Within(set) => l.inside(set),
            Relation::Equal => left == right && matches!(l.values.as_slice(), [(first, last)] if first == last),
            Relation::SameAction => l.severity == r.severity && l.severity.0 == l.severity.1,
            Relation::Refines => l.severity.1 <= r.severity.0,
            Relation::Implies(set) => l.outside(set) || r.inside(set),
            Relation::Cost(_) | Relation::Never(_) => false,
        }
    }

    /// Whether the relation is one between two values and holds whenever both are in the same class.
    pub(crate) fn reflexive(&self, relation: &Relation) -> bool {
        let mut each = (0_u32..).take(self.classes.len());
        match relation {
            Relation::Equal | Relation::SameAction | Relation::Refines | Relation::Implies(_) => {
                each.all(|number| self.relate(relation, number, number))
            }
            Relation::Within(_) | Relation::Cost(_) | Relation::Never(_) => false,
        }
    }
}

fn class(r: &mut Reader<'_>, ranking: Ranking) -> Result<Class, Rejected> {
    let mut values = set(r)?;
    if values.is_empty() {
        let only = r.u32()?;
        values.push((only, only));
    }
    let severity = ranking.span(&values);
    Ok(Class { values, severity })
}

impl Class {
    fn inside(&self, set: &Set) -> bool {
        self.values.iter().all(|&(first, last)| {
            let range = set.get(set.partition_point(|range| range.1 < first));
            range.is_some_and(|range| range.0 <= first && last <= range.1)
        })
    }

    fn outside(&self, set: &Set) -> bool {
        self.values.iter().all(|&(first, last)| {
            let range = set.get(set.partition_point(|range| range.1 < first));
            range.is_none_or(|range| last < range.0)
        })
    }
}
