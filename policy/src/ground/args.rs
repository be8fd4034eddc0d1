//! Conditions on arguments to tests of registers.

use std::collections::BTreeSet;

use callproof_abi::Prototype;

use super::calls::Callee;
use super::{DEEPEST, Grounder};
use crate::condition::{Compare, Condition, Field, Test};
use crate::names;
use crate::predicate::{ArgTest, CallPattern, Check, Cond, Relation, Subject, Value, View};
use crate::problem::Problem;
use crate::sets::Member;
use crate::span::Span;
use crate::view::{kernel_reads, ones};

/// The bits of a field that a test is about.
#[derive(Clone, Copy, Debug)]
struct Slice {
    field: Field,
    /// How many bits
    width: u32,
    /// How far above bit 0 they begin
    shift: u32,
}

impl Slice {
    fn ones(self) -> u64 {
        ones(self.width)
    }

    fn test(self, mask: u64, compare: Compare, value: u64) -> Condition {
        Condition::Atom(Test {
            field: self.field,
            mask: mask << self.shift,
            compare,
            value: value << self.shift,
        })
    }
}

/// Where a test stands and what it is about.
#[derive(Clone, Copy)]
struct Place<'p> {
    position: u8,
    callee: Callee,
    pattern: &'p CallPattern,
}

