//! One line of a policy.

use callproof_abi::Abi;
use callproof_policy::{Answer, Problem, Span};
use callproof_vm::Action;

use super::lex::{Kind, Token};
use super::statements::Filter;
use crate::policy::build::{Arg, LOW, Test};
use crate::policy::names;
use crate::text::shown;

/// How deep brackets can nest in a value.
const DEEPEST: usize = 32;

type Parsed<T> = Result<T, Problem>;

/// A place in a line.
pub(super) struct Line<'l, 't> {
    tokens: &'l [Token<'t>],
    at: usize,
    end: Span,
    abi: Abi,
    kill: Action,
}

impl<'l, 't> Line<'l, 't> {
    pub(super) fn new(tokens: &'l [Token<'t>], abi: Abi, kill: Action) -> Self {
        let last = tokens.last().map(|token| token.span).unwrap_or_default();
        let end = Span::new(last.end.saturating_sub(1), last.end);
        Self {
            tokens,
            at: 0,
            end,
            abi,
            kill,
        }
    }

    fn peek(&self) -> Option<&'l Token<'t>> {
        self.tokens.get(self.at)
    }

    pub(super) fn next(&mut self) -> Option<&'l Token<'t>> {
        let token = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(token)
    }

    fn is(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.text == text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    /// What stands here is not what belongs here.
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        match self.peek() {
            Some(token) => Problem::new(
                format!("expected {expected}, found `{}`", shown(token.text)),
                token.span,
            ),
            None => Problem::new(format!("expected {expected} before the end of the line"), self.end),
        }
    }

    pub(super) fn expect(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{text}`")))
        }
    }

    pub(super) fn done(&self) -> Parsed<()> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.unexpected("the end of the line"))
        }
    }

    pub(super) fn path(&mut self) -> Parsed<&'l Token<'t>> {
        match self.peek() {
            Some(token) if token.kind == Kind::Path => {
                self.at = self.at.saturating_add(1);
                Ok(token)
            }
            _ => Err(self.unexpected("a path that begins with `/` or `./`")),
        }
    }

    /// The calls before the colon; those that `[arch=...]` keeps for other machines are left out.
    pub(super) fn calls(&mut self) -> Parsed<Vec<&'l Token<'t>>> {
        let mut calls = Vec::new();
        if self.eat("{") {
            loop {
                calls.extend(self.call()?);
                if !self.eat(",") {
                    break;
                }
            }
            self.expect("}")?;
        } else {
            calls.extend(self.call()?);
        }
        self.expect(":")?;
        Ok(calls)
    }

    fn call(&mut self) -> Parsed<Option<&'l Token<'t>>> {
        let token = match self.peek() {
            Some(token) if token.kind == Kind::Word => token,
            _ => return Err(self.unexpected("the name of a system call")),
        };
        if token.text.contains('@') {
            let message = format!(
                "`{}` is a group of calls, whose list is not part of the policy",
                shown(token.text)
            );
            return Err(Problem::new(message, token.span).help("write the calls themselves"));
        }
        self.at = self.at.saturating_add(1);
        let here = if self.eat("[") { self.metadata()? } else { true };
        Ok(here.then_some(token))
    }

    /// `[arch=x86_64,arm64]`: whether this machine is meant.
    fn metadata(&mut self) -> Parsed<bool> {
        let mut here = true;
        loop {
            let arch = self.is("arch");
            self.word("a key")?;
            self.expect("=")?;
            let mut values = vec![self.word("a value")?.text];
            while self.eat(",") {
                values.push(self.word("a value")?.text);
            }
            if arch {
                here = values.contains(&machine(self.abi));
            }
            if !self.eat(";") {
                break;
            }
        }
        self.expect("]")?;
        Ok(here)
    }

    fn word(&mut self, expected: &str) -> Parsed<&'l Token<'t>> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => {
                self.at = self.at.saturating_add(1);
                Ok(token)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// What stands behind the colon.
    pub(super) fn filters(&mut self) -> Parsed<Vec<Filter>> {
        if !self.eat("{") {
            return Ok(vec![self.filter()?]);
        }
        let mut filters = Vec::new();
        loop {
            filters.push(self.filter()?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(filters)
    }

    fn filter(&mut self) -> Parsed<Filter> {
        let argument = self.peek().is_some_and(|token| argument(token).is_some());
        if !argument {
            let answer = Some(self.action()?);
            return Ok(Filter { clauses: None, answer });
        }
        let mut clauses = vec![self.clause()?];
        while self.eat("||") {
            clauses.push(self.clause()?);
        }
        let answer = if self.eat(";") { Some(self.action()?) } else { None };
        let clauses = Some(clauses);
        Ok(Filter { clauses, answer })
    }

    fn clause(&mut self) -> Parsed<Vec<Arg>> {
        let mut args = vec![self.atom()?];
        while self.eat("&&") {
            args.push(self.atom()?);
        }
        Ok(args)
    }

    fn atom(&mut self) -> Parsed<Arg> {
        let token = self.peek();
        let Some(index) = token.and_then(argument) else {
            return Err(self.unexpected("an argument, `arg0` to `arg5`"));
        };
        let Some(index) = index else {
            let span = token.map(|token| token.span).unwrap_or_default();
            return Err(Problem::new("a call has six arguments, `arg0` to `arg5`", span));
        };
        self.at = self.at.saturating_add(1);
        let operator = self.peek().map_or("", |token| token.text);
        let test: fn(u64) -> Test = match operator {
            "==" => Test::Eq,
            "!=" => Test::Ne,
            "<" => Test::Lt,
            "<=" => Test::Le,
            ">" => Test::Gt,
            ">=" => Test::Ge,
            "&" => Test::Any,
            "in" => |value| Test::Masked(!value, 0),
            _ => return Err(self.unexpected("an operator: `==`, `!=`, `<`, `<=`, `>`, `>=`, `&` or `in`")),
        };
        self.at = self.at.saturating_add(1);
        let value = self.value(0)?;
        Ok(Arg {
            index,
            test: test(value),
        })
    }

    /// Constants joined by `|`.
    fn value(&mut self, depth: usize) -> Parsed<u64> {
        let mut value = self.constant(depth)?;
        while self.eat("|") {
            value |= self.constant(depth)?;
        }
        Ok(value)
    }

    fn constant(&mut self, depth: usize) -> Parsed<u64> {
        if depth > DEEPEST {
            return Err(self.unexpected(&format!("brackets that nest at most {DEEPEST} deep")));
        }
        let flipped = self.eat("~");
        let value = if self.eat("(") {
            let value = self.value(depth.saturating_add(1))?;
            self.expect(")")?;
            value
        } else {
            self.single()?
        };
        Ok(if flipped { !value } else { value })
    }

    const fn word_mask(&self) -> u64 {
        if self.abi.register_bits() == 32 { LOW } else { u64::MAX }
    }

    fn single(&mut self) -> Parsed<u64> {
        let value = match self.peek() {
            Some(token) if token.kind == Kind::Number => self.number(token)?,
            Some(token) if token.kind == Kind::Word => named(token, self.abi)? & self.word_mask(),
            _ => return Err(self.unexpected("a number or the name of a constant")),
        };
        self.at = self.at.saturating_add(1);
        Ok(value)
    }

    /// A number as C reads it, in a word of the ABI.
    fn number(&self, token: &Token<'_>) -> Parsed<u64> {
        let (negative, digits) = match token.text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, token.text),
        };
        let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let octal = digits.strip_prefix('0').filter(|rest| !rest.is_empty());
        let read = match (hex, octal) {
            (Some(hex), _) => u64::from_str_radix(hex, 16),
            (None, Some(octal)) => u64::from_str_radix(octal, 8),
            (None, None) => digits.parse(),
        };
        let limit = if negative {
            self.word_mask() / 2 + 1
        } else {
            self.word_mask()
        };
        match read {
            Ok(value) if value <= limit => Ok(if negative {
                value.wrapping_neg() & self.word_mask()
            } else {
                value
            }),
            Ok(_) => Err(Problem::new(
                format!("`{}` does not fit a register", shown(token.text)),
                token.span,
            )),
            Err(_) => {
                let help = "numbers are decimal, hexadecimal (`0x1f`) or octal (`017`), up to 64 bits";
                Err(Problem::new(format!("`{}` is not a number", shown(token.text)), token.span).help(help))
            }
        }
    }

    /// `allow`, `1`, `return 1` and the like.
    pub(super) fn action(&mut self) -> Parsed<Answer> {
        let token = self.peek();
        let action = match token.map_or("", |token| token.text) {
            "return" => {
                self.at = self.at.saturating_add(1);
                return self.errno();
            }
            "1" | "allow" => Action::Allow,
            "kill" => self.kill,
            "kill-process" => Action::KillProcess,
            "kill-thread" => Action::KillThread,
            "trap" => Action::Trap,
            "trace" => Action::Trace,
            "log" => Action::Log,
            "user-notify" => Action::UserNotif,
            _ => return Err(self.unexpected("an action (`1`, `allow`, `return ENOSYS`, `kill`, ...) or an argument")),
        };
        self.at = self.at.saturating_add(1);
        Ok(Answer::new(action))
    }

    fn errno(&mut self) -> Parsed<Answer> {
        let span = self.peek().map(|token| token.span).unwrap_or(self.end);
        let number = self.single()?;
        match u16::try_from(number) {
            Ok(number) => Ok(names::errno(number, &[self.abi])),
            Err(_) => Err(Problem::new(
                format!("{number} is no error: at most 65535 fits an action"),
                span,
            )),
        }
    }
}

/// The number of an argument, `Some(None)` when there is no such argument.
fn argument(token: &Token<'_>) -> Option<Option<u8>> {
    let digits = token.text.strip_prefix("arg")?;
    let numeric = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    numeric.then(|| digits.parse().ok().filter(|index| *index < 6))
}

fn named(token: &Token<'_>, abi: Abi) -> Parsed<u64> {
    names::value(abi, token.text).ok_or_else(|| {
        let near = crate::text::nearest(token.text, names::constants(abi));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let message = format!("unknown constant `{}` on {abi}{near}", shown(token.text));
        Problem::new(message, token.span).help("write its value")
    })
}

/// What minijail calls the machine in `[arch=...]`.
const fn machine(abi: Abi) -> &'static str {
    match abi {
        Abi::Aarch64 => "arm64",
        Abi::I386 => "x86",
        other => other.name(),
    }
}
