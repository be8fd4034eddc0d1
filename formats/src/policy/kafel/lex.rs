//! Tokens of a text and of the files that it includes.

use std::sync::Arc;

use callproof_policy::{Problem, Span};

use crate::policy::parts::told;
use crate::policy::{MAX_POLICY_BYTES, PolicyOptions};
use crate::text::{Cursor, Kind, Style};

/// How deep files include files: Kafel's own limit.
const DEEPEST: usize = 16;
/// How much text is read in all.
const MOST_BYTES: usize = MAX_POLICY_BYTES;
/// How many tokens are read in all.
const MOST_TOKENS: usize = 1 << 18;
/// How many files are read in all.
const MOST_FILES: usize = 256;

const STYLE: Style = Style {
    line: &["//"],
    block: true,
};

/// A token, and where it is told to be.
#[derive(Clone, Debug)]
pub(super) struct Tok {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// In the text itself; for a token of an included file the directive
    pub(super) span: Span,
    /// File and line in an included file
    place: Option<Arc<str>>,
}

impl Tok {
    /// What stands behind everything.
    pub(super) const END: Self = Self {
        kind: Kind::End,
        text: String::new(),
        span: Span { start: 0, end: 0 },
        place: None,
    };

    /// A problem at this token.
    pub(super) fn problem(&self, message: impl AsRef<str>) -> Problem {
        let message = message.as_ref();
        match &self.place {
            None => Problem::new(message, self.span),
            Some(place) => Problem::new(format!("{place}: {message}"), self.span),
        }
    }

    pub(super) fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// How a message shows it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::End => "the end".to_owned(),
            _ => format!("`{}`", crate::text::shown(&self.text)),
        }
    }
}

/// All tokens, an [`Kind::End`] last.
pub(super) fn tokens(text: &str, options: &PolicyOptions<'_>, problems: &mut Vec<Problem>) -> Vec<Tok> {
    let mut lexer = Lexer {
        options,
        problems,
        tokens: Vec::new(),
        bytes: 0,
        files: 0,
    };
    lexer.file(text, None, 0);
    let tokens = &mut lexer.tokens;
    let span = Span::new(text.len(), text.len());
    tokens.push(Tok { span, ..Tok::END });
    lexer.tokens
}

/// An included file: its name, and the directive in the text itself.
#[derive(Clone, Copy)]
struct Included<'i> {
    name: &'i str,
    directive: Span,
}

struct Lexer<'l, 'o> {
    options: &'l PolicyOptions<'o>,
    problems: &'l mut Vec<Problem>,
    tokens: Vec<Tok>,
    bytes: usize,
    files: usize,
}

impl Lexer<'_, '_> {
    fn file(&mut self, text: &str, included: Option<Included<'_>>, depth: usize) {
        let mut cursor = Cursor::new(text, 0, STYLE);
        let mut lines = Lines { text, at: 0, line: 1 };
        loop {
            let token = match cursor.next() {
                Ok(token) => token,
                Err(fault) => {
                    let problem = told(&fault);
                    let tok = lines.place(included, Kind::Mark, String::new(), problem.span);
                    self.problems.push(tok.problem(problem.message));
                    return;
                }
            };
            if token.kind == Kind::End || self.tokens.len() > MOST_TOKENS {
                return;
            }
            if self.tokens.len() == MOST_TOKENS {
                let tok = lines.place(
                    included,
                    Kind::End,
                    String::new(),
                    Span::new(token.start, token.span().end),
                );
                self.problems
                    .push(tok.problem(format!("the policy has more than {MOST_TOKENS} words and marks")));
            }
            let span = Span::new(token.start, token.span().end);
            let tok = lines.place(included, token.kind, token.text.to_owned(), span);
            if tok.is("#") && cursor.rest().starts_with("include") {
                let line = cursor.rest();
                self.include(line, &tok, depth);
                cursor = after_directive(&cursor, text);
            } else {
                self.tokens.push(tok);
            }
        }
    }

    /// `include "a" "b"`, up to the end of the line or `;`. `at` is the `#`.
    fn include(&mut self, line: &str, at: &Tok, depth: usize) {
        let line = directive(line).strip_prefix("include").unwrap_or_default();
        let mut rest = line.trim();
        if rest.is_empty() {
            self.problems.push(
                at.problem("`#include` without a file")
                    .help("write `#include \"file\"`"),
            );
        }
        while !rest.is_empty() {
            let quoted = rest
                .strip_prefix('"')
                .and_then(|inner| inner.split_once('"'))
                .filter(|(name, _)| !name.is_empty());
            let Some((name, behind)) = quoted else {
                let problem = at.problem(format!("`{}` is no file name", crate::text::shown(rest)));
                self.problems.push(problem.help("put the name in quotes"));
                return;
            };
            self.include_file(name, at, depth);
            rest = behind.trim_start();
        }
    }

    fn include_file(&mut self, name: &str, at: &Tok, depth: usize) {
        if depth >= DEEPEST {
            let message = format!("files include files more than {DEEPEST} deep");
            return self.problems.push(at.problem(message));
        }
        let text = match (self.options.include)(name) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("`{}` cannot be included: {why}", crate::text::shown(name));
                return self.problems.push(at.problem(message));
            }
        };
        self.bytes = self.bytes.saturating_add(text.len());
        self.files = self.files.saturating_add(1);
        if self.bytes > MOST_BYTES || self.files > MOST_FILES {
            let message =
                format!("included files are more than {MOST_FILES}, or have more than {MOST_BYTES} bytes together");
            // One is enough: what follows would be the same again.
            if !self.problems.iter().any(|problem| problem.message.ends_with(&message)) {
                self.problems.push(at.problem(message));
            }
            return;
        }
        let directive = at.span;
        self.file(&text, Some(Included { name, directive }), depth.saturating_add(1));
    }
}

/// The text of a directive: up to the end of the line or `;`, outside of quotes.
fn directive(line: &str) -> &str {
    let mut quoted = false;
    let end = line.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '\n' || (*c == ';' && !quoted)
    });
    line.get(..end.map_or(line.len(), |(at, _)| at)).unwrap_or_default()
}

/// The cursor behind a directive and the mark that ends it.
fn after_directive<'s>(cursor: &Cursor<'s>, text: &'s str) -> Cursor<'s> {
    let length = directive(cursor.rest()).len();
    let at = cursor.offset().saturating_add(length).saturating_add(1).min(text.len());
    Cursor::new(text.get(at..).unwrap_or_default(), at, STYLE)
}

/// Counts the lines of a file once.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn place(&mut self, included: Option<Included<'_>>, kind: Kind, word: String, span: Span) -> Tok {
        let place = included.map(|included| {
            let passed = self.text.get(self.at..span.start).unwrap_or_default();
            self.line = self.line.saturating_add(passed.matches('\n').count());
            self.at = span.start.max(self.at);
            format!("{}:{}", crate::text::shown(included.name), self.line).into()
        });
        Tok {
            kind,
            text: word,
            span: included.map_or(span, |included| included.directive),
            place,
        }
    }
}
