//! Any test of a register as equalities of some of its bits.

use callproof_policy::{Compare, Test};

/// These bits of a register are as in the value, which has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// Equalities of which exactly one holds when the test holds (or does not, when the flag is false), and none otherwise.
pub(super) fn equalities(test: &Test, holds: bool) -> Vec<Bits> {
    match test.compare {
        Compare::Eq => equal(test, holds),
        Compare::Gt => ordered(test, holds),
    }
}

fn equal(test: &Test, holds: bool) -> Vec<Bits> {
    let Test { mask, value, .. } = *test;
    let possible = value & !mask == 0;
    match (holds, possible) {
        (true, true) => vec![Bits { mask, value }],
        (true, false) => Vec::new(),
        (false, false) => vec![Bits { mask: 0, value: 0 }],
        // The highest bit that differs, and all above as they are.
        (false, true) => each_bit(mask)
            .map(|bit| {
                let above = mask & above(bit);
                Bits {
                    mask: above | bit,
                    value: (value & above) | (!value & bit),
                }
            })
            .collect(),
    }
}

/// The order of two numbers is settled by the highest bit in which they differ.
fn ordered(test: &Test, holds: bool) -> Vec<Bits> {
    let Test { mask, value, .. } = *test;
    let mut found = Vec::new();
    for bit in each_bit(u64::MAX) {
        let above = mask & above(bit);
        let prefix = Bits {
            mask: above,
            value: value & above,
        };
        let (has, wanted) = (mask & bit != 0, value & bit != 0);
        if has && wanted != holds {
            // Greater where 1 stands against 0, less where 0 stands against 1.
            found.push(Bits {
                mask: above | bit,
                value: prefix.value | if holds { bit } else { 0 },
            });
        }
        if !has && wanted {
            // A bit that is never set stands against 1: less, whatever comes below.
            found.extend((!holds).then_some(prefix));
            return found;
        }
    }
    let value = value & mask;
    found.extend((!holds).then_some(Bits { mask, value }));
    found
}

/// The bits of a mask, the highest first.
pub(super) fn each_bit(mask: u64) -> impl Iterator<Item = u64> {
    (0..64)
        .rev()
        .map(|place| 1_u64 << place)
        .filter(move |bit| mask & bit != 0)
}

/// All bits above one.
const fn above(bit: u64) -> u64 {
    !(bit | bit.wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use callproof_policy::Field;

    use super::*;

    #[test]
    fn exactly_one_equality_holds_where_the_test_does() {
        let field = Field::Arg(0);
        for compare in [Compare::Eq, Compare::Gt] {
            for mask in 0..32 {
                for value in 0..40 {
                    // Once at the low end, once at the top of the register.
                    for shift in [0, 58] {
                        let test = Test {
                            field,
                            mask: mask << shift,
                            compare,
                            value: value << shift,
                        };
                        for holds in [true, false] {
                            let found = equalities(&test, holds);
                            for register in (0..64_u64).map(|low| low << shift) {
                                let hits = found.iter().filter(|bits| register & bits.mask == bits.value).count();
                                let expected = compare.holds(register & test.mask, test.value) == holds;
                                assert_eq!(hits, usize::from(expected), "{test:?} {holds} {register:#x} {found:?}");
                            }
                        }
                    }
                }
            }
        }
    }
}
