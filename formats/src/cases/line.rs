//! One line of a case file.

use callproof_policy::{
    Predicate, Problem, Span, VERDICT_WORDS, parse_claim, parse_compared_calls, parse_predicate, parse_verdict_line,
    parse_verdict_set,
};

use super::{Case, What};

/// A stretch of the file that is one line, or part of one.
#[derive(Clone, Copy)]
struct Part<'t> {
    text: &'t str,
    /// Where it begins in the file
    at: usize,
}

impl<'t> Part<'t> {
    fn trim(self) -> Self {
        let text = self.text.trim_start();
        let cut = self.text.len().saturating_sub(text.len());
        Self {
            text: text.trim_end(),
            at: self.at.saturating_add(cut),
        }
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (front, back) = self.text.split_at_checked(index).unwrap_or((self.text, ""));
        let behind = Self {
            text: back,
            at: self.at.saturating_add(front.len()),
        };
        (Self { text: front, ..self }, behind)
    }

    /// The first word and the rest.
    fn word(self) -> (&'t str, Self) {
        let end = self.text.find(char::is_whitespace).unwrap_or(self.text.len());
        let (word, rest) = self.split_at(end);
        (word.text, rest.trim())
    }

    fn span(self) -> Span {
        Span::new(self.at, self.at.saturating_add(self.text.len()))
    }

    fn problem(self, message: impl Into<String>, help: &str) -> Vec<Problem> {
        vec![Problem::new(message, self.span()).help(help)]
    }
}

/// Reads a line that begins at `at`; `None` for one that says nothing.
pub(super) fn read(text: &str, at: usize, number: usize) -> Result<Option<Case>, Vec<Problem>> {
    let whole = Part { text, at };
    let (case, comment) = whole.split_at(comment(text));
    let why = comment
        .text
        .strip_prefix('#')
        .map(str::trim)
        .filter(|why| !why.is_empty());
    let mut case = case.trim();
    if case.text.is_empty() {
        return Ok(None);
    }
    let mut xfail = None;
    if let ("xfail", rest) = case.word() {
        let Some(reason) = why else {
            return Err(case.problem(
                "a case that is expected to fail needs a reason",
                "write it behind the case: `xfail deny ptrace  # until the new filter is out`",
            ));
        };
        if rest.text.is_empty() {
            return Err(case.problem("expected a case behind `xfail`", "write `xfail deny ptrace  # why`"));
        }
        xfail = Some(reason.to_owned());
        case = rest;
    }
    Ok(Some(Case {
        line: number,
        span: case.span(),
        text: case.text.to_owned(),
        what: what(case)?,
        why: why.filter(|_| xfail.is_none()).map(str::to_owned),
        xfail,
    }))
}

/// Where the comment of a line begins: at the first `#` outside of quotes.
fn comment(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '#' if !quoted => return at,
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn what(case: Part<'_>) -> Result<What, Vec<Problem>> {
    let (word, rest) = case.word();
    match word {
        "replay" => replay(rest),
        "subset-of" => compared(rest).map(|(file, calls)| What::SubsetOf { file, calls }),
        "equiv" => compared(rest).map(|(file, calls)| What::Equiv { file, calls }),
        "snapshot" => {
            let (file, rest) = path(rest)?;
            nothing(rest)?;
            Ok(What::Snapshot { file })
        }
        _ if begins_with_verdict(case.text) => parse_verdict_line(case.text, case.at).map(What::Verdict),
        _ => parse_claim(case.text, case.at)
            .map(|claim| What::Claim(Box::new(claim)))
            .map_err(with_words),
    }
}

/// Whether the line is `VERDICT CALLS`, and not, say, `unknown arch killed`.
fn begins_with_verdict(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let (word, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
    VERDICT_WORDS.contains(&word) && rest.split_whitespace().next() != Some("arch")
}

/// The problems of a claim, with the words that begin lines of case files alone.
fn with_words(problems: Vec<Problem>) -> Vec<Problem> {
    let more = "; also `xfail CASE`, `replay FILE expect VERDICT`, `subset-of FILE`, `equiv FILE`, `snapshot FILE`";
    let told = |mut problem: Problem| {
        if problem.message.starts_with("no statement begins") {
            problem.help = problem.help.map(|help| help + more);
        }
        problem
    };
    problems.into_iter().map(told).collect()
}

fn replay(rest: Part<'_>) -> Result<What, Vec<Problem>> {
    let (file, rest) = path(rest)?;
    let help = "write `replay FILE expect allow`";
    let ("expect", verdicts) = rest.word() else {
        return Err(rest.problem("expected `expect` and a verdict", help));
    };
    let shift = |mut problem: Problem| {
        problem.span = moved(problem.span, verdicts.at);
        problem
    };
    let expect = parse_verdict_set(verdicts.text)
        .map_err(|problems| problems.problems.into_iter().map(shift).collect::<Vec<_>>())?;
    Ok(What::Replay { file, expect })
}

/// `FILE [for CALLS [except CALLS]] [on ABIS]`
fn compared(rest: Part<'_>) -> Result<(String, Predicate), Vec<Problem>> {
    let (file, rest) = path(rest)?;
    match rest.word() {
        ("" | "for" | "on", _) => Ok((file, parse_compared_calls(rest.text, rest.at)?)),
        _ => Err(rest.problem(
            "expected the end of the line, `for` calls or `on` ABIs",
            "put a path with blanks into quotes",
        )),
    }
}

/// A path, in quotes or without blanks.
fn path(part: Part<'_>) -> Result<(String, Part<'_>), Vec<Problem>> {
    if !part.text.starts_with('"') {
        let (word, rest) = part.word();
        if word.is_empty() {
            return Err(part.problem("expected a file", "write its path, in quotes if it has blanks"));
        }
        return Ok((word.to_owned(), rest));
    }
    let mut path = String::new();
    let mut chars = part.text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if path.is_empty() => return Err(part.problem("an empty path", "name a file")),
            '"' => return Ok((path, part.split_at(at.saturating_add(1)).1.trim())),
            '\\' => path.extend(chars.next().map(|(_, escaped)| escaped)),
            c => path.push(c),
        }
    }
    Err(part.problem("the path is not closed", "add `\"`"))
}

