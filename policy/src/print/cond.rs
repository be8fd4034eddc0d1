//! Conditions and values as text.

use core::fmt::{self, Display, Formatter};

use super::join;
use crate::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};

impl Display for Cond {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(test) => write!(f, "{test}"),
            Self::Not(inner) => {
                f.write_str("!")?;
                grouped(f, inner)
            }
            Self::All(parts) => all(f, parts),
            Self::Either(parts) => either(f, parts),
        }
    }
}

impl Display for ArgTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        test(f, self, false)
    }
}

/// `A | B`. Once one alternative is more than a value, all values get an operator: `A | flags & B` reads in one way
/// only, `flags & B | A` does not.
fn either(f: &mut Formatter<'_>, parts: &[Cond]) -> fmt::Result {
    let explicit = !parts
        .iter()
        .all(|part| matches!(part, Cond::Test(test) if is_value(test)));
    separated(f, parts, " | ", "!(raw:& 0)", |f, part| match part {
        Cond::Test(part) => test(f, part, explicit),
        Cond::All(parts) => all(f, parts),
        Cond::Not(_) => write!(f, "{part}"),
        Cond::Either(_) => grouped(f, part),
    })
}

/// `A && B`.
fn all(f: &mut Formatter<'_>, parts: &[Cond]) -> fmt::Result {
    separated(f, parts, " && ", "raw:>= 0", |f, part| match part {
        Cond::Test(part) => test(f, part, true),
        Cond::Not(_) => write!(f, "{part}"),
        Cond::All(_) | Cond::Either(_) => grouped(f, part),
    })
}

/// Writes parts with `between` between them, or `none` when there are none.
fn separated(
    f: &mut Formatter<'_>,
    parts: &[Cond],
    between: &str,
    none: &str,
    write: impl Fn(&mut Formatter<'_>, &Cond) -> fmt::Result,
) -> fmt::Result {
    if parts.is_empty() {
        return f.write_str(none);
    }
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        write(f, part)?;
    }
    Ok(())
}

/// In brackets, unless it is a value alone or negated already.
fn grouped(f: &mut Formatter<'_>, cond: &Cond) -> fmt::Result {
    match cond {
        Cond::Test(value) if is_value(value) => test(f, value, false),
        Cond::Not(_) => write!(f, "{cond}"),
        _ => write!(f, "({cond})"),
    }
}

/// Whether a test can be written as a value, a range or a set alone.
fn is_value(test: &ArgTest) -> bool {
    let here = test.subject == Subject::Here && test.view == View::Kernel;
    here && match &test.check {
        Check::Compare(None, Relation::Eq, value) | Check::Range(value, _) => !in_brackets(value),
        Check::In(_) => true,
        Check::AnyBit(_) | Check::Compare(..) => false,
    }
}

/// Whether a value begins with a bracket, which at the beginning of a condition would open a group.
const fn in_brackets(value: &Value) -> bool {
    matches!(value, Value::Bits(_))
}

/// `explicit`: with an operator even where it could be left out.
fn test(f: &mut Formatter<'_>, test: &ArgTest, explicit: bool) -> fmt::Result {
    let subject = match &test.subject {
        Subject::Here => None,
        Subject::Named(name) => Some(name.clone()),
        Subject::Index(index) => Some(format!("args[{index}]")),
        Subject::Ip => Some("ip".to_owned()),
    };
    match (&subject, view(test.view)) {
        (Some(subject), Some(view)) => write!(f, "{view}({subject}) ")?,
        (Some(subject), None) => write!(f, "{subject} ")?,
        (None, Some(view)) => write!(f, "{view}:")?,
        (None, None) => {}
    }
    let explicit = explicit && test.view == View::Kernel;
    check(f, &test.check, explicit || subject.is_some())
}

fn check(f: &mut Formatter<'_>, check: &Check, explicit: bool) -> fmt::Result {
    let bracket = matches!(check, Check::Compare(None, _, value) | Check::Range(value, _) if in_brackets(value));
    let explicit = explicit || bracket;
    let is_in = if explicit { "in " } else { "" };
    match check {
        Check::AnyBit(mask) => write!(f, "& {mask}"),
        Check::Compare(Some(mask), relation, value) => write!(f, "& {mask} {relation} {value}"),
        Check::Compare(None, Relation::Eq, value) if !explicit => write!(f, "{value}"),
        Check::Compare(None, relation, value) => write!(f, "{relation} {value}"),
        Check::Range(low, high) => write!(f, "{is_in}{low}..={high}"),
        Check::In(name) => write!(f, "{is_in}@{name}"),
    }
}

const fn view(view: View) -> Option<&'static str> {
    match view {
        View::Kernel => None,
        View::Raw => Some("raw"),
        View::Lo => Some("lo"),
        View::Hi => Some("hi"),
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => value_number(f, *number),
            Self::Name(name, _) => f.write_str(name),
            Self::Flipped(inner) => write!(f, "~{inner}"),
            Self::Bits(parts) => {
                f.write_str("(")?;
                join(f, parts, "|")?;
                f.write_str(")")
            }
        }
    }
}

/// Small numbers in decimal, others in hexadecimal.
pub(super) fn value_number(f: &mut Formatter<'_>, number: i128) -> fmt::Result {
    if number < 1024 {
        write!(f, "{number}")
    } else {
        write!(f, "{number:#x}")
    }
}
