//! Small filters whose answers are not all alike.

use callproof_testgen::Choose;
use callproof_vm::{Filter, Insn};

use crate::meaning::{Cell, HERE, one};
use crate::small;

/// Values that filters return: every action, unknown ones between them, data that counts and data that does not.
pub(crate) const VALUES: [u32; 16] = [
    0x7fff_0000,
    0x0005_0001,
    0x8000_0000,
    0,
    0x7fff_0000,
    0x0005_0026,
    0x7ffc_0000,
    0x7ff0_0001,
    0x0003_0007,
    0x7fc0_0000,
    0x0001_0000,
    0x7ffd_0000,
    0x7fff_0005,
    0x0005_1388,
    0xffff_0000,
    0x0005_0fff,
];

/// Three values to return.
pub(crate) fn palette(choose: &mut impl Choose) -> Vec<u32> {
    let most = if choose.one_in(2) { 4 } else { 16 };
    (0..3).map(|_| VALUES[choose.below(most) as usize]).collect()
}

/// A program: two of three like a policy, one of any of the 41 opcodes over few input bits.
pub(crate) fn program(choose: &mut impl Choose, palette: &[u32]) -> Vec<Insn> {
    if choose.one_in(3) {
        small::program(choose).0
    } else {
        policy(choose, palette, &[], &HERE[..3])
    }
}

pub(crate) fn load(program: &[Insn]) -> Filter<'_> {
    Filter::load(program).unwrap()
}

/// One of the numbers, or of the table when there are none; now and then a neighbour.
fn number(choose: &mut impl Choose, numbers: &[u32]) -> u32 {
    let cell = choose.pick(&HERE);
    let number = match numbers {
        [] => cell.number(choose.below(crate::meaning::KNOWN) as usize).unwrap_or(0),
        numbers => one(choose, numbers),
    };
    if choose.one_in(8) {
        number ^ 1 << choose.below(32)
    } else {
        number
    }
}

fn ret(choose: &mut impl Choose, palette: &[u32]) -> Insn {
    Insn::stmt(0x06, one(choose, palette))
}

/// Tests of ABI (one of these) and number (one of these, if there are any), arguments in halves, and returns.
pub(crate) fn policy(choose: &mut impl Choose, palette: &[u32], numbers: &[u32], cells: &[Cell]) -> Vec<Insn> {
    let mut program = Vec::new();
    if !choose.one_in(3) {
        let arch = choose.pick(cells).arch();
        program.extend([Insn::stmt(0x20, 4), Insn::jump(0x15, arch, 1, 0), ret(choose, palette)]);
    }
    if choose.one_in(2) {
        let guard = Insn::jump(0x35, 0x4000_0000, 0, 1);
        program.extend([Insn::stmt(0x20, 0), guard, ret(choose, palette)]);
    }
    for _ in 0..=choose.below(4) {
        let block = block(choose, palette, numbers);
        program.extend(&block);
        // The same tests again: dead code.
        if choose.one_in(12) {
            program.extend(&block);
        }
    }
    program.push(ret(choose, palette));
    program
}

/// A rule: some tests, each of which skips the rest of the rule, and a return.
fn block(choose: &mut impl Choose, palette: &[u32], numbers: &[u32]) -> Vec<Insn> {
    let mut block = vec![Insn::stmt(0x20, 0)];
    let code = choose.pick(&[0x15, 0x15, 0x15, 0x15, 0x25, 0x35, 0x45]);
    block.push(Insn::jump(code, number(choose, numbers), 0, 0));
    for _ in 0..choose.below(3) {
        match choose.below(5) {
            0 => block.extend(computed(choose)),
            1 => block.extend(whole(choose)),
            _ => block.extend(argument(choose)),
        }
    }
    block.push(ret(choose, palette));
    let length = block.len();
    for (place, insn) in block.iter_mut().enumerate() {
        if insn.code & 7 == 5 {
            let skip = u8::try_from(length - place - 1).unwrap();
            if choose.one_in(8) {
                insn.jt = skip;
            } else {
                insn.jf = skip;
            }
        }
    }
    block
}

fn small_value(choose: &mut impl Choose) -> u32 {
    choose.pick(&[0, 1, 2, 3, 5, 7, 16, 31, 32, 64, 0x5412, 0xffff, u32::MAX])
}

