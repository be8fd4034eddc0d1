//! The interpreter of the crate `bpfvm`, made for seccomp filters. It reads words in the machine's order. It does not know
//! `tax`, `txa` and `neg`, and jumps compare with the constant even where they name X.

mod race;

use bpfvm::vm::BpfVM;
use libc::sock_filter;

fn main() {
    let insns = race::filter().into_iter();
    let filter = insns.map(|(code, jt, jf, k)| sock_filter { code, jt, jf, k }).collect();
    let (mut vm, records) = (BpfVM::new(&filter).expect("a filter"), race::records());
    let mut again = BpfVM::new(&filter).expect("a filter");
    race::race(
        &records,
        |record| again.run(record).expect("an instruction that bpfvm knows"),
        |record| vm.run(record).unwrap_or(0),
    );
}