impl Grounder<'_> {
    /// All conditions of an argument list, for one callee.
    pub(super) fn args(&mut self, args: &[Option<Cond>], callee: Callee, pattern: &CallPattern) -> Condition {
        let mut parts = Vec::new();
        for (position, cond) in (0_u8..).zip(args) {
            let place = Place {
                position,
                callee,
                pattern,
            };
            if let Some(cond) = cond {
                parts.push(self.cond(cond, place));
            }
        }
        Condition::all(parts)
    }

    fn cond(&mut self, cond: &Cond, place: Place<'_>) -> Condition {
        match cond {
            Cond::Test(test) => self.test(test, place),
            Cond::Not(inner) => self.cond(inner, place).negated(),
            Cond::All(parts) => Condition::all(self.conds(parts, place)),
            Cond::Either(parts) => Condition::any(self.conds(parts, place)),
        }
    }

    fn conds(&mut self, parts: &[Cond], place: Place<'_>) -> Vec<Condition> {
        parts.iter().map(|part| self.cond(part, place)).collect()
    }

    fn test(&mut self, test: &ArgTest, place: Place<'_>) -> Condition {
        if !self.step(1, test.span) {
            return Condition::FALSE;
        }
        let condition = self
            .slice(test, place)
            .and_then(|slice| self.check(&test.check, slice, test.span));
        // A problem has been told; what stands in for the condition is never used.
        condition.unwrap_or(Condition::FALSE)
    }

    fn slice(&mut self, test: &ArgTest, place: Place<'_>) -> Option<Slice> {
        let index = match &test.subject {
            Subject::Here => place.position,
            Subject::Index(index) => *index,
            Subject::Named(name) => self.argument(name, test.span, place)?,
            Subject::Ip => return Some(slice_of(Field::Ip, test.view, 64)),
        };
        if index > 5 {
            let message = "a call has six registers, `args[0]` to `args[5]`";
            self.problem(Problem::new(message, test.span));
            return None;
        }
        let width = match test.view {
            View::Kernel => self.width(index, test.span, place)?,
            View::Raw | View::Lo | View::Hi => 64,
        };
        Some(slice_of(Field::Arg(index), test.view, width))
    }

    /// How many bits of an argument the kernel reads.
    fn width(&mut self, index: u8, span: Span, place: Place<'_>) -> Option<u32> {
        let refused = match (place.callee, self.abi()) {
            (Callee::Known(call), Some(abi)) => {
                let masks = kernel_reads(abi, Some(call));
                let bits = masks.get(usize::from(index)).map_or(0, |mask| mask.count_ones());
                if bits > 0 {
                    return Some(bits);
                }
                let args = call.prototype().map_or(&[][..], |prototype| prototype.args);
                let list: Vec<&str> = args.iter().map(|arg| arg.name).collect();
                let has = match list.as_slice() {
                    [] => "takes no arguments".to_owned(),
                    list => format!("takes {}", list.join(", ")),
                };
                format!(
                    "the kernel does not read argument {index} of `{}`, which {has}",
                    call.name
                )
            }
            (Callee::Number, Some(abi)) => return Some(abi.register_bits()),
            _ => format!(
                "`{}` stands for calls that differ in which bits the kernel reads",
                place.pattern.selector
            ),
        };
        let help = "for the register itself write `raw:`, `lo:` or `hi:`";
        self.problem(Problem::new(refused, span).help(help));
        None
    }

    /// The register of an argument with a name.
    fn argument(&mut self, name: &str, span: Span, place: Place<'_>) -> Option<u8> {
        let prototype = match place.callee {
            Callee::Known(call) => call.prototype(),
            Callee::Number | Callee::Many => None,
        };
        let Some(prototype) = prototype else {
            let message = format!("`{name}` is a name, and the names of these arguments are not known");
            self.problem(Problem::new(message, span).help("write `args[n]`, n from 0 to 5"));
            return None;
        };
        let found = index_of(name, prototype);
        if found.is_none() {
            let of = match &place.callee {
                Callee::Known(call) => call.name,
                Callee::Number | Callee::Many => "the call",
            };
            let names: Vec<&str> = prototype.args.iter().map(|arg| arg.name).collect();
            let near = names::did_you_mean(name, names.iter().copied());
            let message = format!("`{of}` has no argument `{}`{near}", names::shortened(name));
            let help = format!(
                "the kernel calls them {}; `args[{}]` is this position",
                names.join(", "),
                place.position
            );
            let span = if span.end > 0 { span } else { place.pattern.span };
            self.problem(Problem::new(message, span).help(help));
        }
        found
    }

    fn check(&mut self, check: &Check, slice: Slice, span: Span) -> Option<Condition> {
        match check {
            Check::AnyBit(mask) => {
                let mask = self.value(mask, slice.width, span)?;
                Some(slice.test(mask, Compare::Eq, 0).negated())
            }
            Check::Compare(mask, relation, value) => {
                let mask = match mask {
                    Some(mask) => self.value(mask, slice.width, span)?,
                    None => slice.ones(),
                };
                self.refuse_order(*relation, value, span);
                let value = self.value(value, slice.width, span)?;
                Some(compare(slice, mask, *relation, value))
            }
            Check::Range(low, high) => {
                self.refuse_order(Relation::Le, low, span);
                self.refuse_order(Relation::Le, high, span);
                let (low, high) = (
                    self.value(low, slice.width, span)?,
                    self.value(high, slice.width, span)?,
                );
                self.range(slice, low, high, span)
            }
            Check::In(name) => {
                let mut parts = Vec::new();
                self.set_of_values(name, slice, span, &mut BTreeSet::new(), &mut parts);
                Some(Condition::any(parts))
            }
        }
    }

    fn range(&mut self, slice: Slice, low: u64, high: u64, span: Span) -> Option<Condition> {
        if low > high {
            let message = format!("the range {low:#x}..={high:#x} is empty");
            self.problem(Problem::new(message, span).help("the lower end comes first; values are unsigned"));
            return None;
        }
        let mask = slice.ones();
        Some(Condition::all([
            compare(slice, mask, Relation::Ge, low),
            compare(slice, mask, Relation::Le, high),
        ]))
    }

    /// A filter compares without sign, so that an order that begins below zero is a mistake.
    fn refuse_order(&mut self, relation: Relation, value: &Value, span: Span) {
        let ordered = !matches!(relation, Relation::Eq | Relation::Ne);
        let negative = matches!(value, Value::Number(number) if *number < 0);
        if ordered && negative {
            let message = "comparisons are unsigned, and nothing is below zero";
            self.problem(Problem::new(message, span).help("compare with the value as an unsigned number"));
        }
    }

    /// `sets` are those taken in already: once is enough.
    fn set_of_values(
        &mut self,
        name: &str,
        slice: Slice,
        span: Span,
        sets: &mut BTreeSet<String>,
        parts: &mut Vec<Condition>,
    ) {
        if sets.len() >= DEEPEST {
            let message = format!("a set made of more than {DEEPEST} sets");
            return self.problem(Problem::new(message, span));
        }
        if !sets.insert(name.to_owned()) {
            return;
        }
        for member in self.set(name, span) {
            if !self.step(1, span) {
                return;
            }
            let condition = match member {
                Member::Set(inner, span) => {
                    self.set_of_values(inner, slice, *span, sets, parts);
                    None
                }
                member => self.member_value(name, member, slice),
            };
            parts.extend(condition);
        }
    }

    fn member_value(&mut self, set: &str, member: &Member, slice: Slice) -> Option<Condition> {
        let equal = |value| slice.test(slice.ones(), Compare::Eq, value);
        match member {
            Member::Number(number, span) => self.number(*number, slice.width, *span).map(equal),
            Member::Word(name, span) => self.constant(name, slice.width, *span).map(equal),
            Member::Range(low, high, span) => {
                let (low, high) = (
                    self.number(*low, slice.width, *span)?,
                    self.number(*high, slice.width, *span)?,
                );
                self.range(slice, low, high, *span)
            }
            Member::Call(CallPattern { span, .. }) | Member::Set(_, span) => {
                let message = format!("`@{set}` is used for values, and this is no value");
                self.problem(Problem::new(message, *span));
                None
            }
        }
    }

    /// A value in the width of a slice.
    fn value(&mut self, value: &Value, width: u32, span: Span) -> Option<u64> {
        match value {
            Value::Number(number) => self.number(*number, width, span),
            Value::Name(name, place) => self.constant(name, width, *place),
            Value::Flipped(inner) => self.value(inner, width, span).map(|bits| !bits & ones(width)),
            Value::Bits(parts) => {
                let mut bits = Some(0);
                for part in parts {
                    let part = self.value(part, width, span);
                    bits = bits.zip(part).map(|(bits, part)| bits | part);
                }
                bits
            }
        }
    }

    fn number(&mut self, number: i128, width: u32, span: Span) -> Option<u64> {
        let found = fit(number, width);
        if found.is_none() {
            let number = if number < 0 {
                format!("{number}")
            } else {
                format!("{number:#x}")
            };
            let message = format!("`{number}` does not fit in the {width} bits that are compared");
            let help = "the kernel ignores the bits above; for the register itself write `raw:`";
            self.problem(Problem::new(message, span).help(help));
        }
        found
    }

    fn constant(&mut self, name: &str, width: u32, span: Span) -> Option<u64> {
        let Some(abi) = self.abi() else {
            let message = format!("`{}` has no value without an ABI", names::shortened(name));
            self.problem(Problem::new(message, span).help("write a number"));
            return None;
        };
        if !self.step(1, span) {
            return None;
        }
        match names::constant_value(name, abi) {
            Ok(value) => self.constant_number(name, value, width, span),
            Err(message) => {
                self.problem(Problem::new(message, span));
                None
            }
        }
    }

    /// A constant is either as wide as it is, or a negative `int` that C has widened.
    fn constant_number(&mut self, name: &str, value: u64, width: u32, span: Span) -> Option<u64> {
        let unsigned = fit(i128::from(value), width);
        let found = unsigned.or_else(|| fit(i128::from(value.cast_signed()), width));
        if found.is_none() {
            let message = format!("`{name}` is {value:#x} and does not fit in the {width} bits that are compared");
            let help = "the kernel ignores the bits above; for the register itself write `raw:`";
            self.problem(Problem::new(message, span).help(help));
        }
        found
    }
}

