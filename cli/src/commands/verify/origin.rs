//! `explain --origin`: the line of a policy, or the instruction, that gives an answer.
//!
//! The filters are asked again with marks in place of data: each `ret #k` returns its action and a number of its own. A
//! chain compares actions alone, so it decides as before, and the number tells which return decided. For policies the
//! marks come from the text; see [`callproof::Compiled::traced`].

use std::collections::BTreeSet;

use callproof_abi::Abi;
use callproof_verifier::Limits;
use callproof_vm::isa::Op;
use callproof_vm::{Action, Chain, Filter, Insn, SeccompData};
use serde::Serialize;

use super::claims::Reached;
use super::explain::labelled;
use super::rules::{Rule, Section};
use super::text::verdict;
use crate::error::{Failure, Result};
use crate::input::{Loaded, Source};
use crate::settings::Settings;

/// The bits of a value that hold a mark.
const DATA: u32 = 0xffff;
/// The action that stands for ALLOW, of which the kernel drops the data.
const PERMITTED: u32 = 0x7ffe_0000;

/// Where answers come from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Origins {
    /// Where policies are not what their texts seem to say, with the places
    pub(crate) departures: Vec<String>,
    pub(crate) sections: Vec<Places>,
    /// Why there are no places
    pub(crate) missing: Option<String>,
    /// The limit that was reached; there are no places then
    pub(crate) limit: Option<Reached>,
}

/// The places that give answers to the calls of one ABI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Places {
    /// The ABI, or null for every architecture that is not listed
    pub(crate) abi: Option<&'static str>,
    pub(crate) entries: Vec<Entry>,
}

/// A place, and the calls that get their answer there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) place: String,
    pub(crate) verdict: String,
    /// Calls that get it whatever their arguments are; names, and ranges of numbers without one
    pub(crate) always: Vec<String>,
    /// Calls that get it by some arguments
    pub(crate) sometimes: Vec<String>,
    /// Whether the numbers that no call has get it too
    pub(crate) rest: bool,
}

/// What a mark stands for.
enum Mark {
    Policy(callproof::Origin),
    Return { place: String, value: u32 },
}

impl Mark {
    fn place(&self) -> &str {
        match self {
            Self::Policy(origin) => &origin.place,
            Self::Return { place, .. } => place,
        }
    }

    fn value(&self, abi: Option<Abi>) -> u32 {
        match self {
            Self::Policy(origin) => origin.value(abi).unwrap_or_default(),
            Self::Return { value, .. } => *value,
        }
    }
}

/// Where the answers of a chain come from.
pub(super) fn origins(loaded: &[Loaded], settings: &Settings, limits: &Limits) -> Origins {
    let mut departures = Vec::new();
    let first = |source: &&Source| source.index == 0;
    for source in loaded.iter().filter_map(|one| one.policy.as_ref()).filter(first) {
        departures.extend(source.compiled.policies.notes.iter().cloned());
    }
    let mut origins = Origins {
        departures,
        sections: Vec::new(),
        missing: None,
        limit: None,
    };
    match marked(loaded, settings) {
        Ok((programs, marks)) => match asked(&programs, &marks, settings, limits) {
            Ok(sections) => origins.sections = sections,
            Err(Open::Limit(reached)) => origins.limit = Some(reached),
            Err(Open::Failure(failure)) => origins.missing = Some(failure.to_string()),
        },
        Err(failure) => origins.missing = Some(failure.to_string()),
    }
    origins
}

/// Tells which line of a policy decides about a call.
pub(in crate::commands) struct Deciding {
    filters: Vec<Filter<'static>>,
    marks: Vec<Mark>,
}

impl Deciding {
    /// `None` when no filter was made of a policy, or when its places cannot be told apart.
    pub(in crate::commands) fn new(loaded: &[Loaded], settings: &Settings) -> Option<Self> {
        let of_policy = loaded.iter().any(|one| one.policy.is_some());
        let (programs, marks) = of_policy.then(|| marked(loaded, settings).ok())??;
        let load = |program: Vec<Insn>| Filter::load_on(settings.kernel, program).ok();
        let filters = programs.into_iter().map(load).collect::<Option<_>>()?;
        Some(Self { filters, marks })
    }

    /// The filters with marks, oldest first.
    pub(in crate::commands) fn filters(&self) -> &[Filter<'static>] {
        &self.filters
    }

    /// The places that none of these marks stands for, each once.
    pub(in crate::commands) fn others(&self, marks: &BTreeSet<u16>) -> Vec<String> {
        let used = (1_u16..).zip(&self.marks).filter(|(number, _)| marks.contains(number));
        let mut told: BTreeSet<&str> = used.map(|(_, mark)| mark.place()).collect();
        let places = self.marks.iter().map(Mark::place);
        places.filter(|place| told.insert(place)).map(str::to_owned).collect()
    }

    /// The place that decides about a call.
    pub(in crate::commands) fn place(&self, call: &SeccompData, settings: &Settings) -> Option<String> {
        let machine = settings.machine_of(settings.byte_order().of(call.arch));
        let value = Chain::new(&self.filters).run(call, machine).value;
        let mark = usize::try_from(value & DATA).ok()?.checked_sub(1)?;
        self.marks.get(mark).map(|mark| mark.place().to_owned())
    }
}

