//! The specialised engine: what each call number gets is worked out once.
//!
//! For every architecture word and every window of 512 numbers that a chain compares with, there is a table. A number
//! whose way through all filters tests no argument has its decision there. For the others a residual program is kept
//! ([`residual`]). Calls outside of the tables, and numbers for which a limit was reached, are left to the pre-decoded
//! engine.

mod live;
mod numbers;
mod residual;
mod shape;
mod state;
mod walk;

use callproof_vm::{Filter, Insn, Kernel, Machine, SeccompData, Verdict, combine};

use crate::engine::{Decision, Engine};
use crate::predecoded::{Outcome, Predecoded};
use live::live;
use numbers::{Numbers, WINDOW};
use residual::{Id, Residuals, Source};
use shape::Reach;
use state::Calls;
use walk::{Fate, fates};

/// The longest chain that gets tables.
const MAX_FILTERS: usize = 128;
/// The most parts of all numbers that need residual programs.
const MAX_PARTS: usize = 16_384;
/// The most different verdicts.
const MAX_VERDICTS: usize = 256;

/// A chain of filters, evaluated as far as possible for each call number.
#[derive(Clone, Debug)]
pub struct Specialised {
    reach: Reach,
    /// [`WINDOW`] entries for each window, of each architecture word, and once more for all other words
    entries: Box<[Entry]>,
    verdicts: Vec<Verdict>,
    parts: Vec<Part>,
    residuals: Residuals,
    whole: Predecoded,
    machine: Machine,
}

/// What a number gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// The decision, whatever the arguments
    Known { value: u32, verdict: u16, insns: u32 },
    /// The only filter depends on arguments
    Depends { root: Id, before: u32 },
    /// Some filters do
    Parts { first: u16, len: u16 },
    /// Ask the pre-decoded engine
    Whole,
}

/// What one filter, or some that follow each other, make of a number. The newest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Known {
        filter: Option<u16>,
        value: u32,
        insns: u32,
    },
    Depends {
        filter: u16,
        root: Id,
        before: u32,
    },
}

/// How a [`Specialised`] engine came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Numbers in the tables whose decision is known
    pub known: usize,
    /// Numbers with residual programs
    pub residual: usize,
    /// Numbers that are left to the pre-decoded engine
    pub whole: usize,
    /// Nodes of all residual programs
    pub nodes: usize,
    /// The memory that all of it takes, in bytes: below 900,000 and what [`Predecoded::memory`] takes
    pub memory: usize,
}

impl Specialised {
    /// An engine for a chain, the oldest filter first. The work is bounded: see the limits in this module.
    #[must_use]
    pub fn new(filters: &[Filter<'_>], machine: Machine) -> Self {
        let mut made = Self {
            reach: Reach::of(filters),
            entries: Box::default(),
            verdicts: Vec::new(),
            parts: Vec::new(),
            residuals: Residuals::new(machine),
            whole: Predecoded::new(filters, machine),
            machine,
        };
        let programs: Vec<&[Insn]> = filters.iter().map(Filter::program).collect();
        if programs.len() <= MAX_FILTERS {
            made.entries = made.tables(&programs).into();
        }
        made
    }

    /// Whether a call of this number and ABI gets the same decision, on the same way through every filter, whatever its
    /// arguments and instruction pointer are. `false` where it was not worked out.
    #[must_use]
    pub fn is_settled(&self, call: &SeccompData) -> bool {
        matches!(self.find(call), Entry::Known { .. })
    }

    /// How it came out.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let count = |wanted: fn(&Entry) -> bool| self.entries.iter().filter(|entry| wanted(entry)).count();
        let tables = size_of_val(&*self.entries)
            .saturating_add(size_of_val(&*self.parts))
            .saturating_add(size_of_val(&*self.verdicts));
        Shape {
            known: count(|entry| matches!(entry, Entry::Known { .. })),
            residual: count(|entry| matches!(entry, Entry::Depends { .. } | Entry::Parts { .. })),
            whole: count(|entry| matches!(entry, Entry::Whole)),
            nodes: self.residuals.len(),
            memory: tables
                .saturating_add(self.residuals.memory())
                .saturating_add(self.whole.memory()),
        }
    }

