//! A diagram proof, from its body to an accepted claim. `docs/PROOFS.md` section 6.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::Rejected;
use crate::agree::{Judge, Piece, append, same};
use crate::budget::Budget;
use crate::bytes::Reader;
use crate::class::Classes;
use crate::diagram::{Diagram, Edge, NO, YES};
use crate::format::{Region, Relation, Statement};
use crate::points::{Points, UNKNOWN};
use crate::program::{A, Insn, X};
use crate::relation::{View, check as relation};
use crate::run::{Claimed, Question};
use crate::value::{Field, Test, Value};

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
    let valued = !matches!(claim.relation, Relation::Cost(_) | Relation::Never { .. });
    if !valued && classes.len() != 0 {
        return Err(r.unreadable("there are classes, but the claim is not about values"));
    }
    let weighted = matches!(claim.relation, Relation::Cost(_));
    let diagram = Diagram::read(r, classes.len(), weighted)?;
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
    let views = claim.views.iter().map(|view| {
        let root = roots.get(usize::from(view.chain)).copied();
        root.map(|root| View::new(root, &view.force))
    });
    let views: Option<Vec<_>> = views.collect();
    let region = if claim.region.is_empty() {
        Some(YES)
    } else {
        body.regions.last().copied()
    };
    match (region, views.as_deref()) {
        (Some(region), Some([one])) => relation(&mut judge, claim, region, one, one),
        (Some(region), Some([left, right])) => relation(&mut judge, claim, region, left, right),
        _ => Err(Rejected::wrong("a view is of no chain")),
    }
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
    if !matches!(claim.relation, Relation::Never { .. }) {
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
    let known = |number: u32| {
        let edge = known.get(number as usize).copied();
        edge.ok_or_else(|| Rejected::wrong("a region refers to what was not defined"))
    };
    match node {
        &Region::Test {
            word,
            mask,
            op,
            k,
            then,
            otherwise,
        } => {
            let (then, otherwise) = (known(then)?, known(otherwise)?);
            let Some(field) = Field::new(word, 0, mask, 0) else {
                return same(edge, if op.holds(0, k) { then } else { otherwise });
            };
            judge.test(&Test::new(field, op, k), edge, then, otherwise)
        }
        Region::Select {
            word,
            mask,
            cases,
            otherwise,
        } => {
            let otherwise = known(*otherwise)?;
            let mut pieces: Vec<Piece> = Vec::new();
            let mut next = Some(0_u32);
            for &(first, last, to) in cases {
                if let (Some(start), Some(before)) = (next, first.checked_sub(1)) {
                    append(&mut pieces, start, before, otherwise);
                }
                append(&mut pieces, first, last, known(to)?);
                next = last.checked_add(1);
            }
            if let Some(start) = next {
                append(&mut pieces, start, u32::MAX, otherwise);
            }
            match (Field::new(*word, 0, *mask, 0), pieces.first()) {
                (Some(field), _) => judge.switch(&field, edge, &pieces),
                (None, Some(piece)) => same(edge, piece.to),
                (None, None) => Err(Rejected::wrong("a region covers nothing")),
            }
        }
    }
}

/// Checks the filters that the claim is about; the function of each chain.
fn chains(
    judge: &mut Judge,
    statement: &Statement,
    programs: &[Vec<Vec<Insn>>],
    body: &Body,
) -> Result<Vec<Edge>, Rejected> {
    let Statement { machine, claim, .. } = statement;
    let check = |judge: &mut Judge, program: &[Insn], points: &Points, question| {
        let claimed = Claimed {
            program,
            points,
            shift: machine.shift,
            question,
        };
        claimed.check(judge)?;
        entry(points)
    };
    let mut roots = Vec::new();
    for (number, (programs, points)) in (0_u8..).zip(programs.iter().zip(&body.points)) {
        let mut filters = programs.iter().zip(points);
        if let Relation::Never { filter, pc, way } = claim.relation {
            // The functions of other chains are not asked for, and there is only one view.
            let viewed = claim.views.iter().any(|view| view.chain == number);
            let root = match filters.nth(filter as usize) {
                Some((program, points)) if viewed && (pc as usize) < program.len() => {
                    check(judge, program, points, Question::Never(pc as usize, way))?
                }
                _ if viewed => return Err(Rejected::wrong("the claim is about an instruction that does not exist")),
                _ => YES,
            };
            roots.push(root);
            continue;
        }
        let question = if matches!(claim.relation, Relation::Cost(_)) {
            Question::Cost
        } else {
            Question::Value
        };
        let mut sofar: Option<Edge> = None;
        let mut combined = body.combined.get(usize::from(number)).into_iter().flatten();
        for (program, points) in filters {
            let root = check(judge, program, points, question)?;
            let Some(older) = sofar else {
                sofar = Some(root);
                continue;
            };
            let missing = || Rejected::wrong("a combination is missing");
            let both = *combined.next().ok_or_else(missing)?;
            judge.combined(both, older, root)?;
            sofar = Some(both);
        }
        roots.push(sofar.ok_or_else(|| Rejected::wrong("a chain has no filter"))?);
    }
    Ok(roots)
}

/// The function of a filter: what its first point claims, if that holds where every run begins.
fn entry(points: &Points) -> Result<Edge, Rejected> {
    let mut state = UNKNOWN;
    for register in [A, X] {
        if let Some(slot) = state.get_mut(register) {
            *slot = Value::Const(0);
        }
    }
    match points.iter().next() {
        Some(point) if point.pc == 0 && points.agrees(point, &state) => Ok(point.edge),
        _ => Err(Rejected::wrong("no point stands where the filter begins")),
    }
}
