//! Small random programs and claims, whose truth can be found by trying every input that matters.

use callproof_checker::{Claim, Event, Machine, Part, Region, Relation, Shift, View, Way};
use callproof_vm::{Filter, Insn};

use super::diagram::Op;
use super::truth::Input;

/// A stream of choices.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % sides as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// What programs look at. Either some bits of words, or whole words near some values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Every load is masked to these bits
    Bits,
    /// Words are compared with these values
    Values,
}

/// arch, nr, both halves of argument 0.
pub(crate) const SLOTS: [u8; 4] = [0, 1, 2, 3];
const MASK: u32 = 0x8000_0003;
const VALUES: [u32; 5] = [0, 1, 7, 0x8000_0000, u32::MAX];
pub(crate) const RETURNS: [u32; 8] = [
    0x7fff_0000,
    0x0005_0001,
    0x0005_0002,
    0,
    0x8000_0000,
    0x7ffc_0000,
    0x7fff_0007,
    0x8001_0000,
];

impl Domain {
    /// Every input that a program of this domain can tell from others.
    pub(crate) fn inputs(self) -> Vec<Input> {
        let words: Vec<u32> = match self {
            Self::Bits => vec![0, 1, 2, 3, 0x8000_0000, 0x8000_0001, 0x8000_0002, 0x8000_0003],
            Self::Values => vec![0, 1, 2, 7, 8, 0x8000_0000, 0x8000_0001, u32::MAX],
        };
        let mut inputs = vec![[0; 16]];
        for slot in SLOTS {
            let longer = inputs.iter().flat_map(|input| {
                words.iter().map(move |&word| {
                    let mut input = *input;
                    input[usize::from(slot)] = word;
                    input
                })
            });
            inputs = longer.collect();
        }
        inputs
    }

    fn mask(self, dice: &mut Dice) -> u32 {
        match self {
            Self::Bits => dice.pick(&[MASK, 3, 1, 2, 0x8000_0000, 0x8000_0001]),
            Self::Values => u32::MAX,
        }
    }

    fn constant(self, dice: &mut Dice) -> u32 {
        match self {
            Self::Bits => dice.pick(&[
                0,
                1,
                2,
                3,
                4,
                0x8000_0000,
                0x8000_0001,
                0x8000_0003,
                0xc000_0000,
                u32::MAX,
            ]),
            Self::Values => dice.pick(&VALUES),
        }
    }

    fn op(self, dice: &mut Dice) -> Op {
        match self {
            Self::Bits => dice.pick(&[Op::Eq, Op::Gt, Op::Ge, Op::Set]),
            Self::Values => dice.pick(&[Op::Eq, Op::Gt, Op::Ge]),
        }
    }
}

pub(crate) fn machine(dice: &mut Dice) -> Machine {
    Machine {
        big_endian: dice.roll(4) == 0,
        before_4_14: dice.roll(4) == 0,
        shift: dice.pick(&[Shift::Masked, Shift::Masked, Shift::Arm8, Shift::SixBitZero]),
    }
}

/// A program that the kernel installs.
pub(crate) fn program(domain: Domain, len: usize, machine: &Machine, dice: &mut Dice) -> Vec<Insn> {
    loop {
        let mut program = Vec::new();
        while program.len() + 1 < len {
            piece(domain, machine, dice, &mut program);
        }
        program.truncate(len - 1);
        program.push(Insn::stmt(0x06, dice.pick(&RETURNS)));
        aim(&mut program, dice);
        if Filter::load(program.as_slice()).is_ok() {
            return program;
        }
    }
}

/// Lets jumps lead somewhere, mostly near, and not to one place both ways.
fn aim(program: &mut [Insn], dice: &mut Dice) {
    let len = program.len();
    for (pc, insn) in program.iter_mut().enumerate() {
        let room = (len - pc - 1).min(1 + dice.roll(12));
        if insn.code == 0x05 {
            insn.k = dice.roll(room) as u32;
        } else if insn.code & 7 == 5 {
            insn.jt = dice.roll(room) as u8;
            insn.jf = dice.roll(room) as u8;
            if insn.jt == insn.jf {
                // With one place left there is nothing to decide.
                let free = (insn.jt as usize + 1) % room.max(1);
                insn.jf = free as u8;
                if insn.jt == insn.jf {
                    *insn = Insn::stmt(0x06, RETURNS[0]);
                }
            }
        }
    }
}

fn piece(domain: Domain, machine: &Machine, dice: &mut Dice, program: &mut Vec<Insn>) {
    let k = domain.constant(dice);
    let op = match domain.op(dice) {
        Op::Eq => 0x15,
        Op::Gt => 0x25,
        Op::Ge => 0x35,
        Op::Set => 0x45,
    };
    let cell = dice.roll(2) as u32;
    match dice.roll(14) {
        0..3 => {
            let slot = dice.pick(&SLOTS);
            // Word 0 of the order is at offset 4, word 1 at 0, the high half at 20 or 16.
            let offset = match (slot, machine.big_endian) {
                (0, _) => 4,
                (1, _) => 0,
                (2, false) | (3, true) => 20,
                _ => 16,
            };
            program.push(Insn::stmt(0x20, offset));
            if domain == Domain::Bits {
                program.push(Insn::stmt(0x54, domain.mask(dice)));
            }
        }
        3..8 => program.push(Insn::jump(op, k, 0, 0)),
        8 => program.push(Insn::jump(op | 8, 0, 0, 0)),
        9 => program.push(Insn::stmt(0x06, dice.pick(&RETURNS))),
        10 => {
            let code = dice.pick(&[0x02, 0x03, 0x60, 0x61, 0x07, 0x87, 0x01, 0x00]);
            let k = if matches!(code, 0 | 1) { k } else { cell };
            program.push(Insn::stmt(code, k));
        }
        11 if domain == Domain::Bits => {
            let code = dice.pick(&[
                0x44, 0xa4, 0x64, 0x74, 0x54, 0x04, 0x24, 0x34, 0x84, 0x6c, 0x7c, 0x3c, 0x0c,
            ]);
            let k = match code {
                0x64 | 0x74 => dice.pick(&[0, 1, 2, 31]),
                0x24 | 0x34 => dice.pick(&[1, 2, 4]),
                0x04 => dice.pick(&[0, 0, 1]),
                _ => k,
            };
            program.push(Insn::stmt(code, k));
        }
        12 if domain == Domain::Bits && dice.roll(3) == 0 => program.push(Insn::stmt(0x16, 0)),
        13 => program.push(Insn::stmt(0x05, 0)),
        _ => program.push(Insn::jump(op, k, 0, 0)),
    }
}

