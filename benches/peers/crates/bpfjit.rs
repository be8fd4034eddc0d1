//! NetBSD's compiler of filters to machine code, as the crate `bpfjit-sys` ships it. It reads words in network order.

mod race;

use bpfjit_sys::{BpfJit, Opcode};

fn main() {
    let insns = race::filter().into_iter();
    let insns: Vec<Opcode> = insns.map(|(code, jt, jf, k)| Opcode(code, jt, jf, k)).collect();
    let jit = BpfJit::raw(&insns).expect("a filter that bpfjit compiles");
    let records: Vec<[u8; 64]> = race::records().into_iter().map(race::packet).collect();
    let value = |record: &[u8; 64]| jit.value(record);
    race::race(&records, value, value);
}
