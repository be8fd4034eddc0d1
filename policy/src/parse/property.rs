//! Statements of property files, one a line.

use super::lex::Kind;
use super::verdict::VERDICT_WORDS;
use super::{Parsed, Parser, VerdictLine};
use crate::names::did_you_mean;
use crate::predicate::{AbiItem, AbiList, CallPattern, Predicate, Selector};
use crate::problem::Problem;
use crate::property::{Claim, Comparison, Hazard, Item, Operand, Property, PropertyFile, Quantifier};
use crate::sets::Member;
use crate::span::Span;
use crate::verdict_set::VerdictSet;

/// The forms of a claim about verdicts, for messages of other readers.
pub const VERDICT_LINE_HELP: &str = "write `VERDICT call(args), ... [except call, ...] [on ABI, ...]`";

/// Words that begin a statement, verdicts aside.
const STARTS: &[&str] = &[
    "abi",
    "set",
    "use",
    "default",
    "always",
    "never",
    "sometimes",
    "cost",
    "cached",
    "same",
    "whole",
    "no",
    "self",
    "stack",
];

impl Parser {
    /// All statements; a line that cannot be read is a problem and does not keep the others from being read.
    pub(super) fn property_file(&mut self) -> PropertyFile {
        let mut items = Vec::new();
        while self.kind().is_some() {
            if self.kind() == Some(&Kind::Line) {
                self.at += 1;
                continue;
            }
            match self.statement() {
                Ok(item) => items.push(item),
                Err(problem) => self.skip_line(problem),
            }
        }
        PropertyFile { items }
    }

    fn statement(&mut self) -> Parsed<Item> {
        let start = self.span();
        let item = match self.kind() {
            Some(Kind::Word(word)) if word == "abi" => self.abis(),
            Some(Kind::Word(word)) if word == "set" => self.set(),
            Some(Kind::Word(word)) if word == "use" => self.use_file(),
            _ => self.claim().map(|claim| {
                let span = self.since(start);
                Item::Property(Property { claim, span })
            }),
        }?;
        self.end_of_line().map(|()| item)
    }

    fn abis(&mut self) -> Parsed<Item> {
        self.at += 1;
        let list = self.abi_list()?;
        if list.items.contains(&AbiItem::Other) {
            let message = "`other` means what the `abi` line leaves out, so it cannot be in it";
            return Err(Problem::new(message, list.span));
        }
        Ok(Item::Abis(list))
    }

    fn set(&mut self) -> Parsed<Item> {
        self.at += 1;
        let (name, span) = self.word("the name of the set")?;
        if name.contains('*') || name == "_" {
            return Err(Problem::new(format!("`{name}` cannot name a set"), span));
        }
        self.define(format!("@{name}"), span)?;
        self.expect("=")?;
        let open = self.span();
        self.expect("{")?;
        let mut members = Vec::new();
        while !self.eat("}") {
            members.push(self.member()?);
            if !self.eat(",") && !self.is_mark("}") {
                let problem = self.unexpected("`,` or `}`");
                return Err(if self.ahead(1).is_none() {
                    Problem::new("the set is not closed", open).help("add `}`")
                } else {
                    problem
                });
            }
        }
        Ok(Item::Set(name, members))
    }

    fn member(&mut self) -> Parsed<Member> {
        let start = self.span();
        if let Some(Kind::Number(_) | Kind::Mark("-")) = self.kind() {
            let (low, _) = self.number("a number")?;
            if !self.eat("..=") {
                return Ok(Member::Number(low, self.since(start)));
            }
            let (high, _) = self.number("a number")?;
            return Ok(Member::Range(low, high, self.since(start)));
        }
        let pattern = self.call_pattern()?;
        Ok(match pattern.selector {
            Selector::Name(name) if pattern.args.is_empty() => Member::Word(name, pattern.span),
            Selector::Set(name) => Member::Set(name, pattern.span),
            _ => Member::Call(pattern),
        })
    }

    fn use_file(&mut self) -> Parsed<Item> {
        self.at += 1;
        let Some(Kind::Text(path)) = self.kind() else {
            return Err(self.unexpected("a path in quotes"));
        };
        let path = path.clone();
        self.at += 1;
        self.expect_word("as")?;
        let (name, span) = self.word("a name for the file")?;
        if name.contains('*') || name == "_" || name == "self" || name == "stack" {
            return Err(Problem::new(format!("`{name}` cannot name a file"), span));
        }
        self.define(name.clone(), span)?;
        Ok(Item::Use { path, name })
    }

