//! What calls cost, held against the emulator that counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and may speak"
)]

use std::path::{Path, PathBuf};

use callproof::cost::{Asked, Bitmap, Laid, Weighed, costs, savings, weigh};
use callproof_abi::Abi;
use callproof_policy::ByteOrder;
use callproof_testgen::{Caller, Harvest, Seed, program};
use callproof_verifier::{Answer, CostBound, Failure, Limits, Session};
use callproof_vm::bitmap::constantly_allows;
use callproof_vm::observe::Count;
use callproof_vm::{Chain, Endian, Filter, Insn, Machine, SeccompData};

const X86_64: u32 = 0xc000_003e;

fn asked<'f>(filters: &'f [Filter<'f>], limits: &'f Limits) -> Asked<'f> {
    Asked {
        filters,
        machine: Machine::default(),
        order: ByteOrder::OfArch,
        limits,
    }
}

fn count(filters: &[Filter<'_>], call: &SeccompData) -> u64 {
    let mut count = Count::default();
    Chain::new(filters).run_observed(call, Machine::default(), &mut count);
    count.0
}

/// Calls that reach the branches of the programs, each number of x86_64 among them.
fn calls(filters: &[Filter<'_>], seed: u64, each: usize) -> Vec<SeccompData> {
    let callers = [Caller { arch: X86_64, ip: 0 }];
    let harvested = filters.iter().flat_map(|filter| {
        let mut seed = Seed::new(seed, 7);
        Harvest::of(filter.program()).calls(&mut seed, each, &callers)
    });
    let mut calls: Vec<SeccompData> = harvested.filter(|call| call.arch == X86_64).collect();
    let mut more = Vec::new();
    for (number, call) in (0_i32..470).zip(calls.iter().cycle()) {
        more.push(SeccompData { nr: number, ..*call });
        more.push(SeccompData::new(X86_64, number, [0; 6]));
    }
    calls.extend(more);
    calls
}

/// Holds what is said of each call against the emulator. Gives how many calls were compared.
fn check(filters: &[Filter<'_>], seed: u64) -> usize {
    let limits = Limits {
        states: 20_000,
        nodes: 200_000,
        steps: 2_000_000,
        ..Limits::default()
    };
    let found = match costs(asked(filters, &limits), &[Abi::X86_64]) {
        Ok(found) => found,
        Err(Failure::Undecided(_)) => return 0,
        Err(failure) => panic!("{failure}"),
    };
    let [of_abi] = &found.abis[..] else { panic!("{found:?}") };
    for call in &of_abi.calls {
        for shown in [&call.least, &call.most] {
            assert_eq!(count(filters, &shown.call), shown.insns);
            assert_eq!(shown.call.nr.cast_unsigned(), call.nr);
        }
        assert_eq!(call.by_filter.iter().sum::<u64>(), call.most.insns);
        let constant = |filter: &Filter<'_>| constantly_allows(filter.program(), call.nr.cast_signed(), X86_64);
        let skips = call.nr < 470 && filters.iter().all(constant) || matches!(call.nr, 335 | 336);
        assert_eq!(call.bitmap.skips(), skips, "{call:?}");
    }
    let calls = calls(filters, seed, 300);
    for call in &calls {
        let insns = count(filters, call);
        assert!(insns <= of_abi.worst.insns && insns <= found.bound, "{call:?}");
        let known = of_abi.calls.iter().find(|known| known.nr == call.nr.cast_unsigned());
        let Some(known) = known else { continue };
        assert!(known.least.insns <= insns && insns <= known.most.insns, "{call:?}");
    }
    calls.len()
}

#[test]
fn random_chains_cost_what_is_said() {
    let mut compared = 0;
    for number in 0..60 {
        let mut seed = Seed::new(5, number);
        let mut filters = Vec::new();
        while filters.len() < 1 + usize::from(number % 3 == 0) {
            if let Ok(filter) = Filter::load(program(&mut seed)) {
                filters.push(filter);
            }
        }
        compared += check(&filters, number);
    }
    println!("{compared} calls compared");
    assert!(compared > 20_000, "{compared}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn load(path: &Path) -> Filter<'static> {
    let bytes = std::fs::read(path).unwrap();
    let insns = bytes.as_chunks::<8>().0.iter();
    let program: Vec<Insn> = insns.map(|insn| Insn::from_bytes(*insn, Endian::Little)).collect();
    Filter::load(program).unwrap()
}

#[test]
fn a_bound_that_is_off_by_one_has_no_proof() {
    let filters = [load(&root().join("examples/web-server.bpf"))];
    let limits = Limits::default();
    let found = costs(asked(&filters, &limits), &[Abi::X86_64, Abi::I386]).unwrap();
    assert!(found.proved);
    let mut session = Session::new(&filters, Vec::new(), Machine::default(), ByteOrder::OfArch, &limits);
    for of_abi in &found.abis {
        for call in &of_abi.calls {
            let mut holds = |at_least, at_most| {
                let bound = CostBound {
                    abi: of_abi.abi,
                    numbers: Some(vec![call.nr]),
                    at_least: u32::try_from(at_least).unwrap(),
                    at_most: u32::try_from(at_most).unwrap(),
                };
                matches!(session.prove_costs(&[bound]), Ok(Answer::Holds { proof: Some(_), .. }))
            };
            let (least, most) = (call.least.insns, call.most.insns);
            if call.nr % 37 == 0 || least < most {
                assert!(holds(least, most), "{}", call.name);
                assert!(!holds(least, most - 1), "{}", call.name);
                assert!(!holds(least + 1, most), "{}", call.name);
            }
        }
    }
}

fn records(calls: &[SeccompData]) -> Vec<u8> {
    calls.iter().flat_map(|call| call.to_bytes(Endian::Little)).collect()
}

fn weighed(filters: &[Filter<'_>], trace: &[u8]) -> Weighed {
    let limits = Limits::default();
    weigh("trace", trace, asked(filters, &limits), Abi::X86_64, &mut |_| {}).unwrap()
}

/// Lays the filters out anew and counts what the new ones execute. Gives what was saved of how much.
fn check_savings(filters: &[Filter<'_>], calls: &[SeccompData]) -> (u64, u64) {
    let weighed = weighed(filters, &records(calls));
    let all: u64 = calls.iter().map(|call| count(filters, call)).sum();
    assert_eq!((weighed.insns.least, weighed.insns.most), (all, all));
    assert_eq!(weighed.calls, u64::try_from(calls.len()).unwrap());
    let limits = Limits::default();
    let mut best = 0;
    for saving in savings(asked(filters, &limits), &weighed).unwrap() {
        let new: Vec<Filter<'_>> = filters
            .iter()
            .zip(&saving.filters)
            .map(|(old, laid)| match laid {
                Laid::Better { program, .. } => Filter::load(program.as_slice()).unwrap(),
                Laid::NoBetter => old.clone(),
                Laid::Not { why } => {
                    println!("not laid out: {why}");
                    old.clone()
                }
            })
            .collect();
        let counted: u64 = calls.iter().map(|call| count(&new, call)).sum();
        assert_eq!(
            (saving.insns.least, saving.insns.most),
            (counted, counted),
            "{:?}",
            saving.plan
        );
        for call in calls {
            let verdict = |filters| Chain::new(filters).run(call, Machine::default()).value;
            assert_eq!(verdict(filters), verdict(&new), "{call:?}");
        }
        best = best.max(all - counted);
    }
    (best, all)
}

#[test]
fn what_is_saved_is_what_the_new_filters_save() {
    let filters = [load(&root().join("examples/web-server.bpf"))];
    let (saved, all) = check_savings(&filters, &calls(&filters, 1, 500));
    println!("{saved} of {all} saved");
    assert!(saved * 4 > all);
}

#[test]
fn real_filters_are_laid_out_anew() {
    let corpus = root().join("../shared/corpus");
    if !corpus.join("meta.jsonl").exists() {
        println!("skipped: no corpus");
        return;
    }
    let mut paths: Vec<PathBuf> = std::fs::read_dir(corpus.join("bpf"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let (mut better, mut looked) = (0, 0);
    for path in paths.iter().step_by(6) {
        let filters = [load(path)];
        let (saved, _) = check_savings(&filters, &calls(&filters, 2, 100));
        looked += 1;
        better += u32::from(saved > 0);
    }
    println!("{better} of {looked} filters can be laid out better for calls of every number");
    assert!(better > 10);
}

#[test]
fn what_a_trace_does_not_tell_is_a_range() {
    let program = [
        Insn::stmt(0x20, 0),
        Insn::jump(0x15, 41, 0, 2),
        Insn::stmt(0x20, 16),
        Insn::jump(0x15, 1, 0, 1),
        Insn::stmt(0x06, 0x7fff_0000),
        Insn::stmt(0x01, 0),
        Insn::stmt(0x06, 0x0005_0001),
    ];
    let filters = [Filter::load(&program[..]).unwrap()];
    let table = b"% time     seconds  usecs/call     calls    errors syscall\n\
                  ------ ----------- ----------- --------- --------- ----------------\n \
                  50.00    0.000001           1        10           socket\n \
                  50.00    0.000001           1         4           read\n\
                  ------ ----------- ----------- --------- --------- ----------------\n\
                  100.00    0.000002           1        14           total\n";
    let weighed = weighed(&filters, table);
    // A socket of family 1 takes five instructions and any other six; read takes three.
    assert_eq!((weighed.calls, weighed.insns.least, weighed.insns.most), (14, 62, 72));
    assert_eq!(
        (weighed.by_call[0].call.as_str(), weighed.by_call[0].count),
        ("socket", 10)
    );
    assert!(weighed.by_call[1].skipped, "read is allowed whatever the arguments");
    let limits = Limits::default();
    let found = costs(asked(&filters, &limits), &[Abi::X86_64]).unwrap();
    let socket = found.abis[0].calls.iter().find(|call| call.name == "socket").unwrap();
    let Bitmap::Not(why) = &socket.bitmap else {
        panic!("{socket:?}")
    };
    assert_eq!((why.filter, why.pc), (Some(0), Some(2)));
}

#[test]
fn a_trace_of_nothing_is_refused() {
    let filters = [Filter::load(vec![Insn::stmt(0x06, 0)]).unwrap()];
    let limits = Limits::default();
    let weigh = |text: &[u8]| weigh("trace", text, asked(&filters, &limits), Abi::X86_64, &mut |_| {});
    assert!(weigh(b"").is_err());
    assert!(weigh(b"no such call here\n").is_err());
    assert!(weigh(&[0; 10]).is_err());
}
