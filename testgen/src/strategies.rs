//! Strategies for `proptest`, with the feature of that name.
//!
//! Cases are made of bytes, and shrink as the bytes do: fewer and smaller bytes make simpler cases.
//!
//! ```
//! use callproof_testgen::strategies;
//! use callproof_vm::{Filter, Machine};
//! use proptest::prelude::*;
//! proptest!(|(case in strategies::cases())| {
//!     let filter = Filter::load(&case.program[..]).unwrap();
//!     let value = filter.run(&case.data, Machine::default());
//!     prop_assert_eq!(value, filter.run(&case.data, Machine::default()));
//! });
//! ```

use core::fmt::Debug;

use callproof_policy::Policy;
use callproof_vm::Insn;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use crate::choose::{Bytes, Choose};
use crate::data::{Caller, Harvest};
use crate::policy::PolicyShape;
use crate::shrink::Case;

/// How many bytes a case is made of at most.
const MOST: usize = 4096;

/// What a generator makes of bytes, which shrink.
pub fn made_by<T: Debug>(make: impl Fn(&mut Bytes<'_>) -> T) -> impl Strategy<Value = T> {
    vec(any::<u8>(), 0..MOST).prop_map(move |bytes| make(&mut Bytes::new(&bytes)))
}

/// Any instructions: most such programs are refused.
pub fn any_programs() -> impl Strategy<Value = Vec<Insn>> {
    vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..64).prop_map(|insns| {
        insns
            .into_iter()
            .map(|(code, jt, jf, k)| Insn::new(code, jt, jf, k))
            .collect()
    })
}

/// Programs at the edge of admission ([`near_valid`](crate::near_valid)).
pub fn near_programs() -> impl Strategy<Value = Vec<Insn>> {
    made_by(|choose| crate::near_valid(choose))
}

/// Programs that the kernel installs ([`program`](crate::program())).
pub fn programs() -> impl Strategy<Value = Vec<Insn>> {
    made_by(|choose| crate::program(choose))
}

/// Programs as compilers of policies make them ([`realistic`](crate::realistic())).
pub fn realistic_programs() -> impl Strategy<Value = Vec<Insn>> {
    made_by(|choose| crate::realistic(choose))
}

/// Programs that the kernel installs, of both kinds, each with a call made for it.
pub fn cases() -> impl Strategy<Value = Case> {
    made_by(|choose| {
        let program = if choose.one_in(3) {
            crate::realistic(choose)
        } else {
            crate::program(choose)
        };
        let caller = Caller::any(choose);
        let data = Harvest::of(&program).call(choose, caller);
        Case { program, data }
    })
}

/// Policies of a shape.
pub fn policies(shape: PolicyShape) -> impl Strategy<Value = Policy> {
    made_by(move |choose| crate::policy::policy(choose, &shape))
}
