//! Claims of several parts: proved if they are true, and only then; and what is left of a proof that was spoilt.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

mod small;

use callproof_checker::{Claim, Event, Kind, Part, Region, Rejected, Relation, Shift, Statement, View, Way, check};
use callproof_testgen::{Choose, Seed};
use callproof_verifier::{Limits, Refutation, Subject, prove, refute};
use callproof_vm::observe::{Next, Observer, Step};
use callproof_vm::{Endian, Filter, Insn, Kernel, Machine, SeccompData, ShiftByX, combine};

/// Words as proofs number them.
type Input = [u32; 16];

/// Two chains of programs that look at few bits, and every input that they tell apart.
struct Case {
    chains: [Vec<Filter<'static>>; 2],
    machine: Machine,
    inputs: Vec<Input>,
    /// The bits, by word
    bits: Vec<(u8, u32)>,
    seed: Seed,
}

fn proof_words(call: &SeccompData) -> Input {
    let halves = |value: u64| [(value >> 32) as u32, value as u32];
    let arguments = call.args.into_iter().chain([call.instruction_pointer]).flat_map(halves);
    let words: Vec<u32> = [call.arch, call.nr.cast_unsigned()]
        .into_iter()
        .chain(arguments)
        .collect();
    words.try_into().unwrap()
}

fn call(input: &Input) -> SeccompData {
    let wide = |place: usize| u64::from(input[place]) << 32 | u64::from(input[place + 1]);
    let mut call = SeccompData::new(input[0], input[1].cast_signed(), [2, 4, 6, 8, 10, 12].map(wide));
    call.instruction_pointer = wide(14);
    call
}

impl Case {
    fn random(number: u64) -> Self {
        let mut seed = Seed::new(71, number);
        let machine = Machine {
            kernel: seed.pick(&[Kernel::LATEST, Kernel::new(4, 13)]),
            endian: seed.pick(&[Endian::Little, Endian::Big]),
            shift: seed.pick(&ShiftByX::ALL),
        };
        let (first, mut bits) = small::program(&mut seed);
        // A relative of the first program: it looks at the same bits.
        let mut second = first.clone();
        let place = seed.below(u32::try_from(second.len()).unwrap()) as usize;
        second[place].k ^= u32::from(second[place].code == 0x06 || second[place].code == 0x15);
        let first = Filter::load(first).unwrap();
        let second = Filter::load(second).unwrap_or_else(|_| first.clone());
        let chains = if seed.one_in(2) {
            [vec![first], vec![second]]
        } else {
            let deny = Filter::load(vec![Insn::stmt(0x06, 0x0005_0001)]).unwrap();
            [vec![first.clone(), second], vec![first, deny]]
        };
        let in_memory: Vec<Input> = small::inputs(&bits)
            .flat_map(|words| [words, small::noise(words, &bits)])
            .collect();
        let call = |words: &Input| SeccompData::from_words(*words, machine.endian);
        let inputs = in_memory.iter().map(|words| proof_words(&call(words))).collect();
        for (word, _) in &mut bits {
            let mut words = [0; 16];
            words[usize::from(*word)] = 1;
            let place = proof_words(&call(&words)).iter().position(|word| *word == 1).unwrap();
            *word = u8::try_from(place).unwrap();
        }
        Self {
            chains,
            machine,
            inputs,
            bits,
            seed,
        }
    }

    /// Some bits of a word.
    fn mask(&mut self) -> (u8, u32) {
        let (word, _) = self.seed.pick(&self.bits);
        let own: Vec<_> = self.bits.iter().filter(|bit| bit.0 == word).copied().collect();
        let all = own.iter().fold(0, |mask, (_, place)| mask | 1 << place);
        let one = 1 << self.seed.pick(&own).1;
        (word, self.seed.pick(&[all, one]))
    }

    fn view(&mut self, chain: u8) -> View {
        let mut force = Vec::new();
        if self.seed.one_in(3) {
            let (word, mask) = self.mask();
            force.push((word, mask, self.seed.pick(&[0, mask, mask & mask.wrapping_neg()])));
        }
        View { chain, force }
    }

