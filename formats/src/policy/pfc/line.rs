//! One line.

use callproof_policy::predicate::{Relation, View};
use callproof_policy::{Answer, Problem, Span};
use callproof_vm::Action;

use crate::policy::parts::{answer, answer_of, did_you_mean, told};
use crate::text::{Cursor, Kind, Style, Token, narrow, number};

const STYLE: Style = Style {
    line: &["#"],
    block: false,
};

/// A line that says something.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Spaces before it
    pub(super) indent: usize,
    pub(super) says: Says,
    pub(super) span: Span,
}

/// What a line says.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// `# filter for arch NAME (NUMBER)`: the name
    Arch(String),
    /// `if (...)`
    If(Test),
    /// `else`
    Else,
    /// `action ...;`
    Action(Answer),
}

/// What an `if` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// `$arch == N`
    Arch(u32),
    /// `$syscall == N`
    Call(u32),
    /// `$aN RELATION VALUE`, one half, perhaps masked
    Argument {
        index: u8,
        view: View,
        mask: Option<u32>,
        relation: Relation,
        value: u32,
    },
}

const ARCH_COMMENT: &str = "# filter for arch ";

/// Reads a line that begins at byte `start`; `None` when it says nothing.
pub(super) fn read(raw: &str, start: usize) -> Result<Option<Line>, Problem> {
    let text = raw.trim_end();
    let body = text.trim_start_matches(' ');
    let indent = text.len().saturating_sub(body.len());
    let span = Span::new(start.saturating_add(indent), start.saturating_add(text.len()));
    if let Some(rest) = body.strip_prefix(ARCH_COMMENT) {
        let name = rest.split_whitespace().next().unwrap_or_default();
        let says = Says::Arch(name.to_owned());
        return Ok(Some(Line { indent, says, span }));
    }
    if body.starts_with('\t') {
        let message = "a tab before a line";
        return Err(Problem::new(message, span).help("the text is indented with spaces"));
    }
    let mut cursor = Cursor::new(body, span.start, STYLE);
    let first = cursor.next().map_err(|fault| told(&fault))?;
    let says = match (first.kind, first.text) {
        (Kind::End, _) => return Ok(None),
        (Kind::Word, "if") => Says::If(test(&mut cursor)?),
        (Kind::Word, "else") => Says::Else,
        (Kind::Word, "action") => {
            let action = action(&mut cursor)?;
            mark(&mut cursor, ";")?;
            Says::Action(action)
        }
        (Kind::Word, other) => {
            let near = did_you_mean(other, ["if", "else", "action"].into_iter());
            let message = format!(
                "`{}` begins no line of pseudo filter code{near}",
                crate::text::shown(other)
            );
            return Err(Problem::new(message, span));
        }
        _ => return Err(unexpected(&first, "`if`, `else` or `action`")),
    };
    let behind = cursor.next().map_err(|fault| told(&fault))?;
    if behind.kind != Kind::End {
        return Err(unexpected(&behind, "the end of the line"));
    }
    Ok(Some(Line { indent, says, span }))
}

fn next<'s>(cursor: &mut Cursor<'s>) -> Result<Token<'s>, Problem> {
    cursor.next().map_err(|fault| told(&fault))
}

fn mark(cursor: &mut Cursor<'_>, mark: &str) -> Result<(), Problem> {
    let token = next(cursor)?;
    if token.is(mark) {
        return Ok(());
    }
    let problem = unexpected(&token, &format!("`{mark}`"));
    Err(problem)
}

fn unexpected(token: &Token<'_>, expected: &str) -> Problem {
    let found = match token.kind {
        Kind::End => "the end of the line".to_owned(),
        _ => format!("`{}`", crate::text::shown(token.text)),
    };
    Problem::new(format!("expected {expected}, found {found}"), span_of(token))
}

fn span_of(token: &Token<'_>) -> Span {
    let span = token.span();
    Span::new(span.start, span.end)
}