fn nothing(rest: Part<'_>) -> Result<(), Vec<Problem>> {
    if rest.text.is_empty() {
        return Ok(());
    }
    Err(rest.problem("expected the end of the line", "put a path with blanks into quotes"))
}

/// A place in a part that begins at `at` of the file.
fn moved(span: Span, at: usize) -> Span {
    Span::new(span.start.saturating_add(at), span.end.saturating_add(at))
}

/// Reads calls by themselves, for the head of a file: their places count from 0.
pub(super) fn calls(text: &str) -> Result<Predicate, String> {
    parse_predicate(text).map_err(|problems| {
        let first = problems.problems.into_iter().next();
        first.map_or_else(|| "no calls".to_owned(), |problem| problem.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Case {
        read(text, 0, 1).unwrap().unwrap()
    }

    #[test]
    fn comments_are_reasons() {
        assert_eq!(one("allow read # a # b\n").why.as_deref(), Some("a # b"));
        let case = one("  xfail deny ptrace  # later\r\n");
        assert_eq!(
            (case.xfail.as_deref(), case.why, case.text.as_str()),
            (Some("later"), None, "deny ptrace")
        );
        assert!(read("xfail deny ptrace", 0, 1).is_err());
        assert!(read("xfail # why", 0, 1).is_err());
        assert_eq!(read("  # nothing", 0, 1), Ok(None));
    }

    #[test]
    fn quotes_hide_what_is_in_them() {
        assert_eq!(
            one("equiv \"a # b \\\"c.bpf\" # d").what,
            one("equiv \"a # b \\\"c.bpf\"").what
        );
        let What::Equiv { file, .. } = one("equiv \"a # b \\\"c.bpf\" # d").what else {
            panic!()
        };
        assert_eq!(file, "a # b \"c.bpf");
    }

    #[test]
    fn each_word_begins_its_own_case() {
        assert!(matches!(one("errno(EPERM)|kill read cost<=3").what, What::Verdict(_)));
        assert!(matches!(one("unknown arch killed").what, What::Claim(_)));
        assert!(matches!(one("unknown 7").what, What::Verdict(_)));
        assert!(matches!(one("x32 <= x86_64").what, What::Claim(_)));
        assert!(matches!(one("replay a.log expect allow|log").what, What::Replay { .. }));
        assert!(matches!(
            one("subset-of b.policy for read on x86_64").what,
            What::SubsetOf { .. }
        ));
        assert!(matches!(one("snapshot s.txt").what, What::Snapshot { .. }));
    }

    #[test]
    fn places_count_from_the_start_of_the_file() {
        for (text, at) in [
            ("subset-of b on x68_64", 115),
            ("replay a expect alow", 116),
            ("deny socket(A)B", 114),
            ("snapshot", 108),
            ("equiv a b", 108),
        ] {
            let problems = read(text, 100, 1).unwrap_err();
            assert_eq!(problems[0].span.start, at, "{text} {problems:?}");
        }
    }
}
