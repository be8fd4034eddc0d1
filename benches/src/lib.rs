//! Filters in the shapes that real ones have, and calls to judge with them. All of them are our own.
//!
//! | filter | shape of | instructions |
//! |---|---|---|
//! | [`container_linear`] | a container engine's default profile, rule after rule, for x86-64 and i386 | about 1,300 |
//! | [`container_tree`] | the same decisions as a binary search | about 1,100 |
//! | [`browser_tree`] | a renderer sandbox: a search tree over ranges of numbers | about 100 |
//! | [`unit_denylist`] | one hardening directive of a service manager: a few calls, one argument mask | 13 |
//! | [`vmm_arguments`] | a virtual machine monitor: few calls, 64-bit comparisons of `ioctl` requests | about 100 |

#![forbid(unsafe_code)]

pub mod paths;
pub mod proofs;

use callproof_vm::{Insn, SeccompData};

/// The README's program is a test. It stands here because no published crate may reach outside its folder.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// The audit word of x86-64.
pub const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

const ALLOW: Insn = Insn::stmt(0x06, 0x7fff_0000);
const EPERM: Insn = Insn::stmt(0x06, 0x0005_0001);
const KILL: Insn = Insn::stmt(0x06, 0x8000_0000);
const LD_NR: Insn = Insn::stmt(0x20, 0);
const LD_ARCH: Insn = Insn::stmt(0x20, 4);

