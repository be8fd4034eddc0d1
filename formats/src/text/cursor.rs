//! Tokens of the text formats, read one at a time, so that memory does not grow with the input.

use core::ops::Range;

use winnow::Parser as _;
use winnow::combinator::alt;
use winnow::error::ErrMode;
use winnow::token::{any, one_of, take_until, take_while};

use super::shown;
use crate::error::{Fault, Parsed, Problem};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name: letters, digits and `_`
    Word,
    /// Something that begins with a digit
    Number,
    /// A string with its quotes
    Text,
    /// A character with its quotes
    Char,
    /// An operator or bracket
    Mark,
    /// The end of the text
    End,
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) text: &'s str,
    pub(crate) start: usize,
}

impl<'s> Token<'s> {
    pub(crate) const fn span(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.text.len())
    }

    pub(crate) fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// The text of a word.
    pub(crate) fn word(&self) -> Option<&'s str> {
        (self.kind == Kind::Word).then_some(self.text)
    }

    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        Fault::new(problem, self.span())
    }

    /// This token where something else belongs.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Fault {
        let found = match self.kind {
            Kind::End => "the end".to_owned(),
            _ => format!("`{}`", shown(self.text)),
        };
        self.fault(Problem::Unexpected { expected, found })
    }
}

/// What a format takes for a comment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// What begins a comment that ends with the line
    pub(crate) line: &'static [&'static str],
    /// Whether `/* ... */` is a comment
    pub(crate) block: bool,
}

/// A place in a text, from which tokens are taken.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'s> {
    rest: &'s str,
    end: usize,
    style: Style,
}

impl<'s> Cursor<'s> {
    /// Reads `text`, which begins at byte `base` of the whole input.
    pub(crate) const fn new(text: &'s str, base: usize, style: Style) -> Self {
        Self {
            rest: text,
            end: base.saturating_add(text.len()),
            style,
        }
    }

    /// The place in the whole input.
    pub(crate) const fn offset(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'s str {
        self.rest
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Parsed<Token<'s>> {
        self.skip_blank()?;
        let start = self.offset();
        let mut rest = self.rest;
        let Ok((kind, text)) = token(&mut rest) else {
            return self.lexical_fault(start);
        };
        self.rest = rest;
        Ok(Token { kind, text, start })
    }