    fn tables(&mut self, programs: &[&[Insn]]) -> Vec<Entry> {
        let lives: Vec<_> = programs.iter().map(|program| live(program)).collect();
        let sources: Vec<Source<'_>> = programs
            .iter()
            .zip(&lives)
            .enumerate()
            .map(|(filter, (program, live))| Source { filter, program, live })
            .collect();
        let reach = self.reach.clone();
        let words = reach.arches.iter().copied().map(Some).chain([None]);
        let mut entries = Vec::new();
        for (arch, window) in words.flat_map(|arch| reach.windows.iter().map(move |window| (arch, *window))) {
            let calls = Calls {
                arch,
                arches: &reach.arches,
                numbers: Numbers::all(window),
            };
            self.table(&sources, calls, &mut entries);
        }
        entries
    }

    /// The entries of one window.
    fn table(&mut self, sources: &[Source<'_>], calls: Calls<'_>, entries: &mut Vec<Entry>) {
        let mut columns = Vec::with_capacity(sources.len());
        for source in sources.iter().rev() {
            columns.push((source.filter, fates(*source, calls, &mut self.residuals)));
        }
        for place in 0..WINDOW {
            let fates = columns
                .iter()
                .map(|(filter, fates)| (*filter, fates.get(place).copied()));
            let entry = self.entry(fates).unwrap_or(Entry::Whole);
            entries.push(entry);
        }
    }

    /// The entry of a number, of what each filter makes of it; nothing when one is open or there is no room.
    fn entry(&mut self, fates: impl Iterator<Item = (usize, Option<Fate>)>) -> Option<Entry> {
        let mut parts: Vec<Part> = Vec::new();
        for (filter, fate) in fates {
            let filter = u16::try_from(filter).ok()?;
            let part = match fate? {
                Fate::Open => return None,
                Fate::Depends { root, before } => Part::Depends { filter, root, before },
                Fate::Known(Outcome { value, insns }) => Part::Known {
                    filter: Some(filter),
                    value,
                    insns,
                },
            };
            match (parts.last_mut(), part) {
                (Some(last @ Part::Known { .. }), Part::Known { .. }) => *last = last.with(part, self.machine.kernel),
                _ => parts.push(part),
            }
        }
        match parts.as_slice() {
            &[Part::Known { filter, value, insns }] => {
                let verdict = verdict_of([(filter, value)], self.machine.kernel);
                let number = self.verdict(verdict)?;
                Some(Entry::Known {
                    value: verdict.value,
                    verdict: number,
                    insns,
                })
            }
            &[
                Part::Depends {
                    filter: 0,
                    root,
                    before,
                },
            ] => Some(Entry::Depends { root, before }),
            parts => self.parts(parts),
        }
    }

    /// Keeps a verdict, and tells its number.
    fn verdict(&mut self, verdict: Verdict) -> Option<u16> {
        let known = self.verdicts.iter().position(|known| *known == verdict);
        let number = known.unwrap_or(self.verdicts.len());
        if known.is_none() && number < MAX_VERDICTS {
            self.verdicts.push(verdict);
        }
        u16::try_from(number).ok().filter(|_| number < MAX_VERDICTS)
    }

    fn parts(&mut self, parts: &[Part]) -> Option<Entry> {
        let first = u16::try_from(self.parts.len()).ok()?;
        let len = u16::try_from(parts.len()).ok()?;
        if self.parts.len().saturating_add(parts.len()) > MAX_PARTS {
            return None;
        }
        self.parts.extend_from_slice(parts);
        Some(Entry::Parts { first, len })
    }

    /// What stands in the table for a call.
    #[inline]
    fn find(&self, call: &SeccompData) -> Entry {
        let Reach { arches, windows } = &self.reach;
        let row = arches.iter().position(|&arch| arch == call.arch);
        let row = row.unwrap_or(arches.len()).wrapping_mul(windows.len());
        let number = call.nr.cast_unsigned() as usize;
        // Most calls are in the first window.
        let column = if number < WINDOW { Some(0) } else { self.column(number) };
        let place = column.map(|column| {
            row.wrapping_add(column)
                .wrapping_mul(WINDOW)
                .wrapping_add(number % WINDOW)
        });
        let entry = place.and_then(|place| self.entries.get(place));
        entry.copied().unwrap_or(Entry::Whole)
    }

    /// The window of a number.
    #[inline(never)]
    fn column(&self, number: usize) -> Option<usize> {
        let windows = &self.reach.windows;
        windows.iter().position(|&window| window as usize == number / WINDOW)
    }

    /// The value of a call that needs several filters or all of one, kept out of the way of the others.
    #[inline(never)]
    fn rare(&self, entry: Entry, call: &SeccompData) -> u32 {
        match entry {
            Entry::Parts { first, len } => self.judge(first, len, call).verdict.value,
            _ => self.whole.value(call),
        }
    }

    fn judge(&self, first: u16, len: u16, call: &SeccompData) -> Decision {
        let parts = self
            .parts
            .get(usize::from(first)..)
            .and_then(|parts| parts.get(..usize::from(len)));
        let mut insns = 0_u64;
        let values = parts.unwrap_or_default().iter().map(|part| match *part {
            Part::Known {
                filter,
                value,
                insns: more,
            } => {
                insns = insns.wrapping_add(u64::from(more));
                (filter, value)
            }
            Part::Depends { filter, root, before } => {
                let outcome = self.residuals.run(root, call, self.whole.programs());
                insns = insns
                    .wrapping_add(u64::from(before))
                    .wrapping_add(u64::from(outcome.insns));
                (Some(filter), outcome.value)
            }
        });
        let verdict = verdict_of(values, self.machine.kernel);
        Decision { verdict, insns }
    }
}

impl Engine for Specialised {
    fn decide(&self, call: &SeccompData) -> Decision {
        match self.find(call) {
            Entry::Known { verdict, insns, .. } => match self.verdicts.get(usize::from(verdict)) {
                Some(verdict) => Decision {
                    verdict: *verdict,
                    insns: u64::from(insns),
                },
                None => self.whole.decide(call),
            },
            Entry::Depends { root, before } => {
                let outcome = self.residuals.run(root, call, self.whole.programs());
                Decision {
                    verdict: combine([(0, outcome.value)], self.machine.kernel),
                    insns: u64::from(before).wrapping_add(u64::from(outcome.insns)),
                }
            }
            Entry::Parts { first, len } => self.judge(first, len, call),
            Entry::Whole => self.whole.decide(call),
        }
    }

