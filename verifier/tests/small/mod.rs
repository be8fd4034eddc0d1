//! Programs of all 41 opcodes that look at few input bits, so that every input can be tried.

use callproof_testgen::{Choose, action_word, constant};
use callproof_vm::Insn;
use callproof_vm::isa::{Alu, Op, Operands, Size, Src, TABLE};

/// An input bit: (word, place).
pub(crate) type Bit = (u8, u32);

/// A program, and the at most eight input bits that it depends on.
pub(crate) fn program(choose: &mut impl Choose) -> (Vec<Insn>, Vec<Bit>) {
    let masks: Vec<(u8, u32)> = (0..4).map(|_| mask(choose)).collect();
    let items = 3 + choose.below(14);
    // Every cell is written first, so that any may be read.
    let mut groups: Vec<Vec<Insn>> = vec![(0..16).map(|cell| Insn::stmt(0x02, cell)).collect()];
    for item in 0..items {
        groups.push(group(choose, items - item, &masks));
    }
    groups.push(vec![if choose.one_in(3) {
        Insn::stmt(0x06, action_word(choose))
    } else {
        Insn::stmt(0x16, 0)
    }]);
    let mut bits: Vec<Bit> = masks
        .iter()
        .flat_map(|&(word, mask)| {
            (0..32)
                .filter(move |place| mask >> place & 1 == 1)
                .map(move |place| (word, place))
        })
        .collect();
    bits.sort_unstable();
    bits.dedup();
    (resolved(&groups), bits)
}

/// Every assignment of the bits, all others 0.
pub(crate) fn inputs(bits: &[Bit]) -> impl Iterator<Item = [u32; 16]> + '_ {
    (0..1_u32 << bits.len()).map(|number| {
        let mut words = [0; 16];
        for (index, &(word, place)) in bits.iter().enumerate() {
            words[usize::from(word)] |= (number >> index & 1) << place;
        }
        words
    })
}

/// The same assignment with all other bits 1.
pub(crate) fn noise(mut words: [u32; 16], bits: &[Bit]) -> [u32; 16] {
    for (word, value) in words.iter_mut().enumerate() {
        let own = bits
            .iter()
            .filter(|bit| usize::from(bit.0) == word)
            .fold(0, |all, bit| all | 1 << bit.1);
        *value |= !own;
    }
    words
}

fn mask(choose: &mut impl Choose) -> (u8, u32) {
    let word = small(choose.below(16));
    let (low, apart) = (choose.below(32), choose.below(32));
    (word, 1 << low | 1 << apart)
}

/// One or two instructions; jumps skip groups for now.
fn group(choose: &mut impl Choose, left: u32, masks: &[(u8, u32)]) -> Vec<Insn> {
    if choose.one_in(3) {
        let (word, mask) = choose.pick(masks);
        return vec![Insn::stmt(0x20, u32::from(word) * 4), Insn::stmt(0x54, mask)];
    }
    let rows: Vec<_> = TABLE
        .iter()
        .filter(|row| row.seccomp && row.op != Op::LdAbs(Size::Word))
        .collect();
    let row = rows[choose.below(u32::try_from(rows.len()).unwrap()) as usize];
    let near = choose.one_in(2);
    let k = match row.op {
        Op::Alu(Alu::Div, Src::K) => constant(choose).max(1),
        Op::Alu(Alu::Lsh | Alu::Rsh, Src::K) => choose.below(32),
        Op::LdMem | Op::LdxMem | Op::St | Op::Stx => choose.below(if near { 2 } else { 16 }),
        Op::Ja => choose.below(left.min(5)),
        Op::RetK if choose.one_in(3) => action_word(choose),
        Op::RetA if choose.one_in(3) => 0,
        Op::RetK | Op::RetA => return vec![Insn::stmt(0x07, 0)],
        _ if near => 1 << choose.below(32) | choose.pick(masks).1,
        _ => constant(choose),
    };
    let (jt, jf) = match row.operands {
        Operands::Branch(_) => (small(choose.below(left.min(5))), small(choose.below(left.min(5)))),
        _ => (0, 0),
    };
    vec![Insn::new(row.code, jt, jf, k)]
}

/// Jumps over groups become jumps over instructions.
fn resolved(groups: &[Vec<Insn>]) -> Vec<Insn> {
    let lengths: Vec<u32> = groups.iter().map(|group| u32::try_from(group.len()).unwrap()).collect();
    let over = |group: usize, count: u32| lengths.iter().skip(group + 1).take(count as usize).sum::<u32>();
    let mut program = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        program.extend(group.iter().map(|insn| match insn.op() {
            Some(Op::Ja) => Insn::stmt(insn.code, over(number, insn.k)),
            Some(Op::Jump(..)) => {
                let far = |count: u8| small(over(number, u32::from(count)));
                Insn::jump(insn.code, insn.k, far(insn.jt), far(insn.jf))
            }
            _ => *insn,
        }));
    }
    program
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap()
}
