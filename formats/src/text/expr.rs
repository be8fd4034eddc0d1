//! Constant expressions as in C, on 64-bit words.

use super::{Cursor, Kind, Token, number};
use crate::error::{Parsed, Problem};

/// How deep brackets and signs may nest.
const DEPTH: usize = 64;

/// What the names, strings and casts in an expression mean.
pub(crate) trait Names {
    /// The value of an operand that is no number; `token` has been taken.
    fn operand(&self, token: &Token<'_>, cursor: &mut Cursor<'_>) -> Parsed<u64>;

    /// Whether a word begins a C type, so that `(word ...)` is a cast and changes nothing.
    fn is_type(&self, word: &str) -> bool;
}

/// Reads `| ^ & << >> + - * / % ~ - + ( )`, with C's precedence; arithmetic wraps at 64 bits.
pub(crate) fn expression(cursor: &mut Cursor<'_>, names: &dyn Names) -> Parsed<u64> {
    binary(cursor, names, 0, 0)
}

/// Binds tighter from left to right.
const LEVELS: [&[&str]; 6] = [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "%"]];

/// Reads operators of this level and of the tighter ones. Recursion is bounded by the levels and by `DEPTH`.
fn binary(cursor: &mut Cursor<'_>, names: &dyn Names, level: usize, depth: usize) -> Parsed<u64> {
    let Some(operators) = LEVELS.get(level) else {
        return unary(cursor, names, depth);
    };
    let tighter = level.saturating_add(1);
    let mut value = binary(cursor, names, tighter, depth)?;
    loop {
        let operator = cursor.peek()?;
        if operator.kind != Kind::Mark || !operators.contains(&operator.text) {
            return Ok(value);
        }
        cursor.next()?;
        let right = binary(cursor, names, tighter, depth)?;
        value = apply(&operator, value, right)?;
    }
}

fn apply(operator: &Token<'_>, left: u64, right: u64) -> Parsed<u64> {
    let shift = u32::try_from(right).ok();
    let value = match operator.text {
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "+" => Some(left.wrapping_add(right)),
        "-" => Some(left.wrapping_sub(right)),
        "*" => Some(left.wrapping_mul(right)),
        "<<" => shift.and_then(|shift| left.checked_shl(shift)),
        ">>" => shift.and_then(|shift| left.checked_shr(shift)),
        "/" => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    value.ok_or_else(|| {
        operator.fault(Problem::NumberRange {
            text: right.to_string(),
            field: "the right operand",
            max: if operator.text.len() == 2 { 63 } else { u64::MAX },
        })
    })
}

fn unary(cursor: &mut Cursor<'_>, names: &dyn Names, depth: usize) -> Parsed<u64> {
    let token = cursor.next()?;
    if depth >= DEPTH {
        return Err(token.fault(Problem::TooDeep { limit: DEPTH }));
    }
    let deeper = depth.saturating_add(1);
    match (token.kind, token.text) {
        (Kind::Number, _) => number(&token),
        (Kind::Mark, "-") => unary(cursor, names, deeper).map(u64::wrapping_neg),
        (Kind::Mark, "+") => unary(cursor, names, deeper),
        (Kind::Mark, "~") => unary(cursor, names, deeper).map(|value| !value),
        (Kind::Mark, "(") if cursor.peek()?.word().is_some_and(|word| names.is_type(word)) => {
            skip_type(cursor)?;
            unary(cursor, names, deeper)
        }
        (Kind::Mark, "(") => {
            let value = binary(cursor, names, 0, deeper)?;
            cursor.expect(")", "an operator or `)`")?;
            Ok(value)
        }
        _ => names.operand(&token, cursor),
    }
}

/// Skips the words of a type and its closing bracket.
fn skip_type(cursor: &mut Cursor<'_>) -> Parsed<()> {
    loop {
        let token = cursor.next()?;
        if token.is(")") {
            return Ok(());
        }
        if token.kind != Kind::Word && !token.is("*") {
            return Err(token.unexpected("`)`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Style;
    use super::*;

    struct NoNames;

    impl Names for NoNames {
        fn operand(&self, token: &Token<'_>, _: &mut Cursor<'_>) -> Parsed<u64> {
            Err(token.unexpected("a number"))
        }

        fn is_type(&self, word: &str) -> bool {
            word == "int"
        }
    }

    fn of(text: &str) -> Result<u64, Problem> {
        let style = Style { line: &[], block: true };
        expression(&mut Cursor::new(text, 0, style), &NoNames).map_err(|fault| *fault.problem)
    }

    #[test]
    fn follows_the_precedence_of_c() {
        assert_eq!(of("1 | 6 ^ 60 & 5 << 1 + 1 * 2"), Ok(47));
        assert_eq!(of("10 - 4 - 3"), Ok(3));
        assert_eq!(of("7 / 2 % 2"), Ok(1));
        assert_eq!(of("-(int)1"), Ok(u64::MAX));
        assert_eq!(of("~0 & +0xff"), Ok(0xff));
    }

    #[test]
    fn bounds_everything() {
        assert!(matches!(of("1 << 64"), Err(Problem::NumberRange { max: 63, .. })));
        assert!(matches!(of("1 / 0"), Err(Problem::NumberRange { .. })));
        assert_eq!(of(&"(".repeat(100_000)), Err(Problem::TooDeep { limit: DEPTH }));
        assert_eq!(of(&"-".repeat(100_000)), Err(Problem::TooDeep { limit: DEPTH }));
        assert_eq!(of(&format!("1{}", "+1".repeat(1000))), Ok(1001));
    }
}
