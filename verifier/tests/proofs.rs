//! The independent checker accepts the proofs of true claims and no proof of a false one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::path::Path;

use callproof_checker::{Claim, Event, Part, Region, Relation, View as Seen, Way, check};
use callproof_testgen::{Choose, Seed, Shape, program_of};
use callproof_verifier::{Failure, Limits, Set, Space, Subject, Unprovable, View, prove};
use callproof_vm::{Endian, Filter, Insn, Kernel, Machine, ShiftByX};

fn bytes(filter: &Filter<'_>, endian: Endian) -> Vec<u8> {
    filter.program().iter().flat_map(|insn| insn.to_bytes(endian)).collect()
}

/// Writes a proof and asks the checker; `None` when no proof can be written.
fn proved(subjects: &[&Subject<'_>], claim: &Claim) -> Option<Result<usize, String>> {
    let file = match prove(
        subjects,
        claim,
        &Limits {
            steps: 1_000_000,
            ..Limits::default()
        },
    ) {
        Ok(file) => file,
        Err(Unprovable::Unsupported(_) | Unprovable::Undecided(_)) => return None,
    };
    let endian = subjects[0].machine().endian;
    let filters: Vec<Vec<Vec<u8>>> = subjects
        .iter()
        .map(|subject| subject.filters().iter().map(|filter| bytes(filter, endian)).collect())
        .collect();
    let chains: Vec<Vec<&[u8]>> = filters
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
    Some(
        check(&file, &chains)
            .map(|statement| {
                assert_eq!(statement.claim, *claim);
                file.len()
            })
            .map_err(|rejected| rejected.to_string()),
    )
}

fn seen(chain: u8) -> Seen {
    Seen { chain, force: vec![] }
}

fn everywhere(views: &[u8], relation: Relation) -> Claim {
    of(vec![], views.iter().map(|chain| seen(*chain)).collect(), relation)
}

/// A claim of one part about the whole region.
fn of(region: Vec<Region>, views: Vec<Seen>, relation: Relation) -> Claim {
    let within = u32::try_from(region.len()).unwrap() + 1;
    let parts = vec![Part {
        within,
        views,
        relation,
    }];
    Claim { region, parts }
}

/// True claims about a chain, and false ones.
fn claims(space: &mut Space, subject: &Subject<'_>) -> Result<(Vec<Claim>, Vec<Claim>), Failure> {
    let function = space.function(subject, View::Value)?;
    let mut values: Vec<u32> = space.values(&function).unwrap();
    values.sort_unstable();
    let mut costs = space.costs(subject)?;
    let worst = space.worst_case(subject, &mut costs, Set::ALL)?.unwrap().insns;
    let best = space.best_case(subject, &mut costs, Set::ALL)?.unwrap().insns;
    let set = |values: &[u32]| {
        let mut ranges: Vec<(u32, u32)> = vec![];
        for value in values {
            match ranges.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(*value) => last.1 = *value,
                _ => ranges.push((*value, *value)),
            }
        }
        ranges
    };
    let mut right = vec![
        everywhere(&[0], Relation::Within(set(&values))),
        everywhere(&[0, 0], Relation::Equal(vec![(0, u32::MAX)])),
        everywhere(&[0, 0], Relation::Refines),
        everywhere(&[0], Relation::Cost(u32::try_from(worst).unwrap())),
        everywhere(&[0], Relation::CostAtLeast(u32::try_from(best).unwrap())),
    ];
    let mut wrong = vec![
        everywhere(&[0], Relation::Within(set(&values[1..]))),
        everywhere(&[0], Relation::Within(set(&values[..values.len() - 1]))),
        everywhere(&[0], Relation::Cost(u32::try_from(worst - 1).unwrap())),
        everywhere(&[0], Relation::CostAtLeast(u32::try_from(best + 1).unwrap())),
    ];
    for (place, filter) in subject.filters().iter().enumerate() {
        let audit = space.audit(subject, place)?;
        let number = u32::try_from(place).unwrap();
        let never = |pc: usize, way| {
            let pc = u32::try_from(pc).unwrap();
            let filter = number;
            everywhere(&[0], Relation::Never(vec![Event { filter, pc, way }]))
        };
        for pc in 0..filter.program().len().min(40) {
            let list = if audit.dead.contains(&pc) {
                &mut right
            } else {
                &mut wrong
            };
            list.push(never(pc, Way::Reached));
        }
        for (pc, way) in audit.one_way {
            let (happens, not) = if way { (Way::Yes, Way::No) } else { (Way::No, Way::Yes) };
            right.push(never(pc, not));
            wrong.push(never(pc, happens));
        }
    }
    Ok((right, wrong))
}

