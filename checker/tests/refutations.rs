//! Refutations: the clauses say what the filters do, and only derivations are accepted.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    reason = "what fails here is the test"
)]

mod producer;

use callproof_checker::{Claim, Formula, Literal, Part, Relation, Statement, check, formula};
use callproof_vm::{Filter, Insn};
use producer::generate::{self, Dice, Domain};
use producer::truth::{self, Input};
use producer::write::{head, nat};

type Chains = Vec<Vec<Vec<Insn>>>;

fn with_bytes<T>(statement: &Statement, chains: &Chains, f: impl FnOnce(&[&[&[u8]]]) -> T) -> T {
    let bytes: Vec<Vec<Vec<u8>>> = chains
        .iter()
        .map(|chain| chain.iter().map(|f| truth::bytes(f, &statement.machine)).collect())
        .collect();
    let slices: Vec<Vec<&[u8]>> = bytes
        .iter()
        .map(|chain| chain.iter().map(Vec::as_slice).collect())
        .collect();
    let chains: Vec<&[&[u8]]> = slices.iter().map(Vec::as_slice).collect();
    f(&chains)
}

fn clauses(formula: &Formula) -> Vec<Vec<Literal>> {
    (1..=formula.len())
        .map(|number| formula.clause(number).unwrap())
        .collect()
}

/// Whether the clauses can be satisfied at an input: gates follow from inputs, so each is computed.
fn satisfied_at(clauses: &[Vec<Literal>], input: &Input, variables: u32) -> bool {
    let mut truth = vec![false; variables as usize + 1];
    for var in 0..512 {
        truth[var + 1] = input[var / 32] >> (31 - var % 32) & 1 == 1;
    }
    let holds = |truth: &[bool], literal: Literal| truth[(literal >> 1) as usize] == (literal & 1 == 0);
    for gate in clauses.as_chunks::<3>().0 {
        let [left, right, _] = gate;
        let value = holds(&truth, left[1]) && holds(&truth, right[1]);
        truth[(left[0] >> 1) as usize] = value;
    }
    clauses
        .iter()
        .all(|clause| clause.iter().any(|&literal| holds(&truth, literal)))
}

fn random(seed: u64) -> Option<(Statement, Chains, Domain, Dice)> {
    let mut dice = Dice(seed);
    let domain = dice.pick(&[Domain::Bits, Domain::Values]);
    let machine = generate::machine(&mut dice);
    let filter = |dice: &mut Dice| {
        let len = 2 + dice.roll(24);
        if dice.roll(2) == 0 {
            return generate::program(domain, len, &machine, dice);
        }
        // All of arithmetic, on whole words.
        let shape = callproof_testgen::program(&mut callproof_testgen::Seed::new(dice.0, 0));
        if shape.len() < 60 {
            shape
        } else {
            generate::program(domain, len, &machine, dice)
        }
    };
    let chains: Chains = vec![vec![filter(&mut dice)], vec![filter(&mut dice), filter(&mut dice)]];
    let claim = generate::claim(domain, &chains, &mut dice);
    let shape = chains
        .iter()
        .map(|chain| chain.iter().map(|f| u32::try_from(f.len()).unwrap()).collect())
        .collect();
    Some((Statement { machine, shape, claim }, chains, domain, dice))
}

#[test]
fn the_clauses_are_satisfied_where_the_claim_is_false() {
    let (mut met, mut broken) = (0, 0);
    for seed in 0..400 {
        let Some((statement, chains, domain, mut dice)) = random(seed) else {
            continue;
        };
        let formula = with_bytes(&statement, &chains, |chains| formula(&statement, chains)).unwrap();
        let clauses = clauses(&formula);
        let mut inputs: Vec<Input> = domain.inputs();
        for _ in 0..60 {
            let near = inputs[dice.roll(inputs.len())];
            inputs.push(near.map(|word| word ^ (1 << dice.roll(32)) ^ dice.pick(&[0, 0, 1, 0xff, 0xffff_0000])));
        }
        for _ in 0..150 {
            let input = if dice.roll(2) == 0 {
                inputs[dice.roll(inputs.len())]
            } else {
                *inputs.last().unwrap()
            };
            inputs.pop();
            let holds = truth::true_at(&statement, &chains, &input);
            assert_eq!(
                satisfied_at(&clauses, &input, formula.variables()),
                !holds,
                "seed {seed} {input:x?}"
            );
            met += u32::from(holds);
            broken += u32::from(!holds);
        }
    }
    println!("{met} inputs meet their claim, {broken} do not");
    assert!(met > 5_000 && broken > 1_000);
}