    pub(super) fn claim(&mut self) -> Parsed<Claim> {
        if self.at_comparison() {
            return self.comparison();
        }
        if self.at_abi_order() {
            return self.abi_order();
        }
        let Some(Kind::Word(word)) = self.kind() else {
            return Err(self.unexpected("a statement").help(VERDICT_LINE_HELP));
        };
        let word = word.clone();
        match (word.as_str(), self.ahead(1)) {
            ("cost", Some(Kind::Mark("("))) => self.cost(),
            ("unknown" | "other", Some(Kind::Word(next))) if next == "arch" => self.arch(),
            ("default", _) => self.default_verdict(),
            ("cached", _) => self.after_word(Self::predicate).map(|calls| Claim::Cached { calls }),
            ("same", _) => self.same_view(),
            ("whole", _) => self.whole_arguments(),
            ("no", _) => self.hazard(),
            ("always", _) => self.after_word(|parser| parser.verdict_claim(Quantifier::Always)),
            ("never", _) => self.after_word(|parser| parser.verdict_claim(Quantifier::Never)),
            ("sometimes", _) => self.after_word(|parser| parser.verdict_claim(Quantifier::Sometimes)),
            (verdict, _) if VERDICT_WORDS.contains(&verdict) => self.verdict_claim(Quantifier::Always),
            _ => Err(self.no_statement(&word)),
        }
    }

    fn no_statement(&self, word: &str) -> Problem {
        let known = STARTS.iter().chain(VERDICT_WORDS).copied();
        let message = format!("no statement begins with `{word}`{}", did_you_mean(word, known));
        let help = format!("{VERDICT_LINE_HELP}; other statements begin with {}", STARTS.join(", "));
        Problem::new(message, self.span()).help(help)
    }

