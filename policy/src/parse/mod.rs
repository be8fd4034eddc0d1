//! Text to predicates, verdict sets, ABI lists and properties.
//!
//! A reader checks the shape alone. Whether a name means anything on an ABI shows when it is grounded.

mod cond;
mod lex;
mod policy;
mod predicate;
mod property;
mod verdict;

use std::collections::BTreeSet;

use crate::predicate::{AbiList, CallPattern, Predicate};
use crate::problem::{Problem, Problems};
use crate::property::{Claim, PropertyFile};
use crate::rules::Policy;
use crate::span::Span;
use crate::verdict_set::VerdictSet;
use lex::{Kind, Token};

pub(crate) use predicate::call_number;
pub use property::VERDICT_LINE_HELP;
pub use verdict::VERDICT_WORDS;

/// Longest text that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// How deep brackets and `!` can nest.
const DEEPEST: usize = 64;
/// How many problems of one text are told.
const TOLD: usize = 50;

/// Reads a property file; `name` is what its problems call it.
///
/// # Errors
/// Every problem of the text, the first fifty of them.
pub fn parse_properties(name: &str, text: &str) -> Result<PropertyFile, Problems> {
    whole(name, text, |parser| Some(parser.property_file()))
}

/// Reads one call pattern, such as `openat(_, _, flags & O_ACCMODE == O_RDONLY)`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_call_pattern(text: &str) -> Result<CallPattern, Problems> {
    whole("<call>", text, |parser| parser.only(Parser::call_pattern))
}

/// Reads a predicate, such as `read, write(1, _) except write(_, 0) on x86_64`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_predicate(text: &str) -> Result<Predicate, Problems> {
    whole("<calls>", text, |parser| parser.only(Parser::predicate))
}

/// Reads a set of verdicts, such as `errno(EPERM|ENOSYS)` or `kill|trap`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_verdict_set(text: &str) -> Result<VerdictSet, Problems> {
    whole("<verdicts>", text, |parser| parser.only(Parser::verdict_set))
}

/// Reads a list of ABIs, such as `x86_64, i386`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_abi_list(text: &str) -> Result<AbiList, Problems> {
    whole("<ABIs>", text, |parser| parser.only(Parser::abi_list))
}

/// Reads a policy as it prints: a line `default ACTION`, then rules `ACTION CALLS`, the first that matches winning.
///
/// # Errors
/// Every problem of the text, the first fifty of them.
pub fn parse_policy(name: &str, text: &str) -> Result<Policy, Problems> {
    whole(name, text, Parser::policy)
}

/// One line of expectation as case files have it: `VERDICTS CALLS [except CALLS] [on ABIS] [cost<=N]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictLine {
    /// What the filter must answer
    pub verdicts: VerdictSet,
    /// Which calls
    pub calls: Predicate,
    /// How many instructions it may take at most
    pub cost: Option<u32>,
}

/// Reads one line of expectation; a comment after it is skipped.
///
/// `offset` is where the line begins in its file: every [`Span`] in the result counts from the start of the file.
///
/// # Errors
/// What is wrong with the line.
pub fn parse_verdict_line(text: &str, offset: usize) -> Result<VerdictLine, Vec<Problem>> {
    read(text, offset, |parser| parser.only(Parser::verdict_line))
}

/// Reads one claim, such as `x32 <= x86_64`; a comment after it is skipped. `offset` is as in [`parse_verdict_line`].
///
/// # Errors
/// What is wrong with the line.
pub fn parse_claim(text: &str, offset: usize) -> Result<Claim, Vec<Problem>> {
    read(text, offset, |parser| parser.only(Parser::claim))
}

/// Reads the calls that a comparison is about, as they stand behind its operands: `for CALLS`, `on ABIS`, both, or nothing
/// for every call. `offset` is as in [`parse_verdict_line`].
///
/// # Errors
/// What is wrong with the text.
pub fn parse_compared_calls(text: &str, offset: usize) -> Result<Predicate, Vec<Problem>> {
    read(text, offset, |parser| parser.only(Parser::optional_predicate))
}

/// Runs a reader over a text that is all there is, and gathers what is wrong with it.
fn whole<T>(name: &str, text: &str, reader: impl FnOnce(&mut Parser) -> Option<T>) -> Result<T, Problems> {
    read(text, 0, reader).map_err(|problems| {
        // A text too long to read is too long to show.
        let shown = if text.len() > LONGEST { "" } else { text };
        Problems::new(name, shown, problems)
    })
}

/// Runs a reader over a text that begins at `offset` of a file.
fn read<T>(text: &str, offset: usize, reader: impl FnOnce(&mut Parser) -> Option<T>) -> Result<T, Vec<Problem>> {
    if text.len() > LONGEST {
        let message = format!("the text has {} bytes; at most {LONGEST} are read", text.len());
        return Err(vec![Problem::new(message, Span::new(offset, offset))]);
    }
    let mut parser = Parser::new(text, offset);
    let value = reader(&mut parser);
    let mut problems = parser.problems;
    problems.sort_by_key(|problem| problem.span.start);
    problems.truncate(TOLD);
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}

