//! Values back to text: what is printed reads back as the same value.
//!
//! That holds of every value that a reader can produce. Others (an empty list of alternatives, a name with a space)
//! print as something a person understands.

mod cond;
mod property;

use core::fmt::{self, Display, Formatter};

use callproof_vm::Action;

use crate::predicate::{AbiItem, AbiList, CallPattern, Predicate, Selector};
use crate::rules::{Answer, Data, Policy};
use crate::verdict_set::{ErrnoValue, VerdictKind, VerdictSet};

/// Writes elements with something between them.
fn join<T: Display>(f: &mut Formatter<'_>, parts: &[T], between: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        write!(f, "{part}")?;
    }
    Ok(())
}

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        join(f, &self.calls, ", ")?;
        tail(f, self)
    }
}

/// What stands behind the calls.
fn tail(f: &mut Formatter<'_>, predicate: &Predicate) -> fmt::Result {
    if !predicate.except.is_empty() {
        f.write_str(" except ")?;
        join(f, &predicate.except, ", ")?;
    }
    predicate.on.as_ref().map_or(Ok(()), |list| write!(f, " on {list}"))
}

impl Display for CallPattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.selector)?;
        if self.args.is_empty() {
            return Ok(());
        }
        f.write_str("(")?;
        for (place, arg) in self.args.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match arg {
                Some(cond) => write!(f, "{comma}{cond}")?,
                None => write!(f, "{comma}_")?,
            }
        }
        f.write_str(")")
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Unallocated => f.write_str("unallocated"),
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => call_number(f, *number),
            Self::Range(low, high) => {
                call_number(f, *low)?;
                f.write_str("..=")?;
                call_number(f, *high)
            }
            Self::Set(name) => write!(f, "@{name}"),
        }
    }
}

/// Decimal as in tables; hexadecimal where bits speak.
fn call_number(f: &mut Formatter<'_>, number: u32) -> fmt::Result {
    if number < 0x10000 {
        write!(f, "{number}")
    } else {
        write!(f, "{number:#x}")
    }
}

impl Display for AbiList {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        join(f, &self.items, ", ")
    }
}

impl Display for AbiItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abi(abi) => f.write_str(abi.name()),
            Self::All => f.write_str("all"),
            Self::Unknown => f.write_str("unknown"),
            Self::Any => f.write_str("any"),
            Self::Other => f.write_str("other"),
        }
    }
}

impl Display for VerdictSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        join(f, &self.kinds, "|")
    }
}

impl Display for VerdictKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Log => f.write_str("log"),
            Self::Errno(list) => with_data(f, "errno", list),
            Self::Kill => f.write_str("kill"),
            Self::KillThread => f.write_str("kill_thread"),
            Self::Trap(list) => with_data(f, "trap", list),
            Self::Trace(list) => with_data(f, "trace", list),
            Self::Notify => f.write_str("notify"),
            Self::Unknown => f.write_str("unknown"),
            Self::Deny => f.write_str("deny"),
            Self::Permit => f.write_str("permit"),
            Self::Killed => f.write_str("killed"),
        }
    }
}

fn with_data<T: Display>(f: &mut Formatter<'_>, word: &str, list: &[T]) -> fmt::Result {
    f.write_str(word)?;
    if list.is_empty() {
        return Ok(());
    }
    f.write_str("(")?;
    join(f, list, "|")?;
    f.write_str(")")
}

impl Display for ErrnoValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name, _) => f.write_str(name),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = match self.action {
            Action::KillProcess => "kill",
            Action::UserNotif => "notify",
            action => action.name(),
        };
        match &self.data {
            Data::Number(0) => f.write_str(word),
            data => write!(f, "{word}({data})"),
        }
    }
}

impl Display for Data {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Errno(name) => f.write_str(name),
        }
    }
}

impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "default {}", self.default)?;
        self.rules
            .iter()
            .try_for_each(|rule| writeln!(f, "{} {}", rule.answer, rule.calls))
    }
}
