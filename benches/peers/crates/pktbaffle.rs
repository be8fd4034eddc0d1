//! The interpreter of the crate `pktbaffle`, made for packets. It reads words in network order, and tells only whether a
//! value is zero. So that all of a value is checked, it is found bit by bit, by filters that return one bit of it each.

mod race;

use pktbaffle::{bpf::Insn, vm};

const RET_K: u16 = 0x06;
const RET_A: u16 = 0x16;

/// The filter with all but `bits` of each returned constant cleared.
fn returning(bits: u32) -> Vec<Insn> {
    let insns = race::filter().into_iter().map(|(code, jt, jf, k)| {
        assert_ne!(code, RET_A, "a returned register cannot be found bit by bit");
        let k = if code == RET_K { k & bits } else { k };
        Insn { code, jt, jf, k }
    });
    insns.collect()
}

fn main() {
    let records: Vec<[u8; 64]> = race::records().into_iter().map(race::packet).collect();
    let filter = returning(u32::MAX);
    let bits: Vec<(u32, Vec<Insn>)> = (0..32).map(|bit| (1 << bit, returning(1 << bit))).collect();
    let value = |record: &[u8; 64]| {
        let set = bits.iter().filter(|(_, filter)| vm::run(filter, record));
        set.map(|(bit, _)| bit).sum()
    };
    race::race(&records, value, |record| vm::run(&filter, record).into());
}