#[test]
fn claims_about_random_programs() {
    let (mut written, mut accepted, mut refused) = (0_u32, 0_u32, 0_u32);
    for case in 0..600 {
        let mut seed = Seed::new(51, case);
        let count = 1 + seed.below(3);
        let filters: Vec<_> = (0..count)
            .map(|_| Filter::load(program_of(Shape::Policy, 4 + seed.below(40) as usize, &mut seed)).unwrap())
            .collect();
        let machine = Machine {
            kernel: seed.pick(&[Kernel::LATEST, Kernel::new(4, 13)]),
            endian: seed.pick(&[Endian::Little, Endian::Big]),
            shift: seed.pick(&ShiftByX::ALL),
        };
        let limits = Limits {
            steps: 1_000_000,
            values: 64,
            ..Limits::default()
        };
        let Ok(subject) = Subject::new(&filters, machine, &limits) else {
            continue;
        };
        let mut space = Space::new(machine, &[&subject], &limits);
        let Ok(function) = space.function(&subject, View::Value) else {
            continue;
        };
        if space.values(&function).is_none() {
            continue;
        }
        let Ok((right, wrong)) = claims(&mut space, &subject) else {
            continue;
        };
        for claim in &right {
            match proved(&[&subject], claim) {
                None => continue,
                Some(Ok(_)) => accepted += 1,
                Some(Err(rejected)) => {
                    refused += 1;
                    if refused < 6 {
                        println!("case {case} {:?}: {rejected}", claim.parts);
                    }
                }
            }
            written += 1;
        }
        for claim in &wrong {
            if let Some(Ok(_)) = proved(&[&subject], claim) {
                panic!("case {case}: a proof of a false claim was accepted: {claim:?}");
            }
        }
    }
    println!("{written} proofs of true claims, {accepted} accepted");
    assert!(
        written > 1000 && refused * 100 <= written,
        "{refused} of {written} refused"
    );
}

/// Regions and forced words: x32 is treated like x86-64, and the high half of an argument does not matter.
#[test]
fn regions_and_forced_words() {
    let program = vec![
        Insn::stmt(0x20, 0),
        Insn::stmt(0x54, 0xbfff_ffff),
        Insn::jump(0x15, 1, 0, 3),
        Insn::stmt(0x20, 16),
        Insn::jump(0x15, 7, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x06, 0x5_0001),
    ];
    let filters = [Filter::load(program).unwrap()];
    let (machine, limits) = (Machine::default(), Limits::default());
    let subject = Subject::new(&filters, machine, &limits).unwrap();
    let forced = |word, mask, value| Seen {
        chain: 0,
        force: vec![(word, mask, value)],
    };
    let both = |left, right, relation| of(vec![], vec![left, right], relation);
    let x32 = both(
        forced(1, 0x4000_0000, 0x4000_0000),
        forced(1, 0x4000_0000, 0),
        Relation::Refines,
    );
    let high = both(seen(0), forced(2, u32::MAX, 0), Relation::Equal(vec![(0, u32::MAX)]));
    let low = both(seen(0), forced(3, u32::MAX, 0), Relation::Equal(vec![(0, u32::MAX)]));
    assert!(matches!(proved(&[&subject], &x32), Some(Ok(_))));
    assert!(matches!(proved(&[&subject], &high), Some(Ok(_))));
    assert!(matches!(proved(&[&subject], &low), Some(Err(_))));
    let number = |k, to, otherwise| Region {
        word: 1,
        mask: 0xbfff_ffff,
        cases: vec![(k, k, to)],
        otherwise,
    };
    let denied = || Relation::Within(vec![(0x5_0001, 0x5_0001)]);
    let other = of(vec![number(1, 0, 1)], vec![seen(0)], denied());
    let all = of(vec![number(2, 0, 1)], vec![seen(0)], denied());
    assert!(matches!(proved(&[&subject], &other), Some(Ok(_))));
    assert!(matches!(proved(&[&subject], &all), Some(Err(_))));
}

fn corpus() -> Option<Vec<(String, Filter<'static>)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let Ok(text) = std::fs::read_to_string(path.join("meta.jsonl")) else {
        println!("skipped: no corpus of real filters beside the checkout");
        return None;
    };
    let load = |line: &str| {
        let meta: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = std::fs::read(path.join(meta["file"].as_str().unwrap())).unwrap();
        let insns = bytes.as_chunks::<8>().0.iter();
        let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
        (
            meta["name"].as_str().unwrap().to_owned(),
            Filter::load(program).unwrap(),
        )
    };
    Some(text.lines().map(load).collect())
}

#[test]
fn every_real_filter_has_proofs() {
    let Some(corpus) = corpus() else { return };
    let (mut accepted, mut largest, mut without) = (0, 0, Vec::new());
    for (name, filter) in &corpus {
        let filters = [filter.clone()];
        let (machine, limits) = (Machine::default(), Limits::default());
        let subject = Subject::new(&filters, machine, &limits).unwrap();
        let mut space = Space::new(machine, &[&subject], &limits);
        let (right, wrong) = claims(&mut space, &subject).unwrap();
        for claim in &right[..4] {
            match proved(&[&subject], claim) {
                Some(Ok(size)) => (accepted, largest) = (accepted + 1, largest.max(size)),
                Some(Err(rejected)) => without.push(format!("{name}: {:?}: {rejected}", claim.parts)),
                None => without.push(format!("{name}: {:?}: none written", claim.parts)),
            }
        }
        for claim in &wrong[..3] {
            assert!(!matches!(proved(&[&subject], claim), Some(Ok(_))), "{name}: {claim:?}");
        }
    }
    println!(
        "{accepted} proofs accepted, the largest of {largest} bytes; {} without",
        without.len()
    );
    println!("{}", without[..without.len().min(40)].join("\n"));
    assert!(without.len() * 20 < corpus.len() * 4, "{}", without.len());
}