/// `($FIELD RELATION VALUE)`.
fn test(cursor: &mut Cursor<'_>) -> Result<Test, Problem> {
    mark(cursor, "(")?;
    mark(cursor, "$")?;
    let field = next(cursor)?;
    let test = match field.text {
        "arch" => {
            mark(cursor, "==")?;
            Test::Arch(word(cursor)?)
        }
        "syscall" => {
            mark(cursor, "==")?;
            Test::Call(word(cursor)?)
        }
        name => {
            let digit = name
                .strip_prefix('a')
                .and_then(|digit| digit.parse().ok())
                .filter(|index| *index < 6);
            let Some(index) = digit else {
                let known = ["arch", "syscall", "a0", "a1", "a2", "a3", "a4", "a5"];
                let near = did_you_mean(name, known.into_iter());
                let message = format!("there is no field `${}`{near}", crate::text::shown(name));
                return Err(
                    Problem::new(message, span_of(&field)).help("fields are `$arch`, `$syscall` and `$a0` to `$a5`")
                );
            };
            argument(cursor, index)?
        }
    };
    mark(cursor, ")")?;
    Ok(test)
}

/// `[.hi32|.lo32] [& MASK] RELATION VALUE`.
fn argument(cursor: &mut Cursor<'_>, index: u8) -> Result<Test, Problem> {
    let mut view = View::Lo;
    if cursor.eat(".").map_err(|fault| told(&fault))? {
        let half = next(cursor)?;
        view = match half.text {
            "hi32" => View::Hi,
            "lo32" => View::Lo,
            _ => return Err(unexpected(&half, "`hi32` or `lo32`")),
        };
    }
    let masked = cursor.eat("&").map_err(|fault| told(&fault))?;
    let mask = if masked { Some(word(cursor)?) } else { None };
    let token = next(cursor)?;
    let relation = match token.text {
        "==" => Relation::Eq,
        "!=" => Relation::Ne,
        ">" => Relation::Gt,
        ">=" => Relation::Ge,
        "<" => Relation::Lt,
        "<=" => Relation::Le,
        _ => return Err(unexpected(&token, "a comparison")),
    };
    let value = word(cursor)?;
    Ok(Test::Argument {
        index,
        view,
        mask,
        relation,
        value,
    })
}

/// A number of 32 bits.
fn word(cursor: &mut Cursor<'_>) -> Result<u32, Problem> {
    let token = next(cursor)?;
    if token.kind != Kind::Number {
        return Err(unexpected(&token, "a number"));
    }
    let value = number(&token).and_then(|value| narrow(value, u64::from(u32::MAX), "a word", &token));
    let value = value.map_err(|fault| told(&fault))?;
    Ok(u32::try_from(value).unwrap_or_default())
}

/// `ALLOW`, `ERRNO(1)`, or a number.
fn action(cursor: &mut Cursor<'_>) -> Result<Answer, Problem> {
    const NAMES: [&str; 10] = [
        "ALLOW",
        "LOG",
        "KILL",
        "KILL_THREAD",
        "KILL_PROCESS",
        "NOTIFY",
        "TRAP",
        "ERRNO",
        "TRACE",
        "UNKNOWN",
    ];
    let token = cursor.peek().map_err(|fault| told(&fault))?;
    let span = span_of(&token);
    if token.kind == Kind::Number {
        let value = word(cursor)?;
        return answer_of(value, span).ok_or_else(|| {
            Problem::new(format!("{value:#x} is no action"), span).help("the kernel would kill the process")
        });
    }
    let token = next(cursor)?;
    let action = match token.text {
        "ALLOW" => Action::Allow,
        "LOG" => Action::Log,
        "KILL" | "KILL_THREAD" => Action::KillThread,
        "KILL_PROCESS" => Action::KillProcess,
        "NOTIFY" => Action::UserNotif,
        "TRAP" => Action::Trap,
        "ERRNO" => Action::Errno,
        "TRACE" => Action::Trace,
        other => {
            let near = did_you_mean(other, NAMES.into_iter());
            let message = format!("`{}` is no action of libseccomp{near}", crate::text::shown(other));
            return Err(Problem::new(message, span));
        }
    };
    let data = if matches!(action, Action::Errno | Action::Trace) {
        mark(cursor, "(")?;
        let token = cursor.peek().map_err(|fault| told(&fault))?;
        let value = word(cursor)?;
        mark(cursor, ")")?;
        u16::try_from(value).map_err(|_| Problem::new("an action carries 16 bits", span_of(&token)))?
    } else {
        0
    };
    Ok(answer(action, data, span))
}
