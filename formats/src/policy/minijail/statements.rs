//! All statements of a policy and of what it includes.

use std::collections::BTreeMap;

use callproof_abi::Abi;
use callproof_policy::{Answer, Problem, Span};
use callproof_vm::Action;

use super::check_call;
use super::lex::{Kind, Token, lines};
use super::parse::Line;
use crate::policy::build::Arg;
use crate::policy::report::Report;
use crate::policy::{MAX_POLICY_BYTES, MinijailReader, PolicyOptions};
use crate::text::shown;

/// How deep files can include files: the compiler stops there too.
const DEEPEST: usize = 10;
/// How many tests all calls together can have; a filter has at most 4,096 instructions.
const MOST_TESTS: usize = 1 << 16;
/// How many files are read for one policy.
const MOST_FILES: usize = 100;

/// One filter of a call: clauses one of which must hold, or none for always.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) clauses: Option<Vec<Vec<Arg>>>,
    pub(super) answer: Option<Answer>,
}

/// All filters of a call, in order.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) call: String,
    pub(super) span: Span,
    pub(super) filters: Vec<Filter>,
}

/// What a policy says.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) default: Option<Answer>,
    pub(super) list: Vec<Statement>,
}

impl Statements {
    pub(super) fn read(text: &str, abi: Abi, options: &PolicyOptions<'_>, report: &mut Report) -> Self {
        let mut reader = Reader {
            abi,
            options,
            report,
            statements: Self::default(),
            places: BTreeMap::new(),
            files: 0,
            tests: 0,
            bytes: text.len(),
            deny: false,
        };
        reader.file(text, &Place::Top, 0);
        let statements = reader.statements;
        if statements.list.is_empty() && !report.failed() {
            report.note("the policy permits no call", crate::policy::START);
        }
        statements
    }
}

/// Where a text comes from: spans are about the first file only.
enum Place {
    Top,
    Included { path: String, at: Span },
}

impl Place {
    /// A problem in this file as the reader of the first one sees it.
    fn problem(&self, mut problem: Problem, text: &str) -> Problem {
        if let Self::Included { path, at } = self {
            let before = text.get(..problem.span.start).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            problem.message = format!("in `{}`, line {line}: {}", shown(path), problem.message);
            problem.span = *at;
        }
        problem
    }

    const fn span(&self, own: Span) -> Span {
        match self {
            Self::Top => own,
            Self::Included { at, .. } => *at,
        }
    }

    /// A path in this file from where the first file is.
    fn join(&self, path: &str) -> String {
        let folder = match self {
            Self::Included { path, .. } => path.rsplit_once('/').map(|(folder, _)| folder),
            Self::Top => None,
        };
        match folder {
            Some(folder) if !path.starts_with('/') => format!("{folder}/{}", path.trim_start_matches("./")),
            _ => path.to_owned(),
        }
    }
}

struct Reader<'r, 'o> {
    abi: Abi,
    options: &'r PolicyOptions<'o>,
    report: &'r mut Report,
    statements: Statements,
    /// The place of each call in the list
    places: BTreeMap<String, usize>,
    files: usize,
    bytes: usize,
    tests: usize,
    /// Whether everything is permitted that is not named
    deny: bool,
}

impl Reader<'_, '_> {
    fn file(&mut self, text: &str, place: &Place, depth: usize) {
        let lines = match lines(text) {
            Ok(lines) => lines,
            Err(problem) => return self.report.push(place.problem(problem, text)),
        };
        for tokens in &lines {
            if let Err(problem) = self.line(tokens, place, depth) {
                self.report.push(place.problem(problem, text));
            }
            if !self.report.open() {
                return;
            }
        }
    }

    fn kill(&self) -> Action {
        if self.options.minijail.kill_process {
            Action::KillProcess
        } else {
            Action::KillThread
        }
    }

