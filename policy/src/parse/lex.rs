//! Text to tokens.

use super::TOLD;
use crate::problem::Problem;
use crate::span::Span;

/// What stands at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, digits, `_` and `*`
    Word(String),
    /// From -2^63 to 2^64 - 1
    Number(i128),
    /// `"..."`, with its escapes undone
    Text(String),
    /// `@name`, `@name(parameter)`
    Set(String),
    /// Punctuation
    Mark(&'static str),
    /// The end of a line outside of braces
    Line,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Longest first, so that `==` is not read as `=`.
const MARKS: &[&str] = &[
    "..=", "..", "&&", "||", "==", "!=", "<=", ">=", "<", ">", "=", "&", "|", "!", "~", "(", ")", "{", "}", "[", "]",
    ",", ":", "-",
];

/// All tokens, a [`Kind::Line`] after each line; what cannot be read is a problem and left out.
///
/// Places count from the start of a file in which the text begins at `offset`.
pub(crate) fn tokens(text: &str, offset: usize) -> (Vec<Token>, Vec<Problem>) {
    let mut lexer = Lexer {
        text,
        offset,
        at: 0,
        braces: 0,
        tokens: Vec::new(),
        problems: Vec::new(),
    };
    while let Some(next) = lexer.rest().chars().next() {
        lexer.token(next);
    }
    lexer.push(Kind::Line, lexer.at);
    (lexer.tokens, lexer.problems)
}

struct Lexer<'t> {
    text: &'t str,
    offset: usize,
    at: usize,
    /// How many `{` are open: inside, a line does not end.
    braces: usize,
    tokens: Vec<Token>,
    problems: Vec<Problem>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> Span {
        let of_file = |at: usize| self.offset.saturating_add(at);
        Span::new(of_file(start), of_file(self.at))
    }

    /// Adds a token that began at `start` and ends here.
    fn push(&mut self, kind: Kind, start: usize) {
        let span = self.since(start);
        self.tokens.push(Token { kind, span });
    }

    fn problem(&mut self, message: String, help: &str, start: usize) {
        if self.problems.len() < TOLD {
            self.problems.push(Problem::new(message, self.since(start)).help(help));
        }
    }

    /// Steps over characters as long as they are wanted, and gives them.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let taken = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        taken
    }

    fn token(&mut self, next: char) {
        let start = self.at;
        match next {
            '\n' => {
                self.at += 1;
                if self.braces == 0 {
                    self.push(Kind::Line, start);
                }
            }
            '#' => drop(self.take(|c| c != '\n')),
            '"' => self.string(),
            '@' => self.set(),
            c if c.is_whitespace() => self.at += c.len_utf8(),
            c if c.is_ascii_digit() => self.number(),
            c if is_word(c) => {
                let word = self.take(is_word);
                self.push(Kind::Word(word), start);
            }
            c => self.mark(c),
        }
    }

    fn mark(&mut self, next: char) {
        let start = self.at;
        let Some(mark) = MARKS.iter().find(|mark| self.rest().starts_with(**mark)) else {
            self.at += next.len_utf8();
            return self.problem(
                format!("`{}` means nothing here", next.escape_debug()),
                MARK_HELP,
                start,
            );
        };
        self.at += mark.len();
        match *mark {
            "{" => self.braces += 1,
            "}" => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        self.push(Kind::Mark(mark), start);
    }

    fn number(&mut self) {
        let start = self.at;
        let text = self.take(|c| c.is_alphanumeric() || c == '_');
        match number(&text) {
            Ok(number) => self.push(Kind::Number(number), start),
            Err(help) => {
                self.problem(format!("`{text}` is not a number"), help, start);
                // A number all the same, so that what follows is not blamed for it.
                self.push(Kind::Number(0), start);
            }
        }
    }

    fn set(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut name = self.take(|c| is_word(c) && c != '*' || c == '-');
        if self.rest().starts_with('(') {
            let parameter = self.take(|c| c != ')' && c != '\n' && c != '#');
            if self.rest().starts_with(')') {
                self.at += 1;
                name = format!("{name}{parameter})");
            } else {
                self.problem("the parameter of the set is not closed".to_owned(), "add `)`", start);
            }
        }
        if name.is_empty() {
            self.problem(
                "`@` without a name".to_owned(),
                "write `@` and the name of a set",
                start,
            );
        }
        self.push(Kind::Set(name), start);
    }

    fn string(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            text += &self.take(|c| !matches!(c, '"' | '\\' | '\n'));
            let mut rest = self.rest().chars();
            match (rest.next(), rest.next()) {
                (Some('"'), _) => {
                    self.at += 1;
                    break;
                }
                (Some('\\'), Some(escaped @ ('"' | '\\' | 'n'))) => {
                    self.at += 2;
                    text.push(if escaped == 'n' { '\n' } else { escaped });
                }
                (Some('\\'), _) => {
                    self.at += 1;
                    let from = self.at - 1;
                    self.problem("`\\` before something it does not escape".to_owned(), ESCAPE_HELP, from);
                }
                _ => {
                    self.problem("the text is not closed".to_owned(), "add `\"`", start);
                    break;
                }
            }
        }
        self.push(Kind::Text(text), start);
    }
}

