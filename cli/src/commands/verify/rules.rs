//! What functions say, by ABI and call, as conditions to read.

use callproof_abi::Abi;
use callproof_verifier::{
    Arches, Condition, Decision, Function, Ranges, Relation, Set, Space, Undecided, Verdicts, WordTest,
};
use callproof_vm::{Endian, SeccompData};
use serde::Serialize;

use super::leaves::{Leaf, leaves};
use super::live::Live;
use super::text::{calls, clip, condition_text, register_text};
use crate::settings::{Settings, abi_endian};

/// What the calls of one ABI get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Section {
    /// The ABI, or null for every architecture that is not listed
    pub(crate) abi: Option<&'static str>,
    pub(crate) rules: Vec<Rule>,
}

/// What some calls get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// Names of calls, and ranges of numbers without one
    pub(crate) calls: Vec<String>,
    /// All the numbers, both ends included
    pub(crate) numbers: Vec<(u32, u32)>,
    /// Whether these are the numbers that no other rule has
    pub(crate) rest: bool,
    pub(crate) then: Tree,
    /// How a value comes about, and whether that is so in every byte order of the architectures
    #[serde(skip)]
    pub(crate) decision: (Decision, bool),
    /// The values that it comes to, with their conditions
    #[serde(skip)]
    pub(crate) leaves: Vec<Leaf>,
    /// A call for each value but 0 that shows it, where calls are wanted
    #[serde(skip)]
    pub(crate) examples: Vec<(u32, SeccompData)>,
    /// The same, replayed
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) witnesses: Vec<Differing>,
}

/// A call that two sides answer differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Differing {
    /// The call in words; `callproof eval` reads it
    pub(crate) call: String,
    /// The verdict of the left side
    pub(crate) left: String,
    /// The verdict of the right side
    pub(crate) right: String,
    /// What the running kernel says of the left side and of the right side, when it was asked
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) live: Vec<Live>,
}

/// A verdict, or how it depends on arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tree {
    Verdict(String),
    Split {
        /// What is looked at
        on: String,
        /// The first case that applies
        cases: Vec<Case>,
    },
    /// It is one of these, by relations that have no short description
    OneOf(Vec<String>),
}

/// A case of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Case {
    pub(crate) when: String,
    pub(crate) then: Tree,
}

/// What a value is called on an ABI.
pub(super) type Label<'l> = dyn Fn(u32, Option<Abi>) -> String + 'l;

/// The bit of an architecture word that its little-endian ABIs have (`__AUDIT_ARCH_LE`).
const LITTLE: u32 = 0x4000_0000;

/// The regions of one architecture as they come.
type Raw = Vec<(Ranges, Decision)>;

/// For each of them, calls.
type Examples = Vec<Vec<(u32, SeccompData)>>;

/// A function for each byte order, made when it is needed.
pub(super) type Build<'b> = dyn FnMut(Endian) -> Result<(Space, Function), Undecided> + 'b;

/// What a function says on the ABIs asked for, or on those that it tells from the rest, and then on all others. With
/// `examples`, each rule has a call for each value that it comes to, but for value 0. A section has no rules when every
/// label in it is empty.
pub(super) fn sections(
    build: &mut Build<'_>,
    settings: &Settings,
    label: &Label<'_>,
    examples: bool,
) -> Result<Vec<Section>, Undecided> {
    let given = settings.abis_given();
    let abis = given.unwrap_or(Abi::ALL);
    let mut rest: Vec<(Endian, Raw, Examples)> = Vec::new();
    let mut found: Vec<(Abi, Raw, Examples, bool)> = Vec::new();
    for endian in [Endian::Little, Endian::Big] {
        let here: Vec<Abi> = abis.iter().copied().filter(|abi| abi_endian(*abi) == endian).collect();
        if here.is_empty() && given.is_some() {
            continue;
        }
        let (mut space, function) = build(endian)?;
        let wanted = Wanted {
            here: &here,
            all: abis,
            others: (!settings.one_order()).then_some(endian),
        };
        let (of_abis, others) = raw(&mut space, &function, &wanted)?;
        let mut shown = |raw: &Raw, abi| match examples {
            true => shown_by(&mut space, &function, raw, abi, &wanted),
            false => Ok(Examples::new()),
        };
        for (abi, raw) in of_abis {
            let (shown, told) = (shown(&raw, Some(abi))?, raw != others);
            found.push((abi, raw, shown, told));
        }
        let shown = if given.is_none() {
            shown(&others, None)?
        } else {
            Examples::new()
        };
        rest.push((endian, others, shown));
    }
    let keep = |(abi, _, _, told): &(Abi, Raw, Examples, bool)| match given {
        Some(_) => true,
        None if found.iter().any(|(_, _, _, told)| *told) => *told,
        None => settings.abis().contains(abi),
    };
    let of_abi = |(abi, raw, shown, _): &(Abi, Raw, Examples, bool)| section(Some(*abi), raw, shown, label);
    let mut sections: Vec<Section> = found.iter().filter(|one| keep(one)).map(of_abi).collect();
    if given.is_none() {
        sections.push(others(&rest, label));
    }
    Ok(sections)
}

