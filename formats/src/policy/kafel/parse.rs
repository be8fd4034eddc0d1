//! Tokens to policies by name.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::{Answer, Problem, Span};
use callproof_vm::Action;

use super::expr::Logic;
use super::lex::Tok;
use crate::policy::parts::{ENOUGH, answer, did_you_mean};
use crate::text::{Kind, Token, number};

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// Bodies in the order of their definition
    pub(super) bodies: Vec<Vec<Entry>>,
    /// What stands outside of policies
    pub(super) main: Vec<Entry>,
    /// `DEFAULT`
    pub(super) default: Option<Answer>,
}

/// One statement of a policy.
#[derive(Debug)]
pub(super) enum Entry {
    /// The body with this index, and where it is used
    Use(usize, Span),
    /// What some calls get
    Block(Answer, Vec<Filter>),
}

/// A call with its condition.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) call: Callee,
    /// Names for the registers, in order; without them those of the kernel
    pub(super) args: Option<Vec<String>>,
    pub(super) condition: Option<Logic>,
    /// ABIs of an `ON` guard
    pub(super) on: Option<Vec<Abi>>,
    /// How many words and marks it has
    pub(super) size: usize,
}

/// Which call.
#[derive(Debug)]
pub(super) enum Callee {
    Name(Tok),
    Number(u32, Tok),
}

const ACTIONS: &[&str] = &[
    "ALLOW",
    "LOG",
    "KILL",
    "KILL_THREAD",
    "KILL_PROCESS",
    "DENY",
    "USER_NOTIF",
    "ERRNO",
    "TRAP",
    "TRACE",
];
const STATEMENT: &str = "an action such as `ALLOW`, `USE`, `POLICY`, `DEFAULT` or `#define`";

/// Reads all statements; a mistake costs the statement that it is in.
pub(super) fn program(tokens: Vec<Tok>, problems: &mut Vec<Problem>) -> Program {
    let mut parser = Parser {
        tokens,
        at: 0,
        constants: BTreeMap::new(),
        names: BTreeMap::new(),
        program: Program::default(),
        problems,
    };
    while parser.peek().kind != Kind::End && parser.problems.len() < ENOUGH {
        let from = parser.at;
        if let Err(problem) = parser.statement() {
            parser.problems.push(problem);
            parser.skip_statement(from);
        }
    }
    parser.program
}

pub(super) type Parsed<T> = Result<T, Problem>;

