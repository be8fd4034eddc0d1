//! Whatever bytes somebody brings: an answer, soon, and no panic.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::std_instead_of_core,
    reason = "what fails here is the test"
)]

use callproof_checker::{Kind, check, statement};
use proptest::prelude::*;

/// A filter that allows everything.
const ALLOW: [u8; 8] = [6, 0, 0, 0, 0, 0, 0xff, 0x7f];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn random_bytes(file in prop::collection::vec(any::<u8>(), 0..200), filter in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = statement(&file);
        let _ = check(&file, &[&[&filter]]);
    }

    #[test]
    fn random_bytes_after_a_right_beginning(
        kind in 1_u8..3,
        machine in (0_u8..2, 0_u8..2, 0_u8..3),
        rest in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..200),
        filter in prop::collection::vec(prop_oneof![Just(0x15_u8), Just(0x20), Just(0x06), 0_u8..4], 8..64),
    ) {
        let mut file = b"CPRF\x01".to_vec();
        file.extend([kind, machine.0, machine.1, machine.2]);
        let length = filter.len() / 8;
        let filter = &filter[..length * 8];
        // One chain of one filter, no region, one part for every input, one view, within every value.
        file.extend([1, 1, u8::try_from(length).unwrap(), 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        file.extend(rest);
        let _ = check(&file, &[&[filter]]);
    }
}

/// The smallest proof: a filter that allows everything returns something.
fn smallest() -> Vec<u8> {
    let mut file = b"CPRF\x01\x01\0\0\0".to_vec();
    file.extend([1, 1, 1]); // one chain of one filter of one instruction
    file.extend([0, 1, 1, 1, 0, 0]); // no region; one part: every input; view of chain 0
    file.extend([0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]); // within 0..=0xffffffff
    file.extend([1, 0, 0, 0, 0xff, 0x7f]); // one class: 0x7fff0000
    file.extend([0]); // no nodes
    file.extend([1, 0, 0, 2]); // one point: pc 0, nothing live, the class
    file
}

#[test]
fn the_smallest_proof_is_accepted_and_nothing_may_follow_it() {
    let file = smallest();
    assert_eq!(
        check(&file, &[&[&ALLOW]]).map(|accepted| accepted.shape),
        Ok(vec![vec![1]])
    );
    let longer = [file.as_slice(), &[0]].concat();
    assert!(check(&longer, &[&[&ALLOW]]).is_err());
    assert!(check(&file, &[&[&ALLOW, &ALLOW]]).is_err());
    assert!(check(&file, &[&[&ALLOW], &[&ALLOW]]).is_err());
    assert!(check(&file, &[]).is_err());
    assert!(check(&file, &[&[&[]]]).is_err());
    let kill = [6, 0, 0, 0, 0, 0, 0, 0];
    assert!(check(&file, &[&[&kill]]).is_err());
}

#[test]
fn counts_larger_than_the_file_are_refused_before_anything_is_kept() {
    let file = smallest();
    for at in 9..file.len() {
        let mut spoilt = file[..at].to_vec();
        spoilt.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(check(&spoilt, &[&[&ALLOW]]).is_err(), "{at}");
    }
}

/// A filter of tests that join again, and a proof with this many points, all at its beginning and all right.
fn joining(points: u8) -> (Vec<u8>, Vec<u8>) {
    const TESTS: u32 = 1_000;
    let mut filter = vec![0x20, 0, 0, 0, 0, 0, 0, 0];
    for n in 0..TESTS {
        let k = if n % 2 == 0 {
            n * 4_000_000
        } else {
            u32::MAX - n * 1_000_000
        };
        filter.extend([0x35, 0, 0, u8::from(n + 1 < TESTS)]);
        filter.extend(k.to_le_bytes());
    }
    filter.extend(ALLOW);
    let mut file = smallest();
    let length = filter.len() / 8;
    file.truncate(file.len() - 4);
    file.push(points);
    for _ in 0..points {
        file.extend([0, 0, 2]);
    }
    let length = [length & 0x7f | 0x80, length >> 7].map(|part| u8::try_from(part).unwrap());
    file.splice(11..12, length);
    (file, filter)
}

#[test]
fn a_check_that_takes_too_long_is_given_up() {
    let (file, filter) = joining(1);
    assert!(check(&file, &[&[&filter]]).is_ok());
    let (file, filter) = joining(100);
    let rejected = check(&file, &[&[&filter]]).unwrap_err();
    assert_eq!(rejected.kind, Kind::OutOfSteps, "{rejected}");
}
