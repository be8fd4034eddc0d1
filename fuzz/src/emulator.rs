//! The emulator against the other model of the kernel.

use callproof_engines::Kind;
use callproof_testgen::compare::{self, Difference};
use callproof_testgen::reference::{Fault, Reference};
use callproof_testgen::{Bytes, Caller, Choose, Harvest, near_valid, program};
use callproof_vm::{Endian, Filter, Insn, Machine, ShiftByX};

use crate::one;

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

/// What does a program return for a call that is made for it? Both models say the same, and so does every engine.
pub fn engines(bytes: &[u8]) {
    agree(judged(bytes, Fault::None));
    fast(&mut Bytes::new(bytes));
}

/// The fast engines against the plain loop: a chain of one or two programs, some calls, any machine.
fn fast(choices: &mut Bytes<'_>) {
    let programs: Vec<Vec<Insn>> = (0..=choices.below(2)).map(|_| program(choices)).collect();
    let load = |program: &Vec<Insn>| Filter::load(program.clone()).ok();
    let Some(filters) = programs.iter().map(load).collect::<Option<Vec<_>>>() else {
        return;
    };
    let machine = Machine {
        endian: if choices.one_in(2) { Endian::Big } else { Endian::Little },
        shift: one(&ShiftByX::ALL, choices.below(3).to_le_bytes()[0]).unwrap_or_default(),
        ..Machine::default()
    };
    let [reference, others @ ..] = Kind::ALL.map(|kind| kind.build(&filters, machine));
    for harvest in programs.iter().map(|program| Harvest::of(program)).cycle().take(4) {
        let caller = Caller::any(choices);
        let call = harvest.call(choices, caller);
        for engine in &others {
            assert_eq!(
                engine.decide(&call),
                reference.decide(&call),
                "{machine:?} {call:x?} {programs:?}"
            );
        }
    }
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
