//! Times of filters on this kernel. Machines are noisy: what is asked for here is far from what is measured.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use callproof_kernel_diff::{Job, Stopwatch};
use callproof_vm::{Insn, SeccompData};

const X86_64: u32 = 0xc000_003e;

fn stopwatch() -> Option<Stopwatch> {
    match Stopwatch::new() {
        Ok(stopwatch) => Some(stopwatch),
        Err(missing) => {
            println!("skipped: {missing}");
            None
        }
    }
}

fn call(nr: i32) -> SeccompData {
    SeccompData::new(X86_64, nr, [0; 6])
}

/// Number 1 passes this many tests before the filter allows it, and number 0 none.
fn tests(count: u16) -> Vec<Insn> {
    let mut program = vec![
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 0, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
    ];
    for at in 0..count {
        program.push(Insn::jump(0x15, 1000 + u32::from(at), 1, 0));
    }
    program.extend([Insn::stmt(0x06, 0x7fff_0000), Insn::stmt(0x06, 0x8000_0000)]);
    program
}

#[test]
fn more_instructions_take_longer_and_the_model_says_how_much() {
    let Some(stopwatch) = stopwatch() else { return };
    let jobs = [Job {
        chain: vec![tests(1500)],
        calls: vec![call(0), call(1)],
    }];
    let times = stopwatch.time(&jobs, 15, &mut |_| {}).unwrap();
    let [fast, slow] = times.jobs[0][..] else {
        panic!("{times:?}")
    };
    println!("{times:#?}");
    assert_eq!((fast.counted.insns, slow.counted.insns), (7, 1507));
    assert!(slow.added.low > fast.added.high, "{slow:?} {fast:?}");
    assert!(slow.added.low <= slow.added.median && slow.added.median <= slow.added.high);
    assert!(times.pace.insn.value > 0.0 && times.unfiltered[0].median > 0.0);
    let off = (slow.predicted - slow.added.median).abs();
    assert!(off < slow.added.median, "{slow:?}");
}

#[test]
fn calls_that_pass_every_filter_are_not_made() {
    let Some(stopwatch) = stopwatch() else { return };
    for nr in [335, 336] {
        assert!(!stopwatch.can_make(&call(nr)));
        let jobs = [Job {
            chain: vec![tests(3)],
            calls: vec![call(nr)],
        }];
        assert!(stopwatch.time(&jobs, 1, &mut |_| {}).is_err());
    }
    let foreign = SeccompData::new(0xc000_00b7, 1, [0; 6]);
    assert!(!stopwatch.can_make(&foreign));
}

#[test]
fn a_call_that_no_filter_fails_is_not_made() {
    let Some(stopwatch) = stopwatch() else { return };
    let refused = |chain: Vec<Vec<Insn>>| {
        let jobs = [Job {
            chain,
            calls: vec![call(1)],
        }];
        assert!(stopwatch.time(&jobs, 1, &mut |_| {}).is_err());
    };
    refused(Vec::new());
    // A division by zero returns 0, which kills.
    refused(vec![vec![Insn::stmt(0x3c, 0), Insn::stmt(0x06, 0x7fff_0000)]]);
    refused(vec![vec![Insn::stmt(0x20, 0)]]);
}

/// Newest filters fail calls, older ones run too: a chain takes longer than its newest filter alone.
#[test]
fn all_filters_of_a_chain_run() {
    let Some(stopwatch) = stopwatch() else { return };
    let job = |chain| Job {
        chain,
        calls: vec![call(1)],
    };
    let jobs = [job(vec![tests(1000)]), job(vec![tests(1000); 4])];
    let times = stopwatch.time(&jobs, 15, &mut |_| {}).unwrap();
    let [one, four] = [times.jobs[0][0], times.jobs[1][0]];
    println!("{one:?}\n{four:?}");
    assert_eq!((one.counted.filters, four.counted.filters), (1, 4));
    assert!(four.added.low > one.added.high);
}