    fn claim(&mut self) -> Claim {
        let mut region = Vec::new();
        for known in 2..2 + self.seed.below(4) {
            let (word, mask) = self.mask();
            let first = self.seed.pick(&[0, mask, mask & mask.wrapping_neg()]);
            let to = self.seed.below(known);
            region.push(Region {
                word,
                mask,
                cases: vec![(first, self.seed.pick(&[first, mask]).max(first), to)],
                otherwise: (to + 1 + self.seed.below(known - 1)) % known,
            });
        }
        let family = self.seed.below(7);
        let count = if family == 1 { 1 } else { 1 + self.seed.below(4) };
        let last = u32::try_from(region.len()).unwrap() + 1;
        let parts = (0..count).map(|_| Part {
            within: self.seed.pick(&[last, last, 1]),
            ..self.part(family)
        });
        let parts = parts.collect();
        Claim { region, parts }
    }

    fn part(&mut self, family: u32) -> Part {
        let (one, other) = (self.view(0), self.view(1));
        let (views, relation) = match (family, self.seed.below(6)) {
            (0, 0..3) => (vec![one], Relation::CostAtLeast(1 + self.seed.below(12))),
            (0, _) => (vec![one], Relation::Cost(1 + self.seed.below(30))),
            (1, _) => (
                vec![one],
                Relation::Never((0..1 + self.seed.below(3)).map(|_| self.event()).collect()),
            ),
            (_, 0) => (vec![one, other], Relation::Equal(vec![(0, u32::MAX)])),
            (_, 4) => (vec![one, other], Relation::Equal(self.set())),
            (_, 1) => (vec![one, other], Relation::SameAction),
            (_, 2) => (vec![one, other], Relation::Refines),
            (_, 3) => (vec![one, other], Relation::Implies(self.set())),
            _ => (vec![one], Relation::Within(self.set())),
        };
        Part {
            within: 1,
            views,
            relation,
        }
    }

    fn event(&mut self) -> Event {
        let filter = self.seed.below(u32::try_from(self.chains[0].len()).unwrap());
        let program = self.chains[0][filter as usize].program();
        // Mostly where something is decided.
        let jumps: Vec<usize> = (0..program.len()).filter(|pc| program[*pc].code & 7 == 5).collect();
        let any = self.seed.below(u32::try_from(program.len()).unwrap()) as usize;
        let pc = if jumps.is_empty() || self.seed.one_in(3) {
            any
        } else {
            self.seed.pick(&jumps)
        };
        let pc = u32::try_from(pc).unwrap();
        let way = [Way::Reached, Way::Yes, Way::No][self.seed.below(3) as usize];
        Event { filter, pc, way }
    }

    /// What some inputs return, or much more.
    fn set(&mut self) -> Vec<(u32, u32)> {
        if self.seed.one_in(2) {
            return vec![(0, self.seed.pick(&[0x7fff_ffff, 0x7ffe_ffff, 0x0005_ffff, u32::MAX]))];
        }
        let inputs: Vec<Input> = (0..6).map(|_| self.seed.pick(&self.inputs)).collect();
        let mut values: Vec<u32> = inputs
            .iter()
            .map(|input| run(&self.chains[0], self.machine, input, &[]).value)
            .collect();
        values.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for value in values {
            match ranges.last_mut() {
                Some(last) if value <= last.1.saturating_add(1) => last.1 = value,
                _ => ranges.push((value, value)),
            }
        }
        ranges
    }

    fn holds(&self, claim: &Claim) -> bool {
        let part = |input: &Input, part: &Part| {
            let mut regions = vec![false, true];
            for node in &claim.region {
                let value = input[usize::from(node.word)] & node.mask;
                let case = node.cases.iter().find(|case| (case.0..=case.1).contains(&value));
                regions.push(regions[case.map_or(node.otherwise, |case| case.2) as usize]);
            }
            !regions[part.within as usize] || self.part_holds(part, input)
        };
        self.inputs
            .iter()
            .all(|input| claim.parts.iter().all(|one| part(input, one)))
    }

