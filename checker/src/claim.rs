//! A diagram proof, from its body to an accepted claim. `docs/PROOFS.md` section 6.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::Rejected;
use crate::agree::{Judge, same, spread};
use crate::budget::Budget;
use crate::bytes::Reader;
use crate::class::Classes;
use crate::diagram::{Diagram, Edge, NO, YES};
use crate::format::{Claim, Event, Machine, Part, Region, Relation, Statement, asked};
use crate::points::{Points, UNKNOWN};
use crate::program::{A, Insn, X};
use crate::relation::{View, check as relation};
use crate::run::{Claimed, Question};
use crate::value::{Field, Value};

/// The body of a diagram proof, but for its classes and nodes.
struct Body {
    /// The terminals and the nodes of the region
    regions: Vec<Edge>,
    /// For each chain, for each filter
    points: Vec<Vec<Points>>,
    /// For each chain, for each filter but the oldest: what the filters so far decide together
    combined: Vec<Vec<Edge>>,
}

/// Checks the body of a diagram proof. `bytes` is the size of everything that was brought.
pub(crate) fn check(
    r: &mut Reader<'_>,
    statement: &Statement,
    programs: &[Vec<Vec<Insn>>],
    bytes: usize,
) -> Result<(), Rejected> {
    let claim = &statement.claim;
    let classes = Classes::read(r, &statement.machine)?;
    let family = Family::of(claim);
    if !matches!(family, Family::Values) && classes.len() != 0 {
        return Err(r.unreadable("there are classes, but the claim is not about values"));
    }
    let diagram = Diagram::read(r, classes.len(), matches!(family, Family::Cost))?;
    let body = body(r, statement, &diagram)?;
    r.end()?;

    let budget = Budget::new(bytes, diagram.len());
    let mut judge = Judge {
        diagram,
        classes,
        budget,
        noted: BTreeSet::new(),
    };
    for (node, edge) in claim.region.iter().zip(body.regions.iter().skip(2)) {
        region(&mut judge, node, *edge, &body.regions)?;
    }
    let roots = chains(&mut judge, statement, programs, &body)?;
    let extremes = judge.diagram.extremes();
    for part in &claim.parts {
        let region = defined(&body.regions, part.within)?;
        let (Some(one), Some(other)) = (part.views.first(), part.views.last()) else {
            return Err(Rejected::wrong("there is no view"));
        };
        let [left, right] = [one, other].map(|view| {
            let roots = roots.get(usize::from(view.chain));
            roots.map_or(&[][..], Vec::as_slice)
        });
        for (&left, &right) in left.iter().zip(right) {
            let views = (&View::new(left, &one.force), &View::new(right, &other.force));
            relation(&mut judge, &part.relation, region, views, &extremes)?;
        }
    }
    Ok(())
}

fn defined(known: &[Edge], number: u32) -> Result<Edge, Rejected> {
    let edge = known.get(number as usize).copied();
    edge.ok_or_else(|| Rejected::wrong("a region refers to what was not defined"))
}

fn body(r: &mut Reader<'_>, statement: &Statement, diagram: &Diagram) -> Result<Body, Rejected> {
    let Statement { shape, claim, .. } = statement;
    let mut regions = alloc::vec![NO, YES];
    for _ in &claim.region {
        regions.push(diagram.root(r)?);
    }
    let mut points = Vec::new();
    for chain in shape {
        let each = chain.iter().map(|&length| Points::read(r, diagram, length));
        points.push(each.collect::<Result<Vec<_>, _>>()?);
    }
    let mut combined = Vec::new();
    if !matches!(Family::of(claim), Family::Events(_)) {
        for chain in shape {
            let each = chain.iter().skip(1).map(|_| diagram.edge(r));
            combined.push(each.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(Body {
        regions,
        points,
        combined,
    })
}

/// Whether an edge is what one node of the region says.
fn region(judge: &mut Judge, node: &Region, edge: Edge, known: &[Edge]) -> Result<(), Rejected> {
    let case = |&(first, last, to): &(u32, u32, u32)| Ok((first, last, defined(known, to)?));
    let cases = node.cases.iter().map(case).collect::<Result<Vec<_>, _>>()?;
    let pieces = spread(cases, defined(known, node.otherwise)?);
    match (Field::new(node.word, 0, node.mask, 0), pieces.first()) {
        (Some(field), _) => judge.switch(&field, edge, &pieces),
        (None, Some(piece)) => same(edge, piece.to),
        (None, None) => Err(Rejected::wrong("a region covers nothing")),
    }
}

/// What the parts of a claim are about.
enum Family<'f> {
    Values,
    Cost,
    /// These events in the filters of this chain
    Events(Option<(usize, &'f [Event])>),
}

impl<'f> Family<'f> {
    fn of(claim: &'f Claim) -> Self {
        match claim.parts.first() {
            Some(Part {
                relation: Relation::Never(events),
                views,
                ..
            }) => Self::Events(views.first().map(|view| (usize::from(view.chain), events.as_slice()))),
            Some(part) if part.relation.is_about_cost() => Self::Cost,
            _ => Self::Values,
        }
    }
}

/// Checks the filters that the claim is about. For each chain its function; if the claim is about events, the
/// functions of the filters where they are.
fn chains(
    judge: &mut Judge,
    statement: &Statement,
    programs: &[Vec<Vec<Insn>>],
    body: &Body,
) -> Result<Vec<Vec<Edge>>, Rejected> {
    let Statement { machine, claim, .. } = statement;
    let mut roots = Vec::new();
    for (number, (programs, points)) in programs.iter().zip(&body.points).enumerate() {
        let filters = programs.iter().zip(points);
        let question = match Family::of(claim) {
            Family::Cost => Question::Cost,
            Family::Values => Question::Value,
            Family::Events(events) => {
                let mut functions = Vec::new();
                let events = events.filter(|(chain, _)| *chain == number).map_or(&[][..], |(_, e)| e);
                for (place, (program, points)) in filters.enumerate() {
                    let asked = asked(program.len(), place, events);
                    if asked.iter().any(|ways| *ways != 0) {
                        functions.push(filter(judge, program, points, (machine, Question::Never(&asked)))?);
                    }
                }
                roots.push(functions);
                continue;
            }
        };
        let mut sofar: Option<Edge> = None;
        let mut combined = body.combined.get(number).into_iter().flatten();
        for (program, points) in filters {
            let root = filter(judge, program, points, (machine, question))?;
            let Some(older) = sofar else {
                sofar = Some(root);
                continue;
            };
            let missing = || Rejected::wrong("a combination is missing");
            let both = *combined.next().ok_or_else(missing)?;
            judge.combined(both, older, root)?;
            sofar = Some(both);
        }
        roots.push(sofar.into_iter().collect());
    }
    Ok(roots)
}

/// Checks the points of a filter. Its function is what the first one claims, if that holds where every run begins.
fn filter(
    judge: &mut Judge,
    program: &[Insn],
    points: &Points,
    (machine, question): (&Machine, Question<'_>),
) -> Result<Edge, Rejected> {
    let claimed = Claimed {
        program,
        points,
        machine,
        question,
    };
    claimed.check(judge)?;
    let mut state = UNKNOWN;
    state[A] = Value::Const(0);
    state[X] = Value::Const(0);
    match points.iter().next() {
        Some(point) if point.pc == 0 && points.agrees(point, &state) => Ok(point.edge),
        _ => Err(Rejected::wrong("no point stands where the filter begins")),
    }
}
