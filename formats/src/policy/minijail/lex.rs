//! Lines and words of a policy.

use callproof_policy::{Problem, Span};

use crate::text::shown;

/// A word, a number or a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, also `kill-process` and `name@group`
    Word,
    Number,
    /// `@include` and the like
    At,
    /// Begins with `/` or `./`
    Path,
    Mark,
}

/// Marks, longest first.
const MARKS: [&str; 20] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "&", "|", "~", "(", ")", "{", "}", "[", "]", ":", ";", ",",
];

/// The tokens of each line that has any; a line that ends in `\` goes on in the next.
pub(super) fn lines(text: &str) -> Result<Vec<Vec<Token<'_>>>, Problem> {
    let (mut lines, mut tokens) = (Vec::new(), Vec::new());
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let (bare, goes_on) = match bare.strip_suffix('\\') {
            Some(bare) => (bare, true),
            None => (bare, false),
        };
        tokenize(bare, start, &mut tokens)?;
        if !goes_on && !tokens.is_empty() {
            lines.push(core::mem::take(&mut tokens));
        }
        start = start.saturating_add(line.len());
    }
    if !tokens.is_empty() {
        lines.push(tokens);
    }
    Ok(lines)
}

fn tokenize<'t>(line: &'t str, start: usize, tokens: &mut Vec<Token<'t>>) -> Result<(), Problem> {
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(());
        }
        let at = start.saturating_add(line.len().saturating_sub(rest.len()));
        let (kind, length) = token(rest);
        let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let span = Span::new(at, at.saturating_add(text.len().max(1)));
        if length == 0 {
            let found: String = rest.chars().take(1).collect();
            return Err(Problem::new(format!("`{}` has no meaning here", shown(&found)), span));
        }
        tokens.push(Token { kind, text, span });
        rest = after;
    }
}

/// The kind and length of the first token; length 0 for none.
fn token(rest: &str) -> (Kind, usize) {
    let until = |end: fn(char) -> bool, from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        from.saturating_add(tail.find(end).unwrap_or(tail.len()))
    };
    if rest.starts_with('/') || rest.starts_with("./") {
        return (Kind::Path, until(char::is_whitespace, 0));
    }
    let first = rest.chars().next().unwrap_or(' ');
    if first == '@' {
        return (Kind::At, until(|c| !c.is_ascii_alphanumeric(), 1));
    }
    let negative = first == '-'
        && rest
            .get(1..)
            .is_some_and(|tail| tail.starts_with(|c: char| c.is_ascii_digit()));
    if first.is_ascii_digit() || negative {
        return (Kind::Number, until(|c| !c.is_ascii_alphanumeric(), 1));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        return (
            Kind::Word,
            until(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@')), 0),
        );
    }
    let mark = MARKS.iter().find(|mark| rest.starts_with(**mark));
    let mark = mark.copied().or_else(|| rest.starts_with('=').then_some("="));
    (Kind::Mark, mark.map_or(0, str::len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_behind_a_backslash() {
        let text = "a: arg1 == 0x1 || \\\n  arg0 in ~B # c\n\n@include ./x\nkill: kill-process";
        let lines = lines(text).unwrap();
        let words: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| line.iter().map(|token| token.text).collect())
            .collect();
        assert_eq!(words[0], ["a", ":", "arg1", "==", "0x1", "||", "arg0", "in", "~", "B"]);
        assert_eq!(words[1], ["@include", "./x"]);
        assert_eq!(words[2], ["kill", ":", "kill-process"]);
        for token in lines.iter().flatten() {
            assert_eq!(text.get(token.span.start..token.span.end), Some(token.text));
        }
    }

    #[test]
    fn what_is_no_token_is_shown() {
        let problem = lines("read: 1\nwrite: $").unwrap_err();
        assert_eq!(
            (problem.message.as_str(), problem.span.start),
            ("`$` has no meaning here", 15)
        );
        assert!(lines("\u{e9}").is_err());
    }
}