fn slice_of(field: Field, view: View, width: u32) -> Slice {
    let (width, shift) = match view {
        View::Kernel | View::Raw => (width, 0),
        View::Lo => (32, 0),
        View::Hi => (32, 32),
    };
    Slice { field, width, shift }
}

/// The register of an argument: by its name, or by the only name that ends in an underscore and this one.
fn index_of(name: &str, prototype: &Prototype) -> Option<u8> {
    let mut indexed = (0_u8..).zip(prototype.args);
    if let Some((index, _)) = indexed.find(|(_, arg)| arg.name == name) {
        return Some(index);
    }
    let ends_so = |arg: &str| arg.strip_suffix(name).is_some_and(|rest| rest.ends_with('_'));
    let mut found = (0_u8..).zip(prototype.args).filter(|(_, arg)| ends_so(arg.name));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

/// A number in so many bits, a negative one as its two's complement.
fn fit(number: i128, width: u32) -> Option<u64> {
    let least = -(1_i128 << width.saturating_sub(1).min(64));
    if number < least {
        return None;
    }
    let bits = i128::from(ones(width));
    let found = if number < 0 { number & bits } else { number };
    u64::try_from(found).ok().filter(|found| *found <= ones(width))
}

fn compare(slice: Slice, mask: u64, relation: Relation, value: u64) -> Condition {
    let above = |value| slice.test(mask, Compare::Gt, value);
    let at_least = |value: u64| value.checked_sub(1).map_or(Condition::TRUE, above);
    match relation {
        Relation::Eq => slice.test(mask, Compare::Eq, value),
        Relation::Ne => slice.test(mask, Compare::Eq, value).negated(),
        Relation::Gt => above(value),
        Relation::Le => above(value).negated(),
        Relation::Ge => at_least(value),
        Relation::Lt => at_least(value).negated(),
    }
}