/// Of which ABIs and architectures something is wanted in one byte order.
struct Wanted<'w> {
    /// The ABIs
    here: &'w [Abi],
    /// All ABIs that are told from the rest
    all: &'w [Abi],
    /// The byte order of the other architectures that are meant; `None` for all of them
    others: Option<Endian>,
}

impl Wanted<'_> {
    /// Whether one of the other architectures in some ranges is meant.
    fn has(&self, ranges: &Ranges) -> bool {
        let next = |word: u32| (u64::from(word) >> 30).saturating_add(1) << 30;
        let of =
            |endian, (low, high): &(u32, u32)| Endian::of_audit_arch(*low) == endian || next(*low) <= u64::from(*high);
        self.others
            .is_none_or(|endian| ranges.iter().any(|range| of(endian, range)))
    }
}

/// What all architectures get that are not listed. Where the byte order matters, conditions say so.
fn others(rest: &[(Endian, Raw, Examples)], label: &Label<'_>) -> Section {
    let of_orders: Vec<(Endian, Vec<Rule>)> = rest
        .iter()
        .map(|(endian, raw, examples)| (*endian, section(None, raw, examples, label).rules))
        .collect();
    let in_all = |rule: &Rule| {
        of_orders
            .iter()
            .all(|(_, rules)| rules.iter().any(|other| other.says(rule)))
    };
    let mut rules: Vec<Rule> = Vec::new();
    for (endian, of_order) in &of_orders {
        for rule in of_order {
            let mut rule = rule.clone();
            if !in_all(&rule) {
                let order = match endian {
                    Endian::Little => "the machine is little-endian",
                    Endian::Big => "the machine is big-endian",
                };
                rule.decision.1 = false;
                rule.leaves.iter_mut().for_each(|leaf| leaf.narrow(order));
            } else if rules.iter().any(|other| other.says(&rule)) {
                continue;
            }
            rules.push(rule);
        }
    }
    rules.sort_by_key(|rule| rule.rest);
    Section { abi: None, rules }
}

impl Rule {
    /// Whether it says the same of the same numbers.
    fn says(&self, other: &Self) -> bool {
        self.numbers == other.numbers && self.then == other.then
    }
}

fn raw(space: &mut Space, function: &Function, wanted: &Wanted<'_>) -> Result<(Vec<(Abi, Raw)>, Raw), Undecided> {
    let mut arches: Vec<u32> = wanted.all.iter().map(|abi| abi.audit_arch()).collect();
    arches.sort_unstable();
    arches.dedup();
    let own = |arches: &Arches| match arches {
        Arches::One(arch) => wanted.here.iter().any(|abi| abi.audit_arch() == *arch),
        Arches::Others(ranges) => wanted.has(ranges),
    };
    let mut known: Vec<(Arches, Ranges, Decision)> = Vec::new();
    for region in space.regions(function, &arches)? {
        if own(&region.arches) {
            let decision = space.decision(&region)?;
            known.push((region.arches, region.numbers, decision));
        }
    }
    let of = |wanted: &dyn Fn(&Arches) -> bool| -> Raw {
        let own = known.iter().filter(|(arches, _, _)| wanted(arches));
        own.map(|(_, numbers, decision)| (numbers.clone(), decision.clone()))
            .collect()
    };
    let one = |abi: &Abi| (*abi, of(&|arches| *arches == Arches::One(abi.audit_arch())));
    let rest = of(&|arches| matches!(arches, Arches::Others(_)));
    Ok((wanted.here.iter().map(one).collect(), rest))
}

