//! Programs for what differs between machines: shifts by X, halves of arguments, division, the words of a call.
//!
//! Random programs meet a shift by more than 31 now and then only.

use callproof_vm::{Endian, Insn, SeccompData};

use super::facts::Facts;

/// Counts around every multiple at which some machine begins anew.
const COUNTS: [u32; 24] = [
    0,
    1,
    7,
    31,
    32,
    33,
    62,
    63,
    64,
    65,
    95,
    96,
    127,
    128,
    159,
    255,
    256,
    257,
    287,
    288,
    0xffff,
    0x0001_0001,
    0x8000_0000,
    u32::MAX,
];

/// What is shifted and divided.
const OPERANDS: [u32; 3] = [7, 0x8000_0001, u32::MAX];

/// Operations of A with X: add, sub, mul, div, or, and, lsh, rsh, xor.
const OPERATIONS: [u16; 9] = [0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0xac];

/// Programs and the calls that they judge.
pub(super) fn directed(facts: &Facts) -> Vec<(Vec<Insn>, Vec<SeccompData>)> {
    let gates = core::iter::once(facts.native).chain(facts.i386);
    let call = |args| {
        let gates = gates.clone();
        gates.map(move |gate| SeccompData {
            nr: facts.getppid,
            arch: gate.arch,
            instruction_pointer: gate.ip,
            args,
        })
    };
    let counts: Vec<SeccompData> = COUNTS.iter().flat_map(|&x| call([x.into(), 0, 0, 0, 0, 0])).collect();
    let distinct = [
        0x0123_4567_89ab_cdef,
        0x1020_3040_5060_7080,
        u64::MAX,
        0x8000_0000,
        1 << 32,
        0xfedc_ba98_7654_3210,
    ];
    let words: Vec<SeccompData> = call(distinct).collect();
    let operate = OPERATIONS
        .iter()
        .flat_map(|&code| OPERANDS.map(|a| by_x(code, a, facts.endian)));
    let mut programs: Vec<_> = operate.map(|program| (program, counts.clone())).collect();
    let loads = (0..16).map(|word| vec![Insn::stmt(0x20, 4 * word), Insn::stmt(0x16, 0)]);
    programs.extend(loads.map(|program| (program, words.clone())));
    programs
}

/// Computes with a constant and the low half of the first argument.
fn by_x(code: u16, a: u32, endian: Endian) -> Vec<Insn> {
    let low = match endian {
        Endian::Little => 16,
        Endian::Big => 20,
    };
    vec![
        Insn::stmt(0x20, low),
        Insn::stmt(0x07, 0),
        Insn::stmt(0x00, a),
        Insn::stmt(code, 0),
        Insn::stmt(0x16, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tell::Gate;
    use super::*;
    use callproof_vm::{Filter, Machine, ShiftByX};

    #[test]
    fn they_tell_every_rule_from_every_other() {
        for endian in [Endian::Little, Endian::Big] {
            let facts = Facts {
                release: "6.12".to_owned(),
                machine: String::new(),
                endian,
                bits: 64,
                x32: false,
                getppid: 64,
                number_mask: u32::MAX,
                passes: None,
                native: Gate { arch: 1, ip: 2 },
                i386: None,
            };
            let results = |machine: Machine| -> Vec<u32> {
                let run = |(program, calls): (Vec<Insn>, Vec<SeccompData>)| {
                    let filter = Filter::load(program).unwrap();
                    calls.iter().map(|call| filter.run(call, machine)).collect::<Vec<_>>()
                };
                directed(&facts).into_iter().flat_map(run).collect()
            };
            let here = ShiftByX::ALL.map(|shift| Machine {
                endian,
                shift,
                ..Machine::default()
            });
            // With the other byte order every count is 0, whatever the rule for shifts.
            let other = match endian {
                Endian::Little => Endian::Big,
                Endian::Big => Endian::Little,
            };
            let there = Machine {
                endian: other,
                ..Machine::default()
            };
            let machines = here.into_iter().chain([there]);
            let mut all: Vec<_> = machines.map(results).collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 4);
        }
    }
}