    fn after_word<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.at += 1;
        read(self)
    }

    fn verdict_claim(&mut self, quantifier: Quantifier) -> Parsed<Claim> {
        let verdicts = self.verdict_set()?;
        let calls = self.predicate()?;
        Ok(Claim::Verdict {
            quantifier,
            verdicts,
            calls,
        })
    }

    /// `default VERDICT [on ABIS]`: what calls get that nobody thought of.
    fn default_verdict(&mut self) -> Parsed<Claim> {
        self.at += 1;
        let verdicts = self.verdict_set()?;
        let calls = self.predicate_tail(vec![CallPattern::new(Selector::Unallocated)])?;
        Ok(always(verdicts, calls))
    }

    /// `unknown arch VERDICT`, `other arch VERDICT`.
    fn arch(&mut self) -> Parsed<Claim> {
        let item = if self.is_word("unknown") {
            AbiItem::Unknown
        } else {
            AbiItem::Other
        };
        self.at += 2;
        let verdicts = self.verdict_set()?;
        let mut calls = Predicate::of(CallPattern::new(Selector::Any));
        calls.on = Some(AbiList::of([item]));
        Ok(always(verdicts, calls))
    }

    fn cost(&mut self) -> Parsed<Claim> {
        self.at += 2;
        let calls = self.list(Self::call_pattern)?;
        self.expect(")")?;
        self.expect("<=")?;
        let at_most = self.small("number of instructions", u32::MAX)?;
        let calls = self.predicate_tail(calls)?;
        Ok(Claim::Cost { calls, at_most })
    }

    fn same_view(&mut self) -> Parsed<Claim> {
        for word in ["same", "kernel", "view"] {
            self.expect_word(word)?;
        }
        self.expect(",")?;
        self.expect_word("same")?;
        self.expect_word("verdict")?;
        let calls = self.optional_predicate()?;
        Ok(Claim::SameView { calls })
    }

    fn whole_arguments(&mut self) -> Parsed<Claim> {
        self.expect_word("whole")?;
        self.expect_word("arguments")?;
        let calls = self.optional_predicate()?;
        Ok(Claim::WholeArguments { calls })
    }

    fn hazard(&mut self) -> Parsed<Claim> {
        self.at += 1;
        let (hazard, rest) = match self.kind() {
            Some(Kind::Word(word)) if word == "dead" => (Hazard::DeadCode, ["dead", "code"].as_slice()),
            Some(Kind::Word(word)) if word == "wide" => (Hazard::WideShift, ["wide", "shift"].as_slice()),
            Some(Kind::Word(word)) if word == "division" => {
                (Hazard::ZeroDivision, ["division", "by", "zero"].as_slice())
            }
            _ => return Err(self.unexpected("`dead code`, `wide shift` or `division by zero`")),
        };
        for word in rest {
            self.expect_word(word)?;
        }
        Ok(Claim::Free(hazard))
    }

    /// Whether this line says how two filters stand to each other.
    fn at_comparison(&self) -> bool {
        match (self.kind(), self.ahead(1)) {
            (Some(Kind::Text(_)), _) => true,
            (Some(Kind::Word(word)), Some(Kind::Mark("("))) => word == "stack",
            (Some(Kind::Word(word)), next) => {
                word == "self" || matches!(next, Some(Kind::Word(next)) if comparison(next).is_some())
            }
            _ => false,
        }
    }

    fn comparison(&mut self) -> Parsed<Claim> {
        let left = self.operand()?;
        let found = match self.kind() {
            Some(Kind::Word(word)) => comparison(word),
            _ => None,
        };
        let relation = found.ok_or_else(|| self.unexpected("`refines`, `within` or `equals`"))?;
        self.at += 1;
        let right = self.operand()?;
        let calls = self.optional_predicate()?;
        Ok(Claim::Relation {
            left,
            relation,
            right,
            calls,
        })
    }

    fn operand(&mut self) -> Parsed<Operand> {
        if let Some(Kind::Text(path)) = self.kind() {
            let path = path.clone();
            self.at += 1;
            return Ok(Operand::File(path));
        }
        let (word, span) = self.word("`self`, a name, a path in quotes or `stack(...)`")?;
        match word.as_str() {
            "self" => Ok(Operand::Own),
            "stack" if self.eat("(") => {
                let parts = self.nested(|parser| parser.list(Self::operand))?;
                self.expect(")")?;
                Ok(Operand::Stack(parts))
            }
            _ => Ok(Operand::Named(word, span)),
        }
    }

    fn abi_order(&mut self) -> Parsed<Claim> {
        let left = self.abi_list()?;
        self.expect("<=")?;
        let right = self.abi_list()?;
        for list in [&left, &right] {
            let known = |item: &AbiItem| matches!(item, AbiItem::Abi(_) | AbiItem::All);
            if !list.items.iter().all(known) {
                let message = "calls are compared by name, and an unknown `arch` has no names";
                return Err(
                    Problem::new(message, list.span).help("name ABIs; for the others claim `unknown arch deny`")
                );
            }
        }
        Ok(Claim::AbiOrder { left, right })
    }

    /// Whether `<=` stands in this line behind nothing but ABIs and commas.
    fn at_abi_order(&self) -> bool {
        let mut ahead = 0;
        while matches!(self.ahead(ahead), Some(Kind::Word(_) | Kind::Mark(","))) {
            ahead += 1;
        }
        ahead > 0 && self.ahead(ahead) == Some(&Kind::Mark("<="))
    }

    /// A name that is defined twice is a mistake: only one definition could count.
    fn define(&mut self, name: String, span: Span) -> Parsed<()> {
        let problem = Problem::new(format!("`{name}` is defined twice"), span).help("give one of them another name");
        if self.defined.insert(name) {
            Ok(())
        } else {
            Err(problem)
        }
    }

    pub(super) fn verdict_line(&mut self) -> Parsed<VerdictLine> {
        let verdicts = self.verdict_set()?;
        let calls = self.predicate()?;
        let cost = if self.eat_word("cost") {
            self.expect("<=")?;
            Some(self.small("number of instructions", u32::MAX)?)
        } else {
            None
        };
        Ok(VerdictLine { verdicts, calls, cost })
    }
}

fn always(verdicts: VerdictSet, calls: Predicate) -> Claim {
    let quantifier = Quantifier::Always;
    Claim::Verdict {
        quantifier,
        verdicts,
        calls,
    }
}

fn comparison(word: &str) -> Option<Comparison> {
    Some(match word {
        "refines" => Comparison::Refines,
        "within" => Comparison::Within,
        "equals" => Comparison::Equals,
        _ => return None,
    })
}
