//! The policy and the properties that ship as examples, held against the filter they speak of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use callproof_abi::Abi;
use callproof_policy::{Claim, Env, parse_policy, parse_properties};
use callproof_vm::{Chain, Endian, Filter, Insn, Kernel, Machine, SeccompData};

fn example(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(name: &str) -> String {
    String::from_utf8(example(name)).unwrap()
}

fn filter() -> Filter<'static> {
    let bytes = example("web-server.bpf");
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    Filter::load(program).unwrap()
}

/// Calls around every number and every value that either side tests.
fn calls_around() -> impl Iterator<Item = SeccompData> {
    let arches = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x8000_0016, 0];
    let numbers = (-2..480).chain([i32::MIN, i32::MAX, 0x4000_0000, 0x4000_0029, 0x3fff_ffff]);
    let values = [
        0,
        1,
        2,
        3,
        4,
        5,
        10,
        11,
        0x2_0000,
        0x1000_0000,
        0x7e02_0000,
        u64::from(u32::MAX),
    ];
    let registers = values
        .into_iter()
        .flat_map(|low| [0, 1 << 32, u64::MAX << 32].map(move |high| high | low));
    let registers: Vec<u64> = registers.collect();
    arches.into_iter().flat_map(move |arch| {
        let registers = registers.clone();
        numbers.clone().flat_map(move |nr| {
            let args = registers.clone().into_iter();
            args.map(move |value| {
                // 32-bit registers, as the policy language has them on i386
                let value = if arch == 0x4000_0003 {
                    value & u64::from(u32::MAX)
                } else {
                    value
                };
                SeccompData::new(arch, nr, [value, 0, value, 0, 0, 0])
            })
        })
    })
}

#[test]
fn the_policy_is_what_the_filter_does() {
    let policy = parse_policy("web-server.policy", &text("web-server.policy")).unwrap();
    let policy = policy.ground(&Env::default()).unwrap();
    let filter = filter();
    let mut answers = std::collections::BTreeMap::<u32, u32>::new();
    for call in calls_around() {
        let decided = policy.decide(&call);
        assert_eq!(decided, filter.run(&call, Machine::default()), "{call:x?}");
        *answers.entry(decided).or_default() += 1;
    }
    let seen: Vec<u32> = answers.into_keys().collect();
    assert_eq!(
        seen,
        [
            0x0005_0001,
            0x0005_000d,
            0x0005_0026,
            0x0005_0061,
            0x7fff_0000,
            0x8000_0000
        ]
    );
}

#[test]
fn the_properties_hold_wherever_they_are_tried() {
    let file = parse_properties("web-server.props", &text("web-server.props")).unwrap();
    let filter = [filter()];
    let mut tried = 0;
    for (property, env) in file.properties(&Env::default()) {
        let Claim::Verdict { verdicts, calls, .. } = &property.claim else {
            panic!("{:?} is no claim about a verdict", property.claim);
        };
        let meant = calls.ground(&env).unwrap();
        for call in calls_around().filter(|call| meant.holds_for(call)) {
            let verdict = Chain::new(&filter).run(&call, Machine::default());
            let abi = Abi::from_call(call.arch, call.nr.cast_unsigned());
            let outcomes = verdicts.on(abi).unwrap();
            assert!(
                outcomes.contains(&verdict, Kernel::LATEST),
                "{:?}: {call:x?}",
                property.span
            );
            tried += 1;
        }
    }
    assert!(tried > 10_000, "{tried}");
}
