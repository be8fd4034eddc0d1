//! Call patterns, predicates and ABI lists.

use callproof_abi::Abi;

use super::lex::Kind;
use super::{Parsed, Parser};
use crate::predicate::{AbiItem, AbiList, CallPattern, Cond, Predicate, Selector};
use crate::problem::Problem;
use crate::span::Span;

impl Parser {
    /// `CALLS [except CALLS] [on ABIS]`.
    pub(super) fn predicate(&mut self) -> Parsed<Predicate> {
        let calls = self.list(Self::call_pattern)?;
        self.predicate_tail(calls)
    }

    /// `[for CALLS [except CALLS]] [on ABIS]`: all calls if it does not say.
    pub(super) fn optional_predicate(&mut self) -> Parsed<Predicate> {
        let calls = if self.eat_word("for") {
            self.list(Self::call_pattern)?
        } else {
            vec![CallPattern::new(Selector::Any)]
        };
        self.predicate_tail(calls)
    }

    /// `[except CALLS] [on ABIS]` behind calls.
    pub(super) fn predicate_tail(&mut self, calls: Vec<CallPattern>) -> Parsed<Predicate> {
        let except = if self.eat_word("except") {
            self.list(Self::call_pattern)?
        } else {
            Vec::new()
        };
        let on = self.optional_on()?;
        Ok(Predicate { calls, except, on })
    }

    fn optional_on(&mut self) -> Parsed<Option<AbiList>> {
        if !self.eat_word("on") {
            return Ok(None);
        }
        self.eat_word("abi");
        self.abi_list().map(Some)
    }

    pub(super) fn call_pattern(&mut self) -> Parsed<CallPattern> {
        let start = self.span();
        let selector = self.selector()?;
        let args = if self.is_mark("(") {
            self.args(&selector)?
        } else {
            Vec::new()
        };
        let span = self.since(start);
        Ok(CallPattern { selector, args, span })
    }

    fn selector(&mut self) -> Parsed<Selector> {
        match self.kind() {
            Some(Kind::Set(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(Selector::Set(name))
            }
            Some(Kind::Number(_) | Kind::Mark("-")) => self.numbers(),
            Some(Kind::Word(word)) if RESERVED.contains(&word.as_str()) => Err(self.unexpected("a call")),
            _ => {
                let (word, _) = self.word("a call")?;
                Ok(match word.as_str() {
                    "*" => Selector::Any,
                    "unallocated" => Selector::Unallocated,
                    _ => Selector::Name(word),
                })
            }
        }
    }

    fn numbers(&mut self) -> Parsed<Selector> {
        let low = self.call_number()?;
        if !self.eat("..=") {
            return Ok(Selector::Number(low));
        }
        Ok(Selector::Range(low, self.call_number()?))
    }

    fn call_number(&mut self) -> Parsed<u32> {
        let (number, span) = self.number("the number of a call")?;
        call_number(number).ok_or_else(|| {
            let message = format!("`{number}` is no number of a call: those have 32 bits");
            Problem::new(message, span)
        })
    }

    fn args(&mut self, selector: &Selector) -> Parsed<Vec<Option<Cond>>> {
        let open = self.span();
        self.expect("(")?;
        if self.eat(")") {
            return Ok(Vec::new());
        }
        let args = self.list(Self::slot)?;
        self.expect(")")?;
        let span = self.since(open);
        if let Selector::Set(name) = selector {
            let help = format!("give the conditions in the set: `set {name} = {{ call(...), ... }}`");
            return Err(Problem::new("a set takes no conditions", span).help(help));
        }
        if args.len() > 6 {
            let message = format!("{} arguments; a call has six registers", args.len());
            return Err(Problem::new(message, span));
        }
        Ok(args)
    }

    pub(super) fn abi_list(&mut self) -> Parsed<AbiList> {
        let start = self.span();
        let items = self.list(Self::abi_item)?;
        let span = self.since(start);
        Ok(AbiList { items, span })
    }

    fn abi_item(&mut self) -> Parsed<AbiItem> {
        let (word, span) = self.word("an ABI")?;
        abi_item(&word, span)
    }
}

/// Words that end a list of calls.
const RESERVED: &[&str] = &["except", "on", "for", "_"];

/// A number as the 32 bits that a filter sees.
pub(crate) fn call_number(number: i128) -> Option<u32> {
    let unsigned = u32::try_from(number).ok();
    unsigned.or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

fn abi_item(word: &str, span: Span) -> Parsed<AbiItem> {
    Ok(match word {
        "all" => AbiItem::All,
        "unknown" => AbiItem::Unknown,
        "any" => AbiItem::Any,
        "other" => AbiItem::Other,
        _ => match Abi::from_name(word) {
            Ok(abi) => AbiItem::Abi(abi),
            Err(error) => {
                let help = "an ABI such as `x86_64`, or `all`, `unknown`, `any`, `other`";
                return Err(Problem::new(error.to_string(), span).help(help));
            }
        },
    })
}