    #[inline]
    fn value(&self, call: &SeccompData) -> u32 {
        match self.find(call) {
            Entry::Known { value, .. } => value,
            Entry::Depends { root, .. } => self.residuals.value(root, call, self.whole.programs()),
            other => self.rare(other, call),
        }
    }
}

/// Combines values, the newest filter's first. Where none is named, the value is that of ALLOW and changes nothing.
fn verdict_of(values: impl IntoIterator<Item = (Option<u16>, u32)>, kernel: Kernel) -> Verdict {
    let values = values.into_iter();
    let named = values.filter_map(|(filter, value)| Some((usize::from(filter?), value)));
    combine(named, kernel)
}

impl Part {
    /// What two known parts are together, this one being of the newer filters.
    fn with(self, older: Self, kernel: Kernel) -> Self {
        match (self, older) {
            (
                Self::Known { filter, value, insns },
                Self::Known {
                    filter: other,
                    value: second,
                    insns: more,
                },
            ) => {
                let verdict = verdict_of([(filter, value), (other, second)], kernel);
                Self::Known {
                    filter: verdict.filter.and_then(|filter| u16::try_from(filter).ok()),
                    value: verdict.value,
                    insns: insns.wrapping_add(more),
                }
            }
            _ => self,
        }
    }
}
