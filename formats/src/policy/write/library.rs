//! Tests as OCI profiles, seccompiler and libseccomp have them: an argument, an operator, a 64-bit value.

use callproof_policy::{Compare, Field, Test as Atom};

use super::alternatives::{Alternatives, Unsayable};
use super::bits::equalities;
use crate::policy::build::{Arg, Test};

/// The register of a test.
pub(super) fn register(test: &Atom) -> Result<u8, Unsayable> {
    match test.field {
        Field::Arg(index @ 0..=5) => Ok(index),
        _ => Err(Unsayable::Test(
            "it tests the instruction pointer, which only a filter itself can",
        )),
    }
}

/// A test of a whole register as the operators of the library.
pub(super) fn whole(test: &Atom, holds: bool) -> Result<Alternatives<Arg>, Unsayable> {
    let index = register(test)?;
    let Atom { mask, value, .. } = *test;
    // The high bits of a register are ordered as the register is.
    let high = mask != 0 && mask.leading_ones() == mask.count_ones();
    let one = match (test.compare, holds) {
        (Compare::Eq, true) if mask == u64::MAX => Test::Eq(value),
        (Compare::Eq, false) if mask == u64::MAX => Test::Ne(value),
        (Compare::Gt, true) if high => Test::Gt((value & mask) | !mask),
        (Compare::Gt, false) if high => Test::Le((value & mask) | !mask),
        _ => return Ok(masked(index, test, holds)),
    };
    Ok(vec![vec![Arg { index, test: one }]])
}

/// As equalities of bits, which every test can be.
pub(super) fn masked(index: u8, test: &Atom, holds: bool) -> Alternatives<Arg> {
    let one = |bits: super::bits::Bits| {
        let test = Test::Masked(bits.mask, bits.value);
        // Without bits to look at it always holds.
        (bits.mask != 0).then_some(Arg { index, test })
    };
    equalities(test, holds)
        .into_iter()
        .map(|bits| one(bits).into_iter().collect())
        .collect()
}