/// A random region.
pub(crate) fn region(domain: Domain, dice: &mut Dice) -> Vec<Region> {
    let mut region = Vec::new();
    for known in 2..2 + dice.roll(4) as u32 {
        let word = dice.pick(&SLOTS);
        let mask = domain.mask(dice);
        let mut to = || dice.roll(known as usize) as u32;
        let (then, otherwise) = (to(), to());
        let k = domain.constant(dice);
        let cases = match dice.roll(5) {
            0 => vec![(k, k, then)],
            1 => vec![(0, k, then)],
            2 => vec![(k, u32::MAX, then)],
            _ => {
                let mut ends: Vec<u32> = (0..2 * dice.roll(4)).map(|_| domain.constant(dice)).collect();
                ends.sort_unstable();
                ends.dedup();
                let cases = ends.as_chunks::<2>().0.iter().map(|&[first, last]| {
                    let last = if dice.roll(3) == 0 { first } else { last };
                    (first, last, dice.roll(known as usize) as u32)
                });
                cases.collect()
            }
        };
        region.push(Region {
            word,
            mask,
            cases,
            otherwise,
        });
    }
    region
}

fn view(domain: Domain, chains: usize, dice: &mut Dice) -> View {
    let chain = dice.roll(chains) as u8;
    let mut force = Vec::new();
    if dice.roll(3) == 0 {
        let mask = domain.mask(dice);
        force.push((dice.pick(&SLOTS), mask, domain.constant(dice) & mask));
    }
    View { chain, force }
}

/// A random set of values, often of whole actions.
fn set(dice: &mut Dice) -> Vec<(u32, u32)> {
    let mut set: Vec<(u32, u32)> = Vec::new();
    for action in [0_u32, 0x0005_0000, 0x7ffc_0000, 0x7fff_0000, 0x8000_0000, 0x8001_0000] {
        match dice.roll(3) {
            0 => set.push((action, action | 0xffff)),
            1 if action == 0x0005_0000 => set.push((action | 1, action | 1)),
            _ => {}
        }
    }
    if set.ends_with(&[(0x8000_0000, 0x8000_ffff), (0x8001_0000, 0x8001_ffff)]) {
        set.pop();
    }
    if set.windows(2).any(|two| two[0].1 + 1 == two[1].0) {
        set.truncate(1);
    }
    set
}

/// A random claim about these chains.
pub(crate) fn claim(domain: Domain, chains: &[Vec<Vec<Insn>>], dice: &mut Dice) -> Claim {
    let region = region(domain, dice);
    let family = dice.roll(8);
    let count = if family == 7 {
        1
    } else {
        1 + dice.roll(2) * dice.roll(4)
    };
    let parts = (0..count).map(|_| part(domain, chains, (family, region.len()), dice));
    Claim {
        parts: parts.collect(),
        region,
    }
}

fn part(domain: Domain, chains: &[Vec<Vec<Insn>>], (family, regions): (usize, usize), dice: &mut Dice) -> Part {
    let one = vec![view(domain, chains.len(), dice)];
    let two = vec![view(domain, chains.len(), dice), view(domain, chains.len(), dice)];
    let (views, relation) = match (family, dice.roll(6)) {
        (6, 0..3) => (one, Relation::CostAtLeast(dice.roll(8) as u32)),
        (6, _) => (one, Relation::Cost(dice.roll(20) as u32)),
        (7, _) => {
            let chain = &chains[usize::from(one[0].chain)];
            let events = (0..1 + dice.roll(2) * dice.roll(4)).map(|_| {
                let filter = dice.roll(chain.len());
                let pc = dice.roll(chain[filter].len());
                let way = dice.pick(&[Way::Reached, Way::Yes, Way::No]);
                let (filter, pc) = (filter as u32, pc as u32);
                Event { filter, pc, way }
            });
            let events = events.collect();
            (one, Relation::Never(events))
        }
        (_, 0 | 1) => (one, Relation::Within(set(dice))),
        (_, 2) => {
            let values = if dice.roll(2) == 0 {
                set(dice)
            } else {
                vec![(0, u32::MAX)]
            };
            (two, Relation::Equal(values))
        }
        (_, 3) => (two, Relation::SameAction),
        (_, 4) => (two, Relation::Refines),
        _ => (two, Relation::Implies(set(dice))),
    };
    // Mostly the whole region.
    let within = match dice.roll(4) {
        0 => dice.roll(regions + 2) as u32,
        _ => regions as u32 + 1,
    };
    Part {
        within,
        views,
        relation,
    }
}
