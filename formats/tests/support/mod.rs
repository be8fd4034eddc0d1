//! What tests of policies share: filters to compare with, and calls that tell them apart.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callproof_abi::Abi;
use callproof_formats::ReadOptions;
use callproof_policy::{Env, GroundPolicy, Policy};
use callproof_vm::{Chain, Filter, Machine, SeccompData};

/// The corpus beside the checkout.
pub fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if path.join("meta.jsonl").exists() {
        return Some(path);
    }
    println!("skipped: no corpus");
    None
}

/// A filter of the corpus by name.
pub fn filter(corpus: &Path, name: &str) -> Filter<'static> {
    let bytes = std::fs::read(corpus.join(format!("bpf/{name}.bpf"))).unwrap_or_else(|error| panic!("{name}: {error}"));
    load(&bytes)
}

/// A filter from the bytes of a little-endian array.
pub fn load(bytes: &[u8]) -> Filter<'static> {
    let program = ReadOptions::default().read(bytes).unwrap();
    Filter::load(program.insns).unwrap()
}

pub fn ground(policy: &Policy) -> GroundPolicy {
    policy
        .ground(&Env::default())
        .unwrap_or_else(|problems| panic!("{policy}: {problems:?}"))
}

/// A small generator that needs no crate.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() >> 32).unwrap() % count
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Calls around the constants of filters, on the ABIs and on others.
pub fn calls(filters: &[&Filter<'_>], abis: &[Abi], count: usize, seed: u64) -> Vec<SeccompData> {
    let mut dice = Dice(seed | 1);
    let constants: BTreeSet<u32> = filters
        .iter()
        .flat_map(|filter| filter.program())
        .map(|insn| insn.k)
        .collect();
    let around = |k: u32| [k.wrapping_sub(1), k, k.wrapping_add(1)];
    let mut words: Vec<u32> = constants.iter().flat_map(|k| around(*k)).collect();
    words.extend([0, 1, 2, 3, 9, 17, 0x8000_0000, u32::MAX]);
    let archs: Vec<u32> = abis
        .iter()
        .map(|abi| abi.audit_arch())
        .chain([0xc000_00b7, 1])
        .collect();
    let numbers: Vec<u32> = abis
        .iter()
        .flat_map(|abi| abi.syscalls())
        .map(|call| call.number)
        .collect();
    let mut call = || {
        let nr = match dice.below(4) {
            0 => dice.pick(&numbers),
            1 => u32::try_from(dice.roll() >> 54).unwrap() | (u32::from(dice.roll() & 1 == 0) << 30),
            _ => dice.pick(&words),
        };
        let mut word = || match dice.below(8) {
            0 => u32::try_from(dice.roll() >> 32).unwrap(),
            1..=3 => 0,
            _ => dice.pick(&words),
        };
        let args = core::array::from_fn(|_| (u64::from(word()) << 32) | u64::from(word()));
        SeccompData::new(dice.pick(&archs), nr.cast_signed(), args)
    };
    (0..count).map(|_| call()).collect()
}

/// The value that a filter comes to.
pub fn value(filter: &Filter<'_>, call: &SeccompData) -> u32 {
    Chain::new(core::slice::from_ref(filter))
        .run(call, Machine::default())
        .value
}

/// The calls on which a policy and a filter differ, the first few of them.
pub fn differences(policy: &Policy, filter: &Filter<'_>, calls: &[SeccompData]) -> Vec<String> {
    let ground = ground(policy);
    let differs = calls.iter().filter_map(|call| {
        let (policy, filter) = (ground.decide(call), value(filter, call));
        let shown = callproof_formats::call::print(call);
        (policy != filter).then(|| format!("{shown}: policy {policy:#x}, filter {filter:#x}"))
    });
    differs.take(40).collect()
}
