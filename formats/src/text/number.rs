//! Numbers as people and tools write them.

use super::{Token, shown};
use crate::error::{Parsed, Problem};

/// The value of a number token: decimal, `0x`, `0b` or octal with a leading 0, with C's suffixes `u` and `l`.
pub(crate) fn number(token: &Token<'_>) -> Parsed<u64> {
    let not_a_number = || {
        token.fault(Problem::NotANumber {
            text: shown(token.text),
        })
    };
    let (digits, radix) = split(token.text);
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(not_a_number());
    }
    // All are digits, so that only the size can be wrong.
    u64::from_str_radix(digits, radix).map_err(|_| out_of_range(token, "64 bits", u64::MAX))
}

/// Checks that a value fits its field. Values that are negative as a C `int` fit a 32-bit field.
pub(crate) fn narrow(value: u64, max: u64, field: &'static str, token: &Token<'_>) -> Parsed<u64> {
    let int = value.cast_signed();
    if value <= max {
        Ok(value)
    } else if max == u64::from(u32::MAX) && (i64::from(i32::MIN)..0).contains(&int) {
        Ok(value & max)
    } else {
        Err(out_of_range(token, field, max))
    }
}

fn out_of_range(token: &Token<'_>, field: &'static str, max: u64) -> crate::error::Fault {
    token.fault(Problem::NumberRange {
        text: shown(token.text),
        field,
        max,
    })
}

/// The digits of a number and their base.
fn split(text: &str) -> (&str, u32) {
    let prefixed = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some(digits) = prefixed(["0x", "0X"]) {
        return (suffix_less(digits), 16);
    }
    if let Some(digits) = prefixed(["0b", "0B"]) {
        return (suffix_less(digits), 2);
    }
    match suffix_less(text) {
        digits if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        digits => (digits, 10),
    }
}

/// A number without C's `u`, `l`, `ul`, `ull` and their like.
fn suffix_less(digits: &str) -> &str {
    let kept = digits.trim_end_matches(['u', 'U', 'l', 'L']);
    if digits.len().saturating_sub(kept.len()) <= 3 {
        kept
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn of(text: &str) -> Result<u64, Problem> {
        let token = Token {
            kind: Kind::Number,
            text,
            start: 0,
        };
        number(&token).map_err(|fault| *fault.problem)
    }

    #[test]
    fn reads_every_base() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("017", 15),
            ("17", 17),
            ("0x1F", 31),
            ("0b101", 5),
            ("7UL", 7),
            ("0xffffffffffffffffull", u64::MAX),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(of(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["0x", "08", "0b2", "12a", "0xg", "1ullll", "u"] {
            assert_eq!(of(text), Err(Problem::NotANumber { text: text.to_owned() }), "{text}");
        }
        assert!(matches!(of("18446744073709551616"), Err(Problem::NumberRange { .. })));
    }
}
