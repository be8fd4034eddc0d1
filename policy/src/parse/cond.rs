//! Conditions on arguments, and values.

use super::lex::Kind;
use super::{Parsed, Parser};
use crate::predicate::{ArgTest, Check, Cond, Relation, Subject, Value, View};
use crate::problem::Problem;
use crate::span::Span;

const ALTERNATIVE_HELP: &str = "write `(A|B)` in brackets for the bits of both values, `!(A | B)` for neither, or `| == B` for one more alternative";

impl Parser {
    /// What stands at one position of an argument list.
    pub(super) fn slot(&mut self) -> Parsed<Option<Cond>> {
        let alone = matches!(self.ahead(1), None | Some(Kind::Line | Kind::Mark("," | ")")));
        if self.is_word("_") && alone {
            self.at += 1;
            return Ok(None);
        }
        self.cond().map(Some)
    }

    fn cond(&mut self) -> Parsed<Cond> {
        let mut only_values = self.at_value();
        let mut parts = vec![self.conjunction()?];
        while self.is_mark("|") || self.is_mark("||") {
            self.at += 1;
            let (value, span) = (self.at_value(), self.span());
            if value && !only_values {
                let message = "an alternative that is a bare value after one that is not can be read in two ways";
                return Err(Problem::new(message, span).help(ALTERNATIVE_HELP));
            }
            only_values &= value;
            parts.push(self.conjunction()?);
        }
        Ok(one_or(parts, Cond::Either))
    }

    fn conjunction(&mut self) -> Parsed<Cond> {
        let mut parts = vec![self.unary()?];
        while self.eat("&&") {
            parts.push(self.unary()?);
        }
        Ok(one_or(parts, Cond::All))
    }