/// The calls of an ABI, or of the other architectures that are wanted.
fn within(space: &mut Space, abi: Option<Abi>, wanted: &Wanted<'_>) -> Result<Set, Undecided> {
    if let Some(abi) = abi {
        return space.arch(abi.audit_arch());
    }
    let mut arch = match wanted.others {
        None => Set::ALL,
        Some(endian) => {
            let little = space.word(&WordTest {
                word: 1,
                relation: Relation::Equal,
                mask: LITTLE,
                value: LITTLE,
            })?;
            match endian {
                Endian::Little => little,
                Endian::Big => space.not(little)?,
            }
        }
    };
    for other in wanted.all {
        let other = space.arch(other.audit_arch())?;
        arch = space.minus(arch, other)?;
    }
    Ok(arch)
}

/// For each region, a call for each of its values but 0.
fn shown_by(
    space: &mut Space,
    function: &Function,
    raw: &Raw,
    abi: Option<Abi>,
    wanted: &Wanted<'_>,
) -> Result<Examples, Undecided> {
    let arch = within(space, abi, wanted)?;
    let mut examples = Examples::new();
    for (numbers, decision) in raw {
        let mut calls = Set::EMPTY;
        for (from, to) in clip(numbers, abi) {
            let range = space.numbers(from, to)?;
            calls = space.or(calls, range)?;
        }
        let calls = space.and(arch, calls)?;
        let mut values = Vec::new();
        decision.values(&mut values);
        let mut of_region = Vec::new();
        for value in values.into_iter().filter(|value| *value != 0) {
            let with = space.calls(function, &Verdicts::value(value))?;
            let with = space.and(calls, with)?;
            of_region.extend(space.example(with)?.map(|call| (value, call)));
        }
        examples.push(of_region);
    }
    Ok(examples)
}

fn section(abi: Option<Abi>, raw: &Raw, examples: &Examples, label: &Label<'_>) -> Section {
    let examples = examples.iter().cloned().chain(core::iter::repeat(Vec::new()));
    let rules = raw.iter().zip(examples).filter_map(|((numbers, decision), examples)| {
        let numbers = clip(numbers, abi);
        if numbers.is_empty() {
            return None;
        }
        let probe = if abi == Some(Abi::X32) {
            0x7fff_fff0
        } else {
            0x3fff_fff0
        };
        let rest = numbers.iter().any(|(from, to)| (*from..=*to).contains(&probe));
        let calls = calls(&numbers, abi);
        let only = match (calls.as_slice(), rest) {
            ([name], false) => Some(name.clone()),
            _ => None,
        };
        let then = tree(decision, abi, only.as_deref(), label);
        let calls = if rest { Vec::new() } else { calls };
        (then != Tree::Verdict(String::new())).then_some(Rule {
            calls,
            numbers,
            rest,
            then,
            decision: (decision.clone(), true),
            leaves: leaves(decision, abi, only.as_deref()),
            examples,
            witnesses: Vec::new(),
        })
    });
    let mut rules: Vec<Rule> = rules.collect();
    rules.sort_by_key(|rule| rule.rest);
    Section {
        abi: abi.map(Abi::name),
        rules,
    }
}

fn tree(decision: &Decision, abi: Option<Abi>, call: Option<&str>, label: &Label<'_>) -> Tree {
    match decision {
        Decision::Value(value) => Tree::Verdict(label(*value, abi)),
        Decision::Opaque(values) => Tree::OneOf(values.iter().map(|value| label(*value, abi)).collect()),
        Decision::Split { register, width, cases } => {
            let case = |(condition, then): &(Condition, Decision)| Case {
                when: condition_text(condition, *register, abi, call),
                then: tree(then, abi, call, label),
            };
            Tree::Split {
                on: register_text(*register, *width, abi, call),
                cases: cases.iter().map(case).collect(),
            }
        }
    }
}
