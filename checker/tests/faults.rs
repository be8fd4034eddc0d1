//! Files that one mistake in the checker would let pass, each made for that mistake.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::std_instead_of_core,
    reason = "what fails here is the test"
)]

mod producer;

use callproof_checker::{Claim, Kind, Machine, Part, Region, Relation, Set, Shift, check};
use callproof_vm::Insn;
use producer::write::{head, nat, word};
use producer::{Style, plain, prove, truth};

const MACHINE: Machine = Machine {
    big_endian: false,
    before_4_14: false,
    shift: Shift::Masked,
};
const EVERYTHING: (u32, u32) = (0, u32::MAX);

fn claim(chains: u8, relation: Relation) -> Claim {
    Claim {
        region: vec![],
        parts: vec![Part {
            within: 1,
            views: (0..chains).map(plain).collect(),
            relation,
        }],
    }
}

fn ret(value: u32) -> Vec<Insn> {
    vec![Insn::stmt(0x06, value)]
}

fn accepts(file: &[u8], filters: &[Vec<Insn>]) -> Result<(), Kind> {
    let bytes: Vec<Vec<u8>> = filters.iter().map(|filter| truth::bytes(filter, &MACHINE)).collect();
    let chains: Vec<[&[u8]; 1]> = bytes.iter().map(|filter| [filter.as_slice()]).collect();
    let chains: Vec<&[&[u8]]> = chains.iter().map(<[&[u8]; 1]>::as_slice).collect();
    check(file, &chains).map(drop).map_err(|rejected| rejected.kind)
}

/// A diagram file about filters that return at once, with one class and these bytes of nodes.
fn file(filters: &[Vec<Insn>], relation: Relation, class: (u32, u32), nodes: &[u32]) -> Vec<u8> {
    let shape: Vec<Vec<u32>> = filters.iter().map(|filter| vec![filter.len() as u32]).collect();
    let mut file = head(1, &MACHINE, &shape, &claim(filters.len() as u8, relation));
    nat(&mut file, 1);
    if class.0 == class.1 {
        nat(&mut file, 0);
        word(&mut file, class.0);
    } else {
        nat(&mut file, 1);
        word(&mut file, class.0);
        word(&mut file, class.1);
    }
    nodes.iter().for_each(|number| nat(&mut file, *number));
    for _ in filters {
        // One point: at 0, nothing live, the class.
        file.extend([1, 0, 0, 0]);
    }
    file
}

#[test]
fn a_table_is_ordered() {
    let filters = [ret(5)];
    let relation = || Relation::Within(vec![EVERYTHING]);
    // Two rows of one node each, of which the second refers to the first: 2 is the row before.
    let rows = |first: u32, second: u32| vec![2, first, 1, 0, 1, second, 1, 0, 2];
    let of = |nodes: &[u32]| accepts(&file(&filters, relation(), (5, 5), nodes), &filters);
    assert_eq!(of(&rows(9, 5)), Ok(()));
    assert_eq!(of(&rows(5, 9)), Err(Kind::Unreadable));
    assert_eq!(of(&rows(5, 5)), Err(Kind::Unreadable));
}

#[test]
fn a_class_of_many_values_shows_no_equality() {
    let filters = [ret(0x5_0001), ret(0x5_0002)];
    let both = (0x5_0001, 0x5_0002);
    let of = |relation| accepts(&file(&filters, relation, both, &[0]), &filters);
    assert_eq!(of(Relation::Equal(vec![EVERYTHING])), Err(Kind::Wrong));
    assert_eq!(of(Relation::Equal(vec![(0, 0x5_0000)])), Ok(()));
    assert_eq!(of(Relation::SameAction), Ok(()));
}

#[test]
fn of_two_tests_of_one_value_the_first_counts() {
    let program = vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 5, 2, 0),
        Insn::jump(0x15, 5, 2, 0),
        Insn::stmt(0x06, 3),
        Insn::stmt(0x05, 1),
        Insn::stmt(0x05, 1),
        Insn::stmt(0x06, 1),
        Insn::stmt(0x06, 2),
    ];
    let at_five = |set: Set| Claim {
        region: vec![Region {
            word: 1,
            mask: u32::MAX,
            cases: vec![(5, 5, 1)],
            otherwise: 0,
        }],
        parts: vec![Part {
            within: 2,
            views: vec![plain(0)],
            relation: Relation::Within(set),
        }],
    };
    for sparse in [true, false] {
        let style = Style { sparse, coarse: false };
        let of = |value: u32| {
            let claim = at_five(vec![(value, value)]);
            let proof = prove(&MACHINE, &[vec![program.clone()]], &claim, style).unwrap();
            accepts(&proof.write(), std::slice::from_ref(&program))
        };
        assert_eq!(of(1), Ok(()), "{sparse}");
        assert_eq!(of(2), Err(Kind::Wrong), "{sparse}");
        assert_eq!(of(3), Err(Kind::Wrong), "{sparse}");
    }
}

#[test]
fn a_clause_must_follow() {
    let filters = [ret(5)];
    let mut file = head(2, &MACHINE, &[vec![1]], &claim(1, Relation::Within(vec![(6, 7)])));
    // A variable, its opposite, and what follows from both; neither follows from anything.
    file.extend([3, 1, 1, 2, 0, 1, 1, 3, 0, 1, 0, 2, 2, 1]);
    assert_eq!(accepts(&file, &filters), Err(Kind::Wrong));
}