    fn unary(&mut self) -> Parsed<Cond> {
        if self.eat("!") {
            let inner = self.nested(Self::unary)?;
            return Ok(Cond::Not(Box::new(inner)));
        }
        if self.eat("(") {
            let inner = self.nested(Self::cond)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.test().map(Cond::Test)
    }

    /// Whether a value without operator, range included, or a set stands here.
    fn at_value(&self) -> bool {
        match self.kind() {
            Some(Kind::Number(_) | Kind::Set(_) | Kind::Mark("-" | "~")) => true,
            Some(Kind::Word(word)) if word == "in" => false,
            Some(Kind::Word(word)) => {
                let prefix = is_view(word) && self.ahead(1) == Some(&Kind::Mark(":"));
                !prefix && !self.at_subject()
            }
            _ => false,
        }
    }

    /// Whether the word here is the left side of a test.
    fn at_subject(&self) -> bool {
        let Some(Kind::Word(word)) = self.kind() else {
            return false;
        };
        match self.ahead(1) {
            Some(Kind::Mark("(")) => is_view(word),
            Some(Kind::Mark("[")) => true,
            Some(Kind::Mark("=")) => true,
            Some(Kind::Mark(mark)) => *mark == "&" || relation(mark).is_some(),
            Some(Kind::Word(next)) => next == "in",
            _ => false,
        }
    }

    fn test(&mut self) -> Parsed<ArgTest> {
        let start = self.span();
        let (subject, view, check) = if self.at_subject() {
            let (subject, view) = self.subject()?;
            (subject, view, self.operator_check()?)
        } else {
            let view = self.view_prefix();
            (Subject::Here, view, self.check()?)
        };
        let span = self.since(start);
        Ok(ArgTest {
            subject,
            view,
            check,
            span,
        })
    }

    /// `flags`, `args[2]`, `ip`, `raw(flags)`, `lo(args[2])`.
    fn subject(&mut self) -> Parsed<(Subject, View)> {
        if let (Some(view), Some(Kind::Mark("("))) = (self.view_word(), self.ahead(1)) {
            self.at += 2;
            let subject = self.bare_subject()?;
            self.expect(")")?;
            return Ok((subject, view));
        }
        Ok((self.bare_subject()?, View::Kernel))
    }

    fn bare_subject(&mut self) -> Parsed<Subject> {
        let (word, span) = self.word("an argument")?;
        if word == "args" && self.eat("[") {
            let index = self.small("register argument", 5)?;
            self.expect("]")?;
            return Ok(Subject::Index(index));
        }
        match word.as_str() {
            "ip" => Ok(Subject::Ip),
            "_" => Err(Problem::new("`_` cannot be compared", span).help("leave it out: `& M == V`, `>= V`")),
            _ if word.contains('*') => Err(Problem::new(format!("`{word}` is no argument"), span)),
            _ => Ok(Subject::Named(word)),
        }
    }

    fn view_word(&self) -> Option<View> {
        match self.kind() {
            Some(Kind::Word(word)) => view(word),
            _ => None,
        }
    }

    /// `raw:`, `lo:`, `hi:`, or nothing.
    fn view_prefix(&mut self) -> View {
        match (self.view_word(), self.ahead(1)) {
            (Some(view), Some(Kind::Mark(":"))) => {
                self.at += 2;
                view
            }
            _ => View::Kernel,
        }
    }

    /// What an argument at its own position must be: a value, a range, a set, or an operator and what follows.
    fn check(&mut self) -> Parsed<Check> {
        if self.is_word("_") {
            let help = "`_` stands alone, for any value at all";
            return Err(Problem::new("`_` cannot be part of a condition", self.span()).help(help));
        }
        match self.kind() {
            Some(Kind::Mark(mark)) if *mark != "-" && *mark != "~" => self.operator_check(),
            Some(Kind::Word(word)) if word == "in" => self.operator_check(),
            _ => self.member_check(|value| Some(Check::Compare(None, Relation::Eq, value))),
        }
    }

    /// A set, a range, or a value if `single` knows what to do with it.
    fn member_check(&mut self, single: impl FnOnce(Value) -> Option<Check>) -> Parsed<Check> {
        if let Some(Kind::Set(name)) = self.kind() {
            let name = name.clone();
            self.at += 1;
            return Ok(Check::In(name));
        }
        let value = self.value()?;
        if self.eat("..=") {
            return Ok(Check::Range(value, self.value()?));
        }
        if self.is_mark("..") {
            let help = "write `A..=B`; both ends belong to it";
            return Err(Problem::new("`..` leaves open whether the end belongs to the range", self.span()).help(help));
        }
        single(value).ok_or_else(|| self.unexpected("`..=` and the end of the range"))
    }

    fn operator_check(&mut self) -> Parsed<Check> {
        if self.eat_word("in") {
            return self.member_check(|_| None);
        }
        if self.is_mark("=") {
            return Err(Problem::new("`=` compares nothing", self.span()).help("write `==`"));
        }
        let mask = if self.eat("&") { Some(self.value()?) } else { None };
        match (self.relation(), mask) {
            (Some(relation), mask) => Ok(Check::Compare(mask, relation, self.value()?)),
            (None, Some(mask)) => Ok(Check::AnyBit(mask)),
            (None, None) => Err(self.unexpected("a condition")),
        }
    }

    fn relation(&mut self) -> Option<Relation> {
        let found = match self.kind() {
            Some(Kind::Mark(mark)) => relation(mark),
            _ => None,
        };
        self.at += usize::from(found.is_some());
        found
    }

    /// A number, a constant, `(A|B)`, `~A`.
    fn value(&mut self) -> Parsed<Value> {
        if self.eat("~") {
            let inner = self.nested(Self::value)?;
            return Ok(Value::Flipped(Box::new(inner)));
        }
        if self.eat("(") {
            let value = self.nested(Self::bits)?;
            self.expect(")")?;
            return Ok(value);
        }
        if let Some(Kind::Word(_)) = self.kind() {
            return self.constant();
        }
        self.number("a value").map(|(number, _)| Value::Number(number))
    }

    fn bits(&mut self) -> Parsed<Value> {
        let mut parts = vec![self.value()?];
        while self.eat("|") {
            parts.push(self.value()?);
        }
        Ok(one_or(parts, Value::Bits))
    }

    fn constant(&mut self) -> Parsed<Value> {
        let (word, span) = self.word("a value")?;
        check_constant(&word, span)?;
        Ok(Value::Name(word, span))
    }
}

fn check_constant(word: &str, span: Span) -> Parsed<()> {
    if word == "_" || word.contains('*') {
        return Err(Problem::new(format!("`{word}` is no value"), span).help("name a constant or write a number"));
    }
    Ok(())
}

/// The only part, or all of them combined.
fn one_or<T>(mut parts: Vec<T>, combine: impl FnOnce(Vec<T>) -> T) -> T {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            combine(parts)
        }
    }
}

fn view(word: &str) -> Option<View> {
    Some(match word {
        "raw" => View::Raw,
        "lo" => View::Lo,
        "hi" => View::Hi,
        _ => return None,
    })
}

fn is_view(word: &str) -> bool {
    view(word).is_some()
}

fn relation(mark: &str) -> Option<Relation> {
    Some(match mark {
        "==" => Relation::Eq,
        "!=" => Relation::Ne,
        "<" => Relation::Lt,
        "<=" => Relation::Le,
        ">" => Relation::Gt,
        ">=" => Relation::Ge,
        _ => return None,
    })
}