pub(super) struct Parser<'p> {
    tokens: Vec<Tok>,
    at: usize,
    pub(super) constants: BTreeMap<String, u64>,
    names: BTreeMap<String, usize>,
    program: Program,
    problems: &'p mut Vec<Problem>,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> &Tok {
        static END: Tok = Tok::END;
        self.tokens.get(self.at).or_else(|| self.tokens.last()).unwrap_or(&END)
    }

    pub(super) fn next(&mut self) -> Tok {
        let tok = self.peek().clone();
        if tok.kind != Kind::End {
            self.at = self.at.saturating_add(1);
        }
        tok
    }

    pub(super) fn eat(&mut self, mark: &str) -> bool {
        let is = self.peek().is(mark);
        if is {
            self.next();
        }
        is
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.peek().is_word(word);
        if is {
            self.next();
        }
        is
    }

    pub(super) fn expect(&mut self, mark: &str) -> Parsed<Tok> {
        if self.peek().is(mark) {
            return Ok(self.next());
        }
        Err(unexpected(self.peek(), &format!("`{mark}`")))
    }

    fn word(&mut self, expected: &str) -> Parsed<Tok> {
        if self.peek().kind == Kind::Word {
            return Ok(self.next());
        }
        Err(unexpected(self.peek(), expected))
    }

    fn statement(&mut self) -> Parsed<()> {
        if self.peek().is("#") {
            self.define()
        } else if self.eat_word("POLICY") {
            self.policy()
        } else if self.eat_word("DEFAULT") {
            let tok = self.peek().clone();
            let action = self.action()?;
            match self.program.default.replace(action) {
                Some(_) => Err(tok.problem("a second default")),
                None => Ok(()),
            }
        } else {
            let mut entries = Vec::new();
            let outcome = self.entries(&mut entries);
            self.program.main.append(&mut entries);
            outcome
        }
    }

    /// Goes on at the next word that begins a statement, which is not the one that began at `from`.
    fn skip_statement(&mut self, from: usize) {
        let passed = self.tokens.get(from..self.at).unwrap_or_default();
        let count = |mark: &str| passed.iter().filter(|tok| tok.is(mark)).count();
        let mut braces = count("{").saturating_sub(count("}"));
        while self.peek().kind != Kind::End {
            let next = self.peek();
            let begins = next.is_word("POLICY") || next.is_word("DEFAULT") || next.is("#");
            let used = braces == 0 && next.is_word("USE");
            if self.at > from && (begins || used) {
                return;
            }
            let tok = self.next();
            if tok.is("{") {
                braces = braces.saturating_add(1);
            } else if tok.is("}") {
                braces = braces.saturating_sub(1);
            }
        }
    }

    /// `#define NAME NUMBER`.
    fn define(&mut self) -> Parsed<()> {
        self.next();
        let directive = self.word("`define` or `include`")?;
        if directive.text != "define" {
            let near = did_you_mean(&directive.text, ["define", "include"].into_iter());
            let message = format!(
                "`#{}` is no directive of Kafel{near}",
                crate::text::shown(&directive.text)
            );
            return Err(directive.problem(message));
        }
        let name = self.word("the name of a constant")?;
        let value = self.number()?;
        match self.constants.insert(name.text.clone(), value) {
            Some(before) if before != value => {
                let message = format!("`{}` is defined as {before} before", name.text);
                Err(name.problem(message))
            }
            _ => Ok(()),
        }
    }

    /// `NAME { ENTRIES }`.
    fn policy(&mut self) -> Parsed<()> {
        let name = self.word("the name of a policy")?;
        self.expect("{")?;
        let mut entries = Vec::new();
        let outcome = if self.peek().is("}") {
            Ok(())
        } else {
            self.entries(&mut entries)
        };
        let outcome = outcome.and_then(|()| self.expect("}").map(drop));
        // Known even when its body is wrong, so that its uses are no problems of their own.
        let index = self.program.bodies.len();
        self.program.bodies.push(entries);
        if self.names.insert(name.text.clone(), index).is_some() {
            let message = format!("a second policy `{}`", name.text);
            self.problems.push(name.problem(message));
        }
        outcome
    }

    /// Entries with commas between them.
    fn entries(&mut self, entries: &mut Vec<Entry>) -> Parsed<()> {
        loop {
            if self.eat_word("USE") {
                entries.extend(self.used()?);
            } else {
                let action = self.action()?;
                self.expect("{")?;
                let filters = self.filters()?;
                entries.push(Entry::Block(action, filters));
            }
            if !self.eat(",") {
                return Ok(());
            }
        }
    }

    fn used(&mut self) -> Parsed<Option<Entry>> {
        let name = self.word("the name of a policy")?;
        let found = self.names.get(&name.text).copied();
        if found.is_none() {
            let near = did_you_mean(&name.text, self.names.keys().map(String::as_str));
            let message = format!("no policy `{}` is defined before{near}", crate::text::shown(&name.text));
            self.problems.push(name.problem(message));
        }
        Ok(found.map(|index| Entry::Use(index, name.span)))
    }

    fn action(&mut self) -> Parsed<Answer> {
        let tok = self.peek().clone();
        let action = match tok.text.as_str() {
            _ if tok.kind != Kind::Word => return Err(unexpected(&tok, STATEMENT)),
            "ALLOW" => Action::Allow,
            "LOG" => Action::Log,
            "KILL" | "KILL_THREAD" | "DENY" => Action::KillThread,
            "KILL_PROCESS" => Action::KillProcess,
            "USER_NOTIF" => Action::UserNotif,
            "ERRNO" => Action::Errno,
            "TRAP" => Action::Trap,
            "TRACE" => Action::Trace,
            other => {
                let near = did_you_mean(other, ACTIONS.iter().copied());
                let message = format!("`{}` is no action of Kafel{near}", crate::text::shown(other));
                return Err(tok.problem(message).help(format!("actions are {}", ACTIONS.join(", "))));
            }
        };
        self.next();
        let data = match action {
            Action::Errno | Action::Trap | Action::Trace => self.data()?,
            _ => 0,
        };
        Ok(answer(action, data, tok.span))
    }

    /// `(NUMBER)`, 16 bits.
    fn data(&mut self) -> Parsed<u16> {
        self.expect("(")?;
        let tok = self.peek().clone();
        let value = self.number()?;
        self.expect(")")?;
        u16::try_from(value).map_err(|_| tok.problem(format!("{value} is more than the 65535 that an action carries")))
    }

    /// Calls up to the closing brace, with commas between them. A mistake costs one call.
    fn filters(&mut self) -> Parsed<Vec<Filter>> {
        let mut filters = Vec::new();
        while !self.eat("}") {
            if self.problems.len() >= ENOUGH {
                return Ok(filters);
            }
            let from = self.at;
            match self.filter() {
                Ok(filter) => filters.push(filter),
                Err(problem) => {
                    self.problems.push(problem);
                    self.at = from;
                    self.skip_filter();
                }
            }
            let next = self.peek().clone();
            if !self.eat(",") && !next.is("}") {
                return Err(unexpected(&next, "`,` or `}`"));
            }
            if next.is(",") && self.peek().is("}") {
                return Err(unexpected(self.peek(), "a system call"));
            }
        }
        Ok(filters)
    }

    /// From the start of a call to the comma or brace that ends it.
    fn skip_filter(&mut self) {
        let mut open = 0_usize;
        loop {
            let tok = self.peek();
            match tok.text.as_str() {
                _ if tok.kind == Kind::End => return,
                "{" | "(" => open = open.saturating_add(1),
                "," | "}" if open == 0 => return,
                "}" | ")" => open = open.saturating_sub(1),
                _ => {}
            }
            self.next();
        }
    }

    fn filter(&mut self) -> Parsed<Filter> {
        let start = self.at;
        let call = self.callee()?;
        let args = if self.eat("(") {
            Some(self.names_of_args()?)
        } else {
            None
        };
        let mut on = self.guard()?;
        let condition = if self.eat("{") {
            let condition = if self.peek().is("}") { None } else { Some(self.logic()?) };
            self.expect("}")?;
            condition
        } else {
            None
        };
        if on.is_none() {
            on = self.guard()?;
        }
        Ok(Filter {
            call,
            args,
            condition,
            on,
            size: self.at.saturating_sub(start),
        })
    }

    /// `NAME`, the name of a constant, or `SYSCALL[NUMBER]`.
    fn callee(&mut self) -> Parsed<Callee> {
        let tok = self.word("a system call")?;
        if tok.text == "SYSCALL" && self.eat("[") {
            let value = self.number()?;
            self.expect("]")?;
            return Ok(Callee::Number(low_half(value), tok));
        }
        match self.constants.get(&tok.text) {
            Some(value) => Ok(Callee::Number(low_half(*value), tok)),
            None => Ok(Callee::Name(tok)),
        }
    }

    fn names_of_args(&mut self) -> Parsed<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        if self.eat(")") {
            return Ok(names);
        }
        loop {
            let tok = self.word("the name of an argument")?;
            if names.contains(&tok.text) {
                return Err(tok.problem(format!("a second argument `{}`", crate::text::shown(&tok.text))));
            }
            if names.len() >= 6 {
                return Err(tok.problem("a system call has at most 6 arguments"));
            }
            names.push(tok.text);
            if !self.eat(",") {
                self.expect(")")?;
                return Ok(names);
            }
        }
    }

    /// `ON ABI` or `ON { ABI, ... }`.
    fn guard(&mut self) -> Parsed<Option<Vec<Abi>>> {
        if !self.eat_word("ON") {
            return Ok(None);
        }
        let braces = self.eat("{");
        let mut abis = Vec::new();
        loop {
            let tok = self.word("the name of an architecture")?;
            abis.push(Abi::from_name(&tok.text).map_err(|error| tok.problem(error.to_string()))?);
            if !braces || !self.eat(",") {
                break;
            }
        }
        if braces {
            self.expect("}")?;
        }
        Ok(Some(abis))
    }

    /// Decimal, with or without a sign, hexadecimal, octal or binary; a constant.
    pub(super) fn number(&mut self) -> Parsed<u64> {
        let negative = self.eat("-");
        let tok = self.next();
        if let (Kind::Word, Some(value)) = (tok.kind, self.constants.get(&tok.text)) {
            return Ok(*value);
        }
        if tok.kind != Kind::Number {
            return Err(unexpected(&tok, "a number"));
        }
        let value = value(&tok)?;
        Ok(if negative { value.wrapping_neg() } else { value })
    }
}

/// The value of a number; Kafel has no suffixes.
pub(super) fn value(tok: &Tok) -> Parsed<u64> {
    let token = Token {
        kind: tok.kind,
        text: &tok.text,
        start: 0,
    };
    let suffixed = tok.text.ends_with(['u', 'U', 'l', 'L']);
    match number(&token) {
        Ok(value) if !suffixed => Ok(value),
        Ok(_) => Err(tok
            .problem(format!("`{}` is no number of Kafel", tok.text))
            .help("leave out the suffix")),
        Err(fault) => Err(tok.problem(fault.problem.to_string())),
    }
}

pub(super) fn unexpected(found: &Tok, expected: &str) -> Problem {
    let message = format!("expected {expected}, found {}", found.shown());
    found.problem(message)
}

fn low_half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default()
}