const MARK_HELP: &str = "names, numbers, `\"paths\"`, `@sets`, operators and `# comments` are read";
const ESCAPE_HELP: &str = "write `\\\\` for a backslash; `\\\"` and `\\n` are the other escapes";
const NUMBER_HELP: &str = "write decimal, `0x` hexadecimal, `0o` octal or `0b` binary digits";
const OCTAL_HELP: &str = "write `0o` before octal digits, or no leading zero";
const RANGE_HELP: &str = "registers have 64 bits: at most 0xffffffffffffffff";

/// What a word is made of.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '*'
}

/// The value of digits, or what to write instead.
fn number(text: &str) -> Result<i128, &'static str> {
    let digits = text.replace('_', "");
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (digits.get(2..).unwrap_or_default(), 16),
        Some("0o") => (digits.get(2..).unwrap_or_default(), 8),
        Some("0b") => (digits.get(2..).unwrap_or_default(), 2),
        Some(two) if two.starts_with('0') => return Err(OCTAL_HELP),
        _ => (digits.as_str(), 10),
    };
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    if !plain {
        return Err(NUMBER_HELP);
    }
    u64::from_str_radix(digits, radix)
        .map(i128::from)
        .map_err(|_| RANGE_HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let (tokens, problems) = tokens(text, 0);
        assert!(problems.is_empty(), "{problems:?}");
        tokens.into_iter().map(|token| token.kind).collect()
    }

    fn word(text: &str) -> Kind {
        Kind::Word(text.to_owned())
    }

    #[test]
    fn reads_each_kind() {
        assert_eq!(kinds("a_1* # c"), [word("a_1*"), Kind::Line]);
        assert_eq!(
            kinds("0x1_f 0o17 0b11 7 0"),
            [31, 15, 3, 7, 0]
                .map(Kind::Number)
                .into_iter()
                .chain([Kind::Line])
                .collect::<Vec<_>>()
        );
        assert_eq!(kinds(r#""a\"\\\n""#), [Kind::Text("a\"\\\n".to_owned()), Kind::Line]);
        assert_eq!(
            kinds("@new-since(6.6)"),
            [Kind::Set("new-since(6.6)".to_owned()), Kind::Line]
        );
        assert_eq!(
            kinds("..=<=&&&"),
            [
                Kind::Mark("..="),
                Kind::Mark("<="),
                Kind::Mark("&&"),
                Kind::Mark("&"),
                Kind::Line
            ]
        );
    }

    #[test]
    fn lines_end_outside_of_braces() {
        assert_eq!(kinds("a\nb"), [word("a"), Kind::Line, word("b"), Kind::Line]);
        assert_eq!(
            kinds("{a\nb}"),
            [Kind::Mark("{"), word("a"), word("b"), Kind::Mark("}"), Kind::Line]
        );
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in [
            "0x",
            "08",
            "1z",
            "18446744073709551616",
            "\"a",
            "\"\\q\"",
            "@",
            "@a(b",
            "\u{e9}",
            "$",
        ] {
            assert_eq!(tokens(text, 0).1.len(), 1, "{text}");
        }
    }
}