/// Half a register compared, perhaps masked.
fn argument(choose: &mut impl Choose) -> Vec<Insn> {
    let word = choose.pick(&[4, 5, 4, 5, 6, 7, 8, 9, 2, 3]);
    let mut insns = vec![Insn::stmt(0x20, word * 4)];
    if choose.one_in(3) {
        insns.push(Insn::stmt(0x54, small_value(choose)));
    }
    let code = choose.pick(&[0x15, 0x15, 0x15, 0x25, 0x35, 0x45]);
    insns.push(Insn::jump(code, small_value(choose), 0, 0));
    insns
}

/// All 64 bits of a register compared.
fn whole(choose: &mut impl Choose) -> Vec<Insn> {
    let first = 16 + 8 * choose.below(3);
    let test = |value| Insn::jump(0x15, value, 0, 0);
    let (one, two) = (test(choose.pick(&[0, 0, 1])), test(small_value(choose)));
    let halves = [(Insn::stmt(0x20, first + 4), one), (Insn::stmt(0x20, first), two)];
    halves.into_iter().flat_map(|(load, test)| [load, test]).collect()
}

/// A bit table, a quotient, a cell: what the opcodes beyond plain tests are used for.
fn computed(choose: &mut impl Choose) -> Vec<Insn> {
    let word = choose.pick(&[4, 6, 0]);
    let test = Insn::jump(choose.pick(&[0x15, 0x25, 0x45]), small_value(choose), 0, 0);
    let limit = Insn::stmt(0x54, choose.pick(&[0x0f, 0x1f, 0x3f, u32::MAX]));
    let floor = Insn::stmt(0x44, choose.pick(&[0, 0, 1]));
    let load = Insn::stmt(0x20, word * 4);
    match choose.below(4) {
        0 => {
            let shift = Insn::stmt(choose.pick(&[0x6c, 0x7c]), 0);
            let table = Insn::stmt(0x00, choose.pick(&[1, 6, 0xff00, u32::MAX]));
            vec![load, limit, Insn::stmt(0x07, 0), table, shift, test]
        }
        1 => {
            // Quotients of two whole words are beyond any diagram.
            let limit = Insn::stmt(0x54, choose.pick(&[0x03, 0x0f, 0x30]));
            let (dividend, divide) = (
                Insn::stmt(0x54, choose.pick(&[0xff, 0x3f0, 0xfff])),
                Insn::stmt(0x3c, 0),
            );
            let x = Insn::stmt(0x07, 0);
            vec![load, limit, floor, x, Insn::stmt(0x20, 24), dividend, divide, test]
        }
        2 => {
            let alu = choose.pick(&[0x04, 0x14, 0x44, 0xa4, 0x64, 0x74, 0x34]);
            vec![load, Insn::stmt(alu, 1 + choose.below(7)), test]
        }
        _ => {
            let cell = choose.below(16);
            vec![
                load,
                Insn::stmt(0x02, cell),
                Insn::stmt(0x00, 3),
                Insn::stmt(0x60, cell),
                test,
            ]
        }
    }
}

/// A program like another: one time in two it means the same.
pub(crate) fn variant(choose: &mut impl Choose, program: &[Insn], palette: &[u32]) -> Vec<Insn> {
    let mut program = program.to_vec();
    let length = u32::try_from(program.len()).unwrap();
    if choose.one_in(2) {
        // `> k` is `>= k + 1`, and the data of ALLOW is lost.
        for insn in &mut program {
            match (insn.code, insn.k) {
                (0x25, k) if k < u32::MAX => (insn.code, insn.k) = (0x35, k + 1),
                (0x35, k) if k > 0 => (insn.code, insn.k) = (0x25, k - 1),
                (0x06, 0x7fff_0000) => insn.k = 0x7fff_0009,
                _ => {}
            }
        }
        return program;
    }
    for _ in 0..12 {
        let insn = &mut program[choose.below(length) as usize];
        match insn.code {
            0x15 | 0x25 | 0x35 | 0x45 if choose.one_in(2) => insn.k ^= 1 << choose.below(32),
            code if code & 7 == 5 && code != 5 => core::mem::swap(&mut insn.jt, &mut insn.jf),
            0x06 => insn.k = one(choose, palette),
            _ => continue,
        }
        break;
    }
    program
}