    fn part_holds(&self, part: &Part, input: &Input) -> bool {
        let events = match &part.relation {
            Relation::Never(events) => events.as_slice(),
            _ => &[],
        };
        let outcomes = part.views.iter().map(|view| {
            let mut input = *input;
            for &(word, mask, value) in &view.force {
                input[usize::from(word)] = input[usize::from(word)] & !mask | value;
            }
            run(&self.chains[usize::from(view.chain)], self.machine, &input, events)
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        let (left, right) = (&outcomes[0], outcomes.last().unwrap());
        let within = |set: &[(u32, u32)], value: u32| set.iter().any(|(first, last)| (*first..=*last).contains(&value));
        let rank = |value: u32| match self.machine.kernel >= Kernel::new(4, 14) {
            true => i64::from((value & 0xffff_0000).cast_signed()),
            false => i64::from(value & 0x7fff_0000),
        };
        match &part.relation {
            Relation::Within(set) => within(set, left.value),
            Relation::Equal(set) => !within(set, left.value) || left.value == right.value,
            Relation::SameAction => rank(left.value) == rank(right.value),
            Relation::Refines => rank(left.value) <= rank(right.value),
            Relation::Implies(set) => !within(set, left.value) || within(set, right.value),
            Relation::Cost(bound) => left.executed <= *bound,
            Relation::CostAtLeast(bound) => left.executed >= *bound,
            Relation::Never(_) => !left.happened,
        }
    }

    fn check(&self, file: &[u8]) -> Result<Statement, Rejected> {
        let bytes = |filter: &Filter<'_>| -> Vec<u8> {
            let insns = filter.program().iter();
            insns.flat_map(|insn| insn.to_bytes(self.machine.endian)).collect()
        };
        let programs: Vec<Vec<Vec<u8>>> = self
            .chains
            .iter()
            .map(|chain| chain.iter().map(bytes).collect())
            .collect();
        let chains: Vec<Vec<&[u8]>> = programs
            .iter()
            .map(|chain| chain.iter().map(Vec::as_slice).collect())
            .collect();
        let chains: Vec<&[&[u8]]> = chains.iter().map(Vec::as_slice).collect();
        check(file, &chains)
    }

    /// A diagram proof.
    fn prove(&self, claim: &Claim) -> Option<Vec<u8>> {
        let limits = Limits::default();
        let subject = |chain| Subject::new(chain, self.machine, &limits).unwrap();
        prove(&[&subject(&self.chains[0]), &subject(&self.chains[1])], claim, &limits).ok()
    }
}

fn machine(stated: &Statement) -> Machine {
    Machine {
        kernel: if stated.machine.before_4_14 {
            Kernel::new(4, 13)
        } else {
            Kernel::LATEST
        },
        endian: if stated.machine.big_endian {
            Endian::Big
        } else {
            Endian::Little
        },
        shift: match stated.machine.shift {
            Shift::Masked => ShiftByX::Masked,
            Shift::Arm8 => ShiftByX::Arm8,
            Shift::SixBitZero => ShiftByX::SixBitZero,
        },
    }
}

struct Outcome {
    value: u32,
    executed: u32,
    happened: bool,
}

struct Watch<'w> {
    events: Vec<&'w Event>,
    executed: u32,
    happened: bool,
}

impl Observer for Watch<'_> {
    fn step(&mut self, step: &Step) {
        self.executed += 1;
        let condition = match step.insn.code {
            0x15 => Some(step.a == step.insn.k),
            0x1d => Some(step.a == step.x),
            0x25 => Some(step.a > step.insn.k),
            0x2d => Some(step.a > step.x),
            0x35 => Some(step.a >= step.insn.k),
            0x3d => Some(step.a >= step.x),
            0x45 => Some(step.a & step.insn.k != 0),
            0x4d => Some(step.a & step.x != 0),
            0x3c => Some(matches!(step.next, Next::Return(_))),
            0x6c | 0x7c => Some(step.x >= 32),
            _ => None,
        };
        let here = self.events.iter().filter(|event| event.pc as usize == step.pc);
        self.happened |= here.fold(false, |happened, event| {
            happened
                | match event.way {
                    Way::Reached => true,
                    Way::Yes => condition == Some(true),
                    Way::No => condition == Some(false),
                }
        });
    }
}

