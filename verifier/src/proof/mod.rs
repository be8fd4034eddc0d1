//! Writes proofs that the independent checker accepts: `docs/PROOFS.md` is the format.
//!
//! Nothing here is trusted. A proof of a false claim can be written too; it is the checker that refuses it.

mod fields;
mod points;
mod table;
mod write;

use core::fmt;

use callproof_checker::{Claim, Event, Region, Relation, Shift, Statement};
use callproof_vm::{Endian, Machine, ShiftByX, combine};

use crate::diagram::sums::{Counters, Sum, Sums};
use crate::diagram::{Arena, Partition, Ref, switch, word};
use crate::limits::{Limits, Undecided};
use crate::order::{Order, row};
use crate::subject::Subject;
use crate::test::{Relation as Compare, WordTest};
use crate::view::signed;
use points::{Filter, Point};
use table::Table;

/// Why no proof was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprovable {
    /// A limit was reached
    Undecided(Undecided),
    /// The format cannot speak about it
    Unsupported(&'static str),
}

impl From<Undecided> for Unprovable {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

impl fmt::Display for Unprovable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided(undecided) => undecided.fmt(f),
            Self::Unsupported(what) => write!(f, "no diagram proof can be written: {what}"),
        }
    }
}

impl core::error::Error for Unprovable {}

