//! Diagram proofs: right ones are accepted, wrong ones are not, and what is accepted is true.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    reason = "what fails here is the test"
)]

mod producer;

use callproof_checker::{Claim, Kind, Relation, Statement, Way, check};
use callproof_vm::Insn;
use producer::diagram::{Edge, NODES, Table};
use producer::generate::{self, Dice, Domain};
use producer::{Proof, Style, prove, truth};

type Chains = Vec<Vec<Vec<Insn>>>;

/// A random claim with its proof, right or not, and whether the claim is true.
struct Case {
    chains: Chains,
    proof: Proof,
    style: Style,
    domain: Domain,
}

impl Case {
    fn random(seed: u64) -> Option<Self> {
        let mut dice = Dice(seed);
        let domain = dice.pick(&[Domain::Bits, Domain::Values]);
        let machine = generate::machine(&mut dice);
        let chains: Chains = (0..1 + dice.roll(2))
            .map(|_| {
                (0..1 + dice.roll(3) / 2)
                    .map(|_| {
                        let len = 2 + dice.roll(24);
                        generate::program(domain, len, &machine, &mut dice)
                    })
                    .collect()
            })
            .collect();
        let claim = generate::claim(domain, &chains, &mut dice);
        let style = Style {
            sparse: dice.roll(2) == 0,
            coarse: dice.roll(4) == 0,
        };
        let proof = prove(&machine, &chains, &claim, style)?;
        Some(Self {
            chains,
            proof,
            style,
            domain,
        })
    }

    fn check(&self, file: &[u8]) -> Result<Statement, callproof_checker::Rejected> {
        check_with(&self.proof.statement, &self.chains, file)
    }

    fn is_true(&self, statement: &Statement) -> bool {
        let inputs = self.domain.inputs();
        inputs
            .iter()
            .all(|input| truth::true_at(statement, &self.chains, input))
    }
}

fn check_with(statement: &Statement, chains: &Chains, file: &[u8]) -> Result<Statement, callproof_checker::Rejected> {
    let bytes: Vec<Vec<Vec<u8>>> = chains
        .iter()
        .map(|chain| chain.iter().map(|f| truth::bytes(f, &statement.machine)).collect())
        .collect();
    let slices: Vec<Vec<&[u8]>> = bytes
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let chains: Vec<&[&[u8]]> = slices.iter().map(Vec::as_slice).collect();
    check(file, &chains)
}

#[test]
fn what_is_accepted_is_what_is_true() {
    let (mut accepted, mut refused, mut unspoken) = (0, 0, 0);
    for seed in 0..600 {
        let Some(case) = Case::random(seed) else {
            unspoken += 1;
            continue;
        };
        let statement = &case.proof.statement;
        let truth = case.is_true(statement);
        match case.check(&case.proof.write()) {
            Ok(read) => {
                assert_eq!(&read, statement, "{seed}");
                assert!(truth, "seed {seed}: accepted, but false: {statement:?}");
                accepted += 1;
            }
            Err(rejected) => {
                let coarse = case.style.coarse && rejected.kind == Kind::Wrong;
                assert!(!truth || coarse, "seed {seed}: true, but {rejected}: {statement:?}");
                refused += 1;
            }
        }
    }
    println!("{accepted} accepted, {refused} refused, {unspoken} not spoken about");
    assert!(accepted > 300 && refused > 100);
}

/// Cases whose proofs are accepted, small enough to spoil them everywhere.
fn accepted(seeds: std::ops::Range<u64>, longest: usize) -> impl Iterator<Item = (u64, Case)> {
    let random = seeds.filter_map(|seed| Some((seed, Case::random(seed)?)));
    random.filter(move |(_, case)| {
        let file = case.proof.write();
        file.len() <= longest && case.check(&file).is_ok()
    })
}

/// Every function that a proof speaks of.
fn edges(proof: &Proof) -> Vec<Edge> {
    let points = proof.points.iter().flatten().flatten().map(|point| point.edge);
    let regions = proof.regions.iter().map(|&id| Edge { add: 0, id });
    points
        .chain(regions)
        .chain(proof.combined.iter().flatten().copied())
        .collect()
}

fn same_functions(case: &Case, spoilt: &Proof) -> bool {
    let values = |table: &Table, edges: &[Edge], input| -> Vec<Edge> {
        edges.iter().map(|&edge| table.eval(edge, input)).collect()
    };
    let (before, after) = (edges(&case.proof), edges(spoilt));
    let inputs = case.domain.inputs();
    inputs
        .iter()
        .all(|input| values(&case.proof.table, &before, input) == values(&spoilt.table, &after, input))
}