fn run(chain: &[Filter<'_>], machine: Machine, input: &Input, events: &[Event]) -> Outcome {
    let words = call(input).words(machine.endian);
    let (mut executed, mut happened, mut values) = (0, false, Vec::new());
    for (place, filter) in chain.iter().enumerate() {
        let events = events.iter().filter(|event| event.filter as usize == place).collect();
        let mut watch = Watch {
            events,
            executed: 0,
            happened: false,
        };
        values.push(filter.run_words(&words, machine.shift, &mut watch));
        executed += watch.executed;
        happened |= watch.happened;
    }
    let value = combine(values.into_iter().enumerate().rev(), machine.kernel).value;
    Outcome {
        value,
        executed,
        happened,
    }
}

#[test]
fn a_claim_is_proved_if_it_is_true_and_only_then() {
    let (mut right, mut wrong, mut unspoken, mut refuted, mut shown) = (0, 0, 0, 0, 0);
    for number in 0..1_500 {
        let mut case = Case::random(number);
        let claim = case.claim();
        let truth = case.holds(&claim);
        match case.prove(&claim) {
            None => unspoken += 1,
            Some(file) => {
                let accepted = case.check(&file);
                if accepted
                    .as_ref()
                    .is_err_and(|rejected| rejected.kind == Kind::Unsupported)
                {
                    unspoken += 1;
                    continue;
                }
                assert_eq!(
                    accepted.is_ok(),
                    truth,
                    "case {number}: {accepted:?}, {claim:?} {:?}",
                    case.chains[0]
                );
                assert!(accepted.is_ok_and(|accepted| accepted.claim == claim) || !truth);
                right += u32::from(truth);
                wrong += u32::from(!truth);
            }
        }
        let costs = matches!(claim.parts[0].relation, Relation::Cost(_) | Relation::CostAtLeast(_));
        if number % 4 != 0 || costs {
            continue;
        }
        let chains = [case.chains[0].as_slice(), case.chains[1].as_slice()];
        match refute(&chains, case.machine, &claim, &Limits::default()) {
            Ok(Refutation::Holds(file)) => {
                assert!(
                    truth && case.check(&file).is_ok_and(|accepted| accepted.claim == claim),
                    "case {number}"
                );
                refuted += 1;
            }
            Ok(Refutation::Fails(_)) => {
                assert!(!truth, "case {number}: {claim:?}");
                shown += 1;
            }
            Err(_) => {}
        }
    }
    println!("{right} right, {wrong} wrong, {unspoken} not spoken about; by clauses {refuted} hold, {shown} fail");
    assert!(right > 150 && wrong > 150 && refuted > 40 && shown > 40);
}

#[test]
fn a_spoilt_file_states_something_true_or_is_refused() {
    let (mut filters, mut refused, mut same, mut other) = (0, 0, 0, 0);
    for number in 5_000..5_400 {
        let mut case = Case::random(number);
        let claim = case.claim();
        let clauses = number % 3 == 0;
        let file = if clauses && !matches!(claim.parts[0].relation, Relation::Cost(_) | Relation::CostAtLeast(_)) {
            let chains = [case.chains[0].as_slice(), case.chains[1].as_slice()];
            match refute(&chains, case.machine, &claim, &Limits::default()) {
                Ok(Refutation::Holds(file)) => Some(file),
                _ => None,
            }
        } else {
            case.prove(&claim)
        };
        let Some(file) = file.filter(|file| file.len() < 3_000 && case.check(file).is_ok()) else {
            continue;
        };
        filters += 1;
        for _ in 0..120 {
            let mut spoilt = file.clone();
            let at = case.seed.below(u32::try_from(file.len()).unwrap()) as usize;
            match case.seed.below(5) {
                0 => spoilt[at] ^= 1 << case.seed.below(8),
                1 => spoilt[at] = spoilt[at].wrapping_add(1),
                2 => spoilt[at] = spoilt[at].wrapping_sub(1),
                3 if at > 0 => spoilt.swap(at, at - 1),
                _ => drop(spoilt.remove(at)),
            }
            match case.check(&spoilt) {
                Err(_) => refused += 1,
                Ok(stated) if stated.claim == claim && machine(&stated) == case.machine => same += 1,
                Ok(stated) => {
                    // The file may speak of another machine too.
                    let own = core::mem::replace(&mut case.machine, machine(&stated));
                    assert!(case.holds(&stated.claim), "case {number}: {stated:?}");
                    case.machine = own;
                    other += 1;
                }
            }
        }
    }
    println!("{filters} filters: {refused} refused, {same} state the same, {other} state something else that is true");
    assert!(filters > 40 && refused > 3_000 && other > 50);
}