/// What follows an argument of this name on the command line.
#[must_use]
pub fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// A filter with its name.
pub type Named = (&'static str, Vec<Insn>);

/// The five filters.
#[must_use]
pub fn filters() -> [Named; 5] {
    [
        ("container_linear", container_linear()),
        ("container_tree", container_tree()),
        ("browser_tree", browser_tree()),
        ("unit_denylist", unit_denylist()),
        ("vmm_arguments", vmm_arguments()),
    ]
}

/// Every call in the order of its number, one comparison and one return each.
#[must_use]
pub fn container_linear() -> Vec<Insn> {
    let table = |calls: Vec<u32>| {
        let rules = calls.into_iter().flat_map(|nr| [Insn::jump(0x15, nr, 0, 1), ALLOW]);
        rules.chain([EPERM]).collect()
    };
    two_abis(table(allowed(0..335)), table(allowed(0..385)))
}

/// The same decisions as [`container_linear`], found by bisection.
#[must_use]
pub fn container_tree() -> Vec<Insn> {
    two_abis(tree(&allowed(0..335)), tree(&allowed(0..385)))
}

/// [`container_linear`] with one bit of one compared number changed.
#[must_use]
pub fn planted() -> Vec<Insn> {
    let mut program = container_linear();
    let place = program.len() / 2;
    if let Some(insn) = program.iter_mut().skip(place).find(|insn| insn.code == 0x15) {
        insn.k ^= 0x400;
    }
    program
}

/// Each of the six arguments must be one of three values, both halves of it, in one order or the other: 3^12 paths.
#[must_use]
pub fn alternatives(reversed: bool) -> Vec<Insn> {
    let mut program = Vec::new();
    for word in 4..16_u8 {
        let mut values = [1_u32, 5, 9];
        if reversed {
            values.reverse();
        }
        program.push(Insn::stmt(0x20, u32::from(word) * 4));
        let [first, second, third] = values;
        program.extend([Insn::jump(0x15, first, 3, 0), Insn::jump(0x15, second, 2, 0)]);
        program.extend([Insn::jump(0x15, third, 1, 0), EPERM]);
    }
    program.push(ALLOW);
    program
}

/// A search tree over ranges: kill on a foreign ABI, allow some ranges, deny the rest.
#[must_use]
pub fn browser_tree() -> Vec<Insn> {
    let starts: Vec<u32> = (0..335).step_by(11).collect();
    let mut program = vec![LD_ARCH, Insn::jump(0x15, X86_64, 1, 0), KILL, LD_NR];
    program.extend(ranges(&starts));
    program
}

/// Two calls denied, one of them only with a bit set in its third argument.
#[must_use]
pub fn unit_denylist() -> Vec<Insn> {
    vec![
        LD_ARCH,
        Insn::jump(0x15, X86_64, 0, 9),
        LD_NR,
        Insn::jump(0x35, 0x4000_0000, 7, 0),
        Insn::jump(0x15, 9, 2, 0),
        Insn::jump(0x15, 10, 1, 0),
        Insn::jump(0x15, 329, 4, 4),
        Insn::stmt(0x20, 32),
        Insn::stmt(0x54, 6),
        Insn::jump(0x15, 6, 1, 0),
        Insn::jump(0x15, 4, 0, 1),
        EPERM,
        ALLOW,
    ]
}

/// Plain calls allowed at once, `ioctl` by its request in both halves.
#[must_use]
pub fn vmm_arguments() -> Vec<Insn> {
    let mut program = vec![LD_ARCH, Insn::jump(0x15, X86_64, 1, 0), KILL, LD_NR];
    for nr in [
        0, 1, 3, 8, 9, 11, 19, 20, 28, 35, 39, 46, 47, 202, 230, 232, 281, 291, 318,
    ] {
        program.extend([Insn::jump(0x15, nr, 0, 1), ALLOW]);
    }
    program.extend([Insn::jump(0x15, 16, 1, 0), KILL]);
    for request in 0xae80..0xae88 {
        program.extend([
            Insn::stmt(0x20, 28),
            Insn::jump(0x15, 0, 0, 3),
            Insn::stmt(0x20, 24),
            Insn::jump(0x15, request, 0, 1),
            ALLOW,
        ]);
    }
    program.push(KILL);
    program
}

/// A hundred calls as a busy x86-64 server makes them: few numbers, unevenly.
#[must_use]
pub fn calls() -> Vec<SeccompData> {
    const MIX: [(i32, u64, usize); 14] = [
        (232, 5, 18),
        (0, 7, 16),
        (1, 7, 16),
        (202, 0, 12),
        (45, 9, 8),
        (44, 9, 8),
        (3, 7, 5),
        (257, u64::MAX, 4),
        (9, 0, 3),
        (16, 0xae80, 3),
        (10, 0, 2),
        (262, 0, 2),
        (288, 4, 2),
        (39, 0, 1),
    ];
    let one = |(nr, argument, times): (i32, u64, usize)| {
        let call = SeccompData::new(X86_64, nr, [7, argument, 3, 0, 0, 0]);
        core::iter::repeat_n(call, times)
    };
    MIX.into_iter().flat_map(one).collect()
}

/// A program of a given length: loads, masks and comparisons, as policies have them, and a return.
#[must_use]
pub fn of_length(insns: usize) -> Vec<Insn> {
    const BODY: [Insn; 4] = [
        LD_NR,
        Insn::stmt(0x54, 0xffff),
        Insn::jump(0x15, 7, 1, 0),
        Insn::jump(0x25, 9, 0, 0),
    ];
    let body = BODY.into_iter().cycle().take(insns.saturating_sub(2));
    body.chain([EPERM, ALLOW]).take(insns).collect()
}

/// As long as a filter can be: every second number from a chain of equality tests, one return each.
#[must_use]
pub fn longest_of_equalities() -> Vec<Insn> {
    let rules = (0..2047).flat_map(|rule| [Insn::jump(0x15, rule * 2, 0, 1), ALLOW]);
    [LD_NR].into_iter().chain(rules).chain([EPERM]).collect()
}

/// As long as a filter can be: ranges of numbers, from the highest on, that are allowed and denied in turn.
#[must_use]
pub fn longest_of_ranges() -> Vec<Insn> {
    let rules = (0..2047).rev().flat_map(|rule| {
        let way = if rule % 2 == 0 { ALLOW } else { EPERM };
        [Insn::jump(0x35, rule * 3 + 1, 0, 1), way]
    });
    [LD_NR].into_iter().chain(rules).chain([KILL]).collect()
}

/// As long as a filter can be: for each of 682 numbers some flags of an argument are looked at.
#[must_use]
pub fn longest_of_masks() -> Vec<Insn> {
    let rules = (0..682).flat_map(|rule| {
        [
            Insn::jump(0x15, rule, 0, 5),
            Insn::stmt(0x20, 16 + rule % 6 * 8),
            Insn::stmt(0x54, 0x8103_0f01 ^ 1 << (rule % 24)),
            Insn::jump(0x15, rule % 2, 0, 1),
            ALLOW,
            EPERM,
        ]
    });
    [LD_NR].into_iter().chain(rules).chain([EPERM; 3]).collect()
}

/// Argument tests after each of which the two ways meet again: as many paths as 2 to the power of their number.
#[must_use]
pub fn tests_that_join(tests: u32) -> Vec<Insn> {
    let tests = (0..tests).flat_map(|test| {
        [
            Insn::stmt(0x20, 16 + test % 12 * 4),
            Insn::jump(0x15, test, 0, 1),
            Insn::stmt(0x00, test),
        ]
    });
    tests.chain([ALLOW]).collect()
}

/// Three of four numbers, so that both outcomes happen.
fn allowed(numbers: core::ops::Range<u32>) -> Vec<u32> {
    numbers.filter(|nr| nr % 4 != 1 || *nr < 20).collect()
}

/// Two tables behind a test of the ABI, with a guard against x32 before the first.
fn two_abis(first: Vec<Insn>, second: Vec<Insn>) -> Vec<Insn> {
    let mut program = vec![
        LD_ARCH,
        Insn::jump(0x15, I386, 0, 2),
        LD_NR,
        Insn::stmt(0x05, u32::try_from(first.len()).unwrap_or(u32::MAX).saturating_add(5)),
        Insn::jump(0x15, X86_64, 1, 0),
        KILL,
        LD_NR,
        Insn::jump(0x35, 0x4000_0000, 0, 1),
        EPERM,
    ];
    program.extend(first);
    program.extend(second);
    program
}

/// Sorted numbers as a binary search whose every leaf returns.
fn tree(numbers: &[u32]) -> Vec<Insn> {
    if numbers.len() <= 3 {
        let rules = numbers.iter().flat_map(|&nr| [Insn::jump(0x15, nr, 0, 1), ALLOW]);
        return rules.chain([EPERM]).collect();
    }
    let (low, high) = numbers.split_at(numbers.len() / 2);
    let pivot = high.first().copied().unwrap_or(0);
    fork(pivot, tree(low), tree(high))
}

/// Sorted range starts as a binary search; ranges are allowed and denied in turn.
fn ranges(starts: &[u32]) -> Vec<Insn> {
    let (low, high) = starts.split_at(starts.len() / 2);
    match (low, high) {
        ([], [start]) if start % 2 == 0 => vec![ALLOW],
        ([], _) => vec![EPERM],
        _ => fork(high.first().copied().unwrap_or(0), ranges(low), ranges(high)),
    }
}

/// `if A >= pivot { high } else { low }`, with a long jump where the short one does not reach.
fn fork(pivot: u32, low: Vec<Insn>, high: Vec<Insn>) -> Vec<Insn> {
    let mut program = match u8::try_from(low.len()) {
        Ok(skip) => vec![Insn::jump(0x35, pivot, skip, 0)],
        Err(_) => vec![
            Insn::jump(0x35, pivot, 0, 1),
            Insn::stmt(0x05, u32::try_from(low.len()).unwrap_or(u32::MAX)),
        ],
    };
    program.extend(low);
    program.extend(high);
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use callproof_vm::{Filter, Machine};

    #[test]
    fn the_kernel_would_install_them() {
        for (name, program) in filters() {
            Filter::load(program).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        }
        for program in [longest_of_equalities(), longest_of_ranges(), longest_of_masks()] {
            assert_eq!(Filter::load(program).unwrap().program().len(), 4096);
        }
        assert_eq!(Filter::load(tests_that_join(1000)).unwrap().program().len(), 3001);
        for insns in [2, 10, 100, 1000, 4096] {
            assert_eq!(Filter::load(of_length(insns)).unwrap().program().len(), insns);
        }
    }

    #[test]
    fn linear_and_tree_decide_alike() {
        let linear = Filter::load(container_linear()).unwrap();
        let tree = Filter::load(container_tree()).unwrap();
        for arch in [X86_64, I386, 0] {
            for nr in (-2..500).chain([0x4000_0000, 0x4000_0001]) {
                let call = SeccompData::new(arch, nr, [0; 6]);
                let run = |filter: &Filter<'_>| filter.run(&call, Machine::default());
                assert_eq!(run(&linear), run(&tree), "{arch:#x} {nr}");
            }
        }
    }

    #[test]
    fn the_calls_reach_both_outcomes() {
        assert_eq!(calls().len(), 100);
        for (name, program) in filters() {
            let filter = Filter::load(program).unwrap();
            let mut values: Vec<u32> = calls()
                .iter()
                .map(|call| filter.run(call, Machine::default()))
                .collect();
            values.sort_unstable();
            values.dedup();
            assert!(values.len() > 1, "{name}");
        }
    }
}