/// One step of a derivation: a clause and the numbers of those it follows from.
type Step = (Vec<Literal>, Vec<usize>);

/// Refutes clauses by unit propagation and splitting, if the tree stays small.
struct Refuter<'r> {
    clauses: &'r [Vec<Literal>],
    steps: Vec<Step>,
    effort: usize,
}

impl Refuter<'_> {
    /// Derives the clause that not all decisions hold; its number.
    fn refute(
        &mut self,
        decisions: &mut Vec<Literal>,
        truth: &mut Vec<Option<bool>>,
        before: &[usize],
    ) -> Option<usize> {
        self.effort = self.effort.checked_sub(1)?;
        let value = |truth: &[Option<bool>], literal: Literal| {
            truth[(literal >> 1) as usize].map(|truth| truth == (literal & 1 == 0))
        };
        let mut used = before.to_vec();
        let mut undo = Vec::new();
        let mut conflict = false;
        let mut changed = true;
        while changed && !conflict {
            changed = false;
            for (index, clause) in self.clauses.iter().enumerate() {
                if clause.iter().any(|&literal| value(truth, literal) == Some(true)) {
                    continue;
                }
                let open: Vec<Literal> = clause.iter().copied().filter(|&l| value(truth, l).is_none()).collect();
                match open.as_slice() {
                    [] => {
                        used.push(index + 1);
                        conflict = true;
                        break;
                    }
                    [unit] => {
                        truth[(unit >> 1) as usize] = Some(unit & 1 == 0);
                        undo.push(unit >> 1);
                        used.push(index + 1);
                        changed = true;
                    }
                    _ => {}
                }
            }
        }
        let mut number = None;
        if conflict {
            number = Some(());
        } else if let Some(variable) = (1..truth.len()).find(|&v| truth[v].is_none()) {
            let mut both = Vec::new();
            for positive in [true, false] {
                let literal = (variable as Literal) << 1 | Literal::from(!positive);
                truth[variable] = Some(positive);
                decisions.push(literal);
                let found = self.refute(decisions, truth, &used);
                decisions.pop();
                truth[variable] = None;
                match found {
                    Some(found) => both.push(found),
                    None => break,
                }
            }
            if both.len() == 2 {
                used.extend(both);
                number = Some(());
            }
        }
        for variable in undo {
            truth[variable as usize] = None;
        }
        number?;
        self.steps
            .push((decisions.iter().map(|literal| literal ^ 1).collect(), used));
        Some(self.clauses.len() + self.steps.len())
    }
}

fn write(statement: &Statement, formula: usize, steps: &[Step]) -> Vec<u8> {
    let mut file = head(2, &statement.machine, &statement.shape, &statement.claim);
    nat(&mut file, steps.len() as u32);
    for (index, (clause, hints)) in steps.iter().enumerate() {
        let number = formula + index + 1;
        file.push(1);
        nat(&mut file, clause.len() as u32);
        clause.iter().for_each(|&literal| nat(&mut file, literal));
        nat(&mut file, hints.len() as u32);
        hints.iter().for_each(|&hint| nat(&mut file, (number - hint) as u32));
    }
    file
}

/// That a test of some bits is the same when something is added before and subtracted again.
fn small(seed: u64) -> (Statement, Chains, Domain) {
    let mut dice = Dice(seed);
    let machine = generate::machine(&mut dice);
    let offset = dice.pick(&[0, 4]);
    let mask = dice.pick(&[3, 1, 2, 0x8000_0001, 0x8000_0003]);
    let k = dice.pick(&[0, 1, 2, 3, 0x8000_0000]);
    let code = dice.pick(&[0x15, 0x25, 0x35, 0x45]);
    let returns = [dice.pick(&generate::RETURNS), dice.pick(&generate::RETURNS)];
    let amount = dice.pick(&[1, 2, 3, 5, 0x7fff_ffff, 0x8000_0001]);
    let filter = |between: &[Insn]| {
        let mut filter = vec![Insn::stmt(0x20, offset), Insn::stmt(0x54, mask)];
        filter.extend(between);
        filter.push(Insn::jump(code, k, 0, 1));
        filter.extend(returns.map(|value| Insn::stmt(0x06, value)));
        filter
    };
    let other = filter(&[Insn::stmt(0x04, amount), Insn::stmt(0x14, amount)]);
    let region = generate::region(Domain::Bits, &mut dice);
    let part = |within, relation| Part {
        within,
        views: vec![producer::plain(0), producer::plain(1)],
        relation,
    };
    let last = region.len() as u32 + 1;
    let parts = match dice.roll(3) {
        0 => vec![part(last, Relation::Equal(vec![(0, dice.pick(&[5, u32::MAX]))]))],
        1 => vec![part(last, Relation::Refines)],
        _ => vec![
            part(1, Relation::SameAction),
            part(last, Relation::Implies(vec![(5, u32::MAX)])),
        ],
    };
    let claim = Claim { region, parts };
    let shape = vec![vec![5], vec![7]];
    (
        Statement { machine, shape, claim },
        vec![vec![filter(&[])], vec![other]],
        Domain::Bits,
    )
}

