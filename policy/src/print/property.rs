//! Property files as text.

use core::fmt::{self, Display, Formatter};

use super::cond::value_number;
use super::{join, tail};
use crate::predicate::{CallPattern, Predicate, Selector};
use crate::property::{Claim, Comparison, Hazard, Item, Operand, Property, PropertyFile, Quantifier};
use crate::sets::Member;

impl Display for PropertyFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| writeln!(f, "{item}"))
    }
}

impl Display for Item {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abis(list) => write!(f, "abi {list}"),
            Self::Set(name, members) if members.is_empty() => write!(f, "set {name} = {{ }}"),
            Self::Set(name, members) => {
                write!(f, "set {name} = {{ ")?;
                join(f, members, ", ")?;
                f.write_str(" }")
            }
            Self::Use { path, name } => {
                f.write_str("use ")?;
                quoted(f, path)?;
                write!(f, " as {name}")
            }
            Self::Property(property) => write!(f, "{property}"),
        }
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word, _) => f.write_str(word),
            Self::Number(number, _) => value_number(f, *number),
            Self::Range(low, high, _) => {
                value_number(f, *low)?;
                f.write_str("..=")?;
                value_number(f, *high)
            }
            Self::Set(name, _) => write!(f, "@{name}"),
            Self::Call(pattern) => write!(f, "{pattern}"),
        }
    }
}

impl Display for Property {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.claim.fmt(f)
    }
}

impl Display for Claim {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict {
                quantifier,
                verdicts,
                calls,
            } => {
                let word = match quantifier {
                    Quantifier::Always => "",
                    Quantifier::Never => "never ",
                    Quantifier::Sometimes => "sometimes ",
                };
                write!(f, "{word}{verdicts} {calls}")
            }
            Self::Cost { calls, at_most } => {
                f.write_str("cost(")?;
                join(f, &calls.calls, ", ")?;
                write!(f, ") <= {at_most}")?;
                tail(f, calls)
            }
            Self::Cached { calls } => write!(f, "cached {calls}"),
            Self::AbiOrder { left, right } => write!(f, "{left} <= {right}"),
            Self::SameView { calls } => {
                f.write_str("same kernel view, same verdict")?;
                only_for(f, calls)
            }
            Self::WholeArguments { calls } => {
                f.write_str("whole arguments")?;
                only_for(f, calls)
            }
            Self::Relation {
                left,
                relation,
                right,
                calls,
            } => {
                write!(f, "{left} {relation} {right}")?;
                only_for(f, calls)
            }
            Self::Free(hazard) => write!(f, "no {hazard}"),
        }
    }
}

/// ` for CALLS ...`, or nothing of it when all calls are meant.
fn only_for(f: &mut Formatter<'_>, calls: &Predicate) -> fmt::Result {
    if calls.calls != [CallPattern::new(Selector::Any)] {
        f.write_str(" for ")?;
        join(f, &calls.calls, ", ")?;
    }
    tail(f, calls)
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refines => "refines",
            Self::Within => "within",
            Self::Equals => "equals",
        })
    }
}

impl Display for Hazard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeadCode => "dead code",
            Self::WideShift => "wide shift",
            Self::ZeroDivision => "division by zero",
        })
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("self"),
            Self::Named(name, _) => f.write_str(name),
            Self::File(path) => quoted(f, path),
            Self::Stack(parts) => {
                f.write_str("stack(")?;
                join(f, parts, ", ")?;
                f.write_str(")")
            }
        }
    }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    write!(f, "\"{escaped}\"")
}
