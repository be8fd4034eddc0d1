//! A slow, plain producer of proofs for small filters. It shares nothing with the checker but the page it follows.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::std_instead_of_core,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    reason = "what fails here is a test"
)]

pub(crate) mod diagram;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod truth;
pub(crate) mod write;

use callproof_checker::{Claim, Machine, Part, Region, Relation, Set, Statement, View, Way};
use callproof_vm::Insn;
use diagram::{Edge, Op, Table, constant_edge, terminal};
use graph::{Graph, Question};

/// A proof before it is written, so that tests can spoil it.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) statement: Statement,
    pub(crate) classes: Vec<Set>,
    pub(crate) table: Table,
    pub(crate) regions: Vec<u32>,
    pub(crate) points: Vec<Vec<Vec<graph::Point>>>,
    pub(crate) combined: Vec<Vec<Edge>>,
}

/// How a proof is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// No points at tests that continue a switch
    pub(crate) sparse: bool,
    /// Actions instead of values
    pub(crate) coarse: bool,
}

/// A proof of a claim, whether it is true or not; nothing if a filter does what diagram proofs cannot speak about.
pub(crate) fn prove(machine: &Machine, chains: &[Vec<Vec<Insn>>], claim: &Claim, style: Style) -> Option<Proof> {
    let shape = chains
        .iter()
        .map(|c| c.iter().map(|f| f.len() as u32).collect())
        .collect();
    let statement = Statement {
        machine: *machine,
        shape,
        claim: claim.clone(),
    };
    let events = |chain: usize, filter: usize| -> Option<Vec<(usize, Way)>> {
        let Relation::Never(events) = &claim.parts[0].relation else {
            return None;
        };
        let viewed = usize::from(claim.parts[0].views[0].chain) == chain;
        let own = events.iter().filter(|event| viewed && event.filter as usize == filter);
        Some(own.map(|event| (event.pc as usize, event.way)).collect())
    };
    let question = |chain, filter| match claim.parts[0].relation {
        Relation::Cost(_) | Relation::CostAtLeast(_) => Question::Cost,
        Relation::Never(_) => Question::Never(events(chain, filter).unwrap()),
        _ => Question::Value,
    };
    let mut graphs = Vec::new();
    for (number, chain) in chains.iter().enumerate() {
        let filters = chain.iter().enumerate();
        let built = filters.map(|(index, filter)| Graph::of(filter, machine, question(number, index)));
        graphs.push(built.collect::<Option<Vec<_>>>()?);
    }
    let valued = matches!(question(0, 0), Question::Value);
    let never = matches!(question(0, 0), Question::Never(..));
    let mut classes = Vec::new();
    if valued {
        classes = if style.coarse {
            truth::actions(machine)
        } else {
            let mut values: Vec<u32> = graphs
                .iter()
                .flatten()
                .flat_map(|g| g.returns(machine))
                .collect::<Option<_>>()?;
            values.push(0x7fff_0000);
            values.sort_unstable();
            values.dedup();
            values.into_iter().map(|value| vec![(value, value)]).collect()
        };
    }
    let mut table = Table::default();
    let mut regions = vec![terminal(0), terminal(1)];
    for node in &claim.region {
        let node = region(&mut table, node, &regions);
        regions.push(node);
    }
    let mut points = Vec::new();
    let mut combined = Vec::new();
    for (number, graphs) in graphs.iter().enumerate() {
        let mut chain = Vec::new();
        let mut sofar: Option<Edge> = None;
        let mut ids = Vec::new();
        for (index, graph) in graphs.iter().enumerate() {
            if events(number, index).is_some_and(|events| events.is_empty()) {
                chain.push(vec![]);
                continue;
            }
            let (root, points) = graph.points(&mut table, &classes, machine, style.sparse);
            chain.push(points);
            let both = match sofar.filter(|_| !never) {
                None => root,
                Some(older) => {
                    let both = table.apply(older, root, &mut |a, b| combine(a, b, &classes, machine));
                    ids.push(both);
                    both
                }
            };
            sofar = Some(both);
        }
        points.push(chain);
        if !never {
            combined.push(ids);
        }
    }
    Some(Proof {
        statement,
        classes,
        table,
        regions: regions[2..].to_vec(),
        points,
        combined,
    })
}

fn combine(older: Edge, newer: Edge, classes: &[Set], machine: &Machine) -> Edge {
    if classes.is_empty() {
        return Edge {
            add: older.add + newer.add,
            ..older
        };
    }
    let value = |edge: Edge| classes[edge.id as usize][0].0;
    let value = truth::combine(&[value(older), value(newer)], machine);
    constant_edge(truth::class(value, classes, machine).unwrap())
}

fn region(table: &mut Table, node: &Region, known: &[u32]) -> u32 {
    let edge = |id: u32| Edge {
        add: 0,
        id: known[id as usize],
    };
    let bits = graph::word(node.word, node.mask);
    let mut all = edge(node.otherwise);
    for &(first, last, to) in &node.cases {
        let above = table.test(&bits, Op::Gt, last);
        let from = table.test(&bits, Op::Ge, first);
        let inner = table.ite(above, all, edge(to));
        all = table.ite(from, inner, all);
    }
    all.id
}

/// A view of a chain as it is.
pub(crate) fn plain(chain: u8) -> View {
    View { chain, force: vec![] }
}

/// A claim about every input.
pub(crate) fn everywhere(views: Vec<View>, relation: Relation) -> Claim {
    Claim {
        region: vec![],
        parts: vec![Part {
            within: 1,
            views,
            relation,
        }],
    }
}