/// A statement that a small tree refutes, with the steps.
fn refuted(seed: u64) -> Option<(Statement, Chains, Domain, usize, Vec<Step>)> {
    let (statement, chains, domain) = small(seed);
    let formula = with_bytes(&statement, &chains, |chains| formula(&statement, chains)).ok()?;
    let clauses = clauses(&formula);
    if clauses.len() > 1_200 || clauses.last()?.is_empty() {
        return None;
    }
    let mut refuter = Refuter {
        clauses: &clauses,
        steps: vec![],
        effort: 300,
    };
    // Only variables that clauses name are worth splitting on.
    let mut truth = vec![Some(false); formula.variables() as usize + 1];
    clauses
        .iter()
        .flatten()
        .for_each(|&literal| truth[(literal >> 1) as usize] = None);
    refuter.refute(&mut vec![], &mut truth, &[])?;
    Some((statement, chains, domain, clauses.len(), refuter.steps))
}

#[test]
fn derivations_are_accepted_and_spoilt_ones_are_not() {
    let (mut right, mut refused, mut harmless) = (0, 0, 0);
    for seed in 0..300 {
        let Some((statement, chains, domain, formula, steps)) = refuted(seed) else {
            continue;
        };
        let file = write(&statement, formula, &steps);
        let accepted = with_bytes(&statement, &chains, |chains| check(&file, chains));
        assert_eq!(accepted.as_ref(), Ok(&statement), "seed {seed}");
        assert!(
            domain
                .inputs()
                .iter()
                .all(|input| truth::true_at(&statement, &chains, input)),
            "seed {seed}"
        );
        right += 1;
        if right > 30 {
            continue;
        }
        for end in 0..file.len() {
            assert!(with_bytes(&statement, &chains, |chains| check(&file[..end], chains)).is_err());
        }
        let mut dice = Dice(seed);
        for _ in 0..100 {
            let mut spoilt = file.clone();
            let at = dice.roll(file.len());
            spoilt[at] ^= dice.pick(&[1, 2, 4, 0x80]);
            match with_bytes(&statement, &chains, |chains| check(&spoilt, chains)) {
                Err(_) => refused += 1,
                Ok(other) => {
                    let holds = domain
                        .inputs()
                        .iter()
                        .all(|input| truth::true_at(&other, &chains, input));
                    assert!(holds, "seed {seed}, byte {at}: {other:?}");
                    harmless += 1;
                }
            }
        }
    }
    println!("{right} right, {refused} spoilt refused, {harmless} still right");
    assert!(right > 20 && refused > 500);
}

#[test]
fn a_derivation_proves_nothing_about_another_program() {
    let (mut refused, mut still) = (0, 0);
    for seed in 1_000..1_500 {
        let Some((statement, chains, domain, formula, steps)) = refuted(seed) else {
            continue;
        };
        let file = write(&statement, formula, &steps);
        let mut dice = Dice(seed);
        for _ in 0..40 {
            let mut other = chains.clone();
            let chain = dice.roll(2);
            let program = &mut other[chain][0];
            let pc = dice.roll(program.len());
            program[pc].k ^= dice.pick(&[1, 0x0001_0000, 0x8000_0000, 3]);
            if Filter::load(program.as_slice()).is_err() {
                continue;
            }
            if with_bytes(&statement, &other, |chains| check(&file, chains)).is_ok() {
                let holds = domain
                    .inputs()
                    .iter()
                    .all(|input| truth::true_at(&statement, &other, input));
                assert!(holds, "seed {seed}");
                still += 1;
            } else {
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {still} hold for the other program too");
    assert!(refused > 20);
}