    /// The next token, without taking it.
    pub(crate) fn peek(&self) -> Parsed<Token<'s>> {
        self.clone().next()
    }

    /// Takes the next token if it is this mark.
    pub(crate) fn eat(&mut self, mark: &str) -> Parsed<bool> {
        let mut ahead = self.clone();
        let is = ahead.next()?.is(mark);
        if is {
            *self = ahead;
        }
        Ok(is)
    }

    /// Takes the next token if it is this word, in any case.
    pub(crate) fn eat_word(&mut self, word: &str) -> Parsed<bool> {
        let mut ahead = self.clone();
        let is = ahead
            .next()?
            .word()
            .is_some_and(|found| found.eq_ignore_ascii_case(word));
        if is {
            *self = ahead;
        }
        Ok(is)
    }

    /// Takes the next token, which must be this mark.
    pub(crate) fn expect(&mut self, mark: &str, expected: &'static str) -> Parsed<Token<'s>> {
        let token = self.next()?;
        if token.is(mark) {
            Ok(token)
        } else {
            Err(token.unexpected(expected))
        }
    }

    /// Takes the next token, which must be a word.
    pub(crate) fn word(&mut self, expected: &'static str) -> Parsed<Token<'s>> {
        let token = self.next()?;
        if token.kind == Kind::Word {
            Ok(token)
        } else {
            Err(token.unexpected(expected))
        }
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) -> Parsed<()> {
        loop {
            self.rest = self.rest.trim_start();
            if self.style.line.iter().any(|mark| self.rest.starts_with(mark)) {
                self.skip_line();
            } else if self.style.block && self.rest.starts_with("/*") {
                self.skip_block()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Skips to the end of the line.
    pub(crate) fn skip_line(&mut self) {
        let length = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn skip_block(&mut self) -> Parsed<()> {
        let start = self.offset();
        let open = start..start.saturating_add(2);
        let unterminated = || Fault::new(Problem::Unterminated { what: "comment" }, open);
        let mut body = self.rest.get(2..).unwrap_or_default();
        let closed: Result<&str, ErrMode<()>> = take_until(0.., "*/").parse_next(&mut body);
        closed.map_err(|_| unterminated())?;
        self.rest = body.get(2..).unwrap_or_default();
        Ok(())
    }

    /// The only texts that are no tokens are literals without an end.
    fn lexical_fault<T>(&self, start: usize) -> Parsed<T> {
        let what = if self.rest.starts_with('"') {
            "string"
        } else {
            "character"
        };
        let line = self.rest.lines().next().unwrap_or_default();
        Err(Fault::new(
            Problem::Unterminated { what },
            start..start.saturating_add(line.len()),
        ))
    }
}

/// Operators of more than one character, longest first.
const LONG_MARKS: [&str; 19] = [
    "...", "<<=", ">>=", "<<", ">>", "==", "!=", "<=", ">=", "&=", "|=", "^=", "+=", "-=", "*=", "/=", "->", "&&", "||",
];

fn token<'s>(input: &mut &'s str) -> Result<(Kind, &'s str), ErrMode<()>> {
    alt((
        winnow::combinator::eof.value(Kind::End).with_taken(),
        (one_of(is_word_start), take_while(0.., is_word))
            .value(Kind::Word)
            .with_taken(),
        (one_of(|c: char| c.is_ascii_digit()), take_while(0.., is_word))
            .value(Kind::Number)
            .with_taken(),
        literal('"').value(Kind::Text).with_taken(),
        literal('\'').value(Kind::Char).with_taken(),
        long_mark.value(Kind::Mark).with_taken(),
        any.verify(|c| !matches!(c, '"' | '\'')).value(Kind::Mark).with_taken(),
    ))
    .parse_next(input)
}

const fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A quoted text on one line, in which `\` protects the next character.
fn literal<'s>(quote: char) -> impl FnMut(&mut &'s str) -> Result<(), ErrMode<()>> {
    move |input| {
        if !input.starts_with(quote) {
            return Err(ErrMode::Backtrack(()));
        }
        let mut escaped = false;
        let mut characters = input.char_indices().skip(1);
        let closing = characters.find(|(_, c)| {
            let found = !escaped && (*c == quote || *c == '\n');
            escaped = !escaped && *c == '\\';
            found
        });
        let end = match closing {
            Some((at, c)) if c == quote => at.saturating_add(1),
            _ => return Err(ErrMode::Backtrack(())),
        };
        *input = input.get(end..).unwrap_or_default();
        Ok(())
    }
}

fn long_mark<'s>(input: &mut &'s str) -> Result<&'s str, ErrMode<()>> {
    let found = LONG_MARKS.iter().find(|mark| input.starts_with(**mark));
    found.map_or(Err(ErrMode::Backtrack(())), |mark| {
        winnow::token::take(mark.len()).parse_next(input)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: Style = Style {
        line: &["//"],
        block: true,
    };

    fn tokens(text: &str) -> Vec<&str> {
        let mut cursor = Cursor::new(text, 0, C);
        let mut found = Vec::new();
        loop {
            let token = cursor.next().unwrap();
            if token.kind == Kind::End {
                return found;
            }
            assert_eq!(text.get(token.span()), Some(token.text));
            found.push(token.text);
        }
    }

    #[test]
    fn cuts_text_into_tokens() {
        assert_eq!(
            tokens("a_1 <<= 0x1fUL; // no\n/* no\n */ \"s\\\"\" '\\'' \u{e9}..."),
            ["a_1", "<<=", "0x1fUL", ";", "\"s\\\"\"", "'\\''", "\u{e9}", "..."]
        );
        assert_eq!(tokens("/**/x/***/y"), ["x", "y"]);
    }

    #[test]
    fn what_does_not_end_is_named() {
        for (text, named, span) in [
            ("x /* y", "comment", 2..4),
            ("x \"y\nz\"", "string", 2..4),
            ("'", "character", 0..1),
        ] {
            let mut cursor = Cursor::new(text, 0, C);
            let fault = loop {
                if let Err(fault) = cursor.next() {
                    break fault;
                }
            };
            assert_eq!(*fault.problem, Problem::Unterminated { what: named });
            assert_eq!(fault.span, span);
        }
    }
}