#[test]
fn a_spoilt_diagram_is_refused_or_states_the_same() {
    let (mut refused, mut harmless) = (0, 0);
    for (seed, case) in accepted(0..20, 2_000) {
        let mut spoil = |what: &dyn Fn(&mut Proof)| {
            let mut spoilt = case.proof.clone();
            what(&mut spoilt);
            if case.check(&spoilt.write()).is_ok() {
                assert!(same_functions(&case, &spoilt), "seed {seed}");
                harmless += 1;
            } else {
                refused += 1;
            }
        };
        for n in 0..case.proof.table.nodes.len() {
            spoil(&|proof| {
                let node = &mut proof.table.nodes[n];
                std::mem::swap(&mut node.low, &mut node.high);
            });
            spoil(&|proof| proof.table.nodes[n].var ^= 1);
            spoil(&|proof| proof.table.nodes[n].low = u32::from(proof.table.nodes[n].low == 0));
            spoil(&|proof| proof.table.nodes[n].high = 1);
        }
        let count: usize = case.proof.points.iter().flatten().map(Vec::len).sum();
        for n in 0..count {
            let nth = |proof: &mut Proof, change: &dyn Fn(&mut Edge)| {
                change(&mut proof.points.iter_mut().flatten().flatten().nth(n).unwrap().edge);
            };
            spoil(&|proof| {
                nth(proof, &|edge| {
                    edge.id = if edge.id > NODES {
                        edge.id - 1
                    } else {
                        u32::from(edge.id == 0)
                    };
                });
            });
            spoil(&|proof| nth(proof, &|edge| edge.id = 0));
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 400);
}

#[test]
fn a_proof_without_one_of_its_points_proves_nothing_else() {
    let mut refused = 0;
    for (seed, case) in accepted(300..400, 4_000) {
        for chain in 0..case.proof.points.len() {
            for filter in 0..case.proof.points[chain].len() {
                for n in 0..case.proof.points[chain][filter].len() {
                    let mut spoilt = case.proof.clone();
                    spoilt.points[chain][filter].remove(n);
                    let first = n == 0 && spoilt.points[chain][filter].first().is_none_or(|point| point.pc > 0);
                    let rejected = case.check(&spoilt.write()).is_err();
                    assert!(rejected || !first, "seed {seed}: no point where the filter begins");
                    refused += usize::from(rejected);
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn classes_that_do_not_hold_the_returns_are_refused() {
    let (mut refused, mut unused) = (0, 0);
    for (seed, case) in accepted(500..600, 4_000) {
        for n in 0..case.proof.classes.len() {
            let mut spoilt = case.proof.clone();
            // A value that no program here returns.
            spoilt.classes[n] = vec![(0x1234_0000, 0x1234_0000)];
            if case.check(&spoilt.write()).is_ok() {
                let reached = |edge: Edge| {
                    case.domain
                        .inputs()
                        .iter()
                        .any(|x| spoilt.table.eval(edge, x).id == n as u32)
                };
                // Regions end at the same terminals, which are no classes there.
                spoilt.regions.clear();
                assert!(!edges(&spoilt).into_iter().any(reached), "seed {seed}");
                unused += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {unused} unused");
    assert!(refused > 100);
}

#[test]
fn whatever_byte_is_changed_only_truth_is_accepted() {
    let (mut refused, mut same, mut other) = (0, 0, 0);
    for (seed, case) in accepted(800..870, 400) {
        let file = case.proof.write();
        for end in 0..file.len() {
            assert!(case.check(&file[..end]).is_err(), "seed {seed}: {end} bytes are enough");
        }
        for at in 0..file.len() {
            for change in [1, 2, 0x40, 0x80, 0xff] {
                let mut spoilt = file.clone();
                spoilt[at] ^= change;
                match case.check(&spoilt) {
                    Err(_) => refused += 1,
                    Ok(statement) if statement == case.proof.statement => same += 1,
                    Ok(statement) => {
                        assert!(case.is_true(&statement), "seed {seed}, byte {at}: {statement:?}");
                        other += 1;
                    }
                }
            }
        }
    }
    println!("{refused} refused, {same} state the same, {other} state something else that is true");
    assert!(refused > 10_000 && other > 100);
}

#[test]
fn a_right_proof_does_not_show_a_wrong_claim() {
    let (mut refused, mut accepted_too) = (0, 0);
    for (seed, case) in accepted(1_100..1_200, 4_000) {
        let mut dice = Dice(seed ^ 0xabcd);
        for _ in 0..20 {
            let mut other = case.proof.clone();
            let claim = generate::claim(case.domain, &case.chains, &mut dice);
            // The body goes with the kind of claim; its region stays.
            let regions = other.statement.claim.region.len() as u32 + 1;
            other.statement.claim.parts = claim.parts;
            for part in &mut other.statement.claim.parts {
                part.within = part.within.min(regions);
            }
            if let Ok(statement) = case.check(&other.write()) {
                assert!(case.is_true(&statement), "seed {seed}: {statement:?}");
                accepted_too += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {accepted_too} true");
    assert!(refused > 300 && accepted_too > 100);
}

/// The claim changed in one place.
fn bent(claim: &Claim, dice: &mut Dice) -> Claim {
    let mut claim = claim.clone();
    let part = dice.roll(claim.parts.len());
    if dice.roll(4) == 0 && !claim.region.is_empty() {
        let at = dice.roll(claim.region.len());
        let node = &mut claim.region[at];
        let case = dice.roll(node.cases.len().max(1));
        match (node.cases.get_mut(case), dice.roll(4)) {
            (Some(case), 0) => case.0 = case.0.saturating_sub(1),
            (Some(case), 1) => case.2 = u32::from(case.2 == 0),
            (_, 2) => node.otherwise = u32::from(node.otherwise == 0),
            _ => node.mask ^= dice.pick(&[1, 2, 0x8000_0000]),
        }
        return claim;
    }
    if claim.parts.len() > 1 && dice.roll(4) == 0 {
        claim.parts.remove(part);
        return claim;
    }
    let part = &mut claim.parts[part];
    let view = dice.roll(part.views.len());
    match (part.views[view].force.first_mut(), dice.roll(4)) {
        (Some(force), 0) => force.2 ^= force.1,
        (Some(_), 1) => part.views[view].force.clear(),
        (None, 0) => part.views[view].force.push((1, 1, dice.roll(2) as u32)),
        (None, 1) => part.within = 1,
        _ => match &mut part.relation {
            Relation::Within(set) | Relation::Implies(set) | Relation::Equal(set) => {
                set.pop();
            }
            Relation::SameAction => part.relation = Relation::Equal(vec![(0, u32::MAX)]),
            Relation::Refines => part.views.swap(0, 1),
            Relation::Cost(bound) => *bound = bound.saturating_sub(1),
            Relation::CostAtLeast(bound) => *bound += 1,
            Relation::Never(events) => {
                let at = dice.roll(events.len());
                match dice.roll(3) {
                    0 => events[at].pc = events[at].pc.saturating_sub(1),
                    1 => events[at].way = dice.pick(&[Way::Reached, Way::Yes, Way::No]),
                    _ => drop(events.remove(at)),
                }
            }
        },
    }
    claim
}

#[test]
fn a_claim_that_is_changed_a_little_is_true_or_refused() {
    let (mut refused, mut true_too) = (0, 0);
    for (seed, case) in accepted(2_000..2_090, 4_000) {
        let mut dice = Dice(seed ^ 0x77);
        let mut known = vec![];
        for _ in 0..100 {
            let mut other = case.proof.clone();
            other.statement.claim = bent(&case.proof.statement.claim, &mut dice);
            if let Ok(statement) = case.check(&other.write()) {
                assert_eq!(statement, other.statement, "seed {seed}");
                if !known.contains(&statement) {
                    assert!(case.is_true(&statement), "seed {seed}: {statement:?}");
                    known.push(statement);
                }
                true_too += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {true_too} true");
    assert!(refused > 500 && true_too > 500);
}

#[test]
fn a_right_proof_does_not_show_its_claim_for_another_program() {
    let (mut refused, mut true_too) = (0, 0);
    for (seed, case) in accepted(1_400..1_500, 4_000) {
        let mut dice = Dice(seed ^ 0x1234);
        for _ in 0..20 {
            let mut chains = case.chains.clone();
            let chain = dice.roll(chains.len());
            let filter = dice.roll(chains[chain].len());
            let program = &mut chains[chain][filter];
            let pc = dice.roll(program.len());
            let insn = &mut program[pc];
            match dice.roll(4) {
                0 => insn.k ^= 1 << dice.roll(32),
                1 => std::mem::swap(&mut insn.jt, &mut insn.jf),
                2 => insn.k ^= 3,
                _ => insn.code ^= dice.pick(&[0x10, 0x20, 0x30, 8]),
            }
            if callproof_vm::Filter::load(program.as_slice()).is_err() {
                continue;
            }
            if check_with(&case.proof.statement, &chains, &case.proof.write()).is_err() {
                refused += 1;
                continue;
            }
            let inputs = case.domain.inputs();
            let holds = inputs.iter().all(|x| truth::true_at(&case.proof.statement, &chains, x));
            assert!(holds, "seed {seed}");
            true_too += 1;
        }
    }
    println!("{refused} refused, {true_too} hold for the other program too");
    assert!(refused > 50);
}