type Parsed<T> = Result<T, Problem>;

/// A place in a list of tokens.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    problems: Vec<Problem>,
    /// How many lines could not be read.
    skipped: usize,
    /// Names of sets and files that have been given.
    defined: BTreeSet<String>,
}

impl Parser {
    fn new(text: &str, offset: usize) -> Self {
        let (tokens, problems) = lex::tokens(text, offset);
        Self {
            tokens,
            at: 0,
            depth: 0,
            problems,
            skipped: 0,
            defined: BTreeSet::new(),
        }
    }

    /// Reads one thing that must be all there is.
    fn only<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Option<T> {
        let value = read(self).and_then(|value| {
            while self.kind() == Some(&Kind::Line) {
                self.at += 1;
            }
            match self.kind() {
                None => Ok(value),
                Some(_) => Err(self.unexpected("the end")),
            }
        });
        value.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn kind(&self) -> Option<&Kind> {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> Option<&Kind> {
        self.tokens.get(self.at.saturating_add(count)).map(|token| &token.kind)
    }

    /// Where the next token is; at the end, where the last one was.
    fn span(&self) -> Span {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or_else(Span::default, |token| token.span)
    }

    /// From a place up to the last token that was read.
    fn since(&self, start: Span) -> Span {
        let last = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        start.to(last.map_or(start, |token| token.span))
    }

    fn is_mark(&self, mark: &str) -> bool {
        matches!(self.kind(), Some(Kind::Mark(found)) if *found == mark)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), Some(Kind::Word(found)) if found == word)
    }

    /// Steps over a mark if it is the next token.
    fn eat(&mut self, mark: &str) -> bool {
        let found = self.is_mark(mark);
        self.at += usize::from(found);
        found
    }

    /// Steps over a word if it is the next token.
    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.eat(mark) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{mark}`")))
        }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{word}`")))
        }
    }

    /// Any word, with its place.
    fn word(&mut self, wanted: &str) -> Parsed<(String, Span)> {
        let span = self.span();
        match self.kind() {
            Some(Kind::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok((word, span))
            }
            _ => Err(self.unexpected(wanted)),
        }
    }

    /// A number that may have a sign.
    fn number(&mut self, wanted: &str) -> Parsed<(i128, Span)> {
        let start = self.span();
        let negative = self.eat("-");
        let Some(Kind::Number(number)) = self.kind() else {
            return Err(self.unexpected(wanted));
        };
        let number = if negative { -*number } else { *number };
        self.at += 1;
        let span = self.since(start);
        if number < i128::from(i64::MIN) {
            return Err(Problem::new(format!("`{number}` does not fit in 64 bits"), span));
        }
        Ok((number, span))
    }

    /// A number that fits a small type.
    fn small<N: TryFrom<i128>>(&mut self, what: &str, most: u32) -> Parsed<N> {
        let (number, span) = self.number("a number")?;
        let fits = (0..=i128::from(most)).contains(&number);
        let small = N::try_from(number).ok().filter(|_| fits);
        small.ok_or_else(|| Problem::new(format!("`{number}` is no {what}: those go from 0 to {most}"), span))
    }

    /// Things between commas.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut list = vec![read(self)?];
        while self.eat(",") {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// Goes one level deeper for `read`, or refuses to.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEEPEST {
            let message = format!("nested deeper than {DEEPEST} levels");
            return Err(Problem::new(message, self.span()).help("split it into several conditions or sets"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Notes a problem and goes on behind the line, or not at all when nobody would read more.
    fn skip_line(&mut self, problem: Problem) {
        self.problems.push(problem);
        self.skipped += 1;
        if self.skipped >= TOLD {
            self.at = self.tokens.len();
        }
        self.depth = 0;
        while self.kind().is_some_and(|kind| *kind != Kind::Line) {
            self.at += 1;
        }
    }

    fn end_of_line(&self) -> Parsed<()> {
        match self.kind() {
            None | Some(Kind::Line) => Ok(()),
            Some(_) => Err(self.unexpected("the end of the line")),
        }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let found = match self.kind() {
            None | Some(Kind::Line) => "the end of the line".to_owned(),
            Some(Kind::Word(word)) => format!("`{word}`"),
            Some(Kind::Number(number)) => format!("the number {number}"),
            Some(Kind::Text(_)) => "a quoted text".to_owned(),
            Some(Kind::Set(name)) => format!("`@{name}`"),
            Some(Kind::Mark(mark)) => format!("`{mark}`"),
        };
        Problem::new(format!("expected {wanted}, found {found}"), self.span())
    }
}