enum Open {
    Limit(Reached),
    Failure(Failure),
}

/// The filters with marks in place of data, and what the marks stand for, that of mark 1 first.
fn marked(loaded: &[Loaded], settings: &Settings) -> Result<(Vec<Vec<Insn>>, Vec<Mark>)> {
    let (mut programs, mut marks) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(one) = loaded.get(at) {
        match &one.policy {
            Some(source) => {
                let traced = source.compiled.traced()?;
                let before = marks.len();
                for mut program in traced.programs {
                    program.iter_mut().try_for_each(|insn| moved(insn, before))?;
                    programs.push(program);
                    at = at.saturating_add(1);
                }
                marks.extend(traced.origins.into_iter().map(Mark::Policy));
            }
            None => {
                // Numbered as `eval` numbers them.
                let name = match loaded.len() {
                    1 => one.name.clone(),
                    _ => format!("{} (filter {at})", one.name),
                };
                programs.push(of_filter(one, &name, &mut marks, settings)?);
                at = at.saturating_add(1);
            }
        }
    }
    Ok((programs, marks))
}

fn too_many() -> Failure {
    Failure::usage("there are more places than the data of a return value can tell apart")
}

/// A mark after those that were given out before.
fn moved(insn: &mut Insn, before: usize) -> Result<()> {
    if insn.op() == Some(Op::RetK) {
        let before = u32::try_from(before).map_err(|_| too_many())?;
        let mark = (insn.k & DATA).saturating_add(before);
        if mark > DATA {
            return Err(too_many());
        }
        insn.k = insn.k & !DATA | mark;
    }
    Ok(())
}

/// A filter whose returns have marks.
fn of_filter(one: &Loaded, name: &str, marks: &mut Vec<Mark>, settings: &Settings) -> Result<Vec<Insn>> {
    let mut program = one.program.clone();
    for (pc, insn) in program.iter_mut().enumerate() {
        match insn.op() {
            Some(Op::RetK) => {
                let value = insn.k;
                if value & !DATA == PERMITTED {
                    return Err(Failure::usage(format_args!(
                        "`{}` returns {value:#010x}, an unknown action that marks are made with",
                        one.name
                    )));
                }
                let place = format!("{name}, instruction {pc}");
                marks.push(Mark::Return { place, value });
                let mark = u32::try_from(marks.len()).unwrap_or(u32::MAX);
                if mark > DATA {
                    return Err(too_many());
                }
                let permits = Action::of(value, settings.kernel) == Action::Allow;
                insn.k = if permits { PERMITTED } else { value & !DATA } | mark;
            }
            Some(Op::RetA) => {
                return Err(Failure::usage(format_args!(
                    "`{}` computes what it returns (instruction {pc}), so no instruction stands for one answer",
                    one.name
                )));
            }
            _ => {}
        }
    }
    Ok(program)
}

fn asked(
    programs: &[Vec<Insn>],
    marks: &[Mark],
    settings: &Settings,
    limits: &Limits,
) -> core::result::Result<Vec<Places>, Open> {
    let load = |program: &'_ Vec<Insn>| {
        Filter::load_on(settings.kernel, program.clone()).map_err(|rejected| Open::Failure(Failure::bug(rejected)))
    };
    let filters: Vec<Filter<'_>> = programs.iter().map(load).collect::<core::result::Result<_, _>>()?;
    let label = |value: u32, _| value.to_string();
    let sections = labelled(&filters, settings, limits, &label);
    let sections = sections.map_err(|undecided| Open::Limit(Reached::new(undecided, limits)))?;
    let several = programs.len() > 1;
    Ok(sections
        .iter()
        .map(|section| places(section, marks, several, settings))
        .collect())
}

fn places(section: &Section, marks: &[Mark], several: bool, settings: &Settings) -> Places {
    let abi = section.abi.and_then(|name| Abi::from_name(name).ok());
    let mut entries: Vec<Entry> = Vec::new();
    for rule in &section.rules {
        for leaf in &rule.leaves {
            let mark = usize::try_from(leaf.value & DATA)
                .ok()
                .and_then(|mark| marks.get(mark.checked_sub(1)?));
            let Some(mark) = mark else { continue };
            let verdict = verdict(mark.value(abi), abi, settings.kernel);
            let everywhere = several && leaf.value & !DATA == PERMITTED;
            let place = if everywhere { "every filter" } else { mark.place() };
            let same = |entry: &&mut Entry| entry.place == place && entry.verdict == verdict;
            match entries.iter_mut().find(same) {
                Some(entry) => entry.add(rule, leaf.when.is_empty()),
                None => {
                    let mut entry = Entry {
                        place: place.to_owned(),
                        verdict,
                        always: Vec::new(),
                        sometimes: Vec::new(),
                        rest: false,
                    };
                    entry.add(rule, leaf.when.is_empty());
                    entries.push(entry);
                }
            }
        }
    }
    Places {
        abi: section.abi,
        entries,
    }
}

impl Entry {
    fn add(&mut self, rule: &Rule, always: bool) {
        self.rest |= rule.rest;
        let list = if always { &mut self.always } else { &mut self.sometimes };
        let calls = rule.calls.iter().filter(|call| !rule.rest && !list.contains(call));
        let calls: Vec<String> = calls.cloned().collect();
        list.extend(calls);
    }
}
