//! Values of `arbitrary`, with the feature of that name.
//!
//! [`arbitrary::Unstructured`] is a [`Choose`], so that every generator takes it; the types here are for targets that
//! derive their input. Three tiers: any instructions, programs that the kernel installs, programs as compilers make them.
//!
//! ```
//! use arbitrary::{Arbitrary, Unstructured};
//! use callproof_testgen::arbitrary::ProgramAndCall;
//! use callproof_vm::{Filter, Machine};
//!
//! let bytes = [7, 120, 3, 9, 200, 41];
//! let (input, verbose) = <(ProgramAndCall, bool)>::arbitrary(&mut Unstructured::new(&bytes))?;
//! let filter = Filter::load(input.program).unwrap();
//! let value = filter.run(&input.call, Machine::default());
//! # let _ = (value, verbose);
//! # Ok::<(), arbitrary::Error>(())
//! ```

use arbitrary::{Arbitrary, Result, Unstructured};
use callproof_policy::Policy;
use callproof_vm::{Insn, SeccompData};

use crate::choose::{Choose, thrifty};
use crate::data::{Caller, Harvest};
use crate::policy::PolicyShape;

/// Takes bytes as [`Bytes`](crate::Bytes) does: when they run out every choice is the first one.
impl Choose for Unstructured<'_> {
    fn word(&mut self) -> u64 {
        take(self, 8)
    }

    fn below(&mut self, bound: u32) -> u32 {
        thrifty(bound, |count| take(self, count))
    }

    fn half(&mut self) -> u32 {
        let [a, b, c, d, ..] = take(self, 4).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

fn take(source: &mut Unstructured<'_>, count: u32) -> u64 {
    (0..count).fold(0, |value, _| {
        let mut byte = [0];
        // Behind the end it fills in zeros, and cannot fail.
        let _ = source.fill_buffer(&mut byte);
        let [byte] = byte;
        value << 8 | u64::from(byte)
    })
}

/// Any instructions: most such programs are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyProgram(pub Vec<Insn>);

/// A program at the edge of admission ([`near_valid`](crate::near_valid)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearProgram(pub Vec<Insn>);

/// A program that the kernel installs ([`program`](crate::program())).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidProgram(pub Vec<Insn>);

/// A program as compilers of policies make them ([`realistic`](crate::realistic())).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealisticProgram(pub Vec<Insn>);

/// A program that the kernel installs, of the second tier or the third, and a call made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramAndCall {
    /// The program
    pub program: Vec<Insn>,
    /// The call
    pub call: SeccompData,
}

/// A policy of any shape; [`policy`](crate::policy::policy()) takes other shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyPolicy(pub Policy);

impl<'a> Arbitrary<'a> for AnyProgram {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        let count = source.arbitrary_len::<[u8; 8]>()?;
        let mut insn = || -> Result<Insn> {
            Ok(Insn::new(
                u16::arbitrary(source)?,
                u8::arbitrary(source)?,
                u8::arbitrary(source)?,
                u32::arbitrary(source)?,
            ))
        };
        let insns: Result<Vec<Insn>> = (0..count).map(|_| insn()).collect();
        insns.map(Self)
    }
}

impl<'a> Arbitrary<'a> for NearProgram {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(crate::near_valid(source)))
    }
}

impl<'a> Arbitrary<'a> for ValidProgram {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(crate::program(source)))
    }
}

impl<'a> Arbitrary<'a> for RealisticProgram {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(crate::realistic(source)))
    }
}

impl<'a> Arbitrary<'a> for ProgramAndCall {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        let program = if source.one_in(3) {
            crate::realistic(source)
        } else {
            crate::program(source)
        };
        let caller = Caller::any(source);
        let call = Harvest::of(&program).call(source, caller);
        Ok(Self { program, call })
    }
}

impl<'a> Arbitrary<'a> for AnyPolicy {
    fn arbitrary(source: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(crate::policy::policy(source, &PolicyShape::default())))
    }
}