/// Writes a diagram proof of a claim about one or two chains on the same machine. Whether it proves anything is for
/// the checker to say.
///
/// # Errors
/// [`Unprovable`] when a limit is reached, or when the filters do what diagram proofs cannot speak about: tests of
/// more than one word at once, and of words after arithmetic.
pub fn prove(subjects: &[&Subject<'_>], claim: &Claim, limits: &Limits) -> Result<Vec<u8>, Unprovable> {
    let [first, rest @ ..] = subjects else {
        return Err(Unprovable::Unsupported("a claim is about one or two chains"));
    };
    let machine = first.machine();
    if rest.iter().any(|subject| subject.machine() != machine) {
        return Err(Unprovable::Unsupported("the chains run on different machines"));
    }
    let order = Order::new(machine.endian, []);
    let mut arena = Arena::new(order, limits);
    let region = region(&mut arena, &claim.region, machine.endian)?;
    let Some(part) = claim.parts.first() else {
        return Err(Unprovable::Unsupported("a claim has parts"));
    };
    let mut table = Table::new(matches!(part.relation, Relation::Cost(_) | Relation::CostAtLeast(_)));
    let chains: Vec<_> = subjects.iter().map(|subject| subject.filters()).collect();
    let statement = statement(&chains, machine, claim);
    let body = match &part.relation {
        Relation::Cost(_) | Relation::CostAtLeast(_) => costs(&mut arena, subjects, &mut table)?,
        Relation::Never(events) => {
            let viewed = part.views.first().map_or(0, |view| usize::from(view.chain));
            nevers(&mut arena, subjects, (viewed, events), &mut table)?
        }
        _ => values(&mut arena, subjects, &mut table)?,
    };
    let region: Vec<u32> = region.into_iter().map(|node| table.boolean(&arena, node)).collect();
    Ok(write::file(&statement, &table, &region, &body))
}

/// The file of a refutation: clauses, each with the numbers of the clauses it follows from, `given` being the number of
/// the first of them.
pub(crate) fn refutation(statement: &Statement, given: u32, steps: &[(Vec<u32>, Vec<u32>)]) -> Vec<u8> {
    write::refutation(statement, given, steps)
}

/// The points of every filter of every chain, and the functions of growing parts of each chain.
#[derive(Debug, Default)]
struct Body {
    points: Vec<Vec<Vec<Point>>>,
    combined: Vec<Vec<(u32, i32)>>,
}

pub(crate) fn statement(chains: &[&[callproof_vm::Filter<'_>]], machine: Machine, claim: &Claim) -> Statement {
    let length = |filter: &callproof_vm::Filter<'_>| u32::try_from(filter.program().len()).unwrap_or(u32::MAX);
    Statement {
        machine: callproof_checker::Machine {
            big_endian: machine.endian == Endian::Big,
            before_4_14: !signed(machine.kernel),
            shift: match machine.shift {
                ShiftByX::Masked => Shift::Masked,
                ShiftByX::Arm8 => Shift::Arm8,
                ShiftByX::SixBitZero => Shift::SixBitZero,
            },
        },
        shape: chains.iter().map(|chain| chain.iter().map(length).collect()).collect(),
        claim: claim.clone(),
    }
}

fn values(arena: &mut Arena, subjects: &[&Subject<'_>], table: &mut Table) -> Result<Body, Unprovable> {
    let mut body = Body::default();
    let limits = *arena.limits();
    let mut known = Vec::new();
    for subject in subjects {
        let kernel = subject.machine().kernel;
        let mut chain = Vec::new();
        let mut so_far: Option<Ref> = None;
        let mut combined = Vec::new();
        for filter in Filter::all(subject, &limits)? {
            let built = filter.values(arena, kernel)?;
            so_far = Some(match so_far {
                None => built.root,
                Some(older) => {
                    let op = arena.own_op();
                    let mut both = |newer, older| combine([(1, newer), (0, older)], kernel).value;
                    let both = arena.apply(op, built.root, older, &mut both)?;
                    combined.push(both);
                    both
                }
            });
            chain.push(built);
        }
        known.push((chain, combined));
    }
    let edges = known.iter().flat_map(|(chain, combined)| {
        let edges = chain
            .iter()
            .flat_map(|built| built.edges.iter().map(|point| point.edge));
        edges.chain(combined.iter().copied())
    });
    let returned = known
        .iter()
        .flat_map(|(chain, _)| chain.iter().flat_map(|built| built.returned.iter().copied()));
    table.classes(arena, edges, returned);
    for (chain, combined) in known {
        let points = chain
            .into_iter()
            .map(|built| built.numbered(|edge| (table.value(arena, edge), 0)));
        body.points.push(points.collect());
        body.combined
            .push(combined.into_iter().map(|both| (table.value(arena, both), 0)).collect());
    }
    Ok(body)
}

fn costs(arena: &mut Arena, subjects: &[&Subject<'_>], table: &mut Table) -> Result<Body, Unprovable> {
    let mut body = Body::default();
    let limits = *arena.limits();
    let mut counters = Counters::new(&limits);
    let mut sums = Sums {
        arena,
        own: &mut counters,
    };
    for subject in subjects {
        let (mut points, mut combined) = (Vec::new(), Vec::new());
        let mut so_far: Option<Sum> = None;
        for filter in Filter::all(subject, &limits)? {
            let built = filter.costs(&mut sums)?;
            so_far = Some(match so_far {
                None => built.root,
                Some(older) => {
                    let both = sums.add(older, built.root)?;
                    combined.push(table.sum(&sums, both));
                    both
                }
            });
            points.push(built.numbered(|edge| table.sum(&sums, edge)));
        }
        body.points.push(points);
        body.combined.push(combined);
    }
    Ok(body)
}

fn nevers(
    arena: &mut Arena,
    subjects: &[&Subject<'_>],
    (chain, events): (usize, &[Event]),
    table: &mut Table,
) -> Result<Body, Unprovable> {
    let mut body = Body::default();
    let limits = *arena.limits();
    for (number, subject) in subjects.iter().enumerate() {
        let mut points = Vec::new();
        for (place, one) in (0_u32..).zip(Filter::all(subject, &limits)?) {
            let here = |event: &&Event| (number, place) == (chain, event.filter);
            let asked: Vec<_> = events.iter().filter(here).map(|e| (e.pc as usize, e.way)).collect();
            if asked.is_empty() {
                points.push(Vec::new());
            } else {
                let built = one.never(arena, &asked)?;
                points.push(built.numbered(|edge| (table.boolean(arena, edge), 0)));
            }
        }
        body.points.push(points);
    }
    Ok(body)
}

/// The functions of the nodes of a region.
fn region(arena: &mut Arena, nodes: &[Region], endian: Endian) -> Result<Vec<Ref>, Unprovable> {
    let mut known = vec![Ref::FALSE, Ref::TRUE];
    for node in nodes {
        let edge = region_node(arena, node, &known, endian)?;
        known.push(edge);
    }
    Ok(known.split_off(2))
}

fn region_node(arena: &mut Arena, node: &Region, known: &[Ref], endian: Endian) -> Result<Ref, Undecided> {
    let edge = |number: u32| known.get(number as usize).copied().unwrap_or(Ref::FALSE);
    let word = row(endian).get(usize::from(node.word)).copied().unwrap_or(0);
    let cases = node.cases.iter().map(|&(first, last, to)| (first, last, edge(to)));
    let cases: Vec<_> = cases.collect();
    select(arena, word, node.mask, &cases, edge(node.otherwise))
}

/// Selects by ranges of a masked word, given by its place in memory; they ascend and do not touch.
pub(crate) fn select(
    arena: &mut Arena,
    number: u8,
    mask: u32,
    cases: &[(u32, u32, Ref)],
    otherwise: Ref,
) -> Result<Ref, Undecided> {
    if mask == u32::MAX {
        let mut partition = Partition::new();
        let mut next = Some(0_u32);
        for &(first, last, to) in cases {
            if let (Some(start), Some(before)) = (next, first.checked_sub(1))
                && start < first
            {
                partition.range(start, before, otherwise);
            }
            partition.range(first, last, to);
            next = last.checked_add(1);
        }
        if let Some(start) = next {
            partition.range(start, u32::MAX, otherwise);
        }
        if let Some(edge) = switch(arena, number, partition.pieces())? {
            return Ok(edge);
        }
    }
    let above = |value| WordTest {
        word: number,
        relation: Compare::Above,
        mask,
        value,
    };
    let mut result = otherwise;
    for &(first, last, to) in cases.iter().rev() {
        if first == last && first & !mask == 0 {
            let equal = WordTest {
                relation: Compare::Equal,
                ..above(first)
            };
            result = word::test(arena, &equal, to, result)?;
            continue;
        }
        let inside = word::test(arena, &above(last), result, to)?;
        result = match first.checked_sub(1) {
            Some(below) => word::test(arena, &above(below), inside, result)?,
            None => inside,
        };
    }
    Ok(result)
}
