//! Programs at the edge of admission.

use callproof_vm::Insn;

use crate::choose::Choose;
use crate::constants::constant;
use crate::program::{Shape, program_of};

/// A program that breaks no rule of admission or few of them: about half are refused.
pub fn near_valid(choose: &mut impl Choose) -> Vec<Insn> {
    if choose.one_in(2) {
        return scratch_stress(choose);
    }
    let most = if choose.one_in(50) { 400 } else { 24 };
    let len = choose.below(most).saturating_add(1) as usize;
    let shape = choose.pick(&Shape::ALL);
    let mut program = program_of(shape, len, choose);
    for _ in 0..choose.below(3) {
        mutate(&mut program, choose);
    }
    if choose.one_in(200) {
        whole_program_edge(&mut program, choose);
    }
    program
}

/// Stores, loads, jumps and returns with no regard for what was written: only the linear pass tells right from wrong.
fn scratch_stress(choose: &mut impl Choose) -> Vec<Insn> {
    let len = choose.below(14).saturating_add(3);
    let mut program: Vec<Insn> = (2..=len)
        .rev()
        .map(|left| {
            let room = left.saturating_sub(1);
            let cell = choose.below(3);
            let mut skip = || u8::try_from(choose.below(room)).unwrap_or(0);
            let (jt, jf) = (skip(), skip());
            match choose.below(8) {
                0 => Insn::stmt(0x02, cell),
                1 => Insn::stmt(0x03, cell),
                2 => Insn::stmt(0x60, cell),
                3 => Insn::stmt(0x61, cell),
                4 => Insn::stmt(0x05, u32::from(jt)),
                5 | 6 => Insn::jump(0x15, cell, jt, jf),
                _ => Insn::stmt(0x06, cell),
            }
        })
        .collect();
    program.push(Insn::stmt(0x06, 0x7fff_0000));
    program
}

/// Changes one field of one instruction.
fn mutate(program: &mut [Insn], choose: &mut impl Choose) {
    let len = u32::try_from(program.len()).unwrap_or(u32::MAX);
    let pc = choose.below(len);
    let Some(insn) = program.get_mut(pc as usize) else {
        return;
    };
    let [byte, ..] = choose.below(256).to_le_bytes();
    match choose.below(8) {
        0 => insn.k = choose.pick(&EDGES),
        1 => insn.k = constant(choose),
        2 => insn.jt = byte,
        3 => insn.jf = byte,
        4 => insn.code = u16::from(byte),
        5 => insn.code ^= 1 << choose.below(16),
        // A jump that lands one before, on, or one behind the end.
        6 => {
            let to_end = len.saturating_sub(pc).wrapping_sub(2);
            *insn = Insn::new(
                0x05,
                insn.jt,
                insn.jf,
                to_end.wrapping_add(choose.below(3)).wrapping_sub(1),
            );
        }
        _ => *insn = Insn::stmt(choose.pick(&[0x60, 0x61]), choose.below(16)),
    }
}

fn whole_program_edge(program: &mut Vec<Insn>, choose: &mut impl Choose) {
    let ret = Insn::stmt(0x06, 0x7fff_0000);
    match choose.below(4) {
        0 => program.clear(),
        1 => drop(program.pop()),
        2 => *program = vec![ret; 4096],
        _ => *program = vec![ret; 4097],
    }
}

/// Around the limits of shifts, scratch cells, loads and jumps, and the offsets that only sockets know.
const EDGES: [u32; 24] = [
    0,
    1,
    2,
    4,
    15,
    16,
    17,
    31,
    32,
    33,
    60,
    61,
    62,
    63,
    64,
    65,
    68,
    0xffff,
    0x8000_0000,
    0xffff_f000,
    0xffff_f034,
    0xffff_fffc,
    0xffff_fffe,
    0xffff_ffff,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use callproof_vm::{Filter, Rule};
    use std::collections::BTreeMap;

    #[test]
    fn every_rule_is_broken_and_many_programs_break_none() {
        let mut broken: BTreeMap<Rule, u32> = BTreeMap::new();
        let mut admitted = 0;
        for number in 0..20_000 {
            match Filter::load(near_valid(&mut Seed::new(5, number))) {
                Ok(_) => admitted += 1,
                Err(rejected) => {
                    for violation in rejected.violations() {
                        *broken.entry(violation.rule).or_default() += 1;
                    }
                }
            }
        }
        assert!((6_000..14_000).contains(&admitted), "{admitted}");
        for rule in Rule::ALL {
            assert!(broken.contains_key(&rule), "{rule:?} of {broken:?}");
        }
    }
}
