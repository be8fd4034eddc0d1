//! The emulator against the other model of the kernel.

use callproof_testgen::compare::{self, Difference};
use callproof_testgen::reference::{Fault, Reference};
use callproof_testgen::{Bytes, near_valid, program};
use callproof_vm::Insn;

/// Is a program of any bytes installed, and how long is it to the kernel? Both models say the same.
pub fn admission(bytes: &[u8]) {
    let program = instructions(bytes);
    agree(compare::admission(Reference::default(), program.clone()));
    if Reference::default().admits(&program) {
        agree(compare::length(Reference::default(), program));
    }
    agree(compare::admission(
        Reference::default(),
        near_valid(&mut Bytes::new(bytes)),
    ));
}

/// What does a program return for a call that is made for it? Both models say the same.
pub fn engines(bytes: &[u8]) {
    agree(judged(bytes, Fault::None));
}

/// The same with a mistake planted: a fuzzer that is worth its name fails here within seconds.
pub fn canary(bytes: &[u8]) {
    agree(judged(bytes, Fault::SignedCompare));
}

fn judged(bytes: &[u8], fault: Fault) -> Result<(), Box<Difference>> {
    let mut choices = Bytes::new(bytes);
    let program = program(&mut choices);
    compare::evaluation(Reference::with(fault), program, &mut choices)
}

fn agree(result: Result<(), Box<Difference>>) {
    if let Err(difference) = result {
        panic!("the two models differ: {difference}");
    }
}

/// Bytes as `struct sock_filter`, little-endian; what is left over is left away.
pub(crate) fn instructions(bytes: &[u8]) -> Vec<Insn> {
    let (all, _) = bytes.as_chunks::<8>();
    let insn = |&[low, high, jt, jf, a, b, c, d]: &[u8; 8]| {
        Insn::new(
            u16::from_le_bytes([low, high]),
            jt,
            jf,
            u32::from_le_bytes([a, b, c, d]),
        )
    };
    all.iter().map(insn).collect()
}