    fn line(&mut self, tokens: &[Token<'_>], place: &Place, depth: usize) -> Result<(), Problem> {
        let mut line = Line::new(tokens, self.abi, self.kill());
        if tokens.first().is_none_or(|token| token.kind != Kind::At) {
            return self.statement(line, place);
        }
        let word = line.next().map_or("", |token| token.text);
        match word {
            "@include" => {
                let token = line.path()?;
                line.done()?;
                self.include(token, place, depth)
            }
            "@frequency" => {
                line.path()?;
                line.done()
            }
            "@default" => self.default(line),
            "@denylist" => {
                self.deny = true;
                self.statements.default = Some(Answer::new(Action::Allow));
                line.done()
            }
            _ => {
                let span = tokens.first().map(|token| token.span).unwrap_or_default();
                let known = ["@include", "@frequency", "@default", "@denylist"];
                self.report
                    .unknown("statement", word, "", place.span(span), known.into_iter());
                Ok(())
            }
        }
    }

    fn default(&mut self, mut line: Line<'_, '_>) -> Result<(), Problem> {
        let before = line.unexpected("an action");
        let answer = line.action()?;
        line.done()?;
        if !matches!(
            answer.action,
            Action::KillProcess | Action::KillThread | Action::Trap | Action::UserNotif
        ) {
            let message = "minijail refuses a default that lets calls go on";
            return Err(Problem::new(message, before.span)
                .help("`kill`, `kill-process`, `kill-thread`, `trap` or `user-notify`"));
        }
        self.statements.default = Some(answer);
        Ok(())
    }

    fn include(&mut self, token: &Token<'_>, place: &Place, depth: usize) -> Result<(), Problem> {
        let path = place.join(token.text);
        let refuse = |why: String| {
            Err(Problem::new(
                format!("`{}` is not included: {why}", shown(&path)),
                token.span,
            ))
        };
        let deepest = match self.options.minijail.reader {
            MinijailReader::Compiler => DEEPEST,
            MinijailReader::Library => 1,
        };
        if depth >= deepest {
            return refuse(format!("files include files more than {deepest} deep"));
        }
        self.files = self.files.saturating_add(1);
        if self.files > MOST_FILES {
            return refuse(format!("more than {MOST_FILES} files for one policy"));
        }
        let text = match (self.options.include)(&path) {
            Ok(text) => text,
            Err(why) => return refuse(why),
        };
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_POLICY_BYTES {
            return refuse(format!("all files together have more than {MAX_POLICY_BYTES} bytes"));
        }
        let at = place.span(token.span);
        self.file(
            &text,
            &Place::Included { path: path.clone(), at },
            depth.saturating_add(1),
        );
        Ok(())
    }

    fn statement(&mut self, mut line: Line<'_, '_>, place: &Place) -> Result<(), Problem> {
        let calls = line.calls()?;
        let filters = line.filters()?;
        line.done()?;
        let returns = |filter: &Filter| {
            filter
                .answer
                .as_ref()
                .is_some_and(|answer| answer.action == Action::Errno)
        };
        if let (true, Some(call)) = (self.deny && !filters.iter().all(returns), calls.first()) {
            return Err(Problem::new("every line of a denylist returns an error", call.span).help("`; return EPERM`"));
        }
        for call in calls {
            self.count(&filters, call.span)?;
            let span = place.span(call.span);
            let near = self.report.open();
            if near && check_call(call.text, span, self.abi, self.report) {
                self.add(call.text, call.span, span, &filters)?;
            }
        }
        Ok(())
    }

    /// Counts tests; there can be too many of them because a list of calls has each of them for each call.
    fn count(&mut self, filters: &[Filter], span: Span) -> Result<(), Problem> {
        let tests = |filter: &Filter| {
            filter
                .clauses
                .iter()
                .flatten()
                .map(Vec::len)
                .sum::<usize>()
                .saturating_add(1)
        };
        self.tests = self.tests.saturating_add(filters.iter().map(tests).sum());
        if self.tests <= MOST_TESTS {
            return Ok(());
        }
        let message = format!("the calls have more than {MOST_TESTS} tests together");
        Err(Problem::new(message, span).help("a filter has at most 4,096 instructions"))
    }

    fn add(&mut self, call: &str, own: Span, span: Span, filters: &[Filter]) -> Result<(), Problem> {
        let conditional = |filter: &Filter| filter.clauses.is_some() && filter.answer.is_some();
        if filters.iter().any(conditional) {
            let message = match self.options.minijail.reader {
                MinijailReader::Compiler => {
                    "the action is for calls that meet the condition; minijail0 itself would allow these and take the action for the others"
                }
                MinijailReader::Library => {
                    "the action is for calls that do not meet the condition; compile_seccomp_policy.py would take it for those that do"
                }
            };
            self.report.note(message, span);
        }
        let place = match self.places.get(call) {
            Some(place) => *place,
            None => {
                self.places.insert(call.to_owned(), self.statements.list.len());
                self.statements.list.push(Statement {
                    call: call.to_owned(),
                    span,
                    filters: Vec::new(),
                });
                self.statements.list.len().saturating_sub(1)
            }
        };
        let Some(statement) = self.statements.list.get_mut(place) else {
            return Ok(());
        };
        let first = statement.filters.is_empty();
        if self.options.minijail.reader == MinijailReader::Library && !first {
            return Err(Problem::new(format!("a second line for `{call}`"), own).help("join the conditions with `||`"));
        }
        for filter in filters {
            if statement.filters.last().is_some_and(|last| last.clauses.is_none()) {
                let message = format!("`{call}` already has an action without a condition");
                return Err(Problem::new(message, own).help("nothing behind it could ever count"));
            }
            statement.filters.push(filter.clone());
        }
        Ok(())
    }
}
